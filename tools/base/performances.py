"""Fictional people of openpeople as training material: their pictures, and clips of those who can be rendered.

Never pictured here: P001, P005, P006, P007 and P010, by whom swaps are measured and shown, and P003, who resembles a
known person. (P007 lends expressions and teeth to variants of portraits: vary.py.)
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from konterfei.errors import ConfigError
from konterfei.io.images import encode_image, read_image
from konterfei.performers import PerformerConfig, render_performer
from konterfei.reporting import Reporter, check

PICTURED = ("P002", "P004", "P008", "P009")
"""Whose pictures are taken."""
RENDERED = ("P002", "P008")
"""Who is rendered."""
SHEETS = {"emotions_sheet.jpg": 16, "character_sheet.jpg": 1}
"""Sheets of framed pictures -> how many of theirs, from the top, are taken. The character sheets' other heads are seen
from the side and from behind, where the landmarker is wrong."""
ALONE = ("studio_portrait.jpg", "amateur_selfie.jpg")
"""Pictures of one head."""

CLIPS: tuple[dict[str, Any], ...] = (
    {"style": "expressions"},
    {"style": "talk", "wide": True, "light": "passing"},
    {"style": "lively", "wide": True, "light": "side", "camera": "handheld"},
    {"style": "expressions", "wide": True, "light": "screen", "camera": "zoom", "background": "moving"},
    {"style": "talk", "wide": True, "light": "dimming", "occluder": "hand"},
    {"style": "talk", "camera": "roll", "occluder": "hair", "light": "passing"},
    {"style": "expressions", "occluder": "glasses", "light": "side"},
    {"style": "lively", "wide": True, "occluder": "microphone", "background": "moving"},
)
"""What is done in each clip; its seed is its number, from 1."""
SECONDS, FPS, SIDE = 12.0, Fraction(6), 448
"""Of a clip. So few frames a second that each is another picture."""


def pictures(folder: Path) -> list[Path]:
    """Write the heads of openpeople's pictures into `folder`, unless they are there; gives the files.

    Raises:
        ConfigError: openpeople is missing.
    """
    spec = find_spec("openpeople")
    if spec is None or spec.origin is None:
        raise ConfigError("The package 'openpeople' is not installed. Install it with: pip install konterfei[demo]")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for person in PICTURED:
        assets = Path(spec.origin).parent / "data" / "curated" / person / "assets"
        for name, image in _heads(assets):
            path = folder / f"{person}_{name}.png"
            if not path.exists():
                path.write_bytes(encode_image(image, ".png", 0))
            written.append(path)
    return written


def _heads(assets: Path) -> Iterator[tuple[str, np.ndarray]]:
    for name in ALONE:
        yield Path(name).stem, read_image(assets / name)
    for name, count in SHEETS.items():
        sheet = read_image(assets / name)
        for number, (x, y, w, h) in enumerate(frames(sheet)[:count]):
            yield f"{Path(name).stem}_{number:02d}", sheet[y : y + h, x : x + w]


def frames(sheet: np.ndarray) -> list[tuple[int, int, int, int]]:
    """What lies within the white frames of a sheet, row by row from the top: x, y, width, height."""
    inset = 6  # the frames are 5 pixels wide
    white = (sheet.min(axis=2) > 225).astype(np.uint8)
    stats = cv2.connectedComponentsWithStats(white)[2][1:]
    hollow = [row for row in stats if row[2] > 300 and row[3] > 200 and row[4] < 0.2 * row[2] * row[3]]
    boxes = sorted(((round(y / 100), x, y, w, h) for x, y, w, h in (map(int, row[:4]) for row in hollow)))
    return [(x + inset, y + inset, w - 2 * inset, h - 2 * inset) for _, x, y, w, h in boxes]


def clips(folder: Path, reporter: Reporter) -> list[Path]:
    """Render the clips into `folder`; one that is there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for person in RENDERED:
        for number, told in enumerate(CLIPS, 1):
            check(reporter)
            config = PerformerConfig(
                person=person,
                output=folder / f"{person}_{number:02d}.mp4",
                seconds=SECONDS,
                fps=FPS,
                size=SIDE,
                seed=number,
                sound=False,
                **told,
            )
            made.append(render_performer(config, reporter))
    return made


def person_of(source: str) -> int:
    """Number of the person in a record's source: 'P002_03.mp4' and 'heads/P002_selfie.png' are 2."""
    return int(source.rpartition("/")[2][1:4])
