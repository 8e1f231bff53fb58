"""Covered skin: pasted things are found, light from one side is not taken for one."""

import cv2
import numpy as np

from konterfei.curation.skin import occlusion
from konterfei.geometry import ALIGNED, TEMPLATE, Similarity
from sorting_material import drawn, points


def of(image):
    return occlusion(image, points(), Similarity.fit(points()[ALIGNED], TEMPLATE))


def covered(image, rng):
    """A disk, a bar or strands of hair somewhere on the lower face."""
    image, kind = image.copy(), rng.integers(3)
    centre = points()[[30, 48, 54, 4, 12]][rng.integers(5)] * 0.7 + points()[30] * 0.3
    color = rng.integers(0, 255, 3).tolist()
    if kind == 0:
        cv2.circle(image, np.int32(centre).tolist(), int(rng.integers(16, 32)), color, -1)
    elif kind == 1:
        turn = rng.uniform(0, np.pi)
        way = 150 * np.array([np.cos(turn), np.sin(turn)])
        cv2.line(image, np.int32(centre - way).tolist(), np.int32(centre + way).tolist(), color, 18)
    else:
        for _ in range(25):
            x = centre[0] + rng.normal(0, 15)
            cv2.line(image, (int(x), 60), (int(x + rng.normal(0, 10)), 215), (35, 25, 20), 2)
    return image


def test_faces_with_something_before_them_come_after_those_without():
    rng = np.random.default_rng(4)
    skins = [(225, 180, 155), (210, 165, 140), (150, 105, 80)]
    clear = [drawn(skins[n % 3], seed=n, mouth=rng.uniform(0, 1), side_light=rng.uniform(-0.3, 0.3)) for n in range(30)]
    free = np.array([of(image) for image in clear])
    hidden = np.array([of(covered(image, rng)) for image in clear])
    auc = (hidden[:, None] > free[None]).mean() + 0.5 * (hidden[:, None] == free[None]).mean()
    assert auc > 0.95
    assert np.median(free) < 0.03


def test_it_says_how_much():
    face = drawn()
    shares = []
    for rows in (0, 20, 40, 60):
        image = face.copy()
        image[215 - rows : 215] = (30, 160, 60)
        shares.append(of(image))
    assert (np.diff(shares) > 0.03).all()
