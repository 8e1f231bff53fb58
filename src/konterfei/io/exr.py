"""OpenEXR pictures with named channels: written whole or not at all, read back for checks.

A file holds half (float16) and float (float32) channels side by side. Its data window may be smaller or larger than
the picture (display window); pixels outside of it count as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from konterfei.errors import UnreadableMediaError
from konterfei.io.atomic import atomic_path

Array = NDArray[Any]

PRIMARIES: Final[Mapping[int, tuple[float, ...]]] = {
    1: (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),
}
"""H.273 colour primaries -> CIE x, y of red, green, blue, white (ITU-T H.273 table 2)."""


@dataclass(frozen=True, eq=False)
class Exr:
    """An OpenEXR picture.

    Attributes:
        channels: name ("R", "layer.R") -> values, all of one shape. [h, w] float16 or float32
        left, top: where their first pixel lies in the picture, px from its top left.
        width, height: of the picture; None = that of the channels.
        attributes: further text in the header.
        primaries: CIE x, y of red, green, blue and white; None leaves it unsaid.
    """

    channels: Mapping[str, Array]
    left: int = 0
    top: int = 0
    width: int | None = None
    height: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    primaries: tuple[float, ...] | None = None

    def over_picture(self, name: str) -> Array:
        """A channel over the whole picture, 0 outside of what the file holds. [height, width]"""
        values = self.channels[name]
        rows, columns = values.shape
        whole = np.zeros((self.height or rows, self.width or columns), values.dtype)
        first_row, first_column = max(self.top, 0), max(self.left, 0)
        part = values[first_row - self.top :, first_column - self.left :]
        under = whole[first_row : self.top + rows, first_column : self.left + columns]
        under[:] = part[: under.shape[0], : under.shape[1]]
        return whole


def write_exr(path: Path | str, exr: Exr) -> None:
    """Write `exr`, atomically, each line compressed by itself without loss (ZIPS), as compositing programs read best.

    Raises:
        OutputError: it cannot be written.
    """
    path = Path(path)
    shapes = {values.shape for values in exr.channels.values()}
    kinds = {values.dtype for values in exr.channels.values()}
    if len(shapes) != 1 or not kinds <= {np.dtype(np.float16), np.dtype(np.float32)}:
        raise ValueError(f"expected float16 or float32 channels of one shape, got {shapes} {kinds}")
    ((rows, columns),) = shapes
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIPS_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "dataWindow": _window(exr.left, exr.top, columns, rows),
        "displayWindow": _window(0, 0, exr.width or columns, exr.height or rows),
        **exr.attributes,
    }
    if exr.primaries is not None:
        header["chromaticities"] = tuple(exr.primaries)
    channels = {name: np.ascontiguousarray(values) for name, values in exr.channels.items()}
    with atomic_path(path) as temporary, OpenEXR.File(header, channels, num_threads=1) as file:
        file.write(str(temporary))


def read_exr(path: Path | str) -> Exr:
    """The picture in a file of one part.

    Raises:
        UnreadableMediaError: missing, or no OpenEXR file.
    """
    if not Path(path).is_file():
        raise UnreadableMediaError(f"There is no file '{path}'. Check the path.")
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            header = dict(file.header())
            channels = {name: np.array(channel.pixels) for name, channel in file.channels().items()}
    except (RuntimeError, ValueError) as error:
        raise UnreadableMediaError(f"'{path}' cannot be read as OpenEXR: {error}. Export it again.") from error
    (left, top), (right, bottom) = (tuple(map(int, corner)) for corner in header["displayWindow"])
    first = header["dataWindow"][0]
    return Exr(
        channels=channels,
        left=int(first[0]) - left,
        top=int(first[1]) - top,
        width=right - left + 1,
        height=bottom - top + 1,
        attributes={name: value for name, value in header.items() if isinstance(value, str) and name != "name"},
        primaries=header.get("chromaticities"),
    )


def _window(left: int, top: int, width: int, height: int) -> tuple[Array, Array]:
    return np.array([left, top], np.int32), np.array([left + width - 1, top + height - 1], np.int32)
