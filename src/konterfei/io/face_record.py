"""What is known about one crop (`FaceRecord`) and about a whole faceset (`FacesetHeader`), and their JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, Face, FaceType, Similarity

FACESET_VERSION = 1
"""Version of records and header. A reader refuses any other: see docs/faceset-format.md for when it is raised."""

FORMAT = "konterfei faceset"

MOST_SIDE = 8192
"""Of a crop, pixels: no picture that says more is decoded."""
_LARGEST = 1e7  # of a place in a frame, a scale, a measure
_WIDEST = 1 << 17
_MOST_COUNT = (1 << 31) - 1

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class FacesetHeader:
    """What all crops of a faceset have in common; stored as `faceset.json`.

    Attributes:
        face_type: how much of the head the crops cover.
        size: side of the crops, pixels.
        source: absolute path of the video that the faces come from, or of the folder or pattern of pictures; empty for
            a faceset pooled from several videos. Early facesets hold it as it was typed, perhaps relative.
        source_sha256: hexadecimal hash of that video; empty when pooled.
        settings: what the faces were found with; plain JSON values.
        version: of the format.
    """

    face_type: FaceType
    size: int
    source: str = ""
    source_sha256: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    version: int = FACESET_VERSION

    @property
    def source_name(self) -> str:
        """File name of the source without folders."""
        return Path(self.source).name

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "format": FORMAT,
            "version": self.version,
            "face_type": str(self.face_type),
            "size": self.size,
            "source": self.source,
            "source_sha256": self.source_sha256,
            "settings": dict(self.settings),
        }

    def differs_from(self, there: FacesetHeader) -> str:
        """In words what this header has otherwise than the one `there`; empty when they are equal as JSON.

        The same video in another folder (same name, same hash) is no difference.
        """
        old, new = (json.loads(json.dumps(header.to_json())) for header in (there, self))
        if self.source_sha256 and self.source_name == there.source_name:
            del old["source"]
        return ", ".join(f"{key}: there {old[key]!r}, wanted {new[key]!r}" for key in old if old[key] != new[key])

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FacesetHeader:
        """The header of `to_json`. Raises ValueError, KeyError or TypeError when a field is missing or nonsense."""
        return cls(
            face_type=FaceType(data["face_type"]),
            size=int(data["size"]),
            source=str(data["source"]),
            source_sha256=str(data["source_sha256"]),
            settings=dict(data["settings"]),
            version=int(data["version"]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceRecord:
    """One crop: where it comes from, who is in it, how it was cut.

    Attributes:
        source: file name of the video.
        frame_index: of the video's frame, from 0.
        pts: when the frame is shown, seconds.
        face: box, landmarks (smoothed over time), iris in frame pixels; embedding, scores, track, person.
        raw_landmarks: as the landmarker gave them, before smoothing. [68, 2] float32, frame pixels
        pose: pitch, yaw, roll. radians
        sharpness: of the crop; any measure that grows with sharpness, the same one within a faceset.
        face_type: how much of the head the crop covers.
        size: side of the crop, pixels.
        crop_from_frame: the map that cut it. [2, 3] float64
        frame_size: width, height of the frame, pixels; (0, 0) = not known, of a crop that another program made.
        corrected: whether a person gave its points; then they are as given.
        name: file name in its faceset; empty until it was added to one. Not part of what is embedded.
        version: of the format.
    """

    source: str
    frame_index: int
    pts: Fraction
    face: Face
    raw_landmarks: Array | None = None
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)
    sharpness: float = 0.0
    face_type: FaceType
    size: int
    crop_from_frame: Array
    frame_size: tuple[int, int]
    corrected: bool = False
    name: str = ""
    version: int = FACESET_VERSION

    @property
    def crop(self) -> Crop:
        """The crop as geometry: to paste it back, or to cut it again."""
        return Crop(self.face_type, self.size, Similarity(np.asarray(self.crop_from_frame, np.float64)))

    def named(self, name: str) -> FaceRecord:
        """The same record under another file name."""
        return replace(self, name=name)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; float32 numbers as the shortest text that gives them back exactly."""
        return {**_plain(self), "face": {**_face_plain(self.face), **{k: _list(v) for k, v in _arrays(self).items()}}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FaceRecord:
        """The record of `to_json`.

        Raises:
            ValueError, KeyError, TypeError: a field is missing, of the wrong shape or not finite; another version.
        """
        if data["version"] != FACESET_VERSION:
            raise ValueError(f"record of version {data['version']}; this konterfei reads {FACESET_VERSION}")
        face = data["face"]
        return _build(data, {name: np.asarray(face[name], np.float32) for name in _SHAPES if face[name] is not None})

    def encode(self) -> bytes:
        """JSON text, one line, UTF-8. Raises ValueError where a number is not finite."""
        return json.dumps(self.to_json(), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()

    @classmethod
    def decode(cls, text: bytes) -> FaceRecord:
        """The record of `encode`.

        Raises:
            ValueError: it is not one; the message says why.
        """
        try:
            return cls.from_json(json.loads(text))
        except KeyError as error:
            raise ValueError(f"record without the field {error}") from error
        except (TypeError, AttributeError, IndexError, OverflowError, ZeroDivisionError, RecursionError) as error:
            raise ValueError(f"record with a field of the wrong kind ({error})") from error

    def pack(self) -> tuple[str, bytes]:
        """The record as few JSON values and one block of float32: ten times faster to read than `decode`."""
        arrays = _arrays(self)
        shapes = {name: list(array.shape) for name, array in arrays.items() if array is not None}
        plain = {**_plain(self), "face": _face_plain(self.face), "shapes": shapes}
        return json.dumps(plain), b"".join(_exact(a).tobytes() for a in arrays.values() if a is not None)

    @classmethod
    def unpack(cls, text: str, block: bytes) -> FaceRecord:
        """The record of `pack`. Raises ValueError, KeyError or TypeError when the two do not fit each other."""
        data, at, arrays = json.loads(text), 0, {}
        for name, shape in data["shapes"].items():
            count = int(np.prod(shape))
            arrays[name] = np.frombuffer(block, "<f4", count, at).astype(np.float32).reshape(shape)
            at += 4 * count
        return _build(data, arrays)


_SHAPES: dict[str, tuple[int, ...] | None] = {
    "box": (4,),
    "landmarks": (68, 2),
    "raw_landmarks": (68, 2),
    "iris": (2, 2),
    "embedding": None,  # any length
}


def _arrays(record: FaceRecord) -> dict[str, Array | None]:
    face = record.face
    return {
        "box": face.box,
        "landmarks": face.landmarks,
        "raw_landmarks": record.raw_landmarks,
        "iris": face.iris,
        "embedding": face.embedding,
    }


def _plain(record: FaceRecord) -> dict[str, Any]:
    pitch, yaw, roll = (float(angle) for angle in record.pose)
    return {
        "version": record.version,
        "source": record.source,
        "frame_index": int(record.frame_index),
        "pts": f"{record.pts.numerator}/{record.pts.denominator}",
        "frame_size": [int(side) for side in record.frame_size],
        "face_type": str(record.face_type),
        "size": int(record.size),
        "crop_from_frame": np.asarray(record.crop_from_frame, np.float64).tolist(),
        "pose": {"pitch": pitch, "yaw": yaw, "roll": roll},
        "sharpness": float(record.sharpness),
        **({"corrected": True} if record.corrected else {}),
    }


def _face_plain(face: Face) -> dict[str, Any]:
    track = None if face.track is None else int(face.track)
    person = {} if face.person is None else {"person": int(face.person)}  # facesets of before it was told have none
    return {"score": float(face.score), "presence": float(face.presence), "track": track, **person}


def _exact(array: Array) -> Array:
    return np.ascontiguousarray(array, dtype="<f4")


def _list(array: Array | None) -> list[Any] | None:
    if array is None:
        return None
    texts = _exact(array).astype("U")  # numpy writes the shortest text that gives the float32 back
    return texts.astype(np.float64).tolist()


def _build(data: Mapping[str, Any], arrays: dict[str, Array]) -> FaceRecord:
    for name, shape in _SHAPES.items():
        array = arrays.get(name)
        if array is None:
            if name in ("box", "landmarks"):
                raise ValueError(f"record without {name}")
        elif (array.ndim != 1 or not len(array)) if shape is None else array.shape != shape:
            raise ValueError(f"record whose {name} have shape {array.shape}")
        elif not float(np.abs(array).max()) <= _LARGEST:
            raise ValueError(f"record whose {name} are not finite or beyond reason")
    matrix = np.asarray(data["crop_from_frame"], np.float64)
    if matrix.shape != (2, 3) or not np.isfinite(matrix).all():
        raise ValueError("record whose crop_from_frame is not a finite 2x3 matrix")
    if not 1e-12 < abs(float(np.linalg.det(matrix[:, :2]))) < _LARGEST or np.abs(matrix).max() > _LARGEST:
        raise ValueError("record whose crop_from_frame is no map between a frame and a crop")
    face, pose, source = data["face"], data["pose"], str(data["source"])
    source.encode()  # halves of pairs of characters have no bytes: ValueError
    width, height = (_within("frame_size", int(side), 0, _WIDEST) for side in data["frame_size"])
    pitch, yaw, roll = (_within(name, float(pose[name])) for name in ("pitch", "yaw", "roll"))
    return FaceRecord(
        source=source,
        frame_index=_within("frame_index", int(data["frame_index"]), 0, _MOST_COUNT),
        pts=_fraction(data["pts"]),
        face=Face(
            box=arrays["box"],
            landmarks=arrays["landmarks"],
            score=_within("score", float(face["score"])),
            embedding=arrays.get("embedding"),
            iris=arrays.get("iris"),
            presence=_within("presence", float(face["presence"])),
            track=_count("track", face["track"]),
            person=_count("person", face.get("person")),
        ),
        raw_landmarks=arrays.get("raw_landmarks"),
        pose=(pitch, yaw, roll),
        sharpness=_within("sharpness", float(data["sharpness"])),
        face_type=FaceType(data["face_type"]),
        size=_within("size", int(data["size"]), 1, MOST_SIDE),
        crop_from_frame=matrix,
        frame_size=(width, height),
        corrected=data.get("corrected") is True,
    )


def _within(name: str, value: Any, least: Any = -_LARGEST, most: Any = _LARGEST) -> Any:
    """`value`. Raises ValueError where it is beyond reason, or not finite."""
    if not least <= value <= most:
        raise ValueError(f"record whose {name} is not finite or beyond reason")
    return value


def _count(name: str, value: Any) -> int | None:
    return None if value is None else int(_within(name, int(value), -_MOST_COUNT, _MOST_COUNT))


def _fraction(told: Any) -> Fraction:
    """Seconds. Only plain digits: Python's own reader takes 1e999999999 too, and does not come back."""
    text = str(told)
    if not re.fullmatch(r"-?\d{1,40}(/\d{1,40})?", text, re.ASCII):
        raise ValueError("record whose pts is no fraction")
    return Fraction(_within("pts", Fraction(text), -_MOST_COUNT, _MOST_COUNT))
