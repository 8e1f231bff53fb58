"""Is the face where it was, with eyes, mouth and jaw in their places?"""

from __future__ import annotations

import numpy as np

from konterfei.geometry import INNER_LIP, JAW, LEFT_BROW, LEFT_EYE, OUTER_LIP, RIGHT_BROW, RIGHT_EYE
from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import People, Series, mean

_PARTS = {
    "eyes": np.r_[RIGHT_EYE, LEFT_EYE],
    "brows": np.r_[RIGHT_BROW, LEFT_BROW],
    "mouth": np.r_[OUTER_LIP, INNER_LIP],
    "jaw": np.r_[JAW],
}
_BAD = 15.0  # % of eye distance, of one part of the face


def landmark_distance(plate: Series, result: Series, people: People) -> Measurement:
    """Mean distance of the result's landmarks from the plate's, in % of the plate's eye distance.

    Some distance is the purpose of a swap (another person's mouth is wider); a shifted or turned face, or an expression
    that did not come through, adds to it. The landmarker's own noise is 0.2 to 0.4 %
    (plates against copies that were only encoded anew).
    """
    apart = np.linalg.norm(result.landmarks.astype(np.float64) - plate.landmarks, axis=-1)
    percent = 100 * apart / plate.eye_distance[:, None]
    per_frame = percent.mean(axis=1)
    by_part = {name: percent[:, points].mean(axis=1) for name, points in _PARTS.items()}
    return Measurement(
        value=mean(per_frame),
        unit="% of eye distance",
        better="lower",
        perfect=0.0,
        parts={name: mean(amount) for name, amount in by_part.items()},
        per_frame=per_frame,
        faults={f"{name} off": Fault(amount, _BAD) for name, amount in by_part.items()},
    )
