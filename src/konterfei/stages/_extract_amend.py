"""Frames that were looked at again, or put right by hand: what counts in the place of what the first pass found.

The first pass's result stays as it is and is the base: who is who, tracks and the smoothing of all other frames come
from it alone, so that all other crops stay as they are, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detection, overlap
from konterfei.errors import ConfigError
from konterfei.geometry import HEAD_68, Face
from konterfei.stages._extract_choice import Cast, Faces, Part, kept_of
from konterfei.stages._extract_corrections import Correction, is_within, mark
from konterfei.stages._extract_settings import ExtractConfig
from konterfei.tracking.faces import TrackedFace, faces_by_frame
from konterfei.tracking.finder import MATCH_OVERLAP, Finder, Found
from konterfei.tracking.link import Track
from konterfei.tracking.people import NEAR_FACTOR

CONTEXT = 16
"""Frames on each side that the smoothing of a frame looked at again takes into account; it reaches no further."""


@dataclass(frozen=True)
class Kept:
    """One face to be cut: smoothed, as found, and whether a person gave it."""

    face: Face
    raw: NDArray[np.float32]
    is_corrected: bool = False


@dataclass
class Amendments:
    """What is known better of one film.

    Attributes:
        config: the extraction.
        part: the film.
        number: its place among all parts.
        cast: all people.
        chosen: numbers of those who are kept.
        base: the faces kept by the first pass.
        same_person: cosine from which on two embeddings are one person.
        corrections: frame -> what a person says.
    """

    config: ExtractConfig
    part: Part
    number: int
    cast: Cast
    chosen: Sequence[int]
    base: Faces
    same_person: float
    corrections: Mapping[int, Sequence[Correction]] = field(default_factory=dict)

    def check(self, path: object) -> None:
        """Raise ConfigError where a correction is of a frame that was not looked at, or of nobody that is there."""
        known = set(self.part.analysis.indices)
        people = max(len(self.cast.people), 1)
        for frame, said in self.corrections.items():
            if frame not in known:
                raise ConfigError(
                    f"'{path}', frame {frame}: {self.part.given.name} has no such frame, or it was not looked at "
                    "(--range, --every-nth). Take the entry out."
                )
            for place, one in enumerate(said):
                if one.person is not None and one.person >= people:
                    raise ConfigError(
                        f"'{path}', frame {frame}, faces[{place}].person is {one.person}; there are {people} people, "
                        "numbered from 0."
                    )

    @property
    def frames(self) -> set[int]:
        """Those that anything is known better of."""
        return {*self.part.analysis.redone, *self.corrections}

    def marks(self) -> dict[str, str]:
        """For each such frame a text that changes with what is known of it."""
        return {str(frame): self._mark(frame) for frame in sorted(self.frames)}

    def _mark(self, frame: int) -> str:
        told: list[Any] = [mark(self.corrections.get(frame, ()))]
        if redone := self.part.analysis.redone.get(frame):
            told += [dict(redone.how), [face.points.astype(float).tolist() for face in redone.faces.faces]]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]

    def has_face(self, frame: int) -> bool:
        """Whether a face is kept there, as far as can be told without looking at the frame."""
        if any(not one.is_removed for one in self.corrections.get(frame, ())):
            return True
        if frame in self.corrections:
            return bool(self._without(self._found(frame), self.corrections[frame]))
        return bool(self._found(frame))

    def faces(self, frame: int, image: NDArray[np.uint8], finder: Finder) -> list[Kept]:
        """The faces of a frame that counts, by what is known better of it."""
        said = self.corrections.get(frame, ())
        here = self._without(self._found(frame), said)
        given = [self._given(frame, one, image, finder) for one in said if not one.is_removed]
        for kept, _ in given:
            boxes = np.array([other.face.box for other in here], np.float32).reshape(-1, 4)
            shared = overlap(kept.face.box, boxes)
            here = [
                other
                for other, amount in zip(here, shared, strict=True)
                if amount <= MATCH_OVERLAP and other.face.person != kept.face.person
            ]
        return here + [kept for kept, is_wanted in given if is_wanted]

    # --- looked at again

    def _found(self, frame: int) -> list[Kept]:
        """Without what a person says."""
        if frame not in self.part.analysis.redone:
            return [Kept(face, raw) for face, raw in self.base.get(frame, ())]
        items = [item for person in self.chosen if (item := self._redone(frame, person)) is not None]
        return [Kept(face, raw) for face, raw in kept_of(self.config, items)]

    def _redone(self, frame: int, person: int) -> TrackedFace | None:
        """The face of a person in a frame that was looked at again, smoothed with its neighbours."""
        positions, indices = self._positions, self.part.analysis.indices
        place = positions[frame]
        own = self._assigned(frame).get(person)
        if own is None:
            return None
        run, first = [own], place
        while first > 0 and place - first < CONTEXT and first not in self._begins:
            if (before := self._at(indices[first - 1], person)) is None:
                break
            run.insert(0, before)
            first -= 1
        last = place
        while last + 1 < len(indices) and last - place < CONTEXT and last + 1 not in self._begins:
            if (after := self._at(indices[last + 1], person)) is None:
                break
            run.append(after)
            last += 1
        faces = faces_by_frame({person: [Track(first, run)]}, indices, self.config.smoothing)
        face, raw = faces[frame][0]
        return face.with_(track=self._track_of(place, person)), raw

    def _at(self, frame: int, person: int) -> Found | None:
        if frame in self.part.analysis.redone:
            return self._assigned(frame).get(person)
        return self._by_place[person].get(self._positions[frame])

    def _assigned(self, frame: int) -> dict[int, Found]:
        """Whose the faces are that were found in a frame looked at again: by place first, then by likeness."""
        found = self.part.analysis.redone[frame].faces.faces
        place = self._positions[frame]
        pairs = []
        for number, face in enumerate(found):
            for person in range(len(self._by_place)):
                score = self._fits(place, person, face)
                if score > 0:
                    pairs.append((score, person, number))
        taken: dict[int, Found] = {}
        for _, person, number in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
            if person not in taken and not any(found[number] is other for other in taken.values()):
                taken[person] = found[number]
        if not taken and not self.cast.people and found:  # nobody was known at all: the largest face is person 0
            taken[0] = max(found, key=lambda face: float(np.prod(np.ptp(face.points, axis=0))))
        return taken

    def _fits(self, place: int, person: int, face: Found) -> float:
        """How well a face fits a person; 0 = it is somebody else's."""
        theirs = self.cast.people[person].embedding() if person < len(self.cast.people) else None
        cosine = 0.5 if theirs is None or face.embedding is None else float(theirs @ face.embedding)
        near = [self._by_place[person].get(place + by) for by in (-2, -1, 1, 2)]
        boxes = np.array([other.box for other in near if other is not None], np.float32).reshape(-1, 4)
        shared = float(overlap(face.box, boxes).max()) if len(boxes) else 0.0
        if shared >= MATCH_OVERLAP and cosine >= 0.15:
            return 2.0 + shared + cosine
        return cosine if cosine >= self.same_person * NEAR_FACTOR and theirs is not None else 0.0

    # --- put right by hand

    def _without(self, here: Sequence[Kept], said: Sequence[Correction]) -> list[Kept]:
        """The faces that nobody removes."""
        removed = [one for one in said if one.is_removed]
        return [kept for kept in here if not any(_is_meant(one, kept.face) for one in removed)]

    def _given(self, frame: int, one: Correction, image: NDArray[np.uint8], finder: Finder) -> tuple[Kept, bool]:
        """A face as a person gave it, and whether it is of somebody who is kept."""
        place = self._positions[frame]
        points, iris, presence = one.landmarks, None, 1.0
        if points is None:
            assert one.box is not None
            (answer,) = finder.landmarker.landmarks(image, [_as_seen(one.box)])
            points, iris, presence = answer.points, answer.iris, answer.presence
        vector = finder.recognizer.embed(image, [points])[0]
        found = Found(points, iris, 1.0, presence, vector)
        person = one.person if one.person is not None else self._whose(place, found)
        face = Face(
            box=found.box,
            landmarks=points,
            score=1.0,
            embedding=vector,
            iris=iris,
            presence=presence,
            track=self._track_of(place, person),
            person=person,
        )
        return Kept(face, points, is_corrected=True), person in self.chosen

    def _whose(self, place: int, face: Found) -> int:
        """Number of the person whose face this is: one that fits, else the only one who is kept."""
        scores = [(self._fits(place, person, face), -person) for person in range(len(self._by_place))]
        best, person = max(scores, default=(0.0, 0))
        return -person if best > 0 else self.chosen[0]

    # --- the base, by place

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {index: place for place, index in enumerate(self.part.analysis.indices)}

    @cached_property
    def _begins(self) -> set[int]:
        return {*self.part.cuts}

    @cached_property
    def _by_place(self) -> list[dict[int, Found]]:
        """For each person: position -> face."""
        return [
            {track.start + n: face for track in of_part[self.number] for n, face in enumerate(track.faces)}
            for of_part in self.cast.tracks
        ]

    def _track_of(self, place: int, person: int) -> int:
        """Number of the person's track that is there or nearest; a new one where the film shows nobody."""
        numbered = [
            (number, whose, track)
            for number, (whose, track) in enumerate(
                (whose, track)
                for whose in self.chosen
                if whose < len(self.cast.tracks)
                for track in self.cast.tracks[whose][self.number]
            )
        ]
        own = [
            (max(track.start - place, place - track.stop + 1, 0), n) for n, whose, track in numbered if whose == person
        ]
        return min(own)[1] if own else len(numbered)


def _is_meant(one: Correction, face: Face) -> bool:
    """Whether a removal means this face."""
    if one.person is not None and face.person != one.person:
        return False
    return one.near is None or is_within(one.near, face.box)


def _as_seen(box: NDArray[np.float32]) -> Detection:
    """A box given by hand as a detector would tell it: an upright face fills it."""
    flat = HEAD_68[:, :2] - HEAD_68[:, :2].min(axis=0)
    flat = flat / flat.max(axis=0)
    five = np.stack([flat[36:42].mean(0), flat[42:48].mean(0), flat[30], flat[48], flat[54]])
    return Detection(box, 1.0, (box[:2] + five * (box[2:] - box[:2])).astype(np.float32))
