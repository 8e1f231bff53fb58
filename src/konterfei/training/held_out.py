"""Which faces are never trained on: short stretches of neighbouring frames.

A face whose neighbours on both sides are trained on is nearly as good as trained on itself; within a stretch there is
some distance. Stretches are short all the same: what is held out of dst is merged in the end, and a long gap could be
seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_record import FaceRecord

Array = NDArray[Any]

STRETCH = 4
"""Neighbouring frames that are held out together."""
LEAST = 80
"""A faceset of fewer faces needs all of them."""
_FEW = 16  # faces that a score should rest on, where a tenth of the faceset is so much
_ENOUGH = 2000  # faces that a stretch is compared with
_CANDIDATES = 8  # stretches of a part of the faceset, of which one is taken


def hold_out(records: Sequence[FaceRecord], share: float = 0.05, most: int = 48) -> list[str]:
    """The names of faces to be held out: stretches of neighbouring frames, one from each part of the faceset.

    Of the stretches of a part those come into question whose faces are best stood for by others, farther away in the
    video: nothing that only these frames show is withheld from the training. Of these that is taken which is least like
    what was taken before: the score shall speak of many expressions and head turns.

    Args:
        records: of a faceset.
        share: of the faces, 0 = none. Small facesets give up to a tenth.
        most: faces, whatever the share.

    Returns:
        Names; empty for a faceset of less than `LEAST` faces.
    """
    if len(records) < LEAST or share <= 0:
        return []
    ordered = sorted(records, key=lambda r: (r.source, r.frame_index, r.name))
    count = min(most, max(share * len(ordered), min(_FEW, len(ordered) // 10)))
    shapes = np.stack([_shape(record.face.landmarks) for record in ordered])
    taken = [shapes.mean(axis=0)]
    chosen: list[str] = []
    for start, stop in pairwise(np.linspace(0, len(ordered), int(count) // STRETCH + 1).round().astype(int)):
        begins = np.unique(np.linspace(start, stop - STRETCH, _CANDIDATES).round().astype(int))
        usual = sorted(begins, key=lambda begin: _rarity(shapes, int(begin)))[: max(1, len(begins) // 2)]
        looks = [shapes[begin : begin + STRETCH].mean(axis=0) for begin in usual]
        new = int(np.argmax([min(np.linalg.norm(look - old) for old in taken) for look in looks]))
        taken.append(looks[new])
        chosen += [ordered[int(usual[new]) + k].name for k in range(STRETCH)]
    return chosen


def _shape(landmarks: Array) -> Array:
    """Pose and expression as numbers: landmarks without place and size. [136]"""
    points = np.asarray(landmarks, np.float64) - landmarks.mean(axis=0)
    return (points / max(float(np.linalg.norm(points)), 1e-12)).ravel()


def _rarity(shapes: Array, begin: int) -> float:
    """How far the rarest face of a stretch is from the nearest one that is not in its neighbourhood."""
    others = np.ones(len(shapes), bool)
    others[max(0, begin - 2 * STRETCH) : begin + 3 * STRETCH] = False
    known = shapes[others][:: max(1, len(shapes) // _ENOUGH)]
    own = shapes[begin : begin + STRETCH]
    return float(max(np.linalg.norm(known - shape, axis=1).min() for shape in own))
