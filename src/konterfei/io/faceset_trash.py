"""A faceset's trash: the sub-folder `trash`, from which every crop can be taken back.

A journal says why each crop lies there; what lies there is what counts. A line is written before the crops move, so
that a kill in between leaves some of them moved and the rest in place, and the same call again moves the rest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from konterfei.io.atomic import make_folder, output_error, sync
from konterfei.io.embedded import EmbeddedError, extract
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset_files import scan

TRASH_NAME = "trash"
_JOURNAL_NAME = "journal.jsonl"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Crops that were set aside together.

    Attributes:
        number: from 1; 0 for crops that a person has moved into the trash's folder.
        when: ISO 8601, UTC; empty for number 0.
        why: the reason, for people.
        names: in the trash -> in the faceset, of the crops that are still there.
    """

    number: int
    when: str
    why: str
    names: dict[str, str]


def batches(folder: Path) -> list[Batch]:
    """What lies in the trash of the faceset in `folder`, oldest first."""
    place = folder / TRASH_NAME
    waiting = set(scan(place)) if place.is_dir() else set()
    found: list[Batch] = []
    for batch in reversed(_journal(folder)):  # a name that came here twice belongs to the last time
        here = {stored: name for stored, name in batch.names.items() if stored in waiting}
        waiting -= set(here)
        if here:
            found.append(Batch(number=batch.number, when=batch.when, why=batch.why, names=here))
    if waiting:
        names = {name: name for name in sorted(waiting)}
        found.append(Batch(number=0, when="", why="moved there by hand", names=names))
    return found[::-1]


def next_number(folder: Path) -> int:
    """Number that the next batch gets."""
    return max((batch.number for batch in _journal(folder)), default=0) + 1


def set_aside(folder: Path, names: Iterable[str], why: str) -> int:
    """Move crops of `folder` to its trash (only the holder of `writer_lock` may); gives the batch's number."""
    there = [name for name in dict.fromkeys(names) if (folder / name).is_file()]
    if not there:
        return 0
    place = make_folder(folder / TRASH_NAME)
    number = next_number(folder)
    taken = set(scan(place))
    moves = {}
    for name in there:
        stored = _free(name, taken)
        taken.add(stored)
        moves[stored] = name
    try:
        _append(place / _JOURNAL_NAME, {"batch": number, "when": _now(), "why": why, "names": moves})
        for stored, name in moves.items():
            with suppress(FileNotFoundError):  # a person deleted it meanwhile
                os.replace(folder / name, place / stored)  # noqa: PTH105  (tests replace os.replace)
        _sync_folders(place, folder)
    except OSError as error:
        raise output_error(place, error) from error
    return number


def take_back(folder: Path, numbers: Iterable[int] | None, names: Iterable[str] | None) -> dict[str, str]:
    """Move crops out of the trash (only the holder of `writer_lock` may); gives trash name -> name now."""
    place, wanted = folder / TRASH_NAME, None if names is None else set(names)
    chosen = None if numbers is None else set(numbers)
    if chosen is None and wanted is None:
        chosen = {batch.number for batch in batches(folder)}
    taken, came = set(scan(folder)), {}
    try:
        for batch in batches(folder):
            for stored, name in batch.names.items():
                if batch.number in (chosen or ()) or stored in (wanted or ()):
                    back = _free(name, taken)
                    os.replace(place / stored, folder / back)  # noqa: PTH105
                    taken.add(back)
                    came[stored] = back
        if came:
            _sync_folders(folder, place)
    except OSError as error:
        raise output_error(folder, error) from error
    return came


def records(folder: Path) -> Iterator[FaceRecord]:
    """The records of the crops in the trash of the faceset in `folder`; those that are damaged are passed over."""
    place = folder / TRASH_NAME
    for name in sorted(scan(place)) if place.is_dir() else ():
        with suppress(OSError, EmbeddedError, ValueError):
            yield FaceRecord.decode(extract((place / name).read_bytes()).text)


def held(folder: Path) -> int:
    """Bytes that the crops in the trash of the faceset in `folder` take."""
    place = folder / TRASH_NAME
    return sum(stat.st_size for stat in scan(place).values()) if place.is_dir() else 0


def empty(folder: Path) -> Iterator[str]:
    """Delete the crops in the trash for good, one at each step (only the holder of `writer_lock` may); gives names.

    The journal goes last, so that whoever is stopped in between still finds why the others lie there.
    """
    place = folder / TRASH_NAME
    try:
        for name in sorted(scan(place)) if place.is_dir() else ():
            (place / name).unlink(missing_ok=True)
            yield name
        (place / _JOURNAL_NAME).unlink(missing_ok=True)
    except OSError as error:
        raise output_error(place, error) from error


def _free(name: str, taken: set[str]) -> str:
    """`name`, or where it is taken the same with a number."""
    path, number, free = Path(name), 1, name
    while free in taken:
        number += 1
        free = f"{path.stem}-{number}{path.suffix}"
    return free


def _journal(folder: Path) -> list[Batch]:
    """Every batch there was; a line that was cut off or damaged is passed over: its crops count as moved by hand."""
    path, found = folder / TRASH_NAME / _JOURNAL_NAME, []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise output_error(path, error) from error
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError):
            data = json.loads(line)
            names = {str(stored): str(name) for stored, name in data["names"].items()}
            if all(Path(name).name == name for name in names.values()):
                found.append(
                    Batch(number=int(data["batch"]), when=str(data["when"]), why=str(data["why"]), names=names)
                )
    return found


def _append(path: Path, line: dict[str, object]) -> None:
    text = json.dumps(line, ensure_ascii=False).encode("utf-8", "backslashreplace")  # names that are no text
    with path.open("ab+") as file:
        file.seek(0, os.SEEK_END)
        if file.tell():
            file.seek(-1, os.SEEK_END)
            text = text if file.read(1) == b"\n" else b"\n" + text  # the line before was cut off
        file.write(text + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folders(*folders: Path) -> None:
    for folder in folders:
        with suppress(OSError):  # some network disks cannot sync folders
            sync(folder)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
