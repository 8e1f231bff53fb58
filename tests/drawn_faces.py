"""Facesets of drawn people: ovals with eyes and a mouth that move. No real face, no detector, no waiting."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from konterfei.geometry import HEAD_68, Crop, Face, FaceType, Similarity
from konterfei.geometry.landmarks import hull_mask
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader

SIZE = 96
ANNA, BERT = (225, 170, 140), (120, 90, 170)
"""Colours of two people's skin."""

_FLAT = (HEAD_68[:, :2] - HEAD_68[:, :2].min(0)) / np.ptp(HEAD_68[:, :2])


def landmarks(index, of=8):
    """Where the face is in a frame of 320 x 240, its mouth more or less open. [68, 2] float32"""
    share = index / max(1, of - 1)
    points = _FLAT * 110
    points[48:68, 1] += 6 * np.sin(7 * share) * (points[48:68, 1] > points[48:68, 1].mean())
    turn = Similarity.fit(np.array([[0.0, 0], [1, 0]]), np.array([[90.0 + 20 * share, 60], [91 + 20 * share, 60.1]]))
    return (turn @ points).astype(np.float32)


def picture(points, skin):
    """A frame with the face. [240, 320, 3] uint8"""
    image = np.full((240, 320, 3), 60, np.uint8)
    hull = hull_mask(points, (240, 320))[..., None]
    image = np.where(hull > 0.5, np.array(skin, np.uint8), image).astype(np.uint8)
    for part, color in ((points[36:42], (20, 20, 20)), (points[42:48], (20, 20, 20)), (points[48:60], (160, 30, 40))):
        cv2.fillPoly(image, [np.rint(part).astype(np.int32)], color, cv2.LINE_AA)
    return image


def embedding(skin):
    vector = np.asarray(skin, np.float64) - np.mean(skin)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def faceset(
    folder: Path, skin=ANNA, count=8, *, with_embedding=True, face_type=FaceType.WHOLE, embeddings=None, settings=None
) -> Path:
    """A faceset of `count` frames of a person with that skin; `embeddings` of each in place of those of `embedding`."""
    name = f"{folder.name}.mp4"
    header = FacesetHeader(face_type=face_type, size=SIZE, source=name, settings=settings or {})
    known = [embedding(skin)] * count if embeddings is None else embeddings
    with Faceset.create(folder, header) as made:
        for index in range(count):
            points = landmarks(index, count)
            crop = Crop.fit(points, face_type, SIZE)
            face = Face(
                box=np.array([*points.min(0), *points.max(0)]),
                landmarks=points,
                embedding=known[index] if with_embedding else None,
            )
            record = FaceRecord(
                source=name,
                frame_index=index,
                pts=Fraction(index, 25),
                face=face,
                face_type=face_type,
                size=SIZE,
                crop_from_frame=crop.crop_from_frame.matrix,
                frame_size=(320, 240),
            )
            made.add(crop.cut(picture(points, skin)), record)
    return folder
