"""Hands drawn with a few strokes, which the networks take for hands as they take real ones."""

import cv2
import numpy as np

# fmt: off
OPEN = np.array([
    [0, 0], [-.28, -.18], [-.48, -.42], [-.62, -.64], [-.74, -.84],
    [-.24, -.95], [-.30, -1.32], [-.33, -1.56], [-.35, -1.78],
    [0, -1.0], [0, -1.42], [0, -1.70], [0, -1.94],
    [.2, -.94], [.25, -1.32], [.28, -1.58], [.30, -1.80],
    [.38, -.82], [.47, -1.1], [.53, -1.3], [.58, -1.48],
])
"""The 21 points of an open hand, fingers up; the palm is 1 long, the wrist lies at 0. [21, 2]"""
# fmt: on
_FINGERS = [(a, a + 1) for start in (1, 5, 9, 13, 17) for a in range(start, start + 3)] + [(0, 1)]
_PALM = [0, 1, 2, 5, 9, 13, 17]
SKIN = (224, 172, 140)


def hand_points(wrist, palm, turn=0.0):
    """Of an open hand, turned clockwise. [21, 2]"""
    cos, sin = np.cos(turn), np.sin(turn)
    return (OPEN * palm) @ np.array([[cos, sin], [-sin, cos]]) + np.asarray(wrist, float)


def draw_hand(picture, wrist, palm, turn=0.0, skin=SKIN):
    """The picture with a hand in it, and what of it is hand: [H, W, 3] uint8, [H, W] float32."""
    points = hand_points(wrist, palm, turn)
    mask = np.zeros(picture.shape[:2], np.uint8)
    around = np.rint(cv2.convexHull(points[_PALM].astype(np.float32))).astype(np.int32)
    cv2.fillConvexPoly(mask, around, 255)
    cv2.polylines(mask, [around], True, 255, round(0.16 * palm))
    arm = points[0] + (points[0] - points[9]) * 1.5
    for a, b, width in [(points[a], points[b], 0.2) for a, b in _FINGERS] + [(points[0], arm, 0.5)]:
        ends = [tuple(int(v) for v in np.rint(end * 16)) for end in (a, b)]
        cv2.line(mask, *ends, 255, round(width * palm), cv2.LINE_AA, 4)
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    shade = np.clip(0.72 + 0.28 * depth / (0.1 * palm), 0, 1)[..., None]
    alpha = mask[..., None] / np.float32(255)
    drawn = picture * (1 - alpha) + np.float32(skin) * shade * alpha
    for tip in points[[4, 8, 12, 16, 20]]:
        at, axes = tuple(int(v) for v in np.rint(tip)), (round(0.055 * palm), round(0.075 * palm))
        cv2.ellipse(drawn, at, axes, 0, 0, 360, tuple(min(255.0, 1.08 * v) for v in skin), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(np.clip(drawn, 0, 255).astype(np.uint8), (0, 0), 1), alpha[..., 0]
