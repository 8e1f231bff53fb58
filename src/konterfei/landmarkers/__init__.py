"""Landmarkers: the 68 points of a face, to a fraction of a pixel. A new one is one file here, one line in the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.registry import Entry, Registry


class Seen(Protocol):
    """What a landmarker needs of a detection (families do not import one another)."""

    @property
    def box(self) -> NDArray[np.float32]:
        """Left, top, right, bottom in frame pixels. [4]"""

    @property
    def points(self) -> NDArray[np.float32]:
        """Eye, eye, nose tip, mouth corner, mouth corner, as on an upright face; frame pixels. [5, 2]"""


@dataclass(frozen=True)
class Window:
    """The turned square of a frame in which a landmarker looks."""

    x: float
    """Centre, frame pixels."""
    y: float
    """Centre, frame pixels."""
    side: float
    """Frame pixels."""
    roll: float
    """Radians; 0 = upright, positive = the head's top turned towards the image's right (clockwise as seen)."""


@dataclass(frozen=True)
class Landmarked:
    """What a landmarker says about one window."""

    points: NDArray[np.float32]
    """68-point scheme, frame pixels. [68, 2]"""
    iris: NDArray[np.float32] | None
    """Centres of the irises, image-left eye of an upright face first; frame pixels. [2, 2]"""
    presence: float
    """Probability that the window shows a face, 0 to 1; low on full profiles too."""
    window: Window
    """Where to look in the next frame."""
    mesh: NDArray[np.float32] | None = None
    """All points of the landmarker's own scheme: x and y in frame pixels, z in the same unit, towards the viewer
    negative. [P, 3]"""


class Landmarker(Protocol):
    """Contract of the family; `tests/contracts/test_landmarkers.py` runs over the table.

    A landmarker is made with `threads` (0 = the runtime decides).
    """

    usual_presence: ClassVar[float]
    """Presence from which on the window is taken for a face."""
    limits: ClassVar[str]
    """What it learned from, how well it does and where it fails: plain sentences with figures, for reports."""

    def landmarks(self, image: NDArray[np.uint8], starts: Sequence[Seen | Window]) -> list[Landmarked]:
        """One answer per start, in order; none depends on the other starts.

        Args:
            image: RGB. [H, W, 3] uint8
            starts: a detection (the landmarker finds its own window in it) or the window that the last frame's answer
                names (cheaper: no second look is needed).
        """


LANDMARKERS = Registry(
    "landmarker",
    {"mesh478": Entry("konterfei.landmarkers.mesh478:Mesh478", "478-point mesh with attention, iris included")},
)
"""Every landmarker by name."""
