"""The 68-point scheme (iBUG 300-W): what each point is, masks drawn from them, mirror image.

Landmarks are plain float32 [68, 2] arrays, x right, y down, pixel centres at integers. "Right" and "left" follow the
person, so the right eye is on the image's left.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from konterfei.geometry.tables import TEMPLATE_17_TO_67

Array = NDArray[Any]

JAW: Final = slice(0, 17)
RIGHT_BROW: Final = slice(17, 22)
LEFT_BROW: Final = slice(22, 27)
NOSE_BRIDGE: Final = slice(27, 31)
NOSE_BASE: Final = slice(31, 36)
RIGHT_EYE: Final = slice(36, 42)
LEFT_EYE: Final = slice(42, 48)
OUTER_LIP: Final = slice(48, 60)
INNER_LIP: Final = slice(60, 68)
NUM_POINTS: Final = 68

# Brows, nose, eyes and the mouth's corners: what stays put while a face talks.
ALIGNED: Final = np.array([*range(17, 49), 54])
TEMPLATE: Final = TEMPLATE_17_TO_67[ALIGNED - 17]
TEMPLATE.setflags(write=False)

_SWAPS: Final = [
    *((i, 16 - i) for i in range(8)),
    *((17, 26), (18, 25), (19, 24), (20, 23), (21, 22)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((31, 35), (32, 34)),
    *((50, 52), (49, 53), (48, 54), (59, 55), (58, 56)),
    *((67, 65), (60, 64), (61, 63)),
]
MIRRORED: Final = np.arange(NUM_POINTS)
for _i, _j in _SWAPS:
    MIRRORED[_i], MIRRORED[_j] = _j, _i
MIRRORED.setflags(write=False)

# Convex pieces whose union is the face: two cheeks, two temples, forehead, two nose sides, nose.
_HULLS: Final = [
    [*range(0, 9), 17],
    [*range(8, 17), 26],
    [17, 18, 19, 8],
    [24, 25, 26, 8],
    [19, 20, 21, 22, 23, 24, 8],
    [17, 18, 19, 20, 21, 27, 31, 32, 33, 34, 35, 8],
    [22, 23, 24, 25, 26, 27, 31, 32, 33, 34, 35, 8],
    [27, 28, 29, 30, 31, 32, 33, 34, 35],
]
# OpenCV's anti-aliased polygons leave seams where two pieces meet; drawing hard and fine, then averaging, does not.
_FINER: Final = 4
_SUBPIXEL_BITS: Final = 4  # OpenCV's drawing calls take fixed-point coordinates


def mirror(points: ArrayLike, width: int) -> Array:
    """Landmarks of the mirrored image: x becomes `width - 1 - x`, and right and left points change places.

    Args:
        points: [68, 2]
        width: of the image, px

    Returns:
        [68, 2] float32
    """
    flipped = checked(points)[MIRRORED].astype(np.float32)
    flipped[:, 0] = width - 1 - flipped[:, 0]
    return flipped


def expand_brows(points: ArrayLike, factor: float = 1.0) -> Array:
    """Landmarks with the brows raised, so that a hull over them takes in some forehead.

    Args:
        points: [68, 2]; integer arrays are treated in integer arithmetic, as DeepFaceLab does
        factor: how far, in half distances from the eye line to the brow (0 = not at all)

    Returns:
        [68, 2] of the same kind (integers: int64, else float64)
    """
    raised = checked(points)
    exact = np.issubdtype(raised.dtype, np.integer)
    raised = raised.astype(np.int64 if exact else np.float64)

    def middle(a: Array, b: Array) -> Array:
        return (a + b) // 2 if exact else (a + b) / 2

    right_corner = middle(raised[36], middle(raised[36], raised[0]))
    left_corner = middle(raised[45], middle(raised[16], raised[45]))
    right_base = np.stack([right_corner, *raised[36:40]])
    left_base = np.stack([*raised[42:46], left_corner])
    right_brow = raised[RIGHT_BROW] + 0.5 * factor * (raised[RIGHT_BROW] - right_base)
    left_brow = raised[LEFT_BROW] + 0.5 * factor * (raised[LEFT_BROW] - left_base)
    raised[RIGHT_BROW], raised[LEFT_BROW] = right_brow, left_brow  # storing in integers cuts off towards zero
    return raised


def hull_mask(points: ArrayLike, shape: tuple[int, int], brow: float = 1.0) -> Array:
    """The face as DeepFaceLab draws it: points cut off to integers, hard edges. For training parity.

    Args:
        points: [68, 2] in the space of the mask
        shape: (height, width)
        brow: see `expand_brows`

    Returns:
        [H, W] float32, 0 or 1
    """
    corners = expand_brows(checked(points).astype(np.int64), brow).astype(np.int32)
    mask = np.zeros(shape[:2], np.uint8)
    for hull in _HULLS:
        cv2.fillConvexPoly(mask, cv2.convexHull(corners[hull]), 1)
    return mask.astype(np.float32)


def smooth_hull_mask(points: ArrayLike, shape: tuple[int, int], brow: float = 1.0) -> Array:
    """The same face with sub-pixel corners and anti-aliased edges: it moves smoothly over time. For merging.

    Differs from `hull_mask` by the rounding only: by a pixel along the edge, by two at the raised brows.

    Args:
        points: [68, 2] in the space of the mask
        shape: (height, width)
        brow: see `expand_brows`

    Returns:
        [H, W] float32 in [0, 1]
    """
    height, width = shape[:2]
    raised = (expand_brows(checked(points).astype(np.float64), brow) + 0.5) * _FINER - 0.5
    corners = np.rint(raised * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    fine = np.zeros((height * _FINER, width * _FINER), np.uint8)
    for hull in _HULLS:
        cv2.fillConvexPoly(fine, cv2.convexHull(corners[hull]), 255, cv2.LINE_8, _SUBPIXEL_BITS)
    mask = cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA)
    return mask.astype(np.float32) * np.float32(1 / 255)


def eye_mask(points: ArrayLike, shape: tuple[int, int]) -> Array:
    """Both eyes, widened and softened, for losses that look harder there: [H, W] float32 in [0, 1]."""
    return _soft_parts(points, shape, (RIGHT_EYE, LEFT_EYE))


def mouth_mask(points: ArrayLike, shape: tuple[int, int]) -> Array:
    """What lies between the lips, widened and softened: [H, W] float32 in [0, 1]."""
    return _soft_parts(points, shape, (INNER_LIP,))


def beard_mask(points: ArrayLike, shape: tuple[int, int]) -> Array:
    """Brows, and what lies below a line from ear to ear under the nose: where hair grows in a face. Softened.

    Returns:
        [H, W] float32 in [0, 1]
    """
    face = checked(points).astype(np.float64)
    lower = face[[*range(2, 15), 35, 33, 31]]
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint(16 * lower).astype(np.int32)], 255, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(mask, (0, 0), max(0.5, 0.01 * shape[0])).astype(np.float32) / 255
    return np.maximum(soft, np.minimum(1.0, 3.0 * _soft_parts(points, shape, (RIGHT_BROW, LEFT_BROW))))


def mean_yaw(points: ArrayLike) -> float:
    """How much wider the face is right of the nose than left of it, in the units of `points`.

    Positive when the nose points to the image's left. Cheap, monotone in yaw, no angle.

    Args:
        points: [68, 2], upright (template or crop space)
    """
    x = checked(points).astype(np.float64)[:, 0]
    left = (x[27:30] - x[0:3]).mean()
    right = (x[[16, 15, 14]] - x[27:30]).mean()
    return float(right - left)


def checked(points: ArrayLike) -> Array:
    """`points` as an array, refused with ValueError when it is not [68, 2]."""
    array = np.asarray(points)
    if array.shape != (NUM_POINTS, 2):
        raise ValueError(f"expected landmarks [68, 2], got {list(array.shape)}")
    return array


def _soft_parts(points: ArrayLike, shape: tuple[int, int], parts: tuple[slice, ...]) -> Array:
    """Sizes of the widening (height // 32) and of the blur (height // 16, made odd) are DeepFaceLab's."""
    height, width = shape[:2]
    corners = checked(points).astype(np.int32)
    mask = np.zeros((height, width), np.float32)
    for part in parts:
        cv2.fillConvexPoly(mask, cv2.convexHull(corners[part]), 1.0)
    widen = max(height // 32, 1)
    wider = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (widen, widen)))
    blur = height // 16
    blur += 1 - blur % 2
    return np.clip(cv2.GaussianBlur(wider, (blur, blur), 0), 0.0, 1.0)
