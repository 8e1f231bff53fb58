"""Faces that show the same: groups around the sharpest of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Array = NDArray[Any]

TOLERANCES: Final = {
    "yaw": 1.5,
    "pitch": 1.5,
    "mouth_open": 0.02,
    "mouth_left_x": 0.03,
    "mouth_left_y": 0.03,
    "mouth_right_x": 0.03,
    "mouth_right_y": 0.03,
    "brows_up": 0.03,
    "eyes_open": 0.03,
    "wink": 0.05,
    "gaze_x": 0.06,
    "gaze_y": 0.06,
}
"""How far two faces that show the same are apart at most: degrees; the mouth and its corners and the brows by the eyes'
distance; the eyes' opening by their width, as the iris's place between their corners. About three times what the
landmarks of a still face tremble by."""
DOUBLE_LIMIT: Final = 2.5
"""Mean difference of two fingerprints, grey levels, up to which two faces look the same."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Faces that show the same.

    Attributes:
        rows: the best first, then by likeness to it.
        distances: of their fingerprints to the best one's, in their order; 0 for itself.
    """

    rows: tuple[int, ...]
    distances: tuple[float, ...]

    @property
    def best(self) -> int:
        """Row of the face that stands for the others."""
        return self.rows[0]


def duplicates(places: Array, fingerprints: Array, quality: Array, limit: float) -> list[Group]:
    """Groups of at least two faces, the largest first.

    The best face that is in no group yet gathers all that are near it in pose and expression and look the same; then
    the next best does. So every member looks like the one that stands for it: no chains from one pose to another.
    Sorted in a tree, then compared with the near ones only; memory grows with the largest neighbourhood.

    Args:
        places: coordinates of each, each divided by its tolerance: within 1 in all is near. [N, D]
        fingerprints: small pictures, comparable by the mean of their absolute differences. [N, F]
        quality: the more, the better. [N]
        limit: mean absolute difference up to which two look the same, in the fingerprints' units
    """
    places = np.ascontiguousarray(places, np.float64)
    free = np.ones(len(places), bool)
    if len(places) < 2:
        return []
    prints = np.ascontiguousarray(fingerprints, np.float32).reshape(len(places), -1)
    tree = cKDTree(places)
    groups = []
    for row in np.argsort(-np.nan_to_num(np.asarray(quality, np.float64), nan=-np.inf), kind="stable"):
        if not free[row]:
            continue
        free[row] = False
        near = np.array(tree.query_ball_point(places[row], 1.0, p=np.inf), np.int64)
        near = near[free[near]]
        if not len(near):
            continue
        apart = np.abs(prints[near] - prints[row]).mean(axis=1)
        same = apart <= limit
        members, apart = near[same], apart[same]
        free[members] = False
        if len(members):
            order = np.lexsort((members, apart))
            rows = (int(row), *(int(n) for n in members[order]))
            groups.append(Group(rows=rows, distances=(0.0, *(float(d) for d in apart[order]))))
    return sorted(groups, key=lambda group: (-len(group.rows), group.rows))
