"""Draws onto a frame what was found in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_record import FaceRecord
from konterfei.tracking.finder import Found

LINES = ((0, 17, False), (17, 22, False), (22, 27, False), (27, 31, False), (31, 36, False))
"""Jaw, brows, bridge and wings of the nose: first point, point after the last, whether it closes."""
LOOPS = ((36, 42, True), (42, 48, True), (48, 60, True), (60, 68, True))
"""Eyes, outer and inner lip."""
COLORS = ((80, 220, 120), (90, 170, 255), (255, 190, 60), (230, 110, 230), (120, 230, 230), (255, 140, 120))
"""Of people, by number. RGB"""
OTHER, MISSED, CORRECTED = (150, 150, 150), (255, 40, 40), (255, 255, 255)
AXES = ((255, 80, 80), (90, 230, 90), (90, 130, 255))
"""To the head's side, up, and where the nose points. RGB"""


def overlaid(
    image: NDArray[np.uint8], records: Sequence[FaceRecord], others: Iterable[Found], title: str
) -> NDArray[np.uint8]:
    """A frame with everything that is known of it.

    Args:
        image: the frame. [H, W, 3] uint8, not changed
        records: of the faces that are kept.
        others: of those that are not.
        title: which frame it is.
    """
    canvas = np.ascontiguousarray(image).copy()
    height, width = canvas.shape[:2]
    pen = max(round(min(height, width) / 540), 1)
    for found in others:
        _box(canvas, found.box, OTHER, pen)
        _text(canvas, f"not kept {found.score:.2f}", (found.box[0], found.box[3] + 14 * pen), OTHER, pen)
    for record in records:
        _face(canvas, record, pen)
    if not records:
        cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), MISSED, 4 * pen)
        _text(canvas, "no face", (8 * pen, 44 * pen), MISSED, 2 * pen)
    _text(canvas, f"konterfei debug  {title}", (8 * pen, 18 * pen), CORRECTED, pen)
    return canvas


def _face(canvas: NDArray[np.uint8], record: FaceRecord, pen: int) -> None:
    face = record.face
    color = COLORS[(face.person or 0) % len(COLORS)]
    points = np.asarray(face.landmarks, np.float64)
    _box(canvas, face.box, color, pen)
    corners = np.array([[0, 0], [record.size, 0], [record.size, record.size], [0, record.size]], np.float64) - 0.5
    square = record.crop.crop_from_frame.inverse() @ corners
    cv2.polylines(canvas, [_whole(square)], True, color, 2 * pen, cv2.LINE_AA)
    mark = np.stack([square[0], square[0] + 0.08 * (square[1] - square[0]), square[0] + 0.08 * (square[3] - square[0])])
    cv2.fillPoly(canvas, [_whole(mark)], color, cv2.LINE_AA)  # the crop's top left corner
    for first, last, closes in (*LINES, *LOOPS):
        cv2.polylines(canvas, [_whole(points[first:last])], closes, color, pen, cv2.LINE_AA)
    for x, y in _whole(points):
        cv2.circle(canvas, (int(x), int(y)), pen, CORRECTED, -1, cv2.LINE_AA)
    reach = 0.6 * float(np.ptp(points, axis=0).max())
    for axis, of_axis in zip(_axes(record.pose), AXES, strict=True):
        ends = _whole(np.stack([points[30], points[30] + reach * axis]))
        cv2.line(canvas, tuple(map(int, ends[0])), tuple(map(int, ends[1])), of_axis, 2 * pen, cv2.LINE_AA)
    told = [
        f"person {face.person}" if face.person is not None else "",
        f"track {face.track}" if face.track is not None else "",
        f"{face.score:.2f}",
    ]
    told += ["by hand"] if record.corrected else []
    left, top = float(square[:, 0].min()), float(square[:, 1].min())
    _text(
        canvas, "  ".join(part for part in told if part), (max(left, 4.0), max(top - 6 * pen, 36.0 * pen)), color, pen
    )


def _axes(pose: tuple[float, float, float]) -> NDArray[np.float64]:
    """Where the head's side, its top and its nose point in the picture. [3, 2], unit length in space"""
    pitch, yaw, roll = pose
    (cp, sp), (cy, sy), (cr, sr) = ((np.cos(angle), np.sin(angle)) for angle in (-pitch, yaw, roll))
    turn = (
        np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    )
    return (turn @ np.diag([1.0, -1.0, -1.0])).T[:, :2]


def _box(canvas: NDArray[np.uint8], box: NDArray[np.float32], color: tuple[int, int, int], pen: int) -> None:
    left, top, right, bottom = (int(side) for side in np.clip(np.rint(box), -1e5, 1e5))
    cv2.rectangle(canvas, (left, top), (right, bottom), color, pen)


def _text(
    canvas: NDArray[np.uint8], text: str, place: tuple[float, float], color: tuple[int, int, int], pen: int
) -> None:
    at = (int(place[0]), int(place[1]))
    for shade, thick in (((0, 0, 0), 3 * pen), (color, pen)):
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45 * pen, shade, thick, cv2.LINE_AA)


def _whole(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.clip(np.rint(points), -1e5, 1e5).astype(np.int32)
