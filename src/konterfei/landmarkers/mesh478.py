"""MediaPipe's face mesh with attention (Grishchenko et al. 2020, arXiv 2006.10962) and its view as 68 points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.landmarkers import Landmarked, Seen, Window
from konterfei.weights.session import allowed_cores, open_session

SIZE = 192
"""Side of the network's input in pixels."""

MARGIN = 1.5
"""Window side over the longer side of the face's bounds; measured best, and the upstream's value."""

_MOST_FOLD = 2
"""Crops are cut at most this many times as large as the network looks at them."""

# fmt: off
MESH_TO_68 = np.array([
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lip
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lip
])
"""Mesh point that stands for each of the 68 points. [68]"""

# Which mesh points the attention heads refine, in the order of their outputs; a fact of the trained network, see
# mediapipe/modules/face_landmark/tensors_to_face_landmarks_with_attention.pbtxt (Apache-2.0).
_LIPS = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409,
    78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415,
    76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408,
    62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
]
_LEFT_EYE = [  # left in the image
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173,
    130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190,
    226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189,
    35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121, 128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
]
_RIGHT_EYE = [
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398,
    359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414,
    446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413,
    265, 353, 276, 283, 282, 295, 372, 340, 346, 347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
]
# fmt: on
_LEFT_IRIS, _RIGHT_IRIS = slice(468, 473), slice(473, 478)
_OUTPUTS = ("y0", "y1", "y2", "y3", "y4", "y5", "y6")


class Mesh478:
    """Adapter of the mesh weights.

    Args:
        threads: faces of a frame that are looked at at once, 0 = one per core.
        passes: looks at a detection; the second one, in the window that the first one found, lowers jitter by a
            quarter. A window from an earlier frame gets one look less.
    """

    usual_presence: ClassVar[float] = 0.5
    """Sigmoid of the network's own logit: its authors' threshold. Full profiles score 0.18 to 0.28."""

    limits: ClassVar[str] = (
        "Learned from Google's own images and renderings. Error on AFLW2000-3D (16 pictures), in % of the face's size: "
        "4.5 up to a yaw of 30 degrees, 5.4 up to 60, 9.5 beyond; there the far half of the contour falls inward and "
        "yaw is told too small. Under hands and hair it draws what a face usually has there."
    )

    def __init__(self, threads: int = 0, passes: int = 2) -> None:
        self.passes = passes
        self._session = open_session("mesh478", threads=1)  # it is too small to be shared out: two take longer
        self._pool = ThreadPoolExecutor(threads or allowed_cores(), "mesh478")

    def landmarks(self, image: NDArray[np.uint8], starts: Sequence[Seen | Window]) -> list[Landmarked]:  # noqa: D102
        answers: dict[int, Landmarked] = {}
        windows = {n: start if isinstance(start, Window) else window_of_box(start) for n, start in enumerate(starts)}
        for number in range(self.passes):
            # From a window of the last frame the first look is already the second one.
            due = [
                n for n, start in enumerate(starts) if number > 0 or self.passes == 1 or not isinstance(start, Window)
            ]
            for n, answer in zip(due, self._look(image, [windows[n] for n in due]), strict=True):
                answers[n] = answer
                windows[n] = answer.window
        return [answers[n] for n in range(len(starts))]

    def _ask(self, image: NDArray[np.uint8], window: Window) -> list[NDArray[np.float32]]:
        answer: list[NDArray[np.float32]] = self._session.run(
            _OUTPUTS, {"x": cut(image, window)[None] / np.float32(255)}
        )
        return answer

    def _look(self, image: NDArray[np.uint8], windows: list[Window]) -> list[Landmarked]:
        if not windows:
            return []
        # One face at a time: the network gains nothing from a batch, and so no answer hangs on its neighbours.
        ask = partial(self._ask, image)
        looks = [ask(windows[0])] if len(windows) == 1 else list(self._pool.map(ask, windows))
        mesh, lips, left, right, left_iris, right_iris, presence = map(np.concatenate, zip(*looks, strict=True))
        num = len(windows)
        points = np.empty((num, 478, 3), np.float32)
        points[:, :468] = mesh.reshape(num, 468, 3)
        points[:, _LIPS, :2] = lips.reshape(num, 80, 2)
        points[:, _LEFT_EYE, :2] = left.reshape(num, 71, 2)
        points[:, _RIGHT_EYE, :2] = right.reshape(num, 71, 2)
        points[:, _LEFT_IRIS, :2] = left_iris.reshape(num, 5, 2)
        points[:, _RIGHT_IRIS, :2] = right_iris.reshape(num, 5, 2)
        # The iris heads give no depth: that of the eye's contour, as upstream does.
        points[:, _LEFT_IRIS, 2] = points[:, _LEFT_EYE[:16], 2].mean(axis=1, keepdims=True)
        points[:, _RIGHT_IRIS, 2] = points[:, _RIGHT_EYE[:16], 2].mean(axis=1, keepdims=True)
        logits = presence.reshape(num).astype(np.float64)
        return [
            _landmarked(points[n], windows[n], float(1 / (1 + np.exp(-np.clip(logits[n], -60, 60)))))
            for n in range(num)
        ]


def _landmarked(points: NDArray[np.float32], window: Window, presence: float) -> Landmarked:
    """Crop points [478, 3] of one window, told in frame pixels."""
    frame_from_crop = matrix(window)
    mesh = np.empty_like(points)
    mesh[:, :2] = points[:, :2] @ frame_from_crop[:, :2].T + frame_from_crop[:, 2]
    mesh[:, 2] = points[:, 2] * (window.side / SIZE)
    iris = np.stack([mesh[_LEFT_IRIS, :2].mean(axis=0), mesh[_RIGHT_IRIS, :2].mean(axis=0)])
    return Landmarked(mesh[MESH_TO_68, :2].copy(), iris, presence, window_of_mesh(mesh), mesh)


def matrix(window: Window) -> NDArray[np.float64]:
    """`frame_from_crop` of a window: crop coordinates 0 to 192 from edge to edge, frame pixel centres. [2, 3]"""
    scale = window.side / SIZE
    cos, sin = math.cos(window.roll) * scale, math.sin(window.roll) * scale
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = np.array([window.x, window.y]) - turn @ np.array([SIZE / 2, SIZE / 2])
    return np.concatenate([turn, shift[:, None]], axis=1)


def cut(image: NDArray[np.uint8], window: Window) -> NDArray[np.uint8]:
    """The upright crop of a window; beyond the frame its edge goes on. [192, 192, 3] uint8"""
    # Large faces are first cut at a multiple of the size, then averaged: sampling alone would alias, and so flicker.
    # Very large ones are halved before, which is faster than sampling four or nine times as many pixels.
    while window.side > (_MOST_FOLD + 0.25) * SIZE and (halved := _halved(image, window)) is not None:
        image, window = halved
    fold = min(max(math.ceil(window.side / SIZE - 0.25), 1), 8)
    frame_from_crop = matrix(window)
    frame_from_crop[:, 2] += frame_from_crop[:, :2] @ np.array([0.5 / fold, 0.5 / fold])  # centre of the first pixel
    frame_from_crop[:, :2] /= fold
    crop = cv2.warpAffine(
        image,
        frame_from_crop,
        (SIZE * fold, SIZE * fold),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if fold > 1:
        crop = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def _halved(image: NDArray[np.uint8], window: Window) -> tuple[NDArray[np.uint8], Window] | None:
    """What lies around a window at half the size, and the window there; None where it lies outside the frame."""
    reach = 0.71 * window.side + 2
    left, right = (int(np.clip(window.x + side, 0, image.shape[1])) // 2 * 2 for side in (-reach, reach))
    top, bottom = (int(np.clip(window.y + side, 0, image.shape[0])) // 2 * 2 for side in (-reach, reach))
    if right <= left or bottom <= top:
        return None
    small = cv2.resize(
        image[top:bottom, left:right], ((right - left) // 2, (bottom - top) // 2), interpolation=cv2.INTER_AREA
    )
    x, y = (window.x - left + 0.5) / 2 - 0.5, (window.y - top + 0.5) / 2 - 0.5
    return np.asarray(small, np.uint8), Window(x, y, window.side / 2, window.roll)


def window_of_box(detection: Seen) -> Window:
    """Where to look for the face of a detection: upright by its points, which in profile is steadier than its eyes."""
    eyes, mouth = detection.points[:2].mean(axis=0), detection.points[3:].mean(axis=0)
    left, top, right, bottom = (float(side) for side in detection.box)
    return Window((left + right) / 2, (top + bottom) / 2, MARGIN * max(right - left, bottom - top), _roll(eyes, mouth))


def window_of_mesh(mesh: NDArray[np.float32]) -> Window:
    """Where to look again, from a mesh [478, 3]: the bounds of its turned points."""
    eyes = mesh[[33, 133, 362, 263], :2].mean(axis=0)
    mouth = mesh[[61, 291], :2].mean(axis=0)
    roll = _roll(eyes, mouth)
    cos, sin = math.cos(roll), math.sin(roll)
    turn = np.array([[cos, -sin], [sin, cos]])  # frame from upright
    upright = mesh[:468, :2].astype(np.float64) @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return Window(float(x), float(y), max(MARGIN * float((high - low).max()), 1.0), roll)


def _roll(eyes: NDArray[np.float32], mouth: NDArray[np.float32]) -> float:
    """Angle of the line from the eyes' middle to the mouth's, 0 when it points straight down. Radians, -pi to pi."""
    x, y = (float(value) for value in mouth - eyes)
    return math.atan2(-x, y)
