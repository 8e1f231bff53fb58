"""Who is in facesets of many people, and who of them is never trained on.

A person is who has one number (or one track) in one source of one faceset. Two of these are kept on one side, trained
on or held out, where they come from one source of one faceset, or where the recognizer finds them as alike as 0.7 (in
the mean over their faces): pictures of one maker look alike, so the usual 0.42 would chain nearly all of them together.
It counts where sources of two facesets have one name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from konterfei.errors import ConfigError, FacesetError, StoreError
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.weights.bases import RECOGNIZER

Array = NDArray[Any]

ALIKE = 0.7
"""Cosine from which on two people are kept on one side."""
MOST = 64
"""People who are held out, at most: more make no better figure."""
_LENGTH = 192
_PAIRS = 1 << 22  # that are compared at a time: some 100 MB


@dataclass(frozen=True)
class Roster:
    """Who is in some facesets; lists are in their order.

    Attributes:
        facesets: these.
        who: of each faceset, name of each face -> the mean of its person's embeddings, unit length. [192]
        people: of each faceset, name of each face -> number of the person.
        sides: number of each person -> number of the people who are kept on one side with them.
    """

    facesets: tuple[Faceset, ...]
    who: tuple[Mapping[str, Array], ...]
    people: tuple[Mapping[str, int], ...]
    sides: Array

    def side(self, faceset: int, name: str) -> int:
        """Of a face."""
        return int(self.sides[self.people[faceset][name]])

    def names_on(self, sides: Iterable[int]) -> list[list[str]]:
        """The faces of each faceset that are on one of these sides."""
        wanted = set(sides)
        return [[name for name, person in people.items() if self.sides[person] in wanted] for people in self.people]


def roster_of(facesets: Sequence[Faceset], reporter: Reporter) -> Roster:
    """Look at all faces of the facesets; those without an embedding are given one.

    Raises:
        FacesetError: no face can be read.
    """
    numbers = [_embeddings(faceset, reporter) for faceset in facesets]
    keys: dict[tuple[Any, ...], int] = {}
    people: list[dict[str, int]] = []
    for number, faceset in enumerate(facesets):
        records = [record for record in faceset.records() if record.name in numbers[number]]
        crowded = Counter((record.source, record.frame_index) for record in records)
        people.append({r.name: keys.setdefault(_key(number, r, crowded), len(keys)) for r in records})
    if not keys:
        raise FacesetError("None of the facesets holds a face that can be read. Extract them again.")
    means = np.zeros((len(keys), _LENGTH), np.float64)
    for known, vectors in zip(people, numbers, strict=True):
        for name, person in known.items():
            means[person] += vectors[name]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    same = RECOGNIZERS.load(RECOGNIZER).same_person
    who = tuple(
        {name: _of_person(vectors[name], means[person], same) for name, person in known.items()}
        for known, vectors in zip(people, numbers, strict=True)
    )
    return Roster(tuple(facesets), who, tuple(people), _sides(list(keys), means, same, reporter))


def _key(faceset: int, record: FaceRecord, crowded: Counter[Any]) -> tuple[Any, ...]:
    """What is the same for all faces of a person. Where nobody told faces of one picture apart, each is a person."""
    face = record.face
    if face.person is not None:
        return faceset, record.source, "person", face.person
    if face.track is not None:
        return faceset, record.source, "track", face.track
    alone = crowded[record.source, record.frame_index] == 1
    return faceset, record.source, "", "" if alone else record.name


def _of_person(own: Array, mean: Array, same: float) -> Array:
    """The mean, unless the face is somebody else's after all."""
    vector = mean if float(own @ mean) >= same else own
    return np.asarray(vector, np.float32)


def _sides(keys: Sequence[tuple[Any, ...]], means: Array, same: float, reporter: Reporter) -> Array:
    """See the module. [N]"""
    sources: dict[tuple[Any, ...], int] = {}
    first = [sources.setdefault(key[:2], number) for number, key in enumerate(keys)]
    names = np.unique([key[1] for key in keys], return_inverse=True)[1]
    count, sides = len(keys), np.array(first)
    block = max(1, _PAIRS // count)
    reporter.start("looking who is alike", count, "people")
    for start in range(0, count, block):
        check(reporter)
        here = slice(start, start + block)
        needed = np.where(names[here, None] == names, same, ALIKE)
        rows, columns = np.nonzero(means[here] @ means.T >= needed)
        # People of one side hang on a node of their own, so that no block has to remember the pairs of those before.
        both = np.concatenate([rows + start, np.arange(count)]), np.concatenate([columns, count + sides])
        graph = coo_array((np.ones(len(both[0]), np.int8), both), shape=(2 * count, 2 * count))
        sides = connected_components(graph, directed=False)[1][:count]
        sides = np.unique(sides, return_inverse=True)[1]
        reporter.advance(min(start + block, count))
    reporter.finish()
    return np.asarray(sides)


def _embeddings(faceset: Faceset, reporter: Reporter) -> dict[str, Array]:
    """Name of each face -> its embedding, unit length; faces that cannot be read have none."""
    made_with = faceset.header.settings.get("recognizer", RECOGNIZER)
    found: dict[str, Array] = {}
    missing = []
    for record in faceset.records():
        vector = record.face.embedding
        if vector is not None and made_with == RECOGNIZER and len(vector) == _LENGTH:
            found[record.name] = vector / max(float(np.linalg.norm(vector)), 1e-12)
        else:
            missing.append(record)
    if missing:
        recognizer = RECOGNIZERS.load(RECOGNIZER)(threads=1)
        reporter.start(f"looking who is in '{faceset.folder.name}'", len(missing), "faces")
        for done, record in enumerate(missing, 1):
            check(reporter)
            try:
                image = faceset.image(record.name)
            except StoreError:
                continue  # told when faces are read
            points = record.crop.crop_from_frame @ record.face.landmarks
            found[record.name] = recognizer.embed(image, [points.astype(np.float32)])[0]
            reporter.advance(done)
        reporter.finish()
    return found


def hold_out(roster: Roster, share: float, seed: int, whole: Sequence[int] = ()) -> list[list[str]]:
    """The faces of each faceset that are never trained on, by names.

    Args:
        roster: everybody.
        share: of the people of each faceset.
        seed: which ones.
        whole: facesets whose people are held out, instead; then the share does not count.

    Raises:
        ConfigError: fewer than two people would be held out, or nobody left to learn from.
    """
    sides_of = [Counter(int(roster.sides[p]) for p in people.values()) for people in roster.people]
    if whole:
        held = {side for number in whole for side in sides_of[number]}
    else:
        chance = np.random.RandomState(seed)
        held = set()
        for sides in sides_of:
            most = max(1.0, share * sum(sides.values()))
            small = sorted(side for side, faces in sides.items() if faces <= most)
            wanted = min(round(share * len(sides)), max(1, MOST * len(sides) // sum(map(len, sides_of))))
            held |= {int(side) for side in chance.permutation(small)[:wanted]}
    names = roster.names_on(held)
    refuse_too_few(roster, names, "give more people, a larger --held-out, or facesets of other people as --held.")
    return names


def refuse_too_few(roster: Roster, names: Sequence[Sequence[str]], remedy: str) -> None:
    """Raises ConfigError where fewer than two people are held out, or nobody is left to learn from.

    Args:
        roster: everybody.
        names: of the faces of each faceset that are held out.
        remedy: what to do, the end of a sentence.
    """
    people = {person for known, some in zip(roster.people, names, strict=True) for person in map(known.get, some)}
    left = sum(len(known) - len(some) for known, some in zip(roster.people, names, strict=True))
    if len(people) < 2 or not left:
        raise ConfigError(
            f"{len(people)} people would be held out, {left} faces left to learn from. It takes two people who are "
            f"held out, to be drawn as one another, and many others: {remedy}"
        )
