"""people export: a faceset for each person, pooled from all clips, out of links to the crops that are there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from konterfei.curation.people import People
from konterfei.curation.people_file import hold
from konterfei.curation.sightings import Sightings, digest_of
from konterfei.errors import FacesetError
from konterfei.io.atomic import ensure_writable, make_folder, write_json
from konterfei.io.faceset import Faceset, FacesetHeader
from konterfei.io.faceset_files import HEADER_NAME, put
from konterfei.reporting import Reporter, check
from konterfei.stages._people_page import rows_by_person
from konterfei.stages._people_reading import EXPORTED_NAME, Read, read, state_of
from konterfei.stages._settings import allow


@dataclass(frozen=True, kw_only=True)
class PeopleExportConfig:
    """Write a faceset for each person, pooled from all clips: what a model learns an actor from.

    The same command after more clips or decisions adds what is new; what is somebody else's by now goes to the trash
    of the faceset. Crops that you deleted from such a faceset do not come back.
    """

    folder: Path
    """Folder of konterfei people find."""
    output: Path
    """Folder for the facesets; each has its person's name, or person-3."""
    person: tuple[str, ...] = ()
    """These people only, by number or name. Default: everybody."""
    least: int = 1
    """People with fewer faces are left out."""
    copy: bool = False
    """Copies crops. Default: hard links, which take no space; konterfei never changes a crop in place."""

    def __post_init__(self) -> None:
        allow("--least", self.least, self.least >= 1, "1 or more")


@dataclass(frozen=True, kw_only=True)
class PeopleExportResult:
    """What was written.

    Attributes:
        facesets: folder -> number of crops in it.
        num_added, num_set_aside: crops that came, and that went to the trash because they are somebody else's.
        num_left_out: crops that a person deleted from an export before.
    """

    facesets: dict[Path, int]
    num_added: int
    num_set_aside: int
    num_left_out: int

    def summary(self) -> list[str]:
        """A line for each faceset, and what to do next."""
        width = max(len(str(folder)) for folder in self.facesets)
        lines = [f"{folder!s:<{width}}  {count} faces" for folder, count in self.facesets.items()]
        if self.num_set_aside:
            lines.append(
                f"{self.num_set_aside} crops are somebody else's by now and went to the trash of their faceset."
            )
        if self.num_left_out:
            lines.append(f"{self.num_left_out} crops were deleted here before and stay away.")
        first = next(iter(self.facesets))
        return [*lines, f"Check one for strangers: konterfei people outliers {first}"]


@dataclass
class _Plan:
    """One faceset to be."""

    number: int
    folder: Path
    header: FacesetHeader
    faces: dict[str, int] = field(default_factory=dict)
    """Digest -> row."""


def people_export(config: PeopleExportConfig, reporter: Reporter) -> PeopleExportResult:
    """Write or bring up to date a faceset for each person.

    Raises:
        UnknownNameError: there is no such person.
        FacesetError: crops of different size or face type, nobody has so many faces, another faceset is in the way.
        StoreError, DamagedFileError, OutputError: no people, damaged, not writable.
        Cancelled: a person asked to stop; the same command goes on.
    """
    state_of(config.folder)
    with hold(config.folder):
        people = state_of(config.folder)
        found = read(people.clips, config.folder, reporter)
        plans = _plans(config, people, found)
    ensure_writable(config.output)
    facesets: dict[Path, int] = {}
    totals = [0, 0, 0]
    reporter.start("writing facesets", sum(len(plan.faces) for plan in plans), unit="faces")
    done = 0
    for plan in plans:
        facesets[plan.folder], figures = _write(plan, people, found.seen, config, reporter, done)
        totals = [total + more for total, more in zip(totals, figures, strict=True)]
        done += len(plan.faces)
    reporter.finish()
    if not any(totals[:2]):
        reporter.note("Nothing to do: everything is there.")
    return PeopleExportResult(facesets=facesets, num_added=totals[0], num_set_aside=totals[1], num_left_out=totals[2])


def _plans(config: PeopleExportConfig, people: People, found: Read) -> list[_Plan]:
    rows = rows_by_person(people, found.seen)
    numbers = [people.number_of(who) for who in config.person] or people.numbers
    there = _folders(config.output, people)
    plans = []
    for number in dict.fromkeys(numbers):
        own = rows[number].tolist() if number in rows else []
        if len(own) < config.least:
            continue
        kinds: dict[tuple[str, int], str] = {}
        for row in own:
            faceset = found.facesets[found.seen.clips[row]]
            kinds.setdefault((str(faceset.header.face_type), faceset.header.size), str(faceset.folder))
        if len(kinds) > 1:
            told = "; ".join(f"{size} px '{kind}' in '{folder}'" for (kind, size), folder in kinds.items())
            raise FacesetError(
                f"The crops of {people.called(number)} are of different kinds, and a faceset holds one: {told}. "
                "Extract these clips alike (--size, --face-type), or convert one faceset."
            )
        header = found.facesets[found.seen.clips[own[0]]].header
        pooled = FacesetHeader(face_type=header.face_type, size=header.size, settings={"pooled_by": "people"})
        folder = config.output / people.names.get(number, f"person-{number}")
        if number in there and there[number] != folder and not folder.exists():
            there[number].rename(folder)  # named since
        plans.append(_Plan(number, folder, pooled, {found.seen.digests[row]: int(row) for row in own}))
    if not plans:
        who = f"None of {', '.join(config.person)}" if config.person else "Nobody"
        raise FacesetError(f"{who} in '{config.folder}' has {config.least} faces or more in facesets that can be read.")
    return plans


def _folders(output: Path, people: People) -> dict[int, Path]:
    """Number of a person -> the faceset that an earlier export of these people made."""
    found = {}
    for path in sorted(output.glob(f"*/{EXPORTED_NAME}")):
        person = _exported(path.parent, people).get("person")
        if isinstance(person, int):
            found[person] = path.parent
    return found


def _exported(folder: Path, people: People) -> Mapping[str, Any]:
    """What an earlier export put into `folder`; nothing where that is not known, or all of it are other people's."""
    try:
        data = json.loads((folder / EXPORTED_NAME).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    faces = data.get("faces") if isinstance(data, dict) else None
    is_ours = isinstance(faces, list) and (not faces or any(str(digest) in people.members for digest in faces))
    return data if is_ours else {}


def _write(
    plan: _Plan, people: People, seen: Sightings, config: PeopleExportConfig, reporter: Reporter, done: int
) -> tuple[int, tuple[int, int, int]]:
    """Makes one faceset as planned. Gives its crops, and how many came, were set aside, stay away."""
    before = _exported(plan.folder, people)
    if (plan.folder / HEADER_NAME).exists() and before.get("person") != plan.number:
        raise FacesetError(
            f"'{plan.folder}' holds a faceset that is not an export of {people.called(plan.number)}. "
            "Choose another --output, or remove it."
        )
    make_folder(plan.folder)
    if not before:
        write_json(plan.folder / EXPORTED_NAME, {"person": plan.number, "faces": []})
    known = {digest for digest in before.get("faces", ()) if isinstance(digest, str)}
    with Faceset.create(plan.folder, plan.header) as faceset:
        faceset.hold()
        present = dict(zip(map(digest_of, faceset.checksums()), faceset.names(), strict=True))
        alien = [name for digest, name in present.items() if digest in known and _is_of_another(digest, plan, people)]
        faceset.set_aside(alien, f"no face of {people.called(plan.number)} any more")
        due = [digest for digest in plan.faces if digest not in known and digest not in present]
        try:
            for place, digest in enumerate(due):
                check(reporter)
                _put(seen.path(plan.faces[digest]), seen.sources[plan.faces[digest]], plan.folder, config.copy)
                known.add(digest)
                reporter.advance(done + place + 1)
        finally:
            faces = sorted(
                {digest for digest in known if not _is_of_another(digest, plan, people)}
                | set(present) & set(plan.faces)
            )
            write_json(plan.folder / EXPORTED_NAME, {"person": plan.number, "faces": faces})
        faceset.refresh()
        away = sum(digest not in due and digest not in present for digest in plan.faces)
        return len(faceset), (len(due), len(alien), away)


def _is_of_another(digest: str, plan: _Plan, people: People) -> bool:
    return people.members.get(digest, plan.number) != plan.number


def _put(crop: Path, source: str, folder: Path, is_copied: bool) -> None:
    """One crop into `folder`: a hard link, or a copy where that cannot be or is not wanted."""
    stem, number = f"{Path(source).stem}_{crop.stem}", 1
    target = folder / f"{stem}.jpg"
    while target.exists():
        number += 1
        target = folder / f"{stem}-{number}.jpg"
    if not is_copied:
        try:
            os.link(crop, target)
            return
        except OSError:
            pass  # another disk, or one without links
    put(target, crop.read_bytes())
