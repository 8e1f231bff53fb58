import cv2
import numpy as np
import pytest

from konterfei.geometry import (
    MIRRORED,
    TEMPLATE,
    Crop,
    FaceType,
    Similarity,
    expand_brows,
    eye_mask,
    hull_mask,
    mean_yaw,
    mirror,
    mouth_mask,
    smooth_hull_mask,
)
from konterfei.geometry.landmarks import ALIGNED


@pytest.fixture
def aligned(landmarks):
    """Landmarks in the full-face crop of 256 px: the space of the mask vectors."""
    return Crop.fit(landmarks, FaceType.FULL, 256).crop_from_frame @ landmarks


def test_template_has_the_published_mean():
    assert TEMPLATE.shape == (33, 2)
    assert TEMPLATE.mean(axis=0) == pytest.approx([0.490127, 0.277624], abs=1e-6)


def test_mirror_swaps_sides_and_is_its_own_inverse(aligned):
    assert np.allclose(mirror(mirror(aligned, 256), 256), aligned, atol=1e-4)
    assert sorted(MIRRORED) == list(range(68))
    flipped = mirror(aligned, 256)
    assert flipped[36, 0] == pytest.approx(255 - aligned[45, 0], abs=1e-4)
    assert flipped[36, 0] < flipped[45, 0], "the person's right eye stays on the image's left"


def test_mirrored_mask_is_the_mask_of_mirrored_landmarks(aligned):
    whole = np.rint(aligned)  # so that cutting off to integers commutes with mirroring
    drawn = hull_mask(mirror(whole, 256), (256, 256), brow=0.0)
    assert (drawn != hull_mask(whole, (256, 256), brow=0.0)[:, ::-1]).mean() < 0.002


def test_hull_mask_matches_the_conformance_vector(aligned):
    mask = hull_mask(aligned, (256, 256))
    assert mask.dtype == np.float32
    assert set(np.unique(mask)) == {0.0, 1.0}
    assert mask.sum() == pytest.approx(32685, abs=30)  # to the pixel with OpenCV 4.7 and 5.0


def test_soft_masks_match_the_conformance_vectors(aligned):
    eyes, mouth = eye_mask(aligned, (256, 256)), mouth_mask(aligned, (256, 256))
    assert (eyes.sum(), eyes.max()) == (pytest.approx(1274.0, abs=10), pytest.approx(1.0, abs=0.01))
    assert (mouth.sum(), mouth.max()) == (pytest.approx(905.0, abs=10), pytest.approx(0.99667, abs=0.01))


def test_smooth_mask_is_the_hard_one_but_for_its_edge(aligned):
    hard, smooth = hull_mask(aligned, (256, 256)), smooth_hull_mask(aligned, (256, 256))
    kernel = np.ones((7, 7), np.uint8)
    inside, near = cv2.erode(hard, kernel), cv2.dilate(hard, kernel)
    assert (smooth[inside == 1] == 1).all()
    assert (smooth[near == 0] == 0).all()


def test_smooth_mask_moves_by_fractions_of_a_pixel(aligned):
    """Its centre of mass follows a slow pan; the integer one jumps."""
    columns = np.arange(256)

    def centre(draw, shift):
        mask = draw(aligned + np.array([shift, 0]), (256, 256))
        return float((mask.sum(axis=0) * columns).sum() / mask.sum())

    shifts = np.linspace(0, 1, 9)
    smooth = np.array([centre(smooth_hull_mask, s) for s in shifts])
    hard = np.array([centre(hull_mask, s) for s in shifts])
    assert np.abs(smooth - smooth[0] - shifts).max() < 0.06
    assert np.abs(hard - hard[0] - shifts).max() > 0.2


def test_brows_rise_with_the_factor(aligned):
    assert np.array_equal(expand_brows(aligned, 0.0), aligned)
    once, twice = expand_brows(aligned, 1.0), expand_brows(aligned, 2.0)
    assert (once[17:27, 1] < aligned[17:27, 1]).all()
    assert np.allclose(twice[17:27] - aligned[17:27], 2 * (once[17:27] - aligned[17:27]))
    assert np.array_equal(once[27:], aligned[27:])
    assert np.array_equal(once[:17], aligned[:17])


def test_brows_in_integers_follow_integer_arithmetic():
    points = np.zeros((68, 2), np.int32)
    points[36], points[0] = (11, 20), (0, 20)  # middle (5, 20), corner (8, 20)
    points[17] = (7, 9)
    # 7 + (7 - 8) / 2 = 6.5 -> 6;  9 + (9 - 20) / 2 = 3.5 -> 3
    assert expand_brows(points, 1.0)[17].tolist() == [6, 3]


@pytest.mark.parametrize(("ry", "expected"), [(0, -0.034), (30, 0.580), (-30, -0.633)])
def test_mean_yaw_matches_the_conformance_vector(project, ry, expected):
    points = project(0, ry)
    assert mean_yaw(Similarity.fit(points[ALIGNED], TEMPLATE) @ points) == pytest.approx(expected, abs=6e-4)


def test_masks_take_faces_that_hang_over_the_edge(aligned):
    for shift in ([-120.0, 0.0], [500.0, 500.0], [-900.0, 30.0]):
        for draw in (hull_mask, smooth_hull_mask, eye_mask, mouth_mask):
            mask = draw(aligned + shift, (256, 192))
            assert mask.shape == (256, 192)
            assert 0.0 <= mask.min() <= mask.max() <= 1.0
    assert smooth_hull_mask(aligned + 500.0, (256, 256)).sum() == 0


def test_other_schemes_are_refused():
    with pytest.raises(ValueError, match=r"\[68, 2\]"):
        hull_mask(np.zeros((5, 2)), (64, 64))
