"""Two people dressed up as each other: what a network sees of one, who is to be drawn all the same.

In a swap the decoder of src gets codes of dst. Trained on codes of src alone, it never learned to draw src from those;
and a code that tells dst's texture and layout leaves them in the result. So at times each is seen in the texture and
the layout of the other, with the own expression, pose and light, and has to be drawn as what they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from konterfei.training.disguise import Disguise
from konterfei.training.layout import Mover, layout_between

Array = NDArray[Any]

_NEIGHBOURS = 1 / 6  # share of the other's faces, in the order of their turn, that a texture is taken from
_LEAST = 8  # of them
_REACH = 0.5, 1.2
"""How far towards the other's layout a face is moved: beyond it at times, since no two faces differ like the means."""


class Worn(NamedTuple):
    """The faces of one person: pixels [N, S, S, 3 or more] uint8, landmarks in them [N, 68, 2], yaws [N]."""

    pixels: Array
    landmarks: Array
    yaws: Array


class Wardrobe:
    """Shows each of two people as the other one.

    Args:
        people: src and dst, at one size.
    """

    def __init__(self, people: Sequence[Worn]) -> None:
        self._people = tuple(people)

    def disguised(self, person: int, index: int, picture: Array, rng: np.random.RandomState) -> Array:
        """A face in the texture and layout of the other person.

        Args:
            person: whose face, 0 = src, 1 = dst.
            index: which.
            picture: the face, in the colours that it is to have. [S, S, 3] uint8
            rng: source of chance.

        Returns:
            [S, S, 3] uint8
        """
        one, other = self._people[person], self._people[1 - person]
        worn = self._like(one.yaws[index], 1 - person, rng)
        points = one.landmarks[index]
        moved = points + rng.uniform(*_REACH) * self._layouts[person]
        face = self._mover.of(np.ascontiguousarray(picture), points, moved)
        texture = np.ascontiguousarray(other.pixels[worn, ..., :3])
        return self._disguise.of(face, moved, texture, other.landmarks[worn])

    def _like(self, yaw: float, person: int, rng: np.random.RandomState) -> int:
        """A face of `person` that looks about that way; of those that look just that way, any."""
        order, turns = self._by_turn[person]
        reach = min(len(order), max(_LEAST, round(_NEIGHBOURS * len(order))))
        least, most = (int(np.searchsorted(turns, yaw, side)) for side in ("left", "right"))
        first = int(np.clip(least - reach // 2, 0, len(order) - reach))
        return int(order[rng.randint(first, max(first + reach, most))])

    @cached_property
    def _by_turn(self) -> list[tuple[Array, Array]]:
        """The faces of each person in the order of their turn, and these turns."""
        orders = [np.argsort(worn.yaws, kind="stable") for worn in self._people]
        return [(order, worn.yaws[order]) for order, worn in zip(orders, self._people, strict=True)]

    @cached_property
    def _layouts(self) -> tuple[Array, Array]:
        src, dst = (worn.landmarks for worn in self._people)
        there = layout_between(src, dst)
        return there, -there

    @cached_property
    def _all(self) -> Array:
        return np.concatenate([worn.landmarks for worn in self._people])

    @cached_property
    def _mover(self) -> Mover:
        return Mover(self._all, self._people[0].pixels.shape[1])

    @cached_property
    def _disguise(self) -> Disguise:
        return Disguise(self._all)
