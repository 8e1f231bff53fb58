"""Enhancers: a drawn face at a higher resolution. A new one is one file here and one line in the table.

`tests/contracts/test_enhancers.py` runs over the table: shape, kind, range, place and brightness are kept.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from numpy.typing import NDArray

from konterfei.registry import Entry, Registry

Array = NDArray[Any]


class Enhancer(Protocol):
    """Contract of the family. An enhancer is made with `threads` (0 = the runtime decides) and may be kept."""

    factor: ClassVar[int]
    """How many pixels it makes of one, along each side."""

    def enhance(self, image: Array) -> Array:
        """The same picture, larger.

        Args:
            image: RGB. [S, S, 3] float32 in [0, 1]

        Returns:
            [factor * S, factor * S, 3] float32 in [0, 1]. Both cover the same square: pixel j of it lies at
            (j + 1/2) / factor - 1/2 of the given one.
        """


ENHANCERS = Registry(
    "enhancer",
    {
        "none": Entry("konterfei.enhancers.none:Unchanged", "the face as the model drew it"),
        "unsharp": Entry("konterfei.enhancers.unsharp:Unsharp", "Lanczos and steeper edges without halos; quick"),
        "span": Entry("konterfei.enhancers.span:Span", "a network, SPAN x4; 0.05 s for a face of 96 px on one core"),
    },
)
"""Every enhancer by name."""

__all__ = ["ENHANCERS", "Enhancer"]
