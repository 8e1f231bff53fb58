"""What the figures of an evaluation come to, in plain words: limits, where each comes from, sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from konterfei.curation.verdict import Level
from konterfei.metrics import Measurement
from konterfei.metrics.confidence import LEAST_FRAMES, Interval
from konterfei.metrics.evaluation import Evaluated, fault_share
from konterfei.metrics.series import Array
from konterfei.metrics.worst import weight

OFTEN, SELDOM = 0.25, 0.05
"""Shares of the frames: one in four, one in twenty."""
_TOO_FEW: Final = "too few frames to tell chance"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """From which figure on a metric is good, and usable.

    Attributes:
        good, usable: figures; of a metric that is to be near 1 the factors that it may be off.
        source: where the limits come from, a sentence.
        network: setting and name of the network that they hold for; None where they hold for any.
    """

    good: float
    usable: float
    source: str
    network: tuple[str, str] | None = None


LIMITS: Final = {
    "identity": Limit(
        good=0.65,
        usable=0.42,
        network=("recognizer", "mobilefacenet"),
        source="0.42: the cosine from which on this recognizer takes two pictures for one person; 10 of 1000 pairs of "
        "different people reach it too (23 people; docs/limits.md). 0.65: half way from there to 0.88, the mean of a "
        "person's own pictures. More than 0.73 is hardly to be had: that is what a person's own face has when it is "
        "laid into somebody else's head.",
    ),
    "second_opinion": Limit(
        good=0.6,
        usable=0.48,
        network=("witness", "faceres"),
        source="0.48: 1 of 1000 pairs of different people reaches it (23 people; docs/limits.md). 0.6: it looks at "
        "hair and head too, which a swap leaves as they were; a person's own face that is laid into somebody else's "
        "head has 0.62, so more is hardly to be had.",
    ),
    "expression": Limit(
        good=0.9,
        usable=0.7,
        source="Chosen by meaning: at a correlation of 0.9 the face shares four fifths of the plate's movement, at 0.7 "
        "half of it (the correlation squared).",
    ),
    "jitter": Limit(
        good=0.1,
        usable=1.0,
        source="0.1: twice what copies of the plate encoded anew show at most (benchmarks/evaluation_limits.py). 1: as "
        "much again as the landmarker's own noise.",
    ),
    "flicker": Limit(
        good=1.0,
        usable=4.0,
        source="1: the smallest step that 8 bits can show, and more than a copy encoded anew shows "
        "(benchmarks/evaluation_limits.py). 4: the metric's own mark for what is plainly seen.",
    ),
    "sharpness": Limit(
        good=1.25,
        usable=2.0,
        source="1.25 times: a little more than a copy of the plate encoded anew loses (x264, crf 23: 0.85 to 1.04; "
        "benchmarks/evaluation_limits.py). 2 "
        "times: the metric's own mark for what is plainly seen.",
    ),
    "background": Limit(
        good=1.5,
        usable=5.0,
        source="1.5: a little more than a copy of the plate shows that was encoded anew as usual (x264, crf 23: 0.1 to "
        "1.1). 5: more than one compressed plainly (crf 28: 0.6 to 4.0; benchmarks/evaluation_limits.py).",
    ),
}
"""Limits by metric. One that is not here is judged by how many frames show its faults plainly (`SELDOM`, `OFTEN`)."""

FLOORS: Final = {
    "identity": (0.816, 0.971),
    "second_opinion": (0.949, 0.980),
    "steadiness": (0.0, 0.002),
    "landmark_distance": (0.17, 0.39),
    "expression": (0.990, 0.999),
    "pose": (0.07, 0.15),
    "gaze": (0.39, 0.90),
    "jitter": (-0.013, 0.031),
    "flicker": (-0.137, 0.020),
    "color_flicker": (-0.019, -0.007),
    "mask_stability": (0.0, 0.003),
    "seam": (-0.007, 0.075),
    "sharpness": (0.87, 1.03),
    "background": (0.06, 1.23),
}
"""Least and most that a metric shows of four plates that were only encoded anew (x264, crf 23; 30 frames each;
`benchmarks/evaluation_limits.py`): nearer to perfect than that no metric can tell. Of both recognizers the likeness of
a person to the mean of the same clip."""

QUESTIONS: Final = {
    "identity": ("It is the src person", "It may pass for the src person", "It is not the src person yet"),
    "second_opinion": (
        "A second recognizer agrees",
        "A second recognizer half agrees",
        "A second recognizer does not agree",
    ),
    "landmark_distance": ("The face lies where it was", "Parts of the face lie off", "The face lies off"),
    "expression": ("The expression follows", "The expression follows in part", "The expression does not follow"),
    "pose": ("The head looks the same way", "The head is turned now and then", "The head is turned"),
    "gaze": ("The eyes look the same way", "The eyes look elsewhere now and then", "The eyes look elsewhere"),
    "jitter": ("The shape is steady", "The shape shakes a little", "The shape shakes"),
    "flicker": ("It does not flicker", "It flickers a little", "It flickers"),
    "color_flicker": ("The colour is steady", "The colour pulses now and then", "The colour pulses"),
    "steadiness": ("The likeness holds over time", "The likeness jumps now and then", "The likeness jumps"),
    "sharpness": ("It is as sharp as the plate", "The sharpness differs", "The sharpness differs plainly"),
    "background": ("The background is untouched", "The background changed now and then", "The background changed"),
    "seam": ("No seam is seen", "A seam is seen now and then", "A seam is seen"),
    "mask_stability": ("The mask is steady", "The mask moves now and then", "The mask moves"),
}
"""What a metric's level means in words: good, usable, lacking. Another metric is told by its name."""

_COVER = "konterfei report SRC --for DST tells what the src faces lack; add such footage, or train longer"
REMEDIES: Final = {
    "identity": "train longer; konterfei report SRC tells whether the src faces are one person's and clear enough",
    "second_opinion": "train longer, and without --identity-power, which pleases one recognizer alone",
    "landmark_distance": "look at the worst frames; where dst's landmarks are off, extract again with --passes 2",
    "expression": _COVER,
    "pose": _COVER,
    "gaze": _COVER,
    "jitter": "extract dst with --passes 2 or more --smoothing, or merge with more --steady",
    "flicker": "merge with more --steady",
    "color_flicker": "merge with more --color-smoothing",
    "steadiness": "look at the frames in which it jumps; " + _COVER,
    "softness": "train longer or at a higher resolution, or merge with --enhancer span",
    "sharpness": "merge with less --sharpen, --enhance and --grain",
    "background": "merge with a lower --crf, and see in the worst frames whether something was painted over",
    "seam": "merge with another --color, or more --feather and --erode",
}
"""What to do where a metric is not good, by what this program offers."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What one metric comes to.

    Attributes:
        name: of the metric.
        level: None where there is no limit or no figure.
        words: what that means.
        why: the figure and the limits, in a sentence.
        source: where the limits come from.
        doubt: why it may be another level, in words; empty where the whole interval is of this one.
        remedy: what to do where it is not good; empty where that is not known.
    """

    name: str
    level: Level | None
    words: str
    why: str
    source: str
    doubt: str
    remedy: str


def verdicts(evaluated: Evaluated) -> list[Verdict]:
    """Of every metric, what is lacking first."""
    found = [_verdict(name, evaluated) for name in evaluated.measurements]
    order = [Level.LACKING, Level.USABLE, Level.GOOD, None]
    return sorted(found, key=lambda one: order.index(one.level))


def _verdict(name: str, evaluated: Evaluated) -> Verdict:
    found, interval = evaluated.measurements[name], evaluated.intervals[name]
    limit = limit_of(name, evaluated)
    if not np.isfinite(found.value):
        return _told(name, None, "", "there is nothing in these frames that it could be told from", "", "")
    if limit is not None:
        return _by_limit(name, found, interval, limit)
    if not any(np.isfinite(fault.amount).any() for fault in found.faults.values()):
        figure = number(found.value, interval, found.unit)
        return _told(name, None, "", f"{figure}; no limit is stated, compare it with another render", "", "")
    share = share_of_frames(plain(found))
    level = Level.GOOD if share <= SELDOM else Level.USABLE if share <= OFTEN else Level.LACKING
    marks = ", ".join(f"{word} from {fault.bad:.3g} on" for word, fault in found.faults.items())
    why = f"{number(found.value, interval, found.unit)}; plainly seen in {share:.0%} of the frames"
    source = (
        f"Judged by the share of frames in which it is plainly seen: good up to {SELDOM:.0%}, usable up to {OFTEN:.0%} "
        f"(chosen: one frame in twenty, one in four). Plainly seen, by the metric's own marks: {marks}."
    )
    return _told(name, level, "", why, source, "" if interval.count >= LEAST_FRAMES else _TOO_FEW)


def limit_of(name: str, evaluated: Evaluated) -> Limit | None:
    """The limits of a metric, if there are any and they hold for the network that was asked."""
    limit = LIMITS.get(name)
    if limit is None or limit.network is None:
        return limit
    asked = evaluated.about.get("settings", {}).get(limit.network[0], {})
    return limit if isinstance(asked, Mapping) and asked.get("name") == limit.network[1] else None


def _by_limit(name: str, found: Measurement, interval: Interval, limit: Limit) -> Verdict:
    def level_of(value: float) -> Level:
        for figure, level in ((limit.good, Level.GOOD), (limit.usable, Level.USABLE)):
            if _reaches(found, value, figure):
                return level
        return Level.LACKING

    value = found.value
    level, share = level_of(value), share_of_frames(plain(found))
    ends = [level_of(end) for end in (interval.low, interval.high) if np.isfinite(end)]
    doubt = "" if all(end is level for end in ends) else "the interval reaches over a limit"
    why = number(value, interval, found.unit)
    asked = _asked(found, limit)
    if found.better == "near" and level is not Level.GOOD:
        why += "; softer than the plate" if value < found.perfect else "; sharper or noisier than the plate"
    if level is Level.GOOD and share > OFTEN:
        level, why = Level.USABLE, f"{why}; but something is plainly seen in {share:.0%} of the frames"
    remedy = "softness" if name == "sharpness" and value < found.perfect else name
    return _told(name, level, "", f"{why}; {asked}", limit.source, doubt if ends else _TOO_FEW, remedy)


def _reaches(found: Measurement, value: float, figure: float) -> bool:
    if found.better == "near":
        return max(value, 1e-9) / found.perfect <= figure and found.perfect / max(value, 1e-9) <= figure
    return value <= figure if found.better == "lower" else value >= figure


def _asked(found: Measurement, limit: Limit) -> str:
    if found.better == "near":
        return f"good is {1 / limit.good:.2g} to {limit.good:.3g}, usable {1 / limit.usable:.2g} to {limit.usable:.3g}"
    way = "at most" if found.better == "lower" else "at least"
    return f"good is {way} {limit.good:g}, usable {way} {limit.usable:g}"


def _told(name: str, level: Level | None, words: str, why: str, source: str, doubt: str, remedy: str = "") -> Verdict:
    known = QUESTIONS.get(name)
    if level is not None and known is not None:
        words = known[[Level.GOOD, Level.USABLE, Level.LACKING].index(level)]
    remedy = "" if level in (None, Level.GOOD) else REMEDIES.get(remedy or name, "")
    return Verdict(
        name=name, level=level, words=words or titled(name), why=why, source=source, doubt=doubt, remedy=remedy
    )


# --- differences


def is_small(name: str, evaluated: Evaluated, gain: float) -> bool:
    """Whether a difference of errors is less than a tenth of the step from usable to good, or, where there are no
    limits, of what is plainly seen in a frame.
    """
    limit, found = limit_of(name, evaluated), evaluated.measurements[name]
    if limit is None:
        marks = [fault.bad for fault in found.faults.values()]
        return bool(marks) and found.better == "lower" and abs(gain) < min(marks) / 10
    apart = np.log(limit.usable / limit.good) if found.better == "near" else limit.usable - limit.good
    return abs(gain) < abs(apart) / 10


# --- faults by frame


def marks_of(found: Measurement) -> list[float]:
    """From which figure of a single frame a fault is plainly seen, of faults that are measured as the figure is."""
    return sorted(
        {
            fault.bad
            for fault in found.faults.values()
            if not found.per_frame_is and np.array_equal(fault.amount, found.per_frame, equal_nan=True)
        }
    )


def plain(found: Measurement) -> Array:
    """How plainly the worst fault of a metric is seen by frame: 1 = plainly; NaN where no fault can be told. [N]"""
    return _worst([fault.amount / fault.bad for fault in found.faults.values()], len(found.per_frame))


def badness(evaluated: Evaluated) -> Array:
    """How bad each frame is over all metrics, as `metrics.worst` ranks them; 0 where nothing is wrong. [N] float64"""
    total = np.zeros(len(evaluated.plate))
    for found in evaluated.measurements.values():
        if found.faults:
            total += np.max([weight(fault) for fault in found.faults.values()], axis=0)
    return total


def share_of_frames(amounts: Array) -> float:
    """Share of the frames that can be told in which it is plainly seen, 0 to 1."""
    known = amounts[np.isfinite(amounts)]
    return float((known >= 1).mean()) if known.size else float("nan")


def seen_faults(evaluated: Evaluated) -> list[tuple[str, float, int]]:
    """What is plainly seen in some frames: words, share of the frames, row of the worst; the most frequent first."""
    found: list[tuple[str, float, int]] = []
    for name, measurement in evaluated.measurements.items():
        for words, fault in measurement.faults.items():
            if any(words == told for told, *_ in found):
                words = f"{words} by {titled(name)}"
            amount = np.where(np.isfinite(fault.amount), fault.amount / fault.bad, -np.inf)
            if len(amount) and amount.max() >= 1:
                found.append((words, fault_share(fault), int(amount.argmax())))
    return sorted(found, key=lambda one: -one[1])


def _worst(amounts: Sequence[Array], count: int) -> Array:
    stacked = np.full((1, count), -np.inf) if not amounts else np.stack([*amounts])
    worst = np.where(np.isfinite(stacked), stacked, -np.inf).max(axis=0, initial=-np.inf)
    return np.where(np.isfinite(worst), worst, np.nan)


# --- numbers


def titled(name: str) -> str:
    """The name of a metric or a part in words."""
    return name.replace("_", " ")


def decimals(value: float, interval: Interval | None = None) -> int:
    """Digits after the point: two that count of the interval's half width, or three of the value."""
    width = np.nan if interval is None else (interval.high - interval.low) / 2
    if np.isfinite(width) and width > 0:
        return int(np.clip(1 - np.floor(np.log10(width)), 0, 3))
    return int(np.clip(2 - np.floor(np.log10(max(abs(value), 1e-3))), 0, 3)) if np.isfinite(value) else 2


def number(value: float, interval: Interval | None, unit: str) -> str:
    """A figure with its interval and unit: "0.669 (0.655 to 0.682) cosine"."""
    if not np.isfinite(value):
        return "not measurable"
    places = decimals(value, interval)
    told = f"{value:z.{places}f}"
    if interval is not None and np.isfinite(interval.low):
        told += f" ({interval.low:z.{places}f} to {interval.high:z.{places}f})"
    return f"{told} {unit}".strip()


def signed(value: float, places: int) -> str:
    """A difference: "+0.010", "-0.300", "0.000"."""
    told = f"{value:+z.{places}f}"
    return told[1:] if float(told) == 0 else told
