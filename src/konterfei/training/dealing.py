"""Which face a sample shows: dealt from shuffled packs, as a function of its position alone (dfl-spec 7.10.1, 7.10.2).

No state of chance is kept: the pack of an epoch is shuffled from (key, epoch), so a run goes on anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

YAW_BINS = 128
YAW_RANGE = 1.2
"""Radians either way that the bins cover; the outermost take what lies beyond (dfl-spec 7.10.2, 5.4)."""


def seed_of(*parts: int) -> int:
    """One seed that follows from several numbers."""
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


class Pack:
    """Numbers below `count`, dealt without replacement; an empty pack is shuffled anew.

    Args:
        count: of numbers, at least 1.
        key: what the shuffling follows from.
    """

    def __init__(self, count: int, *key: int) -> None:
        self._count, self._key = count, key
        self._epoch, self._order = -1, np.empty(0, int)

    def at(self, position: int) -> int:
        """The number dealt at `position` (from 0)."""
        epoch, place = divmod(position, self._count)
        if epoch != self._epoch:
            order = np.random.RandomState(seed_of(*self._key, epoch)).permutation(self._count)
            self._epoch, self._order = epoch, order
        return int(self._order[place])


class EvenPack:
    """Faces dealt evenly over yaw: first a bin, then a face in it, both from packs. Rare head turns come as often.

    Args:
        yaws: of the faces, radians. [N]
        key: what the shuffling follows from.
    """

    def __init__(self, yaws: Array, *key: int) -> None:
        edges = np.linspace(-YAW_RANGE, YAW_RANGE, YAW_BINS)
        places = np.clip(np.searchsorted(edges, -yaws, side="right") - 1, 0, YAW_BINS - 1)
        self._bins = [np.flatnonzero(places == place) for place in np.unique(places)]
        self._which = Pack(len(self._bins), *key)
        self._within = [Pack(len(members), *key, number) for number, members in enumerate(self._bins)]

    def __len__(self) -> int:
        """How many bins hold a face."""
        return len(self._bins)

    def at(self, position: int) -> int:
        """The face dealt at `position` (from 0)."""
        number = self._which.at(position)
        return int(self._bins[number][self._within[number].at(position // len(self._bins))])
