"""Who is measured, in which frames, against whom; and what a report says about that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.metrics import METRICS, People
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.metrics.observation import Eyes
from konterfei.reporting import Reporter
from konterfei.stages._evaluate_frames import Span, chosen_frames
from konterfei.stages._evaluate_inputs import Render, Source, network_record, source_of
from konterfei.stages._evaluate_looking import Watched, is_covered, labels_of, regions_of, watched
from konterfei.stages._evaluate_networks import networks_of
from konterfei.stages._evaluate_people import Swapped, mean_embedding, sample_of, seen_by
from konterfei.stages._evaluate_settings import NOBODY, EvaluateConfig
from konterfei.stages._evaluate_truth import TrueClip
from konterfei.stages._settings import shown_frames

SHOWN = 7
"""Crops of the src person in the reports."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """One person to be measured, in all renders.

    Attributes:
        swapped: in the faceset of each render.
        sources: whose face each render gives this person.
        watched: where to look; only in frames that are measured.
        num_there: frames that show this person, of which some are measured.
        num_covered: frames in which a visible label covers the face; left out where there are others.
        num_shots: shots that the measured frames are of.
    """

    swapped: Sequence[Swapped]
    sources: Sequence[Source]
    watched: Watched
    num_there: int
    num_covered: int
    num_shots: int

    @property
    def extent(self) -> str:
        """How many of how many frames are measured, in words."""
        count = len(self.watched.faces)
        who = f"{self.swapped[0].name}: " if self.swapped[0].name else ""
        shots = f", in {self.num_shots} shots" if self.num_shots > 1 else ""
        told = f"{who}{count} of {self.num_there} frames with this face are measured{shots}"
        if not self.num_covered:
            return told
        if self.num_covered == self.num_there:
            return f"{told}; a visible label covers the face, so that the figures are those of the label, too"
        return f"{told}; {self.num_covered} are left out, in which a visible label covers the face"


def subjects_of(
    renders: Sequence[Render],
    people: Sequence[Sequence[Swapped]],
    span: Span,
    shots: Mapping[int, int],
    size: tuple[int, int],
    config: EvaluateConfig,
    reporter: Reporter,
) -> tuple[list[Subject], int]:
    """Everybody who is measured, and the bytes that their pictures will take.

    Args:
        renders: of one plate.
        people: each person, in each render.
        span: frames that are wanted.
        shots: number of the shot of each frame.
        size: width and height of the plate.
        config: says how many frames, and may name the src faceset.
        reporter: warned of src faces that have changed.

    Raises:
        ConfigError: it is not known whose face a render shows, or there are more faces than can be held.
    """
    models = {person[place].model for person in people for place in range(len(renders))}
    if config.src is not None and len(renders) == 1 and len(models) > 1:
        raise ConfigError(
            f"--src names the face of one person, and {len(models)} models drew '{renders[0].path}'. Choose whom to "
            "measure with --person."
        )
    sources: dict[tuple[int, str], Source] = {}
    regions = regions_of(labels_of(renders), *size)
    faces, there, covered = [], [], []
    for person in people:
        for place, render in enumerate(renders):
            key = (place, person[place].model)
            if key not in sources:
                sources[key] = source_of(render, person[place].model, config, reporter)
        found = person[0].faces(span)
        clear = [index for index, face in found.items() if not is_covered(face, regions)]
        there.append(len(found))
        covered.append(len(found) - len(clear))
        faces.append({index: found[index] for index in chosen_frames(clear or list(found), shots, config.every_nth)})
    seen, held = watched(faces, len(renders))
    subjects = [
        Subject(
            swapped=person,
            sources=[sources[place, swapped.model] for place, swapped in enumerate(person)],
            watched=seen[number],
            num_there=there[number],
            num_covered=covered[number],
            num_shots=len({shots[index] for index in seen[number].faces}),
        )
        for number, person in enumerate(people)
    ]
    for subject in subjects:
        if subject.num_covered == subject.num_there:
            who = subject.swapped[0].name or "the swapped face"
            reporter.warn(
                f"A visible label covers {who} in every frame, so that the figures are those of the label, too. For "
                "true ones measure a trial of the same merge with --label none --range."
            )
    return subjects, held


def about(
    renders: Sequence[Render],
    place: int,
    subjects: Sequence[Subject],
    number: int,
    plate: Mapping[str, Any],
    config: EvaluateConfig,
    truth: TrueClip | None = None,
) -> dict[str, Any]:
    """What is measured and how, of one person in one render: what the figures depend on, as plain JSON values.

    Args:
        renders: of one plate; that at `place` is meant.
        subjects: everybody, of whom `number` is meant.
        plate: record of its content.
        config: as asked for.
        truth: the true swap, where it is known.
    """
    render, subject = renders[place], subjects[number]
    source, swapped = subject.sources[place], subject.swapped[place]
    src, dst = source.faceset, render.dst
    told: dict[str, Any] = {
        "inputs": {
            "video": dict(render.record),
            "plate": dict(plate),
            "src": {
                "path": str(src.folder.absolute()),
                "name": src.header.source_name or src.folder.name,
                "content": src.content_hash(),
                "faces": len(src),
            },
            "faces": {"path": str(dst.folder.absolute()), "content": dst.content_hash(), "faces": len(swapped.records)},
        },
        "settings": {
            "every_nth": config.every_nth,
            "range": config.range,
            "person": swapped.number,
            "people": _numbers([each.swapped[place] for each in subjects]),
            **{name: network_record(getattr(config, name)) for name in ("detector", "landmarker", "recognizer")},
            "witness": None if config.witness == NOBODY else network_record(config.witness),
            "metrics": list(METRICS),
            "frames": shown_frames(subject.watched.faces),
            "crop_side": subject.watched.side,
            "no_background": {
                "labels": [style if words is None else words for style, words in labels_of(renders)],
                "people": _numbers([person for each in renders for person in each.swapped]),
            },
        },
        "samples": {
            "frames_with_face": subject.num_there,
            "frames_covered_by_label": subject.num_covered,
            "frames_chosen": len(subject.watched.faces),
            "shots": subject.num_shots,
            "src_embeddings": len(src),
            "dst_embeddings": len(swapped.records),
        },
        "notes": [f"{subject.extent}.", _held_out(source)],
    }
    if source.model is not None:
        told["inputs"]["model"] = {"path": source.model["path"], "sha256": source.model.get("sha256")}
        if source.model.get("base"):
            told["inputs"]["model"]["base"] = dict(source.model["base"])
    if truth is not None:
        told["inputs"]["truth"] = truth.record()
        told["settings"]["truths"] = list(TRUTHS)
    if config.witness != NOBODY:
        counts = [len(sample_of(records)) for records in (src.records(), swapped.records)]
        told["samples"] |= {"src_witnessed": counts[0], "dst_witnessed": counts[1]}
        told["notes"].append(
            f"The second recognizer, {config.witness}, saw {counts[0]} of {len(src)} src faces and {counts[1]} of "
            f"{len(swapped.records)} dst faces."
        )
    told["networks"] = networks_of(told)
    return told


def _numbers(people: Sequence[Swapped]) -> list[int]:
    return sorted({person.number for person in people if person.number is not None})


def _held_out(source: Source) -> str:
    """Whether identity is flattered by the choice of src faces, in words."""
    if source.is_trained_on:
        return (
            "Identity is measured against the mean of the src faces that the model was trained with: they are not "
            "held out, which flatters it a little."
        )
    if source.is_trained_on is None:
        return "It is not known whether the model was trained with these src faces."
    return "The src faces are not the set that the model was trained with; some of them may be in both."


def who_is_who(
    subjects: Sequence[Subject], renders: Sequence[Render], eyes: Eyes, reporter: Reporter
) -> list[list[People]]:
    """Src and dst of each person, in each render; each mean is made once.

    Raises:
        FacesetError: faces carry no embeddings of one recognizer.
        DamagedFileError: a crop cannot be decoded.
        Cancelled: a person asked to stop.
    """
    wanted: dict[tuple[str, int], tuple[Faceset, Sequence[FaceRecord]]] = {}
    for subject in subjects:
        for place, render in enumerate(renders):
            src = subject.sources[place].faceset
            wanted.setdefault(_key(src), (src, src.records()))
            wanted.setdefault(_key(render.dst, subject, place), (render.dst, subject.swapped[place].records))
    means = {key: mean_embedding(*given) for key, given in wanted.items()}
    witnessed: dict[tuple[str, int], NDArray[np.float32]] = {key: np.zeros(0, np.float32) for key in wanted}
    if eyes.witness is not None:
        samples = {key: (faceset, sample_of(records)) for key, (faceset, records) in wanted.items()}
        reporter.start("showing faces to the second recognizer", sum(len(s) for _, s in samples.values()), "faces")
        done = 0
        for key, (faceset, records) in samples.items():
            witnessed[key] = seen_by(eyes.witness, faceset, records, done, reporter)
            done += len(records)
        reporter.finish()
    return [
        [
            People(
                src=means[_key(subject.sources[place].faceset)],
                dst=means[_key(render.dst, subject, place)],
                witness_src=witnessed[_key(subject.sources[place].faceset)],
                witness_dst=witnessed[_key(render.dst, subject, place)],
            )
            for subject in subjects
        ]
        for place, render in enumerate(renders)
    ]


def _key(faceset: Faceset, subject: Subject | None = None, place: int = 0) -> tuple[str, int]:
    """What a mean is kept under: src faces are all of a faceset's, dst faces those of one person."""
    return str(faceset.folder.absolute()), -1 if subject is None else id(subject.swapped[place])


def src_faces(source: Source) -> list[NDArray[np.uint8]]:
    """Some crops of the src person, spread evenly. Each [S, S, 3] uint8 RGB"""
    names = source.faceset.names()
    places = np.unique(np.linspace(0, len(names) - 1, SHOWN).round().astype(int))
    return [source.faceset.image(names[place]) for place in places]
