"""DeepFaceLab's orders by one figure of each face, and its figure for frames with several faces."""

from __future__ import annotations

from collections import Counter

import numpy as np

from konterfei.io.face_measures import FaceMeasures
from konterfei.reporting import Reporter
from konterfei.sorters import Order, Wish, by_value

_NOTHING = "nothing to measure in them"


def blur(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """DeepFaceLab's sharpness (CPBD), 0 to 1."""
    return by_value(faces.blur, rest=faces.blur == 0, why_rest=_NOTHING)


def motion_blur(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Variance of the Laplacian of the masked face."""
    return by_value(faces.motion_blur, rest=faces.motion_blur == 0, why_rest=_NOTHING)


def face_yaw(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """DeepFaceLab's yaw, radians."""
    return by_value(faces.dfl_pose[:, 1])


def face_pitch(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """DeepFaceLab's pitch, radians."""
    return by_value(faces.dfl_pose[:, 0])


def face_source_rect_size(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Area of the face's box in its frame, square pixels."""
    return by_value(faces.area)


def brightness(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Mean of V over the crop, 0 to 255."""
    return by_value(faces.brightness)


def hue(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Mean of H over the crop, 0 to 179."""
    return by_value(faces.hue)


def black(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Channel values that are 0."""
    return by_value(faces.black, is_rising=True)


def oneface(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Faces in the frame that it comes from."""
    frames = list(zip(faces.sources, faces.frames.tolist(), strict=True))
    together = Counter(frames)
    counts = np.array([together[frame] for frame in frames])
    out = counts > 1
    rows = np.argsort(out, kind="stable")
    why = "their frames show several faces"
    return Order(rows=rows, values=counts.astype(np.float64), is_rising=True, rest=int(out.sum()), why_rest=why)
