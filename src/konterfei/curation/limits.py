"""Limits that explain themselves: a figure, and in words where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Strictness(StrEnum):
    """How readily a face is called bad."""

    LOW = "low"
    USUAL = "usual"
    HIGH = "high"


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A figure that a good face does not pass.

    Attributes:
        value: the figure.
        is_most: whether a good face has at most this much (else at least).
        source: in words where the figure comes from.
    """

    value: float
    is_most: bool
    source: str

    def passed_by(self, values: Array) -> Array:
        """Which values are beyond the limit; NaN never is. [N] bool"""
        values = np.asarray(values, np.float64)
        return (values > self.value) if self.is_most else (values < self.value)


def fixed(value: float, source: str, *, is_most: bool) -> Limit:
    """A limit that is the same for every faceset."""
    return Limit(value=value, is_most=is_most, source=source)


def fence(values: Array, spreads: float, bound: float, source: str, *, is_most: bool) -> Limit:
    """A limit drawn around the set's own values, so far from the middle that few good faces reach it.

    The median, and as many robust standard deviations (1.4826 times the median distance from the median; Rousseeuw and
    Croux 1993) away as `spreads`; but never nearer than `bound`, which a good face of any set keeps to.

    Args:
        values: of the set. [N], NaN where not known
        spreads: robust standard deviations, more than 0
        bound: see above
        source: why the bound is what it is, in words
        is_most: whether too much is bad (else too little)
    """
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return Limit(value=bound, is_most=is_most, source=source)
    middle = float(np.median(known))
    spread = 1.4826 * float(np.median(np.abs(known - middle)))
    drawn = middle + spreads * spread * (1 if is_most else -1)
    if (drawn > bound) if is_most else (drawn < bound):
        where = f"{spreads:g} robust spreads ({spread:.3g}) {'above' if is_most else 'below'} this set's median"
        return Limit(value=drawn, is_most=is_most, source=f"{where} ({middle:.3g})")
    return Limit(value=bound, is_most=is_most, source=source)
