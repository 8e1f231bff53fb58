"""The performers of `stages_checked.py`: frames, and what is true about them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import LEFT_EYE, RIGHT_EYE, Face, landmarks_box
from konterfei.io.video import open_frames
from konterfei.performers import PerformerConfig, Truth, read_truth, render_performer
from konterfei.performers.anatomy import OVAL
from konterfei.reporting import Silent

Array = NDArray[Any]
SEED = 2


@dataclass(frozen=True)
class Figure:
    """One number about a stage.

    Attributes:
        value: the number.
        better: "lower" or "higher".
        limit: beyond which the stage is broken; None = for information.
        digits: behind the point, as shown.
    """

    value: float
    better: Literal["lower", "higher"] = "lower"
    limit: float | None = None
    digits: int = 2

    @property
    def mark(self) -> str:
        """ "!" where the value is beyond its limit, or no number at all."""
        if self.limit is None:
            return ""
        within = self.value <= self.limit if self.better == "lower" else self.value >= self.limit
        return "" if within else "!"


Figures = dict[str, dict[str, Figure]]
"""Case -> name of the figure -> figure."""


@dataclass(frozen=True, eq=False)
class Filmed:
    """One performer in a clip. F frames.

    Attributes:
        name: of the performer.
        frames: RGB. [F, H, W, 3] uint8
        truth: by construction.
    """

    name: str
    frames: Array
    truth: Truth

    def face(self, index: int) -> Face:
        """With its exact landmarks."""
        points = self.truth.landmarks[index]
        return Face(box=landmarks_box(points), landmarks=points, iris=self.truth.iris[index])

    def outline(self, index: int) -> Array:
        """Of the face, as the mesh has it: from the middle of the forehead to the chin. [36, 2]"""
        return self.truth.mesh[index][list(OVAL)]

    def box(self, index: int) -> Array:
        """Upright, around the outline. [4]"""
        points = self.outline(index)
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    @property
    def yaw(self) -> Array:
        """Turn of the head, degrees without sign. [F]"""
        return np.abs(np.rad2deg([pose.yaw for pose in self.truth.poses]))


@dataclass(frozen=True, eq=False)
class People:
    """Everyone on their own set, and the first two on one another's.

    Attributes:
        own: by name.
        visiting: by (name, whose set).
    """

    own: dict[str, Filmed]
    visiting: dict[tuple[str, str], Filmed]


def make_people(folder: Path, small: bool) -> People:
    """Renders the clips, or takes what lies there. Raises ConfigError without openpeople."""
    names = ("P006", "P007") if small else ("P001", "P002", "P005", "P006", "P007")
    size, fps, seconds = (256, 25, 1.6) if small else (512, 25, 6.0)

    def film(name: str, place: str | None = None) -> Filmed:
        clip = folder / f"{name}_{place or 'own'}_{size}.mp4"
        config = PerformerConfig(
            person=name,
            set_of=place,
            output=clip,
            seconds=seconds,
            fps=Fraction(fps),
            size=size,
            seed=SEED,
            sound=False,
        )
        render_performer(config, Silent())
        return Filmed(name, np.stack([frame.image for frame in open_frames(clip)]), read_truth(clip))

    own = {name: film(name) for name in names}
    pairs = [("P007", "P006"), ("P006", "P007")]
    return People(own, {pair: film(*pair) for pair in pairs})


def eye_distance(points: Array) -> Array:
    """Of the eyes' centres. [..., 68, 2] -> [...]"""
    return np.linalg.norm(points[..., RIGHT_EYE, :].mean(axis=-2) - points[..., LEFT_EYE, :].mean(axis=-2), axis=-1)


def region_mask(outline: Array, size: int) -> Array:
    """What an outline in crop pixels encloses. [S, S] float32, soft at the edge"""
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / 255
