"""The distribution of colours, by sliced optimal transport: pixels move least to be, together, those of the reference.

Pitie et al. 2005 and Bonneel et al. 2015, with the numbers of dfl-spec 8.5: ten steps, each the mean of some random
directions along which pixels are matched by rank; the way that pixels moved is then smoothed over the picture, so that
texture stays. Here directions are the same in every call (the original's flicker), what a mask leaves out neither
counts nor smooths, and images of unequal size go together.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer

Array = NDArray[Any]

_STEPS: Final = 10
_DIRECTIONS: Final = 5
"""Per step; the original has so many in training and 30 when merging."""
_SIGMA: Final = 16.0
"""Of the smoothing, px. The original's filter is bilateral, with a spread in colour of 5 where moves are at most 1: as
good as a Gaussian over the same disc, which is many times faster."""
_REACH: Final = 24
"""Radius of the smoothing's disc, px: what the original's filter takes for that sigma."""


def _disc() -> Array:
    """The weights of the smoothing. [2 reach + 1, 2 reach + 1] float32"""
    y, x = np.mgrid[-_REACH : _REACH + 1, -_REACH : _REACH + 1]
    squares = x**2 + y**2
    return np.where(squares <= _REACH**2, np.exp(-squares / (2 * _SIGMA**2)), 0.0).astype(np.float32)


def _directions(seed: int = 0) -> Array:
    """Random unit vectors. [steps, directions, 3]"""
    drawn = np.random.RandomState(seed).normal(size=(_STEPS, _DIRECTIONS, 3))
    return drawn / np.linalg.norm(drawn, axis=2, keepdims=True)


_ALL: Final = _directions()


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """The image with its colours distributed as `wanted`. [H, W, 3] float32 in [0, 1]."""
    if own.weight == 0 or wanted.weight == 0:
        return image.copy()
    assert own.weights is not None
    counts = own.weights > 0
    before, weights = own.counted()
    target, target_weights = wanted.counted()
    pixels = before.copy()
    for directions in _ALL:
        move = np.zeros_like(pixels)
        for direction in directions:
            now, there = pixels @ direction, target @ direction
            move += np.outer(_by_rank(now, weights, there, target_weights) - now, direction)
        pixels += move / len(directions)
    moved = np.zeros((counts.size, 3), np.float32)
    moved[counts] = pixels - before
    return np.clip(image + _smoothed(moved.reshape(image.shape), own.weights.reshape(image.shape[:2])), 0.0, 1.0)


def _by_rank(values: Array, weights: Array, wanted: Array, wanted_weights: Array) -> Array:
    """For each of `values` [N] the one of `wanted` [M] of the same rank; equal ones stay equal."""
    ours, theirs = np.argsort(values, kind="stable"), np.argsort(wanted, kind="stable")
    sorted_values = values[ours]
    ranks, there = (np.cumsum(w) - 0.5 * w for w in (weights[ours], wanted_weights[theirs]))
    matched = np.interp(ranks / weights.sum(), there / wanted_weights.sum(), wanted[theirs])
    first = np.concatenate([[True], sorted_values[1:] > sorted_values[:-1]])
    group = np.cumsum(first) - 1
    matched = (np.bincount(group, matched) / np.bincount(group))[group]
    result = np.empty_like(values)
    result[ours] = matched
    return result


def _smoothed(moved: Array, weights: Array) -> Array:
    """How far pixels moved [H, W, 3], averaged over the neighbourhood where `weights` [H, W] are; 0 far from them."""
    disc, weights = _disc(), weights.astype(np.float32)
    total = cv2.filter2D(moved * weights[..., None], -1, disc)
    share = cv2.filter2D(weights, -1, disc)[..., None]
    return np.divide(total, share, out=np.zeros_like(total), where=share > 1e-2)


sot = ColorTransfer(ColorStatistics.measure_all, apply)
