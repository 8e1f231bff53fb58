import cv2
import numpy as np
import pytest

from konterfei.imaging import dilate, erode, feather, gaussian, sharpen, sharpness


def disk(radius, side=129):
    y, x = np.mgrid[:side, :side] - side // 2
    return np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)


def radius_of(mask):
    """Radius of a disk of the same mass."""
    return np.sqrt(mask.sum(dtype=np.float64) / np.pi)


@pytest.mark.parametrize("pixels", [1, 2.5, 4, 7.25, 12, 20])
def test_erosion_and_dilation_move_the_edge_by_what_they_say(pixels):
    before = radius_of(disk(35))
    assert before - radius_of(erode(disk(35), pixels)) == pytest.approx(pixels, rel=0.1, abs=0.3)
    assert radius_of(dilate(disk(35), pixels)) - before == pytest.approx(pixels, rel=0.1, abs=0.3)


def test_fractions_of_pixels_are_monotone():
    masses = [erode(disk(30), p).sum() for p in np.arange(-6, 6, 0.25)]
    assert (np.diff(masses) < 0).all()


def test_negative_erosion_is_dilation_and_zero_is_nothing():
    assert np.array_equal(erode(disk(20), -3.5), dilate(disk(20), 3.5))
    assert np.array_equal(erode(disk(20), 0), disk(20))


def test_outside_of_the_mask_counts_as_not_face():
    eroded = erode(np.ones((40, 40), np.float32), 4)
    assert eroded[:4].max() == 0 and eroded[20, 4] == 1


def test_feather_lies_inside_and_rises_over_its_width():
    mask, soft = disk(50), feather(disk(50), 16)
    assert (soft <= mask).all()
    row = soft[64, 64:]
    assert (np.diff(row) <= 1e-6).all()
    assert row[50 - 17] == pytest.approx(1, abs=0.03) and row[50] < 0.05
    assert row[50 - 8] == pytest.approx(0.5, abs=0.08)


def test_feather_of_a_full_mask_ends_at_the_border():
    soft = feather(np.ones((64, 64), np.float32), 12)
    assert soft[0].max() < 0.05 and soft[32, 32] == pytest.approx(1)


def test_tiny_feather_and_empty_masks():
    assert np.array_equal(feather(disk(20), 0), disk(20))
    assert feather(np.zeros((32, 32), np.float32), 8).max() == 0
    assert feather(np.ones((8, 8), np.float32), 100).max() == 0, "a ramp wider than the mask leaves nothing"


def test_filters_leave_their_argument_alone():
    mask = disk(20)
    for filtered in (erode(mask, 2), feather(mask, 4), gaussian(mask, 2), sharpen(mask, 1)):
        assert filtered is not mask and filtered.dtype == np.float32
    assert np.array_equal(mask, disk(20))


def test_gaussian_has_the_variance_it_says():
    dot = np.zeros((61, 61), np.float32)
    dot[30, 30] = 1
    profile = gaussian(dot, 3.0).sum(axis=0)
    assert (profile * (np.arange(61) - 30) ** 2).sum() == pytest.approx(9, rel=0.03)


def test_sharpen_undoes_some_blur_and_keeps_flats():
    image = cv2.GaussianBlur(disk(20), (0, 0), 1.0)
    assert np.abs(np.diff(sharpen(image, 1.0)[64])).max() > 1.2 * np.abs(np.diff(image[64])).max()
    assert np.array_equal(sharpen(np.full((9, 9, 3), 77, np.uint8), 2.0), np.full((9, 9, 3), 77, np.uint8))
    assert sharpen(image, 3.0).max() <= 1


def test_sharpness_falls_with_blur_but_not_with_contrast():
    picture = np.random.default_rng(0).random((96, 96, 3)).astype(np.float32)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8)
    blurred = [sharpness(gaussian(picture, s)) for s in (0, 1, 2, 4)]
    assert (np.diff(blurred) < -0.02).all()
    assert sharpness(picture * 0.3 + 0.2) == pytest.approx(sharpness(picture), abs=0.01)
    assert sharpness((picture * 255).astype(np.uint8)) == pytest.approx(sharpness(picture), abs=0.01)
    assert sharpness(np.full((32, 32, 3), 9, np.uint8)) == 0


def test_sharpness_looks_only_under_the_mask():
    rng = np.random.default_rng(0)
    picture = np.zeros((64, 128, 3), np.float32)
    picture[:, :64] = rng.random((64, 64, 3))
    picture[:, 64:] = gaussian(rng.random((64, 64, 3)).astype(np.float32), 4)
    left = np.zeros((64, 128), np.float32)
    left[:, :50] = 1
    assert sharpness(picture, left) > 2 * sharpness(picture, left[:, ::-1])
    assert sharpness(picture, np.zeros((64, 128), np.float32)) == 0
