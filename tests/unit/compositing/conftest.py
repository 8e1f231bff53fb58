import cv2
import numpy as np
import pytest

from konterfei.compositing import Swapped, cut_face
from konterfei.geometry import HEAD_68, Face, FaceType


@pytest.fixture
def face_at():
    """face_at(x, y, scale, roll): the model head seen from the front; `scale` 1 is about 145 px wide."""

    def make(x=320.0, y=240.0, scale=1.0, roll=0.1, track=0):
        cos, sin = np.cos(roll), np.sin(roll)
        points = HEAD_68[:, :2].astype(np.float64) @ np.array([[cos, sin], [-sin, cos]]) * scale + [x, y]
        low, high = points.min(axis=0), points.max(axis=0)
        return Face(box=[*low, *high], landmarks=points, track=track)

    return make


@pytest.fixture
def frame():
    """A frame without fine detail, in skin-like colours. [480, 640, 3] uint8"""
    rng = np.random.default_rng(0)
    noise = cv2.resize(rng.uniform(0, 1, (24, 32, 3)).astype(np.float32), (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.clip(np.float32([200, 150, 120]) + 60 * (noise - 0.5), 0, 255).astype(np.uint8)


@pytest.fixture
def swap():
    """swap(frame, face): what a model draws that changes the face by `change` and masks a disk."""

    def make(frame, face, size=96, change=lambda image: image * np.float32([0.7, 0.9, 1.0]), face_type=FaceType.WHOLE):
        crop, aligned = cut_face(frame, face, face_type, size)
        y, x = np.mgrid[:size, :size] / size - 0.5
        mask = (np.hypot(x, y) < 0.45).astype(np.float32)
        image = np.clip(change(aligned.astype(np.float32) / 255), 0, 1)
        return Swapped(crop=crop, aligned=aligned, image=image, mask=mask)

    return make
