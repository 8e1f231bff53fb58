"""What changed around the faces, against changes that are known."""

import warnings

import cv2
import numpy as np
import pytest

from konterfei.geometry import HEAD_68, LEFT_EYE, RIGHT_EYE
from konterfei.imaging import delta_e_2000, rgb_to_lab, to_float
from konterfei.metrics.outside import FIGURES, PERFECT, compare

FACE = HEAD_68[:, :2] * 0.8 + [320, 180]
EYES = float(np.linalg.norm(FACE[LEFT_EYE].mean(axis=0) - FACE[RIGHT_EYE].mean(axis=0)))
FRAME = np.full((360, 640, 3), (90, 110, 140), np.uint8)


def figures(result, faces=(FACE,), ignore=(), plate=FRAME):
    return dict(zip(FIGURES, compare(plate, result, faces, ignore), strict=True))


def box(points, margin):
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def test_an_untouched_frame_is_perfect():
    found = compare(FRAME, FRAME.copy(), [FACE])
    assert found[:4] == pytest.approx(PERFECT[:4])
    assert 50 < found[4] < 95
    assert compare(FRAME, FRAME, []) == pytest.approx(PERFECT)


def test_what_changes_in_the_face_does_not_count():
    hull = cv2.fillConvexPoly(np.zeros((360, 640), np.uint8), cv2.convexHull(np.rint(FACE).astype(np.int32)), 1)
    grown = cv2.dilate(hull, np.ones((2 * int(0.2 * EYES) + 1,) * 2))
    result = np.where(grown[..., None] > 0, 255 - FRAME, FRAME)
    assert figures(result)["changed"] == 0
    assert figures(result)["psnr"] == 99


def test_what_changes_beside_it_does():
    rows, columns = box(FACE, 0.6 * EYES)
    result = FRAME.copy()
    result[rows, columns] = 255 - FRAME[rows, columns]
    found = figures(result)
    assert found["changed"] > 1
    assert found["worst_tile"] > 20
    assert found["ssim"] < 1


def test_a_known_patch_has_its_share_its_difference_and_its_noise():
    result = FRAME.copy()
    result[0:64, 0:64] = (100, 110, 140)
    found = figures(result, faces=())
    first, second = (rgb_to_lab(to_float(image[:1, :1])) for image in (FRAME, result))
    assert found["changed"] == pytest.approx(100 * 64 * 64 / (360 * 640), rel=1e-6)
    assert found["worst_tile"] == pytest.approx(float(delta_e_2000(first, second)[0, 0]), rel=1e-3)
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / (64 * 64 * 10**2 / (3 * 360 * 640))), rel=1e-6)
    assert found["seen"] == 100


def test_noise_lowers_psnr_and_ssim_but_is_no_visible_change():
    noise = np.random.default_rng(2).normal(0, 3, FRAME.shape)
    texture = np.random.default_rng(3).integers(60, 180, (90, 160, 3)).astype(np.uint8)
    plate = cv2.resize(texture, (640, 360), interpolation=cv2.INTER_CUBIC)
    found = figures(np.clip(plate + noise, 0, 255).round().astype(np.uint8), plate=plate)
    assert found["changed"] < 0.5
    assert found["psnr"] == pytest.approx(20 * np.log10(255 / 3), abs=0.3)
    assert 0.9 < found["ssim"] < 0.9999


def test_labels_and_other_faces_are_left_out():
    result = FRAME.copy()
    result[6:43, 501:600] = 255
    assert figures(result)["changed"] > 0
    assert figures(result, ignore=[(slice(6, 43), slice(501, 600))])["changed"] == 0
    assert figures(result, ignore=[(slice(-100, 0), slice(0, 5)), (slice(0, 50), slice(480, 9999))])["changed"] == 0
    other = FACE * 0.4 + [10, 60]
    result = FRAME.copy()
    result[box(other, -4)] = 0
    assert figures(result)["changed"] > 0
    assert figures(result, faces=(FACE, other))["changed"] == 0


def test_sixteen_bits_measure_as_eight():
    result = FRAME.copy()
    result[300:, :200] += 9
    eight, sixteen = figures(result), figures(result.astype(np.uint16) * 257, plate=FRAME.astype(np.uint16) * 257)
    for name in FIGURES:
        assert sixteen[name] == pytest.approx(eight[name], rel=0.01)


@pytest.mark.parametrize("side", [2, 5, 30, 100])
def test_a_frame_that_is_all_face_cannot_tell(side):
    frame = np.zeros((side, side, 3), np.uint8)
    points = (FACE - FACE.mean(axis=0)) / np.ptp(FACE, axis=0).max() * side * 1.2 + side / 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = compare(frame, frame, [points])
    assert np.isnan(found[:4]).all()
    assert found[4] < 15
