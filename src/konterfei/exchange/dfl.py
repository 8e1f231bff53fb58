"""DeepFaceLab's folder of aligned pictures, in and out; its meta.dat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from konterfei.errors import ConfigError, StoreError
from konterfei.exchange.base import FoundFace, Material, NotTakenError, WriteSettings, Written
from konterfei.exchange.dfl_frames import place_of
from konterfei.exchange.dfl_pictures import outgoing, told_of
from konterfei.exchange.dfl_records import KEY, face_of, name_in
from konterfei.exchange.dfl_values import is_text
from konterfei.io.atomic import make_folder, write_bytes
from konterfei.io.embedded import EmbeddedError, extract, strip
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import put
from konterfei.io.legacy_faces import (
    MOST_BYTES,
    LegacyFaceError,
    meta_bytes,
    read_meta,
    restored,
    size_of,
    split,
    values_of,
)
from konterfei.io.legacy_pak import PAK_NAME
from konterfei.reporting import Reporter

META_NAME = "meta.dat"
_PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")


class DflFolder:
    """A folder of aligned pictures; of folders of them, one for each person. See `FaceReader`."""

    cuts: ClassVar[bool] = False

    def __init__(self, path: Path, material: Material) -> None:
        if not path.is_dir():
            raise ConfigError(f"There is no folder '{path}'. Name the one with DeepFaceLab's aligned pictures.")
        self._path, self._material = path, material
        self.source = source_name(path)
        folders = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
        files = _pictures(path)
        self.remarks = [f"Not looked into: the folder '{folder}'." for folder in folders if files and _pictures(folder)]
        if not files:
            files = [f"{folder.name}/{name}" for folder in folders for name in _pictures(folder)]
        self._places = files
        self._numbers = {place: number for number, place in enumerate(files)}
        self._people = people_of([place.rpartition("/")[0] or None for place in files])
        self._meta = {person: self._read_meta(person) for person in {place.rpartition("/")[0] for place in files}}

    def _read_meta(self, person: str) -> dict[str, tuple[tuple[int, ...], dict[str, Any]]]:
        path = self._path / person / META_NAME
        if not path.is_file():
            return {}
        try:
            return read_meta(path)
        except StoreError as error:
            self.remarks.append(f"{error} Pictures without a record of their own are not taken over.")
            return {}

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a folder with pictures, or with folders of pictures, and no pak."""
        try:
            if not path.is_dir() or (path / PAK_NAME).exists():
                return False
            return bool(_pictures(path)) or any(_pictures(each) for each in path.iterdir() if each.is_dir())
        except OSError:
            return False

    def places(self) -> Sequence[str]:
        """File names, with their folder where there are several."""
        return self._places

    def record(self, place: str) -> FaceRecord:
        """Of that face. Raises NotTakenError."""
        return self.read(place).record

    def read(self, place: str) -> FoundFace:
        """The face of that file. Raises NotTakenError."""
        path = self._path / place
        if path.suffix.lower() not in (".jpg", ".jpeg"):
            raise NotTakenError("it is no JPEG; DeepFaceLab keeps records in .jpg files only")
        try:
            if path.stat().st_size > MOST_BYTES:
                raise NotTakenError(f"it has more than {MOST_BYTES >> 20} MB")
            data = path.read_bytes()
        except OSError as error:
            raise NotTakenError(f"it cannot be read ({error.strerror})") from error
        person, _, file = place.rpartition("/")
        return found_face(
            data,
            place=place,
            file=file,
            person=person or None,
            number=self._numbers[place],
            material=self._material,
            source=self.source,
            people=self._people,
            meta=self._meta[person].get(path.name),
        )

    def close(self) -> None:
        """Nothing is held open."""


def _pictures(folder: Path) -> list[str]:
    return sorted(
        each.name
        for each in folder.iterdir()
        if each.suffix.lower() in _PICTURES and not each.name.startswith(".") and each.is_file()
    )


def source_name(path: Path) -> str:
    """The name for faces whose film is not known: of the folder that DeepFaceLab's `aligned` lies in."""
    path = path.absolute()
    folder = path.parent if path.suffix == ".pak" else path
    return folder.parent.name if folder.name.startswith("aligned") and folder.parent.name else folder.name


def people_of(names: Sequence[str | None]) -> dict[str, int]:
    """Numbers of people by name, 0 = the one of most pictures."""
    counted = Counter(name for name in names if name is not None)
    return {name: number for number, (name, _) in enumerate(sorted(counted.items(), key=lambda one: (-one[1], one[0])))}


def found_face(
    data: bytes,
    *,
    place: str,
    file: str,
    person: str | None,
    number: int,
    material: Material,
    source: str,
    people: Mapping[str, int],
    meta: tuple[tuple[int, ...], dict[str, Any]] | None = None,
) -> FoundFace:
    """The face of one aligned picture's file.

    Args:
        data: the file.
        place: as the reader names it.
        file: its name.
        person: name of its folder, where each person has one.
        number: of the face in the list of faces.
        material: what a person told.
        source: name for faces whose film is not known.
        people: numbers of people by name.
        meta: size and record that meta.dat has of it.

    Raises:
        NotTakenError: damaged, foreign, or of a kind that konterfei has not.
    """
    try:
        picture, payload = split(data)
        if meta is not None and not (payload or b"").startswith(b"\x80"):
            picture, values = restored(picture, meta[0]), meta[1]
        else:
            values = values_of(payload)
        width, height = size_of(picture)
    except LegacyFaceError as error:
        raise NotTakenError(str(error)) from error
    if width != height:
        is_mark = isinstance(values.get("face_type"), str) and values["face_type"] == "mark_only"
        why = "it is marked on a whole frame (mark_only)" if is_mark else "it is no crop"
        raise NotTakenError(f"{why}: its picture is {width} x {height}, crops are square")
    recorded, kept = _own(data)
    where = place_of(name_in(values), number, material.film, source)
    if recorded is not None and material.film is not None:
        recorded = replace(
            recorded,
            source=where.source,
            frame_index=where.frame_index,
            pts=where.pts,
            frame_size=where.frame_size,
        )
    file = file if is_text(file) else f"{number:05d}.jpg"
    record, labels, lost = face_of(values, width, where, file=file, recorded=recorded, kept=kept)
    is_measured = record is recorded
    if person is not None and is_text(person):
        record = replace(record, face=record.face.with_(person=people[person]))
        own = {**labels.foreign.get(KEY, {}), "person_name": person}
        labels = replace(labels, foreign={**labels.foreign, KEY: own})
    return FoundFace(
        place=place, picture=strip(picture), record=record, labels=labels, lost=lost, is_measured=is_measured
    )


def _own(data: bytes) -> tuple[FaceRecord | None, FaceLabels | None]:
    """Our own record and labels in a picture that a writer of ours made and DeepFaceLab has worked on since."""
    try:
        embedded = extract(data)
        return FaceRecord.decode(embedded.text), FaceLabels.decode(embedded.labels)
    except (EmbeddedError, ValueError):
        return None, None


# --- out


def write_folder(faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
    """A folder of aligned pictures. See `FaceWriter`."""
    make_folder(output)
    left_out: dict[str, str] = {}
    count = 0
    for one in told_of(outgoing(faceset, settings, left_out), faceset, "writing pictures", reporter):
        path = output / one.file if one.person is None else make_folder(output / one.person) / one.file
        data = one.data()
        if not path.is_file() or path.read_bytes() != data:
            put(path, data)
        count += 1
    return Written(num_faces=count, files=(output,), left_out=left_out)


def write_meta_file(faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
    """A meta.dat of what is known of each face, under the names that `write_folder` gives. See `FaceWriter`.

    People who have folders of their own there have a meta.dat of their own too: it knows names of files alone.
    """
    left_out: dict[str, str] = {}
    entries: dict[str, dict[str, Any]] = {}
    for one in told_of(outgoing(faceset, settings, left_out), faceset, "collecting records", reporter):
        side = faceset.header.size
        entries.setdefault(one.person or "", {})[one.file] = ((side, side, 3), one.values)
    files = []
    for person, theirs in entries.items():
        files.append(make_folder(output / person) / META_NAME)
        write_bytes(files[-1], meta_bytes(theirs))
    return Written(num_faces=sum(map(len, entries.values())), files=tuple(files), left_out=left_out)
