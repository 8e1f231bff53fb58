"""The ten mask modes of DeepFaceLab (dfl-spec 8.3), and the model's mask inside the hull."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, Face, smooth_hull_mask
from konterfei.maskers.base import Masker, Masks

Array = NDArray[Any]


def _hull(face: Face, crop: Crop, masks: Masks) -> Array:
    """Drawn in the crop with sub-pixel edges, so that it moves smoothly over time."""
    return smooth_hull_mask(crop.crop_from_frame @ face.landmarks, (crop.size, crop.size))


def _full(face: Face, crop: Crop, masks: Masks) -> Array:
    return np.ones((crop.size, crop.size), np.float32)


def _product(*names: str) -> Callable[[Face, Crop, Masks], Array]:
    def make(face: Face, crop: Crop, masks: Masks) -> Array:
        made: Array = np.prod([getattr(masks, name) for name in names], axis=0, dtype=np.float32)
        return np.clip(made, 0.0, 1.0)

    return make


def _sum(face: Face, crop: Crop, masks: Masks) -> Array:
    assert masks.drawn is not None and masks.plate is not None
    return np.clip(masks.drawn + masks.plate, 0.0, 1.0)


def _in_hull(face: Face, crop: Crop, masks: Masks) -> Array:
    """What the model sees in front of the face is spared, what it adds beyond the face is cut."""
    return _product("drawn", "plate")(face, crop, masks) * _hull(face, crop, masks)


def _visible(*fronts: str) -> Masker:
    """`learned_hull` without what lies in front."""

    def make(face: Face, crop: Crop, masks: Masks) -> Array:
        made = _in_hull(face, crop, masks)
        for name in fronts:
            made *= 1 - getattr(masks, name)
        return np.clip(made, 0.0, 1.0)

    return Masker(make, needs=("drawn", "plate", *fronts))


def _of(*names: str) -> Masker:
    return Masker(_product(*names), needs=names)


hull, full = Masker(_hull), Masker(_full)
learned_drawn, learned_plate, learned = _of("drawn"), _of("plate"), _of("drawn", "plate")
learned_sum, learned_hull = Masker(_sum, needs=("drawn", "plate")), Masker(_in_hull, needs=("drawn", "plate"))
xseg_drawn, xseg_plate, xseg = _of("seg_drawn"), _of("seg_plate"), _of("seg_drawn", "seg_plate")
learned_xseg = _of("drawn", "plate", "seg_drawn", "seg_plate")
labels = _of("labels")
visible, visible_known = _visible("hands"), _visible("hands", "unknown")
