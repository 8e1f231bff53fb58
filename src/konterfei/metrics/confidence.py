"""How far chance in the choice of frames moves a figure: intervals by block bootstrap.

Frames beside one another say nearly the same, so single frames must not be drawn anew one by one: the interval would be
several times too narrow. Drawn are blocks of neighbouring frames, within their shots (Kuensch, Annals of Statistics 17,
1989; wrapped round at a shot's end so that every frame is drawn equally often: Politis and Romano 1992), and where
there are `ENOUGH_SHOTS` or more, whole shots.

*Length of the blocks*: from the autocorrelation of what each frame adds to the figure (of a mean its value, of others
what leaving the frame out changes), after Politis and White, Econometric Reviews
23, 2004, corrected by Patton, Politis and White 2009; three times theirs, which is best for a variance but leaves
intervals too narrow; at most a quarter of the frames. *Width*: percentiles of a few blocks are too narrow, so their
distance from the figure is stretched as Student's t asks for that many blocks (Hesterberg, The American Statistician
69, 2015).

*Measured* on 300 series of 240 frames each, with an autocorrelation of 0.5, 0.8, 0.9 and 0.95 from one frame to the
next: 94, 93, 94 and 91 % of the intervals held the true mean (with Politis and White's length 90, 90, 86 and 77 %, with
single frames 71, 47, 31 and 25 %). Of 60 frames 91, 93, 87 and 74 %: few frames that all hang together promise a
little too much.

*Meaning*: other moments of the same performance, measured alike, would give a figure within it in about 19 of 20 cases.
It says nothing about other people, other clips, or what the networks get wrong in every frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from konterfei.metrics import Measurement

Array = NDArray[Any]

LEVEL = 0.95
RESAMPLES = 1000
SEED = 20_240_601
"""Of the draws: equal measurements get equal intervals."""
ENOUGH_SHOTS = 10
"""From so many on whole shots are drawn, each as one block; with fewer their spread would be guesswork."""
LEAST_FRAMES = 12
"""Frames with a figure below which no interval is given."""
_LARGEST_SHARE = 0.25  # of the frames that one block may take: four blocks are the least that show a spread
_MOST_LEFT_OUT = 2000  # frames that are left out one by one; of more the figure by frame has to do
_LONGER = 3.0  # than Politis and White's: see above
_NORMAL = 1.959964  # of LEVEL


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a figure may lie by chance.

    Attributes:
        low, high: ends; NaN where they cannot be told.
        count: frames that the figure was made from.
        block: frames of the series drawn together; 0 where whole shots were drawn.
    """

    low: float
    high: float
    count: int
    block: int


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One result against another, over the same frames.

    Attributes:
        value: figure of the one minus figure of the other.
        interval: of `value`.
        gain: how much nearer to perfect the one is (`Measurement.error`), above 0: better.
        gain_interval: of `gain`.
        is_better: True or False beyond chance; None where no difference can be told.
    """

    value: float
    interval: Interval
    gain: float
    gain_interval: Interval

    @property
    def is_better(self) -> bool | None:
        """Whether the interval of `gain` lies on one side of 0."""
        if self.gain_interval.low > 0:
            return True
        return False if self.gain_interval.high < 0 else None


def interval(found: Measurement, shots: Array) -> Interval:
    """The interval of a measurement's value.

    Args:
        found: the measurement of N frames.
        shots: number of the shot that each frame belongs to. [N] int64
    """
    draws = _Draws(shots, found.per_frame, _added(found))
    return draws.interval(found.value, draws.values(found))


def difference(one: Measurement, other: Measurement, shots: Array) -> Difference:
    """How `one` differs from `other`, both of the same metric and the same N frames; the same frames are drawn in both.

    Args:
        one, other: what was measured.
        shots: number of the shot that each frame belongs to. [N] int64
    """
    draws = _Draws(shots, one.per_frame - other.per_frame, _added(one) - _added(other))
    ours, theirs = draws.values(one), draws.values(other)
    gains = _errors(other, theirs) - _errors(one, ours)
    value, gain = one.value - other.value, other.error - one.error
    return Difference(
        value=value,
        interval=draws.interval(value, ours - theirs),
        gain=gain,
        gain_interval=draws.interval(gain, gains),
    )


def differences(
    some: Mapping[str, Measurement], others: Mapping[str, Measurement], shots: Array
) -> dict[str, Difference]:
    """`difference` of each metric that both have, by name."""
    return {name: difference(found, others[name], shots) for name, found in some.items() if name in others}


def about() -> dict[str, Any]:
    """How intervals are made: plain JSON values for a report."""
    return {
        "method": "circular block bootstrap within shots; whole shots where there are enough",
        "level": LEVEL,
        "resamples": RESAMPLES,
        "seed": SEED,
        "enough_shots": ENOUGH_SHOTS,
        "least_frames": LEAST_FRAMES,
        "block_length": f"{_LONGER:g} times that of Politis and White 2004, corrected 2009",
        "stretched": "by Student's t for as many blocks as there are (Hesterberg 2015)",
    }


def _added(found: Measurement) -> Array:
    """What each frame adds to the figure, up to a factor and a constant; NaN where nothing. [N] float64"""
    count = len(found.per_frame)
    if found.of_rows is None or not np.isfinite(found.value) or count > _MOST_LEFT_OUT:
        return found.per_frame
    rows = np.arange(count)
    return np.array([found.value - found.of_rows(np.delete(rows, row)) for row in rows])


def _errors(found: Measurement, values: Array) -> Array:
    """`Measurement.error` of each value; NaN of NaN."""
    return np.array([replace(found, value=float(v)).error if np.isfinite(v) else np.nan for v in values])


class _Draws:
    """The frames that are drawn, `RESAMPLES` times, for one measurement.

    A draw is a list of runs of rows: every shot is laid out twice in a row, so that a block may run over its end.
    """

    def __init__(self, shots: Array, per_frame: Array, added: Array) -> None:
        self._begins, self._lengths = _runs(shots)
        self._total = len(shots)
        self.count = int(np.isfinite(per_frame).sum())
        self.block = 0 if len(self._begins) >= ENOUGH_SHOTS else self._block(added, shots)

    def _block(self, added: Array, shots: Array) -> int:
        finite = np.isfinite(added)
        if finite.sum() < LEAST_FRAMES:
            return 1
        spread = self._total / float(finite.sum())  # frames of the series per frame that adds something
        longest = max(1, int(_LARGEST_SHARE * self._total))
        wanted = block_length(added[finite], shots[finite])
        return 1 if wanted == 1 else int(np.clip(round(_LONGER * wanted * spread), 1, longest))

    @cached_property
    def _layout(self) -> Array:
        """Rows of the series, each shot twice in a row. [2 N] int64"""
        return np.concatenate(
            [np.tile(np.arange(b, b + n), 2) for b, n in zip(self._begins, self._lengths, strict=True)]
        )

    @cached_property
    def _drawn(self) -> tuple[Array, Array]:
        """Where in the layout each run begins, and how long it is. [R, K] int64 each"""
        random = np.random.default_rng(SEED)
        if not self.block:
            chosen = random.integers(0, len(self._begins), (RESAMPLES, len(self._begins)))
            return 2 * self._begins[chosen], self._lengths[chosen]
        starts, lengths = [], []
        for begin, length in zip(self._begins, self._lengths, strict=True):
            size = min(self.block, int(length))
            full, rest = divmod(int(length), size)
            own = np.array([size] * full + [rest] * bool(rest), np.int64)
            lengths.append(own)
            starts.append(2 * begin + random.integers(0, length, (RESAMPLES, len(own))))
        return np.concatenate(starts, axis=1), np.broadcast_to(
            np.concatenate(lengths), (RESAMPLES, sum(map(len, lengths)))
        )

    def values(self, found: Measurement) -> Array:
        """The measurement's value of each draw. [R] float64"""
        if self.count < LEAST_FRAMES:
            return np.full(RESAMPLES, np.nan)
        starts, lengths = self._drawn
        if found.of_rows is None:
            laid = found.per_frame[self._layout]
            finite = np.isfinite(laid)
            sums, counts = (np.r_[0, np.cumsum(part)] for part in (np.where(finite, laid, 0.0), finite))
            total, number = ((part[starts + lengths] - part[starts]).sum(axis=1) for part in (sums, counts))
            return np.divide(total, number, out=np.full(RESAMPLES, np.nan), where=number > 0)
        return np.array([found.of_rows(self._layout[_spread(*draw)]) for draw in zip(starts, lengths, strict=True)])

    def interval(self, value: float, values: Array) -> Interval:
        """From the values of the draws."""
        known = values[np.isfinite(values)]
        if not np.isfinite(value) or len(known) < RESAMPLES / 2:
            return Interval(low=float("nan"), high=float("nan"), count=self.count, block=self.block)
        blocks = self._total / self.block if self.block else len(self._begins)
        stretch = np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, (1 + LEVEL) / 2) / _NORMAL
        ends = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        middle = float(np.median(known))
        low, high = (float(value + (end - middle) * stretch) for end in ends)
        return Interval(low=low, high=high, count=self.count, block=self.block)


def _runs(shots: Array) -> tuple[Array, Array]:
    """Where each shot begins and how many frames it has. [K] int64 each"""
    begins = np.flatnonzero(np.r_[True, np.diff(shots) != 0][: len(shots)])
    return begins, np.diff(np.r_[begins, len(shots)])


def _spread(starts: Array, lengths: Array) -> Array:
    """start, start + 1, ... of each run, one run after the other."""
    offsets = np.cumsum(lengths) - lengths
    return np.repeat(starts - offsets, lengths) + np.arange(lengths.sum())


def block_length(values: Array, shots: Array) -> float:
    """The length that suits a circular block bootstrap of the mean (Politis and White 2004, corrected 2009).

    Args:
        values: without NaN. [N] float64
        shots: number of the shot of each; pairs over a cut do not count. [N] int64

    Returns:
        1 or more; 1 for values that do not depend on those before.
    """
    count = len(values)
    centred = values - values.mean()
    power = float((centred**2).mean())
    if count < LEAST_FRAMES or power < 1e-18:
        return 1.0
    tried = max(5, int(np.sqrt(np.log10(count))))
    longest = min(count // 2, int(np.ceil(np.sqrt(count))) + tried)
    covariance = np.array([power, *(_together(centred, shots, lag) for lag in range(1, longest + 1))])
    telling = np.abs(covariance[1:] / power) >= 2 * np.sqrt(np.log10(count) / count)
    silent = next((m for m in range(longest - tried + 1) if not telling[m : m + tried].any()), longest - tried + 1)
    if silent == 0:
        return 1.0
    window = min(2 * silent, longest)
    lags = np.arange(-window, window + 1)
    weights = np.clip(2 * (1 - np.abs(lags) / window), 0, 1)  # flat to the half, then down to 0
    own = weights * covariance[np.abs(lags)]
    slope, level = float((np.abs(lags) * own).sum()), float(own.sum())
    if level <= 0:
        return 1.0
    return max(1.0, (2 * slope**2 / (4 / 3 * level**2)) ** (1 / 3) * count ** (1 / 3))


def _together(centred: Array, shots: Array, lag: int) -> float:
    same = shots[lag:] == shots[:-lag]
    return float((centred[lag:] * centred[:-lag])[same].sum() / len(centred))
