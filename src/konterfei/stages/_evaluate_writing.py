"""What an evaluation leaves: the page, and of each render the figures and the picture; and whether they lie there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.io.atomic import write_json, write_text
from konterfei.io.images import write_image
from konterfei.metrics import Measurement
from konterfei.metrics.evaluation import (
    FORMAT,
    VERSION,
    Evaluated,
    differences_to_json,
    from_json,
    lines,
    to_json,
    unswapped,
)
from konterfei.reporting import Reporter
from konterfei.stages._evaluate_networks import networks_of
from konterfei.stages._evaluate_page import page_of
from konterfei.stages._evaluate_settings import Reports


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What was found of one person in one render."""

    render: Path
    name: str
    """Of the render, and of the person where there are several."""
    report: Path
    """JSON: every figure, by frame too, and how it was measured."""
    picture: Path
    """Contact sheet with figures and curves."""
    num_frames: int
    """Pairs of frames measured."""
    num_unmeasurable: int
    """Pairs left out, because the plate itself shows no clear face there."""
    num_unseen: int
    """Measured pairs in which the detector finds no face in the result."""
    measurements: Mapping[str, Measurement]
    """By name of the metric."""

    def summary(self) -> list[str]:
        """The figures, one line each."""
        unseen = f"; the detector misses the face in {self.num_unseen}" if self.num_unseen else ""
        nothing = unswapped(self.measurements)
        first = [nothing] if nothing else []
        return [*first, f"measured    {self.num_frames} frames{unseen}", *lines(self.measurements)]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation found. What it says of one render's one person, it says of the first."""

    found: tuple[Figures, ...]
    """Each person of each render."""
    pages: tuple[Path, ...]
    """For people: everything, with curves and pictures. Several only where renders were measured one by one."""
    was_done: bool = False
    """Whether the same evaluation lay there already."""
    failed: tuple[str, ...] = ()
    """Renders of a project that could not be measured, with the reason."""

    @property
    def page(self) -> Path:
        """The page."""
        return self.pages[0]

    @property
    def report(self) -> Path:
        """The figures of the first render."""
        return self.found[0].report

    @property
    def picture(self) -> Path:
        """The picture of the first render."""
        return self.found[0].picture

    @property
    def num_frames(self) -> int:
        """Of the first person in the first render."""
        return self.found[0].num_frames

    @property
    def num_unmeasurable(self) -> int:
        """Of the first person in the first render."""
        return self.found[0].num_unmeasurable

    @property
    def num_unseen(self) -> int:
        """Of the first person in the first render."""
        return self.found[0].num_unseen

    @property
    def measurements(self) -> Mapping[str, Measurement]:
        """Of the first person in the first render."""
        return self.found[0].measurements

    @property
    def exit_code(self) -> int:
        """0; 1 where a render of a project could not be measured."""
        return 1 if self.failed else 0

    def figures(self) -> list[str]:
        """The figures, one line each."""
        if len(self.found) == 1:
            return self.found[0].summary()
        return [line for each in self.found for line in (each.name, *each.summary(), "")]

    def summary(self) -> list[str]:
        """The figures, one line each, and where the reports are."""
        told = self.figures()
        told += [f"picture     {path}" for path in dict.fromkeys(each.picture for each in self.found)]
        told += [f"page        {page}" for page in self.pages]
        return [*told, *(f"not measured: {reason}" for reason in self.failed)]


Abouts = Sequence[Sequence[Mapping[str, Any]]]
"""What is measured, of each person of each render, as plain values; when it is the same, so are the figures."""


def done_before(renders: Sequence[Path], reports: Reports, abouts: Abouts) -> Evaluation | None:
    """The evaluation that lies there, when it is the one asked for.

    Args:
        renders: that are measured.
        reports: where everything would be written.
        abouts: of what is asked for.
    """
    try:
        with reports.page.open("rb") as file:
            file.seek(-min(200, reports.page.stat().st_size), 2)
            if _stamp(abouts).encode() not in file.read():
                return None
        found: list[Figures] = []
        for number, render in enumerate(renders):
            data = json.loads(reports.figures[number].read_text("utf-8"))
            people = data.get("people", [data])
            if not reports.pictures[number].exists() or not people:
                return None
            for told in people:  # one who is nowhere seen clearly is not among them
                if not any(all(_content(told[key]) == _content(one[key]) for key in one) for one in abouts[number]):
                    return None
                figures = from_json(told)
                found.append(_figures(render, figures.name, reports, number, figures.frames, figures.measurements))
        return Evaluation(found=tuple(found), pages=(reports.page,), was_done=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _content(about: Any) -> Any:
    """As JSON reads it back, but for paths: what was moved is the same."""
    plain = json.loads(json.dumps(about))
    if isinstance(plain, dict):
        return {name: _content(value) for name, value in plain.items() if name != "path"}
    return [_content(value) for value in plain] if isinstance(plain, list) else plain


def _title(one: Evaluated) -> str:
    inputs = one.about["inputs"]
    if unswapped(one.measurements):
        return f"{one.name}: nothing was swapped on {Path(inputs['plate']['path']).name}"
    return f"{one.name}: the face of {inputs['src']['name']} on {Path(inputs['plate']['path']).name}"


def _stamp(abouts: Abouts) -> str:
    """What stands at the end of a page: a hash of all that it shows depends on."""
    told = [VERSION, version("konterfei"), [[_content(dict(about)) for about in people] for people in abouts]]
    return f"<!-- evaluation {hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()} -->"


def _figures(
    render: Path,
    name: str,
    reports: Reports,
    number: int,
    frames: Mapping[str, int],
    measurements: Mapping[str, Measurement],
) -> Figures:
    return Figures(
        render=render,
        name=name,
        report=reports.figures[number],
        picture=reports.pictures[number],
        num_frames=frames["num_frames"],
        num_unmeasurable=frames["num_unmeasurable"],
        num_unseen=frames["num_unseen"],
        measurements=measurements,
    )


def _plain(one: Evaluated, first: Sequence[Evaluated]) -> dict[str, Any]:
    """The report of one person in one render; where it is not the first render, with what differs from that."""
    told = {**to_json(one), "networks": networks_of(one.about)}
    same = next((other for other in first if other.plate is one.plate and other is not one), None)
    return told if same is None else {**told, "differences": differences_to_json(one, same)}


def write(
    renders: Sequence[Path],
    reports: Reports,
    evaluated: Sequence[Sequence[Evaluated]],
    abouts: Abouts,
    reporter: Reporter,
) -> Evaluation:
    """Write page, pictures and figures; the figures last, so that they lie there only when all does.

    Args:
        renders: that were measured.
        reports: where to.
        evaluated: the people of each render.
        abouts: as in `done_before`; of those who were asked for.
        reporter: shown the pictures.
    """
    from konterfei.metrics.sheet import draw  # matplotlib

    found: list[Figures] = []
    pictures = [
        np.concatenate([draw(_title(one), one.src_faces, one.plate, one.result, one.measurements) for one in people])
        for people in evaluated
    ]
    page = page_of([one for people in evaluated for one in people], reporter)
    figures = [[_plain(one, evaluated[0]) for one in people] for people in evaluated]
    write_text(reports.page, page + _stamp(abouts) + "\n")
    for path, picture in zip(reports.pictures, pictures, strict=True):
        write_image(path, picture)
    for number, render in enumerate(renders):
        own = figures[number]
        write_json(
            reports.figures[number],
            own[0] if len(own) == 1 else {"format": FORMAT, "version": VERSION, "people": own},
        )
        found += [
            _figures(render, one.name, reports, number, one.frames, one.measurements) for one in evaluated[number]
        ]
        reporter.preview(reports.pictures[number])
    return Evaluation(found=tuple(found), pages=(reports.page,))
