"""No colour transfer."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from konterfei.color_transfers.statistics import ColorStatistics, ColorTransfer

Array = NDArray[Any]


def apply(image: Array, own: ColorStatistics, wanted: ColorStatistics) -> Array:
    """A copy of the image."""
    return image.copy()


none = ColorTransfer(ColorStatistics.measure, apply)
