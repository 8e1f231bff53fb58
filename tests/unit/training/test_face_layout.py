"""Where faces have their parts, and faces that are given another one's."""

import cv2
import numpy as np
import pytest

from drawn_faces import landmarks
from konterfei.geometry import HEAD_68, Crop, FaceType
from konterfei.training.layout import Mover, layout_between

SIDE = 144


def cut(points):
    return (Crop.fit(points, FaceType.FULL, SIDE).crop_from_frame @ points).astype(np.float32)


@pytest.fixture
def points():
    return cut(landmarks(0))


def dots(at):
    """A dot on each landmark of the mouth's outline and the jaw, wide enough to be found again."""
    image = np.full((SIDE, SIDE, 3), 90, np.uint8)
    for x, y in at:
        cv2.circle(image, (round(float(x) * 16), round(float(y) * 16)), 40, (240, 240, 240), -1, cv2.LINE_AA, 4)
    return image


def test_what_a_face_says_is_not_its_layout():
    """Mouths that open and shut: the same person, in the median."""
    rng = np.random.RandomState(1)
    mean = cut(landmarks(0))
    one, other = (np.repeat(mean[None], 99, 0) for _ in range(2))
    for faces in (one, other):
        opened = rng.uniform(0, 9, 99)
        faces[:, 55:60, 1] += opened[:, None]
        faces += rng.normal(0, 0.5, faces.shape)
    assert np.abs(layout_between(one, other)).max() < 1.5
    moved = other + np.float32([0, 4])
    np.testing.assert_allclose(layout_between(one, moved)[:, 1], 4, atol=1.5)


def heads(rng, pitch, yaw, drop=0.0):
    """Landmarks of a head in 60 poses around these, its mouth `drop` of its height lower than usual."""
    found = []
    for _ in range(60):
        head = HEAD_68.copy()
        head[48:68, 1] += drop * np.ptp(HEAD_68[:, 1])
        nod, turn = pitch + rng.normal(0, 0.06), yaw + rng.normal(0, 0.08)
        nodding = np.array([[1, 0, 0], [0, np.cos(nod), -np.sin(nod)], [0, np.sin(nod), np.cos(nod)]])
        turning = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
        flat = (head @ (turning @ nodding).T)[:, :2]
        found.append(cut((100 * flat / np.ptp(HEAD_68[:, 1]) + 150).astype(np.float32)))
    return np.stack(found)


def test_cameras_that_look_from_elsewhere_are_no_layout():
    rng = np.random.RandomState(3)
    frontal, above = heads(rng, 0.0, 0.0), heads(rng, 0.2, 0.12)
    plain = np.median(above, axis=0) - np.median(frontal, axis=0)
    assert np.linalg.norm(plain, axis=1).max() > 8, "the camera moves landmarks by more than people differ by"
    assert np.linalg.norm(layout_between(frontal, above), axis=1).max() < 2
    lower = layout_between(frontal, heads(rng, 0.2, 0.12, drop=0.06))
    same_camera = layout_between(frontal, heads(rng, 0.0, 0.0, drop=0.06))
    np.testing.assert_allclose(lower, same_camera, atol=2.5)
    assert same_camera[48:68, 1].mean() > 3 and lower[48:68, 1].mean() > 2


def test_one_face_of_each_is_enough(points):
    moved = points + np.float32([0, 3])
    np.testing.assert_allclose(layout_between(points[None], moved[None]), np.tile([0, 3], (68, 1)), atol=1e-3)


def test_parts_move_as_wholes_and_the_jaw_point_by_point(points):
    theirs = points.copy()
    theirs[48:68] = (theirs[48:68] - theirs[48:68].mean(axis=0)) * [1.4, 1.0] + theirs[48:68].mean(axis=0) + [0, 5]
    theirs[0:17, 0] += np.linspace(-6, 6, 17)
    shift = layout_between(points[None], theirs[None])
    np.testing.assert_allclose(shift[48:68], np.tile([0, 5], (20, 1)), atol=1e-4)
    np.testing.assert_allclose(shift[0:17, 0], np.linspace(-6, 6, 17), atol=1e-4)
    np.testing.assert_allclose(shift[17:48], 0, atol=1e-4)


def test_the_picture_follows_its_landmarks(points):
    mover = Mover(points[None], SIDE)
    moved = points.copy()
    moved[48:68] += [5, 7]
    seen = mover.of(dots(points[[48, 54, 8, 36]]), points, moved).astype(float)[..., 0]
    for before, after in zip(points[[48, 54, 8, 36]], moved[[48, 54, 8, 36]], strict=True):
        x, y = np.round(after).astype(int)
        window = seen[y - 6 : y + 7, x - 6 : x + 7] - 90
        rows, columns = np.mgrid[y - 6 : y + 7, x - 6 : x + 7]
        found = np.array([(columns * window).sum(), (rows * window).sum()]) / window.sum()
        np.testing.assert_allclose(found, after, atol=1.0, err_msg=str(before))


def test_what_does_not_move_stays_as_it_is_and_so_does_the_border(points):
    mover = Mover(points[None], SIDE)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    wave = np.repeat((120 + 60 * np.sin(x / 9) * np.cos(y / 7))[..., None], 3, -1).round().astype(np.uint8)
    off = np.abs(mover.of(wave, points, points).astype(int) - wave)
    assert off[2:-2, 2:-2].max() <= 1 and off.max() <= 5  # half a pixel at the very rim, where the map ends
    shifted = mover.of(wave, points, points + np.float32([6, -4]))
    for rim in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        assert np.abs(shifted[rim].astype(int) - wave[rim]).max() <= 12
    assert np.abs(shifted.astype(int) - wave).mean() > 5


def test_faces_that_lie_far_off_make_pictures_too(points):
    mover = Mover(points[None], SIDE)
    for strange in (points + 300, points * 0 + 70, points[::-1].copy()):
        seen = mover.of(dots(points[:4]), points, strange)
        assert seen.shape == (SIDE, SIDE, 3) and seen.dtype == np.uint8
