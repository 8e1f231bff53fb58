"""Sees plate and result alike: from pairs of frames and the records of the plate's faces to two `Series`.

The networks are handed in (families do not import one another). Both frames of a pair are looked at in the same way,
from the same starting place, so that whatever the landmarker adds, it adds to both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import LEFT_EYE, RIGHT_EYE, Crop, Face, FaceType, smooth_hull_mask
from konterfei.metrics.series import Series

Array = NDArray[Any]

_LEAST_OVERLAP = 0.25  # of a detection with the plate's face: boxes of detectors and of landmarks differ a little
_SMALLEST, _LARGEST = 96, 320  # px, side of the crops: as fine as the plate within what memory allows


class _Detection(Protocol):
    @property
    def box(self) -> NDArray[np.float32]: ...


class _Landmarked(Protocol):
    @property
    def points(self) -> NDArray[np.float32]: ...
    @property
    def presence(self) -> float: ...


class _Detector(Protocol):
    def detect(self, image: Array) -> Sequence[_Detection]: ...


class _Landmarker(Protocol):
    @property
    def usual_presence(self) -> float: ...
    def landmarks(self, image: Array, starts: Sequence[Any]) -> Sequence[_Landmarked]: ...


class _Recognizer(Protocol):
    def embed(self, image: Array, landmarks: Sequence[Array]) -> Array: ...


@dataclass(frozen=True)
class Eyes:
    """The networks that look at the frames: of their families, or anything that acts like them."""

    detector: _Detector
    landmarker: _Landmarker
    recognizer: _Recognizer


@dataclass(frozen=True)
class _Start:
    """Where the landmarker shall look: the place of the plate's face."""

    box: Array
    points: Array


def start_of(face: Face) -> _Start:
    """Box and the five points of a face that is known."""
    points = face.landmarks
    five = [points[RIGHT_EYE].mean(axis=0), points[LEFT_EYE].mean(axis=0), points[30], points[48], points[54]]
    return _Start(face.box, np.stack(five).astype(np.float32))


def crop_size(faces: Sequence[Face]) -> int:
    """Side of crops that lose nothing of faces of the usual size, multiple of 8 px."""
    sides = [1 / Crop.fit(face.landmarks, FaceType.FULL, 1).crop_from_frame.scale for face in faces]
    return int(np.clip(8 * round(float(np.median(sides)) / 8), _SMALLEST, _LARGEST))


class Observer:
    """Collects pairs of frames, in order.

    Args:
        eyes: the networks.
        size: side of the crops, px.

    Attributes:
        num_unmeasurable: pairs in which the plate itself shows no face clearly enough; left out.
        num_unseen: pairs in which the detector finds no face in the result where the plate has one.
    """

    def __init__(self, eyes: Eyes, size: int) -> None:
        self._eyes, self._size = eyes, size
        self.num_unmeasurable = self.num_unseen = 0
        self._indices: list[int] = []
        self._masks: list[Array] = []
        self._plate: list[tuple[Array, Array, Array]] = []
        self._result: list[tuple[Array, Array, Array]] = []

    def __len__(self) -> int:
        return len(self._indices)

    def add(self, index: int, plate: Array, result: Array, face: Face) -> None:
        """One pair.

        Args:
            index: of the frame.
            plate, result: RGB. [H, W, 3] uint8
            face: of the plate; where to look, and how the crops are cut.
        """
        crop = Crop.fit(face.landmarks, FaceType.FULL, self._size)
        seen = self._look(plate, face, crop)
        if seen is None:
            self.num_unmeasurable += 1
            return
        found = self._look(result, face, crop)
        nothing = (np.full((68, 2), np.nan, np.float32), np.full_like(seen[1], np.nan), crop.cut(result))
        self.num_unseen += not self._is_detected(result, face)
        self._indices.append(index)
        self._masks.append(smooth_hull_mask(crop.crop_from_frame @ face.landmarks, (self._size, self._size)))
        self._plate.append(seen)
        self._result.append(found or nothing)

    def _look(self, image: Array, face: Face, crop: Crop) -> tuple[Array, Array, Array] | None:
        (answer,) = self._eyes.landmarker.landmarks(image, [start_of(face)])
        if answer.presence < self._eyes.landmarker.usual_presence:
            return None
        points = answer.points.astype(np.float32)
        return points, self._eyes.recognizer.embed(image, [points])[0], crop.cut(image)

    def _is_detected(self, image: Array, face: Face) -> bool:
        return any(
            _overlap(detection.box, face.box) >= _LEAST_OVERLAP for detection in self._eyes.detector.detect(image)
        )

    def series(self) -> tuple[Series, Series]:
        """Plate and result. At least one pair must have been measurable."""
        indices, masks = np.array(self._indices, np.int64), np.stack(self._masks).astype(np.float32)
        both = []
        for rows in (self._plate, self._result):
            landmarks, embeddings, crops = (np.stack(column) for column in zip(*rows, strict=True))
            both.append(Series(indices=indices, landmarks=landmarks, embeddings=embeddings, crops=crops, masks=masks))
        return both[0], both[1]


def _overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes [4]."""
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    areas = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])
    return float(shared / max(areas - shared, 1e-9))
