import json
import math

import cv2
import numpy as np
import pytest

from konterfei.color_transfers import COLOR_TRANSFERS, ColorStatistics
from konterfei.compositing import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.colors import MOST_GAIN, skin_weights
from konterfei.geometry import HEAD_68

FPS = 25
SIGMA = 0.1


def statistics(mean, std=(12.0, 6.0, 6.0), weight=1000.0):
    std = np.asarray(std, np.float64)
    return ColorStatistics(np.asarray(mean, np.float64), std, np.diag(std**2), weight)


def series(gain, light=lambda i: 60.0, track=lambda i: 0, drawn=lambda i: 50.0):
    """One FaceColors a frame: the plate's contrast over the drawn face's, the lightness of both, the track."""
    return [
        FaceColors(
            statistics([drawn(i), 9, 9]), statistics([light(i), 12, 14], [12 * gain(i), 6, 6]), i / FPS, track(i)
        )
        for i in range(60)
    ]


def gains(many, sigma_s=SIGMA):
    """Contrast ratio of lightness that is applied, frame by frame."""
    smooth = [smooth_colors(colors, many, sigma_s) for colors in many]
    return np.array([s.plate.std[0] / s.swapped.std[0] if s.is_measured else 1.0 for s in smooth])


def test_the_mean_follows_the_plate_in_every_frame():
    """Lamps that flicker, a model that flickers: the face goes with its surroundings, at once."""
    many = series(lambda i: 1.1, light=lambda i: 60 + i % 3, drawn=lambda i: 50 - i % 2)
    for colors in many:
        assert np.array_equal(smooth_colors(colors, many, SIGMA).plate.mean, colors.plate.mean)


def test_without_window_each_frame_stands_alone():
    assert np.allclose(gains(series(lambda i: 1 + 0.01 * (i % 7)), 0.0), [1 + 0.01 * (i % 7) for i in range(60)])


def test_contrast_does_not_flicker():
    noise = np.random.default_rng(3).normal(0, 0.02, 60)
    flicker = np.abs(np.diff(gains(series(lambda i: 1.1 + noise[i]))))
    assert flicker.mean() < 0.3 * np.abs(np.diff(noise)).mean()


def test_no_lag_on_slow_changes():
    ramp = np.exp(np.linspace(-0.1, 0.1, 60))
    assert np.abs(gains(series(lambda i: ramp[i])) - ramp)[10:50].max() < 1e-9


def test_a_lamp_is_not_smeared_over_time():
    step = lambda i: 0.8 if i < 30 else 1.2  # noqa: E731
    many = series(step, light=lambda i: 40 if i < 30 else 70)
    assert np.abs(gains(many) - [step(i) for i in range(60)]).max() < 0.001


def test_cuts_are_respected():
    """Two shots of equal light: only the track tells them apart."""
    step = lambda i: 0.9 if i < 30 else 1.1  # noqa: E731
    assert np.abs(gains(series(step)) - [step(i) for i in range(60)]).max() > 0.04
    assert np.allclose(gains(series(step, track=lambda i: i // 30)), [step(i) for i in range(60)])


def test_gain_is_bounded():
    assert np.allclose(gains(series(lambda i: 3.0)), MOST_GAIN)
    assert np.allclose(gains(series(lambda i: 0.1)), 1 / MOST_GAIN)
    smooth = smooth_colors(series(lambda i: 3.0)[0], (), SIGMA).plate
    assert np.allclose(np.sqrt(np.diag(smooth.covariance)), smooth.std)


def test_frames_without_a_measure_neither_give_nor_take():
    many = series(lambda i: 1.1)
    nothing = ColorStatistics(np.zeros(3), np.zeros(3), np.zeros((3, 3)), 0.0)
    many[30] = FaceColors(nothing, nothing, 30 / FPS, 0)
    assert smooth_colors(many[30], many, SIGMA) is many[30]
    assert np.allclose(gains(many)[29], 1.1)


def test_the_window_ends_where_reach_frames_says():
    reach = reach_frames(SIGMA, FPS)
    moved = [
        i for i, value in enumerate(gains(series(lambda i: 1.1 if i != 30 else 1.2))) if not math.isclose(value, 1.1)
    ]
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


def test_a_beard_on_the_plate_is_no_contrast_of_the_skin():
    """The same skin, shaven and bearded: what is measured hardly differs."""
    landmarks = HEAD_68[:, :2] * 0.4 + [48, 48]
    weights = skin_weights(np.ones((96, 96), np.float32), landmarks)
    skin = np.full((96, 96, 3), (0.75, 0.55, 0.45), np.float32)
    skin += np.random.default_rng(1).normal(0, 0.03, (96, 96, 1)).astype(np.float32)
    bearded = skin.copy()
    chin = np.rint(landmarks[[*range(4, 13), 54, 51, 48]]).astype(np.int32)
    cv2.fillPoly(bearded, [chin], (0.12, 0.1, 0.08))
    for brow in (slice(17, 22), slice(22, 27)):
        cv2.polylines(bearded, [np.rint(landmarks[brow]).astype(np.int32)], False, (0.1, 0.08, 0.06), 2)
    shaven, hairy = (COLOR_TRANSFERS.load("rct").statistics(face, weights) for face in (skin, bearded))
    assert np.abs(hairy.mean - shaven.mean).max() < 1
    assert hairy.std[0] < 2 * shaven.std[0]  # it was nine times as much


def test_eyes_and_mouth_are_not_measured():
    landmarks = HEAD_68[:, :2] * 0.4 + [48, 48]
    weights = skin_weights(np.ones((96, 96), np.float32), landmarks)
    x, y = np.rint(landmarks[36:42].mean(axis=0)).astype(int)
    assert weights[y, x] < 0.1
    assert weights[int(landmarks[30, 1]), int(landmarks[2, 0]) + 12] == 1.0
