"""Crops of a face at other sizes, and as they lie in the frame."""

from __future__ import annotations

from typing import Any

import cv2
from numpy.typing import NDArray

from konterfei.geometry import Crop, Interpolation, Region, Similarity

Array = NDArray[Any]


def place(crop: Crop, size: int, face_scale: float) -> Crop:
    """`crop` at another size in pixels, grown about its middle in the frame by `face_scale`."""
    zoom, middle = size / crop.size, size / 2
    about_middle = Similarity.of(1 / face_scale, 0.0, (middle - middle / face_scale,) * 2)
    return Crop(crop.face_type, size, about_middle @ Similarity.of(zoom) @ crop.crop_from_frame)


def project(
    image: Array, crop: Crop, face_scale: float, region: Region, interpolation: Interpolation = "linear"
) -> Array:
    """A crop's picture or mask as it lies over `region` of the frame, without aliasing where it shrinks."""
    placed = place(crop, image.shape[0], face_scale)
    image, smaller = _shrunk(image, int(1 / placed.frame_from_crop.scale))
    placed = Crop(placed.face_type, image.shape[0], smaller @ placed.crop_from_frame)
    return placed.project(image, region, interpolation)


def rescale(image: Array, size: int) -> Array:
    """A crop's picture or mask at another size; pixel i comes to i * new / old, as `Crop`'s convention has it."""
    old = image.shape[0]
    if old == size:
        return image
    image, smaller = _shrunk(image, old // size)
    matrix = (Similarity.of(size / old) @ smaller.inverse()).matrix
    scaled = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return scaled.reshape(size, size, *image.shape[2:])


def _shrunk(image: Array, times: int) -> tuple[Array, Similarity]:
    """The square picture averaged over blocks, so that sampling it does not alias, and `shrunk_from_image`."""
    times = min(times, image.shape[0])
    if times < 2:
        return image, Similarity.identity()
    side = image.shape[0] // times
    shrunk = cv2.resize(image[: side * times, : side * times], (side, side), interpolation=cv2.INTER_AREA)
    # block j covers pixels times * j ... times * j + times - 1: its centre lies half a block less half a pixel further
    return shrunk, Similarity.of(1 / times, 0.0, ((1 - times) / (2 * times),) * 2)
