"""Sharpness of a face under known damage: it falls with what blurs, does not rise with what only looks like detail."""

import cv2
import numpy as np
import pytest

from konterfei.curation.clarity import sharpness
from konterfei.geometry import ALIGNED, TEMPLATE, Similarity
from sorting_material import drawn, points


def of(image, where=None):
    where = points() if where is None else where
    return sharpness(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), where, Similarity.fit(where[ALIGNED], TEMPLATE))


def blurred(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma)


def smeared(image, length, upright=False):
    return cv2.blur(image, (1, length) if upright else (length, 1))


def enlarged(image, factor):
    small = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def sharpened(image, amount=1.5, sigma=2.0):
    floats = image.astype(np.float32)
    return np.clip(floats + amount * (floats - blurred(floats, sigma)), 0, 255).astype(np.uint8)


def noisy(image, sigma):
    return np.clip(image + np.random.default_rng(1).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def coded(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


@pytest.mark.parametrize("seed", range(3))
def test_it_falls_with_every_blur(seed):
    face = drawn(seed=seed)
    for worse in (
        [blurred(face, sigma) for sigma in (0.7, 1, 1.5, 2, 3, 5)],
        [smeared(face, length) for length in (3, 5, 9)],
        [smeared(face, length, upright=True) for length in (3, 5, 9)],
        [enlarged(face, factor) for factor in (1.5, 2, 3, 4)],
    ):
        falling = [of(face), *(of(image) for image in worse)]
        assert (np.diff(falling) < 0).all()
        assert falling[-1] < 0.75 * falling[0]


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_codecs_do_not_make_a_soft_face_sharp(seed):
    face = drawn(seed=seed)
    clear = of(face)
    for damaged in (noisy(face, 10), noisy(face, 20), coded(face, 40)):
        assert of(damaged) < clear + 0.02
    for damaged in (noisy(blurred(face, 2), 10), noisy(blurred(face, 2), 20), coded(blurred(face, 2), 20)):
        assert of(damaged) < 0.6 * clear


@pytest.mark.parametrize("seed", range(3))
def test_an_enlarged_face_sharpened_again_stays_behind(seed):
    face = drawn(seed=seed)
    assert of(sharpened(enlarged(face, 4))) < 0.75 * of(face)
    assert of(sharpened(enlarged(face, 4))) < of(enlarged(face, 2))


def test_light_contrast_and_size_of_the_crop_do_not_count():
    face = drawn()
    assert of((face * 0.4).astype(np.uint8)) == pytest.approx(of(face), rel=0.03)
    assert of((face * 0.5 + 60).astype(np.uint8)) == pytest.approx(of(face), rel=0.03)
    double = cv2.resize(face, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert of(double, points() * 2 + 0.5) == pytest.approx(of(face), rel=0.1)


def test_a_flat_picture_has_none():
    assert of(np.full((256, 256, 3), 128, np.uint8)) == 0
