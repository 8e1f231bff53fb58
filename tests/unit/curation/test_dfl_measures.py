"""DeepFaceLab's measures against a second writing of their published formulas, pixel by pixel."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from konterfei.curation import dfl_measures
from konterfei.geometry import hull_mask
from sorting_material import drawn, points


def faces():
    sharp = drawn()
    for image in (
        sharp,
        cv2.GaussianBlur(sharp, (0, 0), 2),
        drawn(seed=3, mouth=1.0, side_light=0.3),
        np.random.default_rng(0).integers(0, 255, sharp.shape, dtype=np.uint8),
        cv2.blur(sharp, (9, 1))[:200, 20:230].copy(),
    ):
        hull = hull_mask(points(), (256, 256))[: image.shape[0], : image.shape[1]]
        yield dfl_measures.masked(image, hull)


def canny_of_blocks(grey):
    """Edges by Canny with sigma 1 and thresholds 0.1 and 0.2, suppression between neighbours interpolated."""
    smooth = ndimage.gaussian_filter(grey, 1.0, mode="nearest")
    dy, dx = ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)
    strength = np.hypot(dx, dy)
    unit = np.maximum(strength, 1e-12)
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float64)
    around = [
        ndimage.map_coordinates(strength, [rows + s * dy / unit, columns + s * dx / unit], order=1) for s in (-1, 1)
    ]
    thin = (strength >= around[0]) & (strength >= around[1])
    labels, count = ndimage.label(thin & (strength >= 0.1), np.ones((3, 3)))
    strong = ndimage.maximum(strength * thin, labels, range(1, count + 1)) if count else []
    return np.isin(labels, 1 + np.flatnonzero(np.asarray(strong) >= 0.2))


def plain_blur(grey):
    image = grey.astype(np.float64)
    edges = canny_of_blocks(image)
    kernel = np.array([[1, 2, 1], [0, 0, 0], [-1, -2, -1]]).T / 8
    strength = ndimage.convolve(image, kernel) ** 2
    strength[strength <= 2 * np.sqrt(strength.mean())] = 0
    dy, dx = np.gradient(image)
    angle = np.rint(np.degrees(np.arctan2(dy, dx)) / 45) * 45
    height, width = grey.shape
    histogram = np.zeros(101)
    for top in range(0, height - 63, 64):
        for left in range(0, width - 63, 64):
            block = slice(top, top + 64), slice(left, left + 64)
            if edges[block].mean() <= 0.002:
                continue
            noticeable = 5 if np.ptp(grey[block].astype(int)) <= 50 else 3
            for y in range(top, top + 64):
                for x in range(left, left + 64):
                    s = strength[y, x]
                    beside = [strength[y, x + d] if 0 <= x + d < width else 0 for d in (-1, 1)]
                    above = [strength[y + d, x] if 0 <= y + d < height else 0 for d in (-1, 1)]
                    if not (s > max(beside) or s > max(above)) or angle[y, x] not in (0, 180, -180):
                        continue
                    total = 0
                    for side in (-1, 1):
                        grows = side * (1 if angle[y, x] == 0 else -1)
                        steps = 1
                        while steps < 100:
                            here, there = x + side * steps, x + side * (steps + 1)
                            if not (0 <= there < width and 0 <= here < width):
                                break
                            if (image[y, there] - image[y, here]) * grows <= 0:
                                break
                            steps += 1
                        total += steps
                    histogram[round(100 * (1 - np.exp(-((total / noticeable) ** 3.6))))] += 1
    return histogram[:64].sum() / histogram.sum() if histogram.sum() else 0.0


def test_blur_is_the_published_formula():
    found, wanted = [], []
    for face in faces():
        grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
        found.append(dfl_measures.blur(grey))
        wanted.append(plain_blur(grey))
    assert found == pytest.approx(wanted, abs=1e-9)
    assert np.ptp(wanted) > 0.3


def test_blur_of_nothing_is_0():
    assert dfl_measures.blur(np.zeros((256, 256), np.uint8)) == 0
    assert dfl_measures.blur(np.full((256, 256), 90, np.uint8)) == 0
    assert dfl_measures.blur(np.zeros((40, 40), np.uint8)) == 0


def test_motion_blur_is_the_variance_of_the_laplacian():
    for face in faces():
        wanted = cv2.Laplacian(face[..., ::-1], cv2.CV_64F, ksize=11).var()
        assert dfl_measures.motion_blur(face) == pytest.approx(wanted, rel=1e-5)
    assert dfl_measures.motion_blur(np.zeros((64, 64, 3), np.uint8)) == 0


def test_brightness_hue_and_black():
    image = drawn()
    image[:20] = 0
    hsv = cv2.cvtColor(image[..., ::-1].copy(), cv2.COLOR_BGR2HSV)
    value, hue = dfl_measures.brightness_and_hue(image)
    assert (value, hue) == pytest.approx((hsv[..., 2].mean(), hsv[..., 0].mean()), rel=1e-9)
    assert dfl_measures.black(image) == np.count_nonzero(image == 0) >= 20 * 256 * 3


def test_roots_give_opencvs_distance():
    one, other = (drawn(seed=seed, side_light=seed * 0.2)[..., 1] for seed in (0, 1))
    counts = [cv2.calcHist([channel], [0], None, [256], [0, 256]) for channel in (one, other)]
    wanted = cv2.compareHist(*counts, cv2.HISTCMP_BHATTACHARYYA)
    a, b = (dfl_measures.histogram_roots(channel).astype(float) for channel in (one, other))
    assert np.sqrt(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)) == pytest.approx(wanted, abs=1e-4)
