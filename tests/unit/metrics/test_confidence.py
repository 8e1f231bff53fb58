"""Intervals: they hold the truth as often as they say, and a difference is told only where there is one."""

from dataclasses import replace

import numpy as np
import pytest

from konterfei.metrics import Measurement, confidence
from konterfei.metrics.confidence import block_length, difference, interval


def series(count, memory, random):
    """Values around 0 of which each keeps a share of the one before. [N]"""
    values = np.zeros(count + 100)
    for k in range(1, len(values)):
        values[k] = memory * values[k - 1] + random.normal()
    return values[100:]


def measured(per_frame, of_rows=None, better="higher", perfect=1.0):
    value = float(np.nanmean(per_frame)) if of_rows is None else of_rows(np.arange(len(per_frame)))
    return Measurement(
        value=value, unit="", better=better, perfect=perfect, per_frame=np.asarray(per_frame), of_rows=of_rows
    )


def one_shot(count):
    return np.zeros(count, np.int64)


def held(memory, monkeypatch, trials=120, single=False):
    """Share of the trials in which the interval holds the true mean, 0."""
    monkeypatch.setattr(confidence, "RESAMPLES", 300)
    if single:
        monkeypatch.setattr(confidence, "block_length", lambda values, shots: 1.0)
    random = np.random.default_rng(7)
    hits = 0
    for _ in range(trials):
        found = interval(measured(series(240, memory, random)), one_shot(240))
        hits += found.low <= 0 <= found.high
    return hits / trials


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_truth_lies_within_in_about_95_of_100(memory, monkeypatch):
    assert 0.88 <= held(memory, monkeypatch) <= 0.99


def test_single_frames_would_promise_too_much(monkeypatch):
    assert held(0.8, monkeypatch, single=True) < 0.65


def test_many_shots_are_drawn_whole(monkeypatch):
    """Each shot has its own level: blocks within shots cannot see that the shots are chance too."""
    monkeypatch.setattr(confidence, "RESAMPLES", 300)
    random, hits = np.random.default_rng(3), {12: 0, 99: 0}
    shots = np.repeat(np.arange(12), 20)
    for _ in range(80):
        found = measured(np.repeat(random.normal(size=12), 20) + 0.1 * random.normal(size=240))
        for enough in hits:
            monkeypatch.setattr(confidence, "ENOUGH_SHOTS", enough)
            told = interval(found, shots)
            assert (told.block == 0) == (enough == 12)
            hits[enough] += told.low <= 0 <= told.high
    assert hits[12] >= 70
    assert hits[99] < 40


def test_blocks_are_longer_where_frames_say_the_same():
    random = np.random.default_rng(1)
    short, long = (block_length(series(240, memory, random), one_shot(240)) for memory in (0.0, 0.9))
    assert short < 3 < long


def test_blocks_do_not_see_over_a_cut():
    """Levels that jump at every cut look as if frames far apart belonged together; they do within the shot alone."""
    values = np.random.default_rng(1).normal(size=240)
    alternating = np.repeat([0, 1] * 12, 10)
    assert confidence._together(values, alternating * 0, 10) != confidence._together(values, np.arange(240), 10)
    assert confidence._together(values, np.arange(240), 10) == 0


def test_a_value_of_rows_gets_the_same_interval_as_the_mean_that_it_is():
    values = series(90, 0.5, np.random.default_rng(2))
    values[[4, 50]] = np.nan
    plain, by_rows = (
        interval(measured(values, of_rows), np.repeat([0, 1], 45))
        for of_rows in (None, lambda r: np.nanmean(values[r]))
    )
    assert (by_rows.low, by_rows.high) == pytest.approx((plain.low, plain.high), abs=1e-9)
    assert plain.count == 88


def test_blocks_follow_what_a_frame_adds_not_what_is_drawn_by_frame():
    """The spread of a slow series: shown by frame are its quick changes, which do not hang together."""
    slow = series(240, 0.95, np.random.default_rng(3))
    changes = np.diff(slow, prepend=slow[0])
    plain, spread = measured(changes), measured(changes, lambda rows: float(slow[rows].std()))
    assert interval(plain, one_shot(240)).block <= 3
    assert interval(spread, one_shot(240)).block > 10


def test_whole_shots_of_different_lengths():
    lengths = np.arange(3, 15)
    shots = np.repeat(np.arange(12), lengths)
    values = np.random.default_rng(2).normal(size=len(shots))
    plain, by_rows = (interval(measured(values, f), shots) for f in (None, lambda r: np.nanmean(values[r])))
    assert (by_rows.low, by_rows.high) == pytest.approx((plain.low, plain.high), abs=1e-9)


def test_equal_measurements_get_equal_intervals():
    found = measured(series(60, 0.5, np.random.default_rng(4)))
    assert interval(found, one_shot(60)) == interval(found, one_shot(60))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_too_few_frames_tell_nothing(count):
    values = np.arange(count, dtype=np.float64)
    found = replace(measured([1.0]), per_frame=values)
    told = interval(found, one_shot(count))
    assert np.isnan(told.low)
    assert np.isnan(told.high)
    assert told.count == count


def test_a_figure_that_cannot_be_told_has_no_interval():
    nothing = replace(measured(np.ones(40)), value=float("nan"), per_frame=np.full(40, np.nan))
    assert np.isnan(interval(nothing, one_shot(40)).low)
    assert difference(nothing, measured(np.ones(40)), one_shot(40)).is_better is None


# --- differences


def test_what_both_have_in_common_is_taken_out():
    """Two renders of one performance: the hard frames are hard for both, so a small difference can still be told."""
    random = np.random.default_rng(5)
    hard = series(200, 0.9, random)
    one, other = measured(hard + 0.2 + 0.1 * random.normal(size=200)), measured(hard)
    found = difference(one, other, one_shot(200))
    alone = interval(one, one_shot(200))
    assert found.value == pytest.approx(0.2, abs=0.03)
    assert found.interval.low < 0.2 < found.interval.high
    assert (found.interval.high - found.interval.low) < 0.3 * (alone.high - alone.low)


@pytest.mark.parametrize("better", ["higher", "lower", "near"])
def test_the_other_way_round_is_the_mirrored_difference(better):
    random = np.random.default_rng(8)
    values = 2 + np.stack([series(120, 0.8, random), series(120, 0.8, random)])
    one, other = (measured(v, better=better, perfect=1.0) for v in values)
    there, back = difference(one, other, one_shot(120)), difference(other, one, one_shot(120))
    for a, b in ((there.interval, back.interval), (there.gain_interval, back.gain_interval)):
        assert (a.low, a.high) == pytest.approx((-b.high, -b.low))
    assert there.value == pytest.approx(-back.value)
    assert {there.is_better, back.is_better} in ({True, False}, {None})
    same = difference(one, one, one_shot(120))
    assert (same.value, same.interval.low, same.interval.high, same.is_better) == (0, 0, 0, None)


@pytest.mark.parametrize(("better", "is_better"), [("higher", True), ("lower", False)])
def test_better_is_what_is_nearer_to_perfect(better, is_better):
    values = np.random.default_rng(6).normal(size=120)
    one, other = (measured(v, better=better, perfect=9.0 if better == "higher" else -9.0) for v in (values + 1, values))
    assert difference(one, other, one_shot(120)).is_better is is_better
    assert difference(other, one, one_shot(120)).is_better is not is_better
    assert difference(one, one, one_shot(120)).is_better is None


def test_near_compares_distances_from_perfect():
    """0.9 is nearer to 1 than 1.5, though it is lower."""
    spread = 0.05 * np.random.default_rng(6).normal(size=120)
    one, other = (measured(v + spread, better="near") for v in (0.9, 1.5))
    found = difference(one, other, one_shot(120))
    assert found.value == pytest.approx(-0.6)
    assert found.gain > 0
    assert found.is_better is True


def test_chance_alone_is_seldom_called_a_difference(monkeypatch):
    monkeypatch.setattr(confidence, "RESAMPLES", 300)
    random = np.random.default_rng(8)
    told = [
        difference(measured(series(240, 0.7, random)), measured(series(240, 0.7, random)), one_shot(240)).is_better
        for _ in range(60)
    ]
    assert sum(one is not None for one in told) <= 9
