"""trash: crops set aside, looked at, taken back; deleted only when a person says so twice."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from shlex import quote

import numpy as np

from konterfei.detectors import overlap
from konterfei.errors import ConfigError, FacesetError, NoFacesError
from konterfei.io.atomic import size_text
from konterfei.io.embedded import EmbeddedError, extract
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import scan
from konterfei.io.faceset_trash import TRASH_NAME, Batch, empty, held
from konterfei.reporting import Reporter, check
from konterfei.stages._sort_export import exported_faces

_ALL = "all"
_SAME_FACE = 0.5
"""Overlap of the boxes from which on two crops of one frame show the same face."""
_NAMED = "names"


@dataclass(frozen=True, kw_only=True)
class TrashConfig:
    """Set crops of a faceset aside, look at what lies there, take it back.

    They are moved to the folder trash in the faceset. Nothing is deleted but with --empty --for-good.
    """

    faceset: Path
    """Folder of the faceset."""
    names: tuple[str, ...] = ()
    """Crops, or patterns of their names in quotes: "0001*"."""
    why: str = "by hand"
    """The reason, kept with them."""
    not_in: Path | None = None
    """Sets aside each crop that is not in this folder: a copy of the faceset, such as 'konterfei sort --export-order'
    makes, in which a person has deleted some. Crops are told by what they hold, not by their names; those that the
    faceset got after such an export stay."""
    list: bool = False
    """Shows what lies in the trash: when, why, how many."""
    restore: str | None = None
    """Takes crops back: all, the numbers of what --list shows (3 or 3,5), or names for those given by name."""
    empty: bool = False
    """Says what emptying the trash would delete, and deletes it with --for-good."""
    for_good: bool = False
    """With --empty: deletes. There is no way back."""

    def __post_init__(self) -> None:
        asked = {"--list": self.list, "--restore": self.restore is not None, "--empty": self.empty}
        asked["--not-in"] = self.not_in is not None
        given = [flag for flag, is_asked in asked.items() if is_asked]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} exclude each other. Give one of them.")
        if not given and not self.names:
            raise ConfigError("Say which crops: names, a pattern, or --not-in FOLDER. --list shows what lies there.")
        if self.for_good and not self.empty:
            raise ConfigError("--for-good goes with --empty.")
        if self.names and given and self.restore != _NAMED:
            raise ConfigError(f"{given[0]} takes no names. Leave them away.")
        if self.restore == _NAMED and not self.names:
            raise ConfigError("--restore names needs names of crops, or a pattern.")
        if self.restore not in (None, _ALL, _NAMED) and not re.fullmatch(r"\d+(,\d+)*", self.restore or ""):
            raise ConfigError(f"--restore is '{self.restore}'; allowed: all, names, numbers such as 3 or 3,5.")


@dataclass(frozen=True, kw_only=True)
class TrashResult:
    """What was done, and what there is now."""

    lines: Sequence[str]
    num_moved: int = 0
    """Crops that were set aside, taken back or deleted."""
    batch: int = 0
    """Number of what was set aside now; 0 = nothing was."""

    def summary(self) -> Sequence[str]:
        """It, as lines for a person."""
        return self.lines


def trash(config: TrashConfig, reporter: Reporter) -> TrashResult:
    """Do what was asked.

    Raises:
        FacesetError: no faceset, or another process is writing into it.
        NoFacesError: no crop of that name; the folder of --not-in holds none of this faceset's crops.
        OutputError: no permission.
    """
    with Faceset.open(config.faceset, reporter=reporter, allow_empty=True) as faceset:
        if config.list:
            return TrashResult(lines=_told(faceset))
        if config.empty:
            return _emptied(faceset, config.for_good, reporter)
        if config.restore is not None:
            return _restored(faceset, config, reporter)
        if config.not_in is not None:
            chosen = _missing_in(faceset, config.not_in, reporter)
            why = f"not in '{config.not_in.name}'" if config.why == "by hand" else config.why
        else:
            chosen, why = _fitting(faceset.names(), config.names, f"the faceset '{config.faceset}'"), config.why
        if not chosen:
            return TrashResult(lines=["Nothing to do: no crop was deleted in that folder."])
        number = faceset.set_aside(chosen, why)
        back = f"konterfei trash {quote(str(config.faceset))} --restore {number}"
        lines = [f"{len(chosen)} crops set aside ({why}), {len(faceset)} are left. They come back with: {back}"]
        return TrashResult(lines=lines, num_moved=len(chosen), batch=number)


def _fitting(there: Sequence[str], wanted: Sequence[str], where: str) -> list[str]:
    """Names that are, or fit, one of `wanted`. Raises NoFacesError for one of `wanted` that nothing fits."""
    chosen: dict[str, None] = {}
    known = set(there)
    for pattern in wanted:
        found = [pattern] if pattern in known else [name for name in there if fnmatchcase(name, pattern)]
        if not found:
            raise NoFacesError(f"There is no crop '{pattern}' in {where}. Check the name, and the folder.")
        chosen |= dict.fromkeys(found)
    return list(chosen)


def _missing_in(faceset: Faceset, folder: Path, reporter: Reporter) -> list[str]:
    """Crops that no file in `folder` carries the record of."""
    if not folder.is_dir():
        raise FacesetError(f"There is no folder '{folder}'. Check the path.")
    if folder.resolve() == faceset.folder.resolve():
        raise ConfigError("--not-in is the faceset itself. Name the folder that was made of it.")
    kept, strange = set(), []
    files = sorted(scan(folder))
    reporter.start("comparing", len(files), "files")
    for number, name in enumerate(files, 1):
        check(reporter)
        try:
            kept.add(hashlib.sha256(extract((folder / name).read_bytes()).text).hexdigest())
        except EmbeddedError as error:
            strange.append(f"{name}: {error}")
        reporter.advance(number)
    reporter.finish()
    if strange:
        reporter.warn(f"{len(strange)} files in '{folder}' are no crops and count for nothing; {strange[0]}.")
    digests = faceset.digests()
    if kept.isdisjoint(digests.values()):
        raise NoFacesError(f"'{folder}' holds none of the crops of '{faceset.folder}'. Check that it was made of it.")
    missing = [name for name in faceset.names() if digests[name] not in kept]
    if exported := exported_faces(folder):
        later = [name for name in missing if digests[name] not in exported]
        if later:
            reporter.note(
                f"{len(later)} crops came to the faceset after that export, or were left out of it; they stay."
            )
        missing = [name for name in missing if digests[name] in exported]
    return missing


def _told(faceset: Faceset) -> list[str]:
    batches = faceset.set_asides()
    if not batches:
        return [f"The trash of '{faceset.folder}' is empty."]
    total = sum(len(batch.names) for batch in batches)
    head = f"{total} crops in the trash of '{faceset.folder}', {size_text(held(faceset.folder))}:"
    return [head, *(_line(batch) for batch in batches)]


def _line(batch: Batch) -> str:
    names = sorted(batch.names.values())
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    when = batch.when[:16].replace("T", " ") or "?"
    return f"  {batch.number:>4}  {when}  {len(names):>6} crops  {batch.why}  ({shown})"


def _restored(faceset: Faceset, config: TrashConfig, reporter: Reporter) -> TrashResult:
    batches = faceset.set_asides()
    if not batches:
        return TrashResult(lines=[f"Nothing to do: the trash of '{faceset.folder}' is empty."])
    if config.restore == _ALL:
        chosen = [stored for batch in batches for stored in batch.names]
    elif config.restore == _NAMED:
        there = [stored for batch in batches for stored in batch.names]
        chosen = _fitting(there, config.names, f"the trash of '{config.faceset}'")
    else:
        numbers = {int(number) for number in (config.restore or "").split(",")}
        if strange := sorted(numbers - {batch.number for batch in batches}):
            raise NoFacesError(f"There is no number {strange[0]} in the trash. 'konterfei trash --list' shows them.")
        chosen = [stored for batch in batches if batch.number in numbers for stored in batch.names]
    misfits = _misfits(faceset, chosen)
    came = faceset.take_back(names=[stored for stored in chosen if stored not in misfits])
    if misfits:
        name, why = next(iter(misfits.items()))
        reporter.warn(f"{len(misfits)} crops stay in the trash, as they cannot be of this faceset. {name}: {why}")
    if twice := _twice(faceset, came.values()):
        reporter.warn(
            f"{len(twice)} of them show a face that the faceset has another crop of, made later: {', '.join(twice[:5])}"
            f"{', ...' if len(twice) > 5 else ''}. Set aside the one of each that you do not want."
        )
    return TrashResult(lines=[f"{len(came)} crops taken back, {len(faceset)} in all."], num_moved=len(came))


def _misfits(faceset: Faceset, names: Iterable[str]) -> dict[str, str]:
    """Of these crops of the trash those that would not be used, were they taken back: name -> why."""
    header, found = faceset.header, {}
    for name in names:
        try:
            record = FaceRecord.decode(extract((faceset.folder / TRASH_NAME / name).read_bytes()).text)
        except FileNotFoundError:
            continue
        except (EmbeddedError, ValueError) as error:
            found[name] = str(error)
            continue
        if (record.size, record.face_type) != (header.size, header.face_type):
            now = f"the faceset now holds {header.size} px '{header.face_type}'"
            found[name] = f"it is a crop of {record.size} px '{record.face_type}', {now}"
    return found


def _twice(faceset: Faceset, names: Iterable[str]) -> list[str]:
    """Those of `names` beside which there is another crop of the same face in the same frame."""
    by_frame: dict[tuple[str, int], list[FaceRecord]] = {}
    for record in faceset.records():
        by_frame.setdefault((record.source, record.frame_index), []).append(record)
    wanted = set(names)
    found = []
    for here in by_frame.values():
        for record in here:
            others = [other.face.box for other in here if other is not record]
            if record.name in wanted and others and overlap(record.face.box, np.array(others)).max() > _SAME_FACE:
                found.append(record.name)
    return found


def _emptied(faceset: Faceset, for_good: bool, reporter: Reporter) -> TrashResult:
    count = sum(len(batch.names) for batch in faceset.set_asides())
    size = size_text(held(faceset.folder))
    if not count:
        return TrashResult(lines=[f"Nothing to do: the trash of '{faceset.folder}' is empty."])
    if not for_good:
        return TrashResult(lines=[f"{count} crops, {size}, would be deleted. Add --for-good to delete them."])
    faceset.hold()
    reporter.start("deleting", count, "crops")
    for number, _ in enumerate(empty(faceset.folder), 1):
        check(reporter)
        reporter.advance(number)
    reporter.finish()
    return TrashResult(lines=[f"{count} crops deleted for good, {size} free again."], num_moved=count)
