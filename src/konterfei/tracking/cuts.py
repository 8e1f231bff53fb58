"""Scene cuts, from small signatures of frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 16
"""Cells per side of a signature."""

SUDDEN = 0.1
"""Change from which on a frame may begin a new scene, as a fraction of full contrast. Hard cuts lie at 0.3 and more,
everything else on 44 clips of talking, signing, walking people and panning cameras below 0.07."""

STANDS_OUT = 3.0
"""A cut's change over the median of the changes around it: pans and flicker change much, but all the time."""

AROUND = 6
"""Frames looked at on each side for that."""


ENOUGH = 180
"""Lines and columns that a signature is made of at least; of a larger frame it takes every so-manieth."""


def signature(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The frame as 16 x 16 means of colour. [16, 16, 3] uint8"""
    step = max(min(image.shape[:2]) // ENOUGH, 1)
    if step > 1:  # averaging all of a 1080p frame takes 6 ms, and tells cuts no better
        image = np.ascontiguousarray(image[::step, ::step])
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> float:
    """How much the picture changed between two signatures: mean absolute difference, 0 to 1."""
    return float(np.abs(before.astype(np.int16) - after.astype(np.int16)).mean() / 255)


def is_sudden(amount: float, recent: Sequence[float]) -> bool:
    """Whether a frame that changed by `amount` may begin a scene, knowing only what came before (`recent` changes)."""
    calm = float(np.median(recent[-AROUND:])) if len(recent) else 0.0
    return amount >= SUDDEN and amount >= STANDS_OUT * calm


def find_cuts(changes: Sequence[float]) -> list[int]:
    """Positions of frames that begin a new scene, looking at both sides.

    Args:
        changes: change of each frame against the one before; the first is ignored. [N]
    """
    cuts = []
    for position in range(1, len(changes)):
        amount = changes[position]
        if amount < SUDDEN:
            continue
        around = [*changes[max(position - AROUND, 1) : position], *changes[position + 1 : position + 1 + AROUND]]
        if not around or amount >= STANDS_OUT * float(np.median(around)):
            cuts.append(position)
    return cuts


def gaps(indices: Sequence[int], step: int) -> list[int]:
    """Positions of frames before which one is missing (it could not be decoded): what moves there may have jumped.

    Args:
        indices: frame index at each position.
        step: from one index to the next where nothing is missing.
    """
    return [position for position in range(1, len(indices)) if indices[position] - indices[position - 1] != step]
