"""Sharpness and grain of a swapped face: brought to those of the plate's face, which it covers.

What a model draws is as sharp as its own resolution and has no grain; the plate is as sharp as its lens, its motion and
its codec left it. Both are measured in the frame's own pixels, well inside the mask, in octaves of fineness: the mean
square of each octave over the whole face (eyes, brows and lips rule it), and on plain skin (the median of small
blocks), which is pores, grain and the codec's noise. Then

- a face that is too sharp is blurred, octave by octave;
- one that is too soft gets steeper edges, between the darkest and the lightest that the face shows near by, so that no
  halo and no ringing can come of it;
- what skin then lacks is the plate's own grain: its finest octaves, turned over, faded where they stand out, so
  that brows, glasses and wrinkles of the plate stay behind. It moves, flickers and blurs as the plate does, has its
  spectrum and the codec's marks, and needs no random numbers: merging again gives equal pixels. Drawn anew in each
  frame from random numbers with the same spectrum, grain makes the face flicker 1.3 to 2.9 times as much (measured on
  two real clips, whose codec drags the grain along with the face).

Only luma is changed; the colour of what is drawn stays as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

OCTAVES: Final = 4
"""Periods of 2, 4, 8 and 16 px and up. The coarsest is only measured: it tells strong features from faint ones."""
MOST_SHARPENING: Final = 5.0
"""Most that edges are steepened: that many times more than they were. Looked at on real clips at 100 and 200 %: more
looks cut out with scissors."""
REACH: Final = 2.0
"""The window over time ends after so many standard deviations."""
_FEATURES: Final = 0.85
"""Part of a face that is skin: what varies less than the rest (shading) is steepened less, or it looks painted."""
_BLURRED: Final = 2
"""Octaves, from the finest, that tell how blurred a face is."""
_LEAST_GRAIN: Final = 0.8
"""Least share of the missing grain that is added where strong features leave no room for it."""
_STANDS_OUT: Final = 3.0
"""Energy, in that of the skin's grain, from which on the plate's fine structure is a feature, not to be carried over:
of skin alone, one pixel in thirty has more."""
_TALLEST: Final = 1.5
"""Deviation of the plate's grain beyond which it is cut off (pores, freckles), in its standard deviations."""
_LEFT: Final = 0.7785
"""Energy of normal grain that is left by then."""
_NEAR: Final = 7
"""Side of the window, px, in which structure stands out or not."""
_BLOCK: Final = 8
"""Side of the blocks, px, of which the median is plain skin."""
_FEWEST_BLOCKS: Final = 6
"""A face with less skin than that is too small to be measured."""
_SOLID: Final = 0.98
"""Coverage from which on a pixel counts as the face's."""
_SEAM: Final = 9
"""Side of the window, px, that must be covered all over: the mask's edge is no detail of the face."""
_FEATURELESS: Final = (0.5 / 255.0) ** 2
"""Energy of the coarsest octave below which a face shows nothing to be sharp or soft."""
_BLUR_CHANGE: Final = 0.25
"""Change of the plate's sharpness between two frames that makes them strangers, as a logarithm: a whip of the head is
not to be smeared over the frames around it."""
_TINY: Final = 1e-12


@dataclass(frozen=True, eq=False)
class FaceDetail:
    """How sharp and how grainy the plate is where one face will lie.

    Attributes:
        energy: mean square of each octave over the face, finest first, of luma in [0, 1]. [OCTAVES]
        grain: the same of plain skin. [OCTAVES]
        edges: mean square of the Laplacian over the face: the common measure of focus, which the finest edges rule.
        is_measured: whether there was enough face to measure.
        time_s: when the frame is shown, seconds.
        track: the face's track; frames of other tracks are strangers.
    """

    energy: Array
    grain: Array
    edges: float
    is_measured: bool
    time_s: float = 0.0
    track: int | None = None


def measure_detail(plate: Array, alpha: Array, time_s: float = 0.0, track: int | None = None) -> FaceDetail:
    """Sharpness and grain of the plate under a face.

    Args:
        plate: the frame's pixels around the face. RGB [h, w, 3] float32 in [0, 1]
        alpha: how much the face will cover them. [h, w] float32 in [0, 1]
        time_s, track: kept in the answer.
    """
    core = _core(alpha)
    if not _is_enough(core):
        return FaceDetail(np.zeros(OCTAVES), np.zeros(OCTAVES), 0.0, False, time_s, track)
    luma = _luma(plate)
    octaves = _octaves(luma)
    return FaceDetail(_energy(octaves, core), _plain(octaves, core), _edges(luma, core), True, time_s, track)


def smooth_detail(detail: FaceDetail, others: Sequence[FaceDetail], sigma_s: float) -> FaceDetail:
    """`detail` averaged over the frames around it: what is aimed at does not tremble, and does not lag.

    The window is symmetric in time and falls off with the distance in time and with the change of the plate's
    sharpness; frames of another track (so of another shot) do not count. What the drawn face needs to get there is
    found anew in each frame.

    Args:
        detail: of the frame itself.
        others: of the frames around it, in any order, with or without the frame itself.
        sigma_s: standard deviation of the window in seconds; 0 = no averaging.
    """
    if not detail.is_measured or sigma_s <= 0:
        return detail
    logarithms, total = _logarithms(detail), 1.0
    for other in others:
        apart = abs(other.time_s - detail.time_s)
        if other.track != detail.track or not other.is_measured or not 0 < apart <= REACH * sigma_s * (1 + 1e-9):
            continue
        change = _blur_change(detail, other)
        weight = math.exp(-0.5 * ((apart / sigma_s) ** 2 + (change / _BLUR_CHANGE) ** 2))
        logarithms, total = logarithms + weight * _logarithms(other), total + weight
    energy, grain, edges = np.split(np.exp(logarithms / total), [OCTAVES, 2 * OCTAVES])
    return replace(detail, energy=energy, grain=grain, edges=float(edges[0]))


def match_detail(
    face: Array,
    plate: Array,
    alpha: Array,
    wanted: FaceDetail,
    pixel: float,
    detail: float = 1.0,
    grain: float = 1.0,
    step: float = 0.0,
) -> Array:
    """The face as sharp and as grainy as the plate.

    Args:
        face: as it will be pasted, over the same pixels as `plate`. RGB [h, w, 3] float32 in [0, 1]
        plate: see `measure_detail`.
        alpha: see `measure_detail`.
        wanted: of the plate, perhaps smoothed over time.
        pixel: size of one of the drawn face's pixels in the frame, px; edges are steepened over that width.
        detail: how far sharpness is brought to the plate's, 0 (not at all) to 1 (wholly).
        grain: how much of the plate's grain is laid over the skin, 0 to 1.
        step: between two values of the frame (1/255 in 8 bits); rounding to them will add grain of its own.

    Returns:
        [h, w, 3] float32 in [0, 1]; `face` itself where there is nothing to do
    """
    core = _core(alpha)
    if not wanted.is_measured or not _is_enough(core) or (detail <= 0 and grain <= 0):
        return face
    luma = _luma(face)
    octaves = _octaves(luma)
    bolder = _bolder(octaves, core, wanted) if detail > 0 else None
    matched = luma if bolder is None else _softer(luma, octaves, core, wanted, bolder, detail)
    shown = octaves if matched is luma else _octaves(matched)
    lacking = _texture(_luma(plate), wanted.grain, _plain(shown[:-1], core) + _rounding(step)[:-1])
    aim = wanted.edges - float(_rounding(step)[-1])
    lacking *= np.float32(_fitting(matched, lacking, core, aim))
    if bolder is not None:
        matched = _sharper(matched, lacking, core, bolder, aim, pixel, detail)
    change = cv2.subtract(cv2.scaleAdd(lacking, grain, matched), luma)
    return np.clip(cv2.add(face, cv2.merge([change] * 3), dtype=cv2.CV_32F), 0.0, 1.0)


def _softer(
    luma: Array, octaves: Sequence[Array], core: Array, wanted: FaceDetail, bolder: float, strength: float
) -> Array:
    """`luma`, blurred where it is sharper than the plate. Grain is left out of the comparison: it is no sharpness."""
    # strong features (glasses, a beard) on one of the faces alone are no reason to blur
    aim = _log((wanted.energy - wanted.grain)[:_BLURRED] / np.clip(bolder, 0.7, 2.0))

    def excess(picture: Array, octaves: Sequence[Array]) -> float:
        return float((_log(_energy(octaves, core) - _plain(octaves, core)) - aim).mean())

    there = excess(luma, octaves[:_BLURRED])
    most = there * (1.0 - strength)
    sharper, softer, left = luma, luma, there
    for octave in octaves:
        if left <= max(most, 0.0):
            break
        sharper, softer, there = softer, cv2.subtract(softer, octave), left
        left = excess(softer, _octaves(softer, _BLURRED))
    if sharper is softer:
        return luma
    share = min((there - most) / max(there - left, _TINY), 1.0)
    for _ in range(2):
        mixed = cv2.addWeighted(softer, share, sharper, 1.0 - share, 0.0)
        found = excess(mixed, _octaves(mixed, _BLURRED))
        share = min(max(share + (found - most) / max(there - left, _TINY), 0.0), 1.0)
    return cv2.addWeighted(softer, share, sharper, 1.0 - share, 0.0)


def _fitting(luma: Array, lacking: Array, core: Array, aim: float) -> float:
    """How much of the grain there is room for: features that both faces have in one place add up to more than each."""
    alone, grain, both = (_edges(picture, core) for picture in (luma, lacking, luma + lacking))
    if both <= aim or grain <= _TINY:
        return 1.0
    common = 0.5 * (both - alone - grain)  # alone + 2 common x + grain x^2 = aim
    root = common**2 - grain * (alone - aim)
    return min(max((math.sqrt(max(root, 0.0)) - common) / grain, _LEAST_GRAIN), 1.0)


def _sharper(
    luma: Array, lacking: Array, core: Array, bolder: float, aim: float, pixel: float, strength: float
) -> Array:
    """`luma` with steeper edges where, with the grain that it lacks, it is softer than the plate."""
    there, grain = _edges(luma + lacking, core), _edges(lacking, core)
    if there <= _TINY:
        return luma
    # what stands out on the plate's face alone must not be answered with an over-sharpened one
    aim = grain + (aim - grain) / min(max(bolder, 1.0), 2.0)
    return _steeper(luma, lacking, core, there, there * (aim / there) ** strength, pixel) if aim > there else luma


def _bolder(octaves: Sequence[Array], core: Array, wanted: FaceDetail) -> float | None:
    """How much stronger the plate's features are than those of the face; None where one shows none."""
    there = float(_energy(octaves[-1:], core)[0])
    return None if min(there, wanted.energy[-1]) < _FEATURELESS else float(wanted.energy[-1]) / there


def _steeper(luma: Array, lacking: Array, core: Array, there: float, aim: float, pixel: float) -> Array:
    """`luma` with edges so steep that, grain added, its Laplacian has the energy `aim`, not `there`; or as may be.

    Each value goes, between the darkest and the lightest near by, towards the nearer of the two: with x from -1 to 1
    there, to x s / sqrt(1 + (s^2 - 1) x^2), which is s times as steep in the middle and ends where it ended.
    """
    side = 2 * max(round(pixel), 2) + 1
    window = np.ones((side, side), np.uint8)
    darkest, lightest = cv2.erode(luma, window), cv2.dilate(luma, window)
    middle = cv2.addWeighted(darkest, 0.5, lightest, 0.5, 0.0)
    half = np.maximum(cv2.addWeighted(lightest, 0.5, darkest, -0.5, 0.0), np.float32(1e-6))
    spread = np.square(half)
    weight = spread / (spread + np.float32(max(float(np.quantile(spread[core > 0][::7], _FEATURES)), _TINY)))
    where = np.clip((luma - middle) / half, -1.0, 1.0)
    # with s = 1 + amount * weight, x s is `above` + amount * `more`, and (s^2 - 1) x^2 has a term in amount and one in
    # amount^2
    above, squared = half * where, np.square(where)
    more, once, twice = above * weight, np.float32(2.0) * weight * squared, np.square(weight) * squared

    def steepened(amount: float) -> Array:
        below = cv2.sqrt(cv2.addWeighted(once, amount, twice, amount**2, 1.0))
        return cv2.add(middle, cv2.divide(cv2.scaleAdd(more, amount, above), below))

    low, high, best = 0.0, MOST_SHARPENING, steepened(MOST_SHARPENING)
    at_low, at_high = there, _edges(cv2.add(best, lacking), core)
    if at_high <= aim:
        return best
    for _ in range(3):  # the square root of the energy grows about as the amount does
        share = (math.sqrt(aim) - math.sqrt(at_low)) / max(math.sqrt(at_high) - math.sqrt(at_low), _TINY)
        amount = low + min(max(share, 0.0), 1.0) * (high - low)
        best = steepened(amount)
        found = _edges(cv2.add(best, lacking), core)
        if found < aim:
            low, at_low = amount, found
        else:
            high, at_high = amount, found
    return best


def _texture(plate: Array, wanted: Array, there: Array) -> Array:
    """The plate's own grain, as much of it as the skin lacks, turned over; of luma. [h, w] float32

    Features fade out of it, and light is dark in it: grain is as good either way, but the fine lines of the plate's
    eyes, brows and wrinkles, faint as they are, are half of what a recognizer knows a person by.
    """
    texture = np.zeros_like(plate)
    for octave, aim, has in zip(_octaves(plate, len(there)), wanted, there, strict=False):
        lack = 1.0 - has / max(aim, _TINY)
        if lack <= 0 or aim <= _TINY:
            continue
        local = cv2.blur(np.square(octave), (_NEAR, _NEAR), borderType=cv2.BORDER_REFLECT_101)
        most, tallest = np.float32(_STANDS_OUT * aim), _TALLEST * math.sqrt(aim)
        octave *= np.square(np.square(most / np.maximum(local, most)))
        cv2.scaleAdd(np.clip(octave, -tallest, tallest), -math.sqrt(lack / _LEFT), texture, dst=texture)
    return texture


@cache
def _rounding(step: float) -> Array:
    """Energy that rounding adds to luma, white noise of step^2 / 12 in each of R, G, B: octaves, Laplacian. [4]"""
    impulse = np.zeros((33, 33), np.float32)
    impulse[16, 16] = 1.0
    filtered = [*_octaves(impulse, OCTAVES - 1), cv2.Laplacian(impulse, cv2.CV_32F)]
    passed = np.array([np.square(one).sum(dtype=np.float64) for one in filtered])
    return passed * (0.299**2 + 0.587**2 + 0.114**2) * step**2 / 12.0


def _octaves(image: Array, count: int = OCTAVES) -> list[Array]:
    """Structure of `image` by fineness: differences of ever wider binomial blurs (a trous), not decimated."""
    octaves = []
    for number in range(count):
        step = 1 << number
        kernel = np.zeros(2 * step + 1, np.float32)
        kernel[[0, step, -1]] = 0.25, 0.5, 0.25
        smoother = cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT_101)
        octaves.append(image - smoother)
        image = smoother
    return octaves


def _core(alpha: Array) -> Array:
    """Where to measure: pixels of the face, away from the mask's edge. [h, w] uint8, 0 or 1"""
    window = np.ones((_SEAM, _SEAM), np.uint8)
    solid = (alpha > _SOLID).astype(np.uint8)
    return cv2.erode(solid, window, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def _is_enough(core: Array) -> bool:
    return int(_blocks(core.astype(np.float32)).sum()) >= _FEWEST_BLOCKS if min(core.shape) >= _BLOCK else False


def _blocks(core: Array) -> Array:
    """Which blocks lie wholly inside. bool"""
    return _averaged(core) > 1.0 - 1e-3


def _averaged(image: Array) -> Array:
    rows, columns = (side // _BLOCK for side in image.shape)
    return cv2.resize(image[: rows * _BLOCK, : columns * _BLOCK], (columns, rows), interpolation=cv2.INTER_AREA)


def _energy(octaves: Sequence[Array], core: Array) -> Array:
    """Mean square over the core. [octaves]"""
    pixels = cv2.countNonZero(core)
    return np.array([cv2.norm(octave, cv2.NORM_L2SQR, core) / pixels for octave in octaves])


def _edges(luma: Array, core: Array) -> float:
    """Mean square of the Laplacian over the core."""
    return float(_energy([cv2.Laplacian(luma, cv2.CV_32F)], core)[0])


def _plain(octaves: Sequence[Array], core: Array) -> Array:
    """Mean square in plain places: the median of blocks. [octaves]"""
    inside = _blocks(core.astype(np.float32))
    return np.array([np.median(_averaged(np.square(octave))[inside]) for octave in octaves], np.float64)


def _luma(image: Array) -> Array:
    return cv2.cvtColor(np.ascontiguousarray(image, dtype=np.float32), cv2.COLOR_RGB2GRAY)


def _log(energy: Array) -> Array:
    return np.log(np.maximum(energy, _TINY))


def _logarithms(detail: FaceDetail) -> Array:
    return _log(np.concatenate([detail.energy, detail.grain, [detail.edges]]))


def _blur_change(a: FaceDetail, b: FaceDetail) -> float:
    """How much sharper or softer the plate became: change of fine over coarse amplitude, as a logarithm."""
    slopes = [0.5 * (_log(x.energy[:2]).mean() - _log(x.energy[-1:]).mean()) for x in (a, b)]
    return float(abs(slopes[1] - slopes[0]))
