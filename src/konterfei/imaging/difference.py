"""How different two colours look."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_POW25_7: Final = 25.0**7


def delta_e_2000(lab: Array, other_lab: Array) -> Array:
    """CIEDE2000: about 1 is just seen side by side, 2 to 3 at a glance, 5 is another shade.

    After Sharma, Wu and Dalal 2005, "The CIEDE2000 color-difference formula: implementation notes, supplementary test
    data, and mathematical observations", all three weights 1.

    Args:
        lab, other_lab: CIE L*a*b*, shapes that fit each other. [..., 3] float32 or float64

    Returns:
        [...] of the same kind, 0 or more
    """
    (l1, a1, b1), (l2, a2, b2) = (np.moveaxis(np.asarray(colors), -1, 0) for colors in (lab, other_lab))
    dull = _saturating((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    stretch = 1.5 - 0.5 * dull
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1), np.arctan2(b2, a2)
    is_grey = c1 * c2 == 0
    turn = h2 - h1
    turn = turn - 2 * np.pi * np.rint(turn / (2 * np.pi))  # the shorter way round
    turn = np.where(is_grey, 0, turn)
    hue = np.where(is_grey, h1 + h2, h1 + turn / 2)  # in the middle of that way
    chroma, light = (c1 + c2) / 2, ((l1 + l2) / 2 - 50) ** 2
    weight = (
        1
        - 0.17 * np.cos(hue - np.pi / 6)
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + np.pi / 30)
        - 0.20 * np.cos(4 * hue - math.radians(63.0))
    )
    by_light = (l2 - l1) / (1 + 0.015 * light / np.sqrt(20 + light))
    by_chroma = (c2 - c1) / (1 + 0.045 * chroma)
    by_hue = 2 * np.sqrt(c1 * c2) * np.sin(turn / 2) / (1 + 0.015 * chroma * weight)
    degrees = np.rad2deg(hue) % 360
    blue = math.radians(30.0) * np.exp(-(((degrees - 275) / 25) ** 2))
    mixed = -2 * _saturating(chroma) * np.sin(2 * blue) * by_chroma * by_hue
    squared: Array = by_light**2 + by_chroma**2 + by_hue**2 + mixed
    return np.sqrt(np.maximum(squared, 0))


def _saturating(chroma: Array) -> Array:
    power = chroma**7
    root: Array = np.sqrt(power / (power + power.dtype.type(_POW25_7)))
    return root
