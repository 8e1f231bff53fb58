"""Does the likeness to the src person hold over time?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.identity import cosines
from konterfei.metrics.series import Array, People, Series, mean

_SIGMAS = 3.0
_BAD_JUMP = 0.15  # of the cosine, from one frame to the next
_LEAST_SIGMA = 0.01  # of the cosine: what a recognizer changes by from frame to frame when nothing happens


def _spread(values: Array) -> float:
    found = values[np.isfinite(values)]
    return float(found.std()) if len(found) >= 2 else float("nan")


def _changes(cosine: Array, neighbours: Array) -> Array:
    """From the frame before, without sign; NaN where that is not the neighbour. [N] float64"""
    changes = np.abs(np.diff(cosine, prepend=cosine[:1]))
    changes[~neighbours] = np.nan
    return changes


def steadiness(plate: Series, result: Series, people: People) -> Measurement:
    """Standard deviation over time of the result's cosine with src, minus that of the plate's own with dst.

    The plate's face turns and talks too, and its likeness to itself goes up and down with it: that much is forgiven; at
    0 or below the result holds as steadily. `num_jumps` is the number of changes from one frame to the next larger than
    three standard deviations of the plate's own changes (0.01 at least).
    """
    ours, theirs = cosines(result.embeddings, people.src), cosines(plate.embeddings, people.dst)
    changes = _changes(ours, plate.neighbours)
    usual = mean(_changes(theirs, plate.neighbours) ** 2) ** 0.5

    def of_rows(rows: Array) -> float:
        return _spread(ours[rows]) - _spread(theirs[rows])

    return Measurement(
        value=of_rows(np.arange(len(plate))),
        unit="cosine",
        better="lower",
        perfect=0.0,
        parts={
            "result": _spread(ours),
            "plate": _spread(theirs),
            "num_jumps": float(np.count_nonzero(changes > _SIGMAS * max(_LEAST_SIGMA, usual))),
        },
        per_frame=changes,
        per_frame_is="change of the cosine with src from the frame before; 0 is steady",
        faults={"likeness jumps": Fault(changes, _BAD_JUMP)},
        of_rows=of_rows,
    )
