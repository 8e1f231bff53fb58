"""What DeepFaceLab's sorting measures on a crop, by its published behaviour: equal figures put faces in equal order.

Sharpness after Narvekar and Karam, "A no-reference image blur metric based on the cumulative probability of blur
detection (CPBD)", IEEE Transactions on Image Processing 20(9), 2011, in the form that DeepFaceLab uses.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_BLOCK: Final = 64
_EDGE_SHARE: Final = 0.002
"""Of a block's pixels, for it to count as one with edges."""
_FINE: Final = 16.0
"""Steps per grey level of the whole-numbered gradients that OpenCV's Canny takes."""
_CANNY_LOW, _CANNY_HIGH = 0.1, 0.2
_FARTHEST: Final = 100
"""Pixels walked from an edge, at most."""
_ONE: Final = np.ones(1, np.float32)
_POWER: Final = 3.6
_MARGIN: Final = 8
"""Black pixels around what is looked at: no filter reaches farther."""
_BLURRED: Final = 63
"""Per cent: edges whose blur is detected with at most this probability are sharp."""


def masked(image: Array, hull: Array) -> Array:
    """The face alone, black around it. [S, S, 3] uint8

    Args:
        image: [S, S, 3] uint8
        hull: `geometry.hull_mask` of the crop. [S, S] 0 or 1
    """
    return cv2.bitwise_and(image, image, mask=hull.astype(np.uint8))


def blur(grey: Array) -> float:
    """Share of edges that look sharp, 0 to 1: the higher, the sharper. 0 where there is no edge at all.

    Which blocks have edges is told by OpenCV's Canny on a smoothed picture; the original asks another library's, with
    thresholds so low (a tenth of a grey level) that the two differ in hardly any block.

    Args:
        grey: of the masked face. [S, S] uint8; a rim that is no multiple of 64 px is left out
    """
    rows, columns = (side // _BLOCK for side in grey.shape)
    if not rows or not columns or not cv2.countNonZero(grey):
        return 0.0
    part = _filled(grey)  # outside is black: no edges, nothing to add
    image = grey[part].astype(np.float32)
    y, x, is_rising = _edges(image, grey.size)
    y, x = y + part[0].start, x + part[1].start
    edges = np.zeros(grey.shape, np.uint8)
    edges[part] = _canny(image)
    has_edges = _tiles(edges, rows, columns, np.add) > _EDGE_SHARE * _BLOCK**2
    kept = (y < rows * _BLOCK) & (x < columns * _BLOCK)
    y, x, is_rising = y[kept], x[kept], is_rising[kept]
    kept = has_edges[y // _BLOCK, x // _BLOCK]
    y, x, is_rising = y[kept], x[kept], is_rising[kept]
    if not len(y):
        return 0.0
    contrast = _tiles(grey, rows, columns, np.maximum) - _tiles(grey, rows, columns, np.minimum)
    noticeable = np.where(contrast <= 50, 5.0, 3.0)[y // _BLOCK, x // _BLOCK]
    widths = _widths(grey[part], y - part[0].start, x - part[1].start, is_rising)
    probability = 1 - np.exp(-((widths / noticeable) ** _POWER))
    return float((np.rint(probability * 100) <= _BLURRED).mean())


def _tiles(pixels: Array, rows: int, columns: int, reduce: np.ufunc) -> Array:
    """One number for each block: its sum, maximum or minimum. [rows, columns] int64"""
    whole = pixels[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, -1)
    kind = np.int64 if reduce is np.add else pixels.dtype
    columnwise = reduce.reduce(whole, axis=1, dtype=kind).reshape(rows, columns, _BLOCK)
    return reduce.reduce(columnwise, axis=2).astype(np.int64)


def _canny(image: Array) -> Array:
    """1 at edges. [H, W] uint8"""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0) * np.float32(_FINE)
    dx, dy = (np.rint(cv2.Sobel(smooth, cv2.CV_32F, *d, ksize=3)).astype(np.int16) for d in ((1, 0), (0, 1)))
    return cv2.Canny(dx, dy, _CANNY_LOW * _FINE, _CANNY_HIGH * _FINE, L2gradient=True) // 255


def _edges(image: Array, num_pixels: int) -> tuple[Array, Array, Array]:
    """Rows and columns of the pixels on upright edges, and whether it gets brighter to the right there."""
    strength = (cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT) / 8) ** 2
    strength[strength <= 2 * np.sqrt(strength.sum(dtype=np.float64) / num_pixels)] = 0
    around = cv2.copyMakeBorder(strength, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    across = (strength > around[1:-1, :-2]) & (strength > around[1:-1, 2:])
    along = (strength > around[:-2, 1:-1]) & (strength > around[2:, 1:-1])
    dx, dy = _slope(image, 1), _slope(image, 0)
    is_upright = (np.abs(dy) < np.float32(np.tan(np.pi / 8)) * np.abs(dx)) | ((dx == 0) & (dy == 0))
    y, x = np.nonzero((across | along) & is_upright)
    return y, x, dx[y, x] >= 0


def _slope(image: Array, axis: int) -> Array:
    """Twice `np.gradient`: central differences, one-sided at the rim. Of whole numbers, exact."""
    kernel = np.array([-1, 0, 1], np.float32)
    slope = cv2.sepFilter2D(image, cv2.CV_32F, *((kernel, _ONE) if axis else (_ONE, kernel)))
    ends = ((..., 0), (..., 1), (..., -1), (..., -2)) if axis else (0, 1, -1, -2)
    slope[ends[0]], slope[ends[2]] = 2 * (image[ends[1]] - image[ends[0]]), 2 * (image[ends[2]] - image[ends[3]])
    return slope


def _widths(grey: Array, y: Array, x: Array, is_rising: Array) -> Array:
    """How many pixels the brightness goes on in the edge's direction, left and right of it, both ends counted."""
    change = np.diff(grey.astype(np.int16), axis=1)
    last = change.shape[1] - 1
    width = np.zeros(len(y))
    for rising in (True, False):
        here = is_rising == rising
        row, column = y[here], x[here]
        ending, beginning = _runs(change > 0 if rising else change < 0)
        left = np.where(column >= 2, ending[row, np.maximum(column - 2, 0)], 0)
        right = np.where(column < last, beginning[row, np.minimum(column + 1, last)], 0)
        width[here] = np.minimum(left + 1, _FARTHEST) + np.minimum(right + 1, _FARTHEST)
    return width


def _runs(holds: Array) -> tuple[Array, Array]:
    """Lengths of the unbroken run that ends at, and that begins at, each place of each row. [H, W] int16 each"""
    count = holds.shape[1]
    place = np.arange(count, dtype=np.int16)
    before = np.maximum.accumulate(np.where(holds, np.int16(-1), place), axis=1)
    after = np.minimum.accumulate(np.where(holds, np.int16(count), place)[:, ::-1], axis=1)[:, ::-1]
    return place - before, after - place


def motion_blur(face: Array) -> float:
    """Variance of the Laplacian with an aperture of 11 px, all channels together: the higher, the sharper.

    Args:
        face: the masked face. [S, S, 3] uint8
    """
    red, green, blue = cv2.split(face)
    part = face[_filled(cv2.max(cv2.max(red, green), blue))]
    means, deviations = cv2.meanStdDev(cv2.Laplacian(np.ascontiguousarray(part), cv2.CV_32F, ksize=11))
    share = part.size / face.size  # the rest is 0
    return float(share * (deviations**2 + means**2).mean() - (share * means.mean()) ** 2)


def _filled(grey: Array) -> tuple[slice, slice]:
    """Rows and columns that hold everything which is not black, and a margin."""
    left, top, width, height = cv2.boundingRect(grey)
    return (
        slice(max(top - _MARGIN, 0), top + height + _MARGIN),
        slice(max(left - _MARGIN, 0), left + width + _MARGIN),
    )


def brightness_and_hue(image: Array) -> tuple[float, float]:
    """Means of V (0 to 255) and of H (0 to 179) over the whole crop. `image`: RGB [S, S, 3] uint8"""
    hue, _, value, _ = cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2HSV))
    return value, hue


def black(image: Array) -> int:
    """Number of channel values that are 0."""
    return image.size - sum(cv2.countNonZero(channel) for channel in cv2.split(image))


def histogram_roots(channel: Array) -> Array:
    """Roots of the 256 shares of a channel's values, as steps of 1/65535: the Bhattacharyya distance is made of them.

    Args:
        channel: [S, S] uint8

    Returns:
        [256] uint16; one pixel of a crop of 1,024 px still is 64 steps
    """
    counts = cv2.calcHist([channel], [0], None, [256], [0, 256]).reshape(256)
    return np.rint(np.sqrt(counts / channel.size) * 65535).astype(np.uint16)
