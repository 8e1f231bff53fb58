"""Recognizers: who is who within a project, as unit vectors. A new one is one file here and one line in the table.

They tell the people of a clip apart and check that a swap resembles its source. konterfei never looks up a name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.registry import Entry, Registry


class Recognizer(Protocol):
    """Contract of the family; `tests/contracts/test_recognizers.py` runs over the table.

    A recognizer is made with `threads` (0 = the runtime decides).
    """

    same_person: ClassVar[float]
    """Cosine from which on two embeddings are taken for one person (false matches of about 1 in 1000)."""
    limits: ClassVar[str]
    """What it learned from, how well it does and where it fails: plain sentences with figures, for reports."""

    def embed(self, image: NDArray[np.uint8], landmarks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Unit vectors, one per face, in order. [N, D]

        Args:
            image: RGB. [H, W, 3] uint8
            landmarks: 68 points of each face, frame pixels. N x [68, 2]
        """


RECOGNIZERS = Registry(
    "recognizer",
    {
        "mobilefacenet": Entry("konterfei.recognizers.mobilefacenet:MobileFaceNet", "192 numbers, fast"),
        "faceres": Entry("konterfei.recognizers.faceres:FaceRes", "1024 numbers; other data, so a second opinion"),
    },
)
"""Every recognizer by name."""
