"""CenterFace (Xu et al. 2019, arXiv 1911.03599): faces as peaks of a heat map, box and five points at each."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detection, suppress, view_scale
from konterfei.weights.session import open_session

STRIDE = 4
"""Pixels per cell of the output maps."""


class CenterFace:
    """Adapter of the CenterFace weights.

    Args:
        threads: threads of the runtime, 0 = its choice.
        threshold: lowest score told.
        size: long side in pixels at which the network looks; larger frames are scaled down to it.
    """

    usual_threshold: ClassVar[float] = 0.5
    """As its authors use it in the wild."""

    limits: ClassVar[str] = (
        "Learned from WIDER FACE. Finds every face of 246 test pictures that are upright, 93 to 100 % lying on the "
        "side, 76 to 99 % with half the face covered; takes few animals for people (1 of 12 pictures)."
    )

    def __init__(self, threads: int = 0, threshold: float = usual_threshold, size: int = 640) -> None:
        self.threshold = threshold
        self.size = size
        self._session = open_session("centerface", threads)

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:  # noqa: D102
        height, width = image.shape[:2]
        scale = view_scale(height, width, self.size)
        # Sides are stretched to multiples of 32, as in training; the boxes are scaled back per axis.
        inner = tuple(max(round(side * scale / 32), 1) * 32 for side in (width, height))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        batch = cv2.resize(image, inner, interpolation=interpolation).astype(np.float32).transpose(2, 0, 1)[None]
        heat, sizes, offsets, marks = (out[0] for out in self._session.run(None, {"input.1": batch}))
        rows, columns = np.nonzero(heat[0] >= self.threshold)
        to_frame = np.array([width / inner[0], height / inner[1]], np.float32)
        found = []
        for row, column in zip(rows, columns, strict=True):
            # Maps hold y before x; sizes are logarithms of cells; points are fractions of the box from its corner.
            extent = np.exp(sizes[::-1, row, column]) * STRIDE
            center = (np.array([column, row]) + offsets[::-1, row, column] + 0.5) * STRIDE
            corner = center - extent / 2
            points = corner + marks[:, row, column].reshape(5, 2)[:, ::-1] * extent
            box = np.concatenate([corner * to_frame, (corner + extent) * to_frame]) - 0.5
            found.append(
                Detection(
                    box.astype(np.float32),
                    float(heat[0, row, column]),
                    (points * to_frame - 0.5).astype(np.float32),
                )
            )
        return suppress(found, 0.3)
