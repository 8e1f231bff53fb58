"""The picture of an order: its first faces, its last ones, and some evenly from between, each with its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Array = NDArray[Any]

_TILE: Final = 120
_ACROSS: Final = 12
_GAP: Final = 6
_TEXT: Final = 13
_HEAD: Final = 24
_BACKGROUND: Final = (24, 24, 24)
_WORDS: Final = (225, 225, 225)
_LEFT_OUT: Final = (200, 70, 50)
"""Frame of faces that the method leaves out."""


def places(count: int) -> dict[str, list[int]]:
    """Which places of an order of `count` faces are shown, under which heading."""
    if count <= 4 * _ACROSS:
        return {"all": list(range(count))}
    between = np.linspace(_ACROSS, count - _ACROSS - 1, 2 * _ACROSS).round().astype(int)
    return {
        "first": list(range(_ACROSS)),
        "evenly from between": sorted(set(between.tolist())),
        "last": list(range(count - _ACROSS, count)),
    }


def sheet(title: str, values: Sequence[float | None], rest: int, picture: Callable[[int], Array]) -> Array:
    """The picture.

    Args:
        title: what the order is.
        values: of each place, first to last; None = none.
        rest: how many of the last places the method leaves out; they have a red frame.
        picture: gives the face at a place. [S, S, 3] uint8 RGB

    Returns:
        [H, W, 3] uint8 RGB
    """
    groups = places(len(values))
    step = _TILE + _TEXT + 2 * _GAP
    lines = sum(-(-len(group) // _ACROSS) for group in groups.values())
    canvas = np.full(
        (_HEAD * (1 + len(groups)) + lines * step + _GAP, _ACROSS * (_TILE + _GAP) + _GAP, 3), _BACKGROUND, np.uint8
    )
    words = [((_GAP, _GAP), title)]
    top = _HEAD
    for heading, group in groups.items():
        words.append(((_GAP, top + _GAP), heading))
        top += _HEAD
        for number, place in enumerate(group):
            line, column = divmod(number, _ACROSS)
            x, y = _GAP + column * (_TILE + _GAP), top + line * step
            if place >= len(values) - rest:
                canvas[y - 3 : y + _TILE + 3, x - 3 : x + _TILE + 3] = _LEFT_OUT
            canvas[y : y + _TILE, x : x + _TILE] = cv2.resize(
                picture(place), (_TILE, _TILE), interpolation=cv2.INTER_AREA
            )
            words.append(((x, y + _TILE + 2), f"{place + 1}: {value_text(values[place])}"))
        top += -(-len(group) // _ACROSS) * step
    image = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    for where, text in words:
        draw.text(where, text, _WORDS, font)
    return np.array(image)


def value_text(value: float | None) -> str:
    """A value in few digits; "-" for none."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if value == round(value) and abs(value) < 1e7 else f"{value:.3g}"
