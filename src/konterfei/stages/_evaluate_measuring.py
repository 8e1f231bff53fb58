"""From what was seen to figures: every metric of every person in every render."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from konterfei.metrics import METRICS, Measurement, People, Series
from konterfei.metrics.evaluation import Evaluated, measure
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.metrics.observation import Observer
from konterfei.metrics.truth_observation import TruthObserver, measure_truths
from konterfei.reporting import Reporter, check
from konterfei.stages._evaluate_inputs import Render
from konterfei.stages._evaluate_subjects import Subject, src_faces


@dataclass(frozen=True, kw_only=True, eq=False)
class Sight:
    """What was seen, and of whom.

    Attributes:
        renders: of one plate.
        subjects: the people.
        observers: of each person.
        truth: of the only person, where the true swap is known.
        known: who src and dst are, of each person in each render.
        abouts: what reports say about each person in each render.
        shots: number of the shot of each frame.
        fps: of the plate; None = it is pictures.
    """

    renders: Sequence[Render]
    subjects: Sequence[Subject]
    observers: Sequence[Observer]
    truth: TruthObserver | None
    known: Sequence[Sequence[People]]
    abouts: Sequence[Sequence[Mapping[str, Any]]]
    shots: Mapping[int, int]
    fps: Fraction | None


def measured(sight: Sight, reporter: Reporter) -> list[list[Evaluated]]:
    """The people of each render; one who is nowhere seen clearly enough is told and left out.

    Raises:
        Cancelled: a person asked to stop.
    """
    seen: dict[int, tuple[Series, list[Series]]] = {}
    for number, observer in enumerate(sight.observers):
        if len(observer):
            seen[number] = observer.series()
        else:
            name = sight.subjects[number].swapped[0].name
            reporter.warn(f"{name} is nowhere seen clearly enough to be measured.")
    each = len(METRICS) + (len(TRUTHS) if sight.truth is not None else 0)
    reporter.start("measuring", each * len(seen) * len(sight.renders), "metrics")
    found: list[list[Evaluated]] = []
    done = 0
    for place in range(len(sight.renders)):
        people = []
        for number, (plate, results) in seen.items():
            measurements: dict[str, Measurement] = {}
            truth, figures = _figures(sight, place, number, plate, results)
            for name, figure in figures:
                check(reporter)
                measurements[name] = figure
                done += 1
                reporter.advance(done)
            people.append(_evaluated(sight, place, number, plate, results[place], truth, measurements))
        found.append(people)
    reporter.finish()
    return found


def _figures(
    sight: Sight, place: int, number: int, plate: Series, results: Sequence[Series]
) -> tuple[Series | None, Iterator[tuple[str, Measurement]]]:
    """The true swap where it is known, and every metric by name."""
    usual = measure(plate, results[place], sight.known[place][number])
    if sight.truth is None:
        return None, usual
    truth, (own, *others) = sight.truth.series([plate, *results])

    def both() -> Iterator[tuple[str, Measurement]]:
        yield from usual
        yield from measure_truths(truth, others[place], own)

    return truth, both()


def _evaluated(
    sight: Sight,
    place: int,
    number: int,
    plate: Series,
    result: Series,
    truth: Series | None,
    measurements: Mapping[str, Measurement],
) -> Evaluated:
    subject, observer = sight.subjects[number], sight.observers[number]
    names = (sight.renders[place].name, subject.swapped[place].name)
    return Evaluated(
        name=", ".join(name for name in names if name),
        about=sight.abouts[place][number],
        frames={
            "num_frames": len(observer),
            "num_unmeasurable": observer.num_unmeasurable,
            "num_unseen": observer.num_unseen[place],
        },
        plate=plate,
        result=result,
        people=sight.known[place][number],
        measurements=measurements,
        src_faces=src_faces(subject.sources[place]),
        fps=sight.fps,
        shots=np.array([sight.shots[index] for index in plate.indices.tolist()], np.int64),
        truth=truth,
        definitions={} if truth is None else {name: inspect.getdoc(TRUTHS.load(name)) or "" for name in TRUTHS},
    )
