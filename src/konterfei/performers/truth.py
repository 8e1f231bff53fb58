"""What is true about a clip of a performer, by construction, and where it is kept."""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.errors import DamagedFileError
from konterfei.performers import anatomy
from konterfei.performers.light import Light
from konterfei.performers.motion import Pose
from konterfei.performers.shots import View

COVER_SIDE = 256
"""Largest width and height at which the masks of occluders are kept."""
_PARTNER = "partner_"
"""Prefix of the partner's arrays in the file."""
_AXES = "xyz"
T = TypeVar("T", Pose, View, Light)


@dataclass(frozen=True)
class Truth:
    """What is true about one performer in a clip. F frames.

    With motion blur it is what is true in the middle of the time for which the shutter is open.
    """

    landmarks: NDArray[np.float32]
    """68-point scheme, frame pixels. [F, 68, 2]"""
    iris: NDArray[np.float32]
    """Middles of the irises, image-left first, frame pixels; also where a lid covers them. [F, 2, 2]"""
    mesh: NDArray[np.float32]
    """Points of the skin in MediaPipe's order, frame pixels. [F, 468, 2]"""
    times: NDArray[np.float64]
    """Seconds. [F]"""
    poses: tuple[Pose, ...]
    """What the performer does in each frame, without the camera's moves."""
    heads: NDArray[np.float64]
    """Head as the camera sees it: yaw, pitch and roll in radians, size (1 = at rest, alone, camera still), middle of
    the head x and y in frame pixels. The middle is not a number in clips of older versions. [F, 6]"""
    views: tuple[View, ...]
    """Where the camera has gone in each frame."""
    lights: tuple[Light, ...]
    """The light of each frame, beside the set's own."""
    visible: NDArray[np.bool_]
    """Whether each landmark is in the frame and nothing covers it. [F, 68]"""
    covers: NDArray[np.uint8]
    """What stands in front of the performer, eight pixels to the byte, at most `COVER_SIDE` wide: see `cover_mask`.
    [F, M, ceil(M / 8)]; M is 0 where the settings bring nothing before the performer."""
    side: int
    """Width and height of the frame in pixels; 0 = not known (older versions)."""
    partner: Truth | None = None
    """The same about the second performer."""


def face_mask(truth: Truth, index: int, size: int, visible: bool = False) -> NDArray[np.bool_]:
    """The face in a frame: the inside of the mesh's outline, from the forehead's top to the chin. [size, size]

    Args:
        truth: of the performer.
        index: number of the frame.
        size: width and height of the mask; the frame is scaled to it.
        visible: leave out what something covers.
    """
    outline = truth.mesh[index][list(anatomy.OVAL)]
    scale = size / truth.side if truth.side else 1.0
    corners = np.round(((outline + 0.5) * scale - 0.5) * 16).astype(np.int32)
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [corners], 1, cv2.LINE_8, 4)
    if visible:
        mask[cover_mask(truth, index, size)] = 0
    return mask.astype(np.bool_)


def cover_mask(truth: Truth, index: int, size: int) -> NDArray[np.bool_]:
    """What stands in front of the performer in a frame: more than half of each pixel. [size, size]

    Args:
        truth: of the performer.
        index: number of the frame.
        size: width and height of the mask; the frame is scaled to it.
    """
    packed = truth.covers[index]
    side = packed.shape[0]
    if side == 0:
        return np.zeros((size, size), np.bool_)
    mask = np.unpackbits(packed, axis=-1, count=side)
    if side == size:
        return mask.astype(np.bool_)
    how = cv2.INTER_AREA if size < side else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(mask.astype(np.float32), (size, size), interpolation=how) > 0.5)


def packed_cover(alpha: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A cover [H, H] in [0, 1] as it is kept. [M, ceil(M / 8)]"""
    side = min(alpha.shape[0], COVER_SIDE)
    small = cv2.resize(alpha, (side, side), interpolation=cv2.INTER_AREA)
    return np.packbits(small > 0.5, axis=-1)


def truth_path(clip: Path) -> Path:
    """Where the truth about a clip lies."""
    return clip.with_name(f"{clip.stem}.landmarks.npz")


def read_truth(clip: Path | str) -> Truth:
    """The truth about a rendered clip.

    Raises:
        DamagedFileError: there is none beside the clip, or it cannot be read.
    """
    path = truth_path(Path(clip))
    try:
        with np.load(path) as data:
            partner = _read(data, _PARTNER) if f"{_PARTNER}mesh" in data else None
            return _read(data, "", partner)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedFileError(
            f"'{path}' is missing or cannot be read ({error}). Delete it and render the performer again."
        ) from error


def _read(data: Any, prefix: str, partner: Truth | None = None) -> Truth:
    """One performer's truth from the arrays whose names begin with `prefix`."""
    names = ("landmarks", "iris", "mesh", "times", "heads", "visible", "covers", "side")
    found = {name: data[prefix + name] for name in names if prefix + name in data}
    count = len(found["times"])
    poses = _rows(data, f"{prefix}pose", Pose)
    if "heads" not in found:  # an older version's, which knew no moves of camera and light and nothing before a face
        turns = [(p.yaw, p.pitch, p.roll, p.zoom, np.nan, np.nan) for p in poses]
        found |= {"heads": np.array(turns), "visible": np.ones((count, 68), np.bool_), "side": np.array(0)}
        found |= {"covers": np.zeros((count, 0, 0), np.uint8)}
        views, lights = (View(),) * count, (Light(),) * count
    else:
        views, lights = _rows(data, f"{prefix}view", View), _rows(data, f"{prefix}light", Light)
    found["side"] = int(found["side"])
    return Truth(**found, poses=poses, views=views, lights=lights, partner=partner)


def pack_truth(truth: Truth) -> bytes:
    """The truth as an .npz without pickles."""
    arrays = _arrays(truth, "")
    if truth.partner is not None:
        arrays |= _arrays(truth.partner, _PARTNER)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _arrays(truth: Truth, prefix: str) -> dict[str, Any]:
    """One performer's truth, by names that begin with `prefix`."""
    names = ("landmarks", "iris", "mesh", "times", "heads", "visible", "covers", "side")
    arrays = {name: np.asarray(getattr(truth, name)) for name in names}
    for name, rows in (("pose", truth.poses), ("view", truth.views), ("light", truth.lights)):
        flat = [_flat(row) for row in rows]
        arrays |= {f"{name}s": np.array([list(row.values()) for row in flat]), f"{name}_names": np.array(list(flat[0]))}
    return {prefix + name: value for name, value in arrays.items()}


def _rows(data: Any, name: str, kind: type[T]) -> tuple[T, ...]:
    """What `_arrays` kept of a Pose, View or Light per frame."""
    names = [str(n) for n in data[f"{name}_names"]]
    return tuple(_whole(dict(zip(names, row, strict=True)), kind) for row in data[f"{name}s"].tolist())


def _flat(row: Pose | View | Light) -> dict[str, float]:
    """Field -> number; pairs and triples become `name_x`, `name_y` and `name_z`."""
    out: dict[str, float] = {}
    for item in fields(row):
        value = getattr(row, item.name)
        parts = zip(_AXES, value, strict=False) if isinstance(value, tuple) else ()
        out |= {f"{item.name}_{axis}": v for axis, v in parts} or {item.name: value}
    return out


def _whole(flat: dict[str, float], kind: type[T]) -> T:
    """The inverse of `_flat`."""
    values: dict[str, Any] = {}
    for item in fields(kind):
        axes = [f"{item.name}_{axis}" for axis in _AXES if f"{item.name}_{axis}" in flat]
        values[item.name] = tuple(flat[axis] for axis in axes) if axes else flat[item.name]
    return kind(**values)
