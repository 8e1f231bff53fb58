"""Whose faces were swapped in a render, and with what: each person is measured alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, FacesetError
from konterfei.geometry import Face
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter, check
from konterfei.stages._evaluate_frames import GROUP, Span

SAMPLE = 120
"""Crops of each person that the second recognizer looks at: its mean of them is within 0.01 of that of all."""
MAIN = "model"
"""What a merge's manifest calls the model of the command line; others are "model of person 1, track 3"."""


class _Recognizer(Protocol):
    def embed(self, image: NDArray[Any], landmarks: Sequence[NDArray[Any]]) -> NDArray[Any]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Swapped:
    """One person of the plate whose face was swapped.

    Attributes:
        number: in the dst faceset; None = it does not tell people apart.
        name: for people; empty where there is nobody else.
        model: what drew it, as the merge's manifest calls it.
        records: all crops of this person in the dst faceset.
    """

    number: int | None
    name: str
    model: str
    records: Sequence[FaceRecord]

    def faces(self, span: Span) -> dict[int, Face]:
        """This person's face in each frame of `span` that shows it; the largest where there are two."""
        found: dict[int, Face] = {}
        for record in self.records:
            index, face = record.frame_index, record.face
            is_wanted = index >= span[0] and (span[1] is None or index < span[1])
            if is_wanted and (index not in found or face.size > found[index].size):
                found[index] = face
        return dict(sorted(found.items()))


def everyone(dst: Faceset, made: Manifest | None) -> list[Swapped]:
    """Everybody whose face a merge swapped, by number.

    Args:
        dst: faceset of its plate.
        made: its manifest; None = nothing is known, then that is everybody.
    """
    groups: dict[tuple[int | None, str], list[FaceRecord]] = {}
    for record in (record for index in dst.frame_indices() for record in dst.faces_at(index)):
        model = _drawn_by(made, record.face.track, record.face.person)
        if model is not None:
            groups.setdefault((record.face.person, model), []).append(record)
    numbers = [number for number, _ in groups]
    return [
        Swapped(number=number, name=_name(number, model, numbers), model=model, records=records)
        for (number, model), records in sorted(groups.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
    ]


def chosen_people(
    found: Sequence[Swapped], dst: Faceset, is_told: bool, span: Span, wanted: Sequence[int], reporter: Reporter
) -> list[Swapped]:
    """The people to measure.

    Args:
        found: everybody who was swapped.
        dst: faceset of the plate.
        is_told: whether a manifest says that they were.
        span: frames that are measured.
        wanted: numbers of people; none = everybody who was swapped, or, where no manifest tells, the one who is there
            most often.
        reporter: told who is left out.

    Raises:
        ConfigError: a wanted person is not there or was not swapped.
    """
    numbers = {person.number for person in found}
    for number in wanted:
        if number not in numbers:
            known = ", ".join(str(each) for each in sorted(each for each in numbers if each is not None))
            raise ConfigError(
                f"--person is {number}; in the faceset '{dst.folder}' "
                + (f"those who were swapped are {known}." if known else "people are not told apart.")
            )
    if wanted:
        return [person for person in found if person.number in wanted]
    counts = [len(person.faces(span)) for person in found]
    if not is_told and len(found) > 1:
        most = max(range(len(found)), key=lambda place: counts[place])
        reporter.note(
            f"'{dst.folder}' has {len(found)} people, and no manifest tells whose face was swapped: {found[most].name} "
            f"is measured, who is there most often ({counts[most]} frames). --person chooses."
        )
        return [found[most]]
    often = [person for person, count in zip(found, counts, strict=True) if count >= GROUP] or list(found)
    if rare := [person.name for person in found if person not in often]:
        reporter.note(f"{', '.join(rare)}: in fewer than {GROUP} frames, not measured. --person chooses.")
    return often


def _drawn_by(made: Manifest | None, track: int | None, person: int | None) -> str | None:
    """What drew a face, as the manifest calls it; None = it was left as it is."""
    if made is None:
        return ""
    cast = made.results.get("cast")
    if cast:
        for entry in cast:
            if entry["person"] == person and (entry["tracks"] is None or track in entry["tracks"]):
                return str(entry["model"])
        return None
    told = {  # by a konterfei that did not note its cast: what is named is drawn by what it names, all else by the main
        who: name
        for name in made.inputs
        if name.startswith(f"{MAIN} of ")
        for who in name.removeprefix(f"{MAIN} of ").split(", ")
    }
    others = told.get("others", MAIN)
    return told.get(f"track {track}") or told.get(f"person {person}") or (others if others in made.inputs else None)


def _name(number: int | None, model: str, numbers: Sequence[int | None]) -> str:
    if len(numbers) < 2:
        return ""
    told = "the person" if number is None else f"person {number}"
    return f"{told} ({model})" if numbers.count(number) > 1 else told


def mean_embedding(faceset: Faceset, records: Sequence[FaceRecord]) -> NDArray[np.float32]:
    """The mean of some faces' embeddings: who this is. [D] float32, unit length. Raises FacesetError without any."""
    vectors = [record.face.embedding for record in records if record.face.embedding is not None]
    if len({len(vector) for vector in vectors}) != 1:
        raise FacesetError(
            f"The faces in '{faceset.folder}' carry no embeddings of one recognizer, so it cannot be told who they "
            "are. Extract again."
        )
    return _unit(np.asarray(vectors, np.float64).mean(axis=0))


def sample_of(records: Sequence[FaceRecord]) -> list[FaceRecord]:
    """Some of the records, spread evenly over all."""
    places = np.linspace(0, len(records) - 1, min(SAMPLE, len(records))).round().astype(int)
    return [records[place] for place in places]


def seen_by(
    recognizer: _Recognizer, faceset: Faceset, records: Sequence[FaceRecord], done: int, reporter: Reporter
) -> NDArray[np.float32]:
    """The mean embedding of some crops by another recognizer than the faceset's. [E] float32, unit length

    Args:
        recognizer: which.
        faceset, records: the crops.
        done: crops that were embedded before, for the progress.
        reporter: told how it goes on.
    """
    vectors = []
    for count, record in enumerate(records, start=1):
        check(reporter)
        points = (record.crop.crop_from_frame @ record.face.landmarks).astype(np.float32)
        vectors.append(recognizer.embed(faceset.image(record.name), [points])[0])
        reporter.advance(done + count)
    return _unit(np.asarray(vectors, np.float64).mean(axis=0))


def _unit(vector: NDArray[Any]) -> NDArray[np.float32]:
    return (vector / max(float(np.linalg.norm(vector)), 1e-12)).astype(np.float32)
