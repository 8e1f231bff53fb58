"""Colour of a swapped face: measured where both faces show skin, without lag or flicker over time.

What flickers in a swap was measured with trained models on real clips. Brightness: the plate's face itself varies from
frame to frame (lamps, exposure, the codec), and neck and ears vary with it, while what a model draws is calmer. So the
mean follows the plate exactly in every frame; averaged over 0.1 s, the face would stand still in flickering light (2.6
to 3.6 times the jitter against its surroundings). What must not vary is where it is measured: inside the hull of the
smoothed landmarks, not inside a mask's restless edge. Contrast: the ratio of two spreads is a noisy figure, is not seen
to vary in the surroundings, and is averaged along the track.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import ColorStatistics
from konterfei.geometry import beard_mask, eye_mask, smooth_hull_mask
from konterfei.imaging import erode

Array = NDArray[Any]

REACH: Final = 2.0
"""The window over time ends after so many standard deviations."""
_LIGHT_CHANGE: Final = 0.3
"""Change of the plate's face between two frames that makes them strangers, in spreads of its own colours (about 4 units
of L on a face in even light): a lamp that is switched on must not be smeared over the frames around. Grain and a
moving head stay below a tenth of it from frame to frame."""


MOST_GAIN: Final = 1.4
"""Most that contrast or colourfulness is raised or lowered. Two faces in one light differ by less; without the bound, a
pale face over a ruddy one gets orange cheeks and glowing eyes."""
_INSIDE: Final = 0.03
"""How far inside the hull colours are measured, as a fraction of the crop side: away from hair, collar and backdrop."""
_TINY: Final = 1e-4


@dataclass(frozen=True, eq=False)
class FaceColors:
    """Colour of one face in one frame.

    Attributes:
        swapped: of the face as the model drew it.
        plate: of the face that it replaces.
        time_s: when the frame is shown, seconds.
        track: the face's track; frames of other tracks are strangers.
    """

    swapped: ColorStatistics
    plate: ColorStatistics
    time_s: float = 0.0
    track: int | None = None

    @property
    def is_measured(self) -> bool:
        """Whether there was enough to measure on both faces."""
        return self.swapped.weight > 0 and self.plate.weight > 0

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values that give exactly this back."""
        return {
            "time_s": self.time_s,
            "track": self.track,
            "swapped": _plain(self.swapped),
            "plate": _plain(self.plate),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> FaceColors:
        """The colours of `to_json`. Raises KeyError, TypeError or ValueError when it is not one."""
        track = None if data["track"] is None else int(data["track"])
        return cls(_statistics(data["swapped"]), _statistics(data["plate"]), float(data["time_s"]), track)


def skin_weights(mask: Array, landmarks: Array) -> Array:
    """Where to measure: well inside the hull of the landmarks, where the model sees face, on skin that is bare.

    Eyes and brows do not count, nor what a beard may cover: its darkness, taken for contrast of the skin, makes eyes
    and lips black and blue (docs/ground-truth.md).

    The hull of smoothed landmarks is steady over time; the edges of a mask are not.

    Args:
        mask: the model's own; leaves out what covers the face. [S, S] float32 in [0, 1]
        landmarks: in the same crop. [68, 2]

    Returns:
        [S, S] float32 in [0, 1]
    """
    size = mask.shape[0]
    shape = (size, size)
    upper = 1.0 - np.maximum(eye_mask(landmarks, shape), beard_mask(landmarks, shape))
    return mask * erode(smooth_hull_mask(landmarks, shape), _INSIDE * size) * upper


def smooth_colors(colors: FaceColors, others: Sequence[FaceColors], sigma_s: float) -> FaceColors:
    """`colors` with the contrast of the transfer averaged over the frames around it; the mean stays the plate's.

    The window is symmetric in time (no lag) and falls off with the distance in time and with the change of light on
    the plate's face; frames of another track (so of another shot) do not count.

    Args:
        colors: of the frame itself.
        others: of the frames around it, in any order, with or without the frame itself.
        sigma_s: standard deviation of the window in seconds; 0 = no averaging.

    Returns:
        `colors` with another `plate`: the target that the swapped face is brought to. Gains are bounded by `MOST_GAIN`.
    """
    if not colors.is_measured:
        return colors
    around = [colors]
    for other in others if sigma_s > 0 else ():
        apart = abs(other.time_s - colors.time_s)
        if other.track == colors.track and 0 < apart <= REACH * sigma_s * (1 + 1e-9) and other.is_measured:
            around.append(other)
    weights = np.array([_closeness(colors, other, sigma_s) for other in around])
    std = colors.swapped.std * np.exp(weights @ np.array([_log_gain(c) for c in around]) / weights.sum())
    stretch = std / np.maximum(colors.plate.std, _TINY)  # the plate's correlations stay, its spread follows
    covariance = colors.plate.covariance * np.outer(stretch, stretch)
    pixels = colors.plate.pixels
    if pixels is not None:
        pixels = colors.plate.mean + (pixels - colors.plate.mean) * stretch
    return replace(colors, plate=replace(colors.plate, std=std, covariance=covariance, pixels=pixels))


def reach_frames(sigma_s: float, fps: float) -> int:
    """Frames on each side that `smooth_colors` may look at."""
    return math.ceil(REACH * sigma_s * fps) if sigma_s > 0 else 0


def _closeness(a: FaceColors, b: FaceColors, sigma_s: float) -> float:
    if a is b:
        return 1.0
    in_time = (b.time_s - a.time_s) / sigma_s
    spread = max(float(np.linalg.norm(a.plate.std)), _TINY)
    in_light = float(np.linalg.norm(b.plate.mean - a.plate.mean)) / (spread * _LIGHT_CHANGE)
    return math.exp(-0.5 * (in_time**2 + in_light**2))


def _log_gain(colors: FaceColors) -> Array:
    """Logarithm of the contrast ratio, per channel, bounded; 0 where the drawn face has no contrast to scale."""
    ratio = np.maximum(colors.plate.std, _TINY) / np.maximum(colors.swapped.std, _TINY)
    bound = math.log(MOST_GAIN)
    return np.where(colors.swapped.std > _TINY, np.clip(np.log(ratio), -bound, bound), 0.0)


def _plain(statistics: ColorStatistics) -> dict[str, Any]:
    return {
        "mean": statistics.mean.tolist(),
        "std": statistics.std.tolist(),
        "covariance": statistics.covariance.tolist(),
        "weight": statistics.weight,
    }


def _statistics(data: dict[str, Any]) -> ColorStatistics:
    mean, std, covariance = (np.array(data[name], np.float64) for name in ("mean", "std", "covariance"))
    if mean.shape != (3,) or std.shape != (3,) or covariance.shape != (3, 3):
        raise ValueError("colour statistics of the wrong shape")
    return ColorStatistics(mean, std, covariance, float(data["weight"]))
