"""A detector, a landmarker and a recognizer that see drawn people (`drawn_faces`) only, at once and without weights.

They make the stages' own logic testable: what is found, linked, resumed and refused. `install` puts them into the
tables as "drawn"; the kill test does so in another process, which is why this is a module.
"""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from drawn_faces import _FLAT, ANNA, BERT, embedding, picture
from konterfei.detectors import DETECTORS, Detection
from konterfei.io.video import VideoWriter
from konterfei.landmarkers import LANDMARKERS, Landmarked, Window
from konterfei.recognizers import RECOGNIZERS
from konterfei.registry import Entry

LEAST_AREA = 400


def _boxes(image):
    """Bounds of everybody's skin, eyes and mouth included. Each [4] float32"""
    mask = np.zeros(image.shape[:2], np.uint8)
    for skin in (ANNA, BERT):
        mask |= cv2.inRange(image, tuple(max(c - 45, 0) for c in skin), tuple(min(c + 45, 255) for c in skin))
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return [
        np.array([x, y, x + w - 1, y + h - 1], np.float32) for x, y, w, h, area in stats[1:count] if area >= LEAST_AREA
    ]


def where(index, of):
    """Where the face is in frame `index`: it drifts to the right, its mouth rests. [68, 2] float32"""
    return (_FLAT * 110 + np.array([90 + 20 * index / max(1, of - 1), 60])).astype(np.float32)


_BOX = _boxes(picture(where(0, 2), ANNA))[0]
_IN_BOX = (where(0, 2) - _BOX[:2]) / (_BOX[2:] - _BOX[:2])
"""The 68 points within the bounds of the drawn skin, which reaches above the brows. [68, 2]"""
FIVE = np.stack([_IN_BOX[36:42].mean(0), _IN_BOX[42:48].mean(0), _IN_BOX[30], _IN_BOX[48], _IN_BOX[54]])


class DrawnDetector:
    usual_threshold, size = 0.7, 640

    def __init__(self, threads=0, threshold=usual_threshold):
        self.threshold = threshold

    def detect(self, image):
        found = []
        for box in _boxes(image):
            points = box[:2] + FIVE * (box[2:] - box[:2])
            # Upright faces only, as real detectors: eyes (dark) must lie above the mouth (red).
            red = np.argwhere((image[..., 0] > 120) & (image[..., 1] < 70))
            is_upright = not len(red) or red[:, 0].mean() > (box[1] + box[3]) / 2
            found.append(Detection(box, 0.95 if is_upright else 0.4, points.astype(np.float32)))
        return [detection for detection in found if detection.score >= self.threshold]


class DrawnLandmarker:
    usual_presence = 0.5

    def __init__(self, threads=0):
        pass

    def landmarks(self, image, starts):
        return [self._one(_boxes(image), start) for start in starts]

    def _one(self, boxes, start):
        if isinstance(start, Window):
            center, reach = np.array([start.x, start.y]), start.side / 2
        else:
            center, reach = (start.box[:2] + start.box[2:]) / 2, float((start.box[2:] - start.box[:2]).max())
        near = [b for b in boxes if np.linalg.norm((b[:2] + b[2:]) / 2 - center) < reach]
        if not near:
            window = Window(float(center[0]), float(center[1]), 2 * reach, 0.0)
            return Landmarked(np.zeros((68, 2), np.float32) + center.astype(np.float32), None, 0.0, window)
        box = min(near, key=lambda b: np.linalg.norm((b[:2] + b[2:]) / 2 - center))
        points = (box[:2] + _IN_BOX * (box[2:] - box[:2])).astype(np.float32)
        x, y = (box[:2] + box[2:]) / 2
        iris = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0)])
        side = 1.5 * float((box[2:] - box[:2]).max())
        return Landmarked(points, iris, 1.0, Window(float(x), float(y), side, 0.0))


class DrawnRecognizer:
    same_person = 0.42

    def __init__(self, threads=0):
        pass

    def embed(self, image, landmarks):
        vectors = []
        for points in landmarks:
            x, y = np.rint(points[27:31].mean(axis=0)).astype(int)
            vectors.append(embedding(image[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(axis=0)))
        return np.stack(vectors) if vectors else np.zeros((0, 3), np.float32)


def install(setitem=lambda table, name, entry: table.__setitem__(name, entry)):
    """Puts the drawn ones into the tables. `setitem` as pytest's monkeypatch has it."""
    for table, name in ((DETECTORS, "Detector"), (LANDMARKERS, "Landmarker"), (RECOGNIZERS, "Recognizer")):
        setitem(table._own, "drawn", Entry(f"drawn_vision:Drawn{name}", "sees drawn people"))


SETTINGS = {"detector": "drawn", "landmarker": "drawn", "recognizer": "drawn", "size": 64}
"""Of an extraction that uses them."""


def write_clip(path: Path, frames, fps=25) -> Path:
    """A video of these images."""
    with VideoWriter(path, frames[0].shape[1], frames[0].shape[0], fps_hint=fps, crf=10, preset="ultrafast") as writer:
        for index, image in enumerate(frames):
            writer.write(image, Fraction(index, fps))
    return path


def scene(count, skin=ANNA, total=None):
    """Frames of one person moving slowly. count x [240, 320, 3] uint8"""
    return [picture(where(index, total or count), skin) for index in range(count)]


def empty(count):
    """Frames with nobody, in the same light."""
    return [np.full((240, 320, 3), 60, np.uint8)] * count


def two_people(count, gone_from):
    """Anna on the left, Bert on the right until `gone_from`."""
    frames = []
    for index in range(count):
        points = where(index, count)
        image = picture(points - np.array([85, 0], np.float32), ANNA)
        if index < gone_from:
            other = picture(points + np.array([75, 0], np.float32), BERT)
            image[:, 160:] = other[:, 160:]
        frames.append(image)
    return frames
