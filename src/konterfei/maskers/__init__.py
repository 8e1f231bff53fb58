"""Maskers: which part of a crop is face. A new one is one file here and one line in `MASKERS`."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from konterfei.geometry import Crop, Face
from konterfei.registry import Entry, Registry

Array = NDArray[Any]


class Masker(Protocol):
    """Contract of the family; `tests/contracts/test_maskers.py` runs over the table. Pure functions."""

    def __call__(self, face: Face, crop: Crop, image: Array, learned: Array | None = None) -> Array:
        """The mask of `face` in the space of `crop`.

        Args:
            face: with landmarks in the frame
            crop: where in the frame; S is its size
            image: the plate's face as cut. RGB [S, S, 3] uint8, or float32 in [0, 1]
            learned: mask that the model gave. [S, S] float32 in [0, 1]

        Returns:
            [S, S] float32 in [0, 1], 1 = face

        Raises:
            ValueError: when the masker needs `learned` and does not get it.
        """


MASKERS = Registry(
    "masker",
    {
        "hull": Entry("konterfei.maskers.masks:hull", "hull of the landmarks, brows raised"),
        "learned": Entry("konterfei.maskers.masks:learned_only", "what the model takes for face"),
        "learned_hull": Entry("konterfei.maskers.masks:learned_hull", "the model's mask inside the hull"),
        "full": Entry("konterfei.maskers.masks:full", "the whole crop"),
    },
)
"""Every masker by name."""

__all__ = ["MASKERS", "Masker"]
