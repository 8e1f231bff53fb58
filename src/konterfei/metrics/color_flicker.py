"""Does the colour of the face pulse?"""

from __future__ import annotations

import numpy as np

from konterfei.imaging import rgb_to_lab, to_float
from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series

_GAIN = float(np.sqrt(1.5))  # of the filter, on white noise
_BAD = 2.0  # units of Lab


def mean_colors(series: Series, masks: Array) -> Array:
    """Mean CIE L*a*b* of the face by frame, NaN where the mask is empty. [N, 3] float64"""
    colors = np.full((len(series), 3), np.nan)
    for i, mask in enumerate(masks):
        total = float(mask.sum(dtype=np.float64))
        if total >= 1:
            lab = rgb_to_lab(to_float(series.crops[i]))
            colors[i] = np.einsum("hwc,hw->c", lab, mask, dtype=np.float64) / total
    return colors


def quick_part(values: Array, neighbours: Array) -> Array:
    """What is left of each value without the mean of the two around it, scaled so that white noise keeps its size.

    Args:
        values: [N, C]
        neighbours: `Series.neighbours`

    Returns:
        [N, C] float64, NaN for frames without both neighbours
    """
    quick = np.full(values.shape, np.nan)
    quick[1:-1] = (values[1:-1] - (values[2:] + values[:-2]) / 2) / _GAIN
    quick[1:-1][~(neighbours[1:-1] & neighbours[2:])] = np.nan
    return quick


def color_flicker(plate: Series, result: Series, people: People) -> Measurement:
    """Standard deviation of the quick changes of the face's mean colour, minus the plate's, in units of Lab.

    Mean CIE L*a*b* inside the plate's face by frame; of it what is left without the mean of the frames before and
    after, so slow light does not count. 0 pulses no more than the plate, below 0 less. 1 is about the least that is
    seen.
    """
    ours, theirs = (
        np.linalg.norm(quick_part(mean_colors(series, plate.masks), plate.neighbours), axis=-1)
        for series in (result, plate)
    )

    def spread(sizes: Array) -> float:
        found = sizes[np.isfinite(sizes)]
        return float(np.sqrt(np.mean(found**2))) if found.size else float("nan")

    def of_rows(rows: Array) -> float:
        return spread(ours[rows]) - spread(theirs[rows])

    return Measurement(
        value=of_rows(np.arange(len(plate))),
        unit="units of Lab",
        better="lower",
        perfect=0.0,
        parts={"result": spread(ours), "plate": spread(theirs)},
        per_frame=ours - theirs,
        per_frame_is="quick change of the face's mean colour beyond the plate's, units of Lab; 0 is perfect",
        faults={"its colour pulses": Fault(ours - theirs, _BAD)},
        of_rows=of_rows,
    )
