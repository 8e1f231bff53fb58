"""What a merge mode is given, what it gives back, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

Array = NDArray[Any]

Cover = Literal["mask", "crop", "nothing", "picture"]
"""Where the face is laid over the plate: where its mask says, over its whole crop, nowhere, or in place of the plate's
picture."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Patch:
    """One face about to be laid into its frame; all of it lies in one crop of side S.

    Attributes:
        image: the drawn face, in the plate's colours unless the mode is raw or transfers them later. RGB [S, S, 3]
            float32 in [0, 1]
        plate: the plate where the face will lie. RGB [S, S, 3] float32 in [0, 1]
        alpha: the mask to blend with. [S, S] float32 in [0, 1]
        match_masked: whether histograms count only what the mask covers.
        match_upto: the part of the plate's histogram that counts, from dark to light, in (0, 1].
    """

    image: Array
    plate: Array
    alpha: Array
    match_masked: bool = True
    match_upto: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Laid:
    """What a mode makes of a patch.

    Attributes:
        image: the face to blend in, by the mask. [S, S, 3] float32 in [0, 1]
        light: what is added to the blended picture besides; 0 where the mask is. [S, S, 3] float32 in [-1, 1], or None
    """

    image: Array
    light: Array | None = None


@dataclass(frozen=True)
class MergeMode:
    """A way to lay a drawn face into its frame. Contract: `tests/contracts/test_merge_modes.py`.

    Attributes:
        lay: a pure function in the crop, whose grid moves with the face, so that nothing shimmers.
        cover: see `Cover`.
        color_last: colours are transferred after `lay`, whose patch has the face as drawn.
        is_raw: the face stays as the model drew it: colours, erosion, feather and filters are left out.
    """

    lay: Callable[[Patch], Laid]
    cover: Cover = "mask"
    color_last: bool = False
    is_raw: bool = False


def as_it_is(patch: Patch) -> Laid:
    """The face unchanged."""
    return Laid(image=patch.image)
