import numpy as np
import pytest

from konterfei.geometry import HEAD_68
from konterfei.tracking.smoothing import smooth

EYES = 100.0
"""Distance of the eyes in these tests, pixels."""
NOISE = 0.12
"""Of each coordinate, pixels: about what the landmarker shows on a face of this size."""


@pytest.fixture
def form():
    points = HEAD_68[:, :2].astype(np.float64)
    eyes = np.linalg.norm(points[42:48].mean(0) - points[36:42].mean(0))
    points = (points - points.mean(0)) * EYES / eyes
    return np.concatenate([points, points[36:42].mean(0)[None], points[42:48].mean(0)[None]])


def still(form, count):
    return np.repeat(form[None] + 500, count, axis=0)


def noisy(points, seed=0, amount=NOISE):
    return (points + np.random.default_rng(seed).normal(0, amount, points.shape)).astype(np.float32)


def test_still_face_stays_still(form):
    clean = still(form, 200)
    raw = noisy(clean)
    calm = smooth(raw)
    left = np.sqrt(((calm - clean) ** 2).mean()) / np.sqrt(((raw - clean) ** 2).mean())
    jumps = np.abs(np.diff(calm, axis=0)).mean() / np.abs(np.diff(raw, axis=0)).mean()
    assert left < 0.5 and jumps < 0.2


def test_more_strength_is_calmer(form):
    raw = noisy(still(form, 100), amount=0.3)
    jitter = [np.abs(np.diff(smooth(raw, strength), axis=0)).mean() for strength in (0, 0.3, 1, 3)]
    assert jitter == sorted(jitter, reverse=True) and jitter[-1] < 0.5 * jitter[0]


def test_strength_0_changes_nothing(form):
    raw = noisy(still(form, 20))
    assert np.array_equal(smooth(raw, 0), raw)


def test_steady_motion_is_kept_to_its_ends(form):
    steps = np.arange(60)[:, None, None]
    moving = form[None] * (1 + 0.002 * steps) + 300 + steps * np.array([3.0, -1.5])
    assert np.abs(smooth(moving.astype(np.float32)) - moving).max() < 0.02


def test_sudden_motion_is_not_delayed(form):
    """A head that starts and stops at once: zero phase, and what is much larger than noise stays whole."""
    way = np.concatenate([np.zeros(20), np.linspace(0, 80, 11), np.full(20, 80.0)])
    moving = form[None] + 500 + way[:, None, None] * np.array([1.0, 0.4])
    calm = smooth(noisy(moving))
    at = calm[:, :68].mean(axis=1)[:, 0] - calm[0, :68].mean(axis=0)[0]
    lags = range(-3, 4)
    errors = [np.abs(np.roll(at, -lag)[6:-6] - way[6:-6]).mean() for lag in lags]
    assert lags[int(np.argmin(errors))] == 0
    assert np.abs(at - way).max() < 1.0


def test_mirrored_in_time_gives_the_mirror_image(form):
    raw = noisy(still(form, 40), amount=0.5)
    assert np.abs(smooth(raw)[::-1] - smooth(raw[::-1])).max() < 0.01


@pytest.mark.parametrize("frames", [2, 3, 5])
def test_blink_and_syllable_keep_their_height(form, frames):
    """Openings of 30 % and 25 % of the eye distance, over so few frames."""
    clean = still(form, 120)
    bell = np.sin(np.linspace(0, np.pi, frames + 2))[1:-1]
    for start in (20, 50, 80):
        clean[start : start + frames, [37, 38, 43, 44], 1] += 0.08 * EYES * bell[:, None]
        clean[start + 10 : start + 10 + frames, 55:60, 1] += 0.25 * EYES * bell[:, None]
    calm = smooth(noisy(clean))
    lid = calm[:, 37, 1] - calm[:, 41, 1]
    lip = calm[:, 57, 1] - calm[:, 51, 1]
    for start in (20, 50, 80):
        blink = lid[start : start + frames].max() - np.median(lid)
        speech = lip[start + 10 : start + 10 + frames].max() - np.median(lip)
        assert blink > 0.95 * 0.08 * EYES * bell.max() - NOISE
        assert speech > 0.95 * 0.25 * EYES * bell.max() - NOISE


def test_talking_does_not_shake_the_head(form):
    clean = still(form, 150)
    clean[:, 55:60, 1] += 0.1 * EYES * np.sin(np.arange(150) * 0.9)[:, None] ** 2
    raw = noisy(clean)
    nose = slice(27, 36)
    calm = smooth(raw)
    assert np.abs(np.diff(calm[:, nose], axis=0)).mean() < 0.4 * np.abs(np.diff(raw[:, nose], axis=0)).mean()


def test_turned_and_shifted_input_gives_turned_and_shifted_output(form):
    raw = noisy(still(form, 50))
    angle = 2.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = (raw.astype(np.float64) @ turn.T + 77).astype(np.float32)
    assert np.abs(smooth(turned) - (smooth(raw).astype(np.float64) @ turn.T + 77)).max() < 0.01


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 17])
@pytest.mark.parametrize("points", [68, 70])
def test_short_tracks(form, count, points):
    raw = noisy(still(form, count))[:, :points]
    calm = smooth(raw)
    assert calm.shape == raw.shape and calm.dtype == np.float32 and np.isfinite(calm).all()
    assert np.abs(calm - raw).max() < 1.0


def test_frozen_footage_is_finite(form):
    frozen = still(form, 30).astype(np.float32)
    assert np.abs(smooth(frozen) - frozen).max() < 1e-3
