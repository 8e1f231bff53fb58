"""The maskers that need nothing but landmarks and the model's mask."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, Face, smooth_hull_mask

Array = NDArray[Any]


def hull(face: Face, crop: Crop, image: Array, learned: Array | None = None) -> Array:
    """Hull of the landmarks, drawn in the crop with sub-pixel edges so that it moves smoothly over time."""
    return smooth_hull_mask(crop.crop_from_frame @ face.landmarks, (crop.size, crop.size))


def learned_only(face: Face, crop: Crop, image: Array, learned: Array | None = None) -> Array:
    """The model's own mask, brought to the crop's size."""
    if learned is None:
        raise ValueError("this masker needs the model's mask, and the model gave none")
    mask: Array = np.asarray(learned, dtype=np.float32).reshape(learned.shape[:2])
    if mask.shape != (crop.size, crop.size):
        mask = cv2.resize(mask, (crop.size, crop.size), interpolation=cv2.INTER_LINEAR)
    return np.clip(mask, 0.0, 1.0)


def learned_hull(face: Face, crop: Crop, image: Array, learned: Array | None = None) -> Array:
    """Product of the two: what the model sees in front of the face is spared, what it adds beyond the face is cut."""
    return learned_only(face, crop, image, learned) * hull(face, crop, image)


def full(face: Face, crop: Crop, image: Array, learned: Array | None = None) -> Array:
    """The whole crop."""
    return np.ones((crop.size, crop.size), np.float32)
