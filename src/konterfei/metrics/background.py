"""Is the frame around the face as it was?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.outside import FIGURES
from konterfei.metrics.series import People, Series, mean

_BAD_TILE = 5.0  # CIEDE2000 over 32 px: another shade


def background(plate: Series, result: Series, people: People) -> Measurement:
    """Share of the frame outside the swapped faces that changed visibly, mean over frames, in %.

    Outside is what lies beyond the hulls of the faces, brows raised to the hair, grown by a quarter of the eye
    distance, and is no label. A block of 4 px has changed when its mean colour is 3 or more off (CIEDE2000), which the
    encoder alone hardly does. `worst_tile_de00` is the largest mean difference of a tile of 32 px in any frame
    (CIEDE2000). `psnr_db` (of all pixels, 99 where nothing changed) and `ssim` show the encoder's work too.
    `percent_of_frame` is how much of the frame lies outside.
    """
    figures = dict(zip(FIGURES, result.outside.T, strict=True))
    tiles = figures["worst_tile"]
    found = tiles[np.isfinite(tiles)]
    return Measurement(
        value=mean(figures["changed"]),
        unit="% of the background",
        better="lower",
        perfect=0.0,
        parts={
            "worst_tile_de00": float(found.max()) if found.size else float("nan"),
            "psnr_db": mean(figures["psnr"]),
            "ssim": mean(figures["ssim"]),
            "percent_of_frame": mean(figures["seen"]),
        },
        per_frame=figures["changed"].copy(),
        faults={"background changed": Fault(tiles.copy(), _BAD_TILE)},
    )
