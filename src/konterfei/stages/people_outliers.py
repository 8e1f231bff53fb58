"""people outliers: the faces of one faceset that are least like the rest, strangers first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

import numpy as np

from konterfei.curation.clusters import directions
from konterfei.curation.looks import Looks
from konterfei.curation.people import SURE_FACTOR, People
from konterfei.curation.sightings import Sightings, look
from konterfei.io.atomic import write_text
from konterfei.io.faceset import Faceset
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages import _page as html
from konterfei.stages._people_page import Pictures, likeness
from konterfei.stages._people_reading import USUAL
from konterfei.stages._settings import allow

OUTLIERS_NAME = "outliers.html"
_SHOWN = 200
"""Faces on the page."""
_LISTED = 20
"""Faces on the terminal."""


@dataclass(frozen=True, kw_only=True)
class PeopleOutliersConfig:
    """Find strangers in a faceset that should hold one person: the faces least like the rest first.

    The person is whoever has most faces in it. What is set aside lies in the faceset's trash, from where it comes back.
    """

    faceset: Path
    """Faceset of one person."""
    output: Path | None = None
    """Page to write, with pictures. Default: outliers.html in the faceset."""
    set_aside: bool = False
    """Moves strangers to the faceset's trash: faces of people who do not resemble the person even as far as the
    recognizer needs for a single pair."""
    below: float | None = None
    """With --set-aside: also every single face that is less like the person than this cosine. 0.2 takes what is hardly
    a face; more takes profiles and blurred faces that are the person's."""
    recognizer: Annotated[str, RECOGNIZERS] = USUAL
    """Compares faces; the one that they were extracted with."""

    def __post_init__(self) -> None:
        allow("--below", self.below, self.below is None or (self.set_aside and -1 < self.below < 1),
              "between -1 and 1, together with --set-aside")  # fmt: skip
        RECOGNIZERS[self.recognizer]


@dataclass(frozen=True, kw_only=True)
class PeopleOutliersResult:
    """What was found.

    Attributes:
        page: the page with pictures.
        faces: file name -> likeness to the person, -1 to 1; the least like first, strangers before all.
        strangers: file names of other people's faces.
        unsure: file names of faces of somebody who may be the person.
        set_aside: file names that went to the trash.
        batch: number of the batch in the trash, 0 = none.
        lines: it, in words.
    """

    page: Path
    faces: dict[str, float]
    strangers: tuple[str, ...]
    unsure: tuple[str, ...]
    set_aside: tuple[str, ...]
    batch: int
    lines: tuple[str, ...]

    def summary(self) -> list[str]:
        """The least alike, and what to do next."""
        return list(self.lines)


def people_outliers(config: PeopleOutliersConfig, reporter: Reporter) -> PeopleOutliersResult:
    """Order the faces of `config.faceset` by how little they are like the person whom it holds.

    Raises:
        FacesetError: it cannot be read, or another process writes into it.
        OutputError: the page cannot be written.
    """
    recognizer = RECOGNIZERS.load(config.recognizer)
    with Faceset.open(config.faceset, reporter=reporter) as faceset:
        looks = Looks(config.faceset, lambda: recognizer(threads=0))
        try:
            seen = look([faceset], looks, reporter)
        finally:
            looks.save()
        alike, kinds = _measured(seen, recognizer.same_person, reporter)
        order = sorted(range(len(seen)), key=lambda row: (kinds[row], alike[row], seen.digests[row]))
        names = [[seen.names[row] for row in order if kinds[row] == kind] for kind in (_STRANGER, _UNSURE)]
        chosen = tuple(
            seen.names[row]
            for row in order
            if config.set_aside
            and (kinds[row] == _STRANGER or (config.below is not None and alike[row] < config.below))
        )
        place = config.output or config.faceset / OUTLIERS_NAME
        told = {row: f"{_WORDS[kinds[row]]} {alike[row]:.2f}".strip() for row in order[:_SHOWN]}
        pictures = Pictures(seen, [faceset]).strip(order[:_SHOWN], told, "")
        intro = f"{len(seen)} faces in {config.faceset}; the {len(told)} least like the rest, strangers first."
        parts = ["<h1>Outliers</h1>", html.paragraph(intro), pictures]
        write_text(place, html.page("Outliers", parts))
        batch = faceset.set_aside(chosen, "strangers, by konterfei people outliers") if chosen else 0
    faces = {seen.names[row]: float(alike[row]) for row in order}
    lines = _lines(config, seen, order, alike, kinds, place, len(chosen), batch)
    return PeopleOutliersResult(
        page=place, faces=faces, strangers=tuple(names[0]), unsure=tuple(names[1]), set_aside=chosen, batch=batch,
        lines=tuple(lines),
    )  # fmt: skip


_STRANGER, _UNSURE, _OWN = 0, 1, 2
_WORDS = ("stranger", "unsure", "")


def _measured(seen: Sightings, same_person: float, reporter: Reporter) -> tuple[np.ndarray, list[int]]:
    """Likeness of each face to the person, and whether it is a stranger's, unsure, or the person's own. [N] each"""
    people = People(round(same_person * SURE_FACTOR, 3), same_person)
    people.find(seen, reporter)
    whose = np.array([people.members[digest] for digest in seen.digests])
    own = np.flatnonzero(whose == 0)  # the most seen
    numbers = people.numbers
    units = directions(np.array([people.portraits[number][0] for number in numbers], np.float32))
    known = dict(zip(numbers, (units @ units[0]).tolist(), strict=True))
    alike = (seen.vectors @ units[0]).astype(np.float64)
    alike[own] = likeness(seen, own)
    kinds = [_OWN if n == 0 else _STRANGER if known[n] < same_person else _UNSURE for n in whose.tolist()]
    return alike, kinds


def _lines(
    config: PeopleOutliersConfig,
    seen: Sightings,
    order: list[int],
    alike: np.ndarray,
    kinds: list[int],
    place: Path,
    num_aside: int,
    batch: int,
) -> list[str]:
    strangers, unsure = kinds.count(_STRANGER), kinds.count(_UNSURE)
    lines = [
        f"{len(seen)} faces: {strangers} of strangers, {unsure} of somebody who may be the person, "
        f"{len(seen) - strangers - unsure} of the person."
    ]
    lines += [f"  {alike[row]:5.2f}  {seen.names[row]}  {_WORDS[kinds[row]]}".rstrip() for row in order[:_LISTED]]
    lines.append(f"Pictures: {place}")
    if batch:
        back = f"konterfei trash {quote(str(config.faceset))} --restore {batch}"
        lines.append(f"{num_aside} crops set aside. Back: {back}")
    elif strangers:
        lines.append(f"Set the strangers aside: konterfei people outliers {quote(str(config.faceset))} --set-aside")
    return lines
