"""HSE-FaceRes (Savchenko 2019, doi 10.7717/peerj-cs.197): 1024 numbers from a MobileNet.

It serves as a witness: no training of ours learns from it, and it is another network than MobileFaceNet, which learned
otherwise and from other pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from konterfei.recognizers.aligned import aligned
from konterfei.weights.session import allowed_cores, open_session

SIZE = 224
"""Side of the network's input in pixels."""

MARGIN = 1.15
"""Chosen on 11 people: d' 7.2 at 1.0, 7.5 here, 7.2 at 1.3, 6.5 at 1.8; the other 12 had 6.8, 7.1, 7.1, 5.8. Beyond,
hair and background come in, which belong to the clip rather than to the person."""

MEAN_BGR = np.array([103.939, 116.779, 123.68], np.float32)
"""Of ImageNet; taken off each picture, as in training (Keras, "caffe" style). [3]"""


class FaceRes:
    """Adapter of the HSE-FaceRes weights.

    Args:
        threads: faces of a frame that are looked at at once, 0 = one per core.
    """

    same_person: ClassVar[float] = 0.5
    """False matches 0.1 % over frames of 23 people; 99 % of the pairs of frames of one person reach it."""
    limits: ClassVar[str] = (
        "Learned from VGGFace2, famous people from the web, most of them white. Over video frames of 23 people, one "
        "person 0.85 and others 0.10 in the mean; of 1000 pairs of different people one reaches 0.48. What harms the "
        "picture lowers it: a face 24 pixels wide 0.57, the lower face covered 0.59, glasses drawn on 0.60, a face "
        "pasted into somebody else's head 0.62. No training learns from it: of pictures that mobilefacenet was made to "
        "take for somebody else (0.97) it says 0.34. Otherwise both err on much the same pairs."
    )

    def __init__(self, threads: int = 0) -> None:
        self._session = open_session("faceres", threads=1)
        self._pool = ThreadPoolExecutor(threads or allowed_cores(), "faceres")

    def embed(self, image: NDArray[np.uint8], landmarks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:  # noqa: D102
        if not landmarks:
            return np.zeros((0, 1024), np.float32)
        ask = partial(self._ask, image)
        vectors = np.concatenate([ask(landmarks[0])] if len(landmarks) == 1 else list(self._pool.map(ask, landmarks)))
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.maximum(norms, 1e-12)).astype(np.float32)

    def _ask(self, image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
        face = aligned(image, landmarks, SIZE, MARGIN)[None, ..., ::-1].astype(np.float32) - MEAN_BGR
        vectors: NDArray[np.float32] = self._session.run(None, {"x": face})[0]
        return vectors
