"""Draws one frame of a performer: skin over mouth and eyes, over a background, through a camera."""

from __future__ import annotations

import cv2
import numpy as np

from konterfei.performers import anatomy
from konterfei.performers.cast import Look
from konterfei.performers.motion import Pose
from konterfei.performers.plates import SCALE, Plates
from konterfei.performers.raster import evaluate, planes, polygon_mask, triangle_ids
from konterfei.performers.rig import Float

_STRIP = np.array(
    [t for i in range(10) for t in ((i, i + 1, 11 + i), (i + 1, 12 + i, 11 + i))],
    np.int32,
)
"""Triangles between upper and lower lip, over a ring of 11 + 11 points."""


class Artist:
    """Draws a performer at a fixed size.

    Args:
        plates: the performer.
        frame_side: pixels.
        look: light.
    """

    def __init__(self, plates: Plates, frame_side: int, look: Look) -> None:
        self.plates, self.side, self.look = plates, frame_side, look
        light = np.array(look.light, np.float32)
        self._light = light / np.linalg.norm(light)
        self._flat = self._gain(plates.rig.rest)

    def draw(self, pose: Pose) -> tuple[Float, Float, Float]:
        """Colour [H, W, 3] in [0, 1], alpha [H, W], and the skin's points in the frame [468, 2]."""
        rig, side = self.plates.rig, self.side
        shaped = rig.shape(pose)
        placed = rig.place(shaped, pose, side)
        flat = np.ascontiguousarray(placed[:, :2])
        order = np.argsort(-placed[:, 2][rig.triangles].mean(axis=1))
        ids = triangle_ids(flat, rig.triangles, order, (side, side))
        values = np.column_stack([(rig.rest[:, :2] - self.plates.low) * SCALE, self._gain(placed) / self._flat])
        grid = evaluate(planes(flat, rig.triangles, values.astype(np.float32)), ids)
        colour = self._skin(pose)
        picture = cv2.remap(colour, grid[0], grid[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(self.plates.alpha, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self._mouth(picture, pose, flat)
        for eye in (0, 1):
            self._eye(picture, pose, flat, eye)
        gain = cv2.GaussianBlur(grid[2], (0, 0), 0.03 * side)
        picture *= gain[..., None]
        np.clip(picture, 0, 1, out=picture)
        return picture, alpha, flat[: anatomy.NUM_SKIN]

    def _gain(self, points: Float) -> Float:
        """How bright the key light makes each point. [V]"""
        rig = self.plates.rig
        triangles = rig.triangles
        corner = points[triangles]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        normal *= -np.sign(normal[:, 2:])  # towards the camera
        total = np.zeros_like(points)
        for k in range(3):
            np.add.at(total, triangles[:, k], normal)
        total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6)
        facing = total @ self._light
        return (1.0 + self.look.contrast * (facing - 0.55)).astype(np.float32)

    def _skin(self, pose: Pose) -> Float:
        colour = self.plates.colour
        active = {c: getattr(pose, c) for c in self.plates.wrinkles if getattr(pose, c) > 0.01}
        if not active:
            return colour
        colour = colour.copy()
        for channel, weight in active.items():
            cv2.scaleAdd(self.plates.wrinkles[channel], weight, colour, colour)
        return colour

    def _mouth(self, picture: Float, pose: Pose, flat: Float) -> None:
        weights = {c: getattr(pose, c) for c in self.plates.cavities if getattr(pose, c) > 0.01}
        total = sum(weights.values())
        if not weights:
            return
        ring = flat[[*anatomy.INNER_LIPS_UPPER, *anatomy.INNER_LIPS_LOWER]]
        x0, y0, x1, y1 = _bounds(ring, 6, self.side)
        if x1 <= x0 or y1 <= y0:
            return
        local = (ring - (x0, y0)).astype(np.float32)
        shape = (y1 - y0, x1 - x0)
        polygon = np.concatenate([local[:11], local[11:][::-1]])
        mask = polygon_mask(polygon, shape, 0.0012 * self.side) * min(1.0, 4.0 * total)
        wide = _widen(local)
        ids = triangle_ids(wide, _STRIP, np.arange(len(_STRIP)), shape)
        inside = np.zeros((*shape, 3), np.float32)
        for channel, weight in weights.items():
            cavity = self.plates.cavities[channel]
            grid = evaluate(planes(wide, _STRIP, _widen(cavity.ring)), ids)
            inside += (weight / total) * cv2.remap(cavity.texture, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mask = (mask * (ids >= 0))[..., None]
        region = picture[y0:y1, x0:x1]
        region += mask * (inside - region)

    def _eye(self, picture: Float, pose: Pose, flat: Float, eye: int) -> None:
        ball, rig = self.plates.eyes[eye], self.plates.rig
        ring = flat[[*anatomy.UPPER_LID[eye], *anatomy.LOWER_LID[eye][::-1]]]
        x0, y0, x1, y1 = _bounds(ring, 6, self.side)
        if x1 <= x0 or y1 <= y0:
            return
        unit = rig.eye_distance
        shift = np.array([pose.gaze[0], pose.gaze[1], 0], np.float32) * ball.iris_radius
        anchors = ball.centre + np.array([[0, 0, 0], [unit, 0, 0], [0, unit, 0]], np.float32)
        placed = rig.transform(anchors + shift, np.ones(3, np.float32), pose, self.side)[:, :2] - (x0, y0)
        half = (np.array(ball.texture.shape[1::-1], np.float32) - 1) / 2
        there = half + np.array([[0, 0], [unit, 0], [0, unit]], np.float32) * ball.scale
        matrix = cv2.getAffineTransform(there.astype(np.float32), placed.astype(np.float32))
        shape = (y1 - y0, x1 - x0)
        inside = cv2.warpAffine(ball.texture, matrix, shape[::-1], flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        local = (ring - (x0, y0)).astype(np.float32)
        mask = polygon_mask(local, shape, 0.0014 * self.side)
        # the upper lid and its lashes throw a shadow on the eye
        drop = 0.045 * unit
        lit = cv2.GaussianBlur(polygon_mask(local + np.array([0, drop], np.float32), shape, 0.0), (0, 0), 0.6 * drop)
        inside *= (0.55 + 0.45 * np.minimum(1.0, 1.15 * lit))[..., None]
        region = picture[y0:y1, x0:x1]
        region += mask[..., None] * (inside - region)


def _bounds(points: Float, pad: int, side: int) -> tuple[int, int, int, int]:
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - pad, 0, side)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + pad, 0, side)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _widen(ring: Float) -> Float:
    """The ring of the inner lips, a pixel and a half larger, so that soft edges find colour beyond it."""
    out = ring.copy()
    out[:11, 1] -= 1.5
    out[11:, 1] += 1.5
    out[[0, 11], 0] -= 1.5
    out[[10, 21], 0] += 1.5
    return out
