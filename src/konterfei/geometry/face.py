"""One person in one frame."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry.landmarks import ALIGNED, TEMPLATE, checked
from konterfei.geometry.similarity import Similarity

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Face:
    """What is known of a face in a frame. Coordinates in frame pixels."""

    box: Array
    """left, top, right, bottom. [4] float32"""
    landmarks: Array
    """68-point scheme. [68, 2] float32"""
    score: float = 1.0
    """The detector's certainty, 0 to 1."""
    embedding: Array | None = None
    """Who it is: unit length. [D] float32"""
    iris: Array | None = None
    """Centres of the irises, image-left eye first. [2, 2] float32"""
    presence: float = 1.0
    """The landmarker's certainty that there is a face at all, 0 to 1."""
    track: int | None = None
    """Number of the track of one person over a shot; None before tracking."""
    person: int | None = None
    """Number of the person in the video, 0 = most often seen; None = not known."""

    def __post_init__(self) -> None:
        self._keep("box", np.asarray(self.box, dtype=np.float32).reshape(4))
        self._keep("landmarks", checked(self.landmarks).astype(np.float32))
        if self.embedding is not None:
            self._keep("embedding", np.asarray(self.embedding, dtype=np.float32).reshape(-1))
        if self.iris is not None:
            self._keep("iris", np.asarray(self.iris, dtype=np.float32).reshape(2, 2))

    @property
    def roll(self) -> float:
        """How far the face is turned in the frame, radians, clockwise on the screen, in (-pi, pi]."""
        return Similarity.fit(TEMPLATE, self.landmarks[ALIGNED]).rotation

    @property
    def size(self) -> float:
        """Side of the square with the box's area, px."""
        width, height = self.box[2:] - self.box[:2]
        return float(np.sqrt(max(width, 0.0) * max(height, 0.0)))

    @property
    def centre(self) -> Array:
        """Middle of the box, [2] float32."""
        return (self.box[:2] + self.box[2:]) / 2

    def with_(self, **changes: Any) -> Face:
        """This face with some fields changed."""
        return replace(self, **changes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Face):
            return NotImplemented
        return all(np.array_equal(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    __hash__ = None  # type: ignore[assignment]

    def _keep(self, name: str, value: Array) -> None:
        value = value.copy()
        value.setflags(write=False)
        object.__setattr__(self, name, value)
