"""Faceset: a folder of face crops that a person can look at, delete, rename or move in a file manager.

Each crop is a JPEG that carries its own record (`io.embedded`, `io.face_record`), so what lies in the folder is what
the faceset holds; `faceset.json` says what the crops have in common and `.index.sqlite` is a disposable cache.
docs/faceset-format.md defines the format and what each change by hand means.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from konterfei.errors import DamagedFileError, FacesetError
from konterfei.io import faceset_index
from konterfei.io.atomic import make_folder, output_error, sync, write_json
from konterfei.io.embedded import EmbeddedError, embed, extract
from konterfei.io.face_record import FACESET_VERSION, FaceRecord, FacesetHeader
from konterfei.io.faceset_files import HEADER_NAME, put, read_header, scan, writer_lock
from konterfei.io.faceset_index import Entry
from konterfei.reporting import Reporter

_JPEG_QUALITY = 95  # 4:4:4 at 95: 40.7 dB on a 512 px face, 127 kB
_SYNC_EVERY = 64  # crops between two flushes to the disk: what a power cut can cost at most

__all__ = ["FACESET_VERSION", "FaceRecord", "Faceset", "FacesetHeader"]


class Faceset:
    """The faces of one video (or of several, pooled), sorted by source and frame. Made by `create` or `open`.

    Attributes:
        folder: where it lies.
        header: what all crops have in common.
        damaged: file name -> reason, for each picture that lies here and is not used.
        duplicates: file name -> name of the crop with the same record that is used in its place.
    """

    def __init__(self, folder: Path, header: FacesetHeader) -> None:
        self.folder = folder
        self.header = header
        self.damaged: dict[str, str] = {}
        self.duplicates: dict[str, str] = {}
        self._entries: list[Entry] = []
        self._by_digest: dict[str, Entry] = {}
        self._by_name: dict[str, Entry] = {}
        self._by_frame: dict[int, list[Entry]] = {}
        self._is_sorted = True
        self._pending: list[Entry] = []
        self._lock: IO[bytes] | None = None

    # --- making and opening

    @classmethod
    def create(cls, folder: Path | str, header: FacesetHeader) -> Faceset:
        """A faceset to be filled; one that is already there with an equal header is opened and continued.

        Raises:
            FacesetError: another faceset is there.
            OutputError: the folder cannot be written.
        """
        folder = make_folder(folder)
        if (folder / HEADER_NAME).exists():
            faceset = cls.open(folder, allow_empty=True)
            if differences := header.differs_from(faceset.header):
                raise FacesetError(
                    f"'{folder}' already holds a faceset made otherwise ({differences}). "
                    "Choose another folder or remove this one."
                )
            return faceset
        write_json(folder / HEADER_NAME, header.to_json())
        faceset = cls(folder, header)
        faceset.refresh()
        return faceset

    @classmethod
    def open(cls, folder: Path | str, *, reporter: Reporter | None = None, allow_empty: bool = False) -> Faceset:
        """The faceset in `folder`.

        Args:
            folder: where it lies.
            reporter: is told of pictures that are not used.
            allow_empty: no faces (yet) is no error.

        Raises:
            FacesetError: missing folder, no faceset, another version, no faces left.
        """
        folder = Path(folder)
        faceset = cls(folder, read_header(folder))
        faceset.refresh()
        if reporter is not None:
            for remark in faceset.remarks():
                reporter.warn(remark)
        if not faceset._entries and not allow_empty:
            why = (
                f" {len(faceset.damaged)} pictures cannot be used: {_few(faceset.damaged)}." if faceset.damaged else ""
            )
            raise FacesetError(f"The faceset '{folder}' holds no faces.{why} Put crops back or extract again.")
        return faceset

    def refresh(self) -> None:
        """Look at the folder anew: what a person deleted, added, renamed since is taken over."""
        files = scan(self.folder)
        known = faceset_index.load(self.folder)
        found: list[Entry] = []
        fresh: list[Entry] = []
        self.damaged = {}
        for name, stat in files.items():
            entry = known.get(name)
            if entry is None or not entry.matches(stat):
                try:
                    entry = self._read_entry(name, stat)
                except (EmbeddedError, ValueError, OSError) as error:
                    self.damaged[name] = str(error)
                    continue
                fresh.append(entry)
            found.append(entry)
        faceset_index.store(self.folder, fresh, faceset_index.gone(known, files))
        self._adopt(found)

    def _read_entry(self, name: str, stat: os.stat_result) -> Entry:
        embedded = extract((self.folder / name).read_bytes())
        record = FaceRecord.decode(embedded.text)
        if (embedded.width, embedded.height) != (record.size, record.size):
            raise ValueError(
                f"its picture is {embedded.width}x{embedded.height}, its record says {record.size}x{record.size}"
            )
        return Entry.of(record.named(name), stat, hashlib.sha256(embedded.text).hexdigest(), embedded.picture_crc)

    def _adopt(self, found: list[Entry]) -> None:
        self._entries, self._by_digest, self._by_name, self.duplicates = [], {}, {}, {}
        for entry in sorted(found, key=lambda e: (len(e.name), e.name)):  # a copy's name is the longer one
            misfit = self._misfit(entry.crop_size, entry.face_type)
            if misfit:
                self.damaged[entry.name] = misfit
            elif entry.digest in self._by_digest:
                self.duplicates[entry.name] = self._by_digest[entry.digest].name
            else:
                self._insert(entry)

    def _insert(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._by_digest[entry.digest] = self._by_name[entry.name] = entry
        self._is_sorted = False

    def _misfit(self, size: int, face_type: str) -> str:
        if (size, face_type) == (self.header.size, self.header.face_type):
            return ""
        return (
            f"it is a crop of {size} px '{face_type}', "
            f"this faceset holds {self.header.size} px '{self.header.face_type}'"
        )

    def _sorted(self) -> list[Entry]:
        if not self._is_sorted:
            self._entries.sort(key=lambda e: (e.source, e.frame_index, e.name))
            self._by_frame = {}
            for entry in self._entries:
                if self.header.source_name in ("", entry.source):
                    self._by_frame.setdefault(entry.frame_index, []).append(entry)
            self._is_sorted = True
        return self._entries

    # --- reading

    def __len__(self) -> int:
        return len(self._entries)

    def names(self) -> list[str]:
        """File names, in the order of `records`."""
        return [entry.name for entry in self._sorted()]

    def records(self) -> list[FaceRecord]:
        """All records, sorted by source, frame and name."""
        return [entry.record for entry in self._sorted()]

    def frame_indices(self) -> list[int]:
        """Frames of the faceset's own video that have a face, ascending."""
        self._sorted()
        return sorted(self._by_frame)

    def faces_at(self, frame_index: int) -> list[FaceRecord]:
        """Faces in one frame of the faceset's own video; crops moved here from other videos do not count."""
        self._sorted()
        return [entry.record for entry in self._by_frame.get(frame_index, [])]

    def image(self, name: str) -> NDArray[np.uint8]:
        """The crop. [S, S, 3] uint8 RGB.

        Raises:
            FacesetError: the file is gone.
            DamagedFileError: its picture cannot be decoded or is not what was written.
        """
        path = self.folder / name
        try:
            data = path.read_bytes()
            extract(data)
            image = simplejpeg.decode_jpeg(data, colorspace="RGB")
        except FileNotFoundError:
            raise FacesetError(f"'{path}' is gone: it was removed while the faceset was in use. Start again.") from None
        except (EmbeddedError, ValueError) as error:
            raise DamagedFileError(f"'{path}' is damaged: {error}. Delete it and start again.") from error
        return image

    def identity(self) -> NDArray[np.float32]:
        """The mean of the faces' embeddings: who this is. [D] float32, unit length.

        Raises:
            FacesetError: no face has an embedding, or they are of different recognizers.
        """
        vectors = [r.face.embedding for r in self.records() if r.face.embedding is not None]
        if len({len(vector) for vector in vectors}) != 1:
            what = "carry no embedding" if not vectors else "have embeddings of different recognizers"
            raise FacesetError(
                f"The faces in '{self.folder}' {what}, so it cannot be told who they are. Extract again."
            )
        mean = np.mean(np.asarray(vectors, np.float64), axis=0)
        return (mean / max(float(np.linalg.norm(mean)), 1e-12)).astype(np.float32)

    def content_hash(self) -> str:
        """A hash of what the faceset holds: changes when a crop is added, removed, renamed or changed."""
        digest = hashlib.sha256()
        for entry in self._sorted():
            line = f"{entry.size} {entry.digest} {entry.picture_crc:08x} "
            digest.update(line.encode() + os.fsencode(entry.name) + b"\n")
        return digest.hexdigest()

    def remarks(self) -> list[str]:
        """Lines that a person should read about pictures that are not used."""
        lines = []
        if self.damaged:
            lines.append(f"'{self.folder}': {len(self.damaged)} pictures cannot be used: {_few(self.damaged)}")
        if self.duplicates:
            pairs = {name: f"same as {kept}" for name, kept in self.duplicates.items()}
            lines.append(f"'{self.folder}': {len(pairs)} pictures are copies and count once: {_few(pairs)}")
        return lines

    # --- writing

    def add(self, image: NDArray[np.uint8], record: FaceRecord) -> str:
        """Store one crop with its record; gives its file name.

        The crop appears under its name whole or not at all. A record that is already here is not written again (its
        name is given), so to resume is to do the same again.

        Args:
            image: the crop. [S, S, 3] uint8 RGB
            record: its record; size, face type and source as in the header.

        Raises:
            FacesetError: another process is writing into this faceset.
            OutputError: no space, no permission.
        """
        if image.shape != (self.header.size, self.header.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 [{self.header.size}, {self.header.size}, 3], got {image.dtype} {image.shape}"
            )
        if misfit := self._misfit(record.size, record.face_type):
            raise ValueError(misfit)
        if self.header.source_name not in ("", record.source):
            raise ValueError(f"record of '{record.source}' in the faceset of '{self.header.source_name}'")
        text = record.encode()
        digest = hashlib.sha256(text).hexdigest()
        if digest in self._by_digest:
            return self._by_digest[digest].name
        if self._lock is None:
            self._lock = writer_lock(self.folder)
        jpeg = simplejpeg.encode_jpeg(
            np.ascontiguousarray(image), quality=_JPEG_QUALITY, colorspace="RGB", colorsubsampling="444"
        )
        data = embed(jpeg, text)
        path = self.folder / self._free_name(record.frame_index)
        entry = Entry.of(record.named(path.name), put(path, data), digest, extract(data).picture_crc)
        self._insert(entry)
        self._pending.append(entry)
        if len(self._pending) >= _SYNC_EVERY:
            self.sync()
        return path.name

    def _free_name(self, frame_index: int) -> str:
        number = 0
        while True:
            name = f"{frame_index:06d}_{number}.jpg"
            if name not in self._by_name and not (self.folder / name).exists():
                return name
            number += 1

    def sync(self) -> None:
        """Wait until every crop added so far is on the disk, and remember them in the index."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        for entry in pending:
            path = self.folder / entry.name
            try:
                sync(path)
            except FileNotFoundError:
                pass  # a person deleted it meanwhile
            except OSError as error:
                raise output_error(path, error) from error
        with suppress(OSError):  # some network disks cannot sync folders
            sync(self.folder)
        faceset_index.store(self.folder, pending)

    def close(self) -> None:
        """Flush what was added and let other processes write."""
        try:
            self.sync()
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _few(reasons: dict[str, str], limit: int = 3) -> str:
    shown = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items())[:limit])
    return shown + (f"; and {len(reasons) - limit} more" if len(reasons) > limit else "")
