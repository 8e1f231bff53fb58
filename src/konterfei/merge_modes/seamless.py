"""The face keeps its gradients and takes the plate's colours at its edge: Poisson image editing.

Perez et al. 2003, "Poisson image editing": what is added to the face is the membrane, harmonic inside, that spans the
differences at the edge. It is broad, so it is solved on a coarse grid of the crop, in floats: 16-bit plates keep their
depth, and nothing is rounded from frame to frame. OpenCV's seamlessClone, as DeepFaceLab uses it, works on whole 8-bit
frames.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.imaging import fill_smoothly
from konterfei.merge_modes.base import Laid, MergeMode, Patch

Array = NDArray[Any]

_GRID: Final = 64
"""Side of the grid that the membrane is solved on."""
_EDGE: Final = 0.1
"""Coverage at which the face's edge is taken to be, as in DeepFaceLab."""


def lay(patch: Patch) -> Laid:
    """The face with the plate's light at its edge."""
    return Laid(image=cloned(patch))


def cloned(patch: Patch) -> Array:
    """The patch's image plus the membrane. [S, S, 3] float32 in [0, 1]"""
    size = patch.alpha.shape[0]
    grid = min(size, _GRID)
    gap = cv2.subtract(patch.plate, patch.image)
    small = cv2.resize(gap, (grid, grid), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(patch.alpha, (grid, grid), interpolation=cv2.INTER_AREA) > _EDGE
    inside[[0, -1]], inside[:, [0, -1]] = False, False
    membrane = cv2.resize(fill_smoothly(small, inside), (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(patch.image + membrane, 0.0, 1.0)


seamless = MergeMode(lay)
