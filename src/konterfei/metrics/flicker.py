"""Do the pixels of the face flicker?"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series, mean

_MOST_DISAGREEMENT = 1.0  # px by which forward and backward flow may differ before a pixel counts as hidden

_BAD = 4.0  # grey levels


def _moved(image: Array, flow: Array) -> Array:
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    both_in_one: Any = None  # OpenCV's stubs want a second map
    return cv2.remap(image, grid + flow, both_in_one, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _seen_in_both(forth: Array, back: Array) -> Array:
    """Where going there and back ends within a pixel of the start: nothing was covered or uncovered. [S, S] bool"""
    return np.linalg.norm(forth + _moved(back, forth), axis=-1) < _MOST_DISAGREEMENT


def flicker(plate: Series, result: Series, people: People) -> Measurement:
    """Mean difference of neighbouring frames inside the face, motion taken out, minus the plate's, in grey levels.

    The motion is optical flow estimated on the plate and applied to both, so it cannot adapt to what flickers; pixels
    that are seen in one of the two frames only are left out. 0 is as steady as the plate; below 0 the result is
    steadier or softer (film grain counts as flicker). `tone` is the same for the face's mean colour alone: light that
    pumps.
    """
    estimate: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    ours, theirs, tone = (np.full(len(plate), np.nan) for _ in range(3))
    for i in np.flatnonzero(plate.neighbours):
        before, now = (cv2.cvtColor(plate.crops[k], cv2.COLOR_RGB2GRAY) for k in (i - 1, i))
        back = estimate.calc(now, before, None)  # where each pixel of now was before
        forth = estimate.calc(before, now, None)
        weight = plate.masks[i] * _seen_in_both(back, forth)
        if weight.sum() < 1:
            continue
        share = (weight / weight.sum())[..., None]
        changes = [
            series.crops[i].astype(np.float32) - _moved(series.crops[i - 1].astype(np.float32), back)
            for series in (result, plate)
        ]
        ours[i], theirs[i] = (float((np.abs(change) * share).sum() / 3) for change in changes)
        tones = [np.abs((change * share).sum(axis=(0, 1))).mean() for change in changes]
        tone[i] = tones[0] - tones[1]
    return Measurement(
        value=mean(ours - theirs),
        unit="grey levels of 255",
        better="lower",
        perfect=0.0,
        parts={"result": mean(ours), "plate": mean(theirs), "tone": mean(tone)},
        per_frame=ours - theirs,
        faults={"flickers": Fault(ours - theirs, _BAD), "its light pumps": Fault(tone, _BAD)},
    )
