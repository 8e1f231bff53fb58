"""How a face moves in the frame, for motion blur."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, Face, FaceType


def motion_of(face: Face, before: Face | None, after: Face | None) -> tuple[float, float]:
    """How its middle moves, (x, y) pixels per frame: half of the way from the frame before to the one after.

    Args:
        face: in this frame.
        before, after: in the frames beside it; None = it is not there, and stands for itself.
    """
    came, goes = (_middle(face if other is None else other) for other in (before, after))
    x, y = (goes - came) / 2
    return float(x), float(y)


def _middle(face: Face) -> NDArray[Any]:
    """The point that DeepFaceLab takes: the middle of a full crop (dfl-spec 8.1)."""
    crop = Crop.fit(face.landmarks, FaceType.FULL, 256)
    return crop.frame_from_crop @ np.array([127.0, 127.0])
