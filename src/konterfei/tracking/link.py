"""Links faces of consecutive frames into tracks: one person, no gap, no cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from konterfei.detectors import overlap
from konterfei.tracking.finder import Found, FrameFaces

LEAST_OVERLAP = 0.2
"""Overlap of a face with where it is expected, below which it is another one. At 25 frames a second a face would have
to cross two thirds of its own width between two frames; slower footage is helped by the predicted motion."""

STRANGER = 0.15
"""Cosine below which two embeddings of well visible faces are different people: same people in bad frames stay above
0.3, different ones lie at 0.04 +- 0.1 (design measurements)."""

RELIABLE_PRESENCE = 0.9
"""Presence from which on an embedding says enough to part a track: those of profiles and half-hidden faces do not."""

RELIABLE_SIZE = 40.0
"""Pixels of height from which on an embedding does."""


@dataclass
class Track:
    """One person's face over frames without a gap."""

    start: int
    """Position of the first frame."""
    faces: list[Found] = field(default_factory=list)

    @property
    def stop(self) -> int:
        """Position after the last frame."""
        return self.start + len(self.faces)

    def __len__(self) -> int:
        return len(self.faces)

    @property
    def size(self) -> float:
        """Median height of the face in pixels."""
        return float(np.median([face.box[3] - face.box[1] for face in self.faces]))

    def embedding(self) -> NDArray[np.float32] | None:
        """Mean direction of the reliable embeddings, of all when none is; None when none was measured. [D]"""
        measured = [face for face in self.faces if face.embedding is not None]
        chosen = [face for face in measured if is_reliable(face)] or measured
        if not chosen:
            return None
        mean = np.mean([face.embedding for face in chosen if face.embedding is not None], axis=0)
        return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)


def is_reliable(face: Found) -> bool:
    """Whether the face is seen well enough for its embedding to speak against what overlap says."""
    return face.presence >= RELIABLE_PRESENCE and face.box[3] - face.box[1] >= RELIABLE_SIZE


def link(frames: Sequence[FrameFaces], cuts: Collection[int]) -> list[Track]:
    """All tracks, by their first frame, then from left to right.

    Args:
        frames: what was found, one entry per frame without gaps.
        cuts: positions of frames that begin a new scene.
    """
    begins = set(cuts)
    finished: list[Track] = []
    running: list[Track] = []
    for position, frame in enumerate(frames):
        if position in begins:
            finished += running
            running = []
        pairs = _match(running, frame.faces)
        follows = dict(pairs)
        taken = set(follows.values())
        going = []
        for number, track in enumerate(running):
            if number in follows:
                track.faces.append(frame.faces[follows[number]])
                going.append(track)
            else:
                finished.append(track)
        running = going + [Track(position, [face]) for number, face in enumerate(frame.faces) if number not in taken]
    parts = [part for track in finished + running for part in _part_strangers(track)]
    return sorted(parts, key=lambda track: (track.start, float(track.faces[0].box[0])))


def _match(tracks: list[Track], faces: list[Found]) -> list[tuple[int, int]]:
    """Pairs (track, face) with the greatest overlap in total."""
    if not tracks or not faces:
        return []
    boxes = np.array([face.box for face in faces], np.float32)
    shared = np.stack([overlap(_expected(track), boxes) for track in tracks])
    for row, track in enumerate(tracks):
        last = track.faces[-1]
        for column, face in enumerate(faces):
            if _are_strangers(last, face):
                shared[row, column] = 0
    rows, columns = linear_sum_assignment(-shared)
    return [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if shared[r, c] >= LEAST_OVERLAP]


def _expected(track: Track) -> NDArray[np.float32]:
    """The box of the next frame if the face goes on as it went. [4]"""
    now = track.faces[-1].box
    if len(track) == 1:
        return now
    before = track.faces[-2].box
    return now + np.tile((now - before).reshape(2, 2).mean(axis=0), 2)


def _are_strangers(one: Found, other: Found) -> bool:
    if one.embedding is None or other.embedding is None or not (is_reliable(one) and is_reliable(other)):
        return False
    return float(one.embedding @ other.embedding) < STRANGER


def _part_strangers(track: Track) -> list[Track]:
    """The track parted where its embeddings say that another person took over (a cut that nobody noticed).

    The frame of the change is the one where the points jump most between the two embeddings.
    """
    known = [n for n, face in enumerate(track.faces) if face.embedding is not None and is_reliable(face)]
    parts, begin = [], 0
    for before, after in pairwise(known):
        if _are_strangers(track.faces[before], track.faces[after]):
            points = np.stack([face.points for face in track.faces[before : after + 1]])
            jumps = np.abs(np.diff(points, axis=0)).mean(axis=(1, 2))
            change = before + 1 + int(jumps.argmax())
            parts.append(Track(track.start + begin, track.faces[begin:change]))
            begin = change
    return [*parts, Track(track.start + begin, track.faces[begin:])]
