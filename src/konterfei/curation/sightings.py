"""The faces of one or several facesets as arrays: who they look like, when each is seen, how much that is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.clusters import NOBODY, Nodes, Vectors
from konterfei.curation.looks import Looks
from konterfei.errors import FacesetError
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check

DIGEST = 16
"""Hexadecimal digits of a record's hash that stand for a face: two of 100,000 are equal once in 3,700 million cases."""

SHARP_ENOUGH = 64.0
"""Pixels of height of a face in its frame from which on its embedding is as good as it gets."""

SAME_CLIP_FACTOR = 0.6
"""Tracks that `extract` took for one person may resemble less by this factor: it has seen where each began and ended
(`tracking.people.NEAR_FACTOR`)."""


@dataclass
class Sightings:
    """Faces, one entry of each list and one row of each array per face; by clip, then in the faceset's order.

    Attributes:
        folders: of the facesets ("clips").
        digests: the first `DIGEST` digits of each record's hash.
        clips: index of the faceset. [N]
        names: of the crop's file.
        sources: of the video.
        frames: of the video.
        seconds: when the frame is shown. [N]
        tracks: number of the track, -1 = none. [N]
        numbers: of the person in its own faceset, as `extract --person` counts; -1 = none. [N]
        qualities: how much the embedding is worth, up to 1. [N]
        vectors: embeddings, unit length. [N, D] float32
    """

    folders: list[Path]
    digests: list[str]
    clips: NDArray[np.int64]
    names: list[str]
    sources: list[str]
    frames: list[int]
    seconds: NDArray[np.float64]
    tracks: NDArray[np.int64]
    numbers: NDArray[np.int64]
    qualities: NDArray[np.float64]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.digests)

    def path(self, index: int) -> Path:
        """The crop's file."""
        return self.folders[self.clips[index]] / self.names[index]


def digest_of(checksum: bytes) -> str:
    """What stands for a face: the beginning of the hash of its record, out of `Faceset.checksums`."""
    return checksum[4:].hex()[:DIGEST]


def look(facesets: Iterable[Faceset], looks: Looks, reporter: Reporter) -> Sightings:
    """All faces of `facesets`; one that lies in several counts in the first of them.

    Each faceset is let go before the next is taken, so that of 100,000 faces only what is kept here is in memory.

    Args:
        facesets: of any face types and sizes.
        looks: measures faces that carry no embedding, and remembers them.
        reporter: is told how far it is.

    Raises:
        FacesetError: embeddings of different recognizers.
        Cancelled: a person asked to stop.
    """
    folders: list[Path] = []
    seen: set[str] = set()
    rows: list[tuple[Any, ...]] = []
    vectors: list[NDArray[np.float32]] = []
    for clip, faceset in enumerate(facesets):
        check(reporter)
        folders.append(faceset.folder)
        faces = {digest_of(key): record for key, record in zip(faceset.checksums(), faceset.records(), strict=True)}
        unknown = {d: r for d, r in faces.items() if r.face.embedding is None and d not in seen}
        if looks.measure(faceset, unknown, reporter) or clip == 0:
            reporter.start("reading faces", None, unit="faces")
        for digest, record in faces.items():
            if digest in seen:
                continue
            seen.add(digest)
            face = record.face
            vector = looks.of(digest) if face.embedding is None else face.embedding
            if vectors and len(vector) != len(vectors[0]):
                raise FacesetError(
                    f"The faces in '{faceset.folder}' were measured by another recognizer than those in "
                    f"'{folders[0]}', so that they cannot be compared. Extract one of them again."
                )
            who = (-1 if face.track is None else face.track, -1 if face.person is None else face.person)
            moment = (record.source, record.frame_index, float(record.pts))
            rows.append((digest, clip, record.name, *moment, *who, quality(record)))
            vectors.append(vector)
        reporter.advance(len(rows))
    reporter.finish()
    columns = zip(*rows, strict=True) if rows else [()] * 9
    digests, clips, names, sources, frames, seconds, tracks, numbers, qualities = columns
    return Sightings(
        folders=folders,
        digests=list(digests),
        clips=np.array(clips, np.int64),
        names=list(names),
        sources=list(sources),
        frames=list(frames),
        seconds=np.array(seconds, np.float64),
        tracks=np.array(tracks, np.int64),
        numbers=np.array(numbers, np.int64),
        qualities=np.array(qualities, np.float64),
        vectors=np.array(vectors, np.float32) if vectors else np.zeros((0, 1), np.float32),
    )


def quality(record: FaceRecord) -> float:
    """How much a face's embedding is worth, 0.02 to 1: less of what is small, half hidden or turned away."""
    height = float(record.face.box[3] - record.face.box[1])
    pitch, yaw, _ = record.pose
    frontal = max(float(np.cos(yaw) * np.cos(pitch)), 0.0)
    return max(0.02, min(height / SHARP_ENOUGH, 1.0) * record.face.presence**2 * frontal)


def tracks_of(seen: Sightings) -> list[NDArray[np.int64]]:
    """The faces that belong together for certain: those of a track; a face without one by itself. Rows of `seen`.

    A track with two faces in a frame is none (crops of two clips of one name, pooled): each face is by itself. The
    result is ordered by what the faces are, not by the order in which the facesets came.
    """
    groups: dict[object, list[int]] = {}
    for index, track in enumerate(seen.tracks.tolist()):
        key = index if track < 0 else (int(seen.clips[index]), seen.sources[index], track, int(seen.numbers[index]))
        groups.setdefault(key, []).append(index)
    found = []
    for rows in groups.values():
        is_whole = len({seen.frames[row] for row in rows}) == len(rows)
        found += [rows] if is_whole else [[row] for row in rows]
    found.sort(key=lambda rows: (-float(seen.qualities[rows].sum()), min(seen.digests[row] for row in rows)))
    return [np.array(sorted(rows, key=lambda row: seen.digests[row]), np.int64) for rows in found]


def same_in_clip(seen: Sightings, tracks: Sequence[NDArray[np.int64]], join: float) -> list[NDArray[np.int64]]:
    """`tracks` with those put together that `extract` took for one person, unless they do not resemble each other.

    Args:
        seen: the faces.
        tracks: rows of `seen`, the weightiest first.
        join: mean cosine with the rest of the person that a track needs.
    """
    known: dict[tuple[int, str, int], int] = {}
    joined: list[list[NDArray[np.int64]]] = []
    frames: list[set[int]] = []
    for rows in tracks:
        first = int(rows[0])
        number = int(seen.numbers[first])
        key = (int(seen.clips[first]), seen.sources[first], number)
        place = known.get(key) if number >= 0 else None
        own = {seen.frames[row] for row in rows}
        if place is not None and frames[place].isdisjoint(own):
            mean, other = (mean_of(seen, part) for part in (rows, np.concatenate(joined[place])))
            if float(mean @ other) >= join:
                joined[place].append(rows)
                frames[place] |= own
                continue
        if number >= 0:
            known.setdefault(key, len(joined))
        joined.append([rows])
        frames.append(own)
    return [np.concatenate(parts) for parts in joined]


def mean_of(seen: Sightings, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weighted mean of unit vectors, shorter than 1. [D]"""
    weights = seen.qualities[rows]
    return np.asarray(weights @ seen.vectors[rows].astype(np.float64) / weights.sum())


def nodes_of(seen: Sightings, groups: Sequence[NDArray[np.int64]], owners: Sequence[int] = ()) -> Nodes:
    """Groups of rows of `seen` as nodes; nobody's, unless `owners` are given."""
    moments: dict[tuple[int, str, int], int] = {}
    frames = [
        {moments.setdefault((int(seen.clips[row]), seen.sources[row], seen.frames[row]), len(moments)) for row in rows}
        for rows in groups
    ]
    sums = [seen.qualities[rows] @ seen.vectors[rows].astype(np.float64) for rows in groups]
    return Nodes(
        sums=np.array(sums, np.float32).reshape(len(groups), seen.vectors.shape[1]),
        weights=np.array([seen.qualities[rows].sum() for rows in groups], np.float64),
        frames=frames,
        owners=np.array(owners or [NOBODY] * len(groups), np.int64),
    )
