"""Values brought to those of another picture: distributions of channels, and membranes over gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

Array = NDArray[Any]


def match_histogram(image: Array, counted: Array, reference: Array, upto: float = 1.0) -> Array:
    """`image` with each channel's values moved to the reference's of the same quantile.

    Args:
        image: [H, W, 3] float32
        counted: the image's pixels that its quantiles are taken of. [N, 3], N > 0
        reference: the pixels whose distribution is wanted. [M, 3], M > 0
        upto: only the reference's quantiles up to here are used: below 1, its brightest part is never reached.

    Returns:
        [H, W, 3] float32; values beyond those counted take the nearest one's
    """
    matched = np.empty(image.shape, np.float32)
    for channel in range(image.shape[2]):
        ours, our_counts = np.unique(counted[:, channel], return_counts=True)
        theirs, their_counts = np.unique(reference[:, channel], return_counts=True)
        ranks = np.cumsum(our_counts) / our_counts.sum() * upto
        there = np.cumsum(their_counts) / their_counts.sum()
        wanted = np.interp(ranks, there, theirs)
        matched[..., channel] = np.interp(image[..., channel], ours, wanted)
    return matched


def fill_smoothly(image: Array, hole: Array) -> Array:
    """`image` with its hole spanned by a membrane: there, each value is the mean of its four neighbours.

    Args:
        image: [H, W, C] float32
        hole: [H, W] bool; may not touch the rim

    Returns:
        [H, W, C] float32, outside of the hole as it was
    """
    count = int(hole.sum())
    if count == 0:
        return image.copy()
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(count)
    y, x = np.nonzero(hole)
    rows, columns, known = [np.arange(count)], [np.arange(count)], np.zeros((count, image.shape[2]))
    for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
        neighbour = number[y + down, x + right]
        is_open = neighbour >= 0
        rows.append(np.flatnonzero(is_open))
        columns.append(neighbour[is_open])
        known[~is_open] += image[y[~is_open] + down, x[~is_open] + right]
    values = np.concatenate([np.full(count, 4.0), np.full(sum(map(len, rows)) - count, -1.0)])
    equations = csc_matrix((values, (np.concatenate(rows), np.concatenate(columns))), shape=(count, count))
    filled = image.copy()
    filled[hole] = splu(equations, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(known)
    return filled
