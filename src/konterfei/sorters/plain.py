"""Orders by one figure of each face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konterfei.io.face_measures import FaceMeasures
from konterfei.reporting import Reporter
from konterfei.sorters import Order, Wish, by_value


def time(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Number of the frame in its video."""
    rows = np.lexsort((np.arange(len(faces)), faces.frames, _ranks(faces.sources)))
    return Order(rows=rows, values=faces.frames.astype(np.float64), is_rising=True)


def _ranks(texts: tuple[str, ...]) -> NDArray[np.int64]:
    rank = {text: number for number, text in enumerate(sorted(set(texts)))}
    return np.array([rank[text] for text in texts], np.int64)


def sharpness(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Sharpness of the features, 0 to 1; noise does not count."""
    return by_value(faces.sharpness)


def occlusion(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Share of the skin that is covered, and of the doubt whether this is a face at all, 0 to 1."""
    return by_value(1 - (1 - faces.occlusion) * np.clip(faces.presence, 0, 1), is_rising=True)


def exposure(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Mean brightness of the face, 0 to 1."""
    return by_value(faces.exposure)


def clipping(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Share of the face that is black or burnt out, 0 to 1."""
    return by_value(faces.dark + faces.bright, is_rising=True)


def size(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Frame pixels from the brows to the lips."""
    return by_value(faces.resolution)


def yaw(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Yaw in degrees, above 0 with the nose to the picture's left."""
    return by_value(np.degrees(faces.pose[:, 1]))


def pitch(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Pitch in degrees, above 0 looking up."""
    return by_value(np.degrees(faces.pose[:, 0]))


def light(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """How much brighter the face gets from its middle to the picture's right, by its mean."""
    return by_value(faces.light[:, 1])
