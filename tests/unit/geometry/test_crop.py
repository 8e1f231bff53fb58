from itertools import pairwise

import cv2
import numpy as np
import pytest

from konterfei.errors import UnknownNameError
from konterfei.geometry import Crop, Face, FaceType, Similarity, landmarks_box

# Appendix A.1 of the specification: (face type, scale) -> crop_from_frame at 256 px.
VECTORS = [
    (FaceType.HALF, 1.0, (1.050398, 0.178501, -240.418514, -0.178501, 1.050398, -100.699438)),
    (FaceType.MID_FULL, 1.0, (0.882007, 0.149885, -181.356547, -0.149885, 0.882006, -64.036131)),
    (FaceType.FULL, 1.0, (0.657888, 0.111799, -102.748846, -0.111799, 0.657888, -15.239614)),
    (FaceType.FULL_NO_ALIGN, 1.0, (0.667320, 0, -75.489822, 0, 0.667320, -51.873580)),
    (FaceType.WHOLE, 1.0, (0.492828, 0.083750, -44.855201, -0.083750, 0.492828, 29.106169)),
    (FaceType.HEAD, 1.0, (0.352495, 0.059902, 4.464764, -0.059902, 0.352495, 94.207102)),
    (FaceType.HEAD_NO_ALIGN, 1.0, (0.357548, 0, 18.970745, 0, 0.357548, 31.624257)),
    (FaceType.WHOLE, 1.1, (0.542110, 0.092125, -62.140715, -0.092124, 0.542110, 19.216781)),
]

FAR_AWAY = np.array([5000.0, 0.0])


@pytest.fixture
def frame():
    """A smooth picture with a mark in each corner. [480, 640, 3] uint8"""
    y, x = np.mgrid[0:480, 0:640]
    waves = [128 + 80 * np.sin(x / 37 + k) + 40 * np.cos(y / 23 - k) for k in range(3)]
    return np.clip(np.stack(waves, axis=-1), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("face_type", "scale", "expected"), VECTORS)
def test_fit_matches_the_conformance_vectors(landmarks, face_type, scale, expected):
    matrix = Crop.fit(landmarks, face_type, 256, scale).crop_from_frame.matrix
    assert matrix.ravel() == pytest.approx(np.array(expected), abs=5e-6)


def test_points_and_box_match_the_conformance_vectors(landmarks):
    aligned = Crop.fit(landmarks, FaceType.WHOLE, 256).crop_from_frame @ landmarks
    assert aligned[8] == pytest.approx([126.063654, 219.016924], abs=2e-6)
    assert aligned[30] == pytest.approx([127.721615, 133.568042], abs=2e-6)
    assert landmarks_box(landmarks) == pytest.approx([113.123886, 77.734210, 495.249450, 459.859800], abs=4e-5)


@pytest.mark.parametrize("face_type", FaceType)
def test_crop_follows_the_face(landmarks, face_type):
    """Moving, turning and scaling the face moves the crop with it; upright types keep their own turn."""
    plain = Crop.fit(landmarks, face_type, 128)
    moved = Crop.fit(Similarity.of(1.6, 0.0, (40, -25)) @ landmarks, face_type, 128)
    assert np.allclose(moved.corners(), Similarity.of(1.6, 0.0, (40, -25)) @ plain.corners(), atol=1e-3)
    turned = Crop.fit(Similarity.of(1, 0.5) @ landmarks, face_type, 128)
    expected = plain.crop_from_frame.rotation - 0.5 if face_type.is_aligned else 0.0
    assert turned.crop_from_frame.rotation == pytest.approx(expected, abs=1e-5)


def test_size_scale_and_side(landmarks):
    for face_type, side in [
        ("half", 1.0),
        ("mid_full", 1.190919),
        ("full", 1.596621),
        ("whole", 2.131371),
        ("head", 2.979899),
    ]:
        assert FaceType(face_type).side == pytest.approx(side, abs=1e-6)
    small, large = (Crop.fit(landmarks, FaceType.FULL, s) for s in (128, 256))
    assert np.allclose(small.corners(), large.corners(), atol=1e-3)
    nearer = Crop.fit(landmarks, FaceType.FULL, 128, scale=2.0)
    assert nearer.crop_from_frame.scale == pytest.approx(2 * small.crop_from_frame.scale, rel=1e-5)


def test_types_contain_one_another(landmarks):
    order = [FaceType.HALF, FaceType.MID_FULL, FaceType.FULL, FaceType.WHOLE, FaceType.HEAD]
    assert [t.dfl_value for t in order] == sorted(t.dfl_value for t in order)
    for inner, outer in pairwise(order[:4]):
        corners = Crop.fit(landmarks, outer, 100).crop_from_frame @ Crop.fit(landmarks, inner, 100).corners()
        assert (corners > -0.01).all() and (corners < 100.01).all()


def test_names_of_the_old_world():
    for face_type in FaceType:
        assert FaceType.from_dfl(face_type.dfl_name) is face_type
    assert FaceType.from_dfl("wf") is FaceType.WHOLE
    with pytest.raises(UnknownNameError, match="whole_face"):
        FaceType.from_dfl("whole_fase")


def test_conversion_in_crop_space_equals_fitting_in_the_frame(landmarks):
    """Section 2.6: a stored crop becomes another type through its own landmarks."""
    head, direct = Crop.fit(landmarks, FaceType.HEAD, 512), Crop.fit(landmarks, FaceType.FULL, 96)
    full_from_head = Crop.fit(head.crop_from_frame @ landmarks, FaceType.FULL, 96)
    assert np.allclose(
        (full_from_head.crop_from_frame @ head.crop_from_frame).matrix, direct.crop_from_frame.matrix, atol=1e-4
    )


def test_cut_shows_what_the_matrix_says(frame, landmarks):
    crop = Crop.fit(landmarks, FaceType.FULL, 128)
    cut = crop.cut(frame, "linear")
    for x, y in [(10, 20), (64, 64), (120, 90)]:
        fx, fy = crop.frame_from_crop @ np.array([x, y], dtype=np.float64)
        sampled = cv2.getRectSubPix(frame, (1, 1), (float(fx), float(fy)))[0, 0]
        assert np.abs(cut[y, x].astype(int) - sampled.astype(int)).max() <= 2


def test_cut_keeps_kind_and_channels(frame, landmarks):
    crop = Crop.fit(landmarks, FaceType.WHOLE, 64)
    assert crop.cut(frame).dtype == np.uint8
    assert crop.cut(frame.astype(np.uint16) * 257).dtype == np.uint16
    mask = crop.cut(np.ones((480, 640), np.float32), border="zero")
    assert (mask.shape, mask.dtype) == ((64, 64), np.float32)
    assert 0.0 <= mask.min() <= mask.max() <= 1.0
    assert crop.cut(frame[..., :1]).shape == (64, 64, 1)


def test_auto_averages_when_it_shrinks():
    """A fine checkerboard becomes grey, not a moire; and no shift comes in."""
    y, x = np.mgrid[0:512, 0:512]
    board = np.where((x + y) % 2, 255, 0).astype(np.uint8)[..., None].repeat(3, axis=2)
    crop = Crop(FaceType.FULL, 100, Similarity.of(0.2, 0.05))
    assert crop.cut(board, "auto")[5:95, 5:95].std() < 0.2 * crop.cut(board, "cubic")[5:95, 5:95].std()
    ramp = (np.mgrid[0:512, 0:512][1] / 512).astype(np.float32)
    assert np.allclose(crop.cut(ramp, "auto")[5:95, 5:95], crop.cut(ramp, "cubic")[5:95, 5:95], atol=1e-3)


def test_auto_is_plain_cubic_otherwise(frame, landmarks):
    crop = Crop.fit(landmarks, FaceType.FULL, 256)
    assert crop.crop_from_frame.scale > 0.5
    assert np.array_equal(crop.cut(frame), crop.cut(frame, "cubic"))


def test_borders(frame, landmarks):
    outside = Crop.fit(landmarks - [330.0, 0.0], FaceType.WHOLE, 64)
    assert not outside.is_inside(frame.shape)
    assert outside.cut(frame, "linear", "zero")[:, 0].max() == 0
    assert outside.cut(frame, "linear", "replicate")[:, 0].min() > 0
    assert Crop.fit(landmarks, FaceType.HALF, 64).is_inside(frame.shape)


def test_bounds_hold_the_outline_and_stay_in_the_frame(landmarks):
    crop = Crop.fit(landmarks - np.array([0.0, 20.0]), FaceType.FULL, 64)
    rows, columns = crop.bounds((480, 640))
    corners = crop.corners()
    assert columns.start <= corners[:, 0].min() and corners[:, 0].max() <= columns.stop
    assert rows.start <= corners[:, 1].min() and corners[:, 1].max() <= rows.stop
    wider = crop.bounds((480, 640), margin=5)
    assert (wider[1].start, wider[1].stop) == (columns.start - 5, columns.stop + 5)
    away = Crop.fit(landmarks + FAR_AWAY, FaceType.FULL, 64)
    assert away.bounds((480, 640))[1] == slice(640, 640)
    assert away.project(np.ones((64, 64), np.float32), away.bounds((480, 640))).size == 0


def test_paste_undoes_cut(frame, landmarks):
    crop = Crop.fit(landmarks, FaceType.FULL, 384)
    pasted = crop.paste(crop.cut(frame), np.ones((384, 384), np.float32), frame)
    assert np.abs(pasted.astype(int) - frame).max() <= 3


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_paste_leaves_everything_else_alone(frame, landmarks, kind):
    plate = {np.uint8: frame, np.uint16: frame.astype(np.uint16) * 257, np.float32: frame.astype(np.float32) / 255}[
        kind
    ]
    before = plate.copy()
    crop = Crop.fit(landmarks, FaceType.FULL, 64)
    mask = np.zeros((64, 64), np.float32)
    mask[24:40, 24:40] = 1
    pasted = crop.paste(np.ones((64, 64, 3), np.float32), mask, plate)
    assert np.array_equal(plate, before)
    assert pasted.dtype == kind
    alpha = crop.project(mask, (slice(0, 480), slice(0, 640)), "linear")
    assert np.array_equal(pasted[alpha == 0], plate[alpha == 0])
    white = {np.uint8: 255, np.uint16: 65535, np.float32: 1.0}[kind]
    assert pasted[alpha == 1] == pytest.approx(white, rel=1e-6)


def test_paste_outside_of_the_frame_changes_nothing(frame, landmarks):
    crop = Crop.fit(landmarks + FAR_AWAY, FaceType.FULL, 64)
    assert np.array_equal(crop.paste(np.ones((64, 64, 3), np.float32), np.ones((64, 64), np.float32), frame), frame)


def test_paste_brings_no_dark_seam(landmarks):
    """White on white stays white, whatever the mask does at the crop's own edge."""
    white = np.full((480, 640, 3), 255, np.uint8)
    crop = Crop.fit(landmarks, FaceType.FULL, 64)
    assert crop.paste(np.ones((64, 64, 3), np.float32), np.ones((64, 64), np.float32), white).min() == 255


def test_faces_are_values(landmarks):
    face = Face(box=[10, 20, 50, 100], landmarks=landmarks, embedding=np.ones(4) / 2)
    assert face == Face(box=[10, 20, 50, 100], landmarks=landmarks, embedding=np.ones(4) / 2)
    assert face != face.with_(track=3)
    assert face.landmarks.dtype == face.box.dtype == face.embedding.dtype == np.float32
    assert face.size == pytest.approx(np.sqrt(40 * 80))
    assert face.centre.tolist() == [30, 60]
    assert np.rad2deg(face.roll) == pytest.approx(10, abs=1)
    with pytest.raises(ValueError, match="read-only"):
        face.landmarks[0] = 0
    with pytest.raises(ValueError, match=r"\[68, 2\]"):
        Face(box=[0, 0, 1, 1], landmarks=np.zeros((5, 2)))
