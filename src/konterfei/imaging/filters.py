"""Filters for masks and images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.imaging.pixels import top

Array = NDArray[Any]

# A large disk is put together from small ones: time grows with the radius, not with its square.
_STEP: Final = 5


def erode(mask: Array, pixels: float) -> Array:
    """The mask with its edge drawn inwards by `pixels`; what lies outside of the array counts as not face.

    Args:
        mask: [H, W] float32
        pixels: fractions are honoured; negative pushes the edge outwards. Beyond 5 px the disk becomes a rounded
            polygon, which is some per cent off on diagonals.

    Returns:
        [H, W] float32
    """
    return _morph(mask, pixels, cv2.erode) if pixels >= 0 else _morph(mask, -pixels, cv2.dilate)


def dilate(mask: Array, pixels: float) -> Array:
    """The mask with its edge pushed outwards by `pixels` (negative: drawn inwards). See `erode`."""
    return erode(mask, -pixels)


def feather(mask: Array, pixels: float) -> Array:
    """The mask with a soft edge that lies wholly inside: nowhere more than the mask was, 0 stays 0.

    Args:
        mask: [H, W] float32 in [0, 1]
        pixels: width of the ramp from 0 to 1; half a pixel or less leaves the mask as it is

    Returns:
        [H, W] float32 in [0, 1]
    """
    reach = math.ceil(pixels / 2)
    if pixels <= 0.5:
        return mask.astype(np.float32)
    # the ramp of a Gaussian is about four standard deviations wide; its edge must first step back by half of that
    core = erode(mask, pixels / 2)
    side = 2 * reach + 1
    soft = cv2.GaussianBlur(core, (side, side), pixels / 4, borderType=cv2.BORDER_CONSTANT)
    return np.clip(np.minimum(soft, mask), 0.0, 1.0).astype(np.float32)


def gaussian(image: Array, sigma: float) -> Array:
    """`image` (or mask) blurred with standard deviation `sigma` in pixels; edges are mirrored. Same kind and shape."""
    if sigma <= 0:
        return image.copy()
    return cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101).reshape(image.shape)


def sharpen(image: Array, amount: float, sigma: float = 1.0, *, box: bool = False) -> Array:
    """Unsharp masking: adds `amount` times what a blur takes away. Same kind, cut off at the ends.

    Args:
        image: [H, W, 3], any kind
        amount: 0 = nothing
        sigma: of the blur by a Gaussian, px
        box: blur by the mean of 3 x 3 pixels instead
    """
    if amount == 0:
        return image.copy()
    white = top(image.dtype)
    floats = image.astype(np.float32)
    soft = cv2.blur(floats, (3, 3), borderType=cv2.BORDER_REFLECT_101) if box else gaussian(floats, sigma)
    sharper = floats + np.float32(amount) * (floats - soft)
    np.clip(sharper, 0, white, out=sharper)
    return (np.rint(sharper) if white > 1 else sharper).astype(image.dtype)


def sharpness(image: Array, mask: Array | None = None) -> float:
    """How much fine variation an image would lose to a blur: 0 (nothing to lose) to 1.

    One minus the blur effect of Crete et al. 2007 ("The blur effect: perception and estimation with a new
    no-reference perceptual blur metric", 9-tap average). Does not depend on contrast, so dark frames compare to bright
    ones; noise counts as detail.

    Args:
        image: [H, W, 3] or [H, W]; any kind
        mask: [H, W]; where it is 0 nothing counts

    Returns:
        0 for a flat image
    """
    luma: Array = image.astype(np.float32)
    if luma.ndim == 3:
        luma = cv2.cvtColor(luma, cv2.COLOR_RGB2GRAY)
    worst = 1.0
    for axis, kernel in ((0, (1, 9)), (1, (9, 1))):
        variation = np.abs(np.diff(luma, axis=axis))
        blurred = np.abs(np.diff(cv2.blur(luma, kernel, borderType=cv2.BORDER_REPLICATE), axis=axis))
        lost = np.maximum(variation - blurred, 0)
        if mask is not None:
            weight = np.minimum(mask[1:], mask[:-1]) if axis == 0 else np.minimum(mask[:, 1:], mask[:, :-1])
            variation, lost = variation * weight, lost * weight
        total = float(variation.sum(dtype=np.float64))
        worst = min(worst, float(lost.sum(dtype=np.float64)) / total if total > 1e-6 * luma.size else 0.0)
    return worst


def _morph(mask: Array, radius: float, operation: Callable[..., Any]) -> Array:
    """`operation` with a disk of `radius`: whole pixels in steps, the fraction by mixing with one pixel more."""
    moved: Array = np.asarray(mask, dtype=np.float32).copy()
    whole = math.floor(radius)
    while whole > 0:
        step = min(whole, _STEP)
        moved, whole = operation(moved, _disk(step), borderType=cv2.BORDER_CONSTANT, borderValue=0), whole - step
    fraction = radius - math.floor(radius)
    if fraction > 1e-6:
        further = operation(moved, _disk(1), borderType=cv2.BORDER_CONSTANT, borderValue=0)
        moved = cv2.addWeighted(moved, 1.0 - fraction, further, fraction, 0.0)
    return moved


def _disk(radius: int) -> Array:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
