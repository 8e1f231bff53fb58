"""A person given by a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detector
from konterfei.detectors.looks import look_around, look_closer, look_turned
from konterfei.errors import NoFacesError
from konterfei.io.images import read_image
from konterfei.landmarkers import Landmarker
from konterfei.recognizers import Recognizer


def embed_picture(
    path: Path, detector: Detector, landmarker: Landmarker, recognizer: Recognizer
) -> NDArray[np.float32]:
    """Embedding of the largest face in a picture. [D], unit length. Raises as `face_in_picture`."""
    return face_in_picture(path, detector, landmarker, recognizer)[1]


def face_in_picture(
    path: Path, detector: Detector, landmarker: Landmarker, recognizer: Recognizer
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Landmarks [68, 2] and embedding [D] (unit length) of the largest face in a picture.

    Raises:
        NoFacesError: there is none.
        UnreadableMediaError: it is no picture.
    """
    image = read_image(path)
    seen = look_turned(detector, image) or look_closer(detector, image)
    for detection in sorted(seen, key=lambda detection: -float(np.prod(detection.box[2:] - detection.box[:2]))):
        (answer,) = landmarker.landmarks(image, [look_around(detector, image, detection)])
        if answer.presence >= landmarker.usual_presence:
            return answer.points.astype(np.float32), recognizer.embed(image, [answer.points])[0]
    raise NoFacesError(
        f"No face in the reference picture {path}: {len(seen)} candidates, none of them sure. "
        "Give a sharp picture of the face from the front."
    )
