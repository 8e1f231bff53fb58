"""The files of a faceset's folder: its header, its pictures as the file system lists them, one writer at a time."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from konterfei.errors import FacesetError
from konterfei.io.atomic import output_error
from konterfei.io.face_record import FACESET_VERSION, FORMAT, FacesetHeader
from konterfei.io.locks import exclusive

HEADER_NAME = "faceset.json"
REPLACEMENT_NAME = ".new"
"""Folder within a faceset for crops that are to take the place of all that are there."""
BYTES_A_FACE = 60_000
"""Disk taken by one crop of 256 px as JPEG 4:4:4 at quality 95, rounded up."""
_LOCK_NAME = ".writer.lock"
_PART = ".part"
_SUFFIXES = (".jpg", ".jpeg")


def read_header(folder: Path) -> FacesetHeader:
    """The header of the faceset in `folder`. Raises FacesetError when there is none that can be used."""
    remedy = "Make one with 'konterfei extract VIDEO -o FOLDER'."
    if not folder.exists():
        raise FacesetError(f"There is no folder '{folder}'. {remedy}")
    if not folder.is_dir():
        raise FacesetError(f"'{folder}' is a file, not the folder of a faceset. {remedy}")
    path = folder / HEADER_NAME
    try:
        data: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise ValueError("it is not the header of a faceset")
        if data.get("version") != FACESET_VERSION:
            raise FacesetError(
                f"The faceset '{folder}' is of version {data.get('version')}; this konterfei reads version "
                f"{FACESET_VERSION}. Extract again with --force, or use the konterfei that made it."
            )
        return FacesetHeader.from_json(data)
    except FileNotFoundError:
        if (folder / REPLACEMENT_NAME / HEADER_NAME).exists():
            raise FacesetError(
                f"The faces in '{folder}' were being replaced when konterfei was stopped. Give the same "
                "'konterfei extract' again: it goes on."
            ) from None
        raise FacesetError(f"'{folder}' is not a faceset: it has no {HEADER_NAME}. {remedy}") from None
    except OSError as error:
        raise FacesetError(f"Cannot read '{path}': {error.strerror}. Check its permissions.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise FacesetError(f"'{path}' is damaged ({error}). Restore it, or extract again with --force.") from error


def bytes_for(num_faces: int, size: int) -> int:
    """Disk that so many crops take about: it grows with their side in pixels, not with its square (512 px: 127 kB)."""
    return round(num_faces * BYTES_A_FACE * size / 256)


def scan(folder: Path) -> dict[str, os.stat_result]:
    """Pictures directly in `folder`, by name: sub-folders and hidden files are not looked at."""
    files = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith(".") and entry.name.lower().endswith(_SUFFIXES) and entry.is_file():
                    with suppress(FileNotFoundError):  # deleted meanwhile
                        files[entry.name] = entry.stat()
    except OSError as error:
        raise FacesetError(f"Cannot read the folder '{folder}': {error.strerror}. Check its permissions.") from error
    return files


def put(path: Path, data: bytes) -> os.stat_result:
    """Make `path` whole or not at all, without waiting for the disk (only the holder of `writer_lock` may).

    Raises:
        OutputError: no space, no permission.
    """
    part = path.with_name(f".{path.name}{_PART}")
    try:
        part.write_bytes(data)
        stat = part.stat()
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise output_error(path, error) from error
    return stat


def writer_lock(folder: Path) -> IO[bytes]:
    """The right to write into `folder`, held until the file given is closed or the process ends, however it ends.

    Removes what a killed writer left unfinished.

    Raises:
        FacesetError: another writer holds it.
        OutputError: no permission.
    """
    busy = FacesetError(f"Another process is writing faces into '{folder}'. Wait for it or choose another folder.")
    lock = exclusive(folder / _LOCK_NAME, busy)
    for part in folder.glob(f".*{_PART}"):
        with suppress(OSError):
            part.unlink()
    return lock
