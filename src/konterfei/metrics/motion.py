"""How the plate's face moves from frame to frame, in its crops: what metrics over time take out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from konterfei.metrics.series import Array, Series

_LEAST_SIDE = 12  # px that the flow needs
_MOST_DISAGREEMENT = 1.0  # px by which forward and backward flow may differ before a pixel counts as hidden


@dataclass(frozen=True, eq=False)
class Motion:
    """From one crop of the plate to the next.

    Attributes:
        back: from each pixel to where it was in the crop before, px. [S, S, 2] float32
        seen: going there and back ends within a pixel of the start: nothing was covered or uncovered. [S, S] bool
    """

    back: Array
    seen: Array

    def carried(self, image: Array) -> Array:
        """What was in the crop before, brought to where it is now. [S, S] or [S, S, 3], kind kept"""
        return _moved(image, self.back)


def motions(plate: Series) -> Iterator[tuple[int, Motion]]:
    """The motion from each row's predecessor to the row, where they are neighbours: dense optical flow (DIS, Kroeger
    et al. 2016) of the plate alone, so that it cannot adapt to what flickers in a result. None of crops below 12 px.
    """
    if min(plate.crops.shape[1:3]) < _LEAST_SIDE:
        return
    estimate: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    for i in np.flatnonzero(plate.neighbours):
        before, now = (cv2.cvtColor(plate.crops[k], cv2.COLOR_RGB2GRAY) for k in (i - 1, i))
        back, forth = estimate.calc(now, before, None), estimate.calc(before, now, None)
        seen = np.linalg.norm(forth + _moved(back, forth), axis=-1) < _MOST_DISAGREEMENT
        yield int(i), Motion(back, seen)


def _moved(image: Array, flow: Array) -> Array:
    height, width = flow.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    both_in_one: Any = None  # OpenCV's stubs want a second map
    return cv2.remap(image, grid + flow, both_in_one, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
