"""Life in the background: people who pass, a tree in the wind, a fan; all far out of focus."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from konterfei.performers.raster import Float

_SIDE = 160
"""Pixels of the small picture in which they are drawn: they are blurred anyway."""
_SHIFT = 4  # fractional bits of cv2's coordinates
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class _Walker:
    start: float
    """Where at time 0, in laps."""
    speed: float
    """Laps per second, negative to the left; a lap is 1.6 scene sides."""
    tall: float
    """Height in scene sides."""
    coat: Colour
    skin: Colour


class Bystanders:
    """Moves before a scene.

    Args:
        scene: RGB in [0, 1]. [S, S, 3]
        seed: who passes when.
    """

    def __init__(self, scene: Float, seed: int) -> None:
        self._scene = scene
        rng = np.random.default_rng([seed, 0x7061])
        # nobody is brighter than the light of the place allows
        level = float(np.clip(1.6 * scene.mean(), 0.15, 0.75))
        self._walkers = [
            _Walker(
                start=(k + float(rng.uniform(0, 0.6))) / 3,
                speed=float(rng.uniform(0.10, 0.19)) * (1 if k % 2 else -1),
                tall=float(rng.uniform(1.05, 1.30)),
                coat=_colour(level * rng.uniform(0.25, 1.1) * rng.uniform(0.85, 1.1, 3)),
                skin=_colour(level * rng.uniform(0.6, 1.1) * np.array((1.1, 0.85, 0.70))),
            )
            for k in range(3)
        ]
        self._leaves = rng.uniform(0, 1, (26, 4))
        self._phase = rng.uniform(0, 2 * np.pi, 3)
        self._leaf = _colour(level * np.array((0.42, 0.62, 0.30)))
        self._metal = _colour(level * np.array((0.9, 0.9, 0.95)))

    def at(self, time_s: float) -> Float:
        """The scene with everybody in it. [S, S, 3]"""
        layer: Float = np.zeros((_SIDE, _SIDE, 4), np.float32)
        self._tree(layer, time_s)
        self._fan(layer, time_s)
        for walker in self._walkers:
            _walk(layer, walker, time_s)
        layer = cv2.GaussianBlur(layer, (0, 0), 0.017 * _SIDE)
        side = self._scene.shape[0]
        layer = cv2.resize(layer, (side, side), interpolation=cv2.INTER_LINEAR)
        return np.asarray(self._scene * (1.0 - layer[..., 3:]) + layer[..., :3], np.float32)

    def _tree(self, layer: Float, time_s: float) -> None:
        """A branch from the left whose leaves sway, those farther out more."""
        gusts = np.sin(2 * np.pi * np.array((0.23, 0.61, 1.07)) * time_s + self._phase)
        wind = float(gusts @ (0.6, 0.3, 0.1))
        for far, across, size, tone in self._leaves:
            x = -0.02 + 0.24 * far + 0.05 * wind * far * far
            y = 0.20 + 0.22 * (across - 0.5) * (0.4 + far) + 0.04 * wind * far
            shade = 0.6 + 0.7 * tone
            _blob(layer, (x, y), (0.018 + 0.02 * size, 0.012 + 0.012 * size), 40 * wind, self._leaf, shade)

    def _fan(self, layer: Float, time_s: float) -> None:
        """Three blades, not quite one turn a second."""
        middle = np.array((0.84, 0.20))
        for blade in range(3):
            angle = 2 * np.pi * (0.83 * time_s + blade / 3) + self._phase[0]
            at = middle + 0.055 * np.array((np.cos(angle), np.sin(angle)))
            _blob(layer, (float(at[0]), float(at[1])), (0.055, 0.022), float(np.degrees(angle)), self._metal, 1.0)
        _blob(layer, (float(middle[0]), float(middle[1])), (0.018, 0.018), 0.0, self._metal, 0.5)


def _walk(layer: Float, walker: _Walker, time_s: float) -> None:
    """One person from the waist up: hair, head, neck, body and an arm that swings with the steps."""
    x = 1.6 * ((walker.start + walker.speed * time_s) % 1.0) - 0.3
    step = 2 * np.pi * 1.7 * time_s + 7 * walker.start
    tall, floor = walker.tall, 1.47 + 0.006 * float(np.cos(2 * step))
    swing = 0.07 * tall * float(np.sin(step))
    _blob(layer, (x, floor - 0.55 * tall), (0.125 * tall, 0.30 * tall), 0.0, walker.coat, 1.0)
    _blob(layer, (x, floor - 0.765 * tall), (0.15 * tall, 0.06 * tall), 0.0, walker.coat, 1.0)
    _blob(layer, (x + swing, floor - 0.60 * tall), (0.045 * tall, 0.19 * tall), -150 * swing, walker.coat, 0.75)
    _blob(layer, (x, floor - 0.85 * tall), (0.035 * tall, 0.06 * tall), 0.0, walker.skin, 0.85)
    _blob(layer, (x, floor - 0.93 * tall), (0.055 * tall, 0.08 * tall), 0.0, walker.skin, 1.0)
    _blob(layer, (x, floor - 0.965 * tall), (0.060 * tall, 0.055 * tall), 0.0, walker.coat, 0.35)


def _blob(
    layer: Float, at: tuple[float, float], axes: tuple[float, float], degrees: float, colour: Colour, shade: float
) -> None:
    """A filled ellipse, in scene sides."""
    unit = _SIDE * (1 << _SHIFT)
    middle, size = (round(at[0] * unit), round(at[1] * unit)), (round(axes[0] * unit), round(axes[1] * unit))
    paint = (colour[0] * shade, colour[1] * shade, colour[2] * shade, 1.0)
    cv2.ellipse(layer, middle, size, degrees, 0, 360, paint, -1, cv2.LINE_8, _SHIFT)


def _colour(values: Float) -> Colour:
    return float(values[0]), float(values[1]), float(values[2])
