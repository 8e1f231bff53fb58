import itertools

import numpy as np
import pytest

from konterfei.tracking.cuts import change, find_cuts, gaps, is_sudden, signature


def noise(seed, height=120, width=160):
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((height // 6, width // 8, 1), np.uint8))


def changes(frames):
    marks = [signature(frame) for frame in frames]
    return [0.0] + [change(a, b) for a, b in itertools.pairwise(marks)]


def test_signature_has_one_size_whatever_the_frame():
    for height, width in ((1, 1), (9, 300), (64, 64), (1080, 1920)):
        assert signature(np.full((height, width, 3), 7, np.uint8)).shape == (16, 16, 3)


def test_hard_cut_is_found_where_it_is():
    frames = [noise(1)] * 10 + [noise(2)] * 10 + [noise(3)] * 10
    assert find_cuts(changes(frames)) == [10, 20]


def test_pan_and_fade_are_no_cuts():
    wide = np.concatenate([noise(1), noise(2)], axis=1)
    pan = [wide[:, shift : shift + 160] for shift in range(0, 160, 8)]
    fade = [(noise(1) * (n / 20)).astype(np.uint8) for n in range(21)]
    assert find_cuts(changes(pan)) == [] and find_cuts(changes(fade)) == []


def test_flicker_all_the_time_is_no_row_of_cuts():
    frames = [noise(n % 2) for n in range(20)]
    assert find_cuts(changes(frames)) == []


def test_cut_at_the_second_frame_and_single_frames():
    assert find_cuts(changes([noise(1)] + [noise(2)] * 8)) == [1]
    assert find_cuts([0.0]) == [] and find_cuts([]) == [] and find_cuts([0.0, 0.5]) == [1]


@pytest.mark.parametrize("recent", [[], [0.01, 0.02]])
def test_is_sudden_needs_a_calm_past(recent):
    assert is_sudden(0.3, recent) and not is_sudden(0.05, recent)
    assert not is_sudden(0.3, [0.25, 0.3, 0.28])


def test_gaps_are_where_frames_are_missing():
    assert gaps([0, 1, 2, 5, 6], 1) == [3] and gaps([0, 3, 6], 3) == [] and gaps([4], 1) == []
