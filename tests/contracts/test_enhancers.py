import cv2
import numpy as np
import pytest

from konterfei.enhancers import ENHANCERS

NAMES = sorted(ENHANCERS)


@pytest.fixture(params=NAMES)
def enhancer(request):
    return ENHANCERS.load(request.param)(threads=1)


@pytest.fixture
def picture():
    """Smooth shapes and a hard disk, in colour. [40, 40, 3] float32"""
    y, x = np.mgrid[:40, :40].astype(np.float32)
    disk = (np.hypot(x - 22, y - 17) < 9).astype(np.float32)
    image = np.dstack([0.5 + 0.2 * np.sin(x / 6), 0.4 + 0.2 * np.cos(y / 7), 0.3 + x / 200]).astype(np.float32)
    return np.clip(image + 0.3 * disk[..., None] * np.float32([1, 0.5, -0.5]), 0, 1)


def small_again(enhancer, large):
    side = large.shape[0] // enhancer.factor
    return cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)


def test_shape_kind_and_range(enhancer, picture):
    for image in (picture, np.zeros_like(picture), np.ones_like(picture)):
        large = enhancer.enhance(image)
        side = enhancer.factor * 40
        assert large.shape == (side, side, 3) and large.dtype == np.float32
        assert np.isfinite(large).all() and 0 <= large.min() <= large.max() <= 1


def test_it_is_the_same_picture_in_the_same_place(enhancer, picture):
    """Averaged down again it is the given one: colours, brightness and place, pixel centres included."""
    difference = np.abs(small_again(enhancer, enhancer.enhance(picture)) - picture)
    assert difference.mean() < 0.01
    moved = np.abs(small_again(enhancer, np.roll(enhancer.enhance(picture), 2, axis=1)) - picture)
    assert enhancer.factor == 1 or moved.mean() > 1.5 * difference.mean()


def test_flat_stays_flat(enhancer):
    flat = np.full((24, 24, 3), 0.42, np.float32)
    inside = enhancer.enhance(flat)[8:-8, 8:-8]
    assert inside.std() < 0.01 and inside.mean() == pytest.approx(0.42, abs=0.02)


def test_the_argument_stays_and_again_gives_the_same(enhancer, picture):
    before = picture.copy()
    assert np.array_equal(enhancer.enhance(picture), enhancer.enhance(picture))
    assert np.array_equal(picture, before)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"none"}))
def test_edges_are_sharper_than_cubic_interpolation(name, picture):
    """What is enlarged was averaged from a finer picture; edges come nearer to that one's."""
    fine = cv2.GaussianBlur(cv2.resize(picture, (160, 160), interpolation=cv2.INTER_NEAREST), (0, 0), 2.0)
    y, x = np.mgrid[:160, :160].astype(np.float32)
    fine[np.hypot(x - 90, y - 70) < 35] = (0.9, 0.7, 0.2)
    small = cv2.resize(fine, (40, 40), interpolation=cv2.INTER_AREA)
    cubic = np.clip(cv2.resize(small, (160, 160), interpolation=cv2.INTER_CUBIC), 0, 1)
    ours = ENHANCERS.load(name)(threads=1).enhance(small)
    edge = np.abs(np.hypot(x - 90, y - 70) - 35) < 6
    assert np.abs(ours - fine)[edge].mean() < 0.85 * np.abs(cubic - fine)[edge].mean()


def test_the_bounded_one_never_leaves_the_values_near_by(picture):
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 0.1, picture.shape).astype(np.float32), 0, 1)
    large = ENHANCERS.load("unsharp")(threads=1).enhance(noisy)
    window = np.ones((5, 5), np.uint8)
    low, high = (
        cv2.resize(f(noisy, window), (160, 160), interpolation=cv2.INTER_NEAREST) for f in (cv2.erode, cv2.dilate)
    )
    assert (large >= low - 1e-6).all() and (large <= high + 1e-6).all()
