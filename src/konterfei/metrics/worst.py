"""The frames that are worth a look: where a swap fails most, and by what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array

_MOST_BAD = 3.0
"""Times what is plainly seen, beyond which worse does not count for more: one absurd figure is not to hide the rest."""
_MOST_APART = 6.0
"""Robust standard deviations from the clip's middle, beyond which more does not count for more."""
_LEAST_SIGMA = 0.05
"""Of what is plainly seen: a clip whose frames differ by less is even, and small differences in it say nothing."""
_WORTH_SAYING = 0.5
"""Of what is plainly seen: less is no reason, however much it stands out."""
_MOST_REASONS = 3


class WorstFrame(NamedTuple):
    """A frame that stands for its neighbours.

    Attributes:
        row: of the series.
        reasons: what is wrong with it in words, the gravest first.
        score: how bad, 0 or more.
    """

    row: int
    reasons: tuple[str, ...]
    score: float


def weight(fault: Fault) -> Array:
    """How much a fault counts in each frame: how bad it is, times how far it stands out of the clip.

    Bad is the amount by what is plainly seen, 3 at most. Standing out is 1 in the middle of the clip, and 1 more for
    each robust standard deviation (1.4826 times the median distance from the median) above it, 7 at most.

    Returns:
        [N] float64, 0 where nothing is wrong or not known
    """
    bad = fault.amount / fault.bad
    known = bad[np.isfinite(bad)]
    if not known.size:
        return np.zeros(len(bad))
    middle = float(np.median(known))
    sigma = max(1.4826 * float(np.median(np.abs(known - middle))), _LEAST_SIGMA)
    bad = np.where(np.isfinite(bad), bad, 0.0)
    out: Array = np.clip(bad, 0, _MOST_BAD) * (1 + np.clip((bad - middle) / sigma, 0, _MOST_APART))
    return out


def worst_frames(
    measurements: Mapping[str, Measurement], count: int = 10, indices: Array | None = None, apart: int = 12
) -> list[WorstFrame]:
    """The worst frames over all metrics, each with its reasons.

    A frame's score is the sum over the metrics of the gravest of each one's faults (see `weight`). Of frames near one
    another only the worst is named.

    Args:
        measurements: by name of the metric, of one series.
        count: how many frames at most.
        indices: number of each row's frame in the video; None takes the rows' own. [N] int64
        apart: frames nearer than this to a worse one are left out.

    Returns:
        the worst first; fewer than `count` where there are not so many, or nothing is wrong with the others
    """
    weights = {
        (name, words): weight(fault) for name, found in measurements.items() for words, fault in found.faults.items()
    }
    if not weights:
        return []
    num = len(next(iter(weights.values())))
    by_metric = [np.max([w for (name, _), w in weights.items() if name == metric], axis=0) for metric in measurements
                 if any(name == metric for name, _ in weights)]  # fmt: skip
    scores = np.sum(by_metric, axis=0)
    places = np.arange(num) if indices is None else np.asarray(indices)
    chosen: list[int] = []
    for row in (int(r) for r in np.argsort(-scores, kind="stable")):
        if len(chosen) >= count or not scores[row] > 0:
            break
        if all(abs(int(places[row]) - int(places[other])) >= apart for other in chosen):
            chosen.append(row)
    return [WorstFrame(row, _reasons(measurements, row), float(scores[row])) for row in chosen]


def _reasons(measurements: Mapping[str, Measurement], row: int) -> tuple[str, ...]:
    """What is worth saying about a frame; the gravest fault where nothing is by itself. No thing twice."""
    said = sorted(
        ((float(weight(fault)[row]), words, fault) for m in measurements.values() for words, fault in m.faults.items()),
        key=lambda told: -told[0],
    )
    worth = [words for _, words, fault in said if fault.amount[row] >= _WORTH_SAYING * fault.bad]
    return tuple(dict.fromkeys(worth or [said[0][1]]))[:_MOST_REASONS]
