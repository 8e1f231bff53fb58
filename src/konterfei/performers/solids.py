"""Round things drawn by procedure: limbs made of capsules, lit from above, with the texture of skin or cloth."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from konterfei.performers.raster import Float, smooth_step

Point = tuple[float, float]


@dataclass(frozen=True)
class Capsule:
    """A limb between two points that gets thinner or thicker. Frame sides."""

    start: Point
    end: Point
    radius: float
    """At the start."""
    end_radius: float


@dataclass(frozen=True)
class Sprite:
    """A picture that is laid over the frame."""

    colour: Float
    """RGB in [0, 1], drawn out beyond the outline. [H, W, 3]"""
    alpha: Float
    """[H, W]"""
    origin: Float
    """Pixel of the point that is moved about. [2]"""
    scale: float
    """Pixels per frame side."""


class Sheet:
    """Where a sprite is drawn.

    Args:
        width: in frame sides.
        height: in frame sides.
        origin: the point (0, 0) of everything drawn, from the upper left corner, in frame sides.
        scale: pixels per frame side.
        seed: of textures.
    """

    def __init__(self, width: float, height: float, origin: Point, scale: float, seed: int) -> None:
        self.scale, self.origin = scale, np.array(origin, np.float32)
        shape = (round(height * scale), round(width * scale))
        y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
        self.x, self.y = x / scale - self.origin[0], y / scale - self.origin[1]
        self.colour, self.alpha = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
        self._rng = np.random.default_rng([seed, 0x736F6C])

    def depth(self, capsules: list[Capsule]) -> tuple[Float, Float]:
        """How far limbs stand out [H, W] and the distance to their outline, negative inside [H, W]; frame sides."""
        height, distance = np.zeros_like(self.x), np.full_like(self.x, 9.0)
        for limb in capsules:
            (x0, y0), (x1, y1) = limb.start, limb.end
            dx, dy = x1 - x0, y1 - y0
            along = np.clip(((self.x - x0) * dx + (self.y - y0) * dy) / max(dx * dx + dy * dy, 1e-9), 0.0, 1.0)
            radius = limb.radius + along * (limb.end_radius - limb.radius)
            away = np.hypot(self.x - x0 - along * dx, self.y - y0 - along * dy)
            height = np.maximum(height, np.sqrt(np.maximum(radius**2 - away**2, 0.0)))
            distance = np.minimum(distance, away - radius)
        return height, distance

    def paint(self, colour: Float, alpha: Float) -> None:
        """Lays a colour over what is there. [3] or [H, W, 3], [H, W]"""
        self.colour += alpha[..., None] * (np.asarray(colour, np.float32) - self.colour)
        self.alpha += alpha * (1.0 - self.alpha)

    def limbs(self, capsules: list[Capsule], colour: Float, rough: float, soft: float = 0.004) -> Float:
        """Paints limbs as one thing with light from above and from the camera; returns their coverage. [H, W]

        Args:
            capsules: where.
            colour: RGB. [3]
            rough: how much the texture varies, 0 = smooth.
            soft: over how many frame sides the joints are rounded.
        """
        height, distance = self.depth(capsules)
        height = cv2.GaussianBlur(height, (0, 0), max(0.6, soft * self.scale))
        slope_x, slope_y = (cv2.Sobel(height, cv2.CV_32F, *d, scale=self.scale / 8) for d in ((1, 0), (0, 1)))
        length = np.sqrt(slope_x**2 + slope_y**2 + 1.0)
        facing = (0.55 * slope_y + 0.40 * slope_x + 1.0) / (1.2 * length)
        valley = np.clip((cv2.GaussianBlur(height, (0, 0), 0.014 * self.scale) - height) * 26.0, 0.0, 0.45)
        shade = (0.34 + 0.72 * np.clip(facing, 0.0, 1.0)) * (1.0 - valley)
        lit = np.asarray(colour, np.float32) * (shade * self._texture(rough))[..., None]
        lit[..., 0] += 0.035 * (1.0 - shade) * colour[0]  # light that went through skin comes out red
        cover = smooth_step(distance, 0.7 / self.scale, -0.7 / self.scale).astype(np.float32)
        self.paint(lit, cover)
        return cover

    def _texture(self, rough: float) -> Float:
        """Brightness that varies in large and in small. [H, W], mean 1"""
        fine = self._rng.standard_normal(self.x.shape).astype(np.float32)
        small = cv2.GaussianBlur(fine, (0, 0), max(0.6, 0.0022 * self.scale))
        large = cv2.GaussianBlur(fine, (0, 0), 0.016 * self.scale)
        return np.asarray(1.0 + rough * (0.6 * small / small.std() + 0.8 * large / large.std()), np.float32)

    def line(self, points: list[Point], width: float, colour: Float, strength: float, within: Float) -> None:
        """A soft line, as of a crease, where `within` is 1."""
        mark = np.zeros(self.x.shape, np.uint8)
        path = np.round((np.array(points, np.float32) + self.origin) * self.scale * 16).astype(np.int32)
        cv2.polylines(mark, [path], False, 255, max(1, round(width * self.scale)), cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(mark.astype(np.float32) / 255, (0, 0), max(0.5, 0.4 * width * self.scale))
        self.colour += (strength * soft * within)[..., None] * (np.asarray(colour, np.float32) - self.colour)

    def spot(self, at: Point, axes: Point, degrees: float, colour: Float, strength: float) -> None:
        """A soft ellipse on what is there, as of a nail."""
        angle = np.radians(degrees)
        u = (self.x - at[0]) * np.cos(angle) + (self.y - at[1]) * np.sin(angle)
        v = -(self.x - at[0]) * np.sin(angle) + (self.y - at[1]) * np.cos(angle)
        weight = smooth_step(np.hypot(u / axes[0], v / axes[1]), 1.12, 0.88) * strength
        self.colour += weight[..., None] * (np.asarray(colour, np.float32) - self.colour)

    def sprite(self, for_scale: float) -> Sprite:
        """What was drawn, no finer than `for_scale` pixels per frame side need."""
        shrink = min(1.0, 1.3 * for_scale / self.scale)
        layers = np.dstack([self.colour * self.alpha[..., None], self.alpha])
        if shrink < 1.0:
            layers = cv2.resize(layers, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        alpha = np.ascontiguousarray(layers[..., 3])
        colour = layers[..., :3] / np.maximum(alpha, 1e-3)[..., None]
        return Sprite(colour, alpha, (self.origin * self.scale + 0.5) * shrink - 0.5, self.scale * shrink)
