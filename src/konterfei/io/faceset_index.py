"""The faceset's index: what its crops' records say, so that opening 8,000 of them does not read 8,000 files.

A cache and nothing more: it may be deleted at any time, and where it cannot be written (a read-only disk, a network
disk without locks) the faceset works without. A row counts only for a file of the same name, size and time of change.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from konterfei.io.cache import Cache
from konterfei.io.embedded import Embedded
from konterfei.io.face_record import FaceRecord

INDEX_NAME = ".index.sqlite"
_SCHEMA = """
CREATE TABLE crops (
  name BLOB PRIMARY KEY,         -- file name as the file system's bytes
  size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
  digest TEXT NOT NULL,          -- SHA-256 of the embedded record
  picture_crc INTEGER NOT NULL,
  source TEXT NOT NULL, frame_index INTEGER NOT NULL,
  crop_size INTEGER NOT NULL, face_type TEXT NOT NULL,
  labels TEXT NOT NULL,          -- SHA-256 of the embedded labels; empty where there are none
  record TEXT NOT NULL, arrays BLOB NOT NULL,   -- FaceRecord.pack()
  check_crc INTEGER NOT NULL     -- CRC-32 of the two: SQLite's pages have no checksums
) WITHOUT ROWID
"""
_CACHE = Cache(INDEX_NAME, 2, (_SCHEMA,))
_COLUMNS = "name, size, mtime_ns, digest, picture_crc, source, frame_index, crop_size, face_type, labels"
_PACKED = "record, arrays, check_crc"


@dataclass
class Entry:
    """One crop: its file, the hash of its record, and the record itself, unpacked when first asked for."""

    name: str
    size: int
    mtime_ns: int
    digest: str
    picture_crc: int
    source: str
    frame_index: int
    crop_size: int
    face_type: str
    labels: str
    packed: tuple[str, bytes]
    _record: FaceRecord | None = None

    @classmethod
    def of(cls, record: FaceRecord, stat: os.stat_result, embedded: Embedded) -> Entry:
        """The entry of a record that has its name, and of what its file carries."""
        return cls(
            record.name,
            stat.st_size,
            stat.st_mtime_ns,
            hashlib.sha256(embedded.text).hexdigest(),
            embedded.picture_crc,
            record.source,
            record.frame_index,
            record.size,
            str(record.face_type),
            hashlib.sha256(embedded.labels).hexdigest() if embedded.labels else "",
            record.pack(),
            record,
        )

    @property
    def record(self) -> FaceRecord:
        """The record, with its file name."""
        if self._record is None:
            self._record = FaceRecord.unpack(*self.packed).named(self.name)
        return self._record

    def matches(self, stat: os.stat_result) -> bool:
        """Whether the file is still the one that this entry was made from."""
        return (self.size, self.mtime_ns) == (stat.st_size, stat.st_mtime_ns)

    @property
    def row(self) -> tuple[object, ...]:
        """Values in the order of the table's columns."""
        head = (os.fsencode(self.name), self.size, self.mtime_ns, self.digest, self.picture_crc)
        return (
            *head,
            self.source,
            self.frame_index,
            self.crop_size,
            self.face_type,
            self.labels,
            *self.packed,
            _crc(*self.packed),
        )


def _crc(text: str, block: bytes) -> int:
    return zlib.crc32(block, zlib.crc32(text.encode()))


def load(folder: Path) -> dict[str, Entry]:
    """What the index knows, by file name; nothing when there is none. A damaged index is removed."""

    def take(connection: sqlite3.Connection) -> dict[str, Entry]:
        entries = {}
        for text, block, crc, name, *values in connection.execute(
            f"SELECT {_PACKED}, {_COLUMNS} FROM crops"
        ).fetchall():
            if _crc(text, block) == crc:
                known = Entry(*(os.fsdecode(name), *values, (text, block)))
                entries[known.name] = known
        return entries

    return _CACHE.read(folder, take, {})


def store(folder: Path, fresh: Iterable[Entry], gone: Iterable[str] = ()) -> None:
    """Put rows in and take the rows of files that are gone out. Does nothing where the index cannot be written."""
    rows, names = [entry.row for entry in fresh], [(os.fsencode(name),) for name in gone]
    columns = f"{_COLUMNS}, {_PACKED}"
    marks = ", ".join("?" * (columns.count(",") + 1))

    def put(connection: sqlite3.Connection) -> None:
        connection.executemany("DELETE FROM crops WHERE name = ?", names)
        connection.executemany(f"INSERT OR REPLACE INTO crops ({columns}) VALUES ({marks})", rows)

    if rows or names:
        _CACHE.write(folder, put)


def gone(known: Mapping[str, Entry], present: Iterable[str]) -> list[str]:
    """Names that the index knows and the folder has no more."""
    return sorted(set(known) - set(present))
