"""Do the eyes look the same way?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.pose import poses
from konterfei.metrics.series import Array, People, Series, mean

_CORNERS = {"right_eye": (36, 39), "left_eye": (42, 45)}
"""Landmarks of the corners, the image's left one first; the order of the eyes is that of `Series.irises`."""
_EYE_WIDTH, _RADIUS = 30.0, 11.1
"""mm: corner to corner, and from the eye's centre of rotation to the plane of the iris's rim. Both as in the average
eye of Microsoft's eye tracking toolkit (github.com/microsoft/seet), which also finds the centre of rotation about on
the line between the corners. People differ, and angles with them."""
_LEAST_OPEN = 0.15
"""Height of the eye by its width below which lids hide too much of the iris to place it."""
_FARTHEST = 0.98  # sine of the largest angle that is told; what lies beyond is no iris
_BAD = 10.0  # degrees


def directions(landmarks: Array, irises: Array) -> Array:
    """Where each eye looks, relative to the face's plane: unit vectors, x to the image's right along the line between
    the eye's corners, y down, z out of the picture.

    The iris's centre sits on a sphere around the middle of the corners; its scale is the corners' distance, lengthened
    by as much as the head's yaw shortens it.

    Args:
        landmarks: [N, 68, 2], NaN where there is none
        irises: [N, 2, 2], as `Series.irises`

    Returns:
        [N, 2, 3] float64, NaN where the eye is nearly shut or not known
    """
    points, centres = landmarks.astype(np.float64), irises.astype(np.float64)
    shortened = np.maximum(np.cos(np.deg2rad(poses(points)[:, 1])), 0.5)
    found = np.full((len(points), 2, 3), np.nan)
    for eye, (left, right) in enumerate(_CORNERS.values()):
        across = points[:, right] - points[:, left]
        width = np.linalg.norm(across, axis=-1)
        known = (_openness(points, left) >= _LEAST_OPEN) & np.isfinite(centres[:, eye]).all(axis=-1)
        along = across[known] / width[known, None]
        offset = centres[known, eye] - (points[known, left] + points[known, right]) / 2
        down = np.stack([-along[:, 1], along[:, 0]], axis=-1)
        aside = np.stack([(offset * along).sum(axis=-1), (offset * down).sum(axis=-1)], axis=-1)
        aside *= (shortened[known] / width[known] * _EYE_WIDTH / _RADIUS)[:, None]
        size = np.linalg.norm(aside, axis=-1, keepdims=True)
        aside *= np.minimum(1.0, _FARTHEST / np.maximum(size, 1e-12))
        found[known, eye] = np.concatenate([aside, np.sqrt(1 - (aside**2).sum(axis=-1, keepdims=True))], axis=-1)
    return found


def _openness(points: Array, corner: int) -> Array:
    """Height of an eye by its width, NaN where it has none. [N] float64"""

    def apart(a: int, b: int) -> Array:
        return np.linalg.norm(points[:, corner + a] - points[:, corner + b], axis=-1)

    width = apart(0, 3)
    return (apart(1, 5) + apart(2, 4)) / np.where(width > 0, 2 * width, np.nan)


def gaze(plate: Series, result: Series, people: People) -> Measurement:
    """Mean angle between the directions that result's and plate's eyes look in, in degrees.

    From the irises relative to the eyes' corners and an average eyeball; each eye by itself, then their mean. Left out
    are eyes that are nearly shut in either. Corners of another person's eyes sit elsewhere, so some angle is constant:
    `constant` is that between the mean directions over time, mean of both eyes. A squint shows in the worse of
    `right_eye` and `left_eye`. `seen_share` is the share (0 to 1) of the frames that could be measured.
    """
    theirs, ours = directions(plate.landmarks, plate.irises), directions(result.landmarks, result.irises)
    angles = _angle(theirs, ours)
    known = np.isfinite(angles)
    num = known.sum(axis=1)
    total = np.where(known, angles, 0).sum(axis=1)
    per_frame = np.divide(total, num, out=np.full(len(angles), np.nan), where=num > 0)
    both = np.stack([theirs, ours])
    constant = [float(_angle(*both[:, known[:, eye], eye].mean(axis=1))) for eye in (0, 1) if known[:, eye].any()]
    return Measurement(
        value=mean(per_frame),
        unit="degrees",
        better="lower",
        perfect=0.0,
        parts={name: mean(angles[:, k]) for k, name in enumerate(_CORNERS)}
        | {
            "constant": mean(np.array(constant)),
            "seen_share": float((num > 0).mean()) if len(num) else float("nan"),
        },
        per_frame=per_frame,
        faults={"looks elsewhere": Fault(per_frame, _BAD)},
    )


def _angle(a: Array, b: Array) -> Array:
    """Between vectors, degrees; exact for small ones. [..., 3] -> [...]"""
    return np.rad2deg(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(axis=-1)))
