"""How a face is lit: how much, from where, how hard, of what colour."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import hull_mask

Array = NDArray[Any]

LIGHTS: Final = {
    "brightness": "brightness",
    "light_side": "light from the side",
    "light_height": "light from above or below",
    "light_contrast": "contrast of the light",
    "warmth": "warmth of the light",
}
"""Axes of light and what they are called."""

_SIDE: Final = 64
_LEAST_PIXELS: Final = 40


def light(image: Array, points: Array) -> tuple[float, float, float, float, float]:
    """The axes of `LIGHTS` for one crop.

    A plane is laid through the brightness of the skin (the face's hull without eyes, brows and mouth), least squares
    with the darkest and brightest twentieth left out.

    Args:
        image: RGB. [S, S, 3] uint8
        points: landmarks in the crop. [68, 2]

    Returns:
        brightness: mean luma of the skin, 0 to 1. light_side, light_height: how much brighter the skin gets from the
        middle of the face to its image-right edge, and to its top, by its mean (0.3: 30 %). light_contrast: standard
        deviation of the skin's luma by its mean. warmth: log2 of red by blue. All NaN where no skin is in the crop
    """
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    spots = np.asarray(points, np.float64) * (_SIDE / image.shape[0])
    skin = hull_mask(np.clip(spots, -4 * _SIDE, 5 * _SIDE), (_SIDE, _SIDE), 0.0) > 0
    hidden = np.zeros((_SIDE, _SIDE), np.uint8)
    for part in (slice(36, 42), slice(42, 48), slice(48, 60), slice(17, 22), slice(22, 27)):
        corners = np.rint(np.clip(spots[part], -4 * _SIDE, 5 * _SIDE)).astype(np.int32)
        cv2.fillConvexPoly(hidden, cv2.convexHull(corners), 1)
    skin &= cv2.dilate(hidden, np.ones((3, 3), np.uint8)) == 0
    rows, columns = np.nonzero(skin)
    if len(rows) < _LEAST_PIXELS:
        return (float("nan"),) * 5
    colors = small[rows, columns]
    luma = colors @ np.array([0.299, 0.587, 0.114], np.float32)
    low, high = np.quantile(luma, [0.05, 0.95])
    kept = (luma >= low) & (luma <= high)
    mean = max(float(luma[kept].mean()), 1.0)
    middle = spots.mean(axis=0)
    half = np.maximum(np.ptp(spots, axis=0) / 2, 1.0)
    across, up = (columns - middle[0]) / half[0], (middle[1] - rows) / half[1]
    plane = np.stack([np.ones(len(rows)), across, up], axis=1)[kept]
    slopes = np.linalg.lstsq(plane, luma[kept].astype(np.float64), rcond=None)[0]
    red, blue = (max(float(colors[kept, channel].mean()), 1.0) for channel in (0, 2))
    return (
        mean / 255,
        float(slopes[1]) / mean,
        float(slopes[2]) / mean,
        float(luma.std()) / mean,
        float(np.log2(red / blue)),
    )
