"""people: who is who over all clips. `find` puts faces to people, `edit` is for what a person knows better."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated

from konterfei.curation.looks import LOOKS_NAME
from konterfei.curation.people import NEW, SURE_FACTOR, People
from konterfei.curation.people_file import PEOPLE_NAME, hold, load, save, to_text
from konterfei.curation.sightings import Sightings, digest_of, tracks_of
from konterfei.errors import ConfigError, FacesetError
from konterfei.io.atomic import make_folder
from konterfei.io.faceset import Faceset
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages._people_page import PAGE_NAME, draw, is_current
from konterfei.stages._people_reading import USUAL, Read, facesets_in, read, state_of
from konterfei.stages._settings import allow

_LISTED = 40
"""People that are listed on the terminal; the page has all of them."""
_CLIPS = 4
"""Clips that are listed for each."""


@dataclass(frozen=True, kw_only=True)
class PeopleFindConfig:
    """Find out who is who over several facesets: put their faces to people with numbers that stay.

    Give it facesets made with extract --person all. More clips can be added later, by the same command with their
    facesets: everybody keeps number and name, and whatever you decided stays. Different people are rather left apart
    than put together by mistake; who may be the same is listed for you to decide.
    """

    facesets: tuple[Path, ...]
    """Facesets, or folders that hold some."""
    output: Path
    """Folder for people.json and the page people.html. It will hold personal data: see konterfei people forget."""
    threshold: float | None = None
    """How alike faces have to be in the mean to be of one person, 0 to 1: less joins more, and more wrongly.
    Default: 1.3 times what the recognizer needs for a single pair, 0.55."""
    anew: bool = False
    """Finds those people again about whom you decided nothing, for example with another threshold. Their numbers
    change."""
    recognizer: Annotated[str, RECOGNIZERS] = USUAL
    """Compares faces; measures those that were imported without embeddings. The one that they were extracted with."""

    def __post_init__(self) -> None:
        if not self.facesets:
            raise ConfigError("Name at least one faceset: konterfei people find FACESETS -o people")
        allow("--threshold", self.threshold, self.threshold is None or 0 < self.threshold < 1, "between 0 and 1")
        RECOGNIZERS[self.recognizer]


@dataclass(frozen=True, kw_only=True)
class PeopleEditConfig:
    """Name people, join and part them, move faces: what you decide stays when clips are added, and can be undone.

    Without an option it says who there is. A person is given by number or name. Several options in one command are
    carried out in the order of this list, all of them or none.
    """

    folder: Path
    """Folder of konterfei people find."""
    split: str | None = None
    """Part this person into its most natural parts; the largest keeps number and name."""
    into: int | None = None
    """With --split: the number of parts."""
    merge: tuple[str, ...] = ()
    """Make one person of several, for example 3,7: the first keeps the number."""
    move: tuple[str, ...] = ()
    """FACE=WHO: put the face of this crop file to another person, or to "new", for example clip/000120_0.jpg=4."""
    track: bool = False
    """With --move: its whole track, that is the face through its shot."""
    apart: tuple[str, ...] = ()
    """Two people who are not the same, for example 3,7: they are not suggested any more."""
    name: tuple[str, ...] = ()
    """NUMBER=NAME, for example 3=anna; 3= takes the name away."""
    undo: bool = False
    """Take the last decision back; by itself. Again: the one before it."""

    def __post_init__(self) -> None:
        allow("--into", self.into, self.into is None or self.into >= 2, "2 or more")
        if self.into is not None and self.split is None:
            raise ConfigError("--into is the number of parts of --split. Add --split, for example --split 3.")
        if self.track and not self.move:
            raise ConfigError("--track belongs to --move. Add --move FACE=WHO.")
        if self.undo and (self.split or self.merge or self.move or self.apart or self.name):
            raise ConfigError(
                "--undo takes the last decision back and goes by itself. Give the rest in a second command."
            )
        for flag, given, example in (("--move", self.move, "clip/000120_0.jpg=4"), ("--name", self.name, "3=anna")):
            for text in given:
                allow(flag, f"'{text}'", "=" in text and not text.startswith("="), f"for example {example}")
        for pair in self.apart:
            allow("--apart", f"'{pair}'", len(_listed(pair)) == 2, "two people, for example 3,7")


@dataclass(frozen=True, kw_only=True)
class PeopleForgetConfig:
    """Remove people for good: names, embeddings, lists of faces, and every decision about them.

    Crops are not touched: they carry an embedding each, and pictures. Delete facesets in a file manager; those of one
    person lie where konterfei people export put them.
    """

    folder: Path
    """Folder of konterfei people find."""
    person: tuple[str, ...] = ()
    """These people only, by number or name. Default: everybody; people.json and the page are then deleted."""


@dataclass(frozen=True, kw_only=True)
class PeopleResult:
    """Who there is.

    Attributes:
        folder: where people.json lies.
        people: number -> name (or empty) and number of faces, the most seen first.
        lines: it, in words.
        was_done: whether nothing had to be done.
    """

    folder: Path
    people: dict[int, tuple[str, int]]
    lines: tuple[str, ...]
    was_done: bool = False

    def summary(self) -> list[str]:
        """A row for each person, pairs who may be one, what to do next."""
        return list(self.lines)


def people_find(config: PeopleFindConfig, reporter: Reporter) -> PeopleResult:
    """Put every face of `config.facesets` to a person.

    Raises:
        FacesetError: a faceset cannot be read, or they are of different recognizers.
        DamagedFileError: people.json is damaged.
        StoreError, OutputError: another process works on it; it cannot be written.
        Cancelled: a person asked to stop; people.json is as it was.
    """
    wanted = facesets_in(config.facesets)
    make_folder(config.output)
    with hold(config.output):
        people = load(config.output) or _nobody(config)
        before = to_text(people, config.output) if people.clips else ""
        if config.threshold is not None and config.threshold != people.threshold:
            people.threshold = config.threshold
            if before and not config.anew:
                reporter.note(
                    "The new threshold holds for faces that are new. --anew finds all undecided people again."
                )
        if config.anew:
            people.dissolve()
        folders = list(dict.fromkeys([*people.clips, *wanted]))
        found = read(folders, config.output, reporter, wanted, config.recognizer)
        if not len(found.seen) and not people.members:
            raise FacesetError(f"There are no faces in {', '.join(map(str, wanted))}. Extract again.")
        num_new = people.find(found.seen, reporter)
        was_done = to_text(people, config.output) == before
        if was_done:
            reporter.note(f"Nothing to do: everybody in these facesets is in {config.output / PEOPLE_NAME}.")
        else:
            save(people, config.output)
            reporter.note(f"{num_new} new people; {len(people.numbers)} in all.")
        return _told(people, found, config.output, reporter, was_done=was_done)


def _nobody(config: PeopleFindConfig) -> People:
    same = RECOGNIZERS.load(config.recognizer).same_person
    return People(config.threshold or round(same * SURE_FACTOR, 3), same)


def people_edit(config: PeopleEditConfig, reporter: Reporter) -> PeopleResult:
    """Do what was decided, or say who there is.

    Raises:
        UnknownNameError, ConfigError: there is no such person or face, or it makes no sense; nothing is changed.
        StoreError, DamagedFileError: there is no people.json, or it is damaged.
    """
    state_of(config.folder)
    with hold(config.folder):
        people = state_of(config.folder)
        found = read(people.clips, config.folder, reporter)
        before = to_text(people, config.folder)
        if config.undo:
            reporter.note(f"Undone: {people.undo().said}.")
        else:
            for said in _decide(config, people, found.seen, reporter):
                reporter.note(said)
        people.portray(found.seen)
        if to_text(people, config.folder) != before:
            save(people, config.folder)
        return _told(people, found, config.folder, reporter)


def _decide(config: PeopleEditConfig, people: People, seen: Sightings, reporter: Reporter) -> list[str]:
    """Carries everything out; gives what was decided, in words."""
    already = len(people.decisions)
    if config.split is not None:
        people.split(config.split, seen, config.into, reporter)
    for group in config.merge:
        people.merge(_listed(group))
    for text in config.move:
        path, _, who = text.rpartition("=")
        digests = [_digest(Path(path), people)]
        if config.track:
            row = seen.digests.index(digests[0])
            own = next(rows for rows in tracks_of(seen) if row in rows)
            digests = [seen.digests[place] for place in own if seen.digests[place] in people.members]
        people.move(digests, NEW if who == NEW else str(people.number_of(who)))
    for pair in config.apart:
        people.keep_apart(*_listed(pair))
    for text in config.name:
        who, _, name = text.partition("=")
        people.name(who, name.strip())
    return [f"{decision.said}." for decision in people.decisions[already:]]


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _digest(path: Path, people: People) -> str:
    """The face in a crop file."""
    if not path.is_file():
        raise ConfigError(
            f"--move names '{path}', and there is no such file. Give the crop's file, as the page shows it."
        )
    faceset = Faceset.open(path.parent, allow_empty=True)
    digests = dict(zip(faceset.names(), map(digest_of, faceset.checksums()), strict=True))
    digest = digests.get(faceset.duplicates.get(path.name, path.name))
    if digest is None or digest not in people.members:
        find = f"konterfei people find {quote(str(path.parent))}"
        raise ConfigError(f"The face '{path}' is nobody's yet. First: {find} with the same --output.")
    return digest


def people_forget(config: PeopleForgetConfig, reporter: Reporter) -> PeopleResult:
    """Remove people.

    Raises:
        UnknownNameError: there is no such person.
        StoreError, DamagedFileError: there is no people.json, or, to forget one person, it is damaged.
    """
    if config.person or not (config.folder / PEOPLE_NAME).exists():
        state_of(config.folder)
    with hold(config.folder):
        people = state_of(config.folder) if config.person else None
        numbers = [people.number_of(who) for who in config.person] if people else []
        for name in (PAGE_NAME, LOOKS_NAME):  # pictures and embeddings; made anew when needed
            (config.folder / name).unlink(missing_ok=True)
        if people is None:
            (config.folder / PEOPLE_NAME).unlink()
            lines = [f"Everybody in '{config.folder}' is forgotten. Facesets were not touched."]
            return PeopleResult(folder=config.folder, people={}, lines=tuple(lines))
        gone = ", ".join(people.called(number) for number in numbers)
        places = sorted({people.clips[people.clip_of[digest]] for n in numbers for digest in people.faces_of(n)})
        people.forget(numbers)
        save(people, config.folder)
        lines = [
            f"Forgotten: {gone}.",
            "Crops of their faces, with an embedding in each, still lie in these facesets, and 'konterfei people find' "
            "finds them again there:",
            *(f"  {place}" for place in places),
        ]
        return PeopleResult(folder=config.folder, people=_counts(people), lines=tuple(lines))


def _counts(people: People) -> dict[int, tuple[str, int]]:
    """Everybody, the most seen first: number -> name, number of faces."""
    counts = Counter(people.members.values())
    ranked = sorted(people.numbers, key=lambda number: (-counts[number], number))
    return {number: (people.names.get(number, ""), counts[number]) for number in ranked}


def _told(people: People, found: Read, folder: Path, reporter: Reporter, *, was_done: bool = False) -> PeopleResult:
    """Draws the page where it is not up to date, and tells who there is."""
    if not is_current(people, folder):
        draw(people, found.seen, found.facesets, folder, reporter)
    counts = _counts(people)
    ranked = list(counts)
    table = [("person", "name", "faces", "clips"), *(_row(people, number) for number in ranked[:_LISTED])]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in table]
    if len(ranked) > _LISTED:
        lines.append(f"and {len(ranked) - _LISTED} more with fewer faces")
    lines += _next(people, found.seen, folder)
    return PeopleResult(folder=folder, people=counts, lines=tuple(lines), was_done=was_done)


def _row(people: People, number: int) -> tuple[str, ...]:
    clips = Counter(people.clip_of[digest] for digest in people.faces_of(number))
    ranked = sorted(clips, key=lambda clip: (-clips[clip], clip))
    told = ", ".join(f"{people.clips[clip].name} {clips[clip]}" for clip in ranked[:_CLIPS])
    more = f" and {len(ranked) - _CLIPS} more" if len(ranked) > _CLIPS else ""
    return str(number), people.names.get(number, ""), str(clips.total()), told + more


def _next(people: People, seen: Sightings, folder: Path) -> list[str]:
    """Who may be one, and what can be done now."""
    place = quote(str(folder))
    pairs = people.suggestions(seen, 6)
    lines = []
    if pairs:
        lines.append("Perhaps the same; decide with --merge or --apart:")
        lines += [
            f"  {people.called(one)} and {people.called(other)}, likeness {score:.2f}: "
            f"konterfei people edit {place} --merge {one},{other}"
            for score, one, other in pairs
        ]
    lines.append(f"Look at {folder / PAGE_NAME}. Then:")
    nameless = next((number for number in people.numbers if number not in people.names), None)
    if nameless is not None:
        lines.append(f"  konterfei people edit {place} --name {nameless}=anna")
    lines.append(f"  konterfei people export {place} -o faces_by_person    # a faceset for each person")
    return lines
