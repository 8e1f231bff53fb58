"""MobileFaceNet (Chen et al. 2018, arXiv 1804.07573): 192 numbers from an aligned face of 112 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Similarity
from konterfei.weights.session import allowed_cores, open_session

SIZE = 112
"""Side of the network's input in pixels."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Eyes, nose tip and mouth corners in the input, as the network was trained (ArcFace, arXiv 1801.07698). [5, 2]"""


class MobileFaceNet:
    """Adapter of the MobileFaceNet weights.

    Args:
        threads: faces of a frame that are looked at at once, 0 = one per core.
    """

    same_person: ClassVar[float] = 0.42
    """False matches 0.1 % over frames of 18 people (largest impostor 0.46, smallest same person 0.39)."""

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
        face = (_aligned(image, landmarks)[None].astype(np.float32) - 127.5) / 128
        vectors: NDArray[np.float32] = self._session.run(None, {"x": face})[0]
        return vectors


def five_points(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Eye centres, nose tip and mouth corners of 68 points [68, 2]. [5, 2]"""
    points = landmarks.astype(np.float64)
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])


def _aligned(image: NDArray[np.uint8], landmarks: NDArray[np.float32]) -> NDArray[np.uint8]:
    crop_from_frame = Similarity.fit(five_points(landmarks), TEMPLATE)
    scale = crop_from_frame.scale
    if scale < 0.5:  # sampling a large face alone would alias
        fold = min(round(1 / scale), 8)
        large = crop_from_frame.matrix * fold
        large[:, 2] += (fold - 1) / 2
        crop = cv2.warpAffine(image, large, (SIZE * fold, SIZE * fold), borderMode=cv2.BORDER_REPLICATE)
        crop = cv2.resize(crop, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    else:
        crop = cv2.warpAffine(image, crop_from_frame.matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)
