"""What the model has not learned of a face: where what it makes of the plate's face differs from the plate."""

from __future__ import annotations

from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import smooth_hull_mask
from konterfei.occluders import View

Array = NDArray[Any]

_BLUR: Final = 0.012
"""Standard deviation that differences are softened by, in crops: grain and fine texture always differ."""
_CHROMA: Final = 1.25
"""How much more a difference of hue counts than one of light, which changes with every shadow."""
_LEAST: Final = 14.0
"""Difference (CIE Lab) that something begins with, where the model knows the face well."""
_TIMES: Final = 7.0
"""The same in multiples of what is usual in this face: a model in training misses much everywhere."""
_SPREAD: Final = 0.5
"""To which part of that difference something reaches on from there."""
_EDGE: Final = 0.3
"""Part of a thing's own difference that its edge lies at: the softened edge of strong things reaches further."""
_SMALLEST: Final = 0.004
"""Least area of a thing, as a part of the face; smaller ones are reflections and teeth."""
_LARGEST: Final = 0.6
"""Where more of the face than this is unknown, the model knows nothing at all of it, and nothing is said."""


class Unknown:
    """Things that are rare in the material that the model learned: microphones, cups, strands of hair.

    What the model has seen often enough (a hand in half of all frames) it redraws, and this does not find it.

    Args:
        threads: not used.
    """

    needs_rebuilt: ClassVar[bool] = True

    def __init__(self, threads: int = 0) -> None: ...

    def find(self, view: View) -> Array:  # noqa: D102
        if view.rebuilt is None:
            raise ValueError("this occluder needs the face as the model rebuilds it, and got none")
        size, wanted = view.aligned.shape[0], view.crop.size
        points = view.crop.crop_from_frame @ view.face.landmarks
        hull = smooth_hull_mask(points * (size / wanted), (size, size))
        difference = _difference(view.aligned, view.rebuilt)
        found = _things(difference, hull)
        return np.clip(cv2.resize(found, (wanted, wanted), interpolation=cv2.INTER_CUBIC), 0, 1)


def _difference(shown: Array, rebuilt: Array) -> Array:
    """How far two pictures of a face are apart, finest detail aside. [R, R] float32, CIE Lab"""
    lab = [
        cv2.cvtColor(np.ascontiguousarray(i, np.float32), cv2.COLOR_RGB2LAB) for i in (shown / np.float32(255), rebuilt)
    ]
    away = cv2.GaussianBlur(lab[0] - lab[1], (0, 0), max(_BLUR * shown.shape[0], 0.8))
    away *= np.array([1, _CHROMA, _CHROMA], np.float32)
    return np.sqrt((away**2).sum(axis=-1))


def _things(difference: Array, hull: Array) -> Array:
    """Connected places in the hull that differ clearly. [R, R] float32 in [0, 1], edges two pixels soft"""
    size = difference.shape[0]
    inside = hull > 0.5
    area = float(inside.sum())
    empty = np.zeros_like(difference)
    if area < 16:
        return empty
    seed = max(_LEAST, _TIMES * float(np.median(difference[inside])))
    around = cv2.dilate(difference, np.ones((2 * round(0.03 * size) + 1,) * 2, np.uint8))
    edge = np.maximum(seed * _SPREAD, _EDGE * around)
    reached = (difference > edge) & inside
    count, labels, stats, _ = cv2.connectedComponentsWithStats(reached.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    for number in range(1, count):
        large = stats[number, cv2.CC_STAT_AREA] >= max(_SMALLEST * area, 4)
        kept[number] = large and float(difference[labels == number].max()) > seed
    chosen = kept[labels]
    if chosen.sum() > _LARGEST * area:
        return empty
    soft = np.clip((difference - edge) / np.maximum(0.3 * edge, 1e-6) + 0.5, 0, 1).astype(np.float32)
    near = cv2.dilate(chosen.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(near, soft, 0).astype(np.float32)
