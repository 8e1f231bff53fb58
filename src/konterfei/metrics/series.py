"""One person over the frames of a video, as arrays: what metrics are calculated from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import LEFT_EYE, NUM_POINTS, RIGHT_EYE
from konterfei.metrics.outside import FIGURES

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """N frames of one person. Rows of frames in which no face was found are NaN.

    Attributes:
        indices: number of each frame, ascending; neighbours in the video differ by 1. [N] int64
        landmarks: frame pixels. [N, 68, 2] float32
        embeddings: unit length. [N, D] float32
        crops: RGB, cut by the plate's alignment in plate and result alike. [N, S, S, 3] uint8
        masks: where in the crop the plate's face is, 1 = face. [N, S, S] float32
        irises: centres of the irises, image-left eye first; frame pixels. NaN where they are not known. [N, 2, 2]
            float32
        witness: unit vectors of a second recognizer, which no loss of ours learns from; it may have none. [N, E]
            float32
        outside: what changed in the whole frame where no face was swapped, by `metrics.outside.FIGURES`; NaN where that
            is not known. [N, 5] float64
    """

    indices: Array
    landmarks: Array
    embeddings: Array
    crops: Array
    masks: Array
    irises: Array = None  # type: ignore[assignment]  # made below where it is not given
    witness: Array = None  # type: ignore[assignment]
    outside: Array = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        count = len(self.indices)
        if self.irises is None:
            object.__setattr__(self, "irises", np.full((count, 2, 2), np.nan, np.float32))
        if self.witness is None:
            object.__setattr__(self, "witness", np.zeros((count, 0), np.float32))
        if self.outside is None:
            object.__setattr__(self, "outside", np.full((count, len(FIGURES)), np.nan))
        if self.landmarks.shape != (count, NUM_POINTS, 2) or self.embeddings.shape[:-1] != (count,):
            raise ValueError(f"{count} frames, landmarks {self.landmarks.shape}, embeddings {self.embeddings.shape}")
        if self.irises.shape != (count, 2, 2) or self.witness.shape[:-1] != (count,):
            raise ValueError(f"{count} frames, irises {self.irises.shape}, witness {self.witness.shape}")
        if self.outside.shape != (count, len(FIGURES)):
            raise ValueError(f"{count} frames, figures of what lies outside {self.outside.shape}")
        if self.crops.shape[:1] != (count,) or self.masks.shape != self.crops.shape[:3]:
            raise ValueError(f"{count} frames, crops {self.crops.shape}, masks {self.masks.shape}")
        if count and (np.diff(self.indices) <= 0).any():
            raise ValueError("frames are not in ascending order")

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def eye_distance(self) -> Array:
        """Distance of the eyes' centres, frame pixels. [N] float64"""
        points = self.landmarks.astype(np.float64)
        return np.linalg.norm(points[:, LEFT_EYE].mean(axis=1) - points[:, RIGHT_EYE].mean(axis=1), axis=-1)

    @property
    def neighbours(self) -> Array:
        """Whether each frame directly follows the one before it in the series. [N] bool, the first False"""
        return np.diff(self.indices, prepend=self.indices[:1] - 2 if len(self) else []) == 1


@dataclass(frozen=True, kw_only=True, eq=False)
class People:
    """Who is who: mean embeddings, unit length.

    Attributes:
        src, dst: of the recognizer of `Series.embeddings`. [D] float32 each
        witness_src, witness_dst: of the recognizer of `Series.witness`; empty where there is none. [E] float32 each
    """

    src: Array
    dst: Array
    witness_src: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    witness_dst: Array = field(default_factory=lambda: np.zeros(0, np.float32))


def second_difference(landmarks: Array, neighbours: Array) -> Array:
    """Acceleration of each point at each frame: what the eye sees as shaking, since even motion cancels out.

    Args:
        landmarks: [N, 68, 2]
        neighbours: `Series.neighbours`

    Returns:
        [N, 68, 2] float64, pixels per frame squared; NaN for frames without both neighbours
    """
    points = np.asarray(landmarks, np.float64)
    bent = np.full(points.shape, np.nan)
    bent[1:-1] = points[2:] - 2 * points[1:-1] + points[:-2]
    bent[1:-1][~(neighbours[1:-1] & neighbours[2:])] = np.nan
    return bent


def mean(values: Array) -> float:
    """Mean of the numbers among `values`; NaN when there is none."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else float("nan")


def quantile(values: Array, share: float) -> float:
    """Quantile of the numbers among `values`; NaN when there is none."""
    found = np.asarray(values, np.float64)
    found = found[np.isfinite(found)]
    return float(np.quantile(found, share)) if found.size else float("nan")
