"""Two detectors as one: the second is asked where the first sees nobody."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detection, Detector, suppress


class SecondOpinion:
    """A detector that asks `second` about an image in which `first` finds nothing that reaches `threshold`.

    Scores of the second are moved, so that its usual threshold comes to lie on that of the first.

    Args:
        first, second: any of the family.
        threshold: score of the first from which on it has found something.
    """

    limits: ClassVar[str] = "Those of the two detectors that it asks."

    def __init__(self, first: Detector, second: Detector, threshold: float) -> None:
        self.first, self.second, self.threshold = first, second, threshold
        self.usual_threshold = first.usual_threshold
        self.size = max(first.size, second.size)

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:  # noqa: D102
        seen = self.first.detect(image)
        if any(detection.score >= self.threshold for detection in seen):
            return seen
        asked = [replace(detection, score=self._told(detection.score)) for detection in self.second.detect(image)]
        return suppress([*seen, *asked])

    def _told(self, score: float) -> float:
        """A score of the second detector on the scale of the first: usual on usual, 1 on 1, straight between."""
        theirs, ours = self.second.usual_threshold, self.usual_threshold
        if score < theirs:
            return score * ours / theirs
        return ours + (score - theirs) * (1 - ours) / (1 - theirs)
