"""Backgrounds out of focus, drawn by procedure: no photograph of any place is used."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from konterfei.performers.raster import Float, disc

Colour = tuple[float, float, float]


def _wall(side: int, top: Colour, bottom: Colour) -> Float:
    t = np.linspace(0, 1, side, dtype=np.float32)[:, None, None]
    return np.repeat(np.asarray(top, np.float32) * (1 - t) + np.asarray(bottom, np.float32) * t, side, axis=1)


def _box(canvas: Float, x0: float, y0: float, x1: float, y1: float, colour: Colour) -> None:
    side = len(canvas)
    cv2.rectangle(canvas, (int(x0 * side), int(y0 * side)), (int(x1 * side), int(y1 * side)), colour, -1)


def _lamp(canvas: Float, x: float, y: float, radius: float, colour: Colour) -> None:
    """A small light out of focus: a disc, brighter at its rim as fast lenses show it, that adds itself."""
    side = len(canvas)
    layer = np.zeros_like(canvas)
    middle, size = (int(x * side), int(y * side)), max(1, int(radius * side))
    cv2.circle(layer, middle, size, colour, -1, cv2.LINE_AA)
    cv2.circle(layer, middle, size, tuple(1.25 * c for c in colour), max(1, size // 8), cv2.LINE_AA)
    canvas += layer


def _glow(canvas: Float, x: float, y: float, spread: float, colour: Colour) -> None:
    side = len(canvas)
    v, u = np.mgrid[0:side, 0:side].astype(np.float32) / side
    canvas += np.exp(-((u - x) ** 2 + (v - y) ** 2) / (2 * spread**2))[..., None] * np.asarray(colour, np.float32)


def _defocus(canvas: Float, radius: float) -> Float:
    """Blur with a disc, as a wide open lens does."""
    kernel = disc(radius * len(canvas)).astype(np.float32)
    out = cv2.filter2D(canvas, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)
    return cv2.GaussianBlur(out, (0, 0), 0.008 * len(canvas))


def _office(side: int, rng: np.random.Generator) -> Float:
    """A window on the left, shelves on the right."""
    canvas = _wall(side, (0.56, 0.55, 0.53), (0.40, 0.38, 0.36))
    _box(canvas, 0.02, -0.1, 0.30, 0.70, (0.90, 0.94, 1.0))
    _box(canvas, 0.02, 0.42, 0.30, 0.70, (0.74, 0.80, 0.80))  # houses opposite
    for x0, y0, x1, y1 in ((0.15, -0.1, 0.165, 0.70), (0.02, 0.28, 0.30, 0.30), (0.02, 0.70, 0.31, 0.73)):
        _box(canvas, x0, y0, x1, y1, (0.52, 0.52, 0.51))
    _box(canvas, 0.68, 0.16, 1.1, 1.1, (0.33, 0.27, 0.21))
    for row in range(4):
        y, x = 0.20 + 0.20 * row, 0.70
        _box(canvas, 0.70, y, 1.1, y + 0.16, (0.20, 0.16, 0.13))
        while x < 1.05:
            width = rng.uniform(0.012, 0.035)
            grey = rng.uniform(0.15, 0.62)
            red, green, blue = (float(v) for v in grey * rng.uniform(0.8, 1.15, 3) * (1.06, 0.98, 0.88))
            if rng.random() < 0.8:
                _box(canvas, x, y + rng.uniform(0.01, 0.05), x + width, y + 0.16, (red, green, blue))
            x += width + 0.003
    _glow(canvas, 0.16, 0.3, 0.22, (0.10, 0.11, 0.13))
    return _defocus(canvas, 0.020)


def _evening(side: int, rng: np.random.Generator) -> Float:
    """A room at night: a lamp, a dark window with the lights of a street."""
    canvas = _wall(side, (0.20, 0.165, 0.135), (0.14, 0.11, 0.095))
    _box(canvas, -0.1, 0.02, 0.36, 0.66, (0.045, 0.055, 0.085))
    for x in (0.36, -0.02):
        _box(canvas, x, 0.0, x + 0.03, 0.68, (0.12, 0.095, 0.08))
    _box(canvas, -0.1, 0.66, 0.39, 0.69, (0.13, 0.10, 0.085))
    canvas = _defocus(canvas, 0.022)
    for _ in range(13):
        tone = np.array((0.85, 0.52, 0.25) if rng.random() < 0.7 else (0.40, 0.52, 0.72)) * rng.uniform(0.15, 0.5)
        at = (rng.uniform(0.02, 0.31), rng.uniform(0.12, 0.60))
        _lamp(canvas, *at, rng.uniform(0.014, 0.030), (float(tone[0]), float(tone[1]), float(tone[2])))
    shade = np.zeros_like(canvas)
    corners = np.array([(0.845, 0.30), (0.925, 0.30), (0.965, 0.44), (0.805, 0.44)]) * side
    cv2.fillPoly(shade, [corners.astype(np.int32)], (0.66, 0.43, 0.23))
    _box(shade, 0.876, 0.44, 0.894, 0.52, (0.16, 0.12, 0.09))
    _glow(shade, 0.885, 0.37, 0.035, (0.45, 0.36, 0.22))
    canvas += 0.8 * _defocus(shade, 0.030)
    _glow(canvas, 0.885, 0.36, 0.17, (0.25, 0.155, 0.075))
    return _defocus(canvas, 0.005)


def _studio(side: int, rng: np.random.Generator) -> Float:
    """A painted backdrop with a light on it."""
    canvas = _wall(side, (0.30, 0.28, 0.285), (0.21, 0.19, 0.195))
    clouds = rng.standard_normal((12, 12)).astype(np.float32)
    canvas += 0.02 * cv2.resize(clouds, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]
    _glow(canvas, 0.7, 0.38, 0.33, (0.25, 0.20, 0.17))
    return _defocus(canvas, 0.02)


SCENES: dict[str, Callable[[int, np.random.Generator], Float]] = {
    "office": _office,
    "evening": _evening,
    "studio": _studio,
}
"""Scene -> function (side, random numbers) -> RGB picture. A scene is the same at every call."""


def scene(name: str, side: int) -> Float:
    """The background `name`. [side, side, 3] in [0, 1]"""
    drawn = SCENES[name](512, np.random.default_rng(7))  # always drawn at one size: the same objects at every size
    how = cv2.INTER_AREA if side < 512 else cv2.INTER_CUBIC
    return np.clip(cv2.resize(drawn, (side, side), interpolation=how), 0.0, 1.0).astype(np.float32)
