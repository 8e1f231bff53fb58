"""The pictures of a page, each made once and all together bounded."""

from __future__ import annotations

import numpy as np

from konterfei.errors import DamagedFileError, FacesetError
from konterfei.io.faceset import Faceset
from konterfei.stages._page import data_uri

MOST_BYTES = 9_000_000
"""Characters that the pictures of one page take at most; what comes later is left grey."""


class Album:
    """Crops as pictures of a page.

    Attributes:
        size: characters of the pictures so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._made: dict[tuple[str, str, int], str] = {}
        self._grey = data_uri(np.full((8, 8, 3), 128, np.uint8), 8)

    def uri(self, faceset: Faceset, name: str, side: int) -> str:
        """A crop, `side` pixels wide; grey where it went or broke meanwhile, or the page is full."""
        key = str(faceset.folder), name, side
        if key not in self._made:
            try:
                made = data_uri(faceset.image(name), side) if self.size < MOST_BYTES else self._grey
            except (FacesetError, DamagedFileError):
                made = self._grey
            self._made[key] = made
        self.size += len(self._made[key])
        return self._made[key]
