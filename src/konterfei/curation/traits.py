"""Everything that is judged of a faceset's crops, as arrays: from their records, and from measures of their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.light import LIGHTS
from konterfei.curation.measuring import measure
from konterfei.curation.shapes import expressions, frontal_shapes, jumps, misfits, own_usual
from konterfei.geometry import Crop, Face
from konterfei.io.face_measures import FaceMeasures
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter

Array = NDArray[Any]

_CORNERS = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Traits:
    """The faces of a set, one row each, in the order of its records. NaN = not known.

    Attributes:
        records: themselves.
        seconds: when each is shown. [N]
        strands: number of the source and track that each is of. [N] int
        persons: whose each is said to be, 0 where nothing is said. [N] int
        pitch, yaw, roll: degrees, as in records. [N]
        axes: expression and light by name, in their own units. [N] each
        usual: of the expressions, what they are on this person's face at rest.
        shapes: landmarks as seen from the front. [N, 68, 2]
        gaze: where the irises are between the corners of the eyes: 0 in the middle, 0.5 at the image-right corner, and
            downwards, by the eyes' width. [N, 2]
        misfits, jumps: see `curation.shapes`. [N]
        crop_offsets: how far the crop lies from where its landmarks put it, by its side. [N]
        outside: share of the landmarks outside of the frame. [N]
        enlargements: pixels of the crop for one of the frame. [N]
        heights: of the face in its frame, px. [N]
        presence: the landmarker's certainty. [N]
        sharpness, clipped, occlusion: measured in pixels. [N]
        embeddings: who it is. [N, D] or None
        fingerprints: small grey pictures. [N, H, W] float32, 0 to 255
    """

    records: Sequence[FaceRecord]
    seconds: Array
    strands: Array
    persons: Array
    pitch: Array
    yaw: Array
    roll: Array
    axes: dict[str, Array]
    usual: dict[str, float]
    shapes: Array
    gaze: Array
    misfits: Array
    jumps: Array
    crop_offsets: Array
    outside: Array
    enlargements: Array
    heights: Array
    presence: Array
    sharpness: Array
    clipped: Array
    occlusion: Array
    embeddings: Array | None
    fingerprints: Array

    def __len__(self) -> int:
        return len(self.records)

    @cached_property
    def names(self) -> list[str]:
        """File names of the crops."""
        return [record.name for record in self.records]

    def compared(self) -> dict[str, Array]:
        """The axes in which faces of two people are compared: pose as it is, light as it is, expressions from what is
        usual for the person (eyes_open as a share of it).
        """
        own = {name: values - self.usual.get(name, 0.0) for name, values in self.axes.items()}
        own["eyes_open"] = self.axes["eyes_open"] / max(self.usual["eyes_open"], 1e-6)
        return {**own, "yaw": self.yaw, "pitch": self.pitch}


def traits_of(faceset: Faceset, reporter: Reporter) -> Traits:
    """The faces of a set; crops whose picture is damaged are left out, and the reporter is told.

    Raises:
        Cancelled: asked to stop; what was measured is kept.
        DamagedFileError: no crop at all could be read.
    """
    measures = measure(faceset, reporter, parts=("ours",))
    by_name = {record.name: record for record in faceset.records()}
    return from_measures([by_name[name] for name in measures.names], measures)


def from_measures(records: Sequence[FaceRecord], measures: FaceMeasures) -> Traits:
    """The traits of faces with these records and measures, in one order."""
    faces = [record.face for record in records]
    landmarks = np.array([face.landmarks for face in faces], np.float64)
    shapes = frontal_shapes(landmarks)
    doing = expressions(shapes)
    tracks = [face.track for face in faces]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(zip(measures.sources, tracks, strict=True)))}
    strands = np.array([numbers[key] for key in zip(measures.sources, tracks, strict=True)], np.int64)
    seconds = np.array([float(record.pts) for record in records])
    raw = [
        face.landmarks if r.raw_landmarks is None else r.raw_landmarks for r, face in zip(records, faces, strict=True)
    ]
    boxes = np.array([face.box for face in faces], np.float64)
    return Traits(
        records=records,
        seconds=seconds,
        strands=strands,
        persons=np.array([face.person or 0 for face in faces], np.int64),
        pitch=np.degrees(measures.pose[:, 0].astype(np.float64)),
        yaw=np.degrees(measures.pose[:, 1].astype(np.float64)),
        roll=np.degrees(measures.pose[:, 2].astype(np.float64)),
        axes={**doing, **{name: measures.light[:, place].astype(np.float64) for place, name in enumerate(LIGHTS)}},
        usual=own_usual(doing),
        shapes=shapes,
        gaze=np.array([_gaze(face) for face in faces]),
        misfits=misfits(shapes),
        jumps=jumps(np.array(raw), strands, seconds),
        crop_offsets=np.array([_offset(record) for record in records]),
        outside=_outside(records, landmarks),
        enlargements=np.array([record.crop.crop_from_frame.scale for record in records]),
        heights=np.maximum(boxes[:, 3] - boxes[:, 1], 0.0),
        presence=measures.presence.astype(np.float64),
        sharpness=measures.sharpness.astype(np.float64),
        clipped=(measures.dark + measures.bright).astype(np.float64),
        occlusion=measures.occlusion.astype(np.float64),
        embeddings=measures.embeddings if measures.embeddings.shape[1] else None,
        fingerprints=measures.thumb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32),
    )


def _gaze(face: Face) -> Array:
    """Mean place of the irises between the corners of their eyes, along and across, by the eyes' width. [2], NaN"""
    if face.iris is None:
        return np.full(2, np.nan)
    corners = face.landmarks[[36, 39, 42, 45]].reshape(2, 2, 2).astype(np.float64)
    along = corners[:, 1] - corners[:, 0]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    away = face.iris - corners.mean(axis=1)
    width = np.maximum((along**2).sum(axis=1), 1e-9)
    return np.array([((away * way).sum(axis=1) / width).mean() for way in (along, across)])


def _outside(records: Sequence[FaceRecord], landmarks: Array) -> Array:
    """Share of each face's landmarks outside of its frame; NaN where the frame's size is not known. [N]"""
    sizes = np.array([record.frame_size for record in records], np.float64).reshape(-1, 1, 2)
    beyond = ((landmarks < -0.5) | (landmarks > sizes - 0.5)).any(axis=2).mean(axis=1)
    return np.where((sizes > 0).all(axis=(1, 2)), beyond, np.nan)


def _offset(record: FaceRecord) -> float:
    """How far the corners of the crop lie from where the landmarks put them, on average, by its side.

    NaN where the landmarks determine no crop.
    """
    try:
        wanted = Crop.fit(record.face.landmarks, record.face_type, record.size)
    except ValueError:
        return float("nan")
    there = record.crop.crop_from_frame @ wanted.corners()
    return float(np.linalg.norm(there - _CORNERS * record.size, axis=1).mean()) / record.size
