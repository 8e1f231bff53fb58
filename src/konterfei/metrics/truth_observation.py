"""Sees the true swap, and cuts it and the results so that they lie on one another: what `ground_truth` compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, Face, FaceType
from konterfei.metrics import Measurement
from konterfei.metrics.ground_truth import TRUTHS, TrueSeries, common_mask
from konterfei.metrics.observation import Eyes, start_of
from konterfei.metrics.series import Array, Series


def measure_truths(truth: TrueSeries, result: Series, plate: Series) -> Iterator[tuple[str, Measurement]]:
    """Every comparison of the table, by name; its part `plate` is what no swap at all gets.

    Args:
        truth: the true swap's face.
        result, plate: the same frames of result and plate, in dst's aligned space.
    """
    for name in TRUTHS:
        metric = TRUTHS.load(name)
        found: Measurement = metric(truth, result)
        yield name, replace(found, parts={**found.parts, "plate": metric(truth, plate).value})


class TruthObserver:
    """Collects frames of the true swap, of the plate and of results, in order.

    Args:
        eyes: the networks; the same that look at the results.
        exact: landmarks of src in the truth, by construction, frame pixels. [F, 68, 2] float32
        plate_exact: landmarks of dst in the plate, likewise. [F, 68, 2] float32
        size: side of the crops, px.
        num_pictures: how many are laid beside the truth: the plate and the results.
    """

    def __init__(self, eyes: Eyes, exact: Array, plate_exact: Array, size: int, num_pictures: int) -> None:
        self._eyes, self._exact, self._plate_exact, self._size = eyes, exact, plate_exact, size
        self._rows: dict[int, dict[str, Array]] = {}
        self._crops: dict[int, list[Array]] = {}
        self._num_pictures = num_pictures

    def add(self, index: int, true: NDArray[np.uint8], pictures: Sequence[NDArray[np.uint8]]) -> None:
        """One frame of each.

        Args:
            index: of the frame.
            true: the true swap, RGB. [H, W, 3] uint8
            pictures: the plate and the results, RGB. [H, W, 3] uint8 each
        """
        if len(pictures) != self._num_pictures:
            raise ValueError(f"expected {self._num_pictures} pictures beside the truth, got {len(pictures)}")
        crop, plate_crop = (Crop.fit(p[index], FaceType.FULL, self._size) for p in (self._exact, self._plate_exact))
        exact = crop.crop_from_frame @ self._exact[index]
        self._rows[index] = {
            "exact": exact,
            "masks": common_mask(exact, plate_crop.crop_from_frame @ self._plate_exact[index], self._size),
            "crops": crop.cut(true),
            **self._look(true, self._exact[index], crop),
        }
        self._crops[index] = [plate_crop.cut(picture) for picture in pictures]

    def _look(self, image: NDArray[np.uint8], points: Array, crop: Crop) -> dict[str, Array]:
        """What the networks see of the truth, points in the crop; NaN where the landmarker is not sure of a face."""
        eyes = self._eyes
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        start = start_of(Face(box=box, landmarks=points))
        (answer,) = eyes.landmarker.landmarks(image, [start])
        found = np.asarray(answer.points, np.float32)
        seen = {
            "landmarks": crop.crop_from_frame @ found,
            "embeddings": eyes.recognizer.embed(image, [found])[0],
            "witness": np.zeros(0, np.float32) if eyes.witness is None else eyes.witness.embed(image, [found])[0],
        }
        if answer.presence >= eyes.landmarker.usual_presence:
            return seen
        return {name: np.full_like(value, np.nan) for name, value in seen.items()}

    def likeness(self, vector: Array) -> float:
        """Mean cosine of the faces in the truth with `vector` [E], of unit length; NaN where none was clearly seen."""
        seen = [row["embeddings"] @ vector for row in self._rows.values()]
        return float(np.nanmean(seen)) if np.isfinite(seen).any() else float("nan")

    def series(self, pictures: Sequence[Series]) -> tuple[TrueSeries, list[Series]]:
        """The truth, and plate and results in dst's aligned space.

        Args:
            pictures: plate and results as seen in the frame (of `Observer.series`), in the order of `add`; their frames
                must have been added.
        """
        indices = pictures[0].indices
        rows = [self._rows[int(index)] for index in indices]

        def stacked(name: str, kind: type) -> Array:
            return np.stack([row[name] for row in rows]).astype(kind)

        truth = TrueSeries(
            indices=indices,
            crops=stacked("crops", np.uint8),
            **{name: stacked(name, np.float32) for name in ("landmarks", "embeddings", "witness", "masks", "exact")},
        )
        return truth, [self._aligned(series, k, truth.masks) for k, series in enumerate(pictures)]

    def _aligned(self, series: Series, number: int, masks: Array) -> Series:
        matrices = [
            Crop.fit(self._plate_exact[int(index)], FaceType.FULL, self._size).crop_from_frame
            for index in series.indices
        ]
        landmarks, irises = (
            np.stack([matrix @ points for matrix, points in zip(matrices, found, strict=True)]).astype(np.float32)
            for found in (series.landmarks, series.irises)
        )
        crops = np.stack([self._crops[int(index)][number] for index in series.indices])
        return Series(
            indices=series.indices,
            landmarks=landmarks,
            irises=irises,
            embeddings=series.embeddings,
            witness=series.witness,
            crops=crops,
            masks=masks,
        )
