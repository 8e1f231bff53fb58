"""Occluders: what lies in front of a face and must not be painted over. A new one is one file here and one line in
`OCCLUDERS`; a masker names in `needs` those that it wants looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from numpy.typing import NDArray

from konterfei.geometry import Crop, Face, Similarity
from konterfei.registry import Entry, Registry

Array = NDArray[Any]

AROUND: Final = 3.0
"""Side of the square about a face that is looked at, in faces."""
SIDE: Final = 384
"""Side of that square, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A face of the plate, as an occluder is shown it.

    Attributes:
        frame: RGB. [H, W, 3] uint8, or uint16 with full range
        face: in the frame.
        crop: that the answer is wanted in.
        aligned: what the model was shown: the same square at its own size. [R, R, 3] uint8 RGB
        rebuilt: the face that was shown, as the model draws it. [R, R, 3] float32 in [0, 1]; None = not asked for
    """

    frame: Array
    face: Face
    crop: Crop
    aligned: Array
    rebuilt: Array | None = None


def surroundings(face: Face, crop: Crop) -> Crop:
    """The square about a face, turned as `crop` is, that occluders look at: they see nothing beyond it."""
    points = crop.crop_from_frame @ face.landmarks
    low, high = points.min(axis=0), points.max(axis=0)
    zoom = SIDE / (AROUND * max(float((high - low).max()), 1e-6))
    x, y = SIDE / 2 - zoom * (low + high) / 2
    return Crop(crop.face_type, SIDE, Similarity.of(zoom, 0.0, (float(x), float(y))) @ crop.crop_from_frame)


class Occluder(Protocol):
    """Contract of the family; `tests/contracts/test_occluders.py` runs over the table.

    An occluder is made with `threads` (0 = the runtime decides). It is pure: the same view gives the same answer.
    Of the frame it may look at what `surroundings` holds, and at the crop.
    """

    needs_rebuilt: ClassVar[bool]
    """Whether it compares the face with what the model makes of it."""

    def find(self, view: View) -> Array:
        """What lies in front of the face. [S, S] float32 in [0, 1] in `view.crop`, 1 = in front"""


OCCLUDERS = Registry(
    "occluder",
    {
        "hands": Entry("konterfei.occluders.hands:Hands", "hands and wrists"),
        "unknown": Entry("konterfei.occluders.unknown:Unknown", "what the model has not learned of this face"),
    },
)
"""Every occluder by name."""
