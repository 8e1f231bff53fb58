"""`people.json`: the state of `People`, whole or not at all, checked when it is read.

It holds names and embeddings, which are personal data: docs/facesets.md says how to remove them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from konterfei.curation.decisions import Decision
from konterfei.curation.people import People
from konterfei.errors import DamagedFileError, StoreError
from konterfei.io.atomic import make_folder, write_text
from konterfei.io.faceset_files import HEADER_NAME
from konterfei.io.locks import exclusive

PEOPLE_NAME = "people.json"
FORMAT = "konterfei people"
VERSION = 1
_LOCK_NAME = ".people.lock"
_DIGITS = 4
"""Decimals of a stored embedding: what is lost is 20 times smaller than the noise of a face's own."""


def hold(folder: Path) -> IO[bytes]:
    """The right to change the people in `folder`, until the file given is closed.

    Raises:
        StoreError: another process has it.
        OutputError: the folder cannot be written.
    """
    busy = StoreError(f"Another process is working on the people in '{folder}'. Wait until it has finished.")
    return exclusive(make_folder(folder) / _LOCK_NAME, busy)


def save(people: People, folder: Path) -> None:
    """Writes `people.json`. Raises OutputError."""
    write_text(folder / PEOPLE_NAME, to_text(people, folder))


def to_text(people: People, folder: Path) -> str:
    """The file's content, one line per person and per decision.

    Facesets are named by their way from `folder`, so that all may be moved together, and by their absolute path.
    """
    faces: dict[int, dict[int, list[str]]] = {}
    for digest, number in people.members.items():
        faces.setdefault(number, {}).setdefault(people.clip_of[digest], []).append(digest)
    rows = []
    for number in people.numbers:
        mean, weight = people.portraits.get(number, (None, 0.0))
        rows.append(
            {
                "number": number,
                "name": people.names.get(number, ""),
                "faces": {str(clip): sorted(own) for clip, own in sorted(faces.get(number, {}).items())},
                "weight": round(weight, _DIGITS),
                "embedding": None if mean is None else [round(float(value), _DIGITS) for value in mean],
            }
        )
    head = {
        "format": FORMAT,
        "version": VERSION,
        "threshold": people.threshold,
        "same_person": people.same_person,
        "next_number": people.next_number,
        "facesets": [[_way(clip, folder), str(clip)] for clip in people.clips],
    }
    lines = [f'  "{key}": {_line(value)},' for key, value in head.items()]
    body = [
        f'  "{key}": [\n' + ",\n".join(f"    {_line(row)}" for row in own) + "\n  ]" if own else f'  "{key}": []'
        for key, own in (("people", rows), ("decisions", [_plain(decision) for decision in people.decisions]))
    ]
    return "{\n" + "\n".join(lines) + "\n" + ",\n".join(body) + "\n}\n"


def _way(clip: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(clip, folder.absolute())).as_posix()
    except ValueError:  # another drive
        return ""


def _place(way: str, path: str, folder: Path) -> Path:
    """Where a faceset lies now: where it lay beside `folder`, or else where it was."""
    near = Path(os.path.normpath(folder.absolute() / way)) if way else None
    return near if near is not None and (near / HEADER_NAME).exists() else Path(path)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _plain(decision: Decision) -> dict[str, Any]:
    return {
        "kind": decision.kind,
        "when": decision.when,
        "said": decision.said,
        "moves": [[source, to, list(digests)] for source, to, digests in decision.moves],
        "names": {str(number): list(names) for number, names in decision.names.items()},
        "apart": None if decision.apart is None else list(decision.apart),
        "created": list(decision.created),
    }


def load(folder: Path) -> People | None:
    """The people of `folder`; None where there is no file.

    Raises:
        DamagedFileError: it is not one, not whole, or of another version.
    """
    path = folder / PEOPLE_NAME
    try:
        return _built(json.loads(path.read_text("utf-8")), folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"Cannot read '{path}': {error.strerror}. Check its permissions.") from error
    except KeyError as error:
        why = f"it has no {error}"
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        why = str(error)
    raise DamagedFileError(
        f"'{path}' is damaged ({why}). Restore it from a backup; or remove it and give 'konterfei people find' again: "
        "people are then found anew, and what was decided about them is lost."
    )


def _built(data: Mapping[str, Any], folder: Path) -> People:
    if data["format"] != FORMAT:
        raise ValueError("it is not a file of people")
    if data["version"] != VERSION:
        raise ValueError(f"it is of version {data['version']}; this konterfei reads {VERSION}")
    people = People(float(data["threshold"]), float(data["same_person"]))
    people.clips = [_place(_text(way), _text(path), folder) for way, path in data["facesets"]]
    for row in data["people"]:
        number = _number(row["number"])
        if name := _text(row["name"]):
            people.names[number] = name
        for clip, digests in row["faces"].items():
            if not 0 <= int(clip) < len(people.clips):
                raise ValueError(f"person {number} has faces of a faceset that it does not list")
            for digest in digests:
                if people.members.setdefault(_text(digest), number) != number:
                    raise ValueError(f"a face belongs to person {number} and to person {people.members[digest]}")
                people.clip_of[digest] = int(clip)
        if row["embedding"] is not None:
            mean = np.array([float(value) for value in row["embedding"]])
            if not np.isfinite(mean).all():
                raise ValueError(f"the embedding of person {number} is not finite")
            people.portraits[number] = (mean, float(row["weight"]))
    people.decisions = [_decision(row) for row in data["decisions"]]
    people.next_number = max([_number(data["next_number"]), *(number + 1 for number in people.numbers)])
    return people


def _decision(row: Mapping[str, Any]) -> Decision:
    apart = row["apart"]
    return Decision(
        kind=_text(row["kind"]),
        when=_text(row["when"]),
        said=_text(row["said"]),
        moves=tuple((_number(a), _number(b), tuple(map(_text, digests))) for a, b, digests in row["moves"]),
        names={int(number): (_text(old), _text(new)) for number, (old, new) in row["names"].items()},
        apart=None if apart is None else (_number(apart[0]), _number(apart[1])),
        created=tuple(map(_number, row["created"])),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands in the place of a text")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} stands in the place of a number from 0")
    return value
