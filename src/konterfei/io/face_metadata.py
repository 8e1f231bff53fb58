"""Records and labels of a whole faceset in one text file, for the time that other programs work on its pictures.

JSON lines, UTF-8: a line about the faceset (`format`, `version`, `content`: the hash of what it held, `header`), then
one per crop (`name`, `record`, `labels`: their bytes as base64, `picture_crc`). Nothing in it is executed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from konterfei.errors import DamagedFileError, FacesetError
from konterfei.io.atomic import atomic_path
from konterfei.io.embedded import extract
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord, FacesetHeader
from konterfei.io.faceset import Faceset

FORMAT = "konterfei faceset metadata"
VERSION = 1


@dataclass(frozen=True)
class Kept:
    """What was kept of one crop.

    Attributes:
        record: with the file name that the crop had.
        labels: as bytes, see `FaceLabels.encode`.
        picture_crc: of the picture then, see `io.embedded`.
    """

    record: FaceRecord
    labels: bytes
    picture_crc: int


def save(faceset: Faceset, path: Path, told: Callable[[int], None]) -> int:
    """Write what is known of every crop to `path`, whole or not at all. Gives the number of crops.

    Args:
        faceset: it stays as it is.
        path: written over.
        told: called with the number of crops done; may raise to stop.

    Raises:
        FacesetError, DamagedFileError: a crop is gone or damaged.
        OutputError: no space, no permission.
    """
    head = {"format": FORMAT, "version": VERSION, "content": faceset.content_hash()}
    names = faceset.names()
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(_line({**head, "num_crops": len(names), "header": faceset.header.to_json()}))
        for number, name in enumerate(names, 1):
            try:
                embedded = extract((faceset.folder / name).read_bytes())
            except (OSError, ValueError) as error:
                raise FacesetError(f"'{faceset.folder / name}' cannot be read: {error}. Start again.") from error
            crop = {
                "name": name,
                "picture_crc": embedded.picture_crc,
                "labels": base64.b64encode(embedded.labels).decode(),
                "record": json.loads(embedded.text),
            }
            file.write(_line(crop))
            told(number)
    return len(names)


def read_head(path: Path) -> tuple[FacesetHeader, str]:
    """The faceset's header, and the hash of what it held.

    Raises:
        FacesetError: there is no such file.
        DamagedFileError: it is no file of `save`, of another version, or its first line is damaged.
    """
    try:
        with path.open("rb") as file:
            head = json.loads(file.readline())
        if head["format"] != FORMAT:
            raise ValueError("it is another format")
        if head["version"] != VERSION:
            raise ValueError(f"it is of version {head['version']}; this konterfei reads {VERSION}")
        return FacesetHeader.from_json(head["header"]), str(head["content"])
    except FileNotFoundError:
        raise FacesetError(f"There is no file '{path}'. Check the path.") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DamagedFileError(f"'{path}' holds no records of a faceset ({error}). Check the path.") from error


def read_crops(path: Path, damaged: dict[str, str]) -> Iterator[Kept]:
    """What was kept of each crop, one after the other; lines that cannot be used are put into `damaged`, with why."""
    with path.open("rb") as file:
        file.readline()
        for number, line in enumerate(file, 2):
            try:
                yield _kept(json.loads(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
                damaged[f"line {number}"] = f"it is cut off or changed ({error})"


def _kept(data: Any) -> Kept:
    name = str(data["name"])
    if Path(name).name != name or name in ("", ".", "..") or "\\" in name:
        raise ValueError(f"'{name}' is no file name")
    labels = base64.b64decode(data["labels"], validate=True)
    FaceLabels.decode(labels)
    return Kept(FaceRecord.decode(json.dumps(data["record"]).encode()).named(name), labels, int(data["picture_crc"]))


def _line(data: Any) -> bytes:
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"
    return text.encode("utf-8", "backslashreplace")  # names that are no text
