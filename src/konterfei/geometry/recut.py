"""From one crop of a face to another of it: a different size, or more or less of the head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry.crop import Crop
from konterfei.geometry.similarity import Similarity

Array = NDArray[Any]


def resized(crop: Crop, size: int) -> Crop:
    """The same square of the frame in `size` pixels."""
    return Crop(crop.face_type, size, Similarity.of(size / crop.size) @ crop.crop_from_frame)


def new_from_old(new: Crop, old: Crop) -> Similarity:
    """The map from the pixels of one crop to those of another one of the same frame."""
    return new.crop_from_frame @ old.crop_from_frame.inverse()


def recut(image: Array, old: Crop, new: Crop) -> Array:
    """The crop `new` as far as the picture of the crop `old` shows it; black where that shows nothing.

    Args:
        image: [S, S, C] or [S, S], of the crop `old`; uint8, uint16, or float32 in [0, 1]
        old, new: two crops of one frame

    Returns:
        [N, N, C] or [N, N] of the image's kind, N = `new.size`
    """
    between = Crop(new.face_type, new.size, new_from_old(new, old))
    cut = between.cut(image)
    cut[~known(old, new)] = 0
    return cut


def known(old: Crop, new: Crop) -> Array:
    """Which pixels of `new` lie in `old`, up to a pixel of that beyond its outline. [N, N] bool, N = `new.size`

    The pixel more is what it takes that a crop made larger has no black line at two of its sides.
    """
    rows, columns = np.mgrid[: new.size, : new.size]
    places = new_from_old(new, old).inverse() @ np.stack([columns, rows], axis=-1).astype(np.float64)
    return np.asarray(((places >= -1.0) & (places <= old.size)).all(axis=-1))


def known_share(old: Crop, new: Crop) -> float:
    """How much of the square `new` lies in the square `old`, 0 to 1."""
    steps = (np.arange(64) + 0.5) / 64 * new.size
    grid = np.stack(np.meshgrid(steps, steps), axis=-1)
    places = new_from_old(new, old).inverse() @ grid
    edge = 1e-3 * old.size  # maps of early facesets are rounded to float32
    return float(((places >= -edge) & (places <= old.size + edge)).all(axis=-1).mean())
