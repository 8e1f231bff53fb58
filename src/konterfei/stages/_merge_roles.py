"""What a merge needs of models, and of whoever knows which of them draws whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from konterfei.compositing import Segmenter
from konterfei.enhancers import Enhancer
from konterfei.errors import DamagedFileError
from konterfei.geometry import FaceType
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.occluders import Occluder

Array = NDArray[Any]
LabelsOf = Callable[[FaceRecord], FaceLabels]
"""What was drawn onto the crop of a record."""


def labels_in(faceset: Faceset) -> LabelsOf:
    """What was drawn onto the crops of `faceset`; raises DamagedFileError for a mask that cannot be decoded."""
    labelled = faceset.labelled()

    def labels_of(record: FaceRecord) -> FaceLabels:
        if record.name not in labelled:
            return FaceLabels()
        labels = faceset.labels(record.name)
        try:
            labels.mask(record.size, record.size)
        except ValueError as error:
            raise DamagedFileError(
                f"'{faceset.folder / record.name}': {error}. Give it another mask, or choose another --mask."
            ) from error
        return labels

    return labels_of


class FaceSwapper(Protocol):
    """What a merge needs of a model; `models.swapper.Swapper` is one."""

    resolution: int
    face_type: FaceType
    info: dict[str, Any]

    def draw(self, images: Array) -> tuple[Array, Array, Array]:
        """[N, S, S, 3] uint8 RGB -> the drawn faces [N, S, S, 3], their masks and those of the faces that were shown
        [N, S, S]; float32 in [0, 1].
        """

    def redraw(self, images: Array) -> Array:
        """The same faces drawn as themselves. [N, S, S, 3] float32 in [0, 1]"""


class Cast(Protocol):
    """Who draws whom; `_merge_cast.Cast` is one."""

    segmenter: Segmenter | None

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """The model that draws this face; None = it stays as it is."""

    def occluder(self, name: str) -> Occluder:
        """That of `OCCLUDERS`, opened once."""

    def enhancer(self, name: str) -> Enhancer:
        """The enhancer of this name; opened once."""
