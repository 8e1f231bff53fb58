"""Laying one picture over another. All arguments have one size: callers cut the region out first (see `support`)."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.imaging.pixels import top

Array = NDArray[Any]

_MOST_LEVELS: Final = 4
_CROSS: Final = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
_KINDS: Final = {np.dtype(np.uint8): cv2.CV_8U, np.dtype(np.uint16): cv2.CV_16U, np.dtype(np.float32): cv2.CV_32F}


def support(mask: Array, margin: int = 0) -> tuple[slice, slice] | None:
    """Rows and columns where `mask` is more than 0, with `margin` pixels more on each side; None when nowhere."""
    on = mask > 0
    rows, columns = np.flatnonzero(on.any(axis=1)), np.flatnonzero(on.any(axis=0))
    if len(rows) == 0:
        return None
    (top_, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
    height, width = mask.shape
    return (
        slice(max(int(top_) - margin, 0), min(int(bottom) + 1 + margin, height)),
        slice(max(int(left) - margin, 0), min(int(right) + 1 + margin, width)),
    )


def alpha_blend(under: Array, over: Array, mask: Array) -> Array:
    """`under` with `over` on top in the measure of `mask`; where that is 0, bit-identical to `under`.

    Args:
        under: [H, W, 3] uint8, uint16, or float32 in [0, 1]
        over: [H, W, 3] float32 in [0, 1], or of the kind of `under`
        mask: [H, W] float32 in [0, 1]

    Returns:
        [H, W, 3] of the kind of `under`
    """
    if under.size == 0:
        return under.copy()
    change = cv2.subtract(_scaled(over, under.dtype), under, dtype=cv2.CV_32F)
    cv2.multiply(change, _three(mask), dst=change)
    return cv2.add(np.ascontiguousarray(under), change, dtype=_KINDS[under.dtype])


def laplacian_blend(under: Array, over: Array, mask: Array, levels: int | None = None) -> Array:
    """As `alpha_blend`, but coarse structure mixes over a wide band and fine structure over a narrow one.

    After Burt and Adelson 1983, "A multiresolution spline". Hides differences of light that an alpha edge shows,
    without ghosting of detail. Where theirs mixes on both sides of the edge, here every band mixes inside, the coarse
    ones further inside than the fine ones: where the mask is 0 the result is bit-identical to `under`.

    Args:
        under: [H, W, 3] uint8, uint16, or float32 in [0, 1]
        over: [H, W, 3] float32 in [0, 1], or of the kind of `under`
        mask: [H, W] float32 in [0, 1]
        levels: octaves; None takes as many as fit, 4 at most. 0 is `alpha_blend`
    """
    height, width = under.shape[:2]
    fitting = max(min(height, width), 1).bit_length() - 4
    levels = max(min(_MOST_LEVELS if levels is None else levels, fitting), 0)
    if levels == 0:
        return alpha_blend(under, over, mask)
    # what changes is one picture, "over minus under": blending is linear, so one pyramid does for two
    change = cv2.subtract(_scaled(over, under.dtype), under, dtype=cv2.CV_32F)
    alpha: Array = np.ascontiguousarray(mask, dtype=np.float32)
    bands: list[tuple[Array, Array]] = []
    for _ in range(levels):
        smaller = cv2.pyrDown(change)
        grown = cv2.pyrUp(smaller, dstsize=change.shape[1::-1])
        bands.append((change - grown, _three(alpha)))
        change, alpha = smaller, cv2.erode(cv2.pyrDown(alpha), _CROSS)
    mixed = change * _three(alpha)
    for band, weight in reversed(bands):
        mixed = cv2.pyrUp(mixed, dstsize=band.shape[1::-1]) + band * weight
    mixed *= _three(np.clip(mask * 10.0, 0.0, 1.0))  # what little the way up spreads over the edge
    return np.clip(cv2.add(np.ascontiguousarray(under), mixed, dtype=_KINDS[under.dtype]), 0, top(under.dtype)).astype(
        under.dtype
    )


def _scaled(over: Array, kind: np.dtype[Any]) -> Array:
    """`over` as float32 in the range of `kind`."""
    gain = top(kind) / top(over.dtype)
    floats = np.ascontiguousarray(over, dtype=np.float32)
    return floats if gain == 1.0 else floats * np.float32(gain)


def _three(mask: Array) -> Array:
    plane = np.ascontiguousarray(mask, dtype=np.float32)
    return cv2.merge([plane, plane, plane])
