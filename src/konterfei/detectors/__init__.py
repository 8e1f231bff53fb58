"""Detectors: where faces are in a frame, roughly. A new one is one file here and one line in `DETECTORS`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.registry import Entry, Registry


@dataclass(frozen=True)
class Detection:
    """One face that a detector saw."""

    box: NDArray[np.float32]
    """Left, top, right, bottom in frame pixels; may reach outside the frame. [4]"""
    score: float
    """How sure the detector is, 0 to 1."""
    points: NDArray[np.float32]
    """Eye, eye, nose tip, mouth corner, mouth corner; image-left first on an upright face. Frame pixels. [5, 2]"""


class Detector(Protocol):
    """Contract of the family; `tests/contracts/test_detectors.py` runs over the table.

    A detector is made with `threads` (0 = the runtime decides) and `threshold` (score below which it stays silent;
    by default `usual_threshold`). It is pure: the same image gives the same answer.
    """

    usual_threshold: ClassVar[float]
    """Score from which on its authors, or our measurements, take a detection for a face."""
    limits: ClassVar[str]
    """What it learned from, how well it does and where it fails: plain sentences with figures, for reports."""
    size: int
    """Long side in pixels at which it looks: a larger frame is as good when it is reduced to that before."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Faces in `image`, best score first. Any size from 16 px up; works at a bounded resolution of its own.

        Args:
            image: RGB. [H, W, 3] uint8
        """


DETECTORS = Registry(
    "detector",
    {
        "yunet": Entry("konterfei.detectors.yunet:YuNet", "fast; faces up to about 60 degrees of tilt"),
        "centerface": Entry("konterfei.detectors.centerface:CenterFace", "ten times slower; hard light, tilted faces"),
    },
)
"""Every detector by name."""


SMALL_FRAME = 320
"""Frames whose long side is shorter are enlarged to it. Enlarging more finds faces of 25 pixels oftener (93 against
83 of 100) but scores ordinary ones lower and costs double: `looks.look_closer` does it when nothing was found."""


def view_scale(height: int, width: int, size: int) -> float:
    """Factor by which a detector resizes a frame before it looks: to `size` at most, to `SMALL_FRAME` at least."""
    longest = max(height, width)
    return min(size / longest, max(1.0, SMALL_FRAME / longest))


def overlap(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of `box` [4] with each of `boxes` [N, 4]. [N], 0 to 1"""
    corner = np.maximum(box[:2], boxes[:, :2])
    opposite = np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(opposite - corner, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return (shared / np.maximum(areas - shared, 1e-9)).astype(np.float32)


def suppress(detections: list[Detection], most_overlap: float = 0.4) -> list[Detection]:
    """`detections` without those that overlap a better one by more than `most_overlap`; best score first."""
    waiting = sorted(detections, key=lambda detection: -detection.score)
    kept: list[Detection] = []
    for detection in waiting:
        others = np.array([other.box for other in kept], np.float32).reshape(-1, 4)
        if not (overlap(detection.box, others) > most_overlap).any():
            kept.append(detection)
    return kept
