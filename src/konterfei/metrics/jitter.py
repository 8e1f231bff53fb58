"""Does the shape of the face shake?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series, mean, second_difference

_BAD = 3.0  # % of eye distance; the noise of the landmarker is below 1


def shaking(series: Series, eye_distance: Array) -> Array:
    """Mean length of the landmarks' second difference over time, by frame. [N] float64, % of eye distance"""
    bent = np.linalg.norm(second_difference(series.landmarks, series.neighbours), axis=-1).mean(axis=1)
    return 100 * bent / eye_distance


def jitter(plate: Series, result: Series, people: People) -> Measurement:
    """How much more the result's landmarks shake (second difference over time) than the plate's, in % of eye distance.

    Even motion does not count. Both contain the landmarker's own noise, which the difference takes out; below 0 the
    result is steadier than the plate.
    """
    scale = plate.eye_distance
    ours, theirs = shaking(result, scale), shaking(plate, scale)
    return Measurement(
        value=mean(ours - theirs),
        unit="% of eye distance",
        better="lower",
        perfect=0.0,
        parts={"result": mean(ours), "plate": mean(theirs)},
        per_frame=ours - theirs,
        faults={"shakes": Fault(ours - theirs, _BAD)},
    )
