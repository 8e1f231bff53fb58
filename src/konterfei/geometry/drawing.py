"""Lines over a picture of a face that show what is known of it: points, outlines, which way the head looks.

Everything is drawn into a copy, in RGB, with sub-pixel places. `thick` is the width of lines, px.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from konterfei.geometry import landmarks as scheme
from konterfei.geometry.landmarks import checked

Array = NDArray[Any]
Color = tuple[int, int, int]

GREEN: Final[Color] = (80, 220, 100)
RED: Final[Color] = (240, 70, 60)
BLUE: Final[Color] = (70, 130, 255)
YELLOW: Final[Color] = (250, 210, 60)
WHITE: Final[Color] = (255, 255, 255)

_BITS: Final = 4  # OpenCV's drawing calls take fixed-point places
_OPEN: Final = (scheme.JAW, scheme.RIGHT_BROW, scheme.LEFT_BROW, scheme.NOSE_BRIDGE)
_CLOSED: Final = (scheme.RIGHT_EYE, scheme.LEFT_EYE, scheme.OUTER_LIP, scheme.INNER_LIP)


def draw_lines(image: Array, points: ArrayLike, color: Color, *, closed: bool, thick: int = 1) -> Array:
    """A line through `points`. -> a copy of `image`

    Args:
        image: RGB [H, W, 3] uint8
        points: [N, 2], px
        color: RGB
        closed: whether it comes back to the first point
        thick: px
    """
    drawn = np.ascontiguousarray(image).copy()
    cv2.polylines(drawn, [_fixed(points)], closed, color, thick, cv2.LINE_AA, _BITS)
    return drawn


def draw_landmarks(image: Array, points: ArrayLike, color: Color = GREEN, thick: int = 1) -> Array:
    """The 68 points, joined as jaw, brows, nose, eyes and lips (dfl-spec 2.9). -> a copy of `image`

    Args:
        image: RGB [H, W, 3] uint8
        points: [68, 2], px
        color: of the lines; the points are white
        thick: px
    """
    places = checked(points)
    drawn = image
    for part in _OPEN:
        drawn = draw_lines(drawn, places[part], color, closed=False, thick=thick)
    drawn = draw_lines(drawn, places[[*range(30, 36)]], color, closed=True, thick=thick)
    for part in _CLOSED:
        drawn = draw_lines(drawn, places[part], color, closed=True, thick=thick)
    return draw_points(drawn, places, WHITE, thick)


def draw_points(image: Array, points: ArrayLike, color: Color, radius: int = 2) -> Array:
    """A dot at each of `points` [N, 2]. -> a copy of `image` [H, W, 3] uint8"""
    drawn = np.ascontiguousarray(image).copy()
    for x, y in _fixed(points)[:, 0]:
        cv2.circle(drawn, (int(x), int(y)), radius << _BITS, color, cv2.FILLED, cv2.LINE_AA, _BITS)
    return drawn


def draw_mask_edge(image: Array, mask: Array, color: Color, thick: int = 1) -> Array:
    """The line along which a mask is half. -> a copy of `image`

    Args:
        image: RGB [S, S, 3] uint8
        mask: [S, S] uint8
        color: RGB
        thick: px
    """
    drawn = np.ascontiguousarray(image).copy()
    edges, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, edges, -1, color, thick, cv2.LINE_AA)
    return drawn


def draw_pose(image: Array, angles: tuple[float, float, float], origin: ArrayLike, length: float, roll: float) -> Array:
    """Three axes of the head: red to its left side, green downwards, blue out of the face. -> a copy of `image`

    Args:
        image: RGB [H, W, 3] uint8
        angles: pitch, yaw, roll in the frame, radians; signs of `geometry.pose`
        origin: where the axes start, px; usually the tip of the nose
        length: of an axis that lies flat in the picture, px
        roll: how far the picture is turned against the frame, radians, clockwise
    """
    axes = axes_of(angles, roll) * length
    drawn = image
    start = np.asarray(origin, np.float64)
    for axis, color in zip(axes, (RED, GREEN, BLUE), strict=True):
        drawn = draw_lines(drawn, np.stack([start, start + axis]), color, closed=False, thick=2)
    return drawn


def axes_of(angles: tuple[float, float, float], roll: float = 0.0) -> Array:
    """Where the head's axes (its left, down, out of the face) point in the picture. [3, 2], lengths up to 1.

    Args:
        angles: pitch, yaw, roll, radians
        roll: added to the third
    """
    pitch, yaw, turned = angles
    (sx, sy, sz), (cx, cy, cz) = (f(np.array([-pitch, yaw, turned + roll])) for f in (np.sin, np.cos))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    turn = about_z @ about_y @ about_x
    return (turn @ np.diag([1.0, 1.0, -1.0]))[:2].T  # the model's third axis points away from the camera


def _fixed(points: ArrayLike) -> Array:
    scaled = np.rint(np.asarray(points, np.float64).reshape(-1, 1, 2) * (1 << _BITS))
    return np.clip(scaled, -(2**20), 2**20).astype(np.int32)
