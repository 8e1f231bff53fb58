"""A selection that keeps what a set covers: few faces from where there are plenty, all from where there are not.

Every face is in a cell: a direction of the head and a kind of expression. Cells are filled evenly; within one, sharp,
uncovered, well exposed faces come first, and near-duplicates of chosen ones last.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_measures import FaceMeasures
from konterfei.reporting import Reporter, check
from konterfei.sorters import Order, Wish
from konterfei.sorters.likeness import expression_steps, usual_person

Array = NDArray[Any]

USUAL_COUNT: Final = 2000
_CELL: Final = 15
"""Degrees of yaw and of pitch that a cell covers."""
_MARKED: Final = 2.5
"""Noticeable steps from where on an expression is a kind of its own."""
_STRANGER: Final = 0.2
"""Likeness to the set's person (cosine) below which a face is somebody else's: far below what a turned head costs."""
_HOPELESS: Final = 0.3
"""Quality by the set's median below which a face is not taken even where there is no other."""
_TWIN: Final = 12
"""Bits of 256 that near-duplicates' fingerprints differ in, at most."""
_TELL: Final = 16


def best(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Quality: sharpness, less what is covered, black or burnt out, 0 to 1."""
    quality = np.nan_to_num(faces.sharpness.astype(np.float64))
    quality *= 1 - np.nan_to_num(faces.occlusion)
    quality *= 1 - np.clip(np.nan_to_num(faces.dark + faces.bright), 0, 1)
    useless = quality < _HOPELESS * np.median(quality)
    strangers = _strangers(faces.embeddings)
    fit = np.flatnonzero(~useless & ~strangers)
    yaw, pitch = (np.floor(np.degrees(faces.pose[:, axis]) / _CELL + 0.5).astype(int) for axis in (1, 0))
    keys = np.stack([yaw, pitch, _kinds(faces.expression)], axis=1)
    _, cells = np.unique(keys[fit], axis=0, return_inverse=True)
    members = [fit[cells.reshape(-1) == number] for number in range(cells.max() + 1)] if len(fit) else []
    wanted = min(wish.count or USUAL_COUNT, len(fit))
    shares = fill(np.array([len(some) for some in members], np.int64), wanted)
    prints = np.ascontiguousarray(faces.fingerprint)
    chosen: list[int] = []
    reporter.start("choosing the best faces", max(wanted, 1), "faces")
    for some, share in zip(members, shares, strict=True):
        chosen += _of_cell(some[np.argsort(-quality[some], kind="stable")], int(share), prints, reporter)
        reporter.advance(len(chosen))
    reporter.finish()
    is_in = np.zeros(len(faces), bool)
    is_in[chosen] = True
    by_quality = np.argsort(-quality, kind="stable")
    rows = np.concatenate([by_quality[is_in[by_quality]], by_quality[~is_in[by_quality]]])
    told = (
        f"{len(chosen)} of {len(faces)} faces from {len(members)} cells of {_CELL} degrees and a kind of expression, "
        f"at most {int(shares.max(initial=0))} of each; {int(strangers.sum())} were somebody else's, "
        f"{int((useless & ~strangers).sum())} of no use",
        *_table(yaw, pitch, is_in),
    )
    why = f"not among the {len(chosen)} best faces"
    return Order(rows=rows, values=quality, rest=len(faces) - len(chosen), why_rest=why, told=told)


def fill(sizes: Array, wanted: int) -> Array:
    """How many to take of each cell: as even as their sizes allow.

    Args:
        sizes: of the cells. [C] int
        wanted: in all, at most their sum.

    Returns:
        [C] int64 that sums to `wanted`; no two differ by more than one unless the smaller is all that there is
    """
    taken = np.zeros(len(sizes), np.int64)
    order = np.argsort(sizes, kind="stable")
    left = wanted
    for place, cell in enumerate(order):
        taken[cell] = min(int(sizes[cell]), left // (len(order) - place))
        left -= int(taken[cell])
    return taken


def _strangers(embeddings: Array) -> Array:
    if not embeddings.shape[1] or np.isnan(embeddings).all():
        return np.zeros(len(embeddings), bool)
    likeness = embeddings.astype(np.float64) @ usual_person(embeddings)
    return np.nan_to_num(likeness, nan=1.0) < _STRANGER


def _kinds(expressions: Array) -> Array:
    """0 for an ordinary face, else a number for the axis that is marked most and its direction. [N] int"""
    steps = np.nan_to_num(expression_steps(expressions))
    axis = np.argmax(np.abs(steps), axis=1)
    most = np.take_along_axis(steps, axis[:, None], axis=1)[:, 0]
    return np.where(np.abs(most) < _MARKED, 0, (axis + 1) * np.sign(most)).astype(int)


def _of_cell(rows: Array, share: int, fingerprints: Array, reporter: Reporter) -> list[int]:
    """The first `share` of `rows` that are no near-duplicates of one before; those only where there are no others."""
    chosen: list[int] = []
    twins: list[int] = []
    prints = np.zeros((share, fingerprints.shape[1]), np.uint8)
    for place, row in enumerate(rows):
        if len(chosen) == share:
            break
        if chosen and _bits_apart(fingerprints[row], prints[: len(chosen)]).min() <= _TWIN:
            twins.append(int(row))
            continue
        prints[len(chosen)] = fingerprints[row]
        chosen.append(int(row))
        if place % _TELL == 0:
            check(reporter)
    return chosen + twins[: share - len(chosen)]


def _bits_apart(one: Array, others: Array) -> Array:
    return cv2.batchDistance(others, one[None], cv2.CV_32S, normType=cv2.NORM_HAMMING, K=1)[0][:, 0]


def _table(yaw: Array, pitch: Array, is_in: Array) -> list[str]:
    """Chosen faces by how many there are, for each direction: pitch downwards, yaw to the right."""
    yaws, pitches = sorted(set(yaw.tolist()), reverse=True), sorted(set(pitch.tolist()), reverse=True)

    def cell(y: int, p: int) -> str:
        here = (yaw == y) & (pitch == p)
        return f"{int((here & is_in).sum())}/{int(here.sum())}" if here.any() else "-"

    head = ["pitch \\ yaw", *(f"{y * _CELL}" for y in yaws)]
    table = [head, *([f"{p * _CELL}", *(cell(y, p) for y in yaws)] for p in pitches)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in table]
