"""faceswap's alignments as JSON: landmarks of the faces in the frames of a video, in and out.

faceswap's own source is not read here (it is GPL); the structure is the published one. Three forms are taken:

- `{"__meta__": {"version": ...}, "__data__": {frame: {"faces": [face, ...], ...}}}`;
- the old flat one: `{frame: [face, ...]}`, also `{frame: {"faces": [...]}}`;
- the form for exchange with other programs: `{frame: [{"detected": [l, t, r, b], "landmarks_2d": [[x, y], ...]}]}`.

A face has x, y, w, h (its box) and landmarks_xy, once called landmarksXY: 68 points in frame pixels. Frames of a video
are called `<video>_<number>.<anything>`, the first one 000001.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.exchange.base import FoundFace, Material, NotTakenError, WriteSettings, Written, load_json
from konterfei.exchange.film import Film
from konterfei.exchange.frame_names import FrameNames
from konterfei.geometry import Crop, Face, head_pose
from konterfei.imaging import SdrLook, sdr_look, sharpness, to_uint8
from konterfei.io.atomic import make_folder, write_json
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.sequence import USUAL_FPS, is_sequence
from konterfei.io.video import Frame, open_frames, probe
from konterfei.reporting import Reporter, check

FILE_NAME = "alignments.json"
KEY = "faceswap"
VERSION = 2.4
"""Of the structure that is written."""
_OWN = {"x", "y", "w", "h", "landmarks_xy", "landmarksXY", "detected", "landmarks_2d"}
_WHO = {"identity", "thumb"}
"""What of faceswap's own says who a face is, as numbers or as a little picture: left out where `bare` is asked for."""
_NUMBER = re.compile(r"_(\d{1,9})(\.\w+)?$")


class FaceswapAlignments:
    """An alignments file, or a folder with one, and the film that it is of. See `FaceReader`."""

    cuts: ClassVar[bool] = True

    def __init__(self, path: Path, material: Material) -> None:
        if material.film is None:
            raise ConfigError(
                f"'{path}' holds landmarks and no pictures. Give the video, or its frames, with --frames."
            )
        self._film: Film = material.film
        self._material = material
        self.source = self._film.name
        self.remarks: list[str] = []
        self._faces: dict[str, tuple[int | None, Any]] = {}
        found = _frames_in(path)
        by_name = any(_stem(frame) in self._film.stems for frame in found)
        for frame, faces in found.items():
            index = self._film.stems.get(_stem(frame)) if by_name else _number_in(frame)
            for number, face in enumerate(faces):
                self._faces[f"{frame}#{number}"] = index, face
        self._look = _look_of(self._film.path)
        self._frames: Iterator[Frame] | None = None
        self._next = 0
        self._frame: Frame | None = None

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether it is a JSON file that begins like one of the three forms. Never raises."""
        try:
            if path.suffix.lower() != ".json" and not (path / FILE_NAME).is_file():
                return False
            return bool(_frames_in(path))
        except (OSError, ValueError, ConfigError, DamagedFileError):
            return False

    def places(self) -> Sequence[str]:
        """Frame and number of the face in it, by frame."""
        return sorted(self._faces, key=lambda place: (self._faces[place][0] is None, self._faces[place][0] or 0))

    def record(self, place: str) -> FaceRecord:
        """Of the face there, without a look at the film. Raises NotTakenError."""
        return self._read(place)[0]

    def _read(self, place: str) -> tuple[FaceRecord, dict[str, Any]]:
        index, data = self._faces[place]
        face, foreign = _face_of(data)
        if index is None:
            raise NotTakenError("its frame is not in the film: neither a file of that name, nor <video>_<number>")
        if index not in self._film.times:
            raise NotTakenError(f"the film has no frame {index + 1}, or it cannot be read")
        try:
            crop = Crop.fit(face.landmarks, self._material.face_type, self._material.size)
            angles = head_pose(face.landmarks, self._film.frame_size)
        except ValueError as error:
            raise NotTakenError(f"its landmarks are no face ({error})") from error
        record = FaceRecord(
            source=self.source,
            frame_index=index,
            pts=self._film.times[index],
            face=face,
            pose=angles,
            face_type=crop.face_type,
            size=crop.size,
            crop_from_frame=crop.crop_from_frame.matrix,
            frame_size=self._film.frame_size,
        )
        return record, foreign

    def read(self, place: str) -> FoundFace:
        """The face there, cut from its frame; quick when asked for in the order of `places`. Raises NotTakenError."""
        record, foreign = self._read(place)
        frame = self._frame_at(record.frame_index)
        if frame is None or frame.size != record.frame_size:
            raise NotTakenError(f"the film's frame {record.frame_index + 1} cannot be read")
        image = record.crop.cut(frame.image)
        image = image if self._look is None else to_uint8(self._look.show(image))
        return FoundFace(
            place=place,
            picture=image,
            record=replace(record, sharpness=sharpness(image)),
            labels=FaceLabels(foreign={KEY: foreign} if foreign else {}),
            is_measured=True,
        )

    def _frame_at(self, index: int) -> Frame | None:
        if self._frame is not None and self._frame.index == index:
            return self._frame
        if self._frames is None or index < self._next:
            self.close()
            settings = self._film.settings
            fps = Fraction(settings.get("fps", USUAL_FPS))
            reader = open_frames(self._film.path, index, deep=self._look is not None, fps=fps)
            self._frames = iter(reader)
        for frame in self._frames:
            self._next = frame.index + 1
            if frame.index >= index:
                self._frame = frame
                return frame if frame.index == index else None
        return None

    def close(self) -> None:
        """Let go of the film."""
        if self._frames is not None and hasattr(self._frames, "close"):
            self._frames.close()
        self._frames, self._frame = None, None


def _frames_in(path: Path) -> dict[str, list[Any]]:
    """Frame name -> the faces in it, as they stand in the file.

    Raises:
        ConfigError: it cannot be read.
        DamagedFileError: it is no alignments file.
    """
    path = path / FILE_NAME if path.is_dir() else path
    data = load_json(path)
    frames = data.get("__data__", data) if isinstance(data, dict) else None
    if not isinstance(frames, dict):
        raise DamagedFileError(f"'{path}' is no alignments file of faceswap. Export it again.")
    found = {}
    for frame, entry in frames.items():
        faces = entry.get("faces") if isinstance(entry, dict) else entry
        if not isinstance(faces, list) or not all(isinstance(face, dict) and _OWN & face.keys() for face in faces):
            if frame == "__meta__":
                continue
            raise DamagedFileError(f"'{path}' is no alignments file of faceswap: '{frame}' is no list of faces.")
        found[str(frame)] = faces
    return found


def _stem(frame: str) -> str:
    return Path(frame.replace("\\", "/")).stem


def _number_in(frame: str) -> int | None:
    """The index of a video's frame by its name, which counts from 1; None where that has no number."""
    number = _NUMBER.search(frame)
    return int(number[1]) - 1 if number and int(number[1]) > 0 else None


def _face_of(data: Mapping[str, Any]) -> tuple[Face, dict[str, Any]]:
    """The face, and what else was recorded of it. Raises NotTakenError."""
    points = data.get("landmarks_xy", data.get("landmarksXY", data.get("landmarks_2d")))
    try:
        landmarks = np.asarray(points, np.float64)
        if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
            raise NotTakenError(f"it has landmarks of shape {list(landmarks.shape)}; 68 points are read")
        if all(name in data for name in "xywh"):
            x, y, w, h = (float(data[name]) for name in "xywh")
            box = np.array([x, y, x + w, y + h])
        elif "detected" in data:
            box = np.asarray(data["detected"], np.float64).reshape(4)
        else:
            box = np.array([*landmarks.min(0), *landmarks.max(0)])
        if not np.isfinite(box).all():
            raise NotTakenError("its box is not finite")
    except (TypeError, ValueError, OverflowError) as error:
        raise error if isinstance(error, NotTakenError) else NotTakenError(f"it is damaged ({error})") from error
    foreign = {key: value for key, value in data.items() if key not in _OWN and value not in (None, {}, [])}
    return Face(box=box.astype(np.float32), landmarks=landmarks.astype(np.float32)), foreign


def _look_of(path: Path) -> SdrLook | None:
    if is_sequence(path):
        return None
    color = probe(path).color
    return sdr_look(color.transfer, color.primaries)


# --- out


def write_alignments(faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
    """`alignments.json`, the newer form, of all faces. See `FaceWriter`."""
    frames: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    records, names, labelled = faceset.records(), FrameNames(faceset), faceset.labelled()
    reporter.start("collecting landmarks", len(records), "faces")
    for number, record in enumerate(records, 1):
        check(reporter)
        kept: Any = faceset.labels(record.name).foreign.get(KEY) if record.name in labelled else None
        kept = kept if isinstance(kept, dict) else {}
        left, top, right, bottom = (float(value) for value in record.face.box)
        if record.name in labelled and faceset.labels(record.name).has_mask:
            left_out[record.name] = "its mask is not written: only its landmarks"
        face = {
            "mask": {},
            "identity": {},
            **({key: value for key, value in kept.items() if not (settings.bare and key in _WHO)}),
            "x": round(left),
            "w": round(right - left),
            "y": round(top),
            "h": round(bottom - top),
            "landmarks_xy": _plain(record.face.landmarks),
        }
        frame = frames.setdefault(_name_of(record, names), {"faces": [], "video_meta": {}})
        frame["faces"].append(face)
        reporter.advance(number)
    reporter.finish()
    path = make_folder(output) / FILE_NAME
    write_json(path, {"__meta__": {"version": VERSION}, "__data__": frames})
    return Written(num_faces=len(records), files=(path,), left_out=left_out)


def _plain(points: NDArray[Any]) -> list[Any]:
    """As the shortest decimals that give the float32 back."""
    rows: list[Any] = points.astype(np.float32).astype("U").astype(np.float64).tolist()
    return rows


def _name_of(record: FaceRecord, names: FrameNames) -> str:
    """A record's frame as faceswap calls it: a picture by its file, a frame of a video by its number from 1."""
    suffix = Path(record.source).suffix or ".png"
    return names.file(record) or f"{names.film(record)}_{record.frame_index + 1:06d}{suffix}"
