"""Curves of runs: the trend, and what is in the picture."""

import numpy as np

from konterfei.training.curves import column, draw_curves, loss_names, speed, trend


def course(count, slope=1.0, **more):
    return [
        {
            "step": 20 * i,
            "trained_s": 2.0 * i,
            "src": 4 / (1 + slope * i),
            "dst": 3.0,
            "it/s": 10.0,
            "rate": 1e-3,
            **more,
        }
        for i in range(1, count + 1)
    ]


def test_a_trend_keeps_a_line_and_takes_the_noise_away():
    line = np.linspace(5, 1, 200)
    np.testing.assert_allclose(trend(line)[12:-12], line[12:-12], atol=1e-9)
    noise = np.random.RandomState(1).normal(size=200)
    assert np.std(trend(line + noise) - line) < 0.4 * np.std(noise)
    assert trend(np.array([3.0])) == [3.0]


def test_a_gap_is_not_a_fall():
    values = np.full(50, 2.0)
    values[20:23] = np.nan
    np.testing.assert_allclose(trend(values), 2.0)
    np.testing.assert_array_equal(column([{"a": 1}, {}, {"a": None}], "a"), [1, np.nan, np.nan])


def test_speed_is_that_of_the_moment():
    lines = [{"step": 20 * i, "trained_s": 2.0 * i, "it/s": 9.0} for i in range(1, 31)]
    lines += [{"step": 600 + 20 * i, "trained_s": 60 + 10.0 * i, "it/s": 9.0} for i in range(1, 31)]
    found = speed(lines)
    assert found[0] == 9.0  # nothing before it
    np.testing.assert_allclose(found[1:30], 10.0)
    np.testing.assert_allclose(found[39:], 2.0)
    assert (np.diff(found[29:40]) < 0).all()


def test_losses_are_what_is_no_other_figure():
    assert loss_names([*course(2), *course(1, gan=0.5), {"step": 9, "word": "x"}]) == ["src", "dst", "gan"]


def colors_in(image):
    """How many pixels are nearly of the colour of the first, the second and the third run."""
    wanted = [(0x2F, 0x6D, 0xB5), (0xC2, 0x55, 0x3F), (0x3D, 0x8A, 0x5F)]
    return [int((np.abs(image.astype(int) - color).max(axis=2) < 12).sum()) for color in wanted]


def test_each_run_has_its_colour():
    one = draw_curves({"a": course(60)})
    assert one.dtype == np.uint8 and one.shape == (900, 1300, 3)
    counts = colors_in(one)
    assert counts[0] > 1000 and counts[1:] == [0, 0]
    two = colors_in(draw_curves({"a": course(60), "b": course(40, slope=0.2)}))
    assert two[0] > 500 and two[1] > 500 and two[2] == 0


def test_a_run_of_one_report_can_be_drawn():
    assert draw_curves({"a": course(1)}).shape == (900, 1300, 3)


def test_held_out_scores_have_a_row_of_their_own():
    found = [{"step": 20, "trained_s": 60.0 * i, "total": 0.1 * i, "identity": 0.1 * i, "expression": None,
              "ssim_dst": 0.5} for i in range(1, 6)]  # fmt: skip
    without = draw_curves({"a": course(60)}, {"a": []})
    assert without.shape == draw_curves({"a": course(60)}).shape
    image = draw_curves({"a": course(60), "b": course(60)}, {"b": found})
    assert image.shape[0] > without.shape[0]
    below = colors_in(image[without.shape[0] :])
    assert below[1] > 100 > below[0], "only b was measured"
