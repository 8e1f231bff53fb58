"""Backgrounds out of focus and the light of a room: drawn, not photographed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from konterfei.performers.rig import Float


def _wall(side: int, top: tuple[float, float, float], bottom: tuple[float, float, float]) -> Float:
    t = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    wall = np.asarray(top, np.float32) * (1 - t) + np.asarray(bottom, np.float32) * t
    return np.repeat(wall, side, axis=1)


def _box(canvas: Float, x0: float, y0: float, x1: float, y1: float, colour: tuple[float, float, float]) -> None:
    side = len(canvas)
    cv2.rectangle(canvas, (int(x0 * side), int(y0 * side)), (int(x1 * side), int(y1 * side)), colour, -1)


def _blob(canvas: Float, x: float, y: float, radius: float, colour: tuple[float, float, float]) -> None:
    """A light out of focus: a disc that adds itself."""
    side = len(canvas)
    layer = np.zeros_like(canvas)
    cv2.circle(layer, (int(x * side), int(y * side)), max(1, int(radius * side)), colour, -1, cv2.LINE_AA)
    canvas += layer


def _defocus(canvas: Float, radius: float) -> Float:
    """Blur with a disc, as a wide lens does, then a little gaussian."""
    size = 2 * max(1, int(radius * len(canvas))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)).astype(np.float32)
    out = cv2.filter2D(canvas, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    return cv2.GaussianBlur(out, (0, 0), 0.012 * len(canvas))


def _office(side: int, rng: np.random.Generator) -> Float:
    canvas = _wall(side, (0.50, 0.49, 0.47), (0.36, 0.34, 0.32))
    _box(canvas, 0.02, 0.0, 0.33, 0.72, (0.92, 0.95, 1.0))  # a window
    _box(canvas, 0.16, 0.0, 0.18, 0.72, (0.55, 0.56, 0.57))
    _box(canvas, 0.02, 0.33, 0.33, 0.35, (0.55, 0.56, 0.57))
    _box(canvas, 0.0, 0.72, 0.36, 1.0, (0.30, 0.27, 0.24))
    _box(canvas, 0.66, 0.14, 1.0, 1.0, (0.27, 0.22, 0.18))  # shelves with books
    for row in range(4):
        y = 0.20 + 0.19 * row
        x = 0.68
        while x < 0.99:
            w = rng.uniform(0.012, 0.035)
            colour = tuple(float(v) for v in rng.uniform(0.12, 0.55, 3) * (1.0, 0.9, 0.8))
            _box(canvas, x, y + rng.uniform(0, 0.04), x + w, y + 0.15, colour)
            x += w + 0.004
    return _defocus(canvas, 0.022)


def _evening(side: int, rng: np.random.Generator) -> Float:
    canvas = _wall(side, (0.07, 0.09, 0.15), (0.15, 0.12, 0.12))
    _box(canvas, 0.0, 0.62, 1.0, 1.0, (0.10, 0.085, 0.08))
    canvas = _defocus(canvas, 0.05)
    for _ in range(26):  # lamps of a street behind glass
        warm = rng.random() < 0.7
        tone = np.array((1.0, 0.62, 0.28) if warm else (0.45, 0.62, 0.95)) * rng.uniform(0.12, 0.5)
        _blob(canvas, rng.uniform(0, 1), rng.uniform(0.08, 0.75), rng.uniform(0.015, 0.045), tuple(float(v) for v in tone))
    return _defocus(canvas, 0.006)


def _garden(side: int, rng: np.random.Generator) -> Float:
    canvas = _wall(side, (0.66, 0.74, 0.80), (0.20, 0.30, 0.14))
    for _ in range(160):
        green = np.array((0.25, 0.42, 0.13)) * rng.uniform(0.4, 1.5) + rng.uniform(0, 0.1)
        y = rng.beta(2.2, 1.6)
        cv2.circle(canvas, (int(rng.uniform(0, side)), int(y * side)), int(rng.uniform(0.02, 0.09) * side), tuple(float(v) for v in green), -1)
    for _ in range(30):
        _blob(canvas, rng.uniform(0, 1), rng.uniform(0, 0.6), rng.uniform(0.008, 0.02), (0.3, 0.33, 0.2))
    return _defocus(canvas, 0.02)


def _studio(side: int, rng: np.random.Generator) -> Float:
    canvas = _wall(side, (0.33, 0.30, 0.30), (0.24, 0.21, 0.21))
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side
    glow = np.exp(-(((x - 0.7) / 0.45) ** 2 + ((y - 0.4) / 0.5) ** 2))
    return _defocus(canvas + glow[..., None] * np.array((0.25, 0.2, 0.17), np.float32), 0.02)


SCENES: dict[str, Callable[[int, np.random.Generator], Float]] = {
    "office": _office,
    "evening": _evening,
    "garden": _garden,
    "studio": _studio,
}
"""Scene -> picture of a given side, RGB in [0, 1]."""


def scene(name: str, side: int) -> Float:
    """The background, the same at every call. [side, side, 3]"""
    return np.clip(SCENES[name](side, np.random.default_rng(len(name))), 0.0, 1.0).astype(np.float32)
