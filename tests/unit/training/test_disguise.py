"""Somebody else's texture on a face: what changes, what stays, and what a recognizer says of it."""

import cv2
import numpy as np
import pytest

from drawn_faces import landmarks
from konterfei.detectors.yunet import YuNet
from konterfei.geometry import Crop, FaceType
from konterfei.geometry.landmarks import hull_mask
from konterfei.io.images import read_image
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.recognizers.mobilefacenet import MobileFaceNet
from konterfei.training.disguise import Disguise

SIDE = 144
EYES_AND_MOUTH = (slice(36, 42), slice(42, 48), slice(60, 68))


def cut(points):
    crop = Crop.fit(points, FaceType.FULL, SIDE)
    return (crop.crop_from_frame @ points).astype(np.float32)


@pytest.fixture
def points():
    return cut(landmarks(0)), cut(landmarks(5) * [1.1, 0.95])


@pytest.fixture
def disguise(points):
    return Disguise(np.stack(points))


def waves(level, period):
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    wave = 25 * np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
    return np.clip(np.stack([level + wave] * 3, -1), 0, 255).round().astype(np.uint8)


def inner(at, shrink=9):
    mask = (hull_mask(at, (SIDE, SIDE)) > 0.5).astype(np.uint8)
    return cv2.erode(mask, np.ones((shrink, shrink), np.uint8)) > 0


def part_of(at):
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for ring in EYES_AND_MOUTH:
        cv2.fillPoly(mask, [np.round(at[ring]).astype(np.int32)], 1)
    return mask > 0


def test_outside_of_the_landmarks_and_in_eyes_and_mouth_the_face_stays(disguise, points):
    face, other = waves(120, 11), waves(120, 23)
    seen = disguise.of(face, points[0], other, points[1])
    nose = np.linalg.norm(points[0][27] - points[0][33])
    reach = np.ones((int(nose) + 9, 9), np.uint8)  # half of it to either side
    beyond = cv2.dilate((hull_mask(points[0], (SIDE, SIDE)) > 0.01).astype(np.uint8), reach) == 0
    np.testing.assert_array_equal(seen[beyond], face[beyond])
    own = cv2.erode(part_of(points[0]).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert own.any()
    assert np.abs(seen[own].astype(int) - face[own]).mean() < 8


def test_the_texture_is_the_others_where_it_belongs(disguise, points):
    face = np.full((SIDE, SIDE, 3), 120, np.uint8)
    other = np.full((SIDE, SIDE, 3), 120, np.uint8)
    at = points[1][33]  # below the nose
    cv2.circle(other, tuple(int(v) for v in np.round(at)), 4, (250, 250, 250), -1)
    seen = disguise.of(face, points[0], other, points[1]).astype(np.float64)[..., 0]
    bright = np.clip(seen - seen.mean() - 30, 0, None)
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    found = np.array([(x * bright).sum(), (y * bright).sum()]) / bright.sum()
    np.testing.assert_allclose(found, points[0][33], atol=1.5)


def test_the_light_is_the_faces_own(disguise, points):
    dark, bright = waves(90, 11), waves(160, 23)
    dark[:, : SIDE // 2] = (0.7 * dark[:, : SIDE // 2]).astype(np.uint8)
    seen = disguise.of(dark, points[0], bright, points[1])
    within = inner(points[0], 21)
    for half in (np.s_[:, : SIDE // 2 - 10], np.s_[:, SIDE // 2 + 10 :]):
        assert seen[half][within[half]].mean() == pytest.approx(dark[half][within[half]].mean(), rel=0.2)


def test_a_face_disguised_as_itself_stays_as_it_is(disguise, points):
    face = waves(120, 23)
    seen = disguise.of(face, points[0], face, points[0])
    assert np.abs(seen.astype(int) - face).max() <= 3


def test_flat_triangles_and_faces_turned_away_make_pictures_too(disguise, points):
    flat = points[0].copy()
    flat[:, 0] = 70 + 0.01 * flat[:, 0]
    for ours, theirs in ((flat, points[1]), (points[0], flat), (points[0] + 200, points[1])):
        seen = disguise.of(waves(120, 11), ours, waves(120, 23), theirs)
        assert seen.shape == (SIDE, SIDE, 3) and seen.dtype == np.uint8


def test_a_recognizer_sees_the_other_rather_than_the_face(portraits):
    detector, landmarker, recognizer = YuNet(threads=1), Mesh478(threads=1), MobileFaceNet(threads=1)
    faces = []
    for path in sorted(portraits().glob("*.jpg"))[::120]:
        image = read_image(path)
        seen = detector.detect(image)
        if seen:
            (answer,) = landmarker.landmarks(image, seen[:1])
            crop = Crop.fit(answer.points, FaceType.FULL, SIDE)
            faces.append((crop.cut(image), (crop.crop_from_frame @ answer.points).astype(np.float32)))
    assert len(faces) >= 8
    disguise = Disguise(np.stack([at for _, at in faces]))
    plain = np.stack([recognizer.embed(image, [at])[0] for image, at in faces])
    to_own, to_other, before = [], [], []
    for i in range(len(faces)):
        j = (i + 1) % len(faces)
        hidden = disguise.of(*faces[i], *faces[j])
        vector = recognizer.embed(hidden, [faces[i][1]])[0]
        to_own.append(vector @ plain[i])
        to_other.append(vector @ plain[j])
        before.append(plain[i] @ plain[j])
    assert np.mean(to_own) < 0.5, "it was 1"
    assert np.mean(to_other) > np.mean(before) + 0.3
