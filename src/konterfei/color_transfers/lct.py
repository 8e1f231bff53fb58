"""Mean and covariance in RGB by whitening and colouring: the "linear" transfer of DeepFaceLab (dfl-spec 8.5, lct).

Like `mkl` it brings both to those of the reference; it turns the colours' axes as whitening happens to, and so moves
colours a little more.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer

Array = NDArray[Any]

_FLOOR: Final = 1e-5
"""Added to all variances, as in the original, so that an image without colour can be whitened."""


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """The image with its colours whitened and given those of `wanted`. [H, W, 3] float32 in [0, 1]."""
    if own.weight == 0 or wanted.weight == 0:
        return image.copy()
    # For row vectors: (image - mean) Qt^-1 Qs; both roots are symmetric.
    matrix = np.linalg.solve(_root(own.covariance), _root(wanted.covariance))
    shift = wanted.mean - own.mean @ matrix
    moved = image @ matrix.astype(np.float32) + shift.astype(np.float32)
    return np.clip(moved, 0.0, 1.0, out=moved)


def _root(covariance: Array) -> Array:
    """The symmetric square root. [3, 3]"""
    values, axes = np.linalg.eigh(covariance + _FLOOR * np.eye(3))
    return (axes * np.sqrt(np.maximum(values, _FLOOR))) @ axes.T


lct = ColorTransfer(ColorStatistics.measure, apply)
