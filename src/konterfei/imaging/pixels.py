"""Kinds of pixels, colour spaces, sizes."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


def top(kind: DTypeLike) -> float:
    """The value of white: 255 for uint8, 65535 for uint16, 1 for floats."""
    kind = np.dtype(kind)
    if kind.kind == "f":
        return 1.0
    if kind in (np.uint8, np.uint16):
        return float(np.iinfo(kind).max)
    raise ValueError(f"expected uint8, uint16 or float pixels, got {kind}")


def to_float(image: Array) -> Array:
    """`image` as float32 in [0, 1]; floats are taken to be there already."""
    white = top(image.dtype)
    floats = image.astype(np.float32)
    return floats if white == 1.0 else np.multiply(floats, np.float32(1.0 / white), out=floats)


def to_kind(image: Array, kind: DTypeLike) -> Array:
    """`image` as uint8, uint16 or float32, each over its whole range; rounded to nearest, cut off at the ends."""
    kind = np.dtype(kind)
    if image.dtype == kind:
        return image.copy()
    if kind.kind == "f":
        return to_float(image).astype(kind)
    scaled = to_float(image)
    scaled = np.rint(np.multiply(scaled, np.float32(top(kind)), out=scaled), out=scaled)
    return np.clip(scaled, 0, top(kind), out=scaled).astype(kind)


def to_uint8(image: Array) -> Array:
    """`image` as uint8; rounded to nearest, cut off at the ends."""
    return to_kind(image, np.uint8)


def rgb_to_lab(image: Array) -> Array:
    """CIE L*a*b* (D65) of an sRGB image. There and back is exact to half an 8-bit step (OpenCV interpolates).

    Args:
        image: [H, W, 3] float32 in [0, 1]

    Returns:
        [H, W, 3] float32; L in [0, 100], a and b about [-127, 127]
    """
    return cv2.cvtColor(np.ascontiguousarray(image, dtype=np.float32), cv2.COLOR_RGB2LAB)


def lab_to_rgb(image_lab: Array) -> Array:
    """sRGB of a CIE L*a*b* image, [H, W, 3] float32; colours out of gamut are cut off to [0, 1]."""
    rgb = cv2.cvtColor(np.ascontiguousarray(image_lab, dtype=np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(rgb, 0.0, 1.0, out=rgb)


def resize(image: Array, width: int, height: int) -> Array:
    """`image` at another size: averaged when it shrinks, cubic when it grows. Floats stay in [0, 1]."""
    if image.shape[:2] == (height, width):
        return image.copy()
    shrinks = width * height < image.shape[0] * image.shape[1]
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    if resized.dtype.kind == "f":
        np.clip(resized, 0.0, 1.0, out=resized)
    return resized.reshape(height, width, *image.shape[2:])
