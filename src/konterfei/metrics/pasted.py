"""Where in a crop the merge changed the plate: what was pasted, seen from outside."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from konterfei.metrics.series import Array

_SIDE = 128  # px that crops are averaged down to before: finer is grain, and costs
# Shares of the crop's side:
_BLUR = 1 / 64  # standard deviation
_GROWN = 1 / 12  # beyond the hull from where on nothing is pasted: the encoder's noise is measured there
_CLOSED = 1 / 6  # holes of this size are places where both faces happen to look alike
_WEAK = 0.25  # quantile of the difference in the face that counts as fully changed
_SIGMAS = 5.0
_LEAST = 1.5  # grey levels: rounding alone


def pasted(plate: Array, result: Array, mask: Array) -> Array:
    """Where the result differs from the plate by more than noise.

    The mean difference of R, G and B, smoothed, against its noise outside the face (median + 5 standard deviations, 1.5
    grey levels at least): 0 up to there, 1 from the lower quartile of what differs in the face (three times the noise
    at least), so that the middle lies on the edge, however strong it is. Holes are closed. What changed farther from
    the hull than a twelfth of the side is not the face's.

    Args:
        plate, result: crops, RGB. [S, S, 3] uint8
        mask: the plate's face. [S, S] float32

    Returns:
        [S, S] float32 in [0, 1]; all 0 where nothing was changed, or nothing of the mask is in the crop
    """
    whole = mask.shape[1], mask.shape[0]
    small = min(_SIDE, whole[0]), min(_SIDE, whole[1])
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    inside = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
    apart = cv2.absdiff(*(cv2.resize(image, small, interpolation=cv2.INTER_AREA) for image in (plate, result)))
    apart = cv2.GaussianBlur(apart.astype(np.float32).mean(axis=-1), (0, 0), _BLUR * small[0])
    near = cv2.dilate(inside, _disk(2 * _GROWN * small[0])) > 0
    around = apart[~near]
    level = _LEAST
    if around.size:
        middle = float(np.median(around))
        level = max(level, middle + _SIGMAS * 1.4826 * float(np.median(np.abs(around - middle))))
    differs = apart[(inside > 0.5) & (apart > level)]
    full = max(3 * level, float(np.quantile(differs, _WEAK)) if differs.size else 0.0)
    region = np.clip((apart - level) / (full - level), 0, 1) * near
    region = cv2.morphologyEx(region, cv2.MORPH_CLOSE, _disk(_CLOSED * small[0]), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(region, whole, interpolation=cv2.INTER_LINEAR), np.float32)


def _disk(diameter: float) -> Any:
    side = 2 * round(diameter / 2) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
