"""Colour transfers as DeepFaceLab's merger has them, with its quirks (dfl-spec 8.5). Float BGR in [0, 1] throughout.

Its random directions are new in each call; here they come from a seed, so that a frame can be made twice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import COLOR_TRANSFERS, ColorTransfer
from konterfei.imaging import match_histogram

Array = NDArray[Any]

_BINS: Final = 256
_ROTATIONS: Final = 20
_LOW: Final = np.array([0, -127, -127], np.float32)
_HIGH: Final = np.array([100, 127, 127], np.float32)


def transfer(name: str, image: Array, reference: Array, area: Array, seed: int) -> Array:
    """`image` in the colours of `reference`.

    Args:
        name: one of `dfl_settings.TRANSFERS`.
        image, reference: BGR. [S, S, 3] float32 in [0, 1]
        area: where the mask is. [S, S] 0 or 1
        seed: of the random directions.

    Returns:
        [S, S, 3] float32; those that end with -m are black outside of `area`
    """
    if name == "none":
        return image
    if name == "rct":
        return rct(image, reference, area)
    if name.endswith("-m"):
        inside = area[..., None]
        image, reference = image * inside, reference * inside
        name = name.removesuffix("-m")
        return _PLAIN[name](image, reference, np.random.RandomState(seed)) * inside
    return _PLAIN[name](image, reference, np.random.RandomState(seed))


def rct(image: Array, reference: Array, area: Array) -> Array:
    """Mean and spread of Lab channels. What lies outside of `area` is set to Lab (0, 0, 0) and counted [Q].

    A channel without spread, for which the original divides by zero, keeps its values' distances to the mean (none).
    """
    image_lab, reference_lab = (cv2.cvtColor(x.astype(np.float32), cv2.COLOR_BGR2LAB) for x in (image, reference))
    own, wanted = (np.where(area[..., None] < 0.5, np.float32(0), lab) for lab in (image_lab, reference_lab))
    spread = own.std(axis=(0, 1))
    gain = np.divide(wanted.std(axis=(0, 1)), spread, out=np.ones(3, np.float32), where=spread > 0)
    moved = (image_lab - own.mean(axis=(0, 1))) * gain + wanted.mean(axis=(0, 1))
    return cv2.cvtColor(np.clip(moved, _LOW, _HIGH).astype(np.float32), cv2.COLOR_LAB2BGR)


def histogram(image: Array, reference: Array, threshold: int) -> Array:
    """The whole picture's channels with the reference's distribution up to `threshold` of 255."""
    return match_histogram(image, image.reshape(-1, 3), reference.reshape(-1, 3), threshold / 255)


def _linear(name: str) -> Callable[[Array, Array, np.random.RandomState], Array]:
    """A transfer of our own table that is the original's to the sixth digit, in any order of channels."""

    def apply(image: Array, reference: Array, random: np.random.RandomState) -> Array:
        ours: ColorTransfer = COLOR_TRANSFERS.load(name)
        return ours(image.astype(np.float32), reference.astype(np.float32))

    return apply


def _idt(image: Array, reference: Array, random: np.random.RandomState) -> Array:
    """Iterative distribution transfer."""
    pixels, target = (x.reshape(-1, 3).astype(np.float64) for x in (image, reference))
    for _ in range(_ROTATIONS):
        rotation = _rotation(random)
        now, there = pixels @ rotation.T, target @ rotation.T
        matched = np.stack([matched_along(now[:, axis], there[:, axis]) for axis in range(3)], axis=1)
        pixels = pixels + (matched - now) @ rotation / _ROTATIONS
    return np.clip(pixels, 0, 1).reshape(image.shape).astype(np.float32)


def matched_along(values: Array, wanted: Array) -> Array:
    """Values [N] with the histogram of `wanted` [M]. Those in the lowest bin become 0, whatever they were [Q]."""
    low, high = min(values.min(), wanted.min()), max(values.max(), wanted.max())
    if high - low < 1e-9:  # the original divides by zero
        return values
    ours, edges = np.histogram(values, bins=_BINS, range=(low, high))
    theirs, _ = np.histogram(wanted, bins=_BINS, range=(low, high))
    reached = np.interp(np.cumsum(ours) / ours.sum(), np.cumsum(theirs) / theirs.sum(), edges[1:])
    return np.interp(values, edges[1:], reached, left=0, right=_BINS)


def _rotation(random: np.random.RandomState) -> Array:
    """A rotation of space, evenly spread."""
    q, r = np.linalg.qr(random.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    rotation: Array = q * np.linalg.det(q)
    return rotation


def _sot(image: Array, reference: Array, random: np.random.RandomState) -> Array:
    return _sliced(image, reference, random, directions=30, top=1.0)


def _sliced(image: Array, reference: Array, random: np.random.RandomState, directions: int, top: float) -> Array:
    """Sliced optimal transport in ten steps, the way that pixels moved smoothed by a bilateral filter."""
    before = image.reshape(-1, 3).astype(np.float64)
    target, pixels = reference.reshape(-1, 3).astype(np.float64), before.copy()
    for _ in range(10):
        move = np.zeros_like(pixels)
        for _ in range(directions):
            direction = random.normal(size=3)
            direction /= np.linalg.norm(direction)
            now, there = pixels @ direction, np.sort(target @ direction)
            order = np.argsort(now)
            step = np.empty_like(now)
            step[order] = there - now[order]
            move += np.outer(step, direction)
        pixels += move / directions
    moved = (pixels - before).reshape(image.shape).astype(np.float32)
    return np.clip(image + cv2.bilateralFilter(moved, 0, 5, 16), 0, top).astype(np.float32)


def _mix(image: Array, reference: Array, random: np.random.RandomState) -> Array:
    """Lightness by lct, colour by sot at a lightness of 100 (of 255), both on 8 bits."""
    labs = [cv2.cvtColor(_bytes(x), cv2.COLOR_BGR2LAB) for x in (image, reference)]
    light, wanted = (lab[..., 0].astype(np.float32) / 255 for lab in labs)
    gain = np.sqrt((wanted.var(ddof=1) + 1e-5) / (light.var(ddof=1) + 1e-5))
    light = np.clip((light - light.mean()) * gain + wanted.mean(), 0, 1)
    level = []
    for lab in labs:
        lab[..., 0] = 100
        level.append(cv2.cvtColor(lab, cv2.COLOR_LAB2BGR).astype(np.float32))
    colored = _sliced(level[0], level[1], random, directions=5, top=255.0)
    lab = cv2.cvtColor(colored.astype(np.uint8), cv2.COLOR_BGR2LAB)
    lab[..., 0] = (light * 255).astype(np.uint8)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2BGR).astype(np.float32) / 255


def _bytes(image: Array) -> Array:
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


_PLAIN: Final = {"lct": _linear("lct"), "mkl": _linear("mkl"), "idt": _idt, "sot": _sot, "mix": _mix}
