"""Pictures made worse on purpose, so that a sharp plate goes with a soft face; and blur along a motion."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from konterfei.imaging.pixels import to_kind, to_uint8

Array = NDArray[Any]


def median_smooth(image: Array, passes: float) -> Array:
    """`image` without grain and fine detail: medians over 5 x 5 pixels, again and again. Same kind.

    Args:
        image: [H, W, 3] uint8, uint16 or float32
        passes: how often; of a fraction, the last pass is mixed in by so much
    """
    smooth: Array = np.ascontiguousarray(image)
    for _ in range(int(passes)):
        smooth = cv2.medianBlur(smooth, 5)
    part = passes - int(passes)
    if part > 0:
        smooth = cv2.addWeighted(smooth, 1.0 - part, cv2.medianBlur(smooth, 5), part, 0.0)
    return smooth.copy() if smooth is image else smooth


def coarsen(image: Array, resolution: float) -> Array:
    """`image` shrunk to `resolution` times its size, in (0, 1], and blown up again, both cubic. Same kind."""
    height, width = image.shape[:2]
    small = max(int(width * resolution), 1), max(int(height * resolution), 1)
    if small == (width, height):
        return image.copy()
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_CUBIC)
    grown = cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(grown, 0, 1, out=grown) if grown.dtype.kind == "f" else grown  # whole numbers stop at their ends


def few_colors(image: Array, colors: int = 256) -> Array:
    """`image` in a palette of its own of so many colours (median cut, without dithering). Same kind; 8 bits deep."""
    palette = Image.fromarray(to_uint8(image)).quantize(colors, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return to_kind(np.asarray(palette.convert("RGB")), image.dtype)


def motion_blur(image: Array, vector: tuple[float, float]) -> Array:
    """`image` as a shutter sees it while it moves by `vector` (x, y) pixels; its edge is repeated. Same kind.

    The line is drawn with fractions of pixels, so that the blur grows evenly with the motion.
    """
    length = math.hypot(*vector)
    if length < 1e-3:
        return image.copy()
    reach = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * reach + 1,) * 2)
    steps = 4 * reach
    along = (np.arange(steps) + 0.5) / steps - 0.5
    x, y = reach + along * vector[0], reach + along * vector[1]
    left, above = np.floor(x).astype(int), np.floor(y).astype(int)
    right, below = x - left, y - above
    for down, right_by, weight in (
        (0, 0, (1 - right) * (1 - below)),
        (0, 1, right * (1 - below)),
        (1, 0, (1 - right) * below),
        (1, 1, right * below),
    ):
        np.add.at(kernel, (above + down, left + right_by), weight / steps)
    return cv2.filter2D(image, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REPLICATE)
