"""How long, how fast: schedules, budgets, runs that are made longer."""

import json
from dataclasses import asdict

import pytest

from konterfei.training.objectives import Objectives
from konterfei.training.plan import BETTER, Budget, Progress, Schedule

PLAN = Schedule(rate=1e-3, warmup=10, hold=0.7, floor=0.03)


def test_the_rate_rises_holds_and_falls():
    rates = [PLAN.at(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-4)
    assert rates[4] == pytest.approx(5e-4)
    assert set(rates[9:700]) == {1e-3}
    assert rates[850] == pytest.approx(5e-4)
    assert rates[700:] == sorted(rates[700:], reverse=True)
    assert rates[-1] == pytest.approx(3e-5)
    assert min(PLAN.at(step, 1000) for step in (1000, 5000)) == pytest.approx(3e-5)


def test_the_plateau_does_not_know_how_long_the_run_will_be():
    assert [PLAN.at(step, 1000) for step in range(700)] == [PLAN.at(step, 4000) for step in range(700)]


def test_a_rate_is_given_for_any_length():
    for total in (0, 1, 5):
        for step in range(8):
            assert 0 < PLAN.at(step, total) <= 1e-3
    assert Schedule(rate=1.0, warmup=0).at(0, 100) == 1.0


def test_a_budget_of_steps_ends_at_the_step():
    progress = Progress()
    progress.adopt(Budget(steps=100))
    progress.step, progress.trained_s = 99, 1e6
    assert not progress.is_done
    progress.step = 100
    assert progress.is_done
    progress.estimate(50.0, 0.7)
    assert progress.total == 100


def test_a_budget_of_minutes_learns_how_many_steps_it_holds():
    progress = Progress()
    progress.adopt(Budget(steps=5000, minutes=10))
    assert progress.total == 5000  # a guess, until the speed is known
    progress.step, progress.trained_s = 300, 60.0
    progress.estimate(5.0, 0.7)
    assert (progress.total, progress.is_settled) == (3000, False)
    progress.step, progress.trained_s = 900, 120.0
    progress.estimate(10.0, 0.7)
    assert progress.total == 900 + 480 * 10
    progress.estimate(0.0, 0.7)  # no speed, no word
    assert progress.total == 5700
    assert not progress.is_done
    progress.trained_s = 600.0
    assert progress.is_done


def test_the_length_is_settled_once_the_rate_falls():
    progress = Progress(step=2100, trained_s=420.0)
    progress.adopt(Budget(steps=1, minutes=10))
    assert progress.total == 3000
    progress.estimate(5.0, 0.7)
    assert (progress.total, progress.is_settled) == (3000, True)
    progress.estimate(50.0, 0.7)
    assert progress.total == 3000
    # The machine slows down: the fall may end a little late, not without end.
    progress.step, progress.trained_s = 2900, 610.0
    assert not progress.is_done
    progress.trained_s = 690.0
    assert progress.is_done
    progress.step, progress.trained_s = 3000, 600.0
    assert progress.is_done


def test_minutes_may_be_fewer_than_were_trained():
    progress = Progress(step=1000, trained_s=600.0)
    progress.adopt(Budget(steps=1, minutes=5))
    assert progress.is_done
    assert progress.total == 1000


def test_a_finished_run_is_made_longer_by_a_larger_budget_only():
    progress = Progress()
    progress.adopt(Budget(steps=100))
    progress.step, progress.trained_s = 100, 20.0
    progress = Progress(**json.loads(json.dumps(asdict(progress))))  # through a checkpoint
    progress.adopt(Budget(steps=100))
    assert progress.is_done
    progress.adopt(Budget(steps=250))
    assert not progress.is_done
    assert PLAN.at(progress.step, progress.total) == PLAN.rate  # back on the plateau
    progress.adopt(Budget(steps=9999, minutes=2))
    assert progress.total == 100 + 100 * 5
    assert not progress.is_done


def test_the_same_budget_again_changes_nothing():
    progress = Progress()
    progress.adopt(Budget(steps=500, minutes=3))
    progress.step, progress.trained_s, progress.total, progress.is_settled = 80, 60.0, 240, True
    again = Progress(**json.loads(json.dumps(asdict(progress))))
    again.adopt(Budget(steps=500, minutes=3))
    assert (again.total, again.is_settled) == (240, True)


def test_a_score_counts_as_better_only_beyond_chance():
    progress = Progress()
    for value, stale in ((0.5, 0), (0.5 + BETTER / 2, 1), (0.5 + 2 * BETTER, 0), (0.4, 1), (float("nan"), 1)):
        progress.score(value)
        assert progress.stale == stale
    assert progress.top_score == 0.5 + 2 * BETTER


@pytest.mark.parametrize("minutes", [None, 60])
def test_a_run_that_ends_early_has_its_fall(minutes):
    progress = Progress()
    progress.adopt(Budget(steps=1000, minutes=minutes))
    progress.step, progress.trained_s = 350, 70.0
    progress.end_early(PLAN.hold)
    assert progress.total == 500 and PLAN.at(351, progress.total) < PLAN.rate
    progress.estimate(1000.0, PLAN.hold)  # the clock has no say any more
    assert progress.total == 500 and not progress.is_done
    progress.step = 500
    assert progress.is_done
    again = Progress(**json.loads(json.dumps(asdict(progress))))
    again.adopt(Budget(steps=1000, minutes=minutes))
    assert again.is_done, "the same budget again changes nothing"
    again.adopt(Budget(steps=1000, minutes=None if minutes else 60))
    assert not again.is_done and not again.is_ending


def test_what_is_left_of_a_run_is_not_made_longer_by_ending_it():
    progress = Progress()
    progress.adopt(Budget(steps=1000))
    progress.step = 990
    progress.end_early(PLAN.hold)
    assert progress.total == 1000


def test_a_rate_that_never_falls():
    plan = Schedule(rate=1e-3, warmup=1, hold=1.0)
    assert {plan.at(step, 100) for step in (0, 50, 99, 100, 500)} == {1e-3}


def test_what_is_newer_than_a_run_is_no_other_objective():
    before = {name: value for name, value in asdict(Objectives(eyes_mouth=True)).items() if name != "identity_power"}
    progress = Progress(step=50, loss=0.5, best=0.4, first=3.0, objectives=before)
    assert progress.changes_to(Objectives(eyes_mouth=True)) == {}
    progress.turn_to(Objectives(eyes_mouth=True))
    assert (progress.loss, progress.best, progress.first) == (0.5, 0.4, 3.0)
    changes = {"eyes_mouth": (True, False), "identity_power": (0, 0.1)}
    assert progress.changes_to(Objectives(identity_power=0.1)) == changes


def test_who_did_not_begin_untrained_never_did():
    progress = Progress(first=-1.0)
    progress.turn_to(Objectives(eyes_mouth=True))
    assert progress.first == -1.0
