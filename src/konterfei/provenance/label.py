"""The visible label: a viewer sees that the picture was altered, without any tool.

Wording: "AI MODIFIED" is the text that the EU's Code of Practice on Transparency of AI-Generated Content (10 June 2026)
gives for media that were partly manipulated, as against "AI GENERATED" for wholly synthetic ones; the acronym stays in
capitals and the text readable on its own. Place: the Code suggests the top right corner, unobstructed. Other marks
belong to the deployer: for evidently artistic work the law accepts a disclosure elsewhere, for instance in the
credits, hence the style `none`, which is written into the credentials.

Legibility: font size at least 12 px, else 3.6 % of the shorter side; white on a black plate of 62 % opacity has a
contrast of at least 5.9 : 1 even over pure white (WCAG 2.2 asks 4.5 : 1). It keeps a margin of 5 % of each side, the
safe title area of SMPTE ST 2046-1, so that no screen cuts it off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from konterfei.registry import Entry, Registry

Pixels = NDArray[Any]
Placement = Callable[[int, int, int, int], tuple[int, int]]

LABELS = Registry(
    "label",
    {
        "corner": Entry("konterfei.provenance.label:corner", "short text in the top right corner"),
        "caption": Entry("konterfei.provenance.label:caption", "a full sentence at the bottom"),
        "none": Entry("konterfei.provenance.label:none", "no visible label; recorded in the signed credentials"),
    },
)
SIZE = 0.036
"""Font size as a fraction of the frame's shorter side."""
MIN_SIZE = 12
"""Pixels; below this, letters of this font merge when the video is encoded."""
MARGIN = 0.05
"""Fraction of each side kept free (SMPTE ST 2046-1, safe title area: 90 % of width and height)."""
PLATE_OPACITY = 0.62
_SHORTEST = "AI"
"""What is left when a frame is too narrow for the words."""


@dataclass(frozen=True)
class Style:
    """One way to label: what it says and where its plate's top left corner goes."""

    text: str
    place: Placement


def _top_right(width: int, height: int, plate_width: int, plate_height: int) -> tuple[int, int]:
    return width - round(width * MARGIN) - plate_width, round(height * MARGIN)


def _bottom_centre(width: int, height: int, plate_width: int, plate_height: int) -> tuple[int, int]:
    return (width - plate_width) // 2, height - round(height * MARGIN) - plate_height


corner = Style("AI MODIFIED", _top_right)
caption = Style("AI MODIFIED: a face in this video was replaced", _bottom_centre)
none = Style("", _top_right)


def wording(style: str) -> str:
    """The text that `style` shows; empty for none. Raises UnknownNameError."""
    return LABELS.load(style).text


def draw_label(image: Pixels, style: str = "corner", text: str | None = None) -> Pixels:
    """The frame with the label of `style`. Only the label's plate is touched.

    Draws into `image` and gives it back; a read-only image is copied first.

    Args:
        image: RGB frame. [H, W, 3] uint8, or uint16 with full range
        style: a name of LABELS.
        text: other words, for another language; None = the style's own.

    Raises:
        UnknownNameError: no such style.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"expected [H, W, 3] uint8 or uint16, got {image.shape} {image.dtype}")
    overlay = _overlay(image.shape[1], image.shape[0], style, text, image.dtype.itemsize)
    if overlay is None:
        return image
    if not image.flags.writeable:
        image = image.copy()
    region = image[overlay.rows, overlay.columns]
    mixed = np.multiply(region, overlay.keep, dtype=overlay.keep.dtype)
    mixed += overlay.add
    np.right_shift(mixed, overlay.bits, out=region, casting="unsafe")
    return image


def label_region(width: int, height: int, style: str, text: str | None = None) -> tuple[slice, slice] | None:
    """Rows and columns that the label covers in a frame of this size; None when it draws nothing."""
    overlay = _overlay(width, height, style, text, 1)
    return None if overlay is None else (overlay.rows, overlay.columns)


def label_layer(
    width: int, height: int, style: str, text: str | None = None
) -> tuple[tuple[slice, slice], Pixels, Pixels] | None:
    """The label by itself, for those who lay it over a picture themselves; None when it draws nothing.

    Returns:
        rows and columns that it covers; how opaque it is, [h, w] float32 in [0, 1]; and its white ink, which is added:
        picture * (1 - opacity) + ink, on the values of the picture (not on linear light). [h, w] float32 in [0, 1]
    """
    chosen: Style = LABELS.load(style)
    words = chosen.text if text is None else text
    if not chosen.text:
        return None
    if not words.strip():
        raise ValueError("a label without words is no label; choose the style 'none' to leave it out")
    plate = _plate(words, width, height)
    if plate is None:
        return None
    opacity, ink = plate
    plate_height, plate_width = opacity.shape
    left, top = chosen.place(width, height, plate_width, plate_height)
    left, top = max(0, left), max(0, top)
    return (slice(top, top + plate_height), slice(left, left + plate_width)), opacity, ink


@dataclass(frozen=True)
class _Overlay:
    """A drawn label in fixed point: result = (pixel * keep + add) >> bits."""

    rows: slice
    columns: slice
    keep: Pixels
    add: Pixels
    bits: int


@lru_cache(maxsize=16)
def _overlay(width: int, height: int, style: str, text: str | None, item_size: int) -> _Overlay | None:
    layer = label_layer(width, height, style, text)
    if layer is None:
        return None
    (rows, columns), opacity, ink = layer
    bits = 8 * item_size
    one, kind = 1 << bits, (np.uint16, np.uint32)[item_size - 1]
    keep = np.round((1 - opacity) * one).astype(np.uint32)
    # white ink at full range; half a step more, so that the shift rounds
    add = np.round(ink * (one - 1) * one).astype(np.uint32) + one // 2
    add = np.minimum(add, (one - 1) * one + one - 1 - keep * (one - 1))  # never beyond the range
    return _Overlay(rows, columns, _three(keep, kind), _three(add, kind), bits)


def _three(layer: Pixels, kind: type) -> Pixels:
    """[h, w] -> [h, w, 3] of `kind`: without broadcasting the blend is three times as fast."""
    return np.repeat(layer[:, :, None], 3, axis=2).astype(kind)


def _plate(text: str, width: int, height: int) -> tuple[Pixels, Pixels] | None:
    """Opacity and ink of the label, float32 in [0, 1], [h, w]; None when the frame has no room for two letters.

    Ink is white light that is added; what is opaque without ink is black.
    """
    room = round(width * (1 - 2 * MARGIN)), round(height * (1 - 2 * MARGIN))
    wanted = max(MIN_SIZE, round(SIZE * min(width, height)))
    for words in (text, _SHORTEST):
        for size in range(wanted, (MIN_SIZE if words == text else 5) - 1, -1):
            font = ImageFont.load_default(size)
            pad = max(2, round(size * 0.4))
            left, top, right, bottom = font.getbbox(words, stroke_width=_stroke(size))
            plate_size = int(right - left) + 2 * pad, int(bottom - top) + 2 * pad
            if plate_size[0] <= room[0] and plate_size[1] <= room[1]:
                return _drawn(words, font, size, plate_size, (pad - left, pad - top))
    return None


def _stroke(size: int) -> float:
    """Extra thickness of the strokes in pixels: the font is a regular one, small labels want a bolder."""
    return size / 40


def _drawn(
    words: str, font: Any, size: int, plate_size: tuple[int, int], at: tuple[float, float]
) -> tuple[Pixels, Pixels]:
    letters = Image.new("L", plate_size)
    ImageDraw.Draw(letters).text(at, words, fill=255, font=font, stroke_width=_stroke(size), stroke_fill=255)
    rounded = Image.new("L", (plate_size[0] * 4, plate_size[1] * 4))  # drawn larger: smooth corners
    ImageDraw.Draw(rounded).rounded_rectangle(
        (0, 0, rounded.width - 1, rounded.height - 1), radius=size * 4 * 0.3, fill=255
    )
    shape = np.asarray(rounded.resize(plate_size, Image.Resampling.BOX), np.float32) / 255
    ink = np.asarray(letters, np.float32) / 255
    return np.maximum(ink, shape * PLATE_OPACITY), ink
