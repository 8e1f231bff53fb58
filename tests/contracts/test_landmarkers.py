import dataclasses

import cv2
import numpy as np
import pytest
from faces_material import eye_distance, on_canvas, pictures, turned

from konterfei.detectors.looks import look_around
from konterfei.detectors.yunet import YuNet
from konterfei.geometry import MIRRORED
from konterfei.landmarkers import LANDMARKERS, Window


@pytest.fixture(scope="module", params=sorted(LANDMARKERS))
def landmarker(request):
    return LANDMARKERS.load(request.param)(threads=1)


@pytest.fixture(scope="module")
def detector():
    return YuNet(threads=1)


@pytest.fixture(scope="module")
def faces(portraits, detector):
    """Pictures with the first detection in each."""
    return [(image, seen[0]) for image in pictures(portraits()) if (seen := detector.detect(image))]


def test_points_lie_where_the_detector_saw_them(landmarker, faces):
    for image, seen in faces:
        (answer,) = landmarker.landmarks(image, [seen])
        assert answer.points.shape == (68, 2) and answer.points.dtype == np.float32
        assert 0 <= answer.presence <= 1
        eyes = np.stack([answer.points[36:42].mean(axis=0), answer.points[42:48].mean(axis=0)])
        mouth = answer.points[[48, 54]]
        size = float((seen.box[2:] - seen.box[:2]).max())
        assert np.abs(eyes - seen.points[:2]).mean() < 0.08 * size
        assert np.abs(mouth - seen.points[3:]).mean() < 0.12 * size
    sure = [landmarker.landmarks(image, [seen])[0].presence for image, seen in faces]
    assert np.mean(np.array(sure) >= landmarker.usual_presence) >= 0.96


def test_irises_lie_between_the_corners_of_the_eyes(landmarker, faces):
    inside = []
    for image, seen in faces:
        (answer,) = landmarker.landmarks(image, [seen])
        if answer.iris is None:
            pytest.skip("this landmarker knows no irises")
        for iris, (one, other) in zip(answer.iris, ((36, 39), (42, 45)), strict=True):
            corner, axis = answer.points[one], answer.points[other] - answer.points[one]
            inside.append(0.1 < float((iris - corner) @ axis / (axis @ axis)) < 0.9)
    assert np.mean(inside) > 0.95


def test_batch_gives_what_single_faces_give(landmarker, faces):
    (image, seen), (other, others_seen) = faces[0], faces[1]
    height, width = max(image.shape[0], other.shape[0]), image.shape[1] + other.shape[1]
    both = on_canvas(image, height, width)
    both[: other.shape[0], image.shape[1] :] = other
    shifted = dataclasses.replace(
        others_seen,
        box=others_seen.box + np.array([image.shape[1], 0, image.shape[1], 0], np.float32),
        points=others_seen.points + np.array([image.shape[1], 0], np.float32),
    )
    batch = landmarker.landmarks(both, [seen, shifted])
    for answer, start in zip(batch, (seen, shifted), strict=True):
        (single,) = landmarker.landmarks(both, [start])
        assert np.abs(answer.points - single.points).max() < 0.02
    assert landmarker.landmarks(image, []) == []


def test_window_of_the_last_frame_goes_on(landmarker, faces):
    steps = []
    for image, seen in faces:
        (first,) = landmarker.landmarks(image, [seen])
        (second,) = landmarker.landmarks(image, [first.window])
        steps.append(np.abs(second.points - first.points).mean() / eye_distance(first.points))
    assert np.median(steps) < 0.01 and np.quantile(steps, 0.9) < 0.04


def test_shift_by_a_few_pixels_shifts_the_points(landmarker, faces):
    """No place in the frame is special; half-pixel slips in the crop's arithmetic show here."""
    for image, seen in faces[:12]:
        height, width = image.shape[:2]
        (plain,) = landmarker.landmarks(on_canvas(image, height + 40, width + 40), [seen])
        moved = dataclasses.replace(
            seen, box=seen.box + np.array([13, 29, 13, 29], np.float32), points=seen.points + np.float32([13, 29])
        )
        (shifted,) = landmarker.landmarks(on_canvas(image, height + 40, width + 40, left=13, top=29), [moved])
        assert np.abs(shifted.points - plain.points - [13, 29]).mean() < 0.02 * eye_distance(plain.points)


def test_very_large_faces_have_their_points_where_small_ones_have(landmarker, faces):
    """What is averaged before it is looked at is not shifted by that: half a pixel of the enlarged one is not seen."""
    shifts = []
    for image, seen in faces[:12]:
        (plain,) = landmarker.landmarks(image, [seen])
        large = cv2.resize(image, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
        box, points = ((values + 0.5) * 6 - 0.5 for values in (seen.box, seen.points))
        (answer,) = landmarker.landmarks(large, [dataclasses.replace(seen, box=box, points=points)])
        back = (answer.points + 0.5) / 6 - 0.5
        assert np.abs(back - plain.points).mean() < 0.03 * eye_distance(plain.points)
        shifts.append((back - plain.points).mean(axis=0) / eye_distance(plain.points))
    assert np.abs(np.mean(shifts, axis=0)).max() < 0.006


def test_mirror_image_gives_mirrored_points(landmarker, faces):
    """On average without offset: a convention wrong by half a pixel of the crop would be 1 % of the eye distance."""
    errors = []
    for image, seen in faces:
        flip, shift = np.float32([-1, 1]), np.float32([image.shape[1] - 1, 0])
        corners = seen.box.reshape(2, 2) * flip + shift
        box = np.array([corners[1, 0], corners[0, 1], corners[0, 0], corners[1, 1]], np.float32)
        again = dataclasses.replace(seen, box=box, points=(seen.points * flip + shift)[[1, 0, 2, 4, 3]])
        (plain,) = landmarker.landmarks(image, [seen])
        (flipped,) = landmarker.landmarks(np.ascontiguousarray(image[:, ::-1]), [again])
        errors.append((flipped.points[MIRRORED] * flip + shift - plain.points) / eye_distance(plain.points))
    assert np.median(np.abs(errors).mean(axis=(1, 2))) < 0.05
    assert np.abs(np.median(np.mean(errors, axis=1), axis=0)).max() < 0.008


@pytest.mark.parametrize("degrees", [20, 90, 145, 180, -70])
def test_turned_faces(landmarker, detector, faces, degrees):
    for image, seen in faces[::4]:
        (plain,) = landmarker.landmarks(image, [seen])
        tilted, tilted_from_image = turned(image, degrees)
        corners = seen.box.reshape(2, 2).mean(axis=0) @ tilted_from_image[:, :2].T + tilted_from_image[:, 2]
        half = float((seen.box[2:] - seen.box[:2]).max()) / 2
        guess = dataclasses.replace(
            seen,
            box=np.concatenate([corners - half, corners + half]).astype(np.float32),
            points=(seen.points @ tilted_from_image[:, :2].T + tilted_from_image[:, 2]).astype(np.float32),
        )
        (answer,) = landmarker.landmarks(tilted, [look_around(detector, tilted, guess)])
        expected = plain.points @ tilted_from_image[:, :2].T + tilted_from_image[:, 2]
        assert np.abs(answer.points - expected).mean() < 0.06 * eye_distance(plain.points)


def test_no_face_has_no_presence(landmarker):
    rng = np.random.default_rng(3)
    images = [
        np.full((200, 200, 3), 110, np.uint8),
        rng.integers(0, 255, (200, 200, 3), dtype=np.uint8),
        np.kron(rng.integers(0, 255, (10, 10, 3), dtype=np.uint8), np.ones((20, 20, 1), np.uint8)),
    ]
    for image in images:
        (answer,) = landmarker.landmarks(image, [Window(100, 100, 150, 0.0)])
        assert answer.presence < landmarker.usual_presence


def test_windows_at_and_beyond_the_edge(landmarker):
    image = np.full((80, 90, 3), 110, np.uint8)
    for x, y, side in ((0, 0, 60), (89, 79, 300), (-200, -200, 50), (45, 40, 5000), (45, 40, 2)):
        (answer,) = landmarker.landmarks(image, [Window(x, y, side, 0.7)])
        assert np.isfinite(answer.points).all() and 0 <= answer.presence <= 1


def test_its_limits_are_told_in_sentences_with_figures(landmarker):
    limits = type(landmarker).limits
    assert 80 <= len(limits) <= 700 and "\n" not in limits and limits.endswith(".")
    assert "earned from" in limits and any(sign.isdigit() for sign in limits)
