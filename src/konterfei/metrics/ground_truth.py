"""How far is a swap from the true one? Only where that is known: performers of one motion (`konterfei.performers`).

Two performers rendered with one seed do the same in every frame, so the *true swap's face* is the src performer's,
rendered on the dst performer's set. A swap puts it where dst's aligned crop is. Truth and result are therefore compared
in **aligned space**: the true frame cut by the src performer's exact landmarks, the result by the dst performer's, both
`FaceType.FULL`; of that only what lies well inside of both faces, where nothing of dst may be left and no seam is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np

from konterfei.geometry import (
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    NOSE_BASE,
    NOSE_BRIDGE,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
    eye_mask,
    mouth_mask,
    smooth_hull_mask,
)
from konterfei.imaging import delta_e_2000, erode, rgb_to_lab
from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, Series, mean, quantile
from konterfei.registry import Entry, Registry

MOST_DB: Final = 60.0
"""PSNR of equal pictures: less than a quarter of a grey level apart, which 8 bits cannot show."""
_RIM: Final = 0.04  # of the crop's side: the usual merge's soft edge lies in it
_WINDOW: Final = 11  # px, of SSIM
_BROAD: Final = 1 / 32  # of the crop's side: finer differences are shape, not colour
_GRAIN: Final = 1 / 128  # of the crop's side: finer changes are grain
_BAD_COLOR: Final = 5.0  # dE00: another shade
_BAD_SHAPE: Final = 6.0  # % of eye distance: three times what a perfect face is off after extract and merge
_BAD_OPENING: Final = 4.0  # % of eye distance: a third of an eye's opening
_PARTS: Final = {
    "eyes": np.r_[RIGHT_EYE, LEFT_EYE],
    "brows": np.r_[RIGHT_BROW, LEFT_BROW],
    "nose": np.r_[NOSE_BRIDGE, NOSE_BASE],
    "mouth": np.r_[OUTER_LIP, INNER_LIP],
    "jaw": np.r_[JAW],
}


@dataclass(frozen=True, kw_only=True, eq=False)
class TrueSeries(Series):
    """The true swap's face over N frames, in aligned space: coordinates are pixels of the crops.

    `landmarks` are what the landmarker finds in the truth (the same one that looks at results, so that its habits
    cancel out); `masks` are what is compared, see `common_mask`.

    Attributes:
        exact: landmarks by construction. [N, 68, 2] float32
    """

    exact: Array


class TruthMetric(Protocol):
    """Contract of the family; `tests/contracts/test_truths.py` runs over the table.

    Pure; the truth itself as the result measures as perfect; frames without a face are left out of what needs one, and
    with none left the value is NaN, never an error. The first line of its docstring is what the report says about it.
    """

    def __call__(self, truth: TrueSeries, result: Series) -> Measurement:
        """The measurement.

        Args:
            truth: the true swap's face.
            result: the same frames of the result, in dst's aligned space.
        """


def _entry(name: str, about: str) -> Entry:
    return Entry(f"konterfei.metrics.ground_truth:{name}", about)


TRUTHS = Registry(
    "truth metric",
    {
        "truth_ssim": _entry("truth_ssim", "is its structure the true one? SSIM"),
        "truth_psnr": _entry("truth_psnr", "are its pixels the true ones? dB"),
        "truth_color": _entry("truth_color", "are its colours the true ones? CIEDE2000"),
        "truth_landmarks": _entry("truth_landmarks", "is its shape the true one? % of eye distance"),
        "truth_expression": _entry("truth_expression", "do eyes and mouth open as they should? % of eye distance"),
        "truth_identity": _entry("truth_identity", "is it the person of the truth? cosine of embeddings"),
        "truth_flicker": _entry("truth_flicker", "does its error change from frame to frame? grey levels"),
    },
)
"""Every comparison with the true swap, by name."""


def common_mask(true_points: Array, own_points: Array, size: int) -> Array:
    """What lies well inside of both faces, by their exact landmarks in their own crops. [S, S] float32

    Args:
        true_points, own_points: of src in the truth and of dst in the plate, pixels of their crops. [68, 2] each
        size: side of the crops, px.
    """
    both = np.minimum(*(smooth_hull_mask(points, (size, size)) for points in (true_points, own_points)))
    return erode(both, max(_RIM * size, _WINDOW // 2))


def truth_ssim(truth: TrueSeries, result: Series) -> Measurement:
    """Mean structural similarity of the face's luma to the true swap's, well inside of the face; 1 is the same.

    Wang, Bovik, Sheikh and Simoncelli 2004: window of 11 px (Gaussian, 1.5 px), K1 = 0.01, K2 = 0.03. `eyes` and
    `mouth` are what of it lies there.
    """
    count, side = len(truth), truth.masks.shape[1]
    whole, eyes, mouth = (np.full(count, np.nan) for _ in range(3))
    for i in range(count):
        similar = _ssim(_luma(truth.crops[i]), _luma(result.crops[i]))
        whole[i] = _inside(similar, truth.masks[i])
        for values, part in ((eyes, eye_mask), (mouth, mouth_mask)):
            values[i] = _inside(similar, truth.masks[i] * part(truth.exact[i], (side, side)))
    return Measurement(
        value=mean(whole),
        unit="SSIM",
        better="higher",
        perfect=1.0,
        parts={"eyes": mean(eyes), "mouth": mean(mouth), "worst_5_percent": quantile(whole, 0.05)},
        per_frame=whole,
    )


def truth_psnr(truth: TrueSeries, result: Series) -> Measurement:
    """Mean ratio of peak signal to noise of the face's pixels (RGB) to the true swap's, in dB; 60 and more count as 60.

    `color_matched` is the same after each channel was brought to the truth's brightness and contrast frame by frame
    (least squares): what is left when colour is forgiven.
    """
    plain, matched = (np.full(len(truth), np.nan) for _ in range(2))
    for i, mask in enumerate(truth.masks):
        if mask.sum() >= 1:
            there = mask > 0
            weights = mask[there].astype(np.float64)
            ours, theirs = (s.crops[i][there].astype(np.float64) for s in (result, truth))
            plain[i] = _decibels(ours, theirs, weights)
            matched[i] = _decibels(_matched(ours, theirs, weights), theirs, weights)
    return Measurement(
        value=mean(plain),
        unit="dB",
        better="higher",
        perfect=MOST_DB,
        parts={"color_matched": mean(matched), "worst_5_percent": quantile(plain, 0.05)},
        per_frame=plain,
    )


def truth_color(truth: TrueSeries, result: Series) -> Measurement:
    """Mean colour difference (CIEDE2000) of the face to the true swap's, fine detail smoothed away; 1 is just seen.

    `lightness`, `red_green` and `yellow_blue` are the mean offsets L*, a* and b*, result minus truth: the cast.
    """
    apart, offset = np.full(len(truth), np.nan), np.full((len(truth), 3), np.nan)
    for i, mask in enumerate(truth.masks):
        if mask.sum() >= 1:
            ours, theirs = (rgb_to_lab(_smoothed(s.crops[i], mask, _BROAD * mask.shape[0])) for s in (result, truth))
            apart[i] = _inside(delta_e_2000(ours, theirs), mask)
            offset[i] = [_inside((ours - theirs)[..., c], mask) for c in range(3)]
    return Measurement(
        value=mean(apart),
        unit="dE00",
        better="lower",
        perfect=0.0,
        parts={name: mean(offset[:, c]) for c, name in enumerate(("lightness", "red_green", "yellow_blue"))},
        per_frame=apart,
        faults={"colours untrue": Fault(apart, _BAD_COLOR)},
    )


def truth_landmarks(truth: TrueSeries, result: Series) -> Measurement:
    """Mean distance of the landmarks from those found in the true swap, in % of its eye distance, in aligned space.

    `to_exact` is that from the exact points; `landmarker` is what the landmarker itself is off them in the truth, so
    the least that `to_exact` can be.
    """
    scale = 100 / _eye_distance(truth)[:, None]
    percent, to_exact, floor = (
        np.linalg.norm(a.astype(np.float64) - b, axis=-1) * scale
        for a, b in (
            (result.landmarks, truth.landmarks),
            (result.landmarks, truth.exact),
            (truth.landmarks, truth.exact),
        )
    )
    per_frame = percent.mean(axis=1)
    return Measurement(
        value=mean(per_frame),
        unit="% of eye distance",
        better="lower",
        perfect=0.0,
        parts={name: mean(percent[:, points]) for name, points in _PARTS.items()}
        | {"to_exact": mean(to_exact), "landmarker": mean(floor)},
        per_frame=per_frame,
        faults={"shape untrue": Fault(per_frame, _BAD_SHAPE)},
    )


def truth_expression(truth: TrueSeries, result: Series) -> Measurement:
    """Mean error of eye opening, mouth opening, mouth width and brow height, in % of the true swap's eye distance.

    Both as the landmarker sees them: the mean of the four parts.
    """
    scale = 100 / _eye_distance(truth)
    theirs, ours = _openings(truth.landmarks), _openings(result.landmarks)
    errors = {name: np.abs(ours[name] - theirs[name]) * scale for name in theirs}
    per_frame = np.mean(list(errors.values()), axis=0)
    return Measurement(
        value=mean(per_frame),
        unit="% of eye distance",
        better="lower",
        perfect=0.0,
        parts={name: mean(error) for name, error in errors.items()},
        per_frame=per_frame,
        faults={f"{name.replace('_', ' ')} untrue": Fault(error, _BAD_OPENING) for name, error in errors.items()},
    )


def truth_identity(truth: TrueSeries, result: Series) -> Measurement:
    """Mean cosine of the result's embedding with that of the same frame of the true swap.

    Unlike the cosine with a person's mean it is 1 for a perfect swap: pose and expression are the same. `witness` is
    the second recognizer's, where there is one.
    """
    alike = (truth.embeddings.astype(np.float64) * result.embeddings).sum(axis=1)
    parts = {"worst_5_percent": quantile(alike, 0.05)}
    if truth.witness.shape[1] and result.witness.shape[1]:
        parts["witness"] = mean((truth.witness.astype(np.float64) * result.witness).sum(axis=1))
    return Measurement(value=mean(alike), unit="cosine", better="higher", perfect=1.0, parts=parts, per_frame=alike)


def truth_flicker(truth: TrueSeries, result: Series) -> Measurement:
    """Mean change of the error's pixels from frame to frame, grain smoothed away, in grey levels of 255.

    The error is result minus truth: what is wrong alike in all frames does not count, what comes and goes does.
    `tone` is the same of the face's mean colour: light that pumps.
    """
    changes, tones = (np.full(len(truth), np.nan) for _ in range(2))
    before = None
    for i, follows in enumerate(truth.neighbours):
        mask = truth.masks[i]
        error = result.crops[i].astype(np.float32) - truth.crops[i]
        error = cv2.GaussianBlur(error, (0, 0), max(_GRAIN * mask.shape[0], 0.5))
        if before is not None and follows and mask.sum() >= 1:
            change = error - before
            changes[i] = _inside(np.abs(change).mean(axis=-1), mask)
            tones[i] = float(np.mean([abs(_inside(change[..., c], mask)) for c in range(3)]))
        before = error
    return Measurement(
        value=mean(changes),
        unit="grey levels of 255",
        better="lower",
        perfect=0.0,
        parts={"tone": mean(tones)},
        per_frame=changes,
    )


def _luma(image: Array) -> Array:
    """Of an RGB crop, Rec. 601. [S, S] float64"""
    grey: Array = image.astype(np.float64) @ (0.299, 0.587, 0.114)
    return grey


def _ssim(a: Array, b: Array) -> Array:
    """Structural similarity at every pixel of two pictures of 255 grey levels. [S, S] float64"""

    def local(values: Array) -> Array:
        return cv2.GaussianBlur(values, (_WINDOW, _WINDOW), 1.5)

    mean_a, mean_b = local(a), local(b)
    spread_a, spread_b = local(a * a) - mean_a**2, local(b * b) - mean_b**2
    together = local(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar: Array = (2 * mean_a * mean_b + c1) * (2 * together + c2)
    similar /= (mean_a**2 + mean_b**2 + c1) * (spread_a + spread_b + c2)
    return similar


def _inside(values: Array, mask: Array) -> float:
    """Mean of `values` where `mask` says so; NaN where it is empty."""
    total = float(mask.sum())
    return float((values * mask).sum() / total) if total >= 1 else float("nan")


def _decibels(ours: Array, theirs: Array, weights: Array) -> float:
    """PSNR of P pixels [P, 3] with weights [P]."""
    error = float(np.average(((ours - theirs) ** 2).mean(axis=1), weights=weights))
    return min(MOST_DB, 10 * float(np.log10(255.0**2 / max(error, 1e-9))))


def _matched(ours: Array, theirs: Array, weights: Array) -> Array:
    """`ours` with gain and offset of each channel chosen so that it is nearest to `theirs`. [P, 3]"""
    our_mean, their_mean = (np.average(p, axis=0, weights=weights) for p in (ours, theirs))
    centred = ours - our_mean
    spread = (weights[:, None] * centred**2).sum(axis=0)
    shared = (weights[:, None] * centred * (theirs - their_mean)).sum(axis=0)
    matched: Array = their_mean + centred * (shared / np.maximum(spread, 1e-9))
    return matched


def _smoothed(image: Array, mask: Array, sigma: float) -> Array:
    """The face's broad colours, nothing from outside mixed in. [S, S, 3] float32 in [0, 1]"""
    weight = cv2.GaussianBlur(mask, (0, 0), sigma)
    blurred = cv2.GaussianBlur(image.astype(np.float32) / 255 * mask[..., None], (0, 0), sigma)
    return np.clip(blurred / np.maximum(weight, 1e-4)[..., None], 0, 1)


def _eye_distance(truth: TrueSeries) -> Array:
    """By the exact landmarks. [N] float64"""
    points = truth.exact.astype(np.float64)
    return np.linalg.norm(points[:, LEFT_EYE].mean(axis=1) - points[:, RIGHT_EYE].mean(axis=1), axis=-1)


def _openings(landmarks: Array) -> dict[str, Array]:
    """How far eyes and mouth are open, how wide the mouth is and how high the brows are. [N] float64 each, pixels"""
    points = landmarks.astype(np.float64)

    def apart(*pairs: tuple[int, int]) -> Array:
        lengths = [np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in pairs]
        return np.mean(lengths, axis=0)

    def lift(brow: slice, eye: slice) -> Array:
        return np.linalg.norm(points[:, brow].mean(axis=1) - points[:, eye].mean(axis=1), axis=-1)

    return {
        "eyes_open": apart((37, 41), (38, 40), (43, 47), (44, 46)),
        "mouth_open": apart((61, 67), (62, 66), (63, 65)),
        "mouth_width": apart((48, 54)),
        "brows_up": (lift(RIGHT_BROW, RIGHT_EYE) + lift(LEFT_BROW, LEFT_EYE)) / 2,
    }
