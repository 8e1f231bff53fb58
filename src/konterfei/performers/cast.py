"""Where the performers' pictures come from: the fictional people of the package `openpeople` (MIT)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, UnreadableMediaError
from konterfei.io.images import read_image

Image = NDArray[np.uint8]

# fmt: off
EXPRESSIONS = (
    "neutral", "happy", "sad", "angry",
    "surprised", "disgusted", "scared", "confused",
    "smug", "flirty", "thoughtful", "pensive",
    "exhausted", "shocked", "playful", "determined",
)
# fmt: on
"""Names of the sixteen pictures on openpeople's sheet of expressions, row by row."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a performer is lit and where they stand."""

    scene: str
    """Background: a name in `konterfei.performers.scenery.SCENES`."""
    light: tuple[float, float, float]
    """Direction towards the key light: x right, y down, z away from the camera. Any length."""
    contrast: float
    """How much that light models the face as it turns, 0 = as photographed."""
    key: tuple[float, float, float]
    """Gain of red, green and blue on the performer: the colour of the key light."""
    tint: tuple[float, float, float]
    """Gain of red, green and blue on everything: the camera's white balance."""
    skin: tuple[float, float, float]
    """Colour of a hand that comes into the picture, RGB in [0, 1]: the performer's cheeks in the portrait."""


@dataclass(frozen=True, kw_only=True)
class Performer:
    """A fictional person who can be rendered."""

    name: str
    """Of the person in `openpeople`."""
    look: Look
    voice_hz: float
    """Mean pitch of the synthetic voice."""
    open_mouth: str = "surprised"
    """The expression that shows the mouth open best: "surprised" or "shocked"."""


P001 = Performer(
    name="P001",
    look=Look(
        scene="studio",
        light=(-0.7, -0.6, -0.6),
        contrast=0.30,
        key=(0.97, 0.98, 1.0),
        tint=(0.98, 1.0, 1.03),
        skin=(0.84, 0.63, 0.51),
    ),
    voice_hz=188.0,
)
P002 = Performer(
    name="P002",
    look=Look(
        scene="office",
        light=(-0.7, -0.6, -0.6),
        contrast=0.26,
        key=(1.0, 0.98, 0.95),
        tint=(1.02, 1.0, 0.98),
        skin=(0.85, 0.65, 0.54),
    ),
    voice_hz=204.0,
    open_mouth="shocked",
)
P005 = Performer(
    name="P005",
    look=Look(
        scene="office",
        light=(-0.8, -0.5, -0.6),
        contrast=0.30,
        key=(0.98, 0.99, 1.0),
        tint=(1.03, 1.0, 0.96),
        skin=(0.82, 0.61, 0.49),
    ),
    voice_hz=112.0,
    open_mouth="shocked",
)
P006 = Performer(
    name="P006",
    look=Look(
        scene="evening",
        light=(0.75, -0.5, -0.6),
        contrast=0.36,
        key=(0.95, 0.86, 0.77),
        tint=(0.99, 1.0, 1.03),
        skin=(0.79, 0.55, 0.42),
    ),
    voice_hz=196.0,
)
P007 = Performer(
    name="P007",
    look=Look(
        scene="studio",
        light=(0.6, -0.7, -0.6),
        contrast=0.28,
        key=(1.0, 0.97, 0.94),
        tint=(1.02, 1.0, 0.98),
        skin=(0.78, 0.55, 0.41),
    ),
    voice_hz=124.0,
)
P008 = Performer(
    name="P008",
    look=Look(
        scene="studio",
        light=(0.7, -0.5, -0.6),
        contrast=0.32,
        key=(1.0, 0.94, 0.88),
        tint=(1.0, 1.0, 1.0),
        skin=(0.77, 0.55, 0.42),
    ),
    voice_hz=118.0,
)
P010 = Performer(
    name="P010",
    look=Look(
        scene="evening",
        light=(0.75, -0.5, -0.6),
        contrast=0.34,
        key=(0.97, 0.88, 0.79),
        tint=(1.0, 1.0, 1.02),
        skin=(0.85, 0.65, 0.53),
    ),
    voice_hz=210.0,
)


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A person's source pictures, RGB."""

    portrait: Image
    """Neutral, frontal, on plain grey. [2048, 2048, 3]"""
    expressions: dict[str, Image]
    """Small pictures by name of expression, about 500 x 340."""


def _openpeople() -> Any:
    try:
        import openpeople
    except ImportError as error:
        raise ConfigError(
            "Synthetic performers need the pictures of the package 'openpeople', which is not installed. "
            "Install it with: pip install konterfei[demo]"
        ) from error
    return openpeople


def load_pictures(name: str) -> Pictures:
    """The portrait and the expressions of the person `name`.

    Raises:
        ConfigError: openpeople is missing or holds other pictures than expected.
    """
    assets = Path(_openpeople().__file__).parent / "data" / "curated" / name / "assets"
    sheet = _read(assets / "emotions_sheet.jpg")
    return Pictures(portrait=_read(assets / "studio_portrait.jpg"), expressions=_split_sheet(sheet, name))


def _read(path: Path) -> Image:
    try:
        return read_image(path)
    except UnreadableMediaError as error:
        raise ConfigError(
            f"'{path}' is missing or unreadable. Reinstall the pictures: "
            "pip install --force-reinstall openpeople==0.1.2"
        ) from error


def _split_sheet(sheet: Image, person: str) -> dict[str, Image]:
    """Cuts the sheet along the white frames around its pictures (their layout differs from person to person)."""
    white = (sheet.min(axis=2) > 225).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(white)
    boxes = [tuple(int(v) for v in row[:4]) for row in stats[1:] if 400 < row[2] < 700 and 250 < row[3] < 420]
    if len(boxes) != len(EXPRESSIONS):
        raise ConfigError(
            f"The sheet of expressions of {person} has {len(boxes)} pictures where {len(EXPRESSIONS)} are expected. "
            "Install the version that was tested: pip install openpeople==0.1.2"
        )
    boxes.sort(key=lambda box: (round(box[1] / 200), box[0]))
    inset = 6  # the frames are 5 pixels wide
    return {
        name: np.ascontiguousarray(sheet[y + inset : y + h - inset, x + inset : x + w - inset])
        for name, (x, y, w, h) in zip(EXPRESSIONS, boxes, strict=True)
    }
