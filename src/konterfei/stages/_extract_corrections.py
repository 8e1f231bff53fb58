"""Faces put right by hand: the JSON file that tells them. docs/corrections.md defines it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.geometry import HEAD_68, Similarity

VERSION = 1
"""Of the file's layout; another one is refused."""
STORED_NAME = "corrections.json"
"""The copy in the faceset."""
KINDS = ("landmarks", "box", "eyes", "remove")
LEAST_EXTENT = 4.0
"""Pixels that points must extend: less is a slip of the hand."""
_FLAT = HEAD_68[:, :2].astype(np.float64)


@dataclass(frozen=True, eq=False)
class Correction:
    """What a person says of one face in one frame.

    Attributes:
        landmarks: its points. [68, 2] float32, frame pixels
        box: where it is, to find its points in: left, top, right, bottom. [4] float32
        is_removed: there is none.
        near: of one that is removed: a point in it. [2] float32; None = every face of the frame, or of `person`.
        person: whose it is; None = whoever was there.
    """

    landmarks: NDArray[np.float32] | None = None
    box: NDArray[np.float32] | None = None
    is_removed: bool = False
    near: NDArray[np.float32] | None = None
    person: int | None = None


Corrections = dict[str, dict[int, list[Correction]]]
"""Name of the input ("" = the only one) -> frame -> what is said of it."""


def read_corrections(path: Path) -> Corrections:
    """The corrections in a file; frames of which nothing is said are left out.

    Raises:
        ConfigError: it cannot be read, or an entry makes no sense; names file, frame and field.
    """
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"'{path}' cannot be read as corrections: {error}. Write it anew or repair it.") from error
    if not isinstance(data, dict) or data.get("version") != VERSION or not isinstance(data.get("frames"), list):
        raise ConfigError(
            f"'{path}' is no file of corrections of version {VERSION}: it needs \"version\": {VERSION} and a list "
            '"frames". konterfei extract --corrections-template writes one to begin with.'
        )
    unknown = sorted(set(data) - {"version", "video", "frames", "about"})
    if unknown:
        raise ConfigError(f"'{path}' has the field \"{unknown[0]}\", which corrections do not have.")
    video = _text(path, "video", data.get("video", ""))
    found: Corrections = {}
    for number, entry in enumerate(data["frames"]):
        where = f"'{path}', frames[{number}]"
        if not isinstance(entry, dict) or set(entry) - {"frame", "video", "faces"}:
            raise ConfigError(f'{where}: an entry is {{"frame": NUMBER, "faces": [...]}}.')
        frame = entry.get("frame")
        if not isinstance(frame, int) or isinstance(frame, bool) or frame < 0:
            raise ConfigError(f"{where}.frame is {frame!r}; it is the number of a frame, from 0.")
        where = f"'{path}', frame {frame}"
        faces = entry.get("faces")
        if not isinstance(faces, list):
            raise ConfigError(f"{where}, faces: a list is needed, of one object for each face.")
        said = [_correction(f"{where}, faces[{n}]", face) for n, face in enumerate(faces)]
        of_video = found.setdefault(_text(path, "video", entry.get("video", video)), {})
        if frame in of_video:
            raise ConfigError(f"{where}: the frame is there twice. Put its faces into one list.")
        if said:
            of_video[frame] = said
    return {name: frames for name, frames in found.items() if frames}


def template(missed: Mapping[str, Iterable[int]]) -> dict[str, Any]:
    """What a file of corrections for these frames (of each input) begins as. Plain JSON values."""
    frames = [
        {**({"video": name} if name else {}), "frame": frame, "faces": []}
        for name, those in missed.items()
        for frame in those
    ]
    about = (
        "One object per face: {'landmarks': [[x, y], ... 68]} or {'box': [left, top, right, bottom]} or "
        "{'eyes': [[x, y], [x, y]], 'mouth': [x, y]} or {'remove': true, 'near': [x, y]}, in pixels of the frame."
    )
    return {"version": VERSION, "about": about, "frames": frames}


def placed(eyes: NDArray[np.float64], mouth: NDArray[np.float64]) -> NDArray[np.float32]:
    """The 68 points of a mean face seen from the front, turned and scaled to lie on eyes [2, 2] and mouth [2]."""
    own = np.stack([_FLAT[36:42].mean(axis=0), _FLAT[42:48].mean(axis=0), _FLAT[48:68].mean(axis=0)])
    fitted = Similarity.fit(own, np.concatenate([eyes, mouth[None]]))
    return (fitted @ _FLAT).astype(np.float32)


def _correction(where: str, face: Any) -> Correction:
    if not isinstance(face, dict):
        raise ConfigError(f"{where} is {face!r}; an object with one of {', '.join(KINDS)} is needed.")
    given = [kind for kind in KINDS if kind in face]
    if len(given) != 1:
        raise ConfigError(f"{where} has {' and '.join(given) or 'none'} of {', '.join(KINDS)}; exactly one is needed.")
    kind = given[0]
    allowed = {"person", kind, *({"mouth"} if kind == "eyes" else ()), *({"near"} if kind == "remove" else ())}
    if unknown := sorted(set(face) - allowed):
        raise ConfigError(f"{where}.{unknown[0]} does not go with {kind}. Take it out.")
    person = face.get("person")
    if person is not None and (not isinstance(person, int) or isinstance(person, bool) or person < 0):
        raise ConfigError(f"{where}.person is {person!r}; it is a person's number, from 0.")
    if kind == "remove":
        if face["remove"] is not True:
            raise ConfigError(f"{where}.remove is {face['remove']!r}; only true says something.")
        near = face.get("near")
        point = None if near is None else _numbers(f"{where}.near", near, (2,))
        return Correction(is_removed=True, near=point, person=person)
    if kind == "box":
        box = _numbers(f"{where}.box", face["box"], (4,))
        if min(box[2] - box[0], box[3] - box[1]) < LEAST_EXTENT:
            raise ConfigError(f"{where}.box is {face['box']}; it is [left, top, right, bottom], right and bottom last.")
        return Correction(box=box, person=person)
    if kind == "eyes":
        if "mouth" not in face:
            raise ConfigError(f"{where}.mouth is missing; a face is placed by two eyes and the middle of the mouth.")
        eyes = _numbers(f"{where}.eyes", face["eyes"], (2, 2)).astype(np.float64)
        mouth = _numbers(f"{where}.mouth", face["mouth"], (2,)).astype(np.float64)
        points = placed(eyes, mouth) if np.linalg.norm(eyes[1] - eyes[0]) >= LEAST_EXTENT else np.zeros((68, 2), "f4")
    else:
        points = _numbers(f"{where}.landmarks", face["landmarks"], (68, 2))
    if np.ptp(points, axis=0).min() < LEAST_EXTENT:
        raise ConfigError(f"{where}.{kind}: the points lie on one spot or line. Give them in pixels of the frame.")
    return Correction(landmarks=points, person=person)


def _numbers(where: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
    asked = " x ".join(map(str, shape))
    try:
        array = np.asarray(value, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"{where}: {asked} numbers are needed, in pixels of the frame.") from error
    if array.shape != shape or not np.isfinite(array).all() or np.abs(array).max() > 1e6:
        size = " x ".join(map(str, array.shape)) or "one value"
        raise ConfigError(f"{where}: {asked} numbers are needed, in pixels of the frame; there are {size}.")
    return array.astype(np.float32)


def _text(path: Path, field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"'{path}', {field} is {value!r}; it is the file name of an input.")
    return value


def mark(corrections: Iterable[Correction]) -> list[Any]:
    """Plain values that are equal where corrections say the same."""
    return [
        [
            None if one.landmarks is None else one.landmarks.astype(float).tolist(),
            None if one.box is None else one.box.astype(float).tolist(),
            one.is_removed,
            None if one.near is None else one.near.astype(float).tolist(),
            one.person,
        ]
        for one in corrections
    ]


def is_within(point: NDArray[np.float32], box: NDArray[np.float32]) -> bool:
    """Whether a point [2] lies in a box [4], or within half the box's width and height around it."""
    reach = (box[2:] - box[:2]) / 2
    return bool(((point >= box[:2] - reach) & (point <= box[2:] + reach)).all()) and math.isfinite(float(point.sum()))
