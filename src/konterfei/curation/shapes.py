"""Faces' shapes freed of where the head is and which way it looks; expressions and misplaced points read from them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import HEAD_68

Array = NDArray[Any]

EXPRESSIONS: Final = {
    "mouth_open": "mouth open",
    "mouth_width": "mouth wide",
    "smile": "smile",
    "eyes_open": "eyes open",
    "wink": "one eye more open",
    "brows_up": "brows up",
}
"""Axes of expression and what they are called."""

_STABLE: Final = np.r_[0:5, 12:17, 27:36, 36, 39, 42, 45]
"""Upper jaw line, nose, corners of the eyes: what expression leaves in place."""

_EYE_DISTANCE: Final = float(
    np.linalg.norm(HEAD_68[36:42, :2].mean(0).astype(np.float64) - HEAD_68[42:48, :2].mean(0).astype(np.float64))
)
_MOUTH_SHUT = 0.05
"""Opening of the mouth, by the distance of the eyes, below which it is taken to be shut."""
_WAYS = 6
"""Ways of a face's own motion that are no misfit: the mouth's two, eyes, brows, and two that the pose leaves behind."""
_APART: Final = 0.07
"""Seconds from one frame to the next up to which motion is even: 15 frames a second, or every second of 30."""
_PARTS: Final = (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 42), slice(42, 48), slice(48, 68))


def frontal_shapes(landmarks: Array) -> Array:
    """Landmarks as they would be seen from the front, all of one size.

    The mean head is laid under the points that expression leaves in place (scaled orthographic least squares); every
    point gets the depth that the mean head has there, and the head is turned back. Exact for a face with the mean
    head's depths. An open mouth is as open from the side; less from above or below, by the square of a cosine.

    Args:
        landmarks: [N, 68, 2], any pixels

    Returns:
        [N, 68, 2] float64; the distance of the mean head's eyes is 1, the origin amid its stable points
    """
    points = np.asarray(landmarks, np.float64)
    head = HEAD_68.astype(np.float64) / _EYE_DISTANCE
    head = head - head[_STABLE].mean(axis=0)
    solve = np.linalg.pinv(head[_STABLE])
    flat = points - points[:, _STABLE].mean(axis=1, keepdims=True)
    linear = np.swapaxes(solve @ flat[:, _STABLE], 1, 2)  # [N, 2, 3]
    u, singular, vt = np.linalg.svd(linear, full_matrices=False)
    rows = u @ vt
    scale = np.maximum(singular.mean(axis=1), 1e-9)
    turn = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)  # camera from head
    depth = head @ np.swapaxes(turn, 1, 2)[:, :, 2:]  # the mean head's, as the camera sees it
    seen = np.concatenate([flat / scale[:, None, None], depth], axis=2)
    return (seen @ turn)[..., :2]


def expressions(shapes: Array) -> dict[str, Array]:
    """What each face does: the axes of `EXPRESSIONS`.

    Args:
        shapes: of `frontal_shapes`. [N, 68, 2]

    Returns:
        axis -> [N] float64. mouth_open: inner lips apart; mouth_width: corner to corner; smile: the corners above the
        lips' middle; brows_up: brows above the eyes; these by the eyes' distance. eyes_open: height by width, mean of
        both; wink: the image-right eye's less the image-left one's.
    """
    points = np.asarray(shapes, np.float64)

    def apart(a: int, b: int) -> Array:
        return np.linalg.norm(points[:, a] - points[:, b], axis=-1)

    def opening(corner: int) -> Array:
        heights = apart(corner + 1, corner + 5) + apart(corner + 2, corner + 4)
        return heights / np.maximum(2 * apart(corner, corner + 3), 1e-9)

    y = points[..., 1]
    left, right = opening(36), opening(42)
    eyes = (y[:, 36:48]).mean(axis=1)
    return {
        "mouth_open": (apart(61, 67) + apart(62, 66) + apart(63, 65)) / 3,
        "mouth_width": apart(48, 54),
        "smile": (y[:, 51] + y[:, 57]) / 2 - (y[:, 48] + y[:, 54]) / 2,
        "eyes_open": (left + right) / 2,
        "wink": right - left,
        "brows_up": eyes - y[:, 17:27].mean(axis=1),
    }


def own_usual(axes: dict[str, Array]) -> dict[str, float]:
    """What the axes are on this person's face at rest: to compare expressions of faces that are built differently.

    The median over faces with a shut mouth (over the tenth with the least open one where few are shut); 0 for
    mouth_open and wink, which are 0 on any face at rest.
    """
    opening = axes["mouth_open"]
    if not len(opening):
        return dict.fromkeys(axes, 0.0)
    rest = opening <= max(_MOUTH_SHUT, float(np.quantile(opening, 0.1)))
    found = {name: float(np.median(values[rest])) for name, values in axes.items()}
    return {**found, "mouth_open": 0.0, "wink": 0.0}


def misfits(shapes: Array) -> Array:
    """How far the worst part of each face is from where a face of this set can have it: RMS by the eyes' distance. [N]

    What remains of the difference from the set's median shape when the set's main ways of moving (`_WAYS`) are taken
    out, RMS over the points of the jaw, the brows, the nose, an eye or the mouth, whichever is worst. The ways are
    learned from the nine tenths of the faces that are nearest to the median, so that a few bad ones teach nothing.
    """
    points = np.asarray(shapes, np.float64)
    if not len(points):
        return np.zeros(0)
    away = (points - np.median(points, axis=0)).reshape(len(points), -1)
    if len(points) >= 4 * _WAYS:
        length = np.linalg.norm(away, axis=1)
        near = away[length <= np.quantile(length, 0.9)]
        near = near[:: max(1, len(near) // 2000)]
        away = away - near.mean(axis=0)
        ways = np.linalg.svd(near - near.mean(axis=0), full_matrices=False)[2][:_WAYS]
        away = away - (away @ ways.T) @ ways
    squares = (away**2).reshape(points.shape).sum(axis=2)
    return np.sqrt(np.max([squares[:, part].mean(axis=1) for part in _PARTS], axis=0))


def jumps(landmarks: Array, strands: Array, seconds: Array) -> Array:
    """How far each face's points are from where its neighbours in time say: RMS by the eyes' distance; NaN without.

    What they say is the median of two before and two after, so one bad neighbour says nothing.

    Args:
        landmarks: [N, 68, 2], frame pixels, before smoothing where there is such
        strands: number of the source and track that each is of: neighbours are of one. [N] int
        seconds: when each is shown; neighbours are at most `_APART` from one another. [N]

    Returns:
        [N] float64. A head that moves evenly has 0, fast gestures 0.1
    """
    points = np.asarray(landmarks, np.float64)
    seconds, strands = np.asarray(seconds, np.float64), np.asarray(strands, np.int64)
    found = np.full(len(points), np.nan)
    order = np.lexsort((seconds, strands))
    if len(order) < 5:
        return found
    rows = np.stack([order[at : len(order) - 4 + at] for at in range(5)])  # [5, M]: two before, itself, two after
    steps = np.diff(seconds[rows], axis=0)
    beside = (strands[rows] == strands[rows[2]]).all(axis=0) & (steps > 0).all(axis=0) & (steps <= _APART).all(axis=0)
    for part in np.array_split(rows[:, beside], max(1, len(points) // 2000), axis=1):
        now = points[part[2]]
        between = np.median(points[part[[0, 1, 3, 4]]], axis=0)
        size = np.maximum(_eye_distances(now), _eye_distances(between))
        found[part[2]] = np.sqrt(((now - between) ** 2).sum(axis=2).mean(axis=1)) / np.maximum(size, 1e-9)
    return found


def _eye_distances(points: Array) -> Array:
    return np.linalg.norm(points[:, 36:42].mean(axis=1) - points[:, 42:48].mean(axis=1), axis=1)
