"""The report of an evaluation as JSON: all of it, there and back."""

import json
from dataclasses import replace

import numpy as np
import pytest

from evaluated_material import evaluated
from konterfei.metrics import METRICS
from konterfei.metrics.evaluation import VERSION, differences_to_json, from_json, lines, to_json


@pytest.fixture(scope="module")
def swap():
    return evaluated()


def there_and_back(one):
    return json.loads(json.dumps(to_json(one), allow_nan=False))


def test_every_figure_comes_back(swap):
    back = from_json(there_and_back(swap))
    assert back.name == "out.mp4"
    assert dict(back.frames) == dict(swap.frames)
    assert np.array_equal(back.indices, swap.plate.indices)
    assert list(back.measurements) == list(METRICS)
    for name, found in swap.measurements.items():
        same = back.measurements[name]
        assert same.value == pytest.approx(found.value, abs=1e-6, nan_ok=True)
        assert (same.unit, same.better, same.perfect) == (found.unit, found.better, found.perfect)
        assert dict(same.parts) == pytest.approx(dict(found.parts), abs=1e-6, nan_ok=True)
        assert np.allclose(same.per_frame, found.per_frame, atol=1e-6, equal_nan=True)
        assert same.error == pytest.approx(found.error, abs=1e-4, nan_ok=True)
        told, wanted = back.intervals[name], swap.intervals[name]
        assert (told.low, told.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6, nan_ok=True)
        assert (told.count, told.block) == (wanted.count, wanted.block)


def test_it_says_what_each_figure_is_and_how_it_was_made(swap):
    data = there_and_back(swap)
    assert data["inputs"] == swap.about["inputs"]
    assert data["settings"] == swap.about["settings"]
    assert data["confidence"]["seed"]
    assert {"konterfei", "python", "numpy", "onnxruntime"} <= set(data["made_by"])
    assert data["fps"] == "25"
    identity = data["metrics"]["identity"]
    assert identity["definition"].startswith(identity["about"])
    assert len(identity["definition"]) > len(identity["about"]) + 50
    spread = identity["distribution"]
    assert spread["p5"] < spread["median"] < spread["p95"]
    assert identity["interval"]["low"] < identity["value"] < identity["interval"]["high"]


def test_what_cannot_be_told_is_null_and_comes_back_as_nan(swap):
    blank = replace(swap.measurements["identity"], value=float("nan"), per_frame=np.full(60, np.nan))
    data = there_and_back(evaluated(measurements={"identity": blank}))
    assert data["metrics"]["identity"]["value"] is None
    assert data["metrics"]["identity"]["interval"]["low"] is None
    back = from_json(data)
    assert np.isnan(back.measurements["identity"].value)
    assert np.isnan(back.measurements["identity"].per_frame).all()
    assert np.isnan(back.intervals["identity"].low)


@pytest.mark.parametrize(
    "change",
    [
        {"version": VERSION - 1},
        {"version": VERSION + 1},
        {"format": "konterfei comparison"},
        {"frame_indices": [1, 2]},
        {"metrics": {"identity": {}}},
        {"metrics": 3},
    ],
)
def test_anything_else_is_refused(swap, change):
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_json({**there_and_back(swap), **change})


def test_a_metric_that_is_in_no_table_is_told_by_its_own_words(swap):
    own = {"near_truth": swap.measurements["identity"]}
    data = there_and_back(evaluated(measurements=own, definitions={"near_truth": "How near the truth.\n\nMore."}))
    assert data["metrics"]["near_truth"]["about"] == "How near the truth."


def test_the_difference_of_two_results():
    good, bad = evaluated(strength=0.2, name="good.mp4"), evaluated(strength=0.9, seed=6, name="bad.mp4")
    found = json.loads(json.dumps(differences_to_json(bad, good), allow_nan=False))
    assert found["from"] == "good.mp4"
    identity = found["metrics"]["identity"]
    assert identity["value"] == pytest.approx(
        bad.measurements["identity"].value - good.measurements["identity"].value, abs=1e-5
    )
    assert identity["gain_interval"]["low"] < identity["gain"] < identity["gain_interval"]["high"] < 0
    assert identity["is_better"] is False


def test_the_worst_frames_are_named_with_reasons(swap):
    told = there_and_back(swap)["worst_frames"]
    assert 0 < len(told) <= 10
    assert all(frame["reasons"] and frame["frame"] in swap.plate.indices for frame in told)
    assert told[0]["seconds"] == pytest.approx(told[0]["frame"] / 25)
    assert told[0]["score"] == max(frame["score"] for frame in told)


def test_other_frames_are_not_compared():
    with pytest.raises(ValueError, match="same frames"):
        evaluated(frames=50).against(evaluated(frames=60))


def test_lines_count_in_whole_numbers_and_know_no_minus_zero(swap):
    steady = replace(swap.measurements["steadiness"], value=-0.001, parts={"result": -0.004, "num_jumps": 3.0})
    (line,) = lines({"steadiness": steady})
    assert line == "steadiness  0.00 cosine (perfect 0); result 0.00, num jumps 3"
