"""What DeepFaceLab knows of a face, as a record and labels of ours; and back, to the same values (dfl-spec 3.1.3).

The way back is exact: what our records hold otherwise (as float32, say) or have no place for is kept with the labels,
under `foreign["dfl"]`, and used again as long as it still says the same as record and labels do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import UnknownNameError
from konterfei.exchange.base import NotTakenError
from konterfei.exchange.dfl_values import is_text, packed, same, unpacked
from konterfei.geometry import Crop, Face, FaceType, Similarity, head_pose, landmarks_box
from konterfei.io.face_labels import FaceLabels, Polygon
from konterfei.io.face_record import FaceRecord

KEY = "dfl"
"""Under which `FaceLabels.foreign` keeps what is DeepFaceLab's."""
_LARGEST = 1e7
_MOST_POLYGONS = 1000
_MOST_POINTS = 100_000
_OFF = 0.02
"""Of the crop's side: where landmarks lie farther than this from where the matrix takes them, the matrix is old."""
_GROUPS = (
    ("face_type", "landmarks", "source_landmarks", "image_to_face_mat"),
    ("source_rect",),
    ("seg_ie_polys",),
    ("xseg_mask",),
)


@dataclass(frozen=True, eq=False)
class Understood:
    """What a dict of DeepFaceLab comes to here.

    Attributes:
        face_type: how much of the head.
        landmarks: in the frame. [68, 2] float32
        matrix: crop from frame. [2, 3] float64
        box: in the frame. [4] float32
        polygons: includes first.
        mask_file: PNG or JPEG; empty: none.
        lost: what of it could not be understood, in words.
    """

    face_type: FaceType
    landmarks: NDArray[np.float32]
    matrix: NDArray[np.float64]
    box: NDArray[np.float32]
    polygons: tuple[Polygon, ...]
    mask_file: bytes
    lost: tuple[str, ...] = ()


def understand(values: Mapping[str, Any], size: int) -> Understood:
    """What the dict of a picture of `size` px says, in any form that DeepFaceLab ever wrote.

    Raises:
        NotTakenError: it has no landmarks, no place in a frame, or is of a kind that is no crop.
    """
    name = values.get("face_type")
    name = FaceType.FULL.dfl_name if name is None else name
    if isinstance(name, str) and name == "mark_only":
        raise NotTakenError("it is marked on a whole frame (mark_only): there is no crop")
    try:
        face_type = FaceType.from_dfl(name if isinstance(name, str) else type(name).__name__)
    except UnknownNameError as error:
        told = name[:40] if isinstance(name, str) else type(name).__name__
        raise NotTakenError(f"its face type is '{told}', which is not known here") from error
    aligned = _numbers(values.get("landmarks"), (68, 2))
    source = _numbers(values.get("source_landmarks"), (68, 2))
    matrix = _numbers(values.get("image_to_face_mat"), (2, 3))
    if matrix is not None and abs(float(np.linalg.det(matrix[:, :2]))) < 1e-9:
        matrix = None
    if source is None and aligned is not None and matrix is not None:
        source = Similarity(matrix).inverse() @ aligned
    if source is None:
        raise NotTakenError("it does not say where the face lies in its frame (no source_landmarks)")
    try:
        matrix = _matrix(source, aligned, matrix, face_type, size)
        box = _numbers(values.get("source_rect"), (4,))
        box32 = landmarks_box(source) if box is None else box.astype(np.float32)
    except ValueError as error:
        raise NotTakenError("its landmarks are no face") from error
    lost: list[str] = []
    polygons = _polygons(values.get("seg_ie_polys"), lost)
    mask = _mask_file(values.get("xseg_mask"), lost)
    return Understood(face_type, source.astype(np.float32), matrix, box32, polygons, mask, tuple(lost))


def _matrix(
    source: NDArray[np.float64],
    aligned: NDArray[np.float64] | None,
    matrix: NDArray[np.float64] | None,
    face_type: FaceType,
    size: int,
) -> NDArray[np.float64]:
    """Crop from frame: as recorded; from both sets of landmarks where it is missing or older than they are."""
    if aligned is None:
        return Crop.fit(source, face_type, size).crop_from_frame.matrix if matrix is None else matrix
    if matrix is not None:
        off = np.median(np.abs(Similarity(matrix) @ source - aligned))
        if off <= _OFF * size:
            return matrix
    return Similarity.fit(source, aligned).matrix


def _numbers(value: Any, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    """An array or nested lists of numbers, of that shape and within reason; None for anything else."""
    if isinstance(value, np.ndarray):
        if value.shape != shape or value.dtype.kind not in "iuf":
            return None
        numbers = value.astype(np.float64)
    else:
        flat = _flat(value, shape)
        if flat is None:
            return None
        numbers = np.array(flat, np.float64).reshape(shape)
    return numbers if np.isfinite(numbers).all() and np.abs(numbers).max() < _LARGEST else None


def _flat(value: Any, shape: tuple[int, ...]) -> list[float] | None:
    """Numbers of nested lists; only lists of the wanted length are walked."""
    if not shape:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return [float(value)] if is_number and abs(value) < _LARGEST else None
    if isinstance(value, np.ndarray):
        return None if value.shape != shape or value.dtype.kind not in "iuf" else [float(v) for v in value.ravel()]
    if not isinstance(value, list | tuple) or len(value) != shape[0]:
        return None
    parts = [_flat(each, shape[1:]) for each in value]
    return None if any(part is None for part in parts) else [number for part in parts for number in part or ()]


def _polygons(value: Any, lost: list[str]) -> tuple[Polygon, ...]:
    """Include polygons first, then exclude ones, as DeepFaceLab orders them."""
    listed = value.get("polys") if isinstance(value, dict) else value
    if listed is None:
        return ()
    if not isinstance(listed, list | tuple) or len(listed) > _MOST_POLYGONS:
        lost.append("its polygons are no list of them")
        return ()
    found, left = [], _MOST_POINTS
    for entry in listed:
        if isinstance(entry, dict):
            kind, points = entry.get("type"), entry.get("pts")
        elif isinstance(entry, list | tuple) and len(entry) == 2:
            kind, points = entry
        else:
            kind, points = None, None
        count = len(points) if isinstance(points, list | tuple) else -1
        if isinstance(points, np.ndarray) and points.ndim == 2:
            count = len(points)
        numbers = _numbers(points, (count, 2)) if 0 < count <= left else None
        left -= max(count, 0)
        if numbers is None or not isinstance(kind, int) or kind not in (0, 1):
            lost.append("one of its polygons has no kind or no points")
        else:
            found.append(Polygon(numbers.astype(np.float32), bool(kind)))
    return tuple(sorted(found, key=lambda polygon: not polygon.include))


def _mask_file(value: Any, lost: list[str]) -> bytes:
    """The bytes of the applied mask's file, in either shape that OpenCV gave it."""
    if value is None:
        return b""
    if isinstance(value, bytes):
        file = value
    elif isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.shape[:1] == (value.size,):
        file = value.tobytes()
    else:
        lost.append("its mask is no encoded picture")
        return b""
    if not file.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")):
        lost.append("its mask is neither PNG nor JPEG")
        return b""
    return file


# --- from there


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where in its film a face was seen.

    Attributes:
        source: name of the video, or of the series of pictures.
        frame_index: from 0.
        pts: seconds.
        frame_size: width, height; zeros = not known.
    """

    source: str
    frame_index: int
    pts: Fraction
    frame_size: tuple[int, int] = (0, 0)


def face_of(
    values: Mapping[str, Any],
    size: int,
    place: Place,
    *,
    file: str,
    recorded: FaceRecord | None = None,
    kept: FaceLabels | None = None,
) -> tuple[FaceRecord, FaceLabels, tuple[str, ...]]:
    """Record and labels of a face, and in words what could not be understood.

    Args:
        values: its dict.
        size: side of its picture, px.
        place: of its frame.
        file: its file's name.
        recorded: our own record, where the picture carries one: it is used where it still says the same.
        kept: our own labels, where the picture carries some: what other programs said of it.

    Raises:
        NotTakenError: as `understand`.
    """
    told = understand(values, size)
    is_ours = recorded is not None and _agrees(recorded, told, size)
    record = recorded if recorded is not None and is_ours else _new_record(told, size, place)
    labels = FaceLabels(polygons=told.polygons, mask_file=told.mask_file)
    name, lost = name_in(values), list(told.lost)
    ours = plain_values(record, labels, name)
    own, others = _own_words(record, name, file, dict(kept.foreign) if kept is not None and is_ours else None)
    differs = {
        key: packed(value)
        for key, value in values.items()
        if key != "source_filename" and not same(ours.get(key), value) and value is not None
    }
    mask = values.get("xseg_mask")
    if labels.mask_file and isinstance(mask, np.ndarray) and "xseg_mask" in differs:
        own["mask_shape"] = list(mask.shape)  # instead of the mask a second time
        del differs["xseg_mask"]
    lost += [f"its field '{key[:40]}' is of an unknown kind" for key, value in differs.items() if value is None]
    if stored := {key: value for key, value in differs.items() if value is not None}:
        own["values"] = stored
    if absent := sorted(key for key in ours if ours[key] is not None and values.get(key) is None):
        own["absent"] = absent
    foreign = {**others, KEY: own} if own else others
    return record, replace(labels, foreign=foreign), tuple(lost)


def name_in(values: Mapping[str, Any]) -> str:
    """The frame's file name as a dict has it; empty where it has none that could be one."""
    name = values.get("source_filename")
    return name if isinstance(name, str) and len(name) < 256 and is_text(name) else ""


def _new_record(told: Understood, size: int, place: Place) -> FaceRecord:
    try:
        return FaceRecord(
            source=place.source,
            frame_index=place.frame_index,
            pts=place.pts,
            face=Face(box=told.box, landmarks=told.landmarks),
            pose=head_pose(told.landmarks, None if place.frame_size == (0, 0) else place.frame_size),
            face_type=told.face_type,
            size=size,
            crop_from_frame=told.matrix,
            frame_size=place.frame_size,
        )
    except (ValueError, np.linalg.LinAlgError) as error:
        raise NotTakenError("its landmarks are no face") from error


def _own_words(
    record: FaceRecord, name: str, file: str, before: dict[str, Any] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What names a face came under, and what other programs said of it.

    Of a picture of our own (`before` is what was said of it then), names that our writer chose are no news.
    """
    others = {key: value for key, value in (before or {}).items() if key != KEY}
    was = (before or {}).get(KEY)
    was = was if isinstance(was, dict) else {}
    films = ("", *(re.sub(r"[^\w.-]+", "_", each) for each in (Path(record.source).stem, record.source)))
    chosen = {source_filename(record, film) for film in films} | {Path(record.source).name}
    chosen = chosen if before is not None else set()
    own: dict[str, Any] = {}
    if "file" in was or name not in chosen or not re.fullmatch(rf"{re.escape(Path(name).stem)}_\d+\.jpg", file):
        own["file"] = file
    if "frame" in was or name not in chosen:
        own |= {"source_filename": name, "frame": [record.source, record.frame_index]}
    return own, others


def _agrees(record: FaceRecord, told: Understood, size: int) -> bool:
    return (
        (record.size, record.face_type) == (size, told.face_type)
        and np.array_equal(record.face.landmarks, told.landmarks)
        and np.array_equal(record.crop_from_frame, told.matrix)
    )


# --- and back


def plain_values(record: FaceRecord, labels: FaceLabels, source_filename: str) -> dict[str, Any]:
    """The dict that DeepFaceLab's extractor and tools would write of this face."""
    points = record.face.landmarks.astype(np.float64)
    polygons = sorted(labels.polygons, key=lambda polygon: not polygon.include)
    return {
        "face_type": record.face_type.dfl_name,
        "landmarks": (record.crop.crop_from_frame @ points).tolist(),
        "source_filename": source_filename or None,
        "source_rect": np.rint(record.face.box).astype(np.int32),
        "source_landmarks": points.tolist(),
        "image_to_face_mat": np.array(record.crop_from_frame, np.float64),
        "seg_ie_polys": {"polys": [{"type": int(p.include), "pts": np.array(p.points)} for p in polygons]}
        if polygons
        else None,
        "xseg_mask": np.frombuffer(labels.mask_file, np.uint8).reshape(-1, 1) if labels.mask_file else None,
    }


def values_for(record: FaceRecord, labels: FaceLabels, name: str) -> dict[str, Any]:
    """`plain_values`, with what the face came with in its own words wherever that still says the same.

    Args:
        record: of the face.
        labels: of the face.
        name: of its frame's file, where it came without one.
    """
    own = labels.foreign.get(KEY)
    own = own if isinstance(own, Mapping) else {}
    if own.get("frame") == [record.source, record.frame_index]:
        name = str(own.get("source_filename", name))
    values = {key: value for key, value in plain_values(record, labels, name).items() if value is not None}
    shape, length = own.get("mask_shape"), len(labels.mask_file)
    if shape in ([length], [length, 1]) and "xseg_mask" in values:
        values["xseg_mask"] = values["xseg_mask"].reshape(shape)
    stored, absent = own.get("values"), own.get("absent")
    absent = absent if isinstance(absent, list) else []
    opened = {str(key): unpacked(value) for key, value in stored.items()} if isinstance(stored, Mapping) else {}
    originals = {key: value for key, value in opened.items() if value is not None}
    grouped = {key for group in _GROUPS for key in group}
    for group in _GROUPS:
        trial = {key: value for key, value in values.items() if key not in group or key not in absent}
        trial |= {key: originals[key] for key in group if key in originals}
        if trial.keys() != values.keys() or any(trial[key] is not values[key] for key in trial):
            values = trial if _says_the_same(trial, group, record, labels) else values
    return values | {key: value for key, value in originals.items() if key not in grouped}


def _says_the_same(values: Mapping[str, Any], group: Iterable[str], record: FaceRecord, labels: FaceLabels) -> bool:
    """Whether what `values` say of the fields in `group` is what record and labels say."""
    try:
        told = understand(values, record.size)
    except NotTakenError:
        return False
    if "landmarks" in group:
        return _agrees(record, told, record.size)
    if "source_rect" in group:
        return np.array_equal(told.box, record.face.box)
    if "seg_ie_polys" in group:
        return told.polygons == labels.polygons
    return told.mask_file == labels.mask_file


# --- names of frames

_NUMBER = re.compile(r"^(.*?)(\d{1,9})$")


def frame_of(name: str) -> tuple[str, int | None]:
    """What stands before the number in a frame's file name, and that number: "anna_00123.png" -> "anna", 123."""
    stem = Path(name.replace("\\", "/")).stem
    found = _NUMBER.match(stem)
    if not found:
        return stem, None
    return found[1].rstrip("_-. "), int(found[2])


def source_filename(record: FaceRecord, film: str = "") -> str:
    """The name that DeepFaceLab's extraction of frames gives the frame of a record: it counts from 1.

    Args:
        record: of the face.
        film: comes first where faces are of several films.
    """
    return f"{film}{'_' if film else ''}{record.frame_index + 1:05d}.png"
