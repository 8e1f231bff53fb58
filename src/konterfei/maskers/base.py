"""What a masker is given, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from numpy.typing import NDArray

from konterfei.geometry import Crop, Face

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """What is known of a face, pixel by pixel. Each [S, S] float32 in [0, 1], in the crop; None = not known.

    Attributes:
        drawn: the model's, of the face that it drew (DeepFaceLab's learned-prd).
        plate: the model's, of the plate's own face (learned-dst).
        seg_drawn: the segmenter's, of the face that was drawn (XSeg-prd).
        seg_plate: the segmenter's, of the plate's own face (XSeg-dst).
        hands: hands in front of the plate's face.
        unknown: what the model has not learned of the plate's face.
        labels: what was labelled as face on its crop in the faceset: outlines, else an applied mask.
    """

    drawn: Array | None = None
    plate: Array | None = None
    seg_drawn: Array | None = None
    seg_plate: Array | None = None
    hands: Array | None = None
    unknown: Array | None = None
    labels: Array | None = None


@dataclass(frozen=True)
class Masker:
    """A way to tell which part of a crop is face. Contract: `tests/contracts/test_maskers.py`.

    Attributes:
        make: (face, with landmarks in the frame; crop; masks) -> [S, S] float32 in [0, 1], 1 = face. Pure.
        needs: the masks that it is made of, by their names in `Masks`.
    """

    make: Callable[[Face, Crop, Masks], Array]
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert set(self.needs) <= {field.name for field in fields(Masks)}

    @property
    def needs_segmenter(self) -> bool:
        """Whether it cannot do without a segmenter."""
        return any(name.startswith("seg_") for name in self.needs)

    def __call__(self, face: Face, crop: Crop, masks: Masks) -> Array:
        """The mask of `face` in the space of `crop`. Raises ValueError when one of `needs` is missing."""
        for name in self.needs:
            if getattr(masks, name) is None:
                raise ValueError(f"this masker needs the mask '{name}', and got none")
        return self.make(face, crop, masks)
