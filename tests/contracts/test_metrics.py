"""The contract of `konterfei.metrics`, over its table."""

import warnings
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from metric_series import (
    FRAMES,
    PEOPLE,
    blurred,
    breathing,
    dirtied,
    looking_aside,
    missing,
    noise,
    plate,
    pumping,
    rolled,
    shifted,
    tinted,
    towards_dst,
    unit,
    wavering,
    witnessed_towards_dst,
)

from konterfei.metrics import METRICS, People, Series
from konterfei.metrics.series import second_difference

WORSE = {
    "identity": (towards_dst, [0.2, 0.5, 0.9]),
    "landmark_distance": (shifted, [1.0, 3.0, 9.0]),
    "expression": (noise, [2.0, 6.0, 20.0]),
    "jitter": (noise, [0.3, 1.0, 3.0]),
    "flicker": (pumping, [2, 5, 15]),
    "sharpness": (blurred, [0.7, 1.2, 2.5]),
    "background": (dirtied, [0.5, 2.0, 8.0]),
    "second_opinion": (witnessed_towards_dst, [0.2, 0.5, 0.9]),
    "steadiness": (wavering, [0.2, 0.5, 0.9]),
    "pose": (rolled, [1.0, 4.0, 15.0]),
    "gaze": (looking_aside, [0.5, 2.0, 6.0]),
    "color_flicker": (pumping, [2, 5, 15]),
    "mask_stability": (breathing, [1, 2, 4]),
    "seam": (tinted, [10, 25, 60]),
}
BY_PIXELS = ("flicker", "sharpness", "color_flicker", "mask_stability", "seam")
BY_FRAME = ("background",)
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture(params=sorted(METRICS))
def name(request):
    return request.param


@pytest.fixture
def metric(name):
    return METRICS.load(name)


def test_the_plate_itself_and_src_is_perfect(metric):
    measured = metric(plate(), plate(), PEOPLE)
    assert measured.value == pytest.approx(measured.perfect, abs=1e-6)
    assert measured.error == pytest.approx(0, abs=1e-6)


def test_worse_input_measures_worse_and_worse(name, metric):
    assert name in WORSE, f"add a line to WORSE that says what makes '{name}' worse"
    change, amounts = WORSE[name]
    found = [metric(plate(), change(plate(), amount), PEOPLE) for amount in amounts]
    errors = [measured.error for measured in found]
    assert 0 < errors[0] < errors[1] < errors[2]
    faults = [sum(np.nansum(fault.amount) for fault in measured.faults.values()) for measured in found]
    assert faults[0] <= faults[-1]


def test_it_has_figures_by_frame_and_a_line_for_the_report(metric):
    measured = metric(plate(), noise(plate(), 1.0), PEOPLE)
    assert measured.per_frame.shape == (FRAMES,)
    assert np.isfinite(measured.per_frame).any()
    assert all(isinstance(value, float) for value in measured.parts.values())
    assert measured.faults
    assert all(fault.amount.shape == (FRAMES,) and fault.bad > 0 for fault in measured.faults.values())
    assert measured.better in ("higher", "lower", "near")
    assert len(metric.__doc__.splitlines()[0]) > 20


def test_frames_without_a_face_are_left_out(metric):
    gaps = [3, 4, 20]
    whole = metric(plate(), noise(plate(), 1.0), PEOPLE)
    gappy = metric(plate(), missing(noise(plate(), 1.0), gaps), PEOPLE)
    assert np.isfinite(gappy.value)
    assert gappy.value == pytest.approx(whole.value, rel=0.3, abs=0.05)


@pytest.mark.parametrize("case", ["no frames", "one frame", "no face found", "nothing in the masks"])
def test_nothing_to_measure_is_nan_not_an_error(metric, name, case):
    series = plate()
    if case == "no face found":
        theirs, ours = series, missing(series, slice(None))
    elif case == "nothing in the masks":
        theirs = ours = replace(series, masks=np.zeros_like(series.masks))
    else:
        count = {"no frames": 0, "one frame": 1}[case]
        theirs = ours = Series(**{f.name: getattr(series, f.name)[:count] for f in fields(Series)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measured = metric(theirs, ours, PEOPLE)
    if case == "no frames" or (case == "no face found" and name not in BY_PIXELS + BY_FRAME):
        assert np.isnan(measured.value)
    if case == "nothing in the masks" and name in BY_PIXELS:
        assert np.isnan(measured.value)
    assert measured.per_frame.shape == (len(theirs),)
    assert all(fault.amount.shape == (len(theirs),) for fault in measured.faults.values())


def test_it_is_pure(metric):
    first, second = plate(), noise(pumping(plate(), 5), 1.0)
    before = [getattr(s, f.name).copy() for s in (first, second) for f in fields(Series)]
    values = [metric(first, second, PEOPLE).value for _ in range(2)]
    assert values[0] == values[1]
    after = [getattr(s, f.name) for s in (first, second) for f in fields(Series)]
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


def test_its_definition_is_told_to_readers(name):
    rows = [line for line in DOCS.read_text("utf-8").splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1, f"add a line about '{name}' to {DOCS.name}"
    definition, unit, perfect = rows[0].split(" | ")[1:4]
    assert len(definition) > 40
    assert unit.strip()
    assert float(perfect) == METRICS.load(name)(plate(), plate(), PEOPLE).perfect


# --- each by itself


def test_identity_of_an_unswapped_face_has_a_negative_margin():
    measured = METRICS.load("identity")(plate(), towards_dst(plate(), 1.0), PEOPLE)
    assert measured.parts["to_dst"] == pytest.approx(1, abs=1e-6)
    assert measured.parts["margin"] < -0.5
    assert measured.parts["plate_to_src"] == pytest.approx(1, abs=1e-6)


def test_identity_tells_its_worst_frames():
    embeddings = plate().embeddings.copy()
    embeddings[7:10] = PEOPLE.dst
    measured = METRICS.load("identity")(plate(), replace(plate(), embeddings=embeddings), PEOPLE)
    assert set(np.argsort(measured.per_frame)[:3]) == {7, 8, 9}
    assert measured.parts["worst_5_percent"] < 0.5


def test_distance_is_in_percent_of_eye_distance():
    """One eye distance aside is 100 %, in every part, at any size."""
    for scale in (0.5, 3.0):
        series = replace(plate(), landmarks=plate().landmarks * scale)
        aside = replace(series, landmarks=series.landmarks + series.eye_distance[:, None, None] * [0.6, 0.8])
        measured = METRICS.load("landmark_distance")(series, aside, PEOPLE)
        assert measured.value == pytest.approx(100, rel=1e-4)
        assert all(part == pytest.approx(100, rel=1e-4) for part in measured.parts.values())


def test_expression_ignores_where_and_how_large_the_face_is():
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    moved = replace(plate(), landmarks=plate().landmarks @ turn.T * 1.7 + 50)
    measured = METRICS.load("expression")(plate(), moved, PEOPLE)
    assert measured.value == pytest.approx(1, abs=1e-4)
    assert measured.parts["mouth_open_range"] == pytest.approx(1, abs=1e-3)


def test_a_dulled_expression_shows_in_its_range():
    still = plate().landmarks.mean(axis=0)
    centred = plate().landmarks - plate().landmarks.mean(axis=1, keepdims=True)
    rest = still - still.mean(axis=0)
    half = replace(plate(), landmarks=(rest + 0.5 * (centred - rest)).astype(np.float32))
    measured = METRICS.load("expression")(plate(), half, PEOPLE)
    assert measured.value > 0.9
    assert 0.3 < measured.parts["mouth_open_range"] < 0.7


def test_a_face_that_never_moves_has_no_expression_to_compare():
    still = replace(plate(), landmarks=np.repeat(plate().landmarks[:1], FRAMES, axis=0))
    assert np.isnan(METRICS.load("expression")(still, noise(still, 0.05), PEOPLE).value)


def test_second_difference_of_even_motion_is_zero_and_gaps_count_not():
    series = plate(6)
    even = np.arange(6)[:, None, None] * np.ones((6, 68, 2)) * 3.5
    assert np.allclose(second_difference(even, series.neighbours)[1:-1], 0)
    gap = replace(series, indices=np.array([0, 1, 2, 9, 10, 11]))
    bent = second_difference(even, gap.neighbours)
    assert np.isfinite(bent[[1, 4]]).all()
    assert np.isnan(bent[[0, 2, 3, 5]]).all()


def test_jitter_of_known_noise_has_the_known_size():
    """White noise s per axis: second difference has sqrt(6) s, its length in the plane sqrt(pi / 2) times that."""
    sigma = 0.5
    measured = METRICS.load("jitter")(plate(), noise(plate(), sigma), PEOPLE)
    expected = 100 * np.sqrt(6) * np.sqrt(np.pi / 2) * sigma / plate().eye_distance.mean()
    still = replace(plate(), landmarks=np.repeat(plate().landmarks[:1], FRAMES, axis=0))
    measured = METRICS.load("jitter")(still, noise(still, sigma), PEOPLE)
    assert measured.parts["result"] == pytest.approx(expected, rel=0.05)
    assert measured.parts["plate"] == 0


def test_flicker_follows_motion_and_measures_in_grey_levels():
    """The texture moves by half a pixel a frame: that is no flicker; a jump of 10 levels is one of about 10."""
    measured = METRICS.load("flicker")(plate(), pumping(plate(), 5), PEOPLE)
    assert measured.parts["plate"] < 2.5
    assert measured.parts["tone"] == pytest.approx(10, abs=1)
    assert 6 < measured.value < 10.5


def test_flicker_does_not_compare_across_gaps():
    every_third = {f.name: getattr(plate(), f.name)[::3] for f in fields(Series)}
    series = Series(**every_third)
    assert np.isnan(METRICS.load("flicker")(series, pumping(series, 5), PEOPLE).value)


def test_sharpening_is_an_error_too():
    image = plate().crops.astype(np.float32)
    sharper = np.clip(image + 1.5 * (image - blurred(plate(), 1.0).crops), 0, 255).astype(np.uint8)
    measured = METRICS.load("sharpness")(plate(), replace(plate(), crops=sharper), PEOPLE)
    assert measured.value > 1.5
    assert measured.error > 0.3


def test_a_series_that_does_not_fit_itself_is_a_bug():
    for change in ({"landmarks": np.zeros((3, 68, 2))}, {"masks": np.zeros((3, 64, 64))}, {"indices": np.zeros(40)}):
        with pytest.raises(ValueError):
            replace(plate(), **change)
    assert len(People(src=unit(1), dst=unit(2)).src) == 32
