"""Draws one frame of a performer: skin over mouth and eyes, over a background, through a camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers import anatomy
from konterfei.performers.cast import Look
from konterfei.performers.eyes import lid_outline
from konterfei.performers.light import GAMMA, Light
from konterfei.performers.motion import Pose
from konterfei.performers.plates import SCALE, Plates
from konterfei.performers.raster import (
    Float,
    evaluate,
    paint_order,
    planes,
    polygon_mask,
    signed_areas,
    smooth_curve,
    smooth_step,
    triangle_ids,
)

_STRIP = np.array(
    [t for i in range(10) for t in ((i, i + 1, 11 + i), (i + 1, 12 + i, 11 + i))],
    np.int32,
)
"""Triangles between upper and lower lip, over a ring of 11 + 11 points."""


@dataclass(frozen=True)
class Drawing:
    """A performer without background."""

    colour: Float
    """RGB in [0, 1]. [H, W, 3]"""
    alpha: Float
    """1 = performer. [H, W]"""
    points: Float
    """The mesh's points in the frame: true by construction. [468, 2]"""
    iris: Float
    """Middles of the irises, image-left first. [2, 2]"""
    head: Float
    """Middle of the head in the frame. [2]"""


class Artist:
    """Draws a performer at a fixed size.

    Args:
        plates: the performer.
        frame_side: pixels of the frame that the plates were made for.
        look: light.
        canvas: width and height of the drawing, pixels; as `frame_side` unless told.
    """

    def __init__(self, plates: Plates, frame_side: int, look: Look, canvas: int | None = None) -> None:
        self.plates, self.side, self.look = plates, frame_side, look
        self.canvas = canvas or frame_side
        light = np.array(look.light, np.float32)
        self._light = light / np.linalg.norm(light)
        self._rounded = plates.alpha * _arms(plates.alpha.shape[0], plates.low, frame_side)
        self._flat = self._gain(plates.rig.rest)
        self._turn = signed_areas(plates.rig.opened, plates.rig.triangles)

    def draw(self, pose: Pose, light: Light | None = None, view: NDArray[np.float64] | None = None) -> Drawing:
        """The performer in a pose.

        Args:
            pose: what is done.
            light: what is added to the set's own light; None = nothing.
            view: from pixels of the performer's own frame to pixels of the drawing [2, 3]; None = they are the same.
        """
        rig = self.plates.rig
        placed = rig.place(rig.shape(pose), pose, self.side)
        flat = self._seen(np.ascontiguousarray(placed[:, :2]), view)
        order = paint_order(np.column_stack([flat, placed[:, 2]]), rig.triangles, self._turn)
        ids = triangle_ids(flat, rig.triangles, order, (self.canvas, self.canvas))
        values = [(rig.rest[:, :2] - self.plates.low) * SCALE, self._gain(placed) / self._flat]
        if light is not None and not light.is_own:
            values.append(self._normals(placed) @ np.array(light.toward, np.float32))
        grid = evaluate(planes(flat, rig.triangles, np.column_stack(values).astype(np.float32)), ids)
        colour = self._skin(pose)
        picture = cv2.remap(colour, grid[0], grid[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        cover = self.plates.alpha if view is None else self._rounded
        alpha = cv2.remap(cover, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if view is not None:
            alpha *= ids >= 0  # the rig ends not far beyond its own frame
        self._mouth(picture, pose, flat)
        iris = np.stack([self._eye(picture, pose, flat, eye, view) for eye in (0, 1)])
        gain = cv2.GaussianBlur(grid[2], (0, 0), 0.03 * self.side)
        picture *= gain[..., None]
        if light is not None and not light.is_own:
            self._shine(picture, grid[3], light)
        np.clip(picture, 0, 1, out=picture)
        middle = rig.transform(rig.pivot[None], np.ones(1, np.float32), pose, self.side)[:, :2]
        points, head = flat[: anatomy.NUM_SKIN], self._seen(middle, view)[0]
        return Drawing(colour=picture, alpha=alpha, points=points, iris=iris, head=head)

    def points(self, pose: Pose, view: NDArray[np.float64] | None = None) -> Float:
        """Where the mesh's points are in a pose, without drawing it. [468, 2]"""
        rig = self.plates.rig
        placed = rig.place(rig.shape(pose), pose, self.side)[: anatomy.NUM_SKIN, :2]
        return self._seen(placed, view)

    @staticmethod
    def _seen(points: Float, view: NDArray[np.float64] | None) -> Float:
        """Points of the performer's own frame in the drawing. [N, 2]"""
        return points if view is None else (points @ view[:, :2].T + view[:, 2]).astype(np.float32)

    def _shine(self, picture: Float, facing: Float, light: Light) -> None:
        """Takes the set's light down and adds the lamp's, in linear light, by how far the skin faces the lamp.

        Args:
            picture: changed in place. [H, W, 3]
            facing: cosine of the angle between skin and lamp. [H, W]
            light: of this instant.
        """
        facing = cv2.GaussianBlur(facing, (0, 0), 0.010 * self.side)
        lit = smooth_step(facing, -0.12, 0.10) * np.maximum(facing + 0.06, 0.0)  # the lamp has a size: a soft edge
        for c in range(3):
            picture[..., c] *= (light.room[c] + light.lamp[c] * lit) ** np.float32(1.0 / GAMMA)

    def _gain(self, points: Float) -> Float:
        """How bright the key light makes each point. [V]"""
        facing = self._normals(points) @ self._light
        return (1.0 + self.look.contrast * (facing - 0.55)).astype(np.float32)

    def _normals(self, points: Float) -> Float:
        """Where the skin faces at each point, towards the camera. [V, 3]"""
        triangles = self.plates.rig.triangles
        corner = points[triangles]
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        normal *= -np.sign(normal[:, 2:])  # towards the camera
        total = np.zeros_like(points)
        for k in range(3):
            np.add.at(total, triangles[:, k], normal)
        total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-6)
        return total

    def _skin(self, pose: Pose) -> Float:
        """The skin plate with the folds of the expression. [H, W, 3]"""
        folds = self.plates.folds
        active = {c: getattr(pose, c) for c in folds if getattr(pose, c) > 0.01}
        if not active and pose.blink <= 0:
            return self.plates.colour
        colour = self.plates.colour.copy()
        for lid in self.plates.lids if pose.blink > 0 else ():
            patch = colour[lid.place]
            patch += np.float32(pose.blink) * lid.weight * (lid.colour - patch)
        if active:
            total = sum(np.float32(weight) * folds[c] for c, weight in active.items())
            colour[self.plates.face] *= np.exp(total)
        return colour

    def _mouth(self, picture: Float, pose: Pose, flat: Float) -> None:
        weights = {c: getattr(pose, c) for c in self.plates.cavities if getattr(pose, c) > 0.01}
        total = sum(weights.values())
        if not weights:
            return
        upper, lower = flat[list(anatomy.INNER_LIPS_UPPER)], flat[list(anatomy.INNER_LIPS_LOWER)]
        x0, y0, x1, y1 = _bounds(np.concatenate([upper, lower]), 6, self.canvas)
        if x1 <= x0 or y1 <= y0:
            return
        origin = np.array([x0, y0], np.float32)
        ring = np.concatenate([upper, lower]) - origin
        shape = (y1 - y0, x1 - x0)
        outline = np.concatenate([smooth_curve(ring[:11]), smooth_curve(ring[11:])[-2:0:-1]])
        mask = polygon_mask(outline, shape, 0.0014 * self.side) * min(1.0, 4.0 * total)
        wide = _widened(ring)
        ids = triangle_ids(wide, _STRIP, np.arange(len(_STRIP)), shape)
        inside = np.zeros((*shape, 3), np.float32)
        for channel, weight in weights.items():
            cavity = self.plates.cavities[channel]
            grid = evaluate(planes(wide, _STRIP, cavity.ring), ids)
            still = cv2.remap(cavity.texture, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            inside += (weight / total) * still
        inside *= self._shade(outline, shape, 0.05, 0.40)[..., None]
        deep = cv2.GaussianBlur(mask, (0, 0), 0.025 * self.plates.rig.eye_distance)
        inside *= (0.55 + 0.45 * np.minimum(1.0, 1.1 * deep))[..., None]  # little light gets in along the lips
        mask = (mask * (ids >= 0))[..., None]
        region = picture[y0:y1, x0:x1]
        region += mask * (inside - region)

    def _eye(self, picture: Float, pose: Pose, flat: Float, eye: int, view: NDArray[np.float64] | None) -> Float:
        """Draws one eye and returns the middle of its iris in the frame. [2]"""
        ball, rig = self.plates.eyes[eye], self.plates.rig
        unit = rig.eye_distance
        centre = rig.iris(pose, eye, ball.centre, ball.iris_radius)
        anchors = centre + np.array([[0, 0, 0], [unit, 0, 0], [0, unit, 0]], np.float32)
        placed = self._seen(rig.transform(anchors, np.ones(3, np.float32), pose, self.side)[:, :2], view)
        outline = lid_outline(flat, eye)
        x0, y0, x1, y1 = _bounds(outline, 8, self.canvas)
        if x1 <= x0 or y1 <= y0:
            return placed[0]
        origin, shape = np.array([x0, y0], np.float32), (y1 - y0, x1 - x0)
        half = (np.array(ball.texture.shape[1::-1], np.float32) - 1) / 2
        there = half + np.array([[0, 0], [unit, 0], [0, unit]], np.float32) * np.float32(ball.scale)
        matrix = cv2.getAffineTransform(there.astype(np.float32), (placed - origin).astype(np.float32))
        inside = cv2.warpAffine(
            ball.texture, matrix, shape[::-1], flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        outline = outline - origin
        mask = polygon_mask(outline, shape, 0.0014 * self.side) * float(smooth_step(np.float32(pose.blink), 0.97, 0.86))
        inside *= self._shade(outline, shape, 0.035, 0.42)[..., None]
        region = picture[y0:y1, x0:x1]
        region += mask[..., None] * (inside - region)
        self._lashes(region, flat[list(anatomy.UPPER_LID[eye])] - origin, eye, pose.blink)
        return placed[0]

    def _shade(self, outline: Float, shape: tuple[int, int], drop: float, depth: float) -> Float:
        """Shadow of what is above an opening on what is inside it. [H, W]

        Args:
            outline: of the opening. [N, 2]
            shape: height, width.
            drop: length of the shadow in eye distances.
            depth: how dark, 1 = black.
        """
        length = drop * self.plates.rig.eye_distance
        lit = polygon_mask(outline + np.array([0, length], np.float32), shape, max(0.6, 0.6 * length))
        return (1.0 - depth) + depth * np.minimum(1.0, 1.15 * lit)

    def _lashes(self, region: Float, lid: Float, eye: int, blink: float) -> None:
        """A soft dark line along the edge of the upper lid, strongest towards the temple and when shut."""
        unit = self.plates.rig.eye_distance
        curve = smooth_curve(lid)
        weight = np.zeros(region.shape[:2], np.uint8)
        steps = len(curve) - 1
        for k in range(steps):
            outward = 1 - (k + 0.5) / steps if eye == 0 else (k + 0.5) / steps  # 1 at the temple
            shade = int(255 * (0.35 + 0.65 * min(1.0, 1.6 * outward)) * (1 - 0.5 * outward**6))
            a, b = np.round(curve[k : k + 2] * 16).astype(int)
            cv2.line(
                weight,
                (int(a[0]), int(a[1])),
                (int(b[0]), int(b[1])),
                shade,
                max(1, round(0.012 * unit)),
                cv2.LINE_AA,
                4,
            )
        soft = cv2.GaussianBlur(weight.astype(np.float32) / 255, (0, 0), max(0.5, 0.006 * unit)) * (0.35 + 0.4 * blink)
        region *= (1 - soft)[..., None]
        region += soft[..., None] * np.array((0.07, 0.05, 0.045), np.float32)


def _arms(side: int, low: float, frame_side: int) -> Float:
    """1 inside arms that hang from the shoulders: the portrait ends at the sides, where a camera that moves may look.

    Args:
        side: of the texture.
        low: frame coordinate of its first pixel.
        frame_side: pixels.
    """
    at = (np.arange(side, dtype=np.float32) / SCALE + low) / frame_side
    aside = np.minimum(np.abs(at - 0.5) / 0.58, 1.0)[None, :]
    shoulder = 0.72 + 0.44 * (1.0 - np.sqrt(1.0 - aside**4))  # flat, then rounded down to the arm's outside
    inside = smooth_step(at[:, None] - shoulder, -0.006, 0.0) * (aside < 1.0)
    hair = at[:, None] < 0.80  # may be wider than the shoulders
    return np.where(hair, np.float32(1.0), inside).astype(np.float32)


def _bounds(points: Float, pad: int, side: int) -> tuple[int, int, int, int]:
    low = np.clip(np.floor(points.min(axis=0)).astype(int) - pad, 0, side)
    high = np.clip(np.ceil(points.max(axis=0)).astype(int) + pad, 0, side)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _widened(ring: Float) -> Float:
    """The ring of the inner lips, a pixel and a half larger, so that soft edges find colour beyond it. [22, 2]"""
    out = ring.copy()
    out[:11, 1] -= 1.5
    out[11:, 1] += 1.5
    out[[0, 11], 0] -= 1.5
    out[[10, 21], 0] += 1.5
    return out
