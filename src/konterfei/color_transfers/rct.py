"""Mean and spread of each channel in CIE Lab.

Reinhard et al. 2001, "Color transfer between images", in CIE Lab as DeepFaceLab has it. Without masks it is the same
to the sixth digit. With masks DeepFaceLab blackens what they leave out *and counts it*; here it does not count.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer
from konterfei.imaging import lab_to_rgb, rgb_to_lab

Array = NDArray[Any]

_LOW: Final = np.array([0, -127, -127], dtype=np.float32)
_HIGH: Final = np.array([100, 127, 127], dtype=np.float32)
_FLAT: Final = 1e-4
"""Spread (in Lab units) below which a channel has none to scale."""


def statistics(image: Array, mask: Array | None = None) -> ColorStatistics:
    """Mean and spread in CIE Lab of an RGB image [H, W, 3], float32 in [0, 1]."""
    return ColorStatistics.measure(rgb_to_lab(image), mask)


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """The image with its Lab channels shifted and scaled from `own` to `wanted`. [H, W, 3] float32 in [0, 1]."""
    if own.weight == 0 or wanted.weight == 0:
        return image.copy()
    gain = np.where(own.std > _FLAT, wanted.std / np.maximum(own.std, _FLAT), 1.0)
    shift = wanted.mean - own.mean * gain
    image_lab = rgb_to_lab(image) * gain.astype(np.float32) + shift.astype(np.float32)
    return lab_to_rgb(np.clip(image_lab, _LOW, _HIGH, out=image_lab))


rct = ColorTransfer(statistics, apply)
