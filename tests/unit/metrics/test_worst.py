"""The worst frames: found, told with their reasons, neighbours once."""

import numpy as np
import pytest

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.worst import weight, worst_frames

FRAMES = 60


def measurement(**faults):
    return Measurement(
        value=0.0, unit="", better="lower", perfect=0.0, per_frame=np.zeros(FRAMES),
        faults={words.replace("_", " "): Fault(np.asarray(amount, float), 1.0) for words, amount in faults.items()},
    )  # fmt: skip


def even(level=0.1, seed=0):
    return level * (1 + 0.1 * np.random.default_rng(seed).normal(size=FRAMES))


def test_frames_that_stand_out_come_first_with_their_reasons():
    likeness, mouth = even(), even(seed=1)
    likeness[20], mouth[20], mouth[45] = 2.0, 1.5, 1.0
    found = worst_frames({"identity": measurement(unlike_src=likeness), "shape": measurement(mouth_off=mouth)}, 3)
    assert [frame.row for frame in found[:2]] == [20, 45]
    assert found[0].reasons == ("unlike src", "mouth off")
    assert found[1].reasons == ("mouth off",)
    assert found[0].score > found[1].score > found[2].score > 0


def test_neighbours_are_one():
    amount = even()
    amount[30:36] = [1.0, 1.1, 1.5, 1.2, 1.0, 0.9]
    found = worst_frames({"a": measurement(off=amount)}, 2, apart=10)
    assert found[0].row == 32
    assert abs(found[1].row - 32) >= 10


def test_rows_far_apart_in_the_video_are_no_neighbours():
    amount = even()
    amount[[30, 31]] = 1.5, 1.4
    indices = np.arange(FRAMES) * 100
    assert [frame.row for frame in worst_frames({"a": measurement(off=amount)}, 2, indices)] == [30, 31]


def test_several_faults_of_one_metric_count_as_one():
    one, many = even(), even()
    one[10], many[40] = 1.2, 1.0
    measured = {
        "many": measurement(eyes_off=many, mouth_off=many, jaw_off=many),
        "one": measurement(unlike_src=one),
    }
    assert [frame.row for frame in worst_frames(measured, 2)] == [10, 40]


def test_what_stands_out_but_is_not_bad_counts_little():
    """A tenth of what is seen, once, against what is plainly seen all the time."""
    outlier, always = np.zeros(FRAMES), even(1.0)
    outlier[5] = 0.1
    assert weight(Fault(outlier, 1.0)).max() < weight(Fault(always, 1.0)).min()


def test_frames_that_cannot_tell_count_nothing():
    amount = even()
    amount[::2] = np.nan
    assert (weight(Fault(amount, 1.0))[::2] == 0).all()
    assert (weight(Fault(np.full(FRAMES, np.nan), 1.0)) == 0).all()
    assert worst_frames({"a": measurement(off=np.full(FRAMES, np.nan))}) == []
    assert worst_frames({"a": measurement(off=-even())}) == []
    assert worst_frames({"a": measurement()}) == []
    assert worst_frames({}) == []


def test_a_frame_without_a_plain_fault_is_told_by_its_gravest():
    amount = np.zeros(FRAMES)
    amount[7] = 0.2
    (found,) = worst_frames({"a": measurement(off=amount)})
    assert (found.row, found.reasons) == (7, ("off",))


@pytest.mark.parametrize("count", [0, 1, 4])
def test_no_more_are_told_than_asked_for(count):
    assert len(worst_frames({"a": measurement(off=even())}, count)) == count
