"""DeepFaceLab's faceset.pak (dfl-spec 3.2), read and written picture by picture: it may be larger than memory."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from konterfei.errors import DamagedFileError, StoreError
from konterfei.io.atomic import atomic_path
from konterfei.io.legacy_faces import MOST_BYTES, LegacyFaceError
from konterfei.io.legacy_pickle_stream import items_of
from konterfei.io.legacy_pickle_writer import pickle_bytes
from konterfei.reporting import Reporter, Silent, check

PAK_NAME = "faceset.pak"
VERSION = 1
_U64 = struct.Struct("<Q")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class PakEntry:
    """One picture of a pak.

    Attributes:
        name: its file name, without folders.
        person: name of the sub-folder that it came from; None = the folder itself.
        start, end: where it lies in the file.
    """

    name: str
    person: str | None
    start: int
    end: int


class LegacyPak:
    """An opened faceset.pak: where its pictures lie. They carry their own records; what its table says beside them is
    their names and people.

    Attributes:
        entries: in the file's order.
        remarks: what is wrong with the whole, for people.

    Args:
        path: of the file.
        reporter: told how far the table is read (2 ms a face); a person may stop it.

    Raises:
        StoreError: it cannot be read. DamagedFileError: it is no pak, or of another version.
        Cancelled: a person asked to stop.
    """

    def __init__(self, path: Path, reporter: Reporter | None = None) -> None:
        self.path = path
        self._reporter = reporter or Silent()
        self.remarks: list[str] = []
        try:
            self._file = path.open("rb")
            self._size = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise StoreError(f"'{path}' cannot be read ({error.strerror}). Check path and permissions.") from error
        try:
            self.entries = self._look()
        except OSError as error:
            self._file.close()
            raise StoreError(f"'{path}' cannot be read ({error.strerror}). Copy it again.") from error
        except BaseException:
            self._file.close()
            raise

    def _u64(self) -> int:
        data = self._file.read(_U64.size)
        if len(data) < _U64.size:
            raise DamagedFileError(f"'{self.path}' is cut off within its head. Copy it again.")
        return int(_U64.unpack(data)[0])

    def _look(self) -> list[PakEntry]:
        version, length = self._u64(), self._u64()
        if version != VERSION:
            raise DamagedFileError(
                f"'{self.path}' is no {PAK_NAME} of DeepFaceLab, or of version {version}; version {VERSION} is known."
            )
        table = 16 + length
        if table + 2 * _U64.size > self._size:
            raise DamagedFileError(f"'{self.path}' is cut off within its list of faces. Copy it again.")
        told = self._told(length)
        if told is None:
            told = [(f"{number:05d}.jpg", None) for number in range(self._count(table))]
        self._file.seek(table)
        raw = self._file.read(_U64.size * (len(told) + 1))
        if len(raw) < _U64.size * (len(told) + 1):
            raise DamagedFileError(f"'{self.path}' is cut off within its list of places. Copy it again.")
        places = [data[0] for data in _U64.iter_unpack(raw)]
        begin = table + len(raw)
        entries = []
        for (name, person), start, end in zip(told, places, places[1:], strict=False):
            # the last place counts from the beginning of the file, the others from the first picture's: clamped
            entries.append(PakEntry(name, person, begin + start, min(begin + end, self._size)))
        return entries

    def _told(self, length: int) -> list[tuple[str, str | None]] | None:
        """Names and people, None where the list cannot be read."""
        told: list[tuple[str, str | None]] = []
        self._reporter.start("reading the list of faces", length, unit="bytes")
        try:
            for item in items_of(self._file, length):
                check(self._reporter)
                self._reporter.advance(self._file.tell() - 16)
                name, person = item.get("filename"), item.get("person_name")
                name = _last_part(name) if isinstance(name, str) else ""
                name = name or f"{len(told):05d}.jpg"
                told.append((name, _last_part(person) or None if isinstance(person, str) else None))
        except ValueError as error:
            self.remarks.append(
                f"The list of faces in '{self.path}' cannot be read ({str(error)[:200]}): names and people of the "
                "faces are lost, the faces themselves are looked for."
            )
            return None
        self._reporter.finish()
        return told

    def _count(self, table: int) -> int:
        """Number of pictures, from the list of places alone: it begins with 0, grows, and ends beside a picture."""
        self._file.seek(table)
        before = -1
        for count in range((self._size - table) // _U64.size):
            place = self._u64()
            if place <= before or (count == 0 and place != 0):
                break
            before = place
            if place == self._size or table + _U64.size * (count + 1) + place == self._size:
                return count
        raise DamagedFileError(f"Neither the list of faces nor their places in '{self.path}' can be read.")

    def read(self, entry: PakEntry) -> bytes:
        """The picture's file. Raises LegacyFaceError: it lies outside of the file, or is too large to be one."""
        length = entry.end - entry.start
        if not 0 < length <= MOST_BYTES:
            raise LegacyFaceError("the pak is cut off before it" if length <= 0 else f"it would have {length} bytes")
        try:
            self._file.seek(entry.start)
            return self._file.read(length)
        except OSError as error:
            raise LegacyFaceError(f"it cannot be read ({error.strerror})") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _last_part(name: str) -> str:
    """A file name without folders of either system, and without what no file name has."""
    part = name.replace("\\", "/").rsplit("/", 1)[-1].replace("\0", "")
    return "" if part in (".", "..") else part[:200]


def write_pak(path: Path, configs: Iterable[Mapping[str, Any]], pictures: Iterable[bytes]) -> int:
    """Write a faceset.pak, whole or not at all; gives the number of faces.

    Args:
        path: of the file.
        configs: what the table says of each face.
        pictures: files of the faces, in the same order; asked for when the table is written.

    Raises:
        OutputError: no space, no permission.
        ValueError: more or fewer pictures than configs.
    """
    with atomic_path(path) as temporary, temporary.open("w+b") as file:
        file.write(_U64.pack(VERSION) + _U64.pack(0))
        count = 0
        file.write(b"\x80\x04]")
        for config in configs:  # each appended by itself: a list of any length, without a mark to the beginning
            file.write(pickle_bytes(dict(config))[2:-1] + b"a")
            count += 1
        file.write(b".")
        table = file.tell()
        file.write(_U64.pack(0) * (count + 1))
        begin, places = file.tell(), [0]
        for _, picture in zip(range(count), pictures, strict=True):
            file.write(picture)
            places.append(file.tell() - begin)
        places[-1] += begin  # so DeepFaceLab writes it, and so its reader finds the last picture's end
        if count == 0:
            places = [begin]
        file.seek(8)
        file.write(_U64.pack(table - 16))
        file.seek(table)
        file.write(b"".join(map(_U64.pack, places)))
    return count
