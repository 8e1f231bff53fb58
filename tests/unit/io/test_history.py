"""Which of many states are kept: even histories, and generations whose age grows."""

from pathlib import Path

import pytest

from konterfei.io.history import to_outgrow


def kept_of(keep, saves=600, every=1):
    """Steps kept after each of so many saves."""
    left, course = [], []
    for step in range(every, (saves + 1) * every, every):
        left.append((step, Path(str(step))))
        for entry in to_outgrow(left, keep):
            left.remove(entry)
        course.append([step for step, _ in left])
    return course


@pytest.mark.parametrize("keep", [2, 3, 4, 5, 8])
def test_so_many_stay_the_newest_two_among_them(keep):
    for count, steps in enumerate(kept_of(keep), 1):
        assert len(steps) == min(count, keep)
        assert steps == sorted(steps)
        assert steps[-2:] == [count - 1, count][-count:]


@pytest.mark.parametrize("keep", [4, 5, 8])
def test_the_oldest_is_between_a_quarter_and_half_of_the_run_old(keep):
    for steps in kept_of(keep)[30:]:
        assert 0.22 < (steps[-1] - steps[0]) / steps[-1] < 0.55


def test_a_single_old_one_grows_up_to_half_of_the_run():
    ages = [(steps[-1] - steps[0]) / steps[-1] for steps in kept_of(3)[30:]]
    assert 0.45 < max(ages) <= 0.5
    assert sum(age > 0.1 for age in ages) > 0.7 * len(ages)


def test_five_states_of_a_long_day_reach_back_hours():
    """Saved every two minutes: from the eighth hour on, whatever the moment, one is two hours old or more."""
    for steps in kept_of(5, saves=600)[240:]:
        assert 2 * (steps[-1] - steps[0]) >= 120


def test_what_lies_far_apart_is_handled_too():
    assert kept_of(3, saves=5, every=10**9)[-1][-2:] == [4 * 10**9, 5 * 10**9]
    assert to_outgrow([], 3) == [] and to_outgrow([(7, Path("7"))], 1) == []
