"""Does the head look the same way?"""

from __future__ import annotations

import numpy as np

from konterfei.geometry import head_pose
from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series, mean

_ANGLES = ("pitch", "yaw", "roll")
_BAD = 6.0  # degrees, mean of the three


def poses(landmarks: Array) -> Array:
    """Pitch, yaw and roll by `geometry.head_pose` as through a long lens, degrees, NaN where there is none.

    Args:
        landmarks: [N, 68, 2], NaN where there is none

    Returns:
        [N, 3] float64
    """
    found = np.full((len(landmarks), 3), np.nan)
    for i in np.flatnonzero(np.isfinite(landmarks).all(axis=(1, 2))):
        try:
            found[i] = np.rad2deg(head_pose(landmarks[i]))
        except ValueError:  # the points fall together: no pose
            continue
    return found


def pose(plate: Series, result: Series, people: People) -> Measurement:
    """Mean absolute difference of pitch, yaw and roll from the plate's, mean of the three, in degrees.

    Both are fitted to the same mean head from 33 points of jaw, brows and nose, so a src person of another shape adds a
    constant (`constant` is the mean of the three differences' sizes that stays over time); what comes and goes is the
    swap's.
    """
    apart = (poses(result.landmarks) - poses(plate.landmarks) + 180) % 360 - 180
    off = np.abs(apart)
    per_frame = off.mean(axis=1)
    constant = [abs(mean(apart[:, k])) for k in range(3)]
    return Measurement(
        value=mean(per_frame),
        unit="degrees",
        better="lower",
        perfect=0.0,
        parts={name: mean(off[:, k]) for k, name in enumerate(_ANGLES)} | {"constant": float(np.mean(constant))},
        per_frame=per_frame,
        faults={"head turned": Fault(per_frame, _BAD)},
    )
