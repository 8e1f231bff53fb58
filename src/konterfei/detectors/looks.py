"""Further looks at a frame, at a few times the cost of one: for turned faces and for small ones."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detection, Detector, suppress

ATTITUDES = 8
"""Turns that `look_around` tries: one of them leaves at most 22.5 degrees, which detectors bear well."""

AROUND_SIDE = 256
"""Side in pixels of the picture it looks at: the face is half as high, for which detectors are made."""

FINE_SIDE = 1920
"""Longest side in pixels that `look_closer` looks at: bounds its cost to 8 tiles in a wide frame."""

ENLARGE = 2.0
"""It enlarges by this much at most: more shows no more."""

TILE = 640
"""Side of its tiles in pixels: the detectors then look at them one to one."""

TILE_OVERLAP = 128
"""Pixels that neighbouring tiles share, so that a small face lies whole in one of them."""


def look_turned(detector: Detector, image: NDArray[np.uint8]) -> list[Detection]:
    """Faces in any attitude, best score first: looks at the image in four quarter turns and keeps the surest ones.

    A detector trained on upright faces also finds faces upside down but labels their points as if upright. The turn
    in which a face stands upright scores highest: measured right in 100 % at 90 and 180 degrees.
    """
    small = reduced(image, detector.size)
    found: list[Detection] = []
    for turns in range(4):
        seen = detector.detect(np.ascontiguousarray(np.rot90(small, turns)))
        found += [_turned_back(detection, turns, small.shape[1], small.shape[0]) for detection in seen]
    return [_enlarged(detection, small, image) for detection in suppress(found)]


def reduced(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image with its long side brought down to `size`; itself where it is no larger."""
    scale = size / max(image.shape[:2])
    if scale >= 1:
        return image
    sides = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    return np.asarray(cv2.resize(image, sides, interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(detection: Detection, small: NDArray[np.uint8], image: NDArray[np.uint8]) -> Detection:
    """A detection in `small`, told in `image`."""
    if small is image:
        return detection
    factor = np.array(image.shape[1::-1], np.float32) / np.array(small.shape[1::-1], np.float32)
    box = ((detection.box.reshape(2, 2) + 0.5) * factor - 0.5).reshape(4)
    return Detection(box.astype(np.float32), detection.score, ((detection.points + 0.5) * factor - 0.5).astype("f4"))


def _turned_back(detection: Detection, turns: int, width: int, height: int) -> Detection:
    """A detection in `np.rot90(image, turns)`, told in the image of `width` by `height`."""
    points = np.concatenate([detection.box.reshape(2, 2), detection.points])
    sides = (width, height) if turns % 2 == 0 else (height, width)  # of the turned image
    for _ in range(turns):  # one quarter turn clockwise each: x' = height - 1 - y, y' = x
        points = np.stack([sides[1] - 1 - points[:, 1], points[:, 0]], axis=1)
        sides = (sides[1], sides[0])
    box = np.concatenate([points[:2].min(axis=0), points[:2].max(axis=0)])
    return Detection(box.astype(np.float32), detection.score, points[2:].astype(np.float32))


def look_around(detector: Detector, image: NDArray[np.uint8], found: Detection) -> Detection:
    """The detection `found` with its points as the face is really turned: looks at its surroundings in eight turns.

    Costs as much as one and a half looks at a whole frame. Where no turn shows a face, `found` itself comes back.
    """
    center = (found.box[:2] + found.box[2:]) / 2
    side = 2.0 * float((found.box[2:] - found.box[:2]).max())
    best, best_score = found, 0.0
    for number in range(ATTITUDES):
        angle = 2 * np.pi * number / ATTITUDES
        cos, sin = np.cos(angle) * side / AROUND_SIDE, np.sin(angle) * side / AROUND_SIDE
        frame_from_view = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
        middle = np.full(2, (AROUND_SIDE - 1) / 2)
        frame_from_view[:, 2] = center - frame_from_view[:, :2] @ middle
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        view = cv2.warpAffine(image, frame_from_view, (AROUND_SIDE, AROUND_SIDE), flags=flags)
        for seen in detector.detect(np.asarray(view, np.uint8)):
            offset = np.linalg.norm((seen.box[:2] + seen.box[2:]) / 2 - middle)
            extent = float((seen.box[2:] - seen.box[:2]).max()) / (AROUND_SIDE / 2)
            is_it = offset < AROUND_SIDE / 4 and 0.5 < extent < 1.8  # and not a neighbour, nor the face around a mouth
            if is_it and seen.score > best_score:
                best_score = seen.score
                points = seen.points @ frame_from_view[:, :2].T + frame_from_view[:, 2]
                best = Detection(found.box, max(found.score, seen.score), points.astype(np.float32))
    return best


def look_closer(detector: Detector, image: NDArray[np.uint8]) -> list[Detection]:
    """Faces that are small in their frame, best score first: looks at it enlarged, in overlapping tiles."""
    scale = min(FINE_SIDE / max(image.shape[:2]), ENLARGE)
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(image, size, interpolation=interpolation), np.uint8)
    found: list[Detection] = []
    for top in _starts(image.shape[0]):
        for left in _starts(image.shape[1]):
            tile = np.ascontiguousarray(image[top : top + TILE, left : left + TILE])
            shift = np.array([left, top], np.float32)
            for seen in detector.detect(tile):
                box = ((seen.box.reshape(2, 2) + shift + 0.5) / scale - 0.5).reshape(4)
                found.append(Detection(box, seen.score, (seen.points + shift + 0.5) / scale - 0.5))
    return suppress(found)


def _starts(side: int) -> list[int]:
    """Where tiles begin along a side: evenly, first at 0, last one flush with the end."""
    if side <= TILE:
        return [0]
    num = -(-(side - TILE_OVERLAP) // (TILE - TILE_OVERLAP))
    return [round(n * (side - TILE) / (num - 1)) for n in range(num)]
