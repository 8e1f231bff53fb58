"""A selection that keeps what a set covers: few faces from where there are plenty, all from where there are not.

Every face is in a cell: a direction of the head and a kind of expression. Cells are filled evenly; within one, sharp,
uncovered, well exposed faces come first; near-duplicates are taken only where there is nothing else in any cell.
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
_TWIN: Final = 20
"""Bits of 256 that near-duplicates differ in, at most: neighbouring frames differ in 4 to 12, other moments in 60."""
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
    prints = np.ascontiguousarray(faces.fingerprint)
    reporter.start("choosing the best faces", len(fit), "faces")
    done, queues = 0, []
    for some in members:
        queues.append(_twins_apart(some[np.argsort(-quality[some], kind="stable")], prints, reporter))
        done += len(some)
        reporter.advance(done)
    reporter.finish()
    shares, extra = _shares(queues, wish.count or USUAL_COUNT)
    chosen = [
        row
        for (own, twins), share, more in zip(queues, shares, extra, strict=True)
        for row in own[:share] + twins[:more]
    ]
    is_in = np.zeros(len(faces), bool)
    is_in[chosen] = True
    by_quality = np.argsort(-quality, kind="stable")
    rows = np.concatenate([by_quality[is_in[by_quality]], by_quality[~is_in[by_quality]]])
    most = max((share + more for share, more in zip(shares, extra, strict=True)), default=0)
    told = (
        f"{len(chosen)} of {len(faces)} faces from {len(members)} cells of {_CELL} degrees and a kind of expression, "
        f"at most {most} of each; {sum(extra)} of them are near-duplicates",
        f"{int(strangers.sum())} were somebody else's, {int((useless & ~strangers).sum())} of no use",
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


def _shares(queues: list[tuple[list[int], list[int]]], wanted: int) -> tuple[list[int], list[int]]:
    """How many to take of each cell's own faces, and of its near-duplicates where the others are not enough."""
    own, twins = (np.array([len(queue[place]) for queue in queues], np.int64) for place in (0, 1))
    shares = fill(own, min(wanted, int(own.sum())))
    extra = fill(twins, min(max(wanted - int(own.sum()), 0), int(twins.sum())))
    return shares.tolist(), extra.tolist()


def _twins_apart(rows: Array, fingerprints: Array, reporter: Reporter) -> tuple[list[int], list[int]]:
    """`rows` that are no near-duplicates of one before them, and those that are."""
    own: list[int] = []
    twins: list[int] = []
    prints = np.zeros((len(rows), fingerprints.shape[1]), np.uint8)
    for place, row in enumerate(rows.tolist()):
        if place % _TELL == 0:
            check(reporter)
        if own and _bits_apart(fingerprints[row], prints[: len(own)]).min() <= _TWIN:
            twins.append(row)
            continue
        prints[len(own)] = fingerprints[row]
        own.append(row)
    return own, twins


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
