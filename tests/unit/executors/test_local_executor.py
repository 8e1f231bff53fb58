"""Tasks on several processes: results in order, deaths, errors, stops."""

import executor_tasks
import pytest

from konterfei.errors import Cancelled, KonterfeiError, UnknownNameError
from konterfei.executors import LocalExecutor


def never():
    return False


def test_results_come_in_order_and_words_are_heard():
    words = []
    assert LocalExecutor(2).map(executor_tasks.squared, [3, 1, 2], words.append, never) == [9, 1, 4]
    assert sorted(words) == [1, 2, 3]


def test_a_task_whose_process_died_is_begun_again(tmp_path):
    tasks = [(str(tmp_path), number) for number in range(4)]
    assert LocalExecutor(2).map(executor_tasks.dies_once, tasks, print, never) == [0, 1, 2, 3]


def test_a_task_that_always_dies_is_an_error():
    with pytest.raises(KonterfeiError, match="died 3 times"):
        LocalExecutor(1).map(executor_tasks.dies, [0], print, never)


def test_an_error_of_ours_is_raised_here_with_its_kind_and_words():
    with pytest.raises(UnknownNameError, match=r"There is no fruit named 'appel'\. Did you mean apple"):
        LocalExecutor(2).map(executor_tasks.fails, [1, 2, 3], print, never)


def test_a_wish_to_stop_reaches_the_tasks():
    words = []
    with pytest.raises(Cancelled):
        LocalExecutor(2).map(executor_tasks.works_until_stopped, [1, 2], words.append, lambda: "begun" in words)
