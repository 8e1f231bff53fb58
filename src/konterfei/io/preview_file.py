"""Preview pictures, which say inside the file how they are laid out: a JPEG comment that viewers skip over.

The comment reads `konterfei.preview {"columns": [["src", 0], ...], "cell": 128, "top": 24, "rows": 6}`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from konterfei.io.atomic import write_bytes
from konterfei.io.images import encode_image

COLUMNS = ("src", "src-src", "dst", "dst-dst", "src-dst")
"""What a preview shows - as whom, of whom - in the field's words: src-dst is dst's face drawn as src, the swap."""
SWAP = "src-dst"
MASKED = " masked"
"""Added to a column's name where what lies outside the mask is black."""

_MAGIC = b"konterfei.preview "


@dataclass(frozen=True)
class PreviewLayout:
    """Where the faces of a preview are.

    Attributes:
        columns: name and left edge of each column, px.
        cell: side of a face, px.
        top: upper edge of the first row, px.
        rows: how many there are.
    """

    columns: tuple[tuple[str, int], ...]
    cell: int
    top: int
    rows: int

    def face(self, picture: NDArray[Any], column: str, row: int) -> NDArray[Any]:
        """One face of a picture. Raises KeyError when there is no such column."""
        left, top = dict(self.columns)[column], self.top + row * self.cell
        return picture[top : top + self.cell, left : left + self.cell]


@dataclass(frozen=True)
class Preview:
    """A preview picture, RGB [H, W, 3] uint8, and its layout."""

    image: NDArray[Any]
    layout: PreviewLayout


def write_preview(path: Path, image: NDArray[Any], layout: PreviewLayout | None) -> None:
    """Write the picture with its layout, atomically. Raises OutputError."""
    data = encode_image(image, ".jpg")
    if layout is not None:
        text = _MAGIC + json.dumps(asdict(layout), separators=(",", ":")).encode()
        after = 4 + int.from_bytes(data[4:6], "big") if data[2:4] == b"\xff\xe0" else 2  # JFIF wants to come first
        data = data[:after] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + data[after:]
    write_bytes(path, data)


def read_layout(path: Path) -> PreviewLayout | None:
    """The layout that a picture carries; None where it carries none, as those of other programs and versions."""
    data = path.read_bytes()
    at = 2
    while data[:2] == b"\xff\xd8" and at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        content = data[at + 4 : end]
        if data[at + 1] == 0xFE and content.startswith(_MAGIC):
            return _parsed(content[len(_MAGIC) :])
        at = end
    return None


def _parsed(text: bytes) -> PreviewLayout | None:
    try:
        told = json.loads(text)
        columns = tuple((str(name), int(left)) for name, left in told["columns"])
        return PreviewLayout(columns, int(told["cell"]), int(told["top"]), int(told["rows"]))
    except (ValueError, KeyError, TypeError):
        return None
