"""Each channel takes on the distribution of values of the plate's face, then fades at the mask's edge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.imaging import match_histogram
from konterfei.merge_modes.base import Laid, MergeMode, Patch

Array = NDArray[Any]


def lay(patch: Patch) -> Laid:
    """The face with the plate's histogram."""
    return Laid(image=matched(patch.image, patch))


def matched(image: Array, patch: Patch) -> Array:
    """`image` with the histogram of the patch's plate; without a mask to count in, as it is. [S, S, 3]

    DeepFaceLab paints white what the mask leaves out and counts it (dfl-spec 8.4.11); here it does not count.
    """
    counted = patch.alpha > 0 if patch.match_masked else np.ones(patch.alpha.shape, bool)
    if not counted.any():
        return image
    return match_histogram(image, image[counted], patch.plate[counted], patch.match_upto)


hist_match = MergeMode(lay)
