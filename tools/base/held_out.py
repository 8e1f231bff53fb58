"""People whom a base never saw, and those from whom it learned: who they are and in which groups they are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from portraits import Portrait, found

from konterfei.errors import FacesetError
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.models.bases import Base
from konterfei.recognizers import Recognizer
from konterfei.reporting import Reporter, check
from konterfei.stages._pretrain_people import Roster, roster_of
from konterfei.training.crowd import CrowdFaces, crowd_of
from konterfei.training.data import load_faces
from konterfei.weights.bases import RECOGNIZER

Array = NDArray[Any]

MEMORY = 1 << 30
"""Bytes that held-out faces may take."""


@dataclass(frozen=True)
class HeldOut:
    """Faces of people who were held out, one for each or several.

    Attributes:
        faces: theirs.
        portraits: the list's line of each face.
        people: number of each face's line in the list. [N]
    """

    faces: CrowdFaces
    portraits: tuple[Portrait, ...]
    people: Array

    def __len__(self) -> int:
        return len(self.faces)


def held_out(faceset: Faceset, listed: Sequence[Portrait], base: Base, reporter: Reporter) -> HeldOut:
    """The faces of a faceset of portraits or of variants that the list holds out.

    Args:
        faceset: of collect.py or vary.py.
        listed: the list.
        base: that is to draw them.
        reporter: is told how far it is.

    Raises:
        FacesetError: none of the list's is in it.
    """
    roster = roster_of([faceset], reporter)
    records = {record.name: record for record in faceset.records()}
    numbers = {name: n for name, n in _numbers(listed, records).items() if listed[n].use == "held"}
    if not numbers:
        raise FacesetError(
            f"'{faceset.folder}' has nobody whom the list holds out. Give facesets that collect.py and vary.py made."
        )
    others = set(records) - (set(numbers) & set(roster.who[0]))  # who cannot be read is in no roster
    loaded = load_faces(
        faceset, base.face_type, base.dims.resolution, MEMORY, reporter, faceset.folder.stem, without=others
    )
    faces = crowd_of(loaded, roster.who[0], roster.people[0])
    people = np.array([numbers[name] for name in faces.names])
    return HeldOut(faces=faces, portraits=tuple(listed[number] for number in people), people=people)


def _numbers(listed: Sequence[Portrait], records: Mapping[str, FaceRecord]) -> dict[str, int]:
    """Which line of the list each face is: a portrait lies where the list says, of a variant vary.py has noted it."""
    variants = {name: r for name, r in records.items() if r.source.startswith("variants/")}
    numbers = {}
    for name, record in variants.items():
        number = record.frame_index // 100
        if number >= len(listed) or listed[number].file != record.source.removeprefix("variants/"):
            raise FacesetError(f"'{name}' was made with another list than is given. Make the variants again (vary.py).")
        numbers[name] = number
    matches = found(listed, [record for name, record in records.items() if name not in variants])
    return numbers | {record.name: number for number, record in matches.items()}


def families_never_seen(listed: Sequence[Portrait]) -> set[str]:
    """Mosaics of which nobody is trained on."""
    return {one.family for one in listed if one.use == "held"} - {one.family for one in listed if one.use == "train"}


# --- who was learned from


@dataclass(frozen=True)
class Learned:
    """Whom a base learned from.

    Attributes:
        who: recognizer -> what it says of each, unit length. [P, D]
        families: the mosaic that each portrait was cut from; "" for others. [P]
    """

    who: Mapping[str, Array]
    families: Array

    def __len__(self) -> int:
        return len(self.families)


def learned_from(
    facesets: Sequence[Faceset], without: Array, recognizers: Mapping[str, Recognizer], reporter: Reporter
) -> Learned:
    """Whom a base learned from.

    One face of each picture or video is looked at. A variant is the person of its portrait, and not looked at where
    the portrait is there.

    Args:
        facesets: that it learned from.
        without: who was held out though they are in one of them, by the first recognizer. [H, 192]
        recognizers: name -> recognizer; the numbers of `RECOGNIZER` are those of the records.
        reporter: is told how far it is.
    """
    roster = roster_of(facesets, reporter)
    looks: dict[str, dict[str, tuple[int, FaceRecord]]] = {}
    for number, faceset in enumerate(facesets):
        for record in faceset.records():
            picture = record.source.rpartition("/")[2]
            person = f"person {record.face.person}" if record.face.person is not None else picture
            looks.setdefault(person, {}).setdefault(picture, (number, record))
    who = {person: _who(roster, faces) for person, faces in looks.items()}
    learned = [p for p, vector in who.items() if not len(without) or float((without @ vector).max()) < 1 - 1e-6]
    people = {RECOGNIZER: np.stack([who[person] for person in learned])}
    count = sum(len(looks[person]) for person in learned)
    for name in recognizers.keys() - people.keys():
        reporter.start(f"looking at whom it learned from ({name})", count, "faces")
        done, means = 0, []
        for person in learned:
            check(reporter)
            seen = []
            for number, record in looks[person].values():
                points = (record.crop.crop_from_frame @ record.face.landmarks).astype(np.float32)
                seen.append(recognizers[name].embed(facesets[number].image(record.name), [points])[0])
            means.append(np.mean(seen, axis=0))
            done += len(seen)
            reporter.advance(done)
        reporter.finish()
        people[name] = _unit(np.stack(means))
    return Learned(people, np.array([person.partition("__")[0] if "__" in person else "" for person in learned]))


def _who(roster: Roster, faces: Mapping[str, tuple[int, FaceRecord]]) -> Array:
    known = [(roster.who[number], record.name) for number, record in faces.values()]
    return _unit(np.mean([who[name] for who, name in known if name in who], axis=0))


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
