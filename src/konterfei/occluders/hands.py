"""Hands in front of a face, to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.imaging import to_uint8
from konterfei.occluders import AROUND, SIDE, View, surroundings
from konterfei.occluders.hand_networks import LITTLE, MIDDLE, WRIST, Hand, HandFinder

Array = NDArray[Any]

_BONES: Final = (
    *((0, 1), (1, 2), (2, 3), (3, 4)),
    *((0, 5), (5, 6), (6, 7), (7, 8)),
    *((5, 9), (9, 10), (10, 11), (11, 12)),
    *((9, 13), (13, 14), (14, 15), (15, 16)),
    *((13, 17), (0, 17), (17, 18), (18, 19), (19, 20)),
)
"""Pairs of points with flesh between them."""
_PALM: Final = (0, 1, 2, 5, 9, 13, 17)
"""Points around the palm."""
_FINGER: Final = 0.105
"""Half of a finger's width, in lengths of the palm."""
_ARM: Final = (1.2, 0.27)
"""How far the arm is followed beyond the wrist, and half of its width there, in lengths of the palm."""
_SURE, _WIDE, _REACH = 0.55, 1.15, 1.7
"""Half widths, in those above: within the first all is hand, beyond the last nothing is, and where colours are alike
it ends at the second, for a mask that is a little wide is seen less than one that leaves a rim of hand out."""
_SIDE: Final = 96
"""Side at which hand and face are told apart by colour, px."""
_NEAR: Final = 0.09
"""How far off colours are compared, as a fraction of the crop's side."""
_NOISE: Final = 5.0
"""Differences of colour (CIE Lab) below this count for little."""
_SMALLEST: Final = 0.3
"""Palms shorter than this, in faces, are none: ears, collars. A palm is half as long as a face or longer, and one that
points at the camera rarely looks shorter than half of that."""


class Hands:
    """Hands, by MediaPipe's networks.

    Args:
        threads: threads of the runtime, 0 = its choice.
    """

    needs_rebuilt: ClassVar[bool] = False

    def __init__(self, threads: int = 0) -> None:
        self._finder = HandFinder(threads)

    def find(self, view: View) -> Array:  # noqa: D102
        around = surroundings(view.face, view.crop)
        crop_from_around = view.crop.crop_from_frame @ around.frame_from_crop
        seen = self._finder.find(to_uint8(around.cut(view.frame, border="zero")))  # repeated edges look like fingers
        hands = [Hand(crop_from_around @ hand.points, hand.presence) for hand in seen]
        face = SIDE / AROUND * crop_from_around.scale
        hands = [hand for hand in hands if hand.palm >= _SMALLEST * face]
        if not hands:
            return np.zeros((view.crop.size, view.crop.size), np.float32)
        return hand_mask(to_uint8(view.crop.cut(view.frame)), hands)


def hand_mask(image: Array, hands: Sequence[Hand]) -> Array:
    """Where hands and wrists are.

    Along the bones all is hand, further from them than flesh reaches nothing is. Between the two the colours of the
    hand and of what lies beside it, both taken nearby, decide; where they are alike, the distance from the bones does.

    Args:
        image: RGB, square. [S, S, 3] uint8
        hands: in it, pixels.

    Returns:
        [S, S] float32 in [0, 1], 1 = hand
    """
    size = image.shape[0]
    hands = [hand for hand in hands if _is_near(hand, size)]
    if not hands:
        return np.zeros((size, size), np.float32)
    zoom = _SIDE / size
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    far = np.full((_SIDE, _SIDE), np.inf, np.float32)
    for hand in hands:
        np.minimum(far, _distance((hand.points + 0.5) * zoom - 0.5, hand.palm * zoom), out=far)
    if far.min() > _REACH:
        return np.zeros((size, size), np.float32)
    soft = cv2.resize(_by_color(small, far), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(soft, 0, 1)


def _is_near(hand: Hand, size: int) -> bool:
    """Whether some of a hand may be seen in the square from 0 to `size`."""
    margin = 0.5 * hand.palm
    return bool(((hand.points > -margin) & (hand.points < size + margin)).all(axis=1).any())


def _distance(points: Array, palm: float) -> Array:
    """How far each pixel lies from the bones, in half widths of what is around them: 1 = at the skin. [N, N] float32"""
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32)
    far = np.full((_SIDE, _SIDE), np.inf, np.float32)
    arm = points[WRIST] - (points[MIDDLE] + points[LITTLE]) / 2
    arm *= _ARM[0] * palm / max(float(np.hypot(*arm)), 1e-6)
    limbs = [(points[a], points[b], _FINGER * palm) for a, b in _BONES]
    limbs.append((points[WRIST] + 0.2 * arm, points[WRIST] + arm, _ARM[1] * palm))
    for a, b, width in limbs:
        along = b - a
        share = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max(float(along @ along), 1e-6)
        np.clip(share, 0, 1, out=share)
        np.minimum(far, np.hypot(x - a[0] - share * along[0], y - a[1] - share * along[1]) / width, out=far)
    inside = np.zeros((_SIDE, _SIDE), np.uint8)
    outline = cv2.convexHull(points[list(_PALM)].astype(np.float32))
    cv2.fillPoly(inside, [np.rint(outline).astype(np.int32)], 1)
    far[inside > 0] = np.minimum(far[inside > 0], _SURE / 2)
    return far


def _by_color(image: Array, far: Array) -> Array:
    """What is hand, from a picture and the distance from the bones. [N, N] float32 in [0, 1]"""
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)
    lab *= np.array([0.6, 1, 1], np.float32)  # shade says less than hue
    prior = np.clip((_WIDE - far) / (_WIDE - _SURE), -4, 1)
    hand = _near(lab, (far <= _SURE).astype(np.float32))
    other = _near(lab, (far >= _REACH).astype(np.float32))
    to_hand, to_other = (((lab - mean) ** 2).sum(axis=-1) for mean in (hand, other))
    contrast = ((hand - other) ** 2).sum(axis=-1)
    says = (to_other - to_hand) / (contrast + 4 * _NOISE**2)  # from -1 to 1 or so where the colours differ
    logit = 4 * says + 1.5 * prior
    mask = 1 / (1 + np.exp(-2 * logit))
    mask = np.where(far <= _SURE, 1, np.where(far >= _REACH, 0, mask)).astype(np.float32)
    return _guided(lab[..., 0] / np.float32(60), mask, round(0.02 * _SIDE), 0.002)


def _near(values: Array, where: Array) -> Array:
    """The mean of `values` where `where` is 1, around each pixel; further off the mean of all. [N, N, C] float32"""
    sigma = _NEAR * _SIDE
    weight = cv2.GaussianBlur(where, (0, 0), sigma)[..., None]
    total = float(where.sum())
    mean = (values * where[..., None]).sum(axis=(0, 1)) / max(total, 1)
    return (cv2.GaussianBlur(values * where[..., None], (0, 0), sigma) + 1e-3 * mean) / (weight + 1e-3)


def _guided(guide: Array, mask: Array, radius: int, epsilon: float) -> Array:
    """The mask with its edges where the guide has its own (He, Sun and Tang 2010, Guided Image Filtering)."""
    side = (2 * radius + 1, 2 * radius + 1)

    def mean(values: Array) -> Array:
        return cv2.blur(values, side, borderType=cv2.BORDER_REFLECT_101)

    m_guide, m_mask = mean(guide), mean(mask)
    slope = (mean(guide * mask) - m_guide * m_mask) / (mean(guide * guide) - m_guide**2 + np.float32(epsilon))
    return np.clip(mean(slope) * guide + mean(m_mask - slope * m_guide), 0, 1)
