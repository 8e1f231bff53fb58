"""The face keeps its gradients and takes the plate's colours at its edge: Poisson image editing.

Perez et al. 2003, "Poisson image editing": what is added to the face is the membrane, harmonic inside, that spans the
differences at the edge. The edge is the mask's soft one: nothing flips from frame to frame. It is broad, so it is
solved on a coarse grid of the crop, in floats: 16-bit plates keep their depth, and nothing is rounded. OpenCV's
seamlessClone, as DeepFaceLab uses it, works on whole 8-bit frames. Colours are transferred afterwards, as there: what
is cloned hangs on the edge, and the plate's mean is calmer.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.imaging import membrane
from konterfei.merge_modes.base import Laid, MergeMode, Patch

Array = NDArray[Any]

_GRID: Final = 64
"""Side of the grid that the membrane is solved on."""
_TIE: Final = 0.5
"""How strongly the membrane is tied to the differences in the mask's soft edge. Tied wholly to a line of pixels, as in
the paper, the face's light jumps with every pixel of that line; on a real clip, by 0.32 levels in place of 0.24."""


def lay(patch: Patch) -> Laid:
    """The face with the plate's light at its edge."""
    return Laid(image=cloned(patch))


def cloned(patch: Patch) -> Array:
    """The patch's image plus the membrane. [S, S, 3] float32 in [0, 1]"""
    size = patch.alpha.shape[0]
    grid = min(size, _GRID)
    gap = cv2.resize(cv2.subtract(patch.plate, patch.image), (grid, grid), interpolation=cv2.INTER_AREA)
    alpha = cv2.resize(patch.alpha, (grid, grid), interpolation=cv2.INTER_AREA)
    spanned = membrane(gap, 4.0 * _TIE * alpha * (1.0 - alpha))
    return np.clip(patch.image + cv2.resize(spanned, (size, size), interpolation=cv2.INTER_LINEAR), 0.0, 1.0)


seamless = MergeMode(lay, color_last=True)
