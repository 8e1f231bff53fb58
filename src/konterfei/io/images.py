"""Pictures to RGB arrays and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps

from konterfei.errors import OutputError, UnreadableMediaError
from konterfei.io.atomic import write_bytes
from konterfei.io.exr_frames import read_frame

READABLE = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".exr")
"""Suffixes of the pictures that a folder of images may hold."""


def read_image(path: Path | str, *, deep: bool = False) -> NDArray[Any]:
    """A picture as RGB, turned upright by its EXIF orientation. Transparency is dropped, animation is its first image.

    Args:
        path: JPEG, PNG, WebP, TIFF, BMP, OpenEXR (see `io.exr_frames`).
        deep: give uint16 in 0..65535, with the full precision of 16-bit PNG and TIFF.

    Returns:
        [H, W, 3] uint8 or uint16

    Raises:
        UnreadableMediaError: missing, empty, cut off, or no picture.
    """
    path = Path(path)
    if not path.exists():
        raise UnreadableMediaError(f"There is no file '{path}'. Check the path.")
    if path.suffix.lower() == ".exr":
        return read_frame(path, deep=deep)
    if deep:
        return _read_deep(path)
    try:
        with Image.open(path) as picture:
            if picture.mode in ("I;16", "I;16B", "I;16L", "I", "F"):
                return (_read_deep(path) >> 8).astype(np.uint8)  # Pillow would clip, not scale
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise _unreadable(path, error) from error


def bit_depth(path: Path | str) -> int:
    """Bits of each channel that a picture holds, 8 or 16; 8 where it cannot be read."""
    if Path(path).suffix.lower() == ".exr":
        return 16
    data = np.fromfile(path, np.uint8)
    kept = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    return 16 if kept is not None and kept.dtype == np.uint16 else 8


def _unreadable(path: Path, error: Exception | str) -> UnreadableMediaError:
    if path.is_file() and path.stat().st_size == 0:
        return UnreadableMediaError(f"'{path}' is empty (0 bytes). Copy or export it again.")
    return UnreadableMediaError(f"'{path}' cannot be read as a picture: {error}. Copy or export it again.")


def _read_deep(path: Path) -> NDArray[Any]:
    try:
        data = np.fromfile(path, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except (OSError, cv2.error) as error:
        raise _unreadable(path, error) from error
    if bgr is None or bgr.dtype not in (np.uint8, np.uint16):
        raise _unreadable(path, "it is in no format with 8 or 16 bits that can be decoded")
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    return rgb.astype(np.uint16) * 257 if rgb.dtype == np.uint8 else rgb


def encode_image(image: NDArray[Any], suffix: str, quality: int = 95) -> bytes:
    """The bytes of a picture file.

    Args:
        image: RGB [H, W, 3] or grey [H, W], uint8; uint16 for PNG and TIFF only.
        suffix: ".jpg" (4:4:4, so that colour edges of faces stay sharp), ".png", ".webp", ".tif".
        quality: of JPEG and WebP, 1..100.
    """
    suffix = suffix.lower()
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3):
        raise ValueError(f"expected uint8 or uint16 [H, W, 3] or [H, W], got {image.dtype} {image.shape}")
    if image.dtype == np.uint16 and suffix not in (".png", ".tif", ".tiff"):
        raise OutputError(f"'{suffix}' pictures hold 8 bits; use .png for 16.")
    image = np.ascontiguousarray(image)
    if suffix in (".jpg", ".jpeg"):
        if image.ndim == 2:
            return simplejpeg.encode_jpeg(image[..., None], quality=quality, colorspace="GRAY", colorsubsampling="Gray")
        return simplejpeg.encode_jpeg(image, quality=quality, colorspace="RGB", colorsubsampling="444")
    options = {
        ".png": [cv2.IMWRITE_PNG_COMPRESSION, 1],  # level 1: 4 times as fast as the default, 10 % larger
        ".webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
        ".tif": [],
        ".tiff": [],
    }
    if suffix not in options:
        raise OutputError(f"Pictures cannot be written as '{suffix}'. Use .jpg, .png, .webp or .tif.")
    done, data = cv2.imencode(
        suffix, image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options[suffix]
    )
    assert done
    return data.tobytes()


def write_image(path: Path | str, image: NDArray[Any], quality: int = 95) -> None:
    """Write a picture, atomically; the suffix says as what (see `encode_image`). Raises OutputError."""
    path = Path(path)
    write_bytes(path, encode_image(image, path.suffix, quality))
