"""No enhancement."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray

Array = NDArray[Any]


class Unchanged:
    """Gives the picture back as it is.

    Args:
        threads: not used.
    """

    factor: ClassVar[int] = 1

    def __init__(self, threads: int = 0) -> None:
        pass

    def enhance(self, image: Array) -> Array:  # noqa: D102
        return image
