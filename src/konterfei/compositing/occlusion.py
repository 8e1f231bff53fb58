"""What lies in front of a face: looked for, and kept from flickering."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.compositing.faces import MASK_SIZE, Swapped
from konterfei.compositing.placing import place
from konterfei.geometry import Face
from konterfei.occluders import Occluder, View

Array = NDArray[Any]


def uncover(
    frame: Array,
    face: Face,
    swapped: Swapped,
    occluders: Mapping[str, Occluder],
    rebuilt: Array | None = None,
    size: int = MASK_SIZE,
) -> Swapped:
    """`swapped` with what lies in front of the plate's face.

    Args:
        frame: the plate. [H, W, 3] uint8 or uint16
        face: in it.
        swapped: as the model drew it.
        occluders: what to look for, by name.
        rebuilt: the plate's face as the model draws it; for occluders that need it. [R, R, 3] float32 in [0, 1]
        size: side of the masks, px.
    """
    crop = place(swapped.crop, size, 1.0)
    view = View(frame=frame, face=face, crop=crop, aligned=swapped.aligned, rebuilt=rebuilt)
    return replace(swapped, fronts={name: occluder.find(view) for name, occluder in occluders.items()})


def close_gaps(swapped: Swapped, before: Swapped | None, after: Swapped | None) -> Swapped:
    """`swapped` with what was seen in front of its face in the frame before and in the one after.

    A hand that is missed in one frame would be painted over for that frame. What both neighbours agree on, in the
    crop, which moves with the face, is taken for there; so nothing grows at the ends of what was seen.

    Args:
        swapped: as `uncover` gives it.
        before, after: the same face one frame earlier and later; None = it is not there.

    Returns:
        a new face without `alpha`; `swapped` itself where nothing is missing
    """
    fronts = dict(swapped.fronts)
    for name, front in swapped.fronts.items():
        beside = [other.fronts.get(name) for other in (before, after) if other is not None]
        if len(beside) == 2 and beside[0] is not None and beside[1] is not None:
            both = np.minimum(beside[0], beside[1])
            if (both > front).any():
                fronts[name] = np.maximum(front, both)
    if all(fronts[name] is swapped.fronts[name] for name in fronts):
        return swapped
    return replace(swapped, fronts=fronts, alpha=None)
