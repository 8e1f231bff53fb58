from dataclasses import replace

import numpy as np
import pytest

from konterfei.occluders import OCCLUDERS
from occluder_scenes import LANDMARKS, S, clean_frame, in_crop, view, with_disk


@pytest.fixture(scope="module", params=sorted(OCCLUDERS))
def occluder(request):
    return OCCLUDERS.load(request.param)(1)


@pytest.fixture
def covered():
    """A face with a ball before its cheek."""
    return view(with_disk(clean_frame(), LANDMARKS[31] + [-30, 20], 26)[0], clean_frame(1))


def test_shape_kind_and_range(occluder, covered):
    found = occluder.find(covered)
    assert (found.shape, found.dtype) == ((S, S), np.float32)
    assert 0 <= found.min() <= found.max() <= 1


def test_nothing_in_front_of_a_free_face(occluder):
    assert occluder.find(view(clean_frame(), clean_frame(1))).max() == 0


def test_pure(occluder, covered):
    before = [covered.frame.copy(), covered.aligned.copy(), covered.rebuilt.copy(), covered.face.landmarks.copy()]
    first = occluder.find(covered)
    kept = first.copy()
    first[:] = 0.5
    assert np.array_equal(occluder.find(covered), kept)
    after = [covered.frame, covered.aligned, covered.rebuilt, covered.face.landmarks]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_takes_deep_frames(occluder, covered):
    deep = replace(covered, frame=covered.frame.astype(np.uint16) * 257)
    assert np.abs(occluder.find(deep) - occluder.find(covered)).max() < 0.1


def test_asks_for_the_rebuilt_face_where_it_needs_it(occluder, covered):
    without = replace(covered, rebuilt=None)
    if occluder.needs_rebuilt:
        with pytest.raises(ValueError, match="rebuil"):
            occluder.find(without)
    else:
        assert np.array_equal(occluder.find(without), occluder.find(covered))


def test_the_scene_has_something_in_front():
    """Else the tests above would say nothing."""
    frame, ball = with_disk(clean_frame(), LANDMARKS[31] + [-30, 20], 26)
    assert in_crop(ball).max() == 1 and (frame != clean_frame()).any()
