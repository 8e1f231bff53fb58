"""Placement and warp: the original's numbers, and geometry that agrees with itself."""

import cv2
import numpy as np
import pytest

from konterfei.training.augment import (
    AugmentSettings,
    Placement,
    draw_placement,
    draw_warp,
    place,
    place_warped,
    truncated_normal,
)

STILL = Placement(np.array([[1.0, 0, 0], [0, 1, 0]]), is_flipped=False)


def identity_warp(side):
    """The map that bends nothing."""
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    return np.dstack([x, y])


def smooth_picture(side, channels=3):
    y, x = np.mgrid[0:side, 0:side] / side
    waves = [127 + 100 * np.sin(5 * x + (3 + c) * y + c) for c in range(channels)]
    return np.stack(waves, -1).astype(np.uint8)


def dot_at(image):
    """Where the brightest spot is: its centre of mass, x and y."""
    weight = image[..., 0].astype(np.float64)
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
    return np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()


def dotted(side, point, sigma=2.0):
    y, x = np.mgrid[0:side, 0:side]
    blob = 250 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * sigma**2))
    return np.repeat(blob[..., None], 3, -1).astype(np.uint8)


def test_placement_gives_the_original_numbers():
    """A.4: width 128, seed 1234."""
    placement = draw_placement(np.random.RandomState(1234), 128, AugmentSettings())
    wanted = [[1.037979266, -0.112203636, 3.953274719], [0.112203636, 1.037979266, -5.959115868]]
    np.testing.assert_allclose(placement.matrix, wanted, rtol=0, atol=1e-8)
    assert placement.is_flipped


def test_warp_gives_the_original_numbers():
    """A.4: width 128, seed 1234, with the original's two slips."""
    warp = draw_warp(np.random.RandomState(1234), 128, exact=True)
    x, y = warp[..., 0], warp[..., 1]
    np.testing.assert_allclose(x[0, :3], [0.50081, 1.50242, 2.50404], atol=6e-6)
    np.testing.assert_allclose(x[1, :3], [0.50242, 1.50727, 2.51211], atol=6e-6)
    np.testing.assert_allclose(x[5, -3:], [125.50103, 126.50062, 127.50021], atol=1e-5)
    np.testing.assert_allclose([x[64, 64], y[64, 64]], 61.64088, atol=6e-6)
    np.testing.assert_allclose(y, x.T, rtol=0, atol=2e-5)  # exactly so in the original; a matter of OpenCV's version


def test_cell_sizes_are_drawn_as_in_the_original():
    """A.4: the first draw of seeds 0 to 5; seen in the warp as the spacing of its knots."""
    assert [int(np.random.RandomState(seed).randint(3)) for seed in range(6)] == [0, 1, 0, 2, 2, 2]
    for seed, cell in enumerate((64, 32, 64, 16, 16, 16)):
        x = draw_warp(np.random.RandomState(seed), 128, exact=True)[..., 0].astype(np.float64)
        bends = np.flatnonzero((np.abs(np.diff(x, n=2, axis=1)) > 1e-3).any(axis=0))  # linear within a cell
        assert bends.tolist() == [knot - k for knot in range(cell, 128, cell) for k in (2, 1)]


def test_truncated_normal_gives_the_original_numbers():
    """A.4"""
    values = truncated_normal(np.random.RandomState(7), (4,))
    np.testing.assert_allclose(values, [0.67621, -0.18637, 0.01313, 0.16301], atol=6e-6)
    many = truncated_normal(np.random.RandomState(7), (100, 200))
    assert many.shape == (100, 200)
    assert np.abs(many).max() <= 1
    assert many.std() == pytest.approx(0.3772, abs=6e-5)


def test_our_warp_has_the_original_strength_and_no_shift():
    """Each axis has its own noise, as wide as the original's shared one; without noise nothing moves."""
    still = draw_warp(np.random.RandomState(0), 64, strength=0.0)
    np.testing.assert_allclose(still, identity_warp(64), atol=1e-4)
    spreads, both = {True: [], False: []}, []
    for seed in range(150):
        for exact in (True, False):
            bent = draw_warp(np.random.RandomState(seed), 64, exact=exact) - identity_warp(64) - (0.5 if exact else 0)
            spreads[exact].append(np.square(bent[16:48, 16:48]).mean())
            if not exact:
                both.append(bent)
    assert np.mean(spreads[False]) == pytest.approx(np.mean(spreads[True]), rel=0.2)
    assert np.abs(np.mean(both, axis=(0, 1, 2))).max() < 0.15
    x, y = np.array(both)[..., 0].ravel(), np.array(both)[..., 1].ravel()
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.1
    twice = draw_warp(np.random.RandomState(5), 64, strength=2.0) - identity_warp(64)
    np.testing.assert_allclose(twice, 2 * (draw_warp(np.random.RandomState(5), 64) - identity_warp(64)), atol=1e-4)


def test_the_border_of_a_warp_stays():
    warp = draw_warp(np.random.RandomState(9), 96)
    np.testing.assert_allclose(warp[0, :, 1], 0, atol=1.5)
    np.testing.assert_allclose(warp[-1, :, 1], 95, atol=1.5)
    np.testing.assert_allclose(warp[:, 0, 0], 0, atol=1.5)


def test_settings_are_kept_to():
    settings = AugmentSettings(rotation_deg=5, scale=0.5, shift=0.1, flip=1.0)
    chance = np.random.RandomState(0)
    angles, scales = [], []
    for _ in range(300):
        placement = draw_placement(chance, 100, settings)
        (a, b), (c, _) = placement.matrix[:, :2]
        angles.append(np.degrees(np.arctan2(b, a)))
        scales.append(np.hypot(a, c))
        centre = placement.matrix @ [50, 50, 1]
        assert np.abs(centre - 50).max() <= 10 + 1e-9
        assert placement.is_flipped
    assert -5 <= min(angles) < -4.5 < 4.5 < max(angles) <= 5
    assert 1 / 1.5 <= min(scales) < 0.7 < 1.45 < max(scales) <= 1.5


def test_flips_come_as_often_as_asked_and_not_where_forbidden():
    chance = np.random.RandomState(0)
    share = np.mean([draw_placement(chance, 64, AugmentSettings()).is_flipped for _ in range(1000)])
    assert share == pytest.approx(0.4, abs=0.05)
    assert not any(draw_placement(chance, 64, AugmentSettings(), flips=False).is_flipped for _ in range(50))
    assert not any(draw_placement(chance, 64, AugmentSettings(flip=0)).is_flipped for _ in range(50))


def test_nothing_to_do_changes_nothing():
    picture = smooth_picture(64, 4)
    np.testing.assert_array_equal(place(picture, STILL, 64), picture)
    np.testing.assert_array_equal(place_warped(picture, STILL, identity_warp(64)), picture)
    mirrored = Placement(STILL.matrix, is_flipped=True)
    np.testing.assert_array_equal(place(picture, mirrored, 64), picture[:, ::-1])


@pytest.mark.parametrize("stored", [64, 96, 128])
@pytest.mark.parametrize("seed", range(4))
def test_a_warp_of_no_strength_is_the_straight_sample(stored, seed):
    """Placement and warp are two ways to one geometry, for any size that the face is stored at."""
    chance = np.random.RandomState(seed)
    placement = draw_placement(chance, 64, AugmentSettings())
    warp = draw_warp(chance, 64, strength=0.0)
    picture = smooth_picture(stored)
    straight, bent = place(picture, placement, 64), place_warped(picture, placement, warp)
    inner = (slice(8, -8), slice(8, -8))  # outside the crop, the two repeat their edges otherwise
    assert np.abs(straight[inner].astype(int) - bent[inner]).max() <= 4
    assert np.abs(straight[inner].astype(int) - bent[inner]).mean() < 0.6


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("finer", [1, 1.5, 2])
def test_a_point_lands_where_the_matrix_says(flipped, finer):
    matrix = cv2.getRotationMatrix2D((32, 32), 9.0, 1.1)
    matrix[:, 2] += [2.5, -1.5]
    placement = Placement(matrix, flipped)
    point = np.array([25.0, 38.0])  # of the straight sample
    stored = int(64 * finer)
    picture = dotted(stored, point * finer + (finer - 1) / 2, sigma=2 * finer)
    wanted = matrix @ [*point, 1]
    if flipped:
        wanted[0] = 63 - wanted[0]
    np.testing.assert_allclose(dot_at(place(picture, placement, 64)), wanted, atol=0.08)
    np.testing.assert_allclose(dot_at(place_warped(picture, placement, identity_warp(64))), wanted, atol=0.12)


def test_the_warp_is_applied_before_the_placement():
    """A dot of the straight face moves by the warp, then by the placement, as in the original."""
    shifted = identity_warp(64) + np.float32([3, 0])  # each pixel shows what lies 3 to the right: a shift to the left
    matrix = cv2.getRotationMatrix2D((32, 32), 90.0, 1.0)
    bent = place_warped(dotted(64, (40, 32)), Placement(matrix, False), shifted)
    np.testing.assert_allclose(dot_at(bent), matrix @ [37, 32, 1], atol=0.1)
