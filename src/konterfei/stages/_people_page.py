"""The page of people: who is there, with pictures; those who may be one; the faces that fit worst."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.people import People
from konterfei.curation.people_file import to_text
from konterfei.curation.sightings import Sightings
from konterfei.errors import KonterfeiError
from konterfei.io.atomic import write_text
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check
from konterfei.stages import _page as html

PAGE_NAME = "people.html"
_TILE = 104
"""Side of a picture, px."""
_BEST, _WORST = 8, 5
"""Pictures of each person: the best, and those least like the rest."""
_SHOWN = 300
"""People with pictures: 300 make a page of some 15 MB."""
_PAUSE = 2.0
"""Seconds without a face that end a span of time."""
_SPANS = 6


def is_current(people: People, folder: Path) -> bool:
    """Whether the page in `folder` shows this state."""
    try:
        with (folder / PAGE_NAME).open(encoding="utf-8") as file:
            return _stamp(people, folder) in file.readline()
    except OSError:
        return False


def _stamp(people: People, folder: Path) -> str:
    return hashlib.sha256(to_text(people, folder).encode()).hexdigest()


def draw(people: People, seen: Sightings, facesets: Sequence[Faceset], folder: Path, reporter: Reporter) -> Path:
    """Writes the page of `people` into `folder`; gives its path.

    Raises:
        OutputError: it cannot be written.
        Cancelled: a person asked to stop.
    """
    rows = rows_by_person(people, seen)
    everybody = sorted(people.numbers, key=lambda number: -len(rows.get(number, ())))
    pictures = Pictures(seen, facesets)
    reporter.start("drawing the page", len(everybody), unit="people")
    sections = []
    for done, number in enumerate(everybody[:_SHOWN], 1):
        check(reporter)
        sections.append(_section(people, seen, number, rows.get(number, np.zeros(0, np.int64)), pictures))
        reporter.advance(done)
    reporter.finish()
    if len(everybody) > _SHOWN:
        sections.append(f"<p>And {len(everybody) - _SHOWN} more with fewer faces.</p>")
    pairs = [_pair(people, seen, rows, found, folder, pictures) for found in people.suggestions(seen)]
    edit = f"konterfei people edit {quote(str(folder))}"
    how = [
        ("a name", f"{edit} --name 3=anna"),
        ("two are one person", f"{edit} --merge 3,7"),
        ("one is several people", f"{edit} --split 3"),
        ("a face is another person's", f"{edit} --move FACE=4"),
        ("... its whole track", f"{edit} --move FACE=4 --track"),
        ("... somebody who is not here yet", f"{edit} --move FACE=new"),
        ("take the last decision back", f"{edit} --undo"),
    ]
    parts = [
        f"<h1>{len(everybody)} people</h1>",
        html.paragraph(
            f"{len(people.members)} faces of {len(people.clips)} facesets. Framed in red: the faces least like the "
            "rest of their person; look there for strangers."
        ),
        html.table(("decide", "with"), [(html.text(what), f"<code>{html.text(line)}</code>") for what, line in how]),
        *(["<h2>Perhaps the same</h2>", *pairs] if pairs else []),
        *sections,
    ]
    write_text(folder / PAGE_NAME, html.page(f"{len(everybody)} people", parts, _stamp(people, folder)))
    return folder / PAGE_NAME


def rows_by_person(people: People, seen: Sightings) -> dict[int, NDArray[np.int64]]:
    """Number of each person -> rows of `seen`."""
    rows: dict[int, list[int]] = {}
    for row, digest in enumerate(seen.digests):
        if digest in people.members:
            rows.setdefault(people.members[digest], []).append(row)
    return {number: np.array(own, np.int64) for number, own in rows.items()}


def likeness(seen: Sightings, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cosine of each face with the others of these rows. [N]; of a single face 1"""
    if len(rows) < 2:
        return np.ones(len(rows))
    weighted = seen.vectors[rows].astype(np.float64) * seen.qualities[rows][:, None]
    others = weighted.sum(axis=0) - weighted
    others /= np.maximum(np.linalg.norm(others, axis=1, keepdims=True), 1e-9)
    return np.asarray((others * seen.vectors[rows]).sum(axis=1))


def spans(seconds: Iterable[float]) -> list[tuple[float, float]]:
    """From when to when, without the pauses."""
    found: list[tuple[float, float]] = []
    for moment in sorted(seconds):
        if found and moment - found[-1][1] <= _PAUSE:
            found[-1] = (found[-1][0], moment)
        else:
            found.append((moment, moment))
    return found


def clips_of(people: People, seen: Sightings, rows: NDArray[np.int64]) -> list[str]:
    """One line per clip that a person is in: faces, times, the number that `extract --person` knows them by there."""
    groups: dict[tuple[int, str], list[int]] = {}
    for row in rows.tolist():
        groups.setdefault((int(seen.clips[row]), seen.sources[row]), []).append(row)
    lines = []
    for (clip, source), own in sorted(groups.items(), key=lambda item: -len(item[1])):
        found = spans(seen.seconds[own].tolist())
        times = ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in found[:_SPANS])
        more = f" and {len(found) - _SPANS} more times" if len(found) > _SPANS else ""
        theirs = sorted({int(number) for number in seen.numbers[own]} - {-1})
        there = f"; --person {','.join(map(str, theirs))} there" if theirs else ""
        lines.append(f"{source} ('{seen.folders[clip].name}'): {len(own)} faces, {times}{more}{there}")
    return lines


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"


class Pictures:
    """Small pictures of faces, as HTML."""

    def __init__(self, seen: Sightings, facesets: Sequence[Faceset]) -> None:
        self._seen, self._facesets = seen, facesets

    def strip(self, rows: Sequence[int], told: Mapping[int, str], kind: str) -> str:
        """The faces `rows` side by side, each with what is `told` of it and its file."""
        return html.row([self._figure(row, told.get(row, "")) for row in rows], kind)

    def _figure(self, row: int, told: str) -> str:
        path = self._seen.path(row)
        try:
            image = self._facesets[self._seen.clips[row]].image(path.name)
        except KonterfeiError as error:
            return f"<figure>{html.text(error)}</figure>"
        caption = " ".join(filter(None, (told, f"{path.parent.name}/{path.name}")))
        return html.figure(html.data_uri(image, _TILE), str(path), caption)


def best_of(seen: Sightings, rows: NDArray[np.int64], most: int) -> list[int]:
    """The clearest faces that are like the person, of as many clips and tracks as there are."""
    worth = seen.qualities[rows] * likeness(seen, rows)
    by_track: dict[tuple[int, int], list[int]] = {}
    for place in np.argsort(-worth, kind="stable"):
        row = int(rows[place])
        by_track.setdefault((int(seen.clips[row]), int(seen.tracks[row])), []).append(row)
    turns = list(by_track.values())
    depth = max(map(len, turns), default=0)
    chosen = [own[turn * len(own) // depth if len(turns) == 1 else turn] for turn in range(depth) for own in turns
              if turn < len(own)]  # fmt: skip
    return chosen[:most]


def _section(people: People, seen: Sightings, number: int, rows: NDArray[np.int64], pictures: Pictures) -> str:
    title = html.text(people.called(number))
    if not len(rows):
        return f"<h2>{title}</h2><p>No face in the facesets that can be read now.</p>"
    alike = likeness(seen, rows)
    order = np.argsort(alike, kind="stable")[: _WORST if len(rows) > _WORST else 0]
    worst = [int(rows[place]) for place in order]
    told = {int(rows[place]): f"{alike[place]:.2f}" for place in order}
    lines = "".join(html.paragraph(line, "soft") for line in clips_of(people, seen, rows))
    return "\n".join(
        [
            f'<h2 id="p{number}">{title}</h2>',
            f"<p>{len(rows)} faces, likeness to each other {np.median(alike):.2f}, least {alike.min():.2f}</p>",
            lines,
            pictures.strip(worst, told, "worst") if worst else "",
            pictures.strip(best_of(seen, rows, _BEST), {}, "best"),
        ]
    )


def _pair(
    people: People,
    seen: Sightings,
    rows: Mapping[int, NDArray[np.int64]],
    found: tuple[float, int, int],
    folder: Path,
    pictures: Pictures,
) -> str:
    score, one, other = found
    edit = f"konterfei people edit {quote(str(folder))}"
    chosen = [
        row for number in (one, other) for row in best_of(seen, rows.get(number, np.zeros(0, np.int64)), _BEST // 2)
    ]
    told = {row: people.called(people.members[seen.digests[row]]) for row in chosen}
    return "\n".join(
        [
            f"<p>{html.text(people.called(one))} and {html.text(people.called(other))}: {score:.2f}. "
            f"The same: <code>{html.text(edit)} --merge {one},{other}</code> "
            f"Not the same: <code>{html.text(edit)} --apart {one},{other}</code></p>",
            pictures.strip(chosen, told, ""),
        ]
    )
