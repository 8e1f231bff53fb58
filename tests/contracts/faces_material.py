"""Synthetic portraits for the contracts of detectors, landmarkers and recognizers."""

import cv2
import numpy as np

from konterfei.io.images import read_image

EVERY = 79
"""Of 1,842 portraits: 24 of them, spread over all kinds."""


def pictures(folder, every=EVERY):
    return [read_image(path) for path in sorted(folder.glob("*.jpg"))[::every]]


def on_canvas(image, height, width, scale=1.0, left=0, top=0):
    """`image` resized and laid on a grey canvas."""
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), 110, np.uint8)
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def turned(image, degrees):
    """`image` turned about its middle on a grey square that holds it, and `turned_from_image` [2, 3]."""
    height, width = image.shape[:2]
    side = int(np.hypot(height, width)) + 1
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    matrix[:, 2] += [(side - width) / 2, (side - height) / 2]
    return cv2.warpAffine(image, matrix, (side, side), borderValue=(110, 110, 110)), matrix


def eye_distance(points):
    return float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))
