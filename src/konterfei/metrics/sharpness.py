"""Is the result as sharp as the plate?"""

from __future__ import annotations

import cv2
import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series, quantile

_BAD = float(np.log(2.0))  # half or twice the variance


def detail(image: Array, mask: Array) -> float:
    """Variance of the Laplacian inside the mask: the common measure of focus (Pech-Pacheco et al., ICPR 2000).

    Args:
        image: RGB. [S, S, 3] uint8
        mask: [S, S] float32; its rim is left out, where a seam would count as detail
    """
    inner = cv2.erode(mask, np.ones((9, 9), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    total = float(inner.sum())
    if total < 1:
        return float("nan")
    edges = cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F)
    centre = float((edges * inner).sum()) / total
    return float((inner * (edges - centre) ** 2).sum()) / total


def sharpness(plate: Series, result: Series, people: People) -> Measurement:
    """Median ratio of detail (variance of the Laplacian) inside the face, result to plate; 1 is as sharp.

    Below 1 the result is soft; far above 1 it is noisy or over-sharpened.
    """
    ratio = np.full(len(plate), np.nan)
    for i, mask in enumerate(plate.masks):
        theirs = detail(plate.crops[i], mask)
        if theirs > 1e-6:
            ratio[i] = detail(result.crops[i], mask) / theirs
    softer = -np.log(np.maximum(ratio, 1e-6))
    return Measurement(
        value=quantile(ratio, 0.5),
        unit="ratio",
        better="near",
        perfect=1.0,
        parts={"softest_5_percent": quantile(ratio, 0.05), "sharpest_5_percent": quantile(ratio, 0.95)},
        per_frame=ratio,
        faults={"soft": Fault(softer, _BAD), "too sharp or noisy": Fault(-softer, _BAD)},
        of_rows=lambda rows: quantile(ratio[rows], 0.5),
    )
