"""Mean and covariance in RGB: the linear map that moves colours least.

Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer".
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer

Array = NDArray[Any]

_LEAST: Final = 1e-6
"""Variance along an axis below which it is rounding noise (8 bits round with 1.3e-6) and must not be blown up."""


def linear_map(covariance: Array, wanted: Array) -> Array:
    """The symmetric matrix T with T covariance T = wanted. [3, 3] each (eq. 10 of the paper).

    Along axes where the image hardly varies the gain is held down: an image without colour stays nearly without.
    """
    values, axes = np.linalg.eigh(covariance)
    spread = np.sqrt(np.maximum(values, _LEAST))
    middle = spread[:, None] * (axes.T @ wanted @ axes) * spread
    middle_values, middle_axes = np.linalg.eigh(middle)
    root = (middle_axes * np.sqrt(np.maximum(middle_values, 0.0))) @ middle_axes.T
    return axes @ (root / spread[:, None] / spread) @ axes.T


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """The image with its colours mapped linearly from `own` to `wanted`. [H, W, 3] float32 in [0, 1]."""
    if own.weight == 0 or wanted.weight == 0:
        return image.copy()
    matrix = linear_map(own.covariance, wanted.covariance)
    shift = wanted.mean - own.mean @ matrix
    moved = image @ matrix.astype(np.float32) + shift.astype(np.float32)
    return np.clip(moved, 0.0, 1.0, out=moved)


mkl = ColorTransfer(ColorStatistics.measure, apply)
