"""Lightness by mean and spread, colour by sliced optimal transport: DeepFaceLab's "mix-m" (dfl-spec 8.5).

The lightness of both pictures is made the same before their colours are matched, so that texture, which is lightness,
stays smooth. The original works on 8-bit Lab, where a lightness of 100 is an L* of 39; so it is here, in floats.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import sot
from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer
from konterfei.imaging import lab_to_rgb, rgb_to_lab

Array = NDArray[Any]

_LEVEL: Final = 100.0 * 100.0 / 255.0
"""The L* that both pictures are brought to before their colours are matched."""
_FLOOR: Final = 1e-5 * 100.0**2
"""Added to variances of lightness, as in `lct`, in units of L* squared."""


def statistics(image: Array, mask: Array | None = None) -> ColorStatistics:
    """All colours of an RGB image [H, W, 3] in CIE Lab."""
    return ColorStatistics.measure_all(rgb_to_lab(image), mask)


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """The image with the lightness and the colours of `wanted`. [H, W, 3] float32 in [0, 1]."""
    if own.weight == 0 or wanted.weight == 0:
        return image.copy()
    image_lab = rgb_to_lab(image)
    level = _levelled(image_lab)
    moved = sot.apply(level, _of_level(own), _of_level(wanted))
    gain = math.sqrt((wanted.std[0] ** 2 + _FLOOR) / (own.std[0] ** 2 + _FLOOR))
    image_lab[..., 0] = (image_lab[..., 0] - own.mean[0]) * gain + wanted.mean[0]
    np.clip(image_lab[..., 0], 0.0, 100.0, out=image_lab[..., 0])
    image_lab[..., 1:] += (rgb_to_lab(moved) - rgb_to_lab(level))[..., 1:]  # what a level of L* cuts off is not lost
    return lab_to_rgb(image_lab)


def _levelled(image_lab: Array) -> Array:
    """The picture with one lightness everywhere, in RGB. [H, W, 3] float32"""
    level = image_lab.astype(np.float32)
    level[..., 0] = _LEVEL
    return lab_to_rgb(level)


def _of_level(statistics: ColorStatistics) -> ColorStatistics:
    """The colours of `_levelled`."""
    assert statistics.pixels is not None
    return replace(statistics, pixels=_levelled(statistics.pixels[None].copy())[0].astype(np.float64))


mix = ColorTransfer(statistics, apply)
