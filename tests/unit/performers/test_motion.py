import dataclasses

import numpy as np
import pytest

from konterfei.performers.motion import CYCLE_S, PITCH_LIMIT, ROLL_LIMIT, YAW_LIMIT, Motion, Pose

CHANNELS = ("jaw", "wide", "pucker", "smile", "surprise", "frown", "blink")


def track(seed: int, seconds: float = 2 * CYCLE_S, fps: int = 25) -> list[Pose]:
    motion = Motion(seed)
    return [motion.at(k / fps) for k in range(round(seconds * fps))]


def values(poses: list[Pose], name: str) -> np.ndarray:
    return np.array([getattr(pose, name) for pose in poses])


def test_an_instant_does_not_depend_on_what_was_asked_before():
    forwards = track(5, 3.0)
    motion = Motion(5)
    backwards = [motion.at(k / 25) for k in reversed(range(75))][::-1]
    assert forwards == backwards
    assert all(type(v) is float for v in dataclasses.astuple(forwards[7]) if not isinstance(v, tuple))


def test_another_seed_is_another_performance():
    assert np.abs(values(track(1, 4.0), "yaw") - values(track(2, 4.0), "yaw")).max() > 0.05


@pytest.mark.parametrize("seed", range(4))
def test_everything_stays_within_the_range_that_looks_real(seed):
    poses = track(seed)
    assert np.abs(values(poses, "yaw")).max() <= YAW_LIMIT
    assert np.abs(values(poses, "pitch")).max() <= PITCH_LIMIT
    assert np.abs(values(poses, "roll")).max() <= ROLL_LIMIT
    for name in CHANNELS:
        assert values(poses, name).min() >= 0.0 and values(poses, name).max() <= 1.0
    assert np.abs(values(poses, "shift")).max() < 0.06  # the textures reach 0.14 beyond the frame
    assert np.abs(values(poses, "zoom") - 1).max() < 0.03


@pytest.mark.parametrize("seed", range(4))
def test_one_cycle_shows_what_a_training_set_needs(seed):
    poses = track(seed, CYCLE_S)
    assert np.ptp(values(poses, "yaw")) > 0.30
    assert np.ptp(values(poses, "gaze")[:, 0]) > 0.4
    for name, least in {"jaw": 0.35, "wide": 0.3, "pucker": 0.3, "smile": 0.9, "surprise": 0.9, "frown": 0.7}.items():
        assert values(poses, name).max() > least, name
    blink = values(poses, "blink")
    assert 3 <= ((blink[1:] > 0.95) & (blink[:-1] <= 0.95)).sum() <= 8


@pytest.mark.parametrize("seed", range(4))
def test_head_and_expression_move_without_jumps(seed):
    poses = track(seed)
    for name, most in {"yaw": 0.06, "pitch": 0.03, "roll": 0.02, "smile": 0.12, "surprise": 0.3, "jaw": 0.32}.items():
        assert np.abs(np.diff(values(poses, name))).max() < most, name
    assert np.abs(np.diff(values(poses, "yaw"), n=2)).max() < 0.012
