import cv2
import numpy as np
import pytest
from faces_material import pictures

from konterfei.detectors.yunet import YuNet
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.recognizers import RECOGNIZERS


@pytest.fixture(scope="module", params=sorted(RECOGNIZERS))
def recognizer(request):
    return RECOGNIZERS.load(request.param)(threads=1)


@pytest.fixture(scope="module")
def faces(portraits):
    """Pictures of two dozen different synthetic people, with landmarks."""
    detector, landmarker = YuNet(threads=1), Mesh478(threads=1)
    found = []
    for image in pictures(portraits()):
        seen = detector.detect(image)
        if seen:
            (answer,) = landmarker.landmarks(image, seen[:1])
            if answer.presence > 0.9:
                found.append((image, answer.points))
    return found


def changed(image, points):
    """The same face darker, softer, compressed, turned by 25 degrees and smaller."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 25, 0.8)
    moved = cv2.warpAffine(cv2.GaussianBlur(image, (0, 0), 1.0), matrix, (width, height))
    _, data = cv2.imencode(".jpg", (moved * 0.7).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 60])
    return cv2.imdecode(data, cv2.IMREAD_COLOR), (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def test_unit_vectors_one_per_face_in_order(recognizer, faces):
    image, points = faces[0]
    vectors = recognizer.embed(image, [points, points + 3, points])
    assert vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == 3
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert np.allclose(vectors[0], vectors[2], atol=1e-5)
    assert recognizer.embed(image, []).shape == (0, vectors.shape[1])


def test_same_person_and_others_lie_on_their_sides_of_the_threshold(recognizer, faces):
    plain = np.concatenate([recognizer.embed(image, [points]) for image, points in faces])
    again = np.concatenate([recognizer.embed(*(lambda c: (c[0], [c[1]]))(changed(*face))) for face in faces])
    cosines = plain @ again.T
    same = np.diag(cosines)
    others = cosines[~np.eye(len(cosines), dtype=bool)]
    assert np.mean(same >= recognizer.same_person) >= 0.96
    assert np.mean(others >= recognizer.same_person) <= 0.05, (
        "generated people resemble one another more than real ones"
    )
    assert same.mean() - others.mean() > 0.5


def test_size_of_the_picture_hardly_matters(recognizer, faces):
    for image, points in faces[:6]:
        big = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        one, other = recognizer.embed(image, [points])[0], recognizer.embed(big, [(points + 0.5) * 3 - 0.5])[0]
        assert float(one @ other) > 0.93


def test_its_limits_are_told_in_sentences_with_figures(recognizer):
    limits = type(recognizer).limits
    assert 80 <= len(limits) <= 700 and "\n" not in limits and limits.endswith(".")
    assert "earned from" in limits and any(sign.isdigit() for sign in limits)
