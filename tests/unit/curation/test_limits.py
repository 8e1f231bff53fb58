"""Limits around a set's own values."""

import numpy as np
import pytest

from konterfei.curation.limits import fence, fixed


def test_a_set_with_a_wide_spread_has_its_limit_drawn_around_it():
    values = np.r_[np.random.default_rng(1).normal(10, 2, 4000), np.nan, 500.0]
    most = fence(values, 4, 11, "why", is_most=True)
    assert most.value == pytest.approx(18, abs=0.5) and "4 robust spreads" in most.source
    least = fence(values, 4, 9, "why", is_most=False)
    assert least.value == pytest.approx(2, abs=0.5) and "below this set's median" in least.source
    assert list(np.flatnonzero(most.passed_by(values))[-1:]) == [4001]
    assert not most.passed_by(np.array([np.nan]))[0]


@pytest.mark.parametrize(("bound", "is_most"), [(30, True), (-20, False)])
def test_it_is_never_nearer_than_the_bound(bound, is_most):
    limit = fence(np.full(10, 5.0), 6, bound, "the bound's reason", is_most=is_most)
    assert (limit.value, limit.source) == (bound, "the bound's reason")


def test_nothing_known_is_nothing_passed():
    limit = fence(np.full(3, np.nan), 6, 1.0, "why", is_most=True)
    assert limit.value == 1.0 and not limit.passed_by(np.full(3, np.nan)).any()
    assert fixed(1.0, "why", is_most=False).passed_by(np.array([0.5, 1.0])).tolist() == [True, False]
