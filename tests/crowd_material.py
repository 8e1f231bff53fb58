"""Facesets of many drawn people: ovals of many colours and shapes, each with numbers of its own that say who it is."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from drawn_faces import SIZE, landmarks, picture
from konterfei.geometry import Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.landmarkers import Landmarked, Window

SMALL = {
    "preset": "tiny",
    "share_of_width": 0.5,
    "held_out": 0.25,
    "batch": 4,
    "rate": 0.003,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
    "validate_steps": 20,
    "patience": 0,
}
"""Settings of a pretraining of some milliseconds a step."""


def numbers(person, seed=0):
    """Unit vector of a person, in which their colour has a share; those of two are far apart. [192] float32"""
    colors = np.random.default_rng(3).normal(size=(192, 3))
    vector = np.random.default_rng([seed, person]).normal(size=192) + colors @ (np.array(skin(person)) - 155) / 80
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def skin(person):
    """A colour of their own."""
    return tuple(int(v) for v in np.random.default_rng([7, person]).integers(70, 240, 3))


def shape(person, index, count):
    """Where the face is: wider or narrower, its head turned more or less. [68, 2] float32"""
    chance = np.random.default_rng([9, person])
    points = landmarks(index, max(2, count))
    middle = points.mean(axis=0)
    return ((points - middle) * chance.uniform(0.85, 1.15, 2) + middle).astype(np.float32)


def crowd(folder: Path, people=range(12), each=2, *, told=numbers, sources=True, track=None):
    """A faceset of so many people, `each` faces of each.

    told: person -> embedding or None; sources: whether each person has a file of their own.
    """
    with Faceset.create(folder, FacesetHeader(face_type=FaceType.WHOLE, size=SIZE)) as made:
        for person in people:
            for index in range(each):
                points = shape(person, index, each)
                crop = Crop.fit(points, FaceType.WHOLE, SIZE)
                turn = np.random.default_rng([11, person]).uniform(-1, 1)
                face = Face(
                    box=np.array([*points.min(0), *points.max(0)]),
                    landmarks=points,
                    embedding=told(person),
                    track=track and track(person),
                )
                record = FaceRecord(
                    source=f"{person}.mp4" if sources else "all.mp4",
                    frame_index=index if sources else 100 * person + index,
                    pts=Fraction(index, 25),
                    face=face,
                    pose=(0.0, float(turn), 0.0),
                    face_type=FaceType.WHOLE,
                    size=SIZE,
                    crop_from_frame=crop.crop_from_frame.matrix,
                    frame_size=(320, 240),
                )
                made.add(crop.cut(picture(points, skin(person))), record)
    return folder


class Colours:
    """A recognizer that tells people by the mean colour within their landmarks."""

    same_person, limits = 0.5, "drawn faces"

    def embed(self, image, landmarks):
        found = []
        for points in landmarks:
            low, high = points.min(axis=0).astype(int) + 8, points.max(axis=0).astype(int) - 8
            color = image[max(0, low[1]) : high[1], max(0, low[0]) : high[0]].reshape(-1, 3).mean(axis=0) - 140
            vector = np.zeros(192, np.float32)
            vector[:3] = color
            found.append(vector / np.linalg.norm(vector))
        return np.array(found)


class Still:
    """A landmarker that finds the points where it begins to look, moved by the picture's brightest column."""

    usual_presence, limits = 0.5, "drawn faces"

    def landmarks(self, image, starts):
        line = np.linspace(0, 1, 68)[:, None]
        points = (start_box(start)[:2] + line * (start_box(start)[2:] - start_box(start)[:2]) for start in starts)
        moved = 3.0 if image[0, 0, 0] == 255 else 0.0
        return [Landmarked((at + moved).astype(np.float32), None, 1.0, Window(0, 0, 1, 0)) for at in points]


def start_box(start):
    assert start.points.shape == (5, 2)
    return start.box
