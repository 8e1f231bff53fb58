"""Does the edge of what was pasted show?"""

from __future__ import annotations

import cv2
import numpy as np

from konterfei.imaging import delta_e_2000, rgb_to_lab
from konterfei.metrics import Fault, Measurement
from konterfei.metrics.pasted import pasted
from konterfei.metrics.series import Array, People, Series, mean

_REACH = 1 / 32  # of the crop's side, about 5 mm on a face: from the edge to where colours are taken on both sides
_STRONG = 10.0  # CIEDE2000 across the edge on the plate at which a place counts 1 / e
_BAD = 3.0  # CIEDE2000


def rim(region: Array, reach: float) -> tuple[Array, Array]:
    """Points on both sides of a region's outline, at right angles to it.

    Args:
        region: [S, S] float32 in [0, 1]; its outline is where it passes 0.5
        reach: px, how far from it

    Returns:
        inner and outer points, x and y, px, both within the picture. [K, 2] float32 each
    """
    outlines, _ = cv2.findContours((region >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    edge = np.concatenate(outlines)[:, 0]
    smooth = cv2.GaussianBlur(region, (0, 0), max(reach / 2, 1.0))
    uphill = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], axis=-1)
    inwards = uphill[edge[:, 1], edge[:, 0]]
    steep = np.linalg.norm(inwards, axis=-1, keepdims=True)
    step = reach * inwards / np.maximum(steep, 1e-6)
    inner, outer = edge + step, edge - step
    fits = steep[:, 0] > 1e-6
    for points in (inner, outer):
        fits &= ((points >= 0) & (points <= np.array(region.shape[::-1]) - 1)).all(axis=1)
    return inner[fits].astype(np.float32), outer[fits].astype(np.float32)


def _colors(image: Array, points: Array, blur: float) -> Array:
    """CIE L*a*b* of an RGB crop around some points. [K, 3] float32"""
    soft = cv2.GaussianBlur(image, (0, 0), blur)
    found = cv2.remap(soft, points[:, None, 0], points[:, None, 1], cv2.INTER_LINEAR)
    return rgb_to_lab(found.astype(np.float32) / 255)[:, 0]


def seam(plate: Series, result: Series, people: People) -> Measurement:
    """Mean colour difference (CIEDE2000) across the edge of what was pasted, minus the plate's at the same places.

    The edge is that of the region in which result and plate differ by more than noise (where nowhere does, that of the
    hull); colours are taken a 32nd of the crop's side (about 5 mm on a face) to either side of it, smoothed over grain.
    Where the plate's own colours jump there (hair, glasses), a seam would not be seen, and counts little. 0 shows no
    more than the plate's own skin and shadows do; below 0 less. `tone_lab` is how far the mean colour inside the edge
    moved against that outside, compared with the plate (units of Lab).
    """
    ours, theirs, tone = (np.full(len(plate), np.nan) for _ in range(3))
    reach = max(plate.crops.shape[1] * _REACH, 1.5)
    for i, mask in enumerate(plate.masks):
        region = pasted(plate.crops[i], result.crops[i], mask)
        inner, outer = rim(region if (region >= 0.5).any() else mask, reach)
        if not len(inner):
            continue
        sides = [[_colors(s.crops[i], points, reach / 3) for points in (inner, outer)] for s in (result, plate)]
        differences = [delta_e_2000(*pair).astype(np.float64) for pair in sides]
        share = np.exp(-((differences[1] / _STRONG) ** 2)) + 1e-6
        ours[i], theirs[i] = (float((apart * share).sum() / share.sum()) for apart in differences)
        steps = [(a - b).mean(axis=0, dtype=np.float64) for a, b in sides]
        tone[i] = np.linalg.norm(steps[0] - steps[1])
    return Measurement(
        value=mean(ours - theirs),
        unit="CIEDE2000",
        better="lower",
        perfect=0.0,
        parts={"result": mean(ours), "plate": mean(theirs), "tone_lab": mean(tone)},
        per_frame=ours - theirs,
        faults={"seam shows": Fault(ours - theirs, _BAD)},
    )
