"""Masks of COCO's run lengths: column by column, runs of 0 and 1 in turn, as numbers or as text.

The text packs each run, less the run two before it from the fourth on, into groups of five bits, lowest first, with a
bit that says whether more follow and characters from "0" on (cocoapi, maskApi; BSD licence).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def runs_of(mask: NDArray[Any]) -> dict[str, Any]:
    """A mask [H, W] as COCO's uncompressed runs: {"size": [H, W], "counts": [...]}; more than half counts as 1."""
    flat = (np.asarray(mask) > 127).T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    if flat.size and flat[0]:
        counts = [0, *counts]
    return {"size": list(mask.shape), "counts": counts}


def mask_of(segmentation: Any, most_side: int = 4096) -> NDArray[np.uint8]:
    """The mask [H, W] of runs, 255 = face. Raises ValueError where they are not whole."""
    try:
        high, wide = (int(side) for side in segmentation["size"])
        counts = segmentation["counts"]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"its runs have no size or no counts ({error})") from error
    if not (0 < high <= most_side and 0 < wide <= most_side):
        raise ValueError(f"its mask is {wide} x {high}; up to {most_side} is read")
    runs = _from_text(counts) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(isinstance(run, int) and run >= 0 for run in runs):
        raise ValueError("its runs are no numbers")
    if sum(runs) != high * wide:
        raise ValueError(f"its runs cover {sum(runs)} pixels of {high * wide}")
    values = np.zeros(len(runs), np.uint8)
    values[1::2] = 255
    return np.ascontiguousarray(np.repeat(values, runs).reshape(wide, high).T)


def _from_text(text: str) -> list[int]:
    runs: list[int] = []
    at = 0
    while at < len(text):
        value, shift, more = 0, 0, True
        while more:
            if at == len(text) or shift > 40:
                raise ValueError("its runs are cut off")
            group = ord(text[at]) - 48
            if not 0 <= group < 64:
                raise ValueError(f"its runs hold the character {text[at]!r}")
            value |= (group & 0x1F) << shift
            more = bool(group & 0x20)
            shift += 5
            at += 1
            if not more and group & 0x10:
                value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
    return runs
