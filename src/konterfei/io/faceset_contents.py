"""What a faceset's folder holds right now: the crops that count, in order, and why others do not."""

from __future__ import annotations

import os
from pathlib import Path

from konterfei.io import faceset_index
from konterfei.io.embedded import EmbeddedError, extract
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord, FacesetHeader
from konterfei.io.faceset_files import scan
from konterfei.io.faceset_index import Entry


class Contents:
    """The crops of one folder, by name and by record.

    Attributes:
        damaged: file name -> reason, for each picture that lies here and is not used.
        duplicates: file name -> name of the crop with the same record that is used in its place.
        by_name, by_digest: the crops that count; by file name, and by the hash of their record.
    """

    def __init__(self, folder: Path, header: FacesetHeader) -> None:
        self._folder = folder
        self._header = header
        self.damaged: dict[str, str] = {}
        self.duplicates: dict[str, str] = {}
        self.by_name: dict[str, Entry] = {}
        self.by_digest: dict[str, Entry] = {}
        self._ordered: list[Entry] | None = None
        self._by_frame: dict[int, list[Entry]] = {}

    def refresh(self) -> None:
        """Look at the folder anew."""
        files = scan(self._folder)
        known = faceset_index.load(self._folder)
        found: list[Entry] = []
        fresh: list[Entry] = []
        self.damaged, self.duplicates, self.by_name, self.by_digest = {}, {}, {}, {}
        self._ordered = None
        for name, stat in files.items():
            entry = known.get(name)
            if entry is None or not entry.matches(stat):
                try:
                    entry = _read(self._folder / name, stat)
                except (EmbeddedError, ValueError, OSError) as error:
                    self.damaged[name] = str(error)
                    continue
                fresh.append(entry)
            found.append(entry)
        faceset_index.store(self._folder, fresh, faceset_index.gone(known, files))
        for entry in sorted(found, key=lambda e: (len(e.name), e.name)):  # a copy's name is the longer one
            if misfit := self.misfit(entry.crop_size, entry.face_type):
                self.damaged[entry.name] = misfit
            elif entry.digest in self.by_digest:
                self.duplicates[entry.name] = self.by_digest[entry.digest].name
            else:
                self.insert(entry)

    def insert(self, entry: Entry) -> None:
        """Count one more crop, or another state of one."""
        self.by_name[entry.name] = self.by_digest[entry.digest] = entry
        self._ordered = None

    def misfit(self, size: int, face_type: str) -> str:
        """Why such a crop cannot be of this faceset; empty when it can."""
        if (size, face_type) == (self._header.size, self._header.face_type):
            return ""
        return (
            f"it is a crop of {size} px '{face_type}', "
            f"this faceset holds {self._header.size} px '{self._header.face_type}'"
        )

    def ordered(self) -> list[Entry]:
        """The crops by source, frame and name."""
        if self._ordered is None:
            self._ordered = sorted(self.by_name.values(), key=lambda e: (e.source, e.frame_index, e.name))
            self._by_frame = {}
            for entry in self._ordered:
                if self._header.source_name in ("", entry.source):
                    self._by_frame.setdefault(entry.frame_index, []).append(entry)
        return self._ordered

    def by_frame(self) -> dict[int, list[Entry]]:
        """Frame of the faceset's own video -> its crops."""
        self.ordered()
        return self._by_frame


def _read(path: Path, stat: os.stat_result) -> Entry:
    embedded = extract(path.read_bytes())
    record = FaceRecord.decode(embedded.text)
    if (embedded.width, embedded.height) != (record.size, record.size):
        raise ValueError(
            f"its picture is {embedded.width}x{embedded.height}, its record says {record.size}x{record.size}"
        )
    FaceLabels.decode(embedded.labels)
    return Entry.of(record.named(path.name), stat, embedded)
