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


def membrane(image: Array, weights: Array) -> Array:
    """The smoothest picture that is near `image` where `weights` are: least |gradient|^2 + weights |difference|^2.

    Args:
        image: [H, W, C] float32
        weights: [H, W], 0 or more. What they tie to is averaged over some pixels: 1 = over about one around.

    Returns:
        [H, W, C] float32; 0 where there are no weights at all
    """
    height, width = weights.shape
    if not weights.any():
        return np.zeros_like(image)
    number = np.arange(height * width).reshape(height, width)
    pairs = [(number[1:], number[:-1]), (number[:, 1:], number[:, :-1])]
    one, other = (np.concatenate([pair[i].ravel() for pair in pairs]) for i in (0, 1))
    neighbours = np.bincount(np.concatenate([one, other]), minlength=number.size)
    rows, columns = np.concatenate([number.ravel(), one, other]), np.concatenate([number.ravel(), other, one])
    tied = weights.ravel().astype(np.float64)
    values = np.concatenate([neighbours + tied, np.full(2 * len(one), -1.0)])
    equations = csc_matrix((values, (rows, columns)), shape=(number.size, number.size))
    wanted = tied[:, None] * image.reshape(-1, image.shape[2])
    solver = splu(equations, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
    solved: Array = solver.solve(wanted).astype(np.float32).reshape(image.shape)
    return solved
