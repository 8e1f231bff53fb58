"""How much of a frame changed where no face was swapped: the whole frame's part of the metric `background`.

Frames are too large to be kept for every metric, so they are compared as they pass, a row of figures each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import LEFT_EYE, RIGHT_EYE, Region, expand_brows
from konterfei.imaging import delta_e_2000, rgb_to_lab, to_float

Array = NDArray[Any]

FIGURES: Final = ("changed", "worst_tile", "psnr", "ssim", "seen")
"""What a row holds: share of what lies outside that changed visibly, %; the mean colour difference in the tile of 32 px
where it is largest, CIEDE2000; PSNR of R, G and B together, dB, 99 at most; SSIM of the luma; share of the frame that
lies outside, %."""
PERFECT: Final = (0.0, 0.0, 99.0, 1.0, 100.0)
"""The row of a frame that did not change, without a face."""
VISIBLE: Final = 3.0
"""CIEDE2000 from which a block of 4 px counts as changed: seen at a glance."""
_BLOCK, _TILE = 4, 32  # px; a block's mean is what is compared: grain and rounding of the encoder average out
_BLOCKS: Final = _TILE // _BLOCK  # along a tile's side
_BROWS: Final = 2.0
"""How far the brows are raised, twice as far as in the hull that faces are merged by: about to the hair."""
_MARGIN: Final = 0.25
"""By how many eye distances the hull is grown. No mask that keeps to the hull reaches so far, nor do learned masks of
a face; what an encoder smears along a seam (half a block of 16 px) lies in it too."""
_LEAST_MARGIN: Final = 8.0  # px
_LEAST_BLOCKS: Final = 64  # fewer outside say nothing about a background
_LEAST_IN_TILE: Final = 1 / 4  # of a tile's blocks that must lie outside for it to count
_NEARLY_EQUAL: Final = 0.5
"""Distance in Lab below which the exact difference is not worked out: it is at most 1.5 times as large."""
_SSIM_SIDE: Final = 256
_SSIM_WINDOW, _SSIM_SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def compare(plate: Array, result: Array, faces: Sequence[Array], ignore: Sequence[Region] = ()) -> Array:
    """The figures of one frame.

    Outside is every block of 4 px that lies wholly beyond the faces' convex hulls (brows raised to the hair), grown by
    a quarter of the eye distance, and wholly beyond what is to be ignored. The colour differences are those of the
    blocks' means, PSNR is of every pixel. SSIM is that of Wang et al. 2004 on the luma, averaged down before so that
    the shorter side has about 256 px, as their own program does.

    Args:
        plate, result: RGB of one size. [H, W, 3] uint8 or uint16
        faces: landmarks of those who may have been swapped, frame pixels. [68, 2] each
        ignore: rows and columns that are not looked at, for example those of a label.

    Returns:
        by `FIGURES`, NaN where too little of the frame lies outside to tell. [5] float64
    """
    height, width = plate.shape[0] // _BLOCK, plate.shape[1] // _BLOCK
    outside = _outside((height, width), faces, ignore)
    if np.count_nonzero(outside) < _LEAST_BLOCKS:
        return np.array([np.nan] * (len(FIGURES) - 1) + [100.0 * outside.mean() if outside.size else 0.0])
    rows, columns = height * _BLOCK, width * _BLOCK
    plate, result = plate[:rows, :columns], result[:rows, :columns]
    apart = _apart(plate, result, outside)
    changed = 100.0 * np.count_nonzero(apart[outside] > VISIBLE) / np.count_nonzero(outside)
    figures = (changed, _worst_tile(apart, outside), _psnr(plate, result, outside), _ssim(plate, result, outside))
    return np.array([*figures, 100.0 * outside.mean()])


def _outside(shape: tuple[int, int], faces: Sequence[Array], ignore: Sequence[Region]) -> Array:
    """Which blocks lie outside. [H / 4, W / 4] bool"""
    inside = np.zeros(shape, np.uint8)
    for points in faces:
        apart = points[LEFT_EYE].mean(axis=0) - points[RIGHT_EYE].mean(axis=0)
        margin = max(_MARGIN * float(np.hypot(*apart)), _LEAST_MARGIN) + _BLOCK / 2
        raised = (expand_brows(points.astype(np.float64), _BROWS) + 0.5) / _BLOCK - 0.5
        corners = cv2.convexHull(np.rint(raised).astype(np.int32))
        cv2.fillConvexPoly(inside, corners, 1)
        cv2.polylines(inside, [corners], True, 1, 2 * int(np.ceil(margin / _BLOCK)) + 1)
    for rows, columns in ignore:
        top, bottom, _ = rows.indices(shape[0] * _BLOCK)
        left, right, _ = columns.indices(shape[1] * _BLOCK)
        if top < bottom and left < right:
            inside[top // _BLOCK : -(-bottom // _BLOCK), left // _BLOCK : -(-right // _BLOCK)] = 1
    return inside == 0


def _apart(plate: Array, result: Array, outside: Array) -> Array:
    """CIEDE2000 between the means of the blocks, 0 inside. [H / 4, W / 4] float32"""
    labs = [
        rgb_to_lab(to_float(cv2.resize(image, outside.shape[::-1], interpolation=cv2.INTER_AREA)))
        for image in (plate, result)
    ]
    apart = np.sqrt(np.square(labs[0] - labs[1]).sum(axis=-1))
    apart[~outside] = 0
    differ = apart > _NEARLY_EQUAL
    apart[differ] = delta_e_2000(labs[0][differ], labs[1][differ])
    return apart


def _worst_tile(apart: Array, outside: Array) -> float:
    """The largest mean over a tile; tiles overlap by half."""
    side = (_BLOCKS, _BLOCKS)
    share = cv2.blur(outside.astype(np.float32), side, borderType=cv2.BORDER_CONSTANT)
    means = cv2.blur(apart, side, borderType=cv2.BORDER_CONSTANT) / np.maximum(share, 1e-6)
    means[share < _LEAST_IN_TILE] = 0
    step = _BLOCKS // 2
    return float(means[step::step, step::step].max(initial=0.0))


def _psnr(plate: Array, result: Array, outside: Array) -> float:
    whole = cv2.resize(outside.astype(np.uint8), plate.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    squared = cv2.norm(plate, result, cv2.NORM_L2SQR, whole) / (3 * float(np.count_nonzero(whole)))
    white = float(np.iinfo(plate.dtype).max)
    return float(min(10 * np.log10(white**2 / max(squared, 1e-12)), PERFECT[2]))


def _ssim(plate: Array, result: Array, outside: Array) -> float:
    """Mean over the windows that lie outside but for a rim; NaN where there is none."""
    fold = max(1, round(min(plate.shape[:2]) / _SSIM_SIDE))
    size = (plate.shape[1] // fold, plate.shape[0] // fold)
    white = float(np.iinfo(plate.dtype).max)
    a, b = (
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA).astype(np.float32)
        * np.float32(255 / white)
        for image in (plate, result)
    )

    def local(values: Array) -> Array:
        return cv2.GaussianBlur(values, (_SSIM_WINDOW, _SSIM_WINDOW), _SSIM_SIGMA)

    mean_a, mean_b = local(a), local(b)
    spread_a, spread_b, shared = local(a * a) - mean_a**2, local(b * b) - mean_b**2, local(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + _C1) * (2 * shared + _C2)
    alike /= (mean_a**2 + mean_b**2 + _C1) * (spread_a + spread_b + _C2)
    where = cv2.resize(outside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    reach = _SSIM_WINDOW // 2 + 1
    where = cv2.erode(where, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8), borderType=cv2.BORDER_REPLICATE)
    return float(alike[where > 0].mean(dtype=np.float64)) if where.any() else float("nan")
