"""Metrics: figures that say how good a swap is. A new one is one file here and one line in `METRICS`.

Every metric compares the merged video (*result*) with the video it was made from (*plate*), both seen by the same
detector, landmarker and recognizer. Numpy and OpenCV only, no torch: a metric is a pure function of two `Series`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.metrics.series import People, Series
from konterfei.registry import Entry, Registry

__all__ = ["METRICS", "Fault", "Measurement", "Metric", "People", "Series"]


@dataclass(frozen=True, eq=False)
class Fault:
    """One thing that may be wrong in a frame; `metrics.worst` finds the worst frames by these.

    Attributes:
        amount: how much of it, 0 or less = nothing, larger is worse; NaN in frames that cannot tell. [N] float64
        bad: the amount that is plainly seen, more than 0.
    """

    amount: NDArray[Any]
    bad: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """What a metric found.

    Attributes:
        value: the figure; NaN where it cannot be told (too few frames, a face that never moves).
        unit: of the figure, in words; empty for a bare number.
        better: "higher", "lower", or "near" where both too much and too little is bad.
        perfect: the value of a perfect swap.
        parts: figures that make up the value or explain it, in the same unit unless their name says otherwise.
        per_frame: by frame of the series, NaN where a frame has none. [N] float64
        per_frame_is: what `per_frame` is, its unit and which of it is perfect, in words; empty where it is the same
            figure in the same unit, and `better` and `perfect` hold for it too.
        faults: what may be wrong in a frame, in the words of a complaint ("mouth off").
        of_rows: the value as it would be from these rows of the series alone [K] int64, any of them more than once;
            None where the value is the mean of `per_frame`. Confidence intervals are made by it.
    """

    value: float
    unit: str
    better: Literal["higher", "lower", "near"]
    perfect: float
    parts: Mapping[str, float] = field(default_factory=dict)
    per_frame: NDArray[Any]
    per_frame_is: str = ""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    of_rows: Callable[[NDArray[Any]], float] | None = None

    @property
    def error(self) -> float:
        """How far from perfect, 0 or more: the larger, the worse."""
        if self.better == "near":
            return abs(float(np.log(max(self.value, 1e-9) / self.perfect)))
        return max(0.0, (self.value - self.perfect) * (1.0 if self.better == "lower" else -1.0))


class Metric(Protocol):
    """Contract of the family; `tests/contracts/test_metrics.py` runs over the table.

    A metric is pure; the plate itself as the result, and of the src person, measures as perfect; frames without a face
    are left out, and with none left the value is NaN, never an error. The first line of its docstring is what the
    report says about it.
    """

    def __call__(self, plate: Series, result: Series, people: People) -> Measurement:
        """The measurement.

        Args:
            plate: the person in the original video.
            result: the same frames of the merged video.
            people: who src and dst are.
        """


METRICS = Registry(
    "metric",
    {
        "identity": Entry("konterfei.metrics.identity:identity", "is it the src person? cosine of embeddings"),
        "second_opinion": Entry(
            "konterfei.metrics.second_opinion:second_opinion", "the same by a recognizer no loss learns from; cosine"
        ),
        "steadiness": Entry("konterfei.metrics.steadiness:steadiness", "does the likeness hold over time? cosine"),
        "landmark_distance": Entry(
            "konterfei.metrics.landmark_distance:landmark_distance", "is the face where it was? % of eye distance"
        ),
        "expression": Entry("konterfei.metrics.expression:expression", "do eyes and mouth follow? correlation"),
        "pose": Entry("konterfei.metrics.pose:pose", "does the head look the same way? degrees"),
        "gaze": Entry("konterfei.metrics.gaze:gaze", "do the eyes look the same way? degrees"),
        "jitter": Entry("konterfei.metrics.jitter:jitter", "does the shape shake? % of eye distance"),
        "flicker": Entry("konterfei.metrics.flicker:flicker", "do the pixels flicker? grey levels"),
        "color_flicker": Entry("konterfei.metrics.color_flicker:color_flicker", "does its colour pulse? units of Lab"),
        "mask_stability": Entry(
            "konterfei.metrics.mask_stability:mask_stability", "does the edge of the mask hold still? 1 - IoU"
        ),
        "seam": Entry("konterfei.metrics.seam:seam", "does the edge of what was pasted show? CIEDE2000"),
        "sharpness": Entry("konterfei.metrics.sharpness:sharpness", "is it as sharp as the plate? ratio"),
        "background": Entry("konterfei.metrics.background:background", "is the rest of the frame untouched? %"),
    },
)
"""Every metric by name."""
