"""SPAN, the "Swift Parameter-free Attention Network" (Wan et al. 2023, arXiv 2311.12770), four times, 48 channels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from konterfei.weights.session import open_session

Array = NDArray[Any]


class Span:
    """Adapter of the SPAN weights.

    Args:
        threads: threads of the runtime, 0 = its choice.
    """

    factor: ClassVar[int] = 4

    def __init__(self, threads: int = 0) -> None:
        self._session = open_session("span", threads)

    def enhance(self, image: Array) -> Array:  # noqa: D102
        planes = np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32)
        (large,) = self._session.run(["output"], {"data": planes})
        return np.clip(np.ascontiguousarray(large[0].transpose(1, 2, 0)), 0.0, 1.0)
