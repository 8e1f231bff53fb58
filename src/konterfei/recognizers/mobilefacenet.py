"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573): 192 numbers from an aligned face of 112 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from konterfei.recognizers.aligned import aligned
from konterfei.weights.session import allowed_cores, open_session

SIZE = 112
"""Side of the network's input in pixels."""


class MobileFaceNet:
    """Adapter of the MobileFaceNet weights.

    Args:
        threads: faces of a frame that are looked at at once, 0 = one per core.
    """

    same_person: ClassVar[float] = 0.42
    """False matches 0.1 % over frames of 18 people (largest impostor 0.46, smallest same person 0.39); 1 % over 23
    people, many of the pairs before one webcam in one light (docs/limits.md)."""

    limits: ClassVar[str] = (
        "Learned from MS-Celeb-1M, famous people from the web, most of them white. Over video frames of 23 people, one "
        "person 0.88 and others 0.04 in the mean; of 1000 pairs of different people ten reach 0.42, one reaches 0.54. "
        "What harms the picture lowers it: a face 24 pixels wide 0.61, the lower face covered 0.65, glasses drawn on "
        "0.72, a face pasted into somebody else's head 0.73. `--identity-power` trains by it, and a picture can be "
        "changed until it says 0.97 of somebody else."
    )

    def __init__(self, threads: int = 0) -> None:
        self._session = open_session("mobilefacenet", threads=1)  # it is too small to be shared out
        self._pool = ThreadPoolExecutor(threads or allowed_cores(), "mobilefacenet")

    def embed(self, image: NDArray[np.uint8], landmarks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:  # noqa: D102
        if not landmarks:
            return np.zeros((0, 192), np.float32)
        ask = partial(self._ask, image)  # one face at a time: it gains nothing from a batch
        vectors = np.concatenate([ask(landmarks[0])] if len(landmarks) == 1 else list(self._pool.map(ask, landmarks)))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)

    def _ask(self, image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        face = (aligned(image, landmarks, SIZE)[None].astype(np.float32) - 127.5) / 128
        vectors: NDArray[np.float32] = self._session.run(None, {"x": face})[0]
        return vectors
