import json
import math

import numpy as np
import pytest

from konterfei.color_transfers import ColorStatistics
from konterfei.compositing import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.colors import MOST_GAIN, skin_weights
from konterfei.geometry import HEAD_68

FPS = 25
SIGMA = 0.1


def statistics(mean, std=(12.0, 6.0, 6.0), weight=1000.0):
    std = np.asarray(std, np.float64)
    return ColorStatistics(np.asarray(mean, np.float64), std, np.diag(std**2), weight)


def series(plate, swapped, track=lambda i: 0):
    """One FaceColors a frame; both arguments give the lightness of frame i."""
    return [
        FaceColors(statistics([swapped(i), 10, 10]), statistics([plate(i), 12, 14]), i / FPS, track(i))
        for i in range(60)
    ]


def result_lightness(many, sigma_s=SIGMA):
    """What the mean lightness of the swapped face becomes, frame by frame."""
    out = []
    for colors in many:
        smooth = smooth_colors(colors, many, sigma_s)
        out.append(colors.swapped.mean[0] + smooth.plate.mean[0] - smooth.swapped.mean[0])
    return np.array(out)


def test_without_window_the_plate_is_met_exactly():
    many = series(lambda i: 60 + i % 7, lambda i: 40)
    assert np.allclose(result_lightness(many, 0.0), [60 + i % 7 for i in range(60)])


def test_noise_of_measuring_is_averaged_away():
    noise = np.random.default_rng(3).normal(0, 0.6, 60)
    many = series(lambda i: 60 + noise[i], lambda i: 50)
    flicker = np.abs(np.diff(result_lightness(many)))
    assert flicker.mean() < 0.3 * np.abs(np.diff(noise)).mean()


def test_no_lag_on_slow_changes():
    many = series(lambda i: 60 + 0.1 * i, lambda i: 50)
    assert np.abs(result_lightness(many) - [60 + 0.1 * i for i in range(60)])[10:50].max() < 1e-6


def test_what_changes_both_faces_alike_is_followed_at_once():
    """A mouth opens: both means fall. Skin must not flare up, so the difference is what is kept."""
    dip = lambda i: -5.0 * (20 <= i < 30)  # noqa: E731
    many = series(lambda i: 60 + dip(i), lambda i: 50 + dip(i))
    assert np.allclose(result_lightness(many), [60 + dip(i) for i in range(60)])


def test_a_lamp_is_not_smeared_over_time():
    many = series(lambda i: 40 if i < 30 else 70, lambda i: 50)
    assert np.abs(result_lightness(many) - [40 if i < 30 else 70 for i in range(60)]).max() < 0.1


def test_cuts_are_respected():
    """Two shots of nearly equal light: only the track tells them apart."""
    offset = lambda i: 60 if i < 30 else 61.5  # noqa: E731
    one = result_lightness(series(offset, lambda i: 50))
    two = result_lightness(series(offset, lambda i: 50, track=lambda i: i // 30))
    assert np.abs(one - [offset(i) for i in range(60)]).max() > 0.2
    assert np.allclose(two, [offset(i) for i in range(60)])


def test_gain_is_averaged_and_bounded():
    stds = [24.0 if i % 2 else 12.0 for i in range(60)]
    many = [FaceColors(statistics([50, 0, 0]), statistics([60, 0, 0], [s, 6, 6]), i / FPS) for i, s in enumerate(stds)]
    smooth = [smooth_colors(colors, many, SIGMA).plate for colors in many]
    assert np.ptp([s.std[0] for s in smooth[10:50]]) < 1.0
    assert max(s.std[0] for s in smooth) <= 12 * MOST_GAIN + 1e-9
    assert all(np.allclose(np.sqrt(np.diag(s.covariance)), s.std) for s in smooth)


def test_frames_without_a_measure_neither_give_nor_take():
    many = series(lambda i: 60, lambda i: 50)
    nothing = ColorStatistics(np.zeros(3), np.zeros(3), np.zeros((3, 3)), 0.0)
    many[30] = FaceColors(nothing, nothing, 30 / FPS, 0)
    assert smooth_colors(many[30], many, SIGMA) is many[30]
    assert np.allclose(result_lightness(many)[29], 60)


def test_the_window_ends_where_reach_frames_says():
    reach = reach_frames(SIGMA, FPS)
    many = series(lambda i: 60 if i != 30 else 60.5, lambda i: 50)
    moved = [i for i, value in enumerate(result_lightness(many)) if not math.isclose(value, 60)]
    assert min(moved) >= 30 - reach and max(moved) <= 30 + reach and len(moved) > 3
    assert reach_frames(0.0, FPS) == 0


def test_json_gives_exactly_the_same_numbers():
    rng = np.random.default_rng(0)
    colors = FaceColors(statistics(rng.normal(size=3)), statistics(rng.normal(size=3)), 0.1 + 0.2, None)
    again = FaceColors.from_json(json.loads(json.dumps(colors.to_json())))
    assert again.time_s == colors.time_s and again.track is None
    for name in ("mean", "std", "covariance", "weight"):
        assert np.array_equal(getattr(again.plate, name), getattr(colors.plate, name))
    with pytest.raises(ValueError, match="shape"):
        FaceColors.from_json({**colors.to_json(), "plate": {**colors.to_json()["plate"], "mean": [1.0]}})


def test_eyes_and_mouth_are_not_measured():
    landmarks = HEAD_68[:, :2] * 0.4 + [48, 48]
    weights = skin_weights(np.ones((96, 96), np.float32), landmarks)
    x, y = np.rint(landmarks[36:42].mean(axis=0)).astype(int)
    assert weights[y, x] < 0.1
    assert weights[int(landmarks[30, 1]), int(landmarks[2, 0]) + 12] == 1.0
