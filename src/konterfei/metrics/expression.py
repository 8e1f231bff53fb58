"""Do eyes, brows and mouth of the result follow the plate's?"""

from __future__ import annotations

import numpy as np

from konterfei.geometry import ALIGNED, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE, TEMPLATE, Similarity
from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series, mean

_LEAST_MOTION = {"eyes_open": 0.015, "mouth_open": 0.005, "mouth_width": 0.012, "brows_up": 0.005}
"""Standard deviation below which a signal of the plate is the landmarker's noise, not an expression: about three times
what the mesh landmarker shows over a painted face (0.005, below 0.001, 0.004, 0.002). In the units of `signals`."""

_COMPLAINTS = {
    "eyes_open": "eyes open or shut wrongly",
    "mouth_open": "mouth open or shut wrongly",
    "mouth_width": "mouth too wide or narrow",
    "brows_up": "brows too high or low",
}
_BAD = 2.0  # standard deviations of the plate's signal


def signals(landmarks: Array) -> dict[str, Array]:
    """What the face does, frame by frame, freed of where and how large it is.

    Args:
        landmarks: [N, 68, 2], NaN where there is none

    Returns:
        eyes_open: height by width of the eyes, mean of both. The others in units of the aligned mean face's side:
        mouth_open (inner lips apart), mouth_width (corner to corner), brows_up (brows above the eyes). [N] float64 each
    """
    points = np.asarray(landmarks, np.float64)
    scale = np.array([_size(p) for p in points])

    def apart(a: int, b: int) -> Array:
        return np.linalg.norm(points[:, a] - points[:, b], axis=-1)

    def aspect(corner: int) -> Array:
        heights = apart(corner + 1, corner + 5) + apart(corner + 2, corner + 4)
        return heights / (2 * apart(corner, corner + 3))

    def lift(brow: slice, eye: slice) -> Array:
        return np.linalg.norm(points[:, brow].mean(axis=1) - points[:, eye].mean(axis=1), axis=-1)

    return {
        "eyes_open": (aspect(36) + aspect(42)) / 2,
        "mouth_open": (apart(61, 67) + apart(62, 66) + apart(63, 65)) / 3 / scale,
        "mouth_width": apart(48, 54) / scale,
        "brows_up": (lift(RIGHT_BROW, RIGHT_EYE) + lift(LEFT_BROW, LEFT_EYE)) / 2 / scale,
    }


def _size(points: Array) -> float:
    return Similarity.fit(TEMPLATE, points[ALIGNED]).scale if np.isfinite(points).all() else float("nan")


def _correlation(a: Array, b: Array) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 1e-12 else 0.0


def expression(plate: Series, result: Series, people: People) -> Measurement:
    """Mean correlation over time of eye opening, mouth opening, mouth width and brow height with the plate's.

    Only signals that move in the plate count. `..._range` is the result's spread by the plate's: below 1 the swap dulls
    the expression, which a correlation alone does not show. Per frame: mean deviation of the signals from the plate's,
    each by its spread.
    """
    theirs, ours = signals(plate.landmarks), signals(result.landmarks)
    parts: dict[str, float] = {}
    deviations: dict[str, Array] = {}
    moving = []
    for name, least in _LEAST_MOTION.items():
        both = np.isfinite(theirs[name]) & np.isfinite(ours[name])
        a, b = theirs[name][both], ours[name][both]
        if len(a) < 3 or a.std() < least:
            continue
        moving.append(np.where(both, (theirs[name], ours[name]), np.nan))
        parts[name] = _correlation(a, b)
        parts[f"{name}_range"] = float(b.std() / a.std())
        deviations[name] = np.abs((ours[name] - b.mean()) - (theirs[name] - a.mean())) / a.std()

    def of_rows(rows: Array) -> float:
        pairs = (pair[:, rows][:, np.isfinite(pair[0, rows])] for pair in moving)
        return mean(np.array([_correlation(*pair) for pair in pairs if pair.shape[1] >= 3]))

    return Measurement(
        value=of_rows(np.arange(len(plate))),
        unit="correlation",
        better="higher",
        perfect=1.0,
        parts=parts,
        per_frame=np.mean([*deviations.values()], axis=0) if deviations else np.full(len(plate), np.nan),
        per_frame_is="deviation of the signals from the plate's, in its standard deviations; 0 is perfect",
        faults={_COMPLAINTS[name]: Fault(amount, _BAD) for name, amount in deviations.items()},
        of_rows=of_rows,
    )
