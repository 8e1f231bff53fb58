import numpy as np
import pytest

from konterfei.imaging import alpha_blend, feather, laplacian_blend, support, to_float, to_kind

BLENDS = [alpha_blend, laplacian_blend]
KINDS = [np.uint8, np.uint16, np.float32]


@pytest.fixture
def under():
    return np.random.default_rng(0).random((96, 120, 3)).astype(np.float32)


@pytest.fixture
def mask():
    square = np.zeros((96, 120), np.float32)
    square[20:80, 30:90] = 1
    return feather(square, 10)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_outside_of_the_mask_nothing_changes(blend, kind, under, mask):
    plate = to_kind(under, kind)
    blended = blend(plate, np.ones_like(under), mask)
    assert blended.dtype == kind and blended.shape == plate.shape
    assert np.array_equal(blended[mask == 0], plate[mask == 0])
    assert not np.array_equal(blended, plate)


@pytest.mark.parametrize("blend", BLENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_equal_pictures_give_the_same_picture(blend, kind, under, mask):
    plate = to_kind(under, kind)
    assert np.array_equal(blend(plate, plate, mask), plate)


@pytest.mark.parametrize("blend", BLENDS)
def test_empty_and_full_masks(blend, under):
    over = under[::-1]
    assert np.array_equal(blend(under, over, np.zeros((96, 120), np.float32)), under)
    assert blend(under, over, np.ones((96, 120), np.float32)) == pytest.approx(over, abs=1e-5)


@pytest.mark.parametrize("blend", BLENDS)
def test_arguments_stay_as_they_are_and_range_is_kept(blend, under, mask):
    before, over = under.copy(), 1 - under
    blended = blend(under, over, mask)
    assert np.array_equal(under, before)
    assert 0 <= blended.min() <= blended.max() <= 1


def test_alpha_is_the_formula(under, mask):
    expected = under * (1 - mask[..., None]) + 0.25 * mask[..., None]
    assert alpha_blend(under, np.full_like(under, 0.25), mask) == pytest.approx(expected, abs=1e-6)
    eight = alpha_blend(to_kind(under, np.uint8), np.full_like(under, 0.25), mask)
    assert np.abs(to_float(eight) - expected).max() < 1.01 / 255


def test_views_into_frames_work(under, mask):
    """A region of a frame is not contiguous in memory."""
    frame = to_kind(np.tile(under, (2, 2, 1)), np.uint8)
    region = frame[10:106, 7:127]
    assert np.array_equal(alpha_blend(region, np.zeros_like(under), np.ones_like(mask)), np.zeros_like(region))


def test_multiband_hides_a_step_in_light_better_than_alpha():
    """Two greys that meet: the steepest slope across the seam is gentler, fine detail inside stays."""
    under, over = np.full((128, 128, 3), 0.4, np.float32), np.full((128, 128, 3), 0.6, np.float32)
    over[::2] += 0.05
    square = np.zeros((128, 128), np.float32)
    square[24:104, 24:104] = 1
    soft = feather(square, 12)
    alpha, bands = alpha_blend(under, over, soft), laplacian_blend(under, over, soft)

    def slope(image):
        return np.abs(np.diff(image[65, :60, 0])).max()

    assert slope(bands) < 0.8 * slope(alpha)
    assert bands[64, 64, 0] - bands[65, 64, 0] == pytest.approx(0.05, abs=0.005)


def test_no_levels_is_alpha_and_small_regions_work(under, mask):
    assert np.array_equal(laplacian_blend(under, 1 - under, mask, levels=0), alpha_blend(under, 1 - under, mask))
    for side in (1, 2, 3, 5, 9):
        small = laplacian_blend(under[:side, :side], 1 - under[:side, :side], np.ones((side, side), np.float32))
        assert small == pytest.approx(1 - under[:side, :side], abs=1e-5)


def test_support():
    mask = np.zeros((50, 60), np.float32)
    assert support(mask) is None
    mask[10:20, 5:8] = 0.01
    assert support(mask) == (slice(10, 20), slice(5, 8))
    assert support(mask, margin=7) == (slice(3, 27), slice(0, 15))
