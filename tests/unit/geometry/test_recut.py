"""Crops of crops: there and back, and what the old crop does not show."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from konterfei.geometry import Crop, FaceType, Similarity, known_share, new_from_old, recut, resized

# the fixture is a constant array
FOR_ALL = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
ORDER = [FaceType.HALF, FaceType.MID_FULL, FaceType.FULL, FaceType.WHOLE, FaceType.HEAD]


def smooth(size):
    """A picture without edges. [size, size, 3] uint8"""
    y, x = np.mgrid[:size, :size] / size
    return np.stack([127 + 120 * np.sin(5 * x + k) * np.cos(4 * y) for k in range(3)], axis=-1).astype(np.uint8)


@FOR_ALL
@given(st.sampled_from(ORDER), st.sampled_from(ORDER), st.integers(32, 512), st.integers(32, 512))
def test_points_go_there_and_back(landmarks, old_type, new_type, old_size, new_size):
    old, new = Crop.fit(landmarks, old_type, old_size), Crop.fit(landmarks, new_type, new_size)
    there = new_from_old(new, old) @ (old.crop_from_frame @ landmarks).astype(np.float64)
    assert there == pytest.approx(new.crop_from_frame @ landmarks, abs=1e-3)
    back = new_from_old(old, new) @ there
    assert back == pytest.approx(old.crop_from_frame @ landmarks, abs=1e-3)


@FOR_ALL
@given(st.integers(32, 512), st.integers(32, 512))
def test_another_size_is_the_same_square(landmarks, size, other):
    crop = Crop.fit(landmarks, FaceType.WHOLE, size)
    assert resized(crop, other).corners() == pytest.approx(crop.corners(), abs=1e-6)
    assert known_share(crop, resized(crop, other)) == 1.0


def test_made_larger_and_smaller_again_is_the_same_picture(landmarks):
    crop = Crop.fit(landmarks, FaceType.FULL, 96)
    image = smooth(96)
    large = recut(image, crop, resized(crop, 192))
    assert large.shape == (192, 192, 3)
    assert np.abs(large[::2, ::2].astype(int) - image).max() <= 1  # pixel 0 of any size lies at the same place
    again = recut(large, resized(crop, 192), crop)
    assert np.abs(again.astype(int) - image)[1:-1, 1:-1].max() <= 3


def test_a_crop_of_a_crop_is_the_crop_of_the_frame(landmarks):
    """Within what the old crop shows, a smaller face type comes out as if cut from the frame."""
    frame = smooth(600)
    whole, full = (Crop.fit(landmarks, kind, 256) for kind in (FaceType.WHOLE, FaceType.FULL))
    direct = full.cut(frame).astype(int)
    by_way = recut(whole.cut(frame), whole, full).astype(int)
    assert np.abs(direct - by_way).mean() < 1.0


def test_what_the_old_crop_does_not_show_is_black_and_counted(landmarks):
    full, head = Crop.fit(landmarks, FaceType.FULL, 128), Crop.fit(landmarks, FaceType.HEAD, 128)
    share = known_share(full, head)
    assert 0.2 < share < 0.5
    white = recut(np.full((128, 128, 3), 255, np.uint8), full, head)
    assert (white > 127).all(axis=-1).mean() == pytest.approx(share, abs=0.02)
    assert set(np.unique(white)) == {0, 255}
    assert known_share(head, full) == 1.0
    apart = Crop(FaceType.FULL, 128, Similarity.of(shift=(5000, 0)) @ full.crop_from_frame)
    assert known_share(full, apart) == 0.0 and not recut(np.full((128, 128), 9, np.uint8), full, apart).any()
