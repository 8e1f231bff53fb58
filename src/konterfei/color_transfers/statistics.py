"""What colour transfers measure, and what they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class ColorStatistics:
    """Mean and spread of the colours of an image, in the space of the transfer that measured them.

    Attributes:
        mean: [3] float64
        std: [3] float64
        covariance: [3, 3] float64; with n - 1 in the denominator
        weight: pixels that counted (sum of the mask); 0 makes every transfer leave the image as it is
        pixels: the colours themselves, for transfers that need more than these figures. [N, 3] float64
        weights: how much each of them counts. [N] float64
    """

    mean: Array
    std: Array
    covariance: Array
    weight: float
    pixels: Array | None = None
    weights: Array | None = None

    @classmethod
    def measure(cls, image: Array, mask: Array | None = None) -> ColorStatistics:
        """Statistics of an image's three channels, each pixel counted in the measure of `mask`.

        Args:
            image: [H, W, 3] in the space of the transfer
            mask: [H, W] in [0, 1]; None counts every pixel fully
        """
        pixels = image.reshape(-1, 3).astype(np.float64)
        if mask is not None:
            weights = mask.reshape(-1).astype(np.float64)
            pixels, weights = pixels[weights > 0], weights[weights > 0]
        else:
            weights = np.ones(len(pixels))
        total = float(weights.sum())
        if total < 2:  # no spread to speak of
            return cls(np.zeros(3), np.zeros(3), np.zeros((3, 3)), 0.0)
        mean = weights @ pixels / total
        centred = pixels - mean
        scatter = (centred * weights[:, None]).T @ centred
        return cls(mean, np.sqrt(np.diag(scatter) / total), scatter / (total - 1), total)

    @classmethod
    def measure_all(cls, image: Array, mask: Array | None = None) -> ColorStatistics:
        """As `measure`, with the pixels kept."""
        pixels = image.reshape(-1, 3).astype(np.float64)
        weights = np.ones(len(pixels)) if mask is None else mask.reshape(-1).astype(np.float64)
        return replace(cls.measure(image, mask), pixels=pixels, weights=weights)

    def counted(self) -> tuple[Array, Array]:
        """Pixels that count, and how much; only of `measure_all`. [K, 3], [K]"""
        assert self.pixels is not None and self.weights is not None
        counts = self.weights > 0
        return self.pixels[counts], self.weights[counts]

    @classmethod
    def average(cls, many: Sequence[ColorStatistics], weights: Sequence[float]) -> ColorStatistics:
        """One for all: for example over neighbouring frames, so that colours do not flicker.

        Args:
            many: those with weight 0 do not count
            weights: of each, for example a window over time; need not sum to one
        """
        pairs = [(s, w) for s, w in zip(many, weights, strict=True) if s.weight > 0 and w > 0]
        total = sum(w for _, w in pairs)
        if not pairs:
            return cls(np.zeros(3), np.zeros(3), np.zeros((3, 3)), 0.0)
        return cls(
            sum((w / total * s.mean for s, w in pairs), np.zeros(3)),
            sum((w / total * s.std for s, w in pairs), np.zeros(3)),
            sum((w / total * s.covariance for s, w in pairs), np.zeros((3, 3))),
            sum(w / total * s.weight for s, w in pairs),
        )


@dataclass(frozen=True)
class ColorTransfer:
    """A colour transfer in two halves, so that what was measured may be smoothed over time between them.

    Attributes:
        statistics: (image [H, W, 3] float32 RGB in [0, 1], mask [H, W] or None) -> ColorStatistics
        apply: (image, its statistics, statistics wanted) -> image, float32 in [0, 1]
    """

    statistics: Callable[[Array, Array | None], ColorStatistics]
    apply: Callable[[Array, ColorStatistics, ColorStatistics], Array]

    def __call__(
        self, image: Array, reference: Array, image_mask: Array | None = None, reference_mask: Array | None = None
    ) -> Array:
        """`image` in the colours of `reference`.

        Args:
            image: [H, W, 3] float32 RGB in [0, 1]
            reference: of any size, likewise
            image_mask: [H, W] float32 in [0, 1]; only what it covers is measured, but all of the image changes
            reference_mask: likewise for the reference

        Returns:
            [H, W, 3] float32 RGB in [0, 1]; the image itself when a mask is empty
        """
        return self.apply(image, self.statistics(image, image_mask), self.statistics(reference, reference_mask))
