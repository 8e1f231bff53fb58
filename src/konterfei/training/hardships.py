"""What footage does to a face: light of all colours, blur, compression, noise, shadows, things before it.

Light is the same in what the network sees and in what it has to draw. All else is done to what it sees alone: it learns
to draw a clean face from a spoiled one.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.training.samples import shift_hsv

Array = NDArray[Any]

_SKINS = np.array([[236, 196, 170], [205, 150, 120], [160, 105, 75], [95, 60, 45]], np.float64)
"""Colours of hands, from fair to dark; what lies between is drawn too. RGB"""


@dataclass(frozen=True, kw_only=True)
class Hardships:
    """Shares of the samples, 0 to 1, to which each happens; several may happen to one."""

    light: float = 0.5
    """Brightness, gamma and colour of the light vary; in the target too."""
    shadow: float = 0.25
    """A soft gradient of light lies over the face."""
    hue: float = 0.3
    """Hue, saturation and brightness are shifted."""
    blur: float = 0.3
    """Out of focus, moved, or enlarged from a smaller picture."""
    noise: float = 0.2
    """Of a sensor in poor light."""
    jpeg: float = 0.3
    """Compression with visible blocks."""
    cover: float = 0.08
    """Something is before the face: a blob, a bar, fingers."""

    def __post_init__(self) -> None:
        for item in fields(self):
            share = getattr(self, item.name)
            if not 0 <= share <= 1:
                raise ValueError(f"expected shares of 0 to 1, got {item.name} {share}")


NONE = Hardships(light=0, shadow=0, hue=0, blur=0, noise=0, jpeg=0, cover=0)
"""Nothing happens."""


def endured(seen: Array, target: Array, rng: np.random.RandomState, hardships: Hardships) -> tuple[Array, Array]:
    """What the network sees and what it is to draw after all of it.

    Args:
        seen, target: RGB. [S, S, 3] uint8
        rng: source of chance.
        hardships: how often what happens.

    Returns:
        [S, S, 3] uint8 twice
    """
    seen, target = np.ascontiguousarray(seen), np.ascontiguousarray(target)
    if rng.random_sample() < hardships.light:
        curve = _light(rng)
        seen, target = cv2.LUT(seen, curve), cv2.LUT(target, curve)
    for name, spoil in _SPOILING.items():
        if rng.random_sample() < getattr(hardships, name):
            seen = spoil(seen, rng)
    return seen, target


def _light(rng: np.random.RandomState) -> Array:
    """Gamma and gains of the channels as one table. [1, 256, 3] uint8"""
    gains = np.exp(rng.normal(0, 0.12, 3)) * np.exp(rng.normal(0, 0.15))
    gamma = np.exp(rng.normal(0, 0.12))
    levels = (np.arange(256) / 255.0)[:, None] ** gamma
    curve: Array = np.clip(255 * levels * gains, 0, 255).round().astype(np.uint8)[None]
    return curve


def _shadow(image: Array, rng: np.random.RandomState) -> Array:
    side = image.shape[0]
    field = np.exp(rng.normal(0, 0.3, (3, 3)))[..., None] * np.exp(rng.normal(0, 0.04, (3, 3, 3)))
    smooth = cv2.resize(field.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return _bytes(image * smooth)


def _hue(image: Array, rng: np.random.RandomState) -> Array:
    return shift_hsv(image, rng, 0.1)


def _blur(image: Array, rng: np.random.RandomState) -> Array:
    kind, side = rng.randint(3), image.shape[0]
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.8) * side / 96)
    if kind == 1:
        length = max(2, round(rng.uniform(2, 9) * side / 96))
        angle = rng.uniform(0, np.pi)
        line = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
        reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        ends = [tuple(int(v) for v in np.round(length + sign * reach)) for sign in (-1, 1)]
        cv2.line(line, ends[0], ends[1], 1.0, 1)
        return cv2.filter2D(image, -1, line / line.sum(), borderType=cv2.BORDER_REPLICATE)
    small = max(8, round(side / rng.uniform(1.3, 3.5)))
    shrunk = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    return cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC)


def _noise(image: Array, rng: np.random.RandomState) -> Array:
    side, strength = image.shape[0], rng.uniform(2, 12)
    grain = rng.standard_normal((side, side, 3)).astype(np.float32)
    if rng.randint(2):  # as compression leaves it: soft
        grain = 1.5 * cv2.GaussianBlur(grain, (0, 0), 0.8)
    return _bytes(image + strength * grain)


def _jpeg(image: Array, rng: np.random.RandomState) -> Array:
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.randint(15, 75))])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))  # red and blue change places on both ways


def _cover(image: Array, rng: np.random.RandomState) -> Array:
    """A blob, a bar or fingers, of skin or of any colour, with some texture and a soft rim."""
    side, kind = image.shape[0], rng.randint(3)
    shape = np.zeros((side, side), np.uint8)
    at = rng.uniform(0.1, 0.9, 2) * side
    angle = rng.uniform(0, 180)
    if kind == 0:
        axes = rng.uniform(0.06, 0.22, 2) * side
        cv2.ellipse(shape, (tuple(at), tuple(2 * axes), angle), 255, -1)
    else:
        along = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        across = np.array([-along[1], along[0]])
        width = rng.uniform(0.04, 0.08) * side
        count = 1 if kind == 1 else rng.randint(2, 5)
        for number in range(count):
            begin = at + across * number * 1.15 * width
            end = begin + along * side * (1.5 if kind == 1 else rng.uniform(0.3, 0.45))
            ends = [tuple(int(v) for v in np.round(p)) for p in (begin - along * side * (kind == 1), end)]
            cv2.line(shape, ends[0], ends[1], 255, max(2, round(width)), cv2.LINE_AA)
    share = rng.uniform()
    first = rng.randint(len(_SKINS) - 1)
    skin = (1 - share) * _SKINS[first] + share * _SKINS[first + 1]
    color = skin * np.exp(rng.normal(0, 0.2)) if kind == 2 or rng.randint(2) else rng.uniform(0, 255, 3)
    texture = cv2.resize(rng.normal(1, 0.12, (6, 6)).astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    alpha = cv2.GaussianBlur(shape, (0, 0), rng.uniform(0.4, 1.5))[..., None] / np.float32(255)
    return _bytes(image + alpha * (np.clip(color * texture[..., None], 0, 255) - image))


def _bytes(image: Array) -> Array:
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


_SPOILING = {"cover": _cover, "shadow": _shadow, "hue": _hue, "blur": _blur, "noise": _noise, "jpeg": _jpeg}
"""In the order in which it happens: what is before the face is filmed and compressed like the face."""
