"""Which of many faces are of one person: agglomeration of unit vectors under the rule that nobody is twice in a frame.

Works on *nodes*: faces that are known to be one person's (a track's, say), as the sum of their embeddings. Two clusters
are as alike as a face of the one and a face of the other are in the mean; the most alike two become one, again and
again, while any two are as alike as `join`. This average linkage (Sokal and Michener 1958) needs no matrix of all
pairs, since a mean of dot products is the dot product of means: so 100,000 faces fit. Means scaled to unit length would
be simpler, but resemble one another more the more faces they are made of: on 693 portraits of different people that put
three times as many together wrongly (`benchmarks/people.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from konterfei.reporting import Reporter, check

NOBODY = -1
"""Owner of a node that is nobody's yet."""

LIKENESSES_AT_ONCE = 16_000_000
"""Cosines held in memory at a time: 64 MB."""

MOST_NEIGHBOURS = 24
"""Nodes that one is compared with again when it grows: those most like it at the beginning."""

MOST_NODES = 4000
"""Nodes from which on those that are almost equal are put together first."""

TIGHT = 0.8
"""Cosine of almost equal faces, neighbours in time of one clip: two in 240,000 pairs of strangers reach it."""

MOST_TO_SPLIT = 1500
"""Nodes that a tree of all pairs is made of."""

MOST_PARTS = 8
"""Parts looked for when nobody says how many there are."""

Vectors = NDArray[np.float32]


@dataclass
class Nodes:
    """Faces that belong together already, as sums.

    Attributes:
        sums: of weighted unit vectors. [N, D] float32
        weights: what these sum to. [N] float64
        frames: which frames (any number that stands for a frame of a clip) each is seen in.
        owners: number of the person that a node is, NOBODY where that is to be found. [N]
    """

    sums: Vectors
    weights: NDArray[np.float64]
    frames: list[set[int]]
    owners: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sums)

    @property
    def means(self) -> Vectors:
        """Mean vectors, shorter than 1: two of them multiplied give the mean cosine of their faces. [N, D] float32"""
        return (self.sums / np.maximum(self.weights, 1e-9)[:, None]).astype(np.float32)


def directions(sums: Vectors) -> Vectors:
    """Rows of unit length; a row of zeros stays one. [N, D]"""
    return (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def cluster(nodes: Nodes, join: float, reporter: Reporter) -> NDArray[np.int64]:
    """For each node the index of the first node of its cluster. [N]

    Two nodes with owners stay apart, and so do two that share a frame. The order of nodes decides nothing but ties;
    callers who want a result that does not depend on the order of what they got sort it first.

    Args:
        nodes: what is to be put together; left as it is.
        join: mean cosine from which on two clusters are one person.
        reporter: is told how far it is.

    Raises:
        Cancelled: a person asked to stop.
    """
    if len(nodes) <= MOST_NODES:
        return _agglomerate(nodes, join, reporter)
    first = compress(nodes, max(TIGHT, join), reporter)
    kept, where = np.unique(first, return_inverse=True)
    small = _summed(nodes, kept, where)
    return kept[_agglomerate(small, join, reporter)[where]]


def compress(nodes: Nodes, tight: float, reporter: Reporter) -> NDArray[np.int64]:
    """Puts each node to the first one that it is almost equal to: one pass, for what is too much for more. [N]

    Nodes with owners are left alone.
    """
    units, total = directions(nodes.sums), len(nodes)
    leads = np.arange(total)
    leaders: list[int] = []
    frames: dict[int, set[int]] = {}
    free = np.flatnonzero(nodes.owners == NOBODY)
    block = max(LIKENESSES_AT_ONCE // max(len(free), 1), 1)
    reporter.start("comparing faces", total, unit="faces")
    for begin in range(0, len(free), block):
        check(reporter)
        here = free[begin : begin + block]
        before = np.array(leaders, np.int64)
        old = units[here] @ units[before].T if len(before) else np.zeros((len(here), 0), np.float32)
        among = units[here] @ units[here].T
        fresh: list[int] = []
        for row, index in enumerate(here):
            scores = np.concatenate([old[row], among[row, fresh]])
            known = len(before)
            near = np.flatnonzero(scores >= tight)
            for found in near[np.argsort(-scores[near], kind="stable")]:
                leader = int(before[found]) if found < known else int(here[fresh[found - known]])
                if frames[leader].isdisjoint(nodes.frames[index]):
                    leads[index] = leader
                    frames[leader] |= nodes.frames[index]
                    break
            else:
                fresh.append(row)
                frames[int(index)] = set(nodes.frames[index])
        leaders += [int(here[row]) for row in fresh]
        reporter.advance(begin + len(here))
    reporter.finish()
    return leads


def _summed(nodes: Nodes, kept: NDArray[np.int64], where: NDArray[np.int64]) -> Nodes:
    """One node for each of `kept`, made of all those that `where` sends to it."""
    sums = np.zeros((len(kept), nodes.sums.shape[1]), np.float32)
    np.add.at(sums, where, nodes.sums)
    frames: list[set[int]] = [set() for _ in kept]
    for place, own in zip(where, nodes.frames, strict=True):
        frames[place] |= own
    return Nodes(sums, np.bincount(where, nodes.weights, len(kept)).astype(np.float64), frames, nodes.owners[kept])


def _agglomerate(nodes: Nodes, join: float, reporter: Reporter) -> NDArray[np.int64]:
    total = len(nodes)
    sums, weights, owners = nodes.sums.astype(np.float64), nodes.weights.copy(), nodes.owners.copy()
    means = nodes.means
    frames = [set(own) for own in nodes.frames]
    root, version = list(range(total)), [0] * total
    near: list[set[int]] = [set() for _ in range(total)]
    heap: list[tuple[float, int, int, int, int]] = []
    for one, other, score in _pairs(means, join, reporter):
        near[one].add(other)
        near[other].add(one)
        heap.append((-score, one, other, 0, 0))
    heapify(heap)
    while heap:
        _, one, other, was, other_was = heappop(heap)
        if version[one] != was or version[other] != other_was:
            continue
        if not _may_join(one, other, owners, frames):
            continue
        sums[one] += sums[other]
        weights[one] += weights[other]
        means[one] = sums[one] / max(float(weights[one]), 1e-9)
        frames[one] |= frames[other]
        frames[other] = set()
        owners[one] = max(owners[one], owners[other])
        root[other] = one
        version[one] += 1
        version[other] += 1
        near[one] = {found for place in near[one] | near[other] if (found := _root(root, place)) != one}
        near[other] = set()
        around = sorted(near[one])
        for place, score in zip(around, (means[around] @ means[one]).tolist(), strict=True):
            near[place].add(one)
            if score >= join:
                low, high = min(one, place), max(one, place)
                heappush(heap, (-score, low, high, version[low], version[high]))
    return np.array([_root(root, place) for place in range(total)], np.int64)


def _may_join(one: int, other: int, owners: NDArray[np.int64], frames: Sequence[set[int]]) -> bool:
    return bool(owners[one] == NOBODY or owners[other] == NOBODY) and frames[one].isdisjoint(frames[other])


def _root(root: list[int], place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


def _pairs(means: Vectors, join: float, reporter: Reporter) -> Iterable[tuple[int, int, float]]:
    """Each two rows (the lower index first) as alike as `join`, once; of each row its `MOST_NEIGHBOURS` nearest."""
    total = len(means)
    block = max(LIKENESSES_AT_ONCE // max(total, 1), 1)
    found: dict[tuple[int, int], float] = {}
    reporter.start("comparing people", total, unit="people")
    for begin in range(0, total, block):
        check(reporter)
        scores = means[begin : begin + block] @ means.T
        rows, columns = np.nonzero(scores >= join)
        edges = np.searchsorted(rows, np.arange(len(scores) + 1))
        for row in range(len(scores)):
            others = columns[edges[row] : edges[row + 1]]
            others = others[others != begin + row]
            if len(others) > MOST_NEIGHBOURS:
                others = others[np.argsort(-scores[row, others], kind="stable")[:MOST_NEIGHBOURS]]
            for other in others.tolist():
                pair = (min(begin + row, other), max(begin + row, other))
                found.setdefault(pair, float(scores[row, other]))
        reporter.advance(min(begin + block, total))
    reporter.finish()
    return [(one, other, score) for (one, other), score in found.items()]


def parts(nodes: Nodes, into: int | None, reporter: Reporter) -> NDArray[np.int64]:
    """Which part of one cluster each node falls into, the heaviest part 0. [N]

    A tree of average linkage is cut where the widest gap lies between two of its last merges, or so that `into` parts
    are left.

    Args:
        nodes: at least two; owners do not matter.
        into: number of parts, 2 or more; None = as many as there naturally are, up to `MOST_PARTS`.
        reporter: is told how far it is.
    """
    where, small, tight = np.arange(len(nodes)), nodes, 0.98
    while len(small) > MOST_TO_SPLIT:
        leads = compress(
            Nodes(nodes.sums, nodes.weights, [set()] * len(nodes), np.full(len(nodes), NOBODY)), tight, reporter
        )
        kept, where = np.unique(leads, return_inverse=True)
        small, tight = _summed(nodes, kept, where), tight - 0.04
    tree = linkage(pdist(directions(small.sums).astype(np.float64), "cosine"), "average")
    heights = tree[:, 2]
    if into is None:
        most = min(MOST_PARTS, len(small))
        gaps = [heights[-count + 1] - (heights[-count] if count < len(small) else 0) for count in range(2, most + 1)]
        into = 2 + int(np.argmax(gaps))
    labels = fcluster(tree, min(into, len(small)), "maxclust") - 1
    labels = labels[where]
    weights = np.bincount(labels, nodes.weights)
    order = np.argsort(-weights, kind="stable")
    return np.argsort(order, kind="stable")[labels].astype(np.int64)
