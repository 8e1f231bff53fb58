"""Faces cut out as recognizers expect them: eyes, nose tip and mouth corners laid on fixed places."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Similarity

TEMPLATE_SIZE = 112
"""Side of the picture that `TEMPLATE` lies in, pixels."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float64
)
"""Eyes, nose tip and mouth corners in a picture of 112 pixels (ArcFace, arXiv 1801.07698). [5, 2]"""

_MOST_FOLD = 8


def five_points(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """Eye centres, nose tip and mouth corners of 68 points [68, 2]. [5, 2]"""
    points = landmarks.astype(np.float64)
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])


def aligned(
    image: NDArray[np.uint8], landmarks: NDArray[np.float32], size: int = TEMPLATE_SIZE, margin: float = 1.0
) -> NDArray[np.uint8]:
    """The face, upright and centred. [S, S, 3]

    Args:
        image: RGB. [H, W, 3] uint8
        landmarks: 68 points, frame pixels. [68, 2]
        size: side of what is cut, pixels.
        margin: how much more is seen than in ArcFace's picture, as a factor on its side.
    """
    middle = TEMPLATE_SIZE / 2
    template = (TEMPLATE - middle) * (size / TEMPLATE_SIZE / margin) + size / 2
    crop_from_frame = Similarity.fit(five_points(landmarks), template)
    scale = crop_from_frame.scale
    if scale < 0.5:  # sampling a large face alone would alias
        fold = min(round(1 / scale), _MOST_FOLD)
        large = crop_from_frame.matrix * fold
        large[:, 2] += (fold - 1) / 2
        crop = cv2.warpAffine(image, large, (size * fold, size * fold), borderMode=cv2.BORDER_REPLICATE)
        crop = cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA)
    else:
        crop = cv2.warpAffine(image, crop_from_frame.matrix, (size, size), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(crop, np.uint8)
