"""A drawn person's faceset in which some crops carry outlines or a mask."""

import cv2
import numpy as np

from drawn_faces import SIZE, faceset
from konterfei.io.face_labels import FaceLabels, Polygon, encode_mask
from konterfei.io.faceset import Faceset

SQUARE = np.array([[20, 25], [70, 25], [70, 80], [20, 80]], np.float32)
HOLE = np.array([[40, 40], [50, 40], [50, 50], [40, 50]], np.float32)
OUTLINED = FaceLabels(polygons=(Polygon(SQUARE), Polygon(HOLE, include=False)), foreign={"other": {"x": 1}})


def disc(side=64):
    """[side, side] uint8, 255 in the middle."""
    return cv2.circle(np.zeros((side, side), np.uint8), (side // 2, side // 2), side // 3, 255, -1)


MASKED = FaceLabels(mask_file=encode_mask(disc()))


def labelled(folder, count=6):
    """Crop 1 has outlines, crop 2 a mask, the others nothing; gives the folder."""
    faceset(folder, count=count)
    with Faceset.open(folder) as made:
        made.relabel("000001_0.jpg", OUTLINED)
        made.relabel("000002_0.jpg", MASKED)
    assert SIZE == 96
    return folder
