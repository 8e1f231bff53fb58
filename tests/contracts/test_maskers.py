import cv2
import numpy as np
import pytest

from konterfei.geometry import HEAD_68, Crop, Face, FaceType
from konterfei.maskers import MASKERS

S = 96


@pytest.fixture
def face():
    landmarks = HEAD_68[:, :2] * 1.5 + [320, 240]
    return Face(box=[200, 130, 440, 370], landmarks=landmarks)


@pytest.fixture
def crop(face):
    return Crop.fit(face.landmarks, FaceType.WHOLE, S)


@pytest.fixture
def image():
    return np.full((S, S, 3), 128, np.uint8)


@pytest.fixture
def learned():
    y, x = np.mgrid[:S, :S] - S / 2
    return np.clip(30 - np.hypot(x, y), 0, 1).astype(np.float32)


@pytest.fixture(params=sorted(MASKERS))
def masker(request):
    return MASKERS.load(request.param)


def test_shape_kind_and_range(masker, face, crop, image, learned):
    mask = masker(face, crop, image, learned)
    assert (mask.shape, mask.dtype) == ((S, S), np.float32)
    assert 0 <= mask.min() <= mask.max() <= 1
    assert mask[S // 2, S // 2] == 1


def test_the_models_mask_may_have_another_size(masker, face, crop, image, learned):
    large = masker(face, crop, image, learned)
    small = masker(face, crop, image, cv2.resize(learned, (48, 48), interpolation=cv2.INTER_AREA))
    assert small.shape == (S, S)
    assert np.abs(small - large).mean() < 0.02


def test_pure(masker, face, crop, image, learned):
    before = learned.copy(), image.copy()
    first = masker(face, crop, image, learned)
    first[:] = 0
    assert masker(face, crop, image, learned).max() == 1
    assert np.array_equal(learned, before[0]) and np.array_equal(image, before[1])


def test_follows_the_face_not_the_frame(masker, face, crop, image, learned):
    """The same face elsewhere in the frame has the same mask."""
    moved = face.with_(landmarks=face.landmarks + np.float32([100, -60]))
    there = masker(moved, Crop.fit(moved.landmarks, FaceType.WHOLE, S), image, learned)
    assert np.abs(there - masker(face, crop, image, learned)).max() < 0.1


def test_hull_stays_on_the_face(face, crop, image):
    mask = MASKERS.load("hull")(face, crop, image)
    assert mask[[0, -1]].max() == 0 and mask[:, [0, -1]].max() == 0
    inside = np.rint(crop.crop_from_frame @ face.landmarks[[30, 33, 39, 42, 62]]).astype(int)
    assert (mask[inside[:, 1], inside[:, 0]] == 1).all()


def test_learned_hull_is_the_product(face, crop, image, learned):
    product = MASKERS.load("learned")(face, crop, image, learned) * MASKERS.load("hull")(face, crop, image)
    assert np.array_equal(MASKERS.load("learned_hull")(face, crop, image, learned), product)


def test_an_empty_learned_mask_gives_an_empty_mask(face, crop, image):
    for name in ("learned", "learned_hull"):
        assert MASKERS.load(name)(face, crop, image, np.zeros((S, S), np.float32)).max() == 0


def test_a_missing_learned_mask_is_a_bug_of_the_caller(face, crop, image):
    for name in ("learned", "learned_hull"):
        with pytest.raises(ValueError, match="needs the model's mask"):
            MASKERS.load(name)(face, crop, image)
    for name in ("hull", "full"):
        assert MASKERS.load(name)(face, crop, image).max() == 1
