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
_POWER: Final = 3.6
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
    if not rows or not columns:
        return 0.0
    image = grey.astype(np.float32)
    has_edges = _blocks_with_edges(image, rows, columns)
    y, x, is_rising = _edges(image)
    kept = (y < rows * _BLOCK) & (x < columns * _BLOCK)
    y, x, is_rising = y[kept], x[kept], is_rising[kept]
    kept = has_edges[y // _BLOCK, x // _BLOCK]
    y, x, is_rising = y[kept], x[kept], is_rising[kept]
    if not len(y):
        return 0.0
    tiles = grey[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    contrast = tiles.max(axis=(1, 3)).astype(np.int64) - tiles.min(axis=(1, 3))
    noticeable = np.where(contrast <= 50, 5.0, 3.0)[y // _BLOCK, x // _BLOCK]
    probability = 1 - np.exp(-((_widths(grey, y, x, is_rising) / noticeable) ** _POWER))
    return float((np.rint(probability * 100) <= _BLURRED).mean())


def _blocks_with_edges(image: Array, rows: int, columns: int) -> Array:
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0) * np.float32(_FINE)
    dx, dy = (np.rint(cv2.Sobel(smooth, cv2.CV_32F, *d, ksize=3)).astype(np.int16) for d in ((1, 0), (0, 1)))
    edges = cv2.Canny(dx, dy, _CANNY_LOW * _FINE, _CANNY_HIGH * _FINE, L2gradient=True) > 0
    edges = edges[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return edges.mean(axis=(1, 3)) > _EDGE_SHARE


def _edges(image: Array) -> tuple[Array, Array, Array]:
    """Rows and columns of the pixels on upright edges, and whether it gets brighter to the right there."""
    strength = (cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=3, borderType=cv2.BORDER_REFLECT) / 8) ** 2
    strength[strength <= 2 * np.sqrt(strength.mean(dtype=np.float64))] = 0
    around = cv2.copyMakeBorder(strength, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    middle = around[1:-1, 1:-1]
    across = (middle > around[1:-1, :-2]) & (middle > around[1:-1, 2:])
    along = (middle > around[:-2, 1:-1]) & (middle > around[2:, 1:-1])
    y, x = np.nonzero(across | along)
    dx, dy = (_slope(image, y, x, axis) for axis in (1, 0))
    is_upright = (np.abs(dy) < np.tan(np.pi / 8) * np.abs(dx)) | ((dx == 0) & (dy == 0))
    return y[is_upright], x[is_upright], dx[is_upright] >= 0


def _slope(image: Array, y: Array, x: Array, axis: int) -> Array:
    """`np.gradient` at these pixels: central differences, one-sided at the rim."""
    step = np.array([1, 0]) if axis == 0 else np.array([0, 1])
    y1, y0 = (np.clip(y + s * step[0], 0, image.shape[0] - 1) for s in (1, -1))
    x1, x0 = (np.clip(x + s * step[1], 0, image.shape[1] - 1) for s in (1, -1))
    return (image[y1, x1] - image[y0, x0]) / np.maximum((y1 - y0) + (x1 - x0), 1)


def _widths(grey: Array, y: Array, x: Array, is_rising: Array) -> Array:
    """How many pixels the brightness goes on in the edge's direction, left and right of it, both ends counted."""
    sign = np.where(is_rising, 1, -1).astype(np.int16)
    rim = grey.shape[1] - 1
    width = np.zeros(len(y))
    for side in (-1, 1):
        going = np.arange(len(y))
        for step in range(1, _FARTHEST + 1):
            width[going] += 1
            inner = x[going] + side * step
            inside = (inner >= 1) & (inner <= rim - 1)
            going, inner = going[inside], inner[inside]
            change = grey[y[going], inner + side].astype(np.int16) - grey[y[going], inner]
            going = going[change * sign[going] * side > 0]
            if not len(going):
                break
    return width


def motion_blur(face: Array) -> float:
    """Variance of the Laplacian with an aperture of 11 px, all channels together: the higher, the sharper.

    Args:
        face: the masked face. [S, S, 3] uint8
    """
    means, deviations = cv2.meanStdDev(cv2.Laplacian(face, cv2.CV_32F, ksize=11))
    return float((deviations**2).mean() + means.var())


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
