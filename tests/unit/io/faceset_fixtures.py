"""Faces and pictures made of numbers, for the tests of the store."""

from fractions import Fraction

import numpy as np

from konterfei.geometry import HEAD_68, Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord, FacesetHeader

SIZE = 64
_FLAT = (HEAD_68[:, :2] - HEAD_68[:, :2].min(0)) / np.ptp(HEAD_68[:, :2])


def header(**changes):
    values = {"face_type": FaceType.WHOLE, "size": SIZE, "source": "clips/anna.mp4", "source_sha256": "ab" * 32}
    return FacesetHeader(**{**values, "settings": {"every_nth": 1, "range": (0, 9)}, **changes})


def picture(frame_index, number=0):
    """A different picture for each face: a drawn gradient, so that it is decodable and recognisable again."""
    x = np.arange(SIZE, dtype=np.float64)
    ramp = np.add.outer(x * (1 + number), x * (1 + frame_index % 3))
    return np.stack([ramp % 256, (ramp / 2 + frame_index) % 256, np.full_like(ramp, frame_index % 256)], -1).astype(
        np.uint8
    )


def record(frame_index, number=0, **changes):
    random = np.random.default_rng([frame_index, number])
    landmarks = (_FLAT * 200 + 100 + random.normal(size=(68, 2))).astype(np.float32)
    embedding = random.normal(size=128)
    face = Face(
        box=np.array([100.0, 90.5, 300.25, 310.0]),
        landmarks=landmarks,
        score=0.93,
        embedding=embedding / np.linalg.norm(embedding),
        iris=random.normal(size=(2, 2)),
        presence=0.99,
        track=number,
    )
    crop = Crop.fit(landmarks, FaceType.WHOLE, SIZE)
    values = {
        "source": "anna.mp4",
        "frame_index": frame_index,
        "pts": Fraction(frame_index * 1001, 30000),
        "face": face,
        "raw_landmarks": landmarks + np.float32(0.1),
        "pose": (0.1, -0.25, 0.05),
        "sharpness": 12.5 + frame_index,
        "face_type": FaceType.WHOLE,
        "size": SIZE,
        "crop_from_frame": crop.crop_from_frame.matrix,
        "frame_size": (640, 480),
    }
    return FaceRecord(**{**values, **changes})


def fill(faceset, count, start=0):
    """`count` faces, one a frame; their names."""
    return [faceset.add(picture(i), record(i)) for i in range(start, start + count)]
