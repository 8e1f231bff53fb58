import numpy as np
import pytest

from konterfei.imaging import coarsen, few_colors, median_smooth, motion_blur, sharpen

KINDS = [np.uint8, np.uint16, np.float32]


@pytest.fixture
def noise():
    return np.random.default_rng(0).random((64, 80, 3)).astype(np.float32)


def of_kind(image, kind):
    return image if kind == np.float32 else np.rint(image * np.iinfo(kind).max).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "worsen",
    [
        lambda image: median_smooth(image, 1.5),
        lambda image: coarsen(image, 0.4),
        lambda image: few_colors(image, 16),
        lambda image: motion_blur(image, (5, 2)),
    ],
)
def test_kind_shape_and_range_are_kept_and_detail_goes(worsen, kind, noise):
    image = of_kind(noise, kind)
    before = image.copy()
    worse = worsen(image)
    assert (worse.shape, worse.dtype) == (image.shape, image.dtype)
    assert 0 <= worse.min() <= worse.max() <= (1 if kind == np.float32 else np.iinfo(kind).max)
    assert not np.array_equal(worse, image) and np.array_equal(image, before)


def test_nothing_asked_nothing_changed(noise):
    for same in (median_smooth(noise, 0), coarsen(noise, 1.0), motion_blur(noise, (0, 0))):
        assert np.array_equal(same, noise) and same is not noise


def test_medians_come_as_often_as_asked(noise):
    once, twice, between = (median_smooth(noise, passes) for passes in (1, 2, 1.25))
    assert np.array_equal(median_smooth(once, 1), twice)
    assert between == pytest.approx(0.75 * once + 0.25 * twice, abs=1e-6)


def test_coarse_pictures_hold_no_fine_detail():
    stripes = np.repeat(np.arange(64) % 2, 3).reshape(1, 64, 3).repeat(64, axis=0).astype(np.float32)
    assert stripes.std() == 0.5
    assert coarsen(stripes, 0.25)[8:-8, 8:-8].std() < 0.1


def test_a_palette_has_so_many_colours(noise):
    assert len(np.unique(few_colors(noise, 16).reshape(-1, 3), axis=0)) <= 16


@pytest.mark.parametrize("vector", [(8.0, 0.0), (0.0, 8.0), (5.0, 5.0), (1.5, 0.25)])
def test_a_point_becomes_the_line_that_it_moves_along(vector):
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    line = motion_blur(point, vector)[..., 0].astype(float)
    y, x = np.mgrid[-20:21, -20:21]
    assert line.sum() == pytest.approx(1, abs=1e-5)
    assert (line * x).sum() == pytest.approx(0, abs=1e-4) and (line * y).sum() == pytest.approx(0, abs=1e-4)
    # an even line of this length has a variance of length^2 / 12 along it; pixels add at most a fourth of one
    for axis, part in ((x, vector[0]), (y, vector[1])):
        assert part**2 / 12 - 0.05 <= (line * axis**2).sum() <= part**2 / 12 + 0.26
    assert (line * x * y).sum() == pytest.approx(vector[0] * vector[1] / 12, abs=0.1)


def test_blur_grows_evenly_with_the_motion(noise):
    """No jumps from whole pixel to whole pixel: over time they would flicker."""
    spreads = [motion_blur(noise, (length, 0.0)).std() for length in np.linspace(1, 6, 26)]
    steps = -np.diff(spreads)
    assert (steps > -1e-4).all() and steps.max() < 0.25 * (spreads[0] - spreads[-1])


def test_a_box_sharpens_against_its_own_mean(noise):
    import cv2

    box = sharpen(noise, 0.1, box=True)
    mean = cv2.blur(noise, (3, 3), borderType=cv2.BORDER_REFLECT_101)
    assert box == pytest.approx(np.clip(noise + 0.1 * (noise - mean), 0, 1), abs=1e-5)
    assert not np.allclose(box, sharpen(noise, 0.1))
