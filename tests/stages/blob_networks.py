"""Networks for drawn faces: a bright disc on a dark ground, with a dark bar for a mouth. No weights, no guessing."""

from types import SimpleNamespace

import cv2
import numpy as np

from konterfei.geometry import HEAD_68, Face

_FLAT = HEAD_68[:, :2] / np.abs(HEAD_68[:, :2]).max()
SIZE = (160, 120)
LEAST = 60


def draw(centre, radius, color, mouth):
    """A frame with a face. [H, W, 3] uint8 RGB"""
    image = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    middle = tuple(round(c * 16) for c in centre)
    cv2.circle(image, middle, int(radius * 16), color, -1, cv2.LINE_AA, 4)
    if mouth > 0:
        box = np.array([[-0.3, 0.3], [0.3, 0.3], [0.3, 0.3 + mouth], [-0.3, 0.3 + mouth]]) * radius + centre
        cv2.fillConvexPoly(image, np.rint(box * 16).astype(np.int32), (5, 5, 5), cv2.LINE_AA, 4)
    return image


def _find(image):
    """Centre, radius, mouth opening and colour of the disc; None when there is none."""
    bright = image.max(axis=2) > LEAST
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0))
    if len(rows) < 8 or len(columns) < 8:
        return None
    radius = (columns[-1] - columns[0] + rows[-1] - rows[0]) / 4
    centre = np.array([columns[0] + columns[-1], rows[0] + rows[-1]]) / 2
    strip = image[int(centre[1]) : int(centre[1] + radius * 0.9), int(centre[0])].max(axis=1)
    return centre, radius, float((strip <= LEAST).sum()) / radius, image[bright].mean(axis=0)


def landmarks(centre, radius, mouth):
    points = _FLAT * radius + centre
    points[[65, 66, 67]] = points[[63, 62, 61]] + [0, mouth * radius]
    return points.astype(np.float32)


def face(centre, radius, color, mouth):
    points = landmarks(centre, radius, mouth)
    box = np.array([*(np.array(centre) - radius), *(np.array(centre) + radius)])
    return Face(box=box, landmarks=points, embedding=embedding(np.array(color)))


def embedding(color):
    """Hue as identity: the colour without its brightness."""
    vector = np.asarray(color, np.float64) - 0.5 * np.mean(color)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class Blob:
    """Detector, landmarker and recognizer at once."""

    usual_presence = 0.5
    usual_threshold = 0.5
    same_person = 0.9

    def __init__(self, threads=0):
        self.threads = threads

    def detect(self, image):
        found = _find(image)
        if found is None:
            return []
        centre, radius, _, _ = found
        return [SimpleNamespace(box=np.array([*(centre - radius), *(centre + radius)]), score=0.9)]

    def landmarks(self, image, starts):
        found = _find(image)
        if found is None:
            return [SimpleNamespace(points=np.zeros((68, 2), np.float32), iris=None, presence=0.0) for _ in starts]
        return [SimpleNamespace(points=landmarks(*found[:3]), iris=None, presence=0.99) for _ in starts]

    def embed(self, image, points):
        return np.stack([embedding(_find(image)[3]) for _ in points])


class Blobs(Blob):
    """The same, of pictures with one disc in each half."""

    def detect(self, image):
        return [one for half in (0, 1) for one in super(Blobs, self).detect(_half(image, half))]

    def landmarks(self, image, starts):
        sides = [np.mean(start.points[:, 0]) > image.shape[1] / 2 for start in starts]
        found = zip(sides, starts, strict=True)
        return [super(Blobs, self).landmarks(_half(image, side), [start])[0] for side, start in found]

    def embed(self, image, points):
        sides = [np.mean(each[:, 0]) > image.shape[1] / 2 for each in points]
        return np.concatenate([super(Blobs, self).embed(_half(image, side), [None]) for side in sides])


def _half(image, is_right):
    """The picture with the other half black."""
    image, middle = image.copy(), image.shape[1] // 2
    image[:, slice(0, middle) if is_right else slice(middle, None)] = 0
    return image


class Hue(Blob):
    """A second recognizer, of another length."""

    def embed(self, image, points):
        return np.concatenate([super().embed(image, points), np.zeros((len(points), 2), np.float32)], axis=1)
