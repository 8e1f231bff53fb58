"""Sorters: orders of a faceset's crops. A new one is one function and one line in the table.

They read `FaceMeasures`, never pictures, and give an order; what becomes of it (kept as data, exported, the end of it
set aside) is the stage's. `tests/contracts/test_sorters.py` runs over the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_measures import PARTS, FaceMeasures
from konterfei.registry import Entry, Registry
from konterfei.reporting import Reporter

Array = NDArray[Any]

__all__ = ["SORTERS", "Example", "Order", "Sorter", "Wish", "by_value", "parts_for"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A face that others are compared with.

    Attributes:
        embedding: who it is, unit length. [D], None = not known
        expression: as in `FaceMeasures`. [6]
    """

    embedding: Array | None
    expression: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Wish:
    """What a sorter may be told.

    Attributes:
        like: a face to be compared with; None = what most faces of the set are like.
        count: how many faces a selection is to have; None = the sorter's usual number.
    """

    like: Example | None = None
    count: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Order:
    """What a sorter found.

    Attributes:
        rows: every row of the measures once, first to last. [N] int64
        values: of each row what it was ordered by, NaN where there is no such figure. [N] float64
        is_rising: whether the order begins with the smallest value.
        rest: how many of the last rows the method leaves out: not selected, or of no use to it.
        why_rest: why, in words.
        told: lines for a person about how it came to be.
    """

    rows: Array
    values: Array
    is_rising: bool = False
    rest: int = 0
    why_rest: str = ""
    told: tuple[str, ...] = field(default=())


class Sorter(Protocol):
    """Contract of the family: pure but for what it reports; equal values keep the faceset's order; NaN come last.

    The first line of its docstring says what the values are; people read it.
    """

    def __call__(self, faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
        """The order.

        Args:
            faces: at least one.
            wish: see `Wish`.
            reporter: is told the progress of sorters that compare each face with each.

        Raises:
            ConfigError: the wish cannot be met, for example an example face where nothing is comparable.
            Cancelled: asked to stop.
        """


def by_value(values: Array, *, is_rising: bool = False, rest: Array | None = None, why_rest: str = "") -> Order:
    """The order by one figure: NaN last, equal ones as they were.

    Args:
        values: [N]
        is_rising: smallest first.
        rest: rows that come at the very end whatever their value. [N] bool
        why_rest: why.
    """
    figures = np.asarray(values, np.float64)
    out = np.zeros(len(figures), bool) if rest is None else rest
    key = np.where(np.isnan(figures), np.inf, figures if is_rising else -figures)
    rows = np.lexsort((key, out))
    return Order(rows=rows, values=figures, is_rising=is_rising, rest=int(out.sum()), why_rest=why_rest)


_OURS: Mapping[str, Entry] = {
    "time": Entry("konterfei.sorters.plain:time", "as filmed: by video and frame"),
    "best": Entry("konterfei.sorters.best:best", "a selection of --count faces that keeps every pose and expression"),
    "sharpness": Entry("konterfei.sorters.plain:sharpness", "as the eye sees it, sharpest first"),
    "identity": Entry("konterfei.sorters.likeness:identity", "likeness to the set's person, or to --like; best first"),
    "expression": Entry("konterfei.sorters.likeness:expression", "strongest first; or nearest to that of --like"),
    "occlusion": Entry("konterfei.sorters.plain:occlusion", "share of the skin that is covered, clear faces first"),
    "exposure": Entry("konterfei.sorters.plain:exposure", "brightness of the face, brightest first"),
    "clipping": Entry("konterfei.sorters.plain:clipping", "share of the face that is black or burnt out, least first"),
    "size": Entry("konterfei.sorters.plain:size", "how large the face was filmed, largest first"),
    "yaw": Entry("konterfei.sorters.plain:yaw", "nose to the picture's left first, to its right last"),
    "pitch": Entry("konterfei.sorters.plain:pitch", "looking up first, down last"),
    "light": Entry("konterfei.sorters.plain:light", "lit from the picture's right first, from its left last"),
}
_DFL: Mapping[str, Entry] = {
    "blur": Entry("konterfei.sorters.dfl:blur", "DeepFaceLab's sharpness (CPBD), sharpest first"),
    "motion-blur": Entry("konterfei.sorters.dfl:motion_blur", "DeepFaceLab's: variance of the Laplacian"),
    "face-yaw": Entry("konterfei.sorters.dfl:face_yaw", "DeepFaceLab's estimate of yaw"),
    "face-pitch": Entry("konterfei.sorters.dfl:face_pitch", "DeepFaceLab's estimate of pitch, looking up first"),
    "face-source-rect-size": Entry("konterfei.sorters.dfl:face_source_rect_size", "area of the face's box"),
    "hist": Entry("konterfei.sorters.chains:hist", "from each to the one with the likest histograms"),
    "hist-dissim": Entry("konterfei.sorters.chains:hist_dissim", "histograms that are unlike all others first"),
    "brightness": Entry("konterfei.sorters.dfl:brightness", "of the whole crop, brightest first"),
    "hue": Entry("konterfei.sorters.dfl:hue", "mean hue of the whole crop"),
    "black": Entry("konterfei.sorters.dfl:black", "amount of black, as at a frame's edge, least first"),
    "origname": Entry("konterfei.sorters.plain:time", "by the name of the original: the same as time"),
    "oneface": Entry("konterfei.sorters.dfl:oneface", "frames with several faces last"),
    "absdiff": Entry("konterfei.sorters.chains:absdiff", "from each to the one with the likest pixels"),
    "absdiff-dissim": Entry("konterfei.sorters.chains:absdiff_dissim", "from each to the one with the unlikest pixels"),
    "final": Entry("konterfei.sorters.final:final", "DeepFaceLab's best faces: evenly over yaw, by its sharpness"),
    "final-fast": Entry("konterfei.sorters.final:final_fast", "the same by size instead of sharpness"),
}
SORTERS = Registry("sorter", {**_OURS, **_DFL})
"""Every sorter by name; each is a `Sorter`. DeepFaceLab's have its names and its order."""


def parts_for(name: str) -> tuple[str, ...]:
    """Which parts of the measures (`io.face_measures.PARTS`) a sorter reads: only they need to be measured for it."""
    if name in _OURS or name in ("absdiff", "absdiff-dissim"):
        return ("ours",)
    return ("dfl",) if name in _DFL else tuple(PARTS)
