"""Groups tracks into people, and picks the one that was asked for."""

from __future__ import annotations

from bisect import insort
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import NoFacesError
from konterfei.tracking.link import Track

NEAR_IN_TIME = 50
"""Frames within which a track that begins where another ended is likely the same person: 2 s."""

NEAR_FACTOR = 0.6
"""Such a track may resemble less by this factor: it is often a profile or a blurred turn of the head."""


class Person:
    """Tracks of one person, in order of their first frames."""

    def __init__(self, tracks: Sequence[Track] = ()) -> None:
        self.tracks: list[Track] = []
        self._sum: NDArray[np.float64] | None = None
        for track in tracks:
            self.add(track)

    def add(self, track: Track) -> None:
        """One more track of this person."""
        insort(self.tracks, track, key=lambda track: track.start)
        vector = track.embedding()
        if vector is not None:
            weighted = vector.astype(np.float64) * len(track)
            self._sum = weighted if self._sum is None else self._sum + weighted

    @property
    def num_frames(self) -> int:
        """Frames in which this person is seen."""
        return sum(len(track) for track in self.tracks)

    @property
    def size(self) -> float:
        """Mean height of the face in pixels."""
        return float(np.average([track.size for track in self.tracks], weights=[len(track) for track in self.tracks]))

    @property
    def start(self) -> int:
        """Position of the first frame."""
        return min(track.start for track in self.tracks)

    def embedding(self) -> NDArray[np.float32] | None:
        """Mean direction over all tracks, long ones counting more; None when none was measured. [D]"""
        if self._sum is None:
            return None
        return (self._sum / max(float(np.linalg.norm(self._sum)), 1e-9)).astype(np.float32)

    def meets(self, track: Track) -> bool:
        """Whether a track of this person shows at the same time as `track`: then it is somebody else's."""
        return any(own.start < track.stop and track.start < own.stop for own in self.tracks)


def group(tracks: Sequence[Track], same_person: float, known: Sequence[Person] = ()) -> list[Person]:
    """People, the most present first (of equals, the larger face); those already `known` before all others.

    Long tracks come first and found the people; each further track joins the one it resembles most, if it does so by
    `same_person` (less where it begins or ends close to that person in time and place), and never one who is seen
    elsewhere at the same time.

    Args:
        tracks: of one video.
        same_person: cosine from which on two embeddings are one person; the recognizer's.
        known: people of earlier material; they keep their places and get the tracks that are theirs.
    """
    people = list(known)
    for track in sorted(tracks, key=lambda track: (-len(track), -track.size, track.start)):
        vector = track.embedding()
        scores = [_resemblance(person, track, vector, same_person) for person in people]
        if scores and max(scores) >= 1.0:
            people[int(np.argmax(scores))].add(track)
        else:
            people.append(Person([track]))
    new = people[len(known) :]
    return [*known, *sorted(new, key=lambda person: (-person.num_frames, -person.size, person.start))]


def _resemblance(person: Person, track: Track, theirs: NDArray[np.float32] | None, same_person: float) -> float:
    """How well `track` fits `person`; from 1 on it does."""
    mine = person.embedding()
    cosine = None if mine is None or theirs is None else float(mine @ theirs)
    if cosine is not None and cosine < same_person * NEAR_FACTOR:
        return 0.0  # most pairs end here: the rest takes long in a crowd
    if person.meets(track):
        return 0.0
    is_near = any(_is_near(own, track) for own in person.tracks)
    if cosine is None:
        return 1.0 if is_near else 0.0
    return cosine / (same_person * (NEAR_FACTOR if is_near else 1.0))


def _is_near(one: Track, other: Track) -> bool:
    """Whether one track takes up where the other ended, in time and place."""
    first, second = (one, other) if one.start < other.start else (other, one)
    if second.start - first.stop > NEAR_IN_TIME:
        return False
    end, begin = first.faces[-1].box, second.faces[0].box
    centres = (end.reshape(2, 2).mean(axis=0), begin.reshape(2, 2).mean(axis=0))
    heights = (float(end[3] - end[1]), float(begin[3] - begin[1]))
    return float(np.linalg.norm(centres[0] - centres[1])) < max(heights) and max(heights) < 2 * min(heights)


def describe(people: Sequence[Person], total: int, chosen: Collection[int] = ()) -> str:
    """The people in words: index, share of the frames, size of the face."""
    parts = []
    for number, person in enumerate(people[:8]):
        mark = " (chosen)" if number in chosen else ""
        share = 100 * person.num_frames / max(total, 1)
        parts.append(f"{number}{mark}: {person.num_frames} frames ({share:.0f} %), face {person.size:.0f} px high")
    rest = f"; and {len(people) - 8} more" if len(people) > 8 else ""
    return "; ".join(parts) + rest


def most_like(people: Sequence[Person], wanted: NDArray[np.float32], same_person: float, where: str) -> int:
    """Index of the person whose embedding is nearest to `wanted` [D].

    Raises:
        NoFacesError: nobody resembles it by `same_person`.
    """
    cosines = [-1.0 if (vector := person.embedding()) is None else float(vector @ wanted) for person in people]
    best = int(np.argmax(cosines))
    if cosines[best] < same_person:
        raise NoFacesError(
            f"Nobody in {where} resembles the reference picture: the nearest is person {best} with "
            f"{cosines[best]:.2f}, {same_person:.2f} is needed. Give a sharper frontal picture, or an index: "
            f"{describe(people, max(person.num_frames for person in people))}."
        )
    return best
