"""Hands in a picture: MediaPipe's palm detector and hand landmarks (Zhang et al. 2020, arXiv 2006.10214)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.weights.session import open_session

Array = NDArray[Any]

PALM_SIZE: Final = 192
"""Side of the palm detector's input, px."""
HAND_SIZE: Final = 224
"""Side of the landmark network's input, px."""
# The numbers below are those of mediapipe/modules/{palm_detection,hand_landmark}/*.pbtxt (Apache-2.0).
_GRIDS: Final = ((24, 2), (12, 6))
"""Cells along a side, and answers for each, of the palm detector's two layers."""
_PALM_TO_HAND: Final = (2.6, 0.5)
"""How many palm boxes wide the first look at a hand is, and how far towards the fingers its middle lies."""
_HAND_TO_HAND: Final = (2.0, 0.1)
"""The same from one look to the next, in boxes of the points below."""
_STEADY: Final = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Points that the next look is placed by: fingertips move too much."""
WRIST, INDEX, MIDDLE, RING, LITTLE = 0, 5, 9, 13, 17
"""The wrist, and the knuckles of four fingers."""


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand.

    Attributes:
        points: wrist, then four of each finger from the thumb to the little one, outwards; pixels. [21, 2] float64
        presence: how sure the network is that this is a hand, 0 to 1.
    """

    points: Array
    presence: float

    @property
    def palm(self) -> float:
        """Length of the palm in pixels, however it is turned: the longest of what should be equal."""
        p = self.points
        length = max(float(np.hypot(*(p[knuckle] - p[WRIST]))) for knuckle in (INDEX, MIDDLE, RING, LITTLE))
        return max(length, 1.4 * float(np.hypot(*(p[INDEX] - p[LITTLE]))))


class HandFinder:
    """Finds hands in square views of a picture.

    Args:
        threads: threads of the runtime, 0 = its choice.
        palm_score: least score of a palm that is looked at; low ones cost time, `presence` sorts them out.
        presence: least presence of a hand.
        most: hands in one view at most, the surest first.
    """

    def __init__(self, threads: int = 0, palm_score: float = 0.4, presence: float = 0.5, most: int = 2) -> None:
        self.palm_score, self.presence, self.most = palm_score, presence, most
        self._palms = open_session("palm", threads)
        self._hands = open_session("hand", threads)

    def find(self, image: Array) -> list[Hand]:
        """Hands in a picture.

        Args:
            image: RGB, square, a hand some 40 px or larger where it is 192. [S, S, 3] uint8

        Returns:
            the surest first, in pixels of the picture
        """
        hands = []
        for window in self._palm_windows(image)[: self.most]:
            for _ in range(2):  # the second look, placed by the first one's points, is the better one
                hand = self._look(image, window)
                window = _window_of(hand.points)
            if hand.presence >= self.presence:
                hands.append(hand)
        return _apart(sorted(hands, key=lambda hand: -hand.presence))

    def _palm_windows(self, image: Array) -> list[tuple[Array, float, float]]:
        """Middle, side and turn of the views to look for hands in, in pixels; one for each palm, the surest first."""
        size = image.shape[0]
        boxes, logits = self._palms.run(None, {"x": _cut(image, np.full(2, size / 2), size, 0.0, PALM_SIZE)})
        logits = logits[0, :, 0].astype(np.float64)
        least = math.log(self.palm_score / (1 - self.palm_score))
        chosen = [int(n) for n in np.argsort(-logits, kind="stable")[:50] if logits[n] >= least]
        pairs = boxes[0, chosen].reshape(-1, 9, 2).astype(np.float64) / PALM_SIZE
        windows: list[tuple[Array, float, float]] = []
        middles: list[tuple[Array, float]] = []
        for anchor, pair in zip(_anchors()[chosen], pairs, strict=True):
            middle, side = (pair[0] + anchor) * size, float(pair[1].max()) * size
            if any(np.abs(middle - other).max() < 0.5 * max(side, wide) for other, wide in middles):
                continue
            middles.append((middle, side))
            turn = _turn(pair[2 + 2] - pair[2])  # from the wrist to the middle finger's knuckle
            up = np.array([math.sin(turn), -math.cos(turn)])
            grow, shift = _PALM_TO_HAND
            windows.append((middle + shift * side * up, grow * side, turn))
        return windows

    def _look(self, image: Array, window: tuple[Array, float, float]) -> Hand:
        middle, side, turn = window
        answer = self._hands.run(["y0", "y1"], {"x": _cut(image, middle, side, turn, HAND_SIZE)})
        points = answer[0].reshape(21, 3)[:, :2].astype(np.float64)
        matrix = _matrix(middle, side, turn, HAND_SIZE)
        return Hand(points @ matrix[:, :2].T + matrix[:, 2], float(answer[1].ravel()[0]))


def _apart(hands: list[Hand]) -> list[Hand]:
    """Without those that are a surer one once more."""
    kept: list[Hand] = []
    for hand in hands:
        if all(np.abs(hand.points - other.points).mean() > 0.3 * other.palm for other in kept):
            kept.append(hand)
    return kept


def _anchors() -> Array:
    """Middles of the cells that the palm detector's answers belong to, edge to edge from 0 to 1. [2016, 2]"""
    layers = []
    for side, answers in _GRIDS:
        along = (np.arange(side) + 0.5) / side
        layers.append(np.stack(np.meshgrid(along, along), axis=-1).reshape(-1, 2).repeat(answers, axis=0))
    return np.concatenate(layers)


def _turn(upwards: Array) -> float:
    """Angle by which a hand is turned, 0 when its fingers point up, clockwise as seen. Radians"""
    return math.atan2(float(upwards[0]), -float(upwards[1]))


def _window_of(points: Array) -> tuple[Array, float, float]:
    """Where to look again, from a hand's points: middle, side and turn."""
    towards = (points[INDEX] + points[RING]) / 2
    turn = _turn((towards + points[MIDDLE]) / 2 - points[WRIST])
    frame_from_upright = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    upright = points[list(_STEADY)] @ frame_from_upright
    low, high = upright.min(axis=0), upright.max(axis=0)
    grow, shift = _HAND_TO_HAND
    middle = (low + high) / 2 - [0, shift * (high - low)[1]]
    return frame_from_upright @ middle, max(grow * float((high - low).max()), 1.0), turn


def _matrix(middle: Array, side: float, turn: float, size: int) -> Array:
    """Pixels of the picture from those of a view of `size`, both counted from edge to edge. [2, 3]"""
    scale = side / size
    cos, sin = math.cos(turn) * scale, math.sin(turn) * scale
    rotation = np.array([[cos, -sin], [sin, cos]])
    return np.concatenate([rotation, (middle - rotation @ [size / 2, size / 2])[:, None]], axis=1)


def _cut(image: Array, middle: Array, side: float, turn: float, size: int) -> Array:
    """A view, black beyond the picture. [1, size, size, 3] float32 in [0, 1]"""
    matrix = _matrix(middle, side, turn, size)
    matrix[:, 2] += matrix[:, :2] @ [0.5, 0.5] - 0.5  # from edges to middles of pixels
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    view = cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return view[None].astype(np.float32) / np.float32(255)
