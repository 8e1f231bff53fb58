"""DeepFaceLab's "best faces": evenly over yaw; of each direction the sharpest, over all pitches, the unlikest first."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_measures import FaceMeasures
from konterfei.reporting import Reporter
from konterfei.sorters import Order, Wish
from konterfei.sorters.chains import dissimilarity

Array = NDArray[Any]

USUAL_COUNT: Final = 2000
_BINS: Final = 128
_REACH: Final = 1.2
"""Radians of yaw that the bins cover; what looks further aside is in the outermost."""


def final(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """DeepFaceLab's sharpness (CPBD), 0 to 1."""
    return _select(faces, faces.blur, wish.count or USUAL_COUNT)


def final_fast(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Area of the face's box in its frame, square pixels."""
    return _select(faces, faces.area, wish.count or USUAL_COUNT)


def _select(faces: FaceMeasures, quality: Array, count: int) -> Order:
    quality = np.nan_to_num(quality.astype(np.float64))
    pitch, yaw = faces.dfl_pose[:, 0], faces.dfl_pose[:, 1]
    bins = _bins(-yaw, np.linspace(-_REACH, _REACH, _BINS))
    members = [np.flatnonzero(bins == number) for number in range(_BINS)]
    each = max(round(count / _BINS), 1)  # the original takes nothing at all where less than 64 are asked for
    each += sum(max(0, each - len(some)) for some in members) // _BINS
    chosen: list[int] = []
    for some in members:
        sharp = some[np.argsort(-quality[some], kind="stable")][: 10 * each]
        levels = _bins(pitch[sharp], np.linspace(-np.pi / 2, np.pi / 2, each))
        queues = [_unlikest_first(faces, sharp[levels == level]) for level in range(each)]
        chosen += _in_turn(queues)[:each]
    is_out = np.ones(len(faces), bool)
    is_out[chosen] = False
    rest = np.flatnonzero(is_out)
    rows = np.array([*chosen, *rest], np.int64)
    why = f"not among the {len(chosen)} best faces"
    told = (f"{len(chosen)} faces, at most {each} of each of {_BINS} directions",)
    return Order(rows=rows, values=quality, rest=len(rest), why_rest=why, told=told)


def _bins(values: Array, edges: Array) -> Array:
    """Number of the bin that begins at or below each value; the first and the last are open."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 1)


def _unlikest_first(faces: FaceMeasures, rows: Array) -> list[int]:
    if len(rows) < 2:
        return rows.tolist()
    sums = np.round(dissimilarity(faces.grey_histogram[rows]), 5)  # of two faces both have the same, but for rounding
    return rows[np.argsort(-sums, kind="stable")].tolist()


def _in_turn(queues: list[list[int]]) -> list[int]:
    """The first of each, then the second of each, and so on."""
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]
