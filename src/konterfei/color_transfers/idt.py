"""The distribution of colours, brought nearer to the reference's by matching histograms along random axes.

Pitie et al. 2007, "Automated colour grading using colour distribution transfer", with the numbers of dfl-spec 8.5: 20
rotations, 256 bins, and only a twentieth of each match carried out, so that two thirds of the way are gone. Here the
rotations are the same in every call, so nothing flickers, and the histograms' ends do not wrap ([Q] there).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer

Array = NDArray[Any]

_BINS: Final = 256


def _rotations(count: int, seed: int = 0) -> list[Array]:
    """Random rotations of space, evenly spread (QR of normal numbers). [3, 3] each"""
    rng, made = np.random.RandomState(seed), []
    for _ in range(count):
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        q *= np.sign(np.diag(r))
        made.append(q * np.linalg.det(q))
    return made


_ROTATIONS: Final = _rotations(20)


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """The image with its colours distributed more like `wanted`. [H, W, 3] float32 in [0, 1]."""
    if own.weight == 0 or wanted.weight == 0:
        return image.copy()
    assert own.weights is not None
    pixels = image.reshape(-1, 3).astype(np.float64)
    target, target_weights = wanted.counted()
    for rotation in _ROTATIONS:
        now, there = pixels @ rotation, target @ rotation
        axes = range(3)
        matched = np.stack([_match(now[:, i], own.weights, there[:, i], target_weights) for i in axes], axis=1)
        pixels += (matched - now) @ rotation.T / len(_ROTATIONS)
    return np.clip(pixels, 0.0, 1.0).astype(np.float32).reshape(image.shape)


def _match(values: Array, weights: Array, wanted: Array, wanted_weights: Array) -> Array:
    """`values` [N], moved so that those of weight are distributed as `wanted` [M]."""
    counted = values[weights > 0]
    low, high = min(counted.min(), wanted.min()), max(counted.max(), wanted.max())
    if high - low < 1e-9:
        return values
    edges = np.linspace(low, high, _BINS + 1)
    ours, theirs = (
        np.concatenate([[0.0], np.cumsum(np.histogram(v, edges, weights=w)[0])])
        for v, w in ((values, weights), (wanted, wanted_weights))
    )
    rise = np.linspace(0.0, 1e-6, _BINS + 1)  # so that edges of empty bins keep their order
    moves = np.interp(ours / ours[-1] + rise, theirs / theirs[-1] + rise, edges) - edges
    return values + np.interp(values, edges, moves)


idt = ColorTransfer(ColorStatistics.measure_all, apply)
