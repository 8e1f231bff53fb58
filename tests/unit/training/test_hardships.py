"""What happens to samples: how often, to which of the two pictures, and within which bounds."""

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest

from konterfei.training.hardships import NONE, Hardships, endured

SIDE = 96
NAMES = [item.name for item in fields(Hardships)]


@pytest.fixture
def face():
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    picture = np.full((SIDE, SIDE, 3), 110.0)
    picture += (40 * np.sin(x / 5) * np.cos(y / 4))[..., None] * [1, 0.8, 0.6]
    return picture.round().astype(np.uint8)


def made(face, hardships, count=40):
    return [endured(face, face, np.random.RandomState(seed), hardships) for seed in range(count)]


def test_without_any_nothing_happens(face):
    for seen, target in made(face, NONE):
        np.testing.assert_array_equal(seen, face)
        np.testing.assert_array_equal(target, face)


def test_light_is_the_same_in_both(face):
    pairs = made(face, replace(NONE, light=1.0))
    for seen, target in pairs:
        np.testing.assert_array_equal(seen, target)
    levels = [target.mean() / face.mean() for _, target in pairs]
    assert 0.4 < min(levels) < 0.9 and 1.1 < max(levels) < 2.2
    assert np.std([target[..., 0].mean() / target[..., 2].mean() for _, target in pairs]) > 0.05, "coloured"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "light"])
def test_all_else_happens_to_what_is_seen_alone(face, name):
    pairs = made(face, replace(NONE, **{name: 1.0}))
    for seen, target in pairs:
        np.testing.assert_array_equal(target, face)
        assert seen.shape == face.shape and seen.dtype == np.uint8
    changed = [np.abs(seen.astype(int) - face).mean() for seen, _ in pairs]
    assert np.median(changed) > 0.3, "it is to be seen"
    alike = [np.corrcoef(seen.ravel(), face.ravel())[0, 1] for seen, _ in pairs]
    assert np.median(alike) > 0.4, "and the face still is"


def test_something_before_the_face_leaves_most_of_it_free(face):
    for seen, _ in made(face, replace(NONE, cover=1.0), 200):
        covered = (np.abs(seen.astype(int) - face).max(axis=-1) > 12).mean()
        assert covered < 0.45


def test_blur_takes_detail_and_noise_adds_some(face):
    def detail(image):
        return cv2.Laplacian(image, cv2.CV_64F).var()

    assert np.mean([detail(seen) for seen, _ in made(face, replace(NONE, noise=1.0))]) > 1.5 * detail(face)
    sharp = cv2.randu(np.empty((SIDE, SIDE, 3), np.uint8), 60, 180)
    assert all(detail(seen) < detail(sharp) for seen, _ in made(sharp, replace(NONE, blur=1.0)))


def test_colours_stay_those_of_their_channels(face):
    red = face.copy()
    red[..., 1:] //= 4
    for name in ("jpeg", "blur", "noise", "shadow"):
        for seen, _ in made(red, replace(NONE, **{name: 1.0}), 10):
            assert seen[..., 0].mean() > 2 * seen[..., 2].mean(), name


def test_shares_are_kept(face):
    seen = made(face, replace(NONE, noise=0.3), 400)
    share = np.mean([(a != face).any() for a, _ in seen])
    assert share == pytest.approx(0.3, abs=0.07)


def test_chance_follows_from_the_seed(face):
    first, again = (endured(face, face, np.random.RandomState(4), Hardships()) for _ in range(2))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_beyond_reason_are_refused(share):
    with pytest.raises(ValueError, match="shares of 0 to 1"):
        Hardships(blur=share)
