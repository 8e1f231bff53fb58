"""A drawn face in a frame of 640 x 480, and things in front of it."""

import cv2
import numpy as np

from drawn_faces import ANNA, picture
from drawn_vision import where
from konterfei.geometry import Crop, Face, FaceType
from konterfei.imaging import to_uint8
from konterfei.occluders import View

S = 256
"""Side of the crop that masks are wanted in, px."""
MODEL = 96
"""Side of the model's crop."""
_SMALL = where(0, 2)
LANDMARKS = 2 * _SMALL + 0.5


def face():
    return Face(box=np.array([*LANDMARKS.min(axis=0), *LANDMARKS.max(axis=0)]), landmarks=LANDMARKS)


def clean_frame(seed=0):
    """With grain. [480, 640, 3] uint8"""
    frame = cv2.resize(picture(_SMALL, ANNA), (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.clip(frame + np.random.default_rng(seed).normal(0, 2, frame.shape), 0, 255).astype(np.uint8)


def with_disk(frame, middle, radius, color=(40, 60, 50)):
    """The frame with a dark ball in it, and where that is. [480, 640] float32"""
    y, x = np.mgrid[:480, :640]
    alpha = np.clip(radius - np.hypot(x - middle[0], y - middle[1]), 0, 1).astype(np.float32)
    return (frame * (1 - alpha[..., None]) + np.float32(color) * alpha[..., None]).astype(np.uint8), alpha


def view(frame, rebuilt_from=None):
    """What an occluder is shown; the model knows the face as it is in the frame `rebuilt_from`, a little soft."""
    crop = Crop.fit(LANDMARKS, FaceType.FULL, S)
    model = Crop.fit(LANDMARKS, FaceType.FULL, MODEL)
    known = model.cut(frame if rebuilt_from is None else rebuilt_from)
    rebuilt = cv2.GaussianBlur(known.astype(np.float32) / 255, (0, 0), 0.8)
    return View(frame=frame, face=face(), crop=crop, aligned=to_uint8(model.cut(frame)), rebuilt=rebuilt)


def in_crop(mask):
    """A mask of the frame, in the crop. [S, S] float32"""
    return Crop.fit(LANDMARKS, FaceType.FULL, S).cut(mask, border="zero")


def overlap(found, true, within):
    """Intersection over union of two masks, where `within` is."""
    found, true = (found > 0.5) & within, (true > 0.5) & within
    return (found & true).sum() / max((found | true).sum(), 1)
