"""DeepFaceLab's faceset.pak, in and out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from konterfei.errors import FacesetError
from konterfei.exchange.base import FoundFace, Material, NotTakenError, WriteSettings, Written
from konterfei.exchange.dfl import found_face, people_of, source_name
from konterfei.exchange.dfl_pictures import Outgoing, outgoing, told_of
from konterfei.geometry import FaceType
from konterfei.io.atomic import make_folder
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.legacy_faces import LegacyFaceError
from konterfei.io.legacy_pak import PAK_NAME, LegacyPak, PakEntry, write_pak
from konterfei.io.legacy_pickle import Choice
from konterfei.reporting import Reporter

_FACE = 1
"""Number of DeepFaceLab's kind of sample for faces."""


class DflPak:
    """A faceset.pak, or the folder that one lies in. See `FaceReader`."""

    cuts: ClassVar[bool] = False

    def __init__(self, path: Path, material: Material) -> None:
        path = path / PAK_NAME if path.is_dir() else path
        self._pak, self._material = LegacyPak(path, material.reporter), material
        self.source = source_name(path)
        self._entries: dict[str, tuple[int, PakEntry]] = {}
        for number, entry in enumerate(self._pak.entries):
            place = entry.name if entry.person is None else f"{entry.person}/{entry.name}"
            if place in self._entries:
                place = f"{place}#{number}"
            self._entries[place] = number, entry
        self._people = people_of([entry.person for entry in self._pak.entries])
        self.remarks = list(self._pak.remarks)
        beside = [each for each in path.parent.glob("*.jpg")]
        if beside and path.name == PAK_NAME:
            self.remarks.append(
                f"{len(beside)} pictures lie beside '{path}' and are not looked at: as in DeepFaceLab, the pak counts."
            )

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a file *.pak, or a folder with a faceset.pak in it."""
        return (path.is_file() and path.suffix == ".pak") or (path.is_dir() and (path / PAK_NAME).is_file())

    def places(self) -> Sequence[str]:
        """File names, with the person's where there are several."""
        return list(self._entries)

    def record(self, place: str) -> FaceRecord:
        """Of that face. Raises NotTakenError."""
        return self.read(place).record

    def read(self, place: str) -> FoundFace:
        """The face of that name. Raises NotTakenError."""
        number, entry = self._entries[place]
        try:
            data = self._pak.read(entry)
        except LegacyFaceError as error:
            raise NotTakenError(str(error)) from error
        return found_face(
            data,
            place=place,
            file=entry.name,
            person=entry.person,
            number=number,
            material=self._material,
            source=self.source,
            people=self._people,
        )

    def close(self) -> None:
        """Let go of the file."""
        self._pak.close()


def write_pak_file(faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
    """A faceset.pak in the folder `output`. See `FaceWriter`."""
    left_out: dict[str, str] = {}
    path = make_folder(output) / PAK_NAME

    def configs() -> Iterator[dict[str, Any]]:
        for one in told_of(outgoing(faceset, settings, left_out), faceset, "writing the list of faces", reporter):
            yield _config(one, faceset.header.face_type, faceset.header.size)

    def pictures() -> Iterator[bytes]:
        for one in told_of(outgoing(faceset, settings, left_out), faceset, "writing pictures", reporter):
            yield one.data()

    try:
        count = write_pak(path, configs(), pictures())
    except ValueError as error:  # a crop was damaged between the two readings
        raise FacesetError(
            f"'{faceset.folder}' changed while it was written. Wait for whoever writes there, then start again."
        ) from error
    return Written(num_faces=count, files=(path,), left_out=left_out)


def _config(one: Outgoing, face_type: FaceType, size: int) -> dict[str, Any]:
    """What the table of a pak says of a face (dfl-spec 3.2)."""
    values = one.values
    landmarks = values.get("landmarks", one.record.crop.crop_from_frame @ one.record.face.landmarks)
    return {
        "sample_type": Choice("SampleType", _FACE),
        "filename": one.file,
        "face_type": Choice("FaceType", face_type.dfl_value),
        "shape": (size, size, 3),
        "landmarks": [[float(x), float(y)] for x, y in landmarks],
        "seg_ie_polys": values.get("seg_ie_polys", {"polys": []}),
        "xseg_mask": None,
        "xseg_mask_compressed": values.get("xseg_mask"),
        "eyebrows_expand_mod": values.get("eyebrows_expand_mod", 1.0),
        "source_filename": values.get("source_filename"),
        "person_name": one.person,
    }
