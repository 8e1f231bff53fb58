"""Which faces are set aside and why, so that no pose and no expression is lost with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.duplicates import Group
from konterfei.curation.poses import YAW_EDGES, cells
from konterfei.curation.suspicion import Suspicion
from konterfei.curation.traits import Traits

Array = NDArray[Any]

DOUBLES: Final = "doubles"
"""In the place of a reason's name: faces that show the same as another one."""
LAST: Final = 3
"""Faces of one pose and expression below which none of them goes, unless it is another person's."""
_MOUTH_EDGES: Final = (0.05, 0.2)
"""Openings of the mouth between shut, speaking and open, by the distance of the eyes."""
_EYES_EDGE: Final = 0.5
"""Share of the usual opening of the eyes below which they are shut."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is to be set aside.

    Attributes:
        aside: reason's name -> rows, worst first; each face is named once, by its gravest reason.
        kept_last: rows that a reason speaks against and that stay, because few others show their pose and expression.
        over: rows that would have gone, but for the limit on all together.
    """

    aside: dict[str, tuple[int, ...]]
    kept_last: tuple[int, ...]
    over: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many go."""
        return sum(map(len, self.aside.values()))


def kinds_of(traits: Traits) -> Array:
    """Number of the pose and expression that each face shows: cell of the pose map, mouth, eyes. [N] int64"""
    rows, columns = cells(traits.pitch, traits.yaw)
    mouth = np.digitize(traits.axes["mouth_open"], _MOUTH_EDGES)
    eyes = (traits.compared()["eyes_open"] >= _EYES_EDGE).astype(np.int64)
    return ((rows * (len(YAW_EDGES) - 1) + columns) * (len(_MOUTH_EDGES) + 1) + mouth) * 2 + eyes


def choose(
    traits: Traits,
    found: dict[str, Suspicion],
    groups: Sequence[Group],
    *,
    keep: int = 1,
    most: float = 0.5,
    spared: Collection[str] = (),
) -> Choice:
    """What goes.

    Args:
        traits: the faces.
        found: suspicions, the gravest first.
        groups: of faces that show the same.
        keep: how many of each group stay, the best first; 0 = all of them.
        most: share of the faces that may go at all, 0 to 1.
        spared: names of reasons that count for nothing.
    """
    kinds = kinds_of(traits)
    left = np.bincount(kinds, minlength=int(kinds.max(initial=0)) + 1)
    free, room = np.ones(len(traits), bool), int(most * len(traits))
    aside: dict[str, list[int]] = {}
    kept, over = [], []

    def take(name: str, rows: Sequence[int], *, spares_last: bool) -> None:
        nonlocal room
        for row in rows:
            if not free[row]:
                continue
            if left[kinds[row]] <= LAST and spares_last:
                kept.append(row)
            elif room <= 0:
                over.append(row)
            else:
                free[row] = False
                left[kinds[row]] -= 1
                room -= 1
                aside.setdefault(name, []).append(row)

    for name, suspicion in found.items():
        if name not in spared:
            take(name, suspicion.rows, spares_last=suspicion.reason.spares_last)
    if keep:  # what stands for a group may have gone before
        doubles = [row for group in groups for row in [row for row in group.rows if free[row]][keep:]]
        take(DOUBLES, doubles, spares_last=True)
    stay = {row for row in (*kept, *over) if free[row]}
    return Choice(
        aside={name: tuple(rows) for name, rows in aside.items()},
        kept_last=tuple(row for row in dict.fromkeys(kept) if row in stay),
        over=tuple(row for row in dict.fromkeys(over) if row in stay),
    )
