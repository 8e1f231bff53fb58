"""Does a swap look like somebody whom the base was trained with, more than chance and src and dst themselves explain?

The swap of held-out faces is compared with each of these people by the mean cosine of the embeddings. Among so many
strangers one is always rather near: what tells is the difference between the arms, and `beyond`, the most by which
the swap is nearer to one of them than both src and dst are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from time_to_quality_scores import RECOGNIZER, WITNESS, means_of

from konterfei.io.atomic import atomic_path
from konterfei.io.faceset import Faceset
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check

if TYPE_CHECKING:
    from time_to_quality_report import Course

MOST = 8
"""Faces of a person that the second recognizer looks at."""


def strangers(out: Path, facesets: Sequence[Path], reporter: Reporter) -> dict[str, np.ndarray]:
    """Mean embeddings of the people in the facesets, by recognizer, unit length. [P, D]

    A person is what comes from one video or picture. What the second recognizer sees is kept in `out`.
    """
    opened = [Faceset.open(path) for path in facesets]
    key = hashlib.sha256("".join(f.content_hash() for f in opened).encode()).hexdigest()[:16]
    kept = out / f"strangers_{key}.npz"
    if not kept.exists():
        found = _look(opened, reporter)
        with atomic_path(kept) as path, path.open("wb") as file:
            np.savez(file, **found)
    with np.load(kept) as arrays:
        return dict(arrays)


def _look(facesets: Sequence[Faceset], reporter: Reporter) -> dict[str, np.ndarray]:
    witness = RECOGNIZERS.load(WITNESS)(threads=1)
    first: dict[tuple[int, str], list[np.ndarray]] = {}
    second: dict[tuple[int, str], list[np.ndarray]] = {}
    reporter.start("looking at the base's people", sum(map(len, facesets)), "faces")
    done = 0
    for number, faceset in enumerate(facesets):
        for record in faceset.records():
            check(reporter)
            person = (number, record.source)
            if record.face.embedding is not None:
                first.setdefault(person, []).append(record.face.embedding)
            if len(second.setdefault(person, [])) < MOST:
                points = record.crop.crop_from_frame @ record.face.landmarks
                second[person].append(witness.embed(faceset.image(record.name), [points])[0])
            done += 1
            reporter.advance(done)
    reporter.finish()
    return {name: _means(found) for name, found in ((RECOGNIZER, first), (WITNESS, second))}


def _means(found: Mapping[Any, Sequence[np.ndarray]]) -> np.ndarray:
    means = np.stack([np.mean(vectors, axis=0) for vectors in found.values()])
    return means / np.linalg.norm(means, axis=1, keepdims=True)


def leak_of(seen: np.ndarray, src: np.ndarray, dst: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """How near a swap is to src, dst and strangers, by mean cosines.

    Args:
        seen: embeddings of the swapped faces, unit length; NaN where none was found. [N, D]
        src, dst: who they are, unit length. [D]
        others: strangers, unit length. [P, D]
    """
    face = np.nanmean(seen, axis=0)
    to_others, known = others @ face, np.maximum(others @ src, others @ dst)
    return {
        "src": float(face @ src),
        "dst": float(face @ dst),
        "nearest": float(to_others.max()),
        "nearest_of_src": float((others @ src).max()),
        "beyond": float((to_others - known).max()),
    }


def leak_rows(out: Path, courses: Sequence[Course], others: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """For each training and recognizer: how near the last mark's swap is to whom."""
    rows = []
    people: dict[str, Mapping[tuple[str, str], np.ndarray]] = {}
    for course in courses:
        seen = course.folders[-1] / "seen.npz"
        if not seen.exists():  # no face was found in the swap
            continue
        if course.pair not in people:
            people[course.pair] = means_of(out / course.pair)
        with np.load(seen) as arrays:
            for recognizer, kind in ((RECOGNIZER, "embeddings"), (WITNESS, "witness")):
                who = [people[course.pair][person, recognizer] for person in ("src", "dst")]
                figures = leak_of(arrays[kind], *who, others[recognizer])
                about = {"pair": course.pair, "arm": course.arm, "seed": course.seed, "recognizer": recognizer}
                rows.append({**about, **{name: round(value, 4) for name, value in figures.items()}})
    return rows
