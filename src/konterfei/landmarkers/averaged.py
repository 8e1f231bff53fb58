"""A second pass: the points of a face as the mean of several looks, each from a slightly shifted window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from konterfei.landmarkers import Landmarked, Landmarker, Seen, Window

SHIFTS = ((0.0, 0.0), (-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0))
"""Where the windows lie, in 256ths of their side: in the middle, and towards each corner."""
WHOLE = 256.0


class Averaged:
    """A landmarker that looks again with `inner` where that has found a face, and averages.

    The noise of one look comes from how the pixels happen to fall into its window; shifted windows share little of it.

    Args:
        inner: any of the family.
    """

    limits: ClassVar[str] = "Those of the landmarker that it asks; its points tremble less."

    def __init__(self, inner: Landmarker) -> None:
        self.inner = inner
        self.usual_presence = inner.usual_presence

    def landmarks(self, image: NDArray[np.uint8], starts: Sequence[Seen | Window]) -> list[Landmarked]:  # noqa: D102
        first = self.inner.landmarks(image, starts)
        windows = [shifted(answer.window, shift) for answer in first for shift in SHIFTS]
        again = self.inner.landmarks(image, windows)
        return [
            _mean(answer, again[number * len(SHIFTS) : (number + 1) * len(SHIFTS)])
            for number, answer in enumerate(first)
        ]


def shifted(window: Window, shift: tuple[float, float]) -> Window:
    """The window moved by `shift`, 256ths of its side along its own axes."""
    x, y = (part * window.side / WHOLE for part in shift)
    cos, sin = np.cos(window.roll), np.sin(window.roll)
    return replace(window, x=window.x + float(cos * x - sin * y), y=window.y + float(sin * x + cos * y))


def _mean(first: Landmarked, again: Sequence[Landmarked]) -> Landmarked:
    """The mean of the looks that saw a face as surely as the first one did; the first where none did."""
    good = [answer for answer in again if answer.presence >= 0.5 * first.presence]
    if not good:
        return first
    irises = [answer.iris for answer in good if answer.iris is not None]
    meshes = [answer.mesh for answer in good if answer.mesh is not None]
    return Landmarked(
        points=_middle([answer.points for answer in good]),
        iris=_middle(irises) if irises else None,
        presence=float(np.mean([answer.presence for answer in good])),
        window=first.window,
        mesh=_middle(meshes) if meshes else None,
    )


def _middle(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.stack(arrays).mean(axis=0, dtype=np.float64).astype(np.float32)
