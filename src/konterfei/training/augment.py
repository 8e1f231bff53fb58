"""Random placement and random warp of training samples (dfl-spec 7.10.3).

The network sees a face that is bent out of shape and has to give back the straight one: so it learns what the face is,
not where its pixels are. Placement and warp are one map here, so that a pixel is interpolated once instead of three
times.

Two slips of the original are mended unless `exact`: both axes of the warp shared one noise field, and the identity map
came out half a pixel off (dfl-spec 7.10.3 [Q]).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NOISE = 0.24
"""Displacement of a grid node in cells, before the truncated normal's own spread (dfl-spec 7.10.3)."""


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """How far samples are moved and bent; defaults are those of SAEHD (dfl-spec 7.10.3)."""

    rotation_deg: float = 10.0
    """Largest rotation either way, degrees."""
    scale: float = 0.15
    """Largest enlargement; the largest shrinking is 1 / (1 + scale)."""
    shift: float = 0.05
    """Largest shift on each axis, as a fraction of the side."""
    flip: float = 0.4
    """Share of samples that are mirrored."""
    warp: float = 1.0
    """Strength of the warp; 1 = DeepFaceLab's, 0 = none."""
    straight: float = 0.0
    """Share of samples that are placed but not warped. Quick96 shows a third straight (dfl-spec 7.4)."""


@dataclass(frozen=True)
class Placement:
    """Where a sample lies. `matrix` [2, 3] maps the straight crop to the placed one, before mirroring."""

    matrix: Array
    is_flipped: bool


def truncated_normal(rng: np.random.RandomState, shape: tuple[int, ...]) -> Array:
    """Normal numbers redrawn until |x| <= 2.5, divided by 2.5 (std 0.377) (dfl-spec 7.10.3, A.4)."""
    count = int(np.prod(shape))
    values = rng.normal(0.0, 1.0, size=count)
    while (outside := np.abs(values) > 2.5).any():
        values[outside] = rng.normal(0.0, 1.0, size=int(outside.sum()))
    return values.reshape(shape) / 2.5


def draw_placement(rng: np.random.RandomState, side: int, settings: AugmentSettings, flips: bool = True) -> Placement:
    """Rotation, scale, shift and mirroring, drawn in the original's order (dfl-spec 7.10.3).

    Args:
        rng: source of chance.
        side: of the sample, px.
        settings: how far.
        flips: whether mirroring is drawn at all.
    """
    rotation = rng.uniform(-settings.rotation_deg, settings.rotation_deg)
    scale = rng.uniform(1 / (1 + settings.scale), 1 + settings.scale)
    shift = rng.uniform(-settings.shift, settings.shift), rng.uniform(-settings.shift, settings.shift)
    is_flipped = flips and bool(rng.randint(10) < 10 * settings.flip)
    matrix = cv2.getRotationMatrix2D((side // 2, side // 2), rotation, scale)
    matrix[:, 2] += np.array(shift) * side
    return Placement(matrix, is_flipped)


def draw_warp(rng: np.random.RandomState, side: int, strength: float = 1.0, exact: bool = False) -> Array:
    """A smooth random map of sample positions (dfl-spec 7.10.3).

    Args:
        rng: source of chance.
        side: of the sample, px.
        strength: 1 = DeepFaceLab's.
        exact: with the original's two slips, for conformance.

    Returns:
        x and y of the pixel to take for each pixel. [side, side, 2] float32
    """
    cell = (side // 2, side // 4, side // 8)[rng.randint(3)]
    nodes = side // cell + 1
    line = np.linspace(0, side, nodes)
    x = np.broadcast_to(line, (nodes, nodes)).copy()
    y = x.T if exact else x.T.copy()  # the original's y is a view of its x
    inner = (slice(1, -1), slice(1, -1))
    reach = strength * NOISE * cell * (1.0 if exact else 2.0**0.5)  # the shared field had twice the variance
    shape = (nodes - 2, nodes - 2)
    x[inner] += truncated_normal(rng, shape) * reach
    y[inner] += truncated_normal(rng, shape) * reach
    half = cell // 2
    grown = cv2.resize(np.dstack([x, y]).astype(np.float32), (side + cell, side + cell))
    return grown[half : half + side, half : half + side] - (0.0 if exact else 0.5)


def place(image: Array, placement: Placement, side: int) -> Array:
    """The straight sample. [S, S, C] uint8, any S -> [side, side, C] uint8."""
    source = _grid(image.shape[0], side) @ _from_placed(placement, side)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, source[:2], (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def place_warped(image: Array, placement: Placement, warp: Array) -> Array:
    """The bent sample: as `place`, seen through `warp` [side, side, 2]. [S, S, C] uint8 -> [side, side, C] uint8."""
    side = warp.shape[0]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = _from_placed(placement, side)[:2]
    positions = cv2.warpAffine(warp, matrix, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    grid = _grid(image.shape[0], side)
    x, y = cv2.split(positions * np.float32(grid[0, 0]) + np.float32(grid[0, 2]))
    return cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _from_placed(placement: Placement, side: int) -> Array:
    """[3, 3] from pixels of the finished sample to pixels of the straight crop of the same side."""
    back = np.vstack([cv2.invertAffineTransform(placement.matrix), [0, 0, 1]])
    if placement.is_flipped:
        back = back @ np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    return back


def _grid(stored: int, side: int) -> Array:
    """[3, 3] from pixel centres of a crop of `side` to those of the same crop stored at `stored` pixels."""
    finer = stored / side
    return np.array([[finer, 0, (finer - 1) / 2], [0, finer, (finer - 1) / 2], [0, 0, 1]])
