"""Faces made of numbers, for samplers."""

import numpy as np
import pytest

from konterfei.training.data import TrainingFaces


@pytest.fixture
def make_faces():
    """make_faces(count, side, seed=0) -> smooth pictures, each with a level of its own, and a round mask."""

    def make(count, side, seed=0):
        y, x = np.mgrid[0:side, 0:side]
        middle = (side - 1) / 2
        mask = np.where(np.hypot(x - middle, y - middle) < side * 0.35, 255, 0)
        pixels = np.empty((count, side, side, 4), np.uint8)
        for i in range(count):
            wave = 40 * np.sin((x * (1 + seed) + 2 * y) * 2 / side) + 5 * i
            pixels[i] = np.stack([100 + wave, 120 - wave, np.full_like(wave, (i * 7 + seed) % 256), mask], -1)
        return TrainingFaces(pixels)

    return make
