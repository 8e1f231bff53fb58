import numpy as np
import pytest
from faces_material import on_canvas, pictures, turned

from konterfei.detectors import DETECTORS, Detection, overlap, suppress
from konterfei.detectors.looks import look_around, look_closer, look_turned


@pytest.fixture(scope="module", params=sorted(DETECTORS))
def detector(request):
    return DETECTORS.load(request.param)(threads=1)


@pytest.fixture(scope="module")
def faces(portraits):
    return pictures(portraits())


def test_finds_the_face_of_portraits(detector, faces):
    found = [detector.detect(image) for image in faces]
    assert sum(bool(seen) for seen in found) >= 0.95 * len(faces)
    for image, seen in zip(faces, found, strict=True):
        height, width = image.shape[:2]
        for detection in seen:
            assert detection.box.shape == (4,) and detection.points.shape == (5, 2)
            assert detection.box.dtype == detection.points.dtype == np.float32
            assert detector.threshold <= detection.score <= 1
            left, top, right, bottom = detection.box
            assert left < right and top < bottom
            assert -width < left and right < 2 * width and -height < top and bottom < 2 * height
        if seen:
            scores = [detection.score for detection in seen]
            assert scores == sorted(scores, reverse=True)
            points = seen[0].points
            assert points[0, 0] < points[1, 0] and points[3, 0] < points[4, 0]  # image-left first
            assert points[:2, 1].mean() < points[2, 1] < points[3:, 1].mean() + 5  # eyes, nose, mouth


def test_is_pure(detector, faces):
    one, other = detector.detect(faces[0]), detector.detect(faces[0])
    assert [d.score for d in one] == [d.score for d in other]
    assert all(np.array_equal(a.box, b.box) for a, b in zip(one, other, strict=True))


def test_threshold_is_obeyed(detector, faces):
    strict = type(detector)(threads=1, threshold=0.9)
    loose = type(detector)(threads=1, threshold=0.2)
    for image in faces[:6]:
        assert all(d.score >= 0.9 for d in strict.detect(image))
        assert len(loose.detect(image)) >= len(detector.detect(image)) >= len(strict.detect(image))


@pytest.mark.parametrize("shape", [(16, 16), (64, 64), (33, 500), (500, 33), (1, 1), (2160, 3840)])
@pytest.mark.parametrize("value", [0, 110, 255])
def test_nothing_in_flat_frames_of_any_size(detector, shape, value):
    assert detector.detect(np.full((*shape, 3), value, np.uint8)) == []


def test_frame_of_64_pixels(detector, faces):
    hits = 0
    for image in faces[::3]:
        tiny = on_canvas(image, 64, 64, scale=64 / max(image.shape))
        hits += bool(detector.detect(tiny))
    assert hits >= 0.8 * len(faces[::3])


def test_boxes_scale_with_the_image(detector, faces):
    shared = []
    for image in faces[:12]:
        seen, doubled = detector.detect(image), detector.detect(np.kron(image, np.ones((2, 2, 1), np.uint8)))
        if seen and doubled:
            shared.append(overlap(seen[0].box * 2 + 0.5, doubled[0].box[None])[0])
    assert len(shared) >= 10 and np.median(shared) > 0.85


def test_turned_looks_at_a_large_frame_see_what_one_of_the_turns_sees(detector, faces):
    """They are given a reduced frame: what they see is told in the large one."""
    for image in faces[:6]:
        large = on_canvas(np.repeat(np.repeat(image, 2, axis=0), 2, axis=1), 1100, 1501)
        assert max(large.shape) > detector.size
        best = max(look_turned(detector, large), key=lambda detection: detection.score)
        middles = []
        for turns in range(4):
            seen = detector.detect(np.ascontiguousarray(np.rot90(large, turns)))
            for x, y in [detection.points.mean(axis=0) for detection in seen]:
                sides = large.shape[1::-1]
                middles.append(
                    [(x, y), (sides[0] - 1 - y, x), (sides[0] - 1 - x, sides[1] - 1 - y), (y, sides[1] - 1 - x)][turns]
                )
        size = float((best.box[2:] - best.box[:2]).max())
        assert np.abs(np.array(middles) - best.points.mean(axis=0)).max(axis=1).min() < 0.02 * size


def test_quarter_turns_are_seen_through(detector, faces):
    for image in faces[::8]:
        plain = look_turned(detector, image)
        if not plain:
            continue
        for turns in (1, 2, 3):
            height, width = image.shape[:2]
            seen = look_turned(detector, np.ascontiguousarray(np.rot90(image, turns)))
            points = seen[0].points
            x, y = points.T
            back = np.stack(
                {
                    1: (width - 1 - y, x),
                    2: (width - 1 - x, height - 1 - y),
                    3: (y, height - 1 - x),
                }[turns],
                axis=1,
            )
            size = float((plain[0].box[2:] - plain[0].box[:2]).max())
            assert np.abs(back - plain[0].points).max() < 0.1 * size


@pytest.mark.parametrize("degrees", [0, 45, 100, 180, -60])
def test_look_around_tells_how_a_face_is_turned(detector, faces, degrees):
    right = total = 0
    for image in faces[1::6]:
        plain = detector.detect(image)
        tilted, tilted_from_image = turned(image, degrees)
        seen = look_turned(detector, tilted)
        if not plain or not seen:
            continue
        settled = look_around(detector, tilted, seen[0])
        expected = plain[0].points @ tilted_from_image[:, :2].T + tilted_from_image[:, 2]
        size = float((plain[0].box[2:] - plain[0].box[:2]).max())
        total += 1
        right += bool(np.abs(settled.points - expected).mean() < 0.12 * size)
    assert total >= 4 and right >= total - total // 4


def test_small_face_in_a_4k_frame_is_found_at_second_sight(detector, faces):
    image = faces[3]
    plain = detector.detect(image)[0]
    scale = 36 / float(plain.box[3] - plain.box[1])
    frame = on_canvas(image, 2160, 3840, scale, left=2801, top=1207)
    expected = plain.box * scale + np.array([2801, 1207, 2801, 1207])
    assert not detector.detect(frame), "else this test shows nothing"
    (seen, *_) = look_closer(detector, frame)
    assert overlap(expected.astype(np.float32), seen.box[None])[0] > 0.5


def test_small_face_in_a_small_frame_is_found_at_second_sight(detector, faces):
    hits = sum(bool(look_closer(detector, on_canvas(image, 270, 480, 50 / max(image.shape)))) for image in faces[::3])
    assert hits >= 0.8 * len(faces[::3])


@pytest.mark.parametrize("shape", [(1, 1), (64, 64), (2160, 3840)])
def test_second_sight_of_nothing(detector, shape):
    assert look_closer(detector, np.full((*shape, 3), 110, np.uint8)) == []


def box(left, top, right, bottom, score=0.9):
    return Detection(np.array([left, top, right, bottom], np.float32), score, np.zeros((5, 2), np.float32))


def test_suppress_keeps_the_best_of_those_that_overlap():
    seen = [box(0, 0, 10, 10, 0.5), box(1, 0, 11, 10, 0.9), box(40, 0, 50, 10, 0.7)]
    assert [d.score for d in suppress(seen)] == [0.9, 0.7]
    assert suppress([]) == []


def test_overlap_of_boxes():
    first = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [3, 3, 3, 3]], np.float32)
    assert overlap(first, others) == pytest.approx([1, 1 / 3, 0, 0])


def test_its_limits_are_told_in_sentences_with_figures(detector):
    limits = type(detector).limits
    assert 80 <= len(limits) <= 700 and "\n" not in limits and limits.endswith(".")
    assert "earned from" in limits and any(sign.isdigit() for sign in limits)
