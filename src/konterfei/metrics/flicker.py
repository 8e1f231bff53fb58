"""Do the pixels of the face flicker?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.motion import motions
from konterfei.metrics.series import People, Series, mean

_BAD = 4.0  # grey levels


def flicker(plate: Series, result: Series, people: People) -> Measurement:
    """Mean difference of neighbouring frames inside the face, motion taken out, minus the plate's, in grey levels.

    The motion is optical flow estimated on the plate and applied to both, so it cannot adapt to what flickers; pixels
    that are seen in one of the two frames only are left out. 0 is as steady as the plate; below 0 the result is
    steadier or softer (film grain counts as flicker). `tone` is the same for the face's mean colour alone: light that
    pumps.
    """
    ours, theirs, tone = (np.full(len(plate), np.nan) for _ in range(3))
    for i, motion in motions(plate):
        weight = plate.masks[i] * motion.seen
        if weight.sum() < 1:
            continue
        share = (weight / weight.sum())[..., None]
        changes = [
            series.crops[i].astype(np.float32) - motion.carried(series.crops[i - 1].astype(np.float32))
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
