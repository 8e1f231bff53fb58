"""Does the edge of what was pasted hold still?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.motion import motions
from konterfei.metrics.pasted import pasted
from konterfei.metrics.series import Array, People, Series, mean

_BAD = 0.15
_LEAST_AREA = 0.25  # of the face: less than that is what the encoder does here and there, not a pasted face


def mask_stability(plate: Series, result: Series, people: People) -> Measurement:
    """1 - IoU of the region that the merge changed with that of the frame before, carried along by the plate's motion.

    The region is where result and plate differ by more than noise (soft, from the crops, since the mask itself is not
    in a video), intersection and union are sums of the lesser and the greater of both. The motion is optical flow of
    the plate; pixels seen in one of the two frames only are left out. The union counts as a quarter of the face at
    least, so that a few pixels are no region. 0 stands as still as the face; edges that come and go because src and dst
    look alike there count too. `area_ratio` is the region by the plate's face.
    """
    wavering, area = (np.full(len(plate), np.nan) for _ in range(2))
    regions: dict[int, Array] = {}
    for i, motion in motions(plate):
        before, now = (
            regions.pop(k) if k in regions else pasted(plate.crops[k], result.crops[k], plate.masks[k])
            for k in (i - 1, i)
        )
        regions = {i: now}
        if not (plate.masks[i].any() and plate.masks[i - 1].any()):
            continue
        carried = motion.carried(before)
        union = float((np.maximum(carried, now) * motion.seen).sum(dtype=np.float64))
        shared = float((np.minimum(carried, now) * motion.seen).sum(dtype=np.float64))
        face = float(plate.masks[i].sum(dtype=np.float64))
        wavering[i] = (union - shared) / max(union, _LEAST_AREA * face)
        area[i] = now.sum(dtype=np.float64) / face
    return Measurement(
        value=mean(wavering),
        unit="1 - IoU",
        better="lower",
        perfect=0.0,
        parts={"area_ratio": mean(area)},
        per_frame=wavering,
        faults={"mask wavers": Fault(wavering, _BAD)},
    )
