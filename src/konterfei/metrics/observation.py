"""Sees plate and results alike: from frames and the records of the plate's faces to two `Series`.

The networks are handed in (families do not import one another). Both frames of a pair are looked at in the same way,
from the same starting place, so that whatever the landmarker adds, it adds to both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import LEFT_EYE, RIGHT_EYE, Crop, Face, FaceType, Region, smooth_hull_mask
from konterfei.metrics.outside import PERFECT, compare
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
    def iris(self) -> NDArray[np.float32] | None: ...
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
    witness: _Recognizer | None = None
    """A second recognizer, of which no loss learns; None = do without."""


@dataclass(frozen=True)
class _Look:
    """What is seen of one face in one picture; NaN where nothing is."""

    landmarks: Array
    irises: Array
    embeddings: Array
    witness: Array
    crops: Array

    def unseen(self, crop: Array) -> _Look:
        """The same, of a picture in which no face is found."""
        points, irises, embedding, witness = (
            np.full_like(a, np.nan) for a in (self.landmarks, self.irises, self.embeddings, self.witness)
        )
        return _Look(points, irises, embedding, witness, crop)


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
    """Collects frames of a plate with those of one or more results made from it, in order.

    Args:
        eyes: the networks.
        size: side of the crops, px.
        num_results: how many results there are.

    Attributes:
        num_unmeasurable: frames in which the plate itself shows no face clearly enough; left out.
        num_unseen: of each result, frames in which the detector finds no face where the plate has one.
    """

    def __init__(self, eyes: Eyes, size: int, num_results: int = 1) -> None:
        self._eyes, self._size = eyes, size
        self.num_unmeasurable = 0
        self.num_unseen = [0] * num_results
        self._indices: list[int] = []
        self._masks: list[Array] = []
        self._plate: list[_Look] = []
        self._results: list[list[_Look]] = [[] for _ in range(num_results)]
        self._outside: list[list[Array]] = [[] for _ in range(num_results)]

    def __len__(self) -> int:
        return len(self._indices)

    def add(
        self,
        index: int,
        plate: Array,
        results: Sequence[Array],
        face: Face,
        *,
        others: Sequence[Face] = (),
        ignore: Sequence[Region] = (),
    ) -> None:
        """One frame of each.

        Args:
            index: of the frame.
            plate: RGB. [H, W, 3] uint8
            results: RGB, one of each result. [H, W, 3] uint8 each
            face: of the plate; where to look, and how the crops are cut.
            others: faces of the same frame that may have been swapped too; they are no background.
            ignore: rows and columns that changed on purpose, for example those of a label.
        """
        crop = Crop.fit(face.landmarks, FaceType.FULL, self._size)
        seen = self._look(plate, face, crop)
        if seen is None:
            self.num_unmeasurable += 1
            return
        self._indices.append(index)
        self._masks.append(smooth_hull_mask(crop.crop_from_frame @ face.landmarks, (self._size, self._size)))
        self._plate.append(seen)
        for k, image in enumerate(results):
            self._results[k].append(self._look(image, face, crop) or seen.unseen(crop.cut(image)))
            points = [known.landmarks for known in (face, *others)]
            self._outside[k].append(compare(plate, image, points, ignore))
            self.num_unseen[k] += not self._is_detected(image, face)

    def _look(self, image: Array, face: Face, crop: Crop) -> _Look | None:
        eyes = self._eyes
        (answer,) = eyes.landmarker.landmarks(image, [start_of(face)])
        if answer.presence < eyes.landmarker.usual_presence:
            return None
        points = answer.points.astype(np.float32)
        irises = np.full((2, 2), np.nan, np.float32) if answer.iris is None else answer.iris.astype(np.float32)
        witness = np.zeros(0, np.float32) if eyes.witness is None else eyes.witness.embed(image, [points])[0]
        return _Look(points, irises, eyes.recognizer.embed(image, [points])[0], witness, crop.cut(image))

    def _is_detected(self, image: Array, face: Face) -> bool:
        return any(
            _overlap(detection.box, face.box) >= _LEAST_OVERLAP for detection in self._eyes.detector.detect(image)
        )

    def series(self) -> tuple[Series, list[Series]]:
        """Plate and results. At least one frame must have been measurable."""
        indices, masks = np.array(self._indices, np.int64), np.stack(self._masks).astype(np.float32)
        plate, *results = (
            Series(
                indices=indices,
                masks=masks,
                outside=np.stack(outside),
                **{f.name: np.stack([getattr(r, f.name) for r in rows]) for f in fields(_Look)},
            )
            for rows, outside in zip(
                (self._plate, *self._results), ([np.array(PERFECT)] * len(self), *self._outside), strict=True
            )
        )
        return plate, results


def _overlap(a: Array, b: Array) -> float:
    """Intersection over union of two boxes [4]."""
    shared = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    areas = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])
    return float(shared / max(areas - shared, 1e-9))
