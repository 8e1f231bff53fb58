"""Labels of one crop as labels of another crop of the same face."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from konterfei.geometry import Crop, Similarity, new_from_old
from konterfei.io.face_labels import FaceLabels, Polygon, decode_mask, encode_mask

_SIDES = (16, 2048)
"""Least and greatest side of a mask that is made anew, px."""


def moved(labels: FaceLabels, old: Crop, new: Crop) -> FaceLabels:
    """What was drawn on the crop `old`, for the crop `new`.

    Outlines are kept whole, also what leads out of the new crop. A mask is kept byte for byte where both crops are the
    same square of the frame; else it is drawn anew at about the same pixels per pixel of the frame, black where the old
    one says nothing.

    Raises:
        ValueError: the mask's file cannot be decoded.
    """
    between = new_from_old(new, old)
    polygons = tuple(Polygon(between @ polygon.points, polygon.include) for polygon in labels.polygons)
    scale = new.size / old.size
    is_same_square = between.is_close(Similarity.of(scale), 1e-3 * scale)
    mask = labels.mask_file
    if mask and not is_same_square:
        mask = _moved_mask(mask, between, old, new)
    return replace(labels, polygons=polygons, mask_file=mask)


def mask_from_crop(side: int, size: int) -> Similarity:
    """From crop pixels to those of a mask of another side over the same square: (j + 1/2) side / size - 1/2."""
    scale = side / size
    return Similarity.of(scale, shift=((scale - 1) / 2,) * 2)


def _moved_mask(file: bytes, between: Similarity, old: Crop, new: Crop) -> bytes:
    mask = decode_mask(file)
    high, wide = mask.shape
    if high != wide:
        side = max(high, wide)
        mask = np.asarray(cv2.resize(mask, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    before = mask.shape[0]
    wider = new.size / old.size / between.scale  # side of the new square over that of the old one
    side = int(np.clip(round(before * wider), *_SIDES))
    total = mask_from_crop(side, new.size) @ between @ mask_from_crop(before, old.size).inverse()
    warped = cv2.warpAffine(mask, total.matrix, (side, side), flags=cv2.INTER_LINEAR)
    return encode_mask(np.asarray(warped, np.uint8))
