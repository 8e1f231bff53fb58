"""The contract of `konterfei.metrics.ground_truth`, over its table."""

import warnings
from dataclasses import fields, replace

import numpy as np
import pytest
from metric_series import FRAMES, blurred, missing, noise, pumping, shifted
from truth_series import another, cast, delayed, dimmed, jumping, opened, result, truth

from konterfei.metrics import Series
from konterfei.metrics.ground_truth import MOST_DB, TRUTHS, common_mask

WORSE = {
    "truth_ssim": (blurred, [0.7, 1.2, 2.5]),
    "truth_psnr": (blurred, [0.7, 1.2, 2.5]),
    "truth_color": (cast, [2, 8, 25]),
    "truth_landmarks": (shifted, [1.0, 3.0, 9.0]),
    "truth_expression": (opened, [0.5, 1.5, 4.0]),
    "truth_identity": (another, [0.2, 0.5, 0.9]),
    "truth_flicker": (pumping, [2, 5, 15]),
}
BY_PIXELS = ("truth_ssim", "truth_psnr", "truth_color", "truth_flicker")


@pytest.fixture(params=sorted(TRUTHS))
def name(request):
    return request.param


@pytest.fixture
def metric(name):
    return TRUTHS.load(name)


def measured(name, change=lambda series: series):
    """By that metric, of the truth changed so."""
    return TRUTHS.load(name)(truth(), change(result(truth())))


def test_the_truth_itself_is_perfect(metric):
    found = metric(truth(), result(truth()))
    assert found.value == pytest.approx(found.perfect, abs=1e-6)
    assert found.error == pytest.approx(0, abs=1e-6)


def test_worse_input_measures_worse_and_worse(name, metric):
    assert name in WORSE, f"add a line to WORSE that says what makes '{name}' worse"
    change, amounts = WORSE[name]
    errors = [metric(truth(), change(result(truth()), amount)).error for amount in amounts]
    assert 0 < errors[0] < errors[1] < errors[2]


def test_it_has_figures_by_frame_and_a_line_for_the_report(metric):
    found = metric(truth(), noise(blurred(result(truth()), 1.0), 1.0))
    assert found.per_frame.shape == (FRAMES,)
    assert np.isfinite(found.per_frame).sum() >= FRAMES - 1
    assert found.value == pytest.approx(np.nanmean(found.per_frame))
    assert all(isinstance(value, float) and np.isfinite(value) for value in found.parts.values())
    assert len(metric.__doc__.splitlines()[0]) > 20


def test_frames_without_a_face_are_left_out(metric):
    whole = metric(truth(), noise(result(truth()), 1.0))
    gappy = metric(truth(), missing(noise(result(truth()), 1.0), [3, 4, 20]))
    assert np.isfinite(gappy.value)
    assert gappy.value == pytest.approx(whole.value, rel=0.3, abs=0.05)


@pytest.mark.parametrize("case", ["no frames", "one frame", "no face found", "nothing in the masks"])
def test_nothing_to_measure_is_nan_not_an_error(metric, name, case):
    true, ours = truth(), result(truth())
    if case == "no face found":
        ours = missing(ours, slice(None))
    elif case == "nothing in the masks":
        true = replace(true, masks=np.zeros_like(true.masks))
    else:
        count = {"no frames": 0, "one frame": 1}[case]
        true, ours = (type(one)(**{f.name: getattr(one, f.name)[:count] for f in fields(one)}) for one in (true, ours))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = metric(true, ours)
    by_pixels = name in BY_PIXELS
    if case == "no frames" or (case == "no face found" and not by_pixels) or (case[:7] == "nothing" and by_pixels):
        assert np.isnan(found.value)
    assert found.per_frame.shape == (len(true),)


def test_it_is_pure(metric):
    true, ours = truth(), noise(pumping(result(truth()), 5), 1.0)
    before = [getattr(s, f.name).copy() for s in (true, ours) for f in fields(s)]
    values = [metric(true, ours).value for _ in range(2)]
    assert values[0] == values[1]
    after = [getattr(s, f.name) for s in (true, ours) for f in fields(s)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


# --- each error moves what is about it, and leaves the rest alone


def test_a_cast_is_told_as_colour_not_as_structure():
    def change(series):
        return cast(series, 10)

    color = measured("truth_color", change)
    assert color.value > 3
    assert color.parts["red_green"] > 1.5  # towards red
    assert color.parts["yellow_blue"] > 3  # towards yellow
    assert abs(color.parts["lightness"]) < 2
    assert measured("truth_ssim", change).value > 0.99
    psnr = measured("truth_psnr", change)
    assert psnr.value == pytest.approx(20 * np.log10(255 / (10 * np.sqrt(2 / 3))), abs=0.3)
    assert psnr.parts["color_matched"] > psnr.value + 15
    assert measured("truth_flicker", change).value < 0.2


def test_blur_is_told_as_structure_not_as_colour():
    def change(series):
        return blurred(series, 1.2)

    assert measured("truth_ssim", change).value < 0.97
    assert measured("truth_color", change).value < 1.0
    psnr = measured("truth_psnr", change)
    assert psnr.parts["color_matched"] < psnr.value + 4


def test_too_little_contrast_is_forgiven_where_colour_is():
    psnr = measured("truth_psnr", lambda series: dimmed(series, 0.3))
    assert psnr.value < 35
    assert psnr.parts["color_matched"] > psnr.value + 8


def test_frames_of_another_time_are_told_by_all_that_moves():
    def change(series):
        return delayed(series, 4)

    for name in ("truth_ssim", "truth_psnr", "truth_landmarks", "truth_expression", "truth_flicker"):
        assert measured(name, change).error > 5 * measured(name).error + 0.05, name
    assert measured("truth_identity", change).value == pytest.approx(1, abs=1e-6)


def test_a_picture_that_jumps_flickers_one_that_stands_aside_does_not():
    steady = measured("truth_flicker", lambda series: replace(series, crops=np.roll(series.crops, 2, axis=2)))
    jumps = measured("truth_flicker", lambda series: jumping(series, 2))
    assert jumps.value > 3 * steady.value


def test_landmarks_are_compared_with_what_the_landmarker_finds_and_told_apart_from_the_exact_ones():
    found = measured("truth_landmarks")
    assert found.parts["landmarker"] == pytest.approx(found.parts["to_exact"])
    assert found.parts["landmarker"] > 1
    aside = measured("truth_landmarks", lambda series: shifted(series, 3.0))
    assert aside.value == pytest.approx(aside.parts["jaw"], rel=0.01)
    assert aside.parts["landmarker"] == pytest.approx(found.parts["landmarker"])


def test_shape_does_not_count_as_expression_when_nothing_opens():
    assert measured("truth_expression", lambda series: shifted(series, 5.0)).value == pytest.approx(0, abs=1e-4)
    found = measured("truth_expression", lambda series: opened(series, 2.0))
    assert found.parts["mouth_open"] > 1
    assert found.parts["eyes_open"] > 1
    assert found.parts["mouth_width"] == pytest.approx(0, abs=1e-4)


def test_frames_in_which_something_is_untrue_are_told():
    moved = opened(result(truth()), 4.0)
    only_some = replace(
        result(truth()), landmarks=np.where(np.arange(FRAMES)[:, None, None] == 9, moved.landmarks, truth().landmarks)
    )
    found = TRUTHS.load("truth_expression")(truth(), only_some)
    fault = found.faults["mouth open untrue"]
    assert np.flatnonzero(fault.amount > fault.bad).tolist() == [9]
    for name in TRUTHS:
        assert all(fault.amount.shape == (FRAMES,) and fault.bad > 0 for fault in measured(name).faults.values())


def test_the_witness_is_asked_where_there_is_one():
    alone = replace(truth(), witness=np.zeros((FRAMES, 0), np.float32))
    assert "witness" not in TRUTHS.load("truth_identity")(alone, result(alone)).parts
    seen = np.repeat(np.float32([[0.6, 0.8]]), FRAMES, axis=0)
    true = replace(truth(), witness=seen)
    ours = replace(result(true), witness=seen[:, ::-1])
    assert TRUTHS.load("truth_identity")(true, ours).parts["witness"] == pytest.approx(0.96)


def test_no_more_than_the_most_decibels_and_only_inside():
    def change(series):
        crops = series.crops.copy()
        crops[:, :6] = 0
        return replace(series, crops=crops)

    assert measured("truth_psnr", change).value == MOST_DB
    assert measured("truth_ssim", change).value > 0.999


def test_only_what_is_inside_of_both_faces_is_compared():
    exact = truth().exact[0]
    narrow = (exact - 32) * np.float32([0.7, 1.0]) + 32
    both = common_mask(exact, narrow, 64)
    assert 0 < both.sum() < common_mask(exact, exact, 64).sum()
    assert (both <= common_mask(narrow, narrow, 64) + 1e-6).all()
    assert Series in type(truth()).__mro__
