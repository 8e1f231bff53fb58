"""Faceset: a folder of face crops that a person can look at, delete, rename or move in a file manager.

Each crop is a JPEG that carries its own record (`io.embedded`, `io.face_record`), so what lies in the folder is what
the faceset holds; `faceset.json` says what the crops have in common and `.index.sqlite` is a disposable cache.
docs/faceset-format.md defines the format and what each change by hand means.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import IO, Self

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from konterfei.errors import DamagedFileError, FacesetError
from konterfei.io import faceset_index, faceset_trash
from konterfei.io.atomic import make_folder, output_error, sync, write_json
from konterfei.io.embedded import Embedded, EmbeddedError, embed, extract, strip
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FACESET_VERSION, FaceRecord, FacesetHeader
from konterfei.io.faceset_contents import Contents
from konterfei.io.faceset_files import HEADER_NAME, put, read_header, writer_lock
from konterfei.io.faceset_index import Entry
from konterfei.io.faceset_trash import Batch
from konterfei.reporting import Reporter

_JPEG_QUALITY = 95  # 4:4:4 at 95: 40.7 dB on a 512 px face, 127 kB
_SYNC_EVERY = 64  # crops between two flushes to the disk: what a power cut can cost at most

__all__ = ["FACESET_VERSION", "FaceRecord", "Faceset", "FacesetHeader"]


class Faceset:
    """The faces of one video (or of several, pooled), sorted by source and frame. Made by `create` or `open`.

    Attributes:
        folder: where it lies.
        header: what all crops have in common.
    """

    def __init__(self, folder: Path, header: FacesetHeader) -> None:
        self.folder = folder
        self.header = header
        self._contents = Contents(folder, header)
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
        if not len(faceset) and not allow_empty:
            why = (
                f" {len(faceset.damaged)} pictures cannot be used: {_few(faceset.damaged)}." if faceset.damaged else ""
            )
            back = f"konterfei trash {quote(str(folder))} --restore all"
            count = sum(len(batch.names) for batch in faceset.set_asides())
            remedy = f"{count} lie in its trash: {back}" if count else "Put crops back or extract again with --force."
            raise FacesetError(f"The faceset '{folder}' holds no faces.{why} {remedy}")
        return faceset

    def refresh(self) -> None:
        """Look at the folder anew: what a person deleted, added, renamed since is taken over."""
        self._contents.refresh()

    @property
    def damaged(self) -> dict[str, str]:
        """File name -> reason, for each picture that lies here and is not used."""
        return self._contents.damaged

    @property
    def duplicates(self) -> dict[str, str]:
        """File name -> name of the crop with the same record that is used in its place."""
        return self._contents.duplicates

    # --- reading

    def __len__(self) -> int:
        return len(self._contents.by_name)

    def names(self) -> list[str]:
        """File names, in the order of `records`."""
        return [entry.name for entry in self._contents.ordered()]

    def records(self) -> list[FaceRecord]:
        """All records, sorted by source, frame and name."""
        return [entry.record for entry in self._contents.ordered()]

    def frame_indices(self) -> list[int]:
        """Frames of the faceset's own video that have a face, ascending."""
        return sorted(self._contents.by_frame())

    def faces_at(self, frame_index: int) -> list[FaceRecord]:
        """Faces in one frame of the faceset's own video; crops moved here from other videos do not count."""
        return [entry.record for entry in self._contents.by_frame().get(frame_index, [])]

    def image(self, name: str) -> NDArray[np.uint8]:
        """The crop. [S, S, 3] uint8 RGB.

        Raises:
            FacesetError: the file is gone.
            DamagedFileError: its picture cannot be decoded or is not what was written.
        """
        _, data = self._read(name)
        try:
            return simplejpeg.decode_jpeg(data, colorspace="RGB")
        except ValueError as error:
            raise _damaged(self.folder / name, error) from error

    def jpeg(self, name: str) -> bytes:
        """The crop's picture as it lies in its file, without record and labels. Raises as `image`."""
        return strip(self._read(name)[1])

    def labels(self, name: str) -> FaceLabels:
        """What was drawn onto a crop; empty labels where nothing was. Raises as `image`."""
        if name in self._contents.by_name and not self._contents.by_name[name].labels:
            return FaceLabels()
        try:
            return FaceLabels.decode(self._read(name)[0].labels)
        except ValueError as error:
            raise _damaged(self.folder / name, error) from error

    def labelled(self) -> set[str]:
        """Names of the crops that carry labels."""
        return set(self.label_digests())

    def label_digests(self) -> dict[str, str]:
        """File name -> SHA-256 of the labels, of each crop that carries some."""
        return {entry.name: entry.labels for entry in self._contents.by_name.values() if entry.labels}

    def digests(self) -> dict[str, str]:
        """File name -> SHA-256 of the crop's record, by which a copy is known whatever it is called."""
        return {entry.name: entry.digest for entry in self._contents.ordered()}

    def _read(self, name: str) -> tuple[Embedded, bytes]:
        path = self.folder / name
        try:
            data = path.read_bytes()
            return extract(data), data
        except FileNotFoundError:
            raise FacesetError(f"'{path}' is gone: it was removed while the faceset was in use. Start again.") from None
        except EmbeddedError as error:
            raise _damaged(path, error) from error

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
        for entry in self._contents.ordered():
            line = f"{entry.size} {entry.digest} {entry.picture_crc:08x} {entry.labels + ' ' if entry.labels else ''}"
            digest.update(line.encode() + os.fsencode(entry.name) + b"\n")
        return digest.hexdigest()

    def checksums(self) -> list[bytes]:
        """What each crop is known by wherever it goes, in the order of `names`: of its picture and record. 16 bytes"""
        entries = self._contents.ordered()
        return [entry.picture_crc.to_bytes(4, "big") + bytes.fromhex(entry.digest[:24]) for entry in entries]

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

    def add(self, image: NDArray[np.uint8], record: FaceRecord, labels: FaceLabels | None = None) -> str:
        """Store one crop with its record; gives its file name.

        The crop appears under its name whole or not at all. A record that is already here is not written again (its
        name is given), so to resume is to do the same again.

        Args:
            image: the crop. [S, S, 3] uint8 RGB
            record: its record; size and face type as in the header. Of another source, it is in no frame of ours.
            labels: what was drawn onto it.

        Raises:
            FacesetError: another process is writing into this faceset.
            OutputError: no space, no permission.
        """
        if image.shape != (self.header.size, self.header.size, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 [{self.header.size}, {self.header.size}, 3], got {image.dtype} {image.shape}"
            )
        return self._add(lambda: _encoded(image), record, labels)

    def add_jpeg(self, jpeg: bytes, record: FaceRecord, labels: FaceLabels | None = None) -> str:
        """As `add`, of a picture that is a JPEG already: its bytes are kept as they are.

        Raises:
            ValueError: it is no whole JPEG, or not of the record's size.
            FacesetError, OutputError: as `add`.
        """
        there = extract(embed(jpeg, b"{}"))
        if (there.width, there.height) != (record.size, record.size):
            raise ValueError(
                f"its picture is {there.width}x{there.height}, its record says {record.size}x{record.size}"
            )
        return self._add(lambda: jpeg, record, labels)

    def _add(self, jpeg: Callable[[], bytes], record: FaceRecord, labels: FaceLabels | None) -> str:
        if misfit := self._contents.misfit(record.size, record.face_type):
            raise ValueError(misfit)
        text = record.encode()
        digest = hashlib.sha256(text).hexdigest()
        if digest in self._contents.by_digest:
            return self._contents.by_digest[digest].name
        data = embed(jpeg(), text, labels.encode() if labels else b"")
        name = self._free_name(record.frame_index)
        self._put(name, record, data)
        return name

    def _put(self, name: str, record: FaceRecord, data: bytes) -> None:
        """The file `name`, written; its row waits for `sync`."""
        self.hold()
        entry = Entry.of(record.named(name), put(self.folder / name, data), extract(data))
        self._contents.insert(entry)
        self._pending.append(entry)
        if len(self._pending) >= _SYNC_EVERY:
            self.sync()

    def relabel(self, name: str, labels: FaceLabels) -> None:
        """Give a crop other labels; its picture and record stay as they are.

        Raises:
            FacesetError, DamagedFileError: as `image`; another process is writing.
            ValueError: the labels do not fit into a file.
            OutputError: no space, no permission.
        """
        embedded, data = self._read(name)
        if labels.encode() == embedded.labels:
            return
        self._put(name, FaceRecord.decode(embedded.text), embed(data, embedded.text, labels.encode()))

    def hold(self) -> None:
        """Be the one who writes into this faceset, until `close`. Raises FacesetError when another process is."""
        if self._lock is None:
            self._lock = writer_lock(self.folder)

    # --- the trash

    def set_aside(self, names: Iterable[str], why: str) -> int:
        """Move crops to the faceset's trash, from where `take_back` gets them; gives the batch's number (0: no names).

        Args:
            names: crops of this faceset; one that is there no more is passed over.
            why: the reason, for people.

        Raises:
            FacesetError: another process is writing into this faceset.
            OutputError: no permission.
        """
        self.sync()
        self.hold()
        number = faceset_trash.set_aside(self.folder, names, why)
        self.refresh()
        return number

    def take_back(self, batches: Iterable[int] | None = None, names: Iterable[str] | None = None) -> dict[str, str]:
        """Move crops out of the trash again; gives the name in the trash -> the name that each has now.

        Args:
            batches: of `set_asides`; None = whatever `names` says, or all of them.
            names: crops of the trash.

        Raises:
            FacesetError, OutputError: as `set_aside`.
        """
        self.hold()
        came = faceset_trash.take_back(self.folder, batches, names)
        self.refresh()
        return came

    def set_asides(self) -> list[Batch]:
        """What lies in the trash: when, why and which crops, oldest first; nothing of what was taken back."""
        return faceset_trash.batches(self.folder)

    def _free_name(self, frame_index: int) -> str:
        number = 0
        while True:
            name = f"{frame_index:06d}_{number}.jpg"
            if name not in self._contents.by_name and not (self.folder / name).exists():
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


def _encoded(image: NDArray[np.uint8]) -> bytes:
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=_JPEG_QUALITY, colorspace="RGB", colorsubsampling="444"
    )


def _damaged(path: Path, error: Exception) -> DamagedFileError:
    return DamagedFileError(f"'{path}' is damaged: {error}. Delete it and start again.")


def _few(reasons: dict[str, str], limit: int = 3) -> str:
    shown = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items())[:limit])
    return shown + (f"; and {len(reasons) - limit} more" if len(reasons) > limit else "")
