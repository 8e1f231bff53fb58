"""Broad differences of light at the edge even out over a wide band, detail fades over the narrow one of the mask."""

from __future__ import annotations

import math
from typing import Final

from konterfei.imaging import alpha_blend, laplacian_blend
from konterfei.merge_modes.base import Laid, MergeMode, Patch

_BROADEST: Final = 1.0 / 24.0
"""Grain of the broadest band that is evened out, as a fraction of the crop side. Looked at on real clips: half of it
leaves a rim of light above the brows, twice of it lets the plate's own brows shine through."""


def lay(patch: Patch) -> Laid:
    """The face, and what a multiband blend adds to an alpha blend; broad as that is, it needs no more pixels."""
    levels = max(round(math.log2(patch.alpha.shape[0] * _BROADEST)), 1)
    evened = laplacian_blend(patch.plate, patch.image, patch.alpha, levels)
    return Laid(image=patch.image, light=evened - alpha_blend(patch.plate, patch.image, patch.alpha))


multiband = MergeMode(lay)
