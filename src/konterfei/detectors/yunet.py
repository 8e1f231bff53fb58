"""YuNet (Wu, Peng, Yu 2023, doi 10.1007/s11633-023-1423-y): face boxes with five points, 76 k parameters."""

from __future__ import annotations

from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detection, suppress, view_scale
from konterfei.weights.session import open_session

STRIDES = (8, 16, 32)
"""Pixels per cell of the three output maps."""


class YuNet:
    """Adapter of the YuNet weights.

    Args:
        threads: threads of the runtime, 0 = its choice.
        threshold: lowest score told.
        size: long side in pixels at which the network looks; larger frames are scaled down to it.
    """

    usual_threshold: ClassVar[float] = 0.7
    """Keeps small and half-hidden faces. People score 0.86 and more in 99 of 100 cases, animals up to 0.85: what lies
    between is left for the landmarker's presence and for the length of the track to decide."""

    limits: ClassVar[str] = (
        "Learned from WIDER FACE. Finds every face of 246 test pictures that are upright, 98 to 100 % with the lower "
        "part of the face covered or at a roll of 30 degrees, 70 to 76 % lying on the side; takes some animals for "
        "people (7 of 12 pictures). Its five points are only a start for the landmarker."
    )

    def __init__(self, threads: int = 0, threshold: float = usual_threshold, size: int = 640) -> None:
        self.threshold = threshold
        self.size = size
        self._session = open_session("yunet", threads)

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:  # noqa: D102
        height, width = image.shape[:2]
        scale = view_scale(height, width, self.size)
        inner = (max(round(width * scale), 1), max(round(height * scale), 1))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        resized = cv2.resize(image, inner, interpolation=interpolation)
        # The network halves five times: sides are filled up to multiples of 32.
        padded = np.zeros((-(-inner[1] // 32) * 32, -(-inner[0] // 32) * 32, 3), np.uint8)
        padded[: inner[1], : inner[0]] = resized[..., ::-1]  # it was trained on BGR
        batch = padded.astype(np.float32).transpose(2, 0, 1)[None]
        outputs = self._session.run(None, {"input": batch})
        boxes, points, scores = _decode([out[0] for out in outputs], padded.shape[0], padded.shape[1])
        keep = scores >= self.threshold
        to_frame = np.array([width / inner[0], height / inner[1]], np.float32)
        return suppress(
            [
                Detection((box.reshape(2, 2) * to_frame).reshape(4) - 0.5, float(score), five * to_frame - 0.5)
                for box, five, score in zip(boxes[keep], points[keep], scores[keep], strict=True)
            ]
        )


def _decode(
    maps: list[NDArray[np.float32]], height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Boxes [N, 4], points [N, 5, 2] and scores [N] of every cell; coordinates are corners-at-0 pixels of the input.

    `maps`: class, objectness, box and points, each for the three strides in turn.
    """
    boxes, points, scores = [], [], []
    for level, stride in enumerate(STRIDES):
        face, objectness, box, five = (maps[kind * len(STRIDES) + level] for kind in range(4))
        rows, columns = np.divmod(np.arange((height // stride) * (width // stride)), width // stride)
        cells = np.stack([columns, rows], axis=1).astype(np.float32)
        scores.append(np.sqrt(np.clip(face[:, 0], 0, 1) * np.clip(objectness[:, 0], 0, 1)))
        centers = (cells + box[:, :2]) * stride
        halves = np.exp(box[:, 2:]) * stride / 2
        boxes.append(np.concatenate([centers - halves, centers + halves], axis=1))
        points.append((five.reshape(-1, 5, 2) + cells[:, None]) * stride)
    return np.concatenate(boxes), np.concatenate(points), np.concatenate(scores)
