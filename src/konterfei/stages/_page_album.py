"""The pictures of a page, each made once and all together bounded."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.errors import DamagedFileError, FacesetError
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.stages._page import data_uri

Array = NDArray[Any]

MOST_BYTES = 9_000_000
"""Characters that the pictures of one page take at most; what comes later is left grey."""


class Album:
    """Crops as pictures of a page.

    Attributes:
        size: characters of the pictures so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._made: dict[tuple[str, str, int, bool], str] = {}
        self._grey = data_uri(np.full((8, 8, 3), 128, np.uint8), 8)

    def uri(self, faceset: Faceset, record: FaceRecord, side: int, *, dotted: bool = False) -> str:
        """A crop, `side` pixels wide, with its landmarks if `dotted`.

        Grey where it went or broke meanwhile, or the page is full.
        """
        key = str(faceset.folder), record.name, side, dotted
        if key not in self._made:
            self._made[key] = self._drawn(faceset, record, side, dotted)
        self.size += len(self._made[key])
        return self._made[key]

    def _drawn(self, faceset: Faceset, record: FaceRecord, side: int, dotted: bool) -> str:
        if self.size >= MOST_BYTES:
            return self._grey
        try:
            image = faceset.image(record.name)
        except (FacesetError, DamagedFileError):
            return self._grey
        return data_uri(with_dots(record, image) if dotted else image, side)


def with_dots(record: FaceRecord, image: Array) -> Array:
    """A crop with its landmarks drawn in. `image`: it. [S, S, 3] uint8"""
    drawn = image.copy()
    for x, y in np.rint(record.crop.crop_from_frame @ record.face.landmarks).astype(int):
        cv2.circle(drawn, (int(x), int(y)), max(1, record.size // 90), (90, 255, 120), -1, cv2.LINE_AA)
    return drawn
