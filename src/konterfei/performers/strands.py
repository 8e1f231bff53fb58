"""What is drawn with lines before a face: blown hair, and glasses that go with the head."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers.cast import Look
from konterfei.performers.motion import Pose
from konterfei.performers.props import Layer, Prop
from konterfei.performers.raster import Float, polygon_mask, smooth_curve, smooth_step
from konterfei.performers.rig import move_head

_SHIFT = 4  # fractional bits of cv2's coordinates


def hair(seed: int, look: Look, side: int) -> Prop:
    """A fringe that the wind blows from the temple over eyes and cheek and back, once in five seconds."""
    return _Hair(seed, side)


def glasses(seed: int, look: Look, side: int) -> Prop:
    """A pair with dark frames and clear lenses, on the nose from the first frame to the last."""
    return _Glasses(seed, side)


class _Hair:
    def __init__(self, seed: int, side: int) -> None:
        rng = np.random.default_rng([seed, 0x68616972])
        self._side = side
        self._mirrored = bool(rng.random() < 0.5)
        self._phase = rng.uniform(0, 2 * np.pi, 4)
        self._tone = np.array(((0.10, 0.075, 0.06), (0.16, 0.11, 0.08), (0.07, 0.06, 0.06))[seed % 3])
        self._strands = []
        for _ in range(9):
            root, length, late = rng.uniform(-1.0, 1.0), rng.uniform(0.34, 0.52), rng.normal(0, 0.06)
            for _ in range(int(rng.integers(8, 18))):
                spread = root + rng.normal(0, 0.12), 0.022 * abs(root) + abs(rng.normal(0, 0.012))
                length_here, late_here = length * rng.uniform(0.75, 1.05), late + rng.normal(0, 0.018)
                self._strands.append(
                    (*spread, length_here, late_here, rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.9))
                )

    def draw(self, pose: Pose, time_s: float, view: NDArray[np.float64], canvas: int) -> Layer | None:
        # how far the wind has turned the fringe over the face: 0 = along the temple, 1 = over the other cheek
        over = 0.5 - 0.5 * np.cos(2 * np.pi * time_s / 5.0) + 0.07 * np.sin(2 * np.pi * 1.3 * time_s + self._phase[0])
        down = np.linspace(0.0, 1.0, 16)
        colour = np.tile(self._tone.astype(np.float32), (canvas, canvas, 1))
        cover = np.zeros((canvas, canvas), np.uint8)
        nearness = float(np.sqrt(np.abs(np.linalg.det(view[:, :2]))))
        width = 0.0026 * self._side * nearness
        for root, low, length, late, wave, tone in self._strands:
            aim = -0.42 + 1.15 * over + late  # radians from straight down
            bend = aim + (0.55 - 0.9 * over) * (1.0 - down) + 0.10 * np.sin(3.0 * down + wave + 2.2 * time_s) * down
            steps = length / (len(down) - 1)
            x = 0.415 + 0.045 * root + np.concatenate([[0.0], np.cumsum(np.sin(bend[1:]) * steps)])
            y = 0.155 + low + np.concatenate([[0.0], np.cumsum(np.cos(bend[1:]) * steps)])
            points = np.column_stack([1.0 - x if self._mirrored else x, y]) + 0.9 * np.array(pose.shift)
            path = np.round((points * self._side @ view[:, :2].T + view[:, 2]) * (1 << _SHIFT)).astype(np.int32)
            paint = tuple(float(v) for v in self._tone * tone)
            thick = max(1, round(width))
            cv2.polylines(colour, [path], False, paint, thick + 1, cv2.LINE_8, _SHIFT)
            for part, share in ((path[:9], 1.0), (path[8:13], 0.85), (path[12:], 0.6)):  # thinner towards the tip
                weight = round(255 * min(1.0, 0.3 + 0.7 * share * width / thick))
                cv2.polylines(cover, [part], False, weight, thick, cv2.LINE_AA, _SHIFT)
        return Layer(colour, cover.astype(np.float32) / 255)


class _Glasses:
    """Geometry in eye distances around the middle of the eyes: x right, y down, z away from the camera."""

    def __init__(self, seed: int, side: int) -> None:
        self._side = side
        self._unit = 0.27 * side
        self._tone = np.array(((0.06, 0.05, 0.05), (0.22, 0.12, 0.06), (0.10, 0.12, 0.18))[seed % 3], np.float32)
        angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        # a superellipse: between round and square
        x, y = (np.sign(f(angle)) * np.abs(f(angle)) ** 0.62 for f in (np.cos, np.sin))
        self._rims = [np.column_stack([c + 0.225 * x, 0.05 + 0.180 * y, -0.14 + 0.16 * (c + 0.2 * x) ** 2])
                      for c in (-0.325, 0.325)]  # fmt: skip
        bridge = np.linspace(-1.0, 1.0, 7)
        self._bridge = np.column_stack([0.105 * bridge, -0.03 - 0.035 * (1 - bridge**2), -0.16 + 0.02 * bridge**2])
        self._temples = [
            np.column_stack([s * np.linspace(0.545, 0.70, 6), np.linspace(0.0, -0.02, 6), np.linspace(-0.10, 0.75, 6)])
            for s in (-1.0, 1.0)
        ]

    def draw(self, pose: Pose, time_s: float, view: NDArray[np.float64], canvas: int) -> Layer | None:
        def placed(points: Float) -> Float:
            middle = np.array([0.5, 0.43, 0.0]) * self._side
            space = (middle + points * self._unit).astype(np.float32)
            pivot = np.array([0.5 * self._side, 0.43 * self._side + 0.35 * self._unit, 0.75 * self._unit], np.float32)
            neck = np.array([0.5 * self._side, 0.43 * self._side + 1.75 * self._unit], np.float32)
            ones = np.ones(len(space), np.float32)
            flat = move_head(space, ones, pose, self._side, pivot, neck, self._unit)[:, :2]
            return np.asarray(flat @ view[:, :2].T + view[:, 2])

        nearness = float(np.sqrt(np.abs(np.linalg.det(view[:, :2]))))
        width = 0.036 * self._unit * nearness
        frame = np.zeros((canvas, canvas), np.uint8)
        lens = np.zeros((canvas, canvas), np.float32)
        for rim in self._rims:
            path = placed(rim)
            lens = np.maximum(lens, polygon_mask(path, (canvas, canvas), 0.0))
            _line(frame, smooth_curve(np.concatenate([path, path[:1]])), True, width)
        _line(frame, placed(self._bridge), False, 1.1 * width)
        for side, temple in zip((-1.0, 1.0), self._temples, strict=True):
            # the temple on the side that turns away goes behind the head
            seen = np.zeros_like(frame)
            _line(seen, placed(temple), False, 0.8 * width)
            weight = float(smooth_step(side * pose.yaw, 0.16, 0.04))
            frame = np.maximum(frame, (weight * seen).astype(np.uint8))
        rims = frame.astype(np.float32) / 255
        shine = cv2.GaussianBlur(rims, (0, 0), max(0.5, 0.25 * width), None, 0, 0)
        up = np.roll(shine, max(1, round(0.3 * width)), axis=0)
        colour = self._tone + (0.30 * np.clip(shine - up, 0, 1) * rims)[..., None]
        # clear glass takes a little light and mirrors a little of the room
        glass = 0.07 * lens
        alpha = np.maximum(rims, glass)
        colour = np.where((rims < glass)[..., None], np.float32(0.45), colour).astype(np.float32)
        return Layer(colour, alpha)


def _line(picture: NDArray[np.uint8], points: Float, is_closed: bool, width: float) -> None:
    """A line of exact width with soft edges, where cv2 knows whole pixels only."""
    thick = max(1, round(width))
    strength = round(255 * min(1.0, max(0.4, width / thick)))
    path = [np.round(points * (1 << _SHIFT)).astype(np.int32)]
    cv2.polylines(picture, path, is_closed, strength, thick, cv2.LINE_AA, _SHIFT)
