"""Faces for tests of tracking: boxes that move, embeddings of people."""

import numpy as np

from konterfei.tracking.finder import Found, FrameFaces

SHAPE = np.random.default_rng(0).random((68, 2)).astype(np.float32)
SHAPE = (SHAPE - SHAPE.min(0)) / np.ptp(SHAPE, axis=0)


def person(number, dimensions=64):
    """A unit vector, at right angles to those of other numbers."""
    return np.eye(dimensions, dtype=np.float32)[number]


def face(left, top, size=100.0, who=None, presence=1.0, score=0.9):
    points = (SHAPE * size + np.array([left, top])).astype(np.float32)
    return Found(points, None, score, presence, None if who is None else person(who))


def frames(*lists):
    return [FrameFaces(list(faces)) for faces in lists]
