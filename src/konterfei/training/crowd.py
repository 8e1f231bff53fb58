"""Samples of many people: the faces of several facesets, each with numbers that say who it is.

Which samples a step sees follows from (seed, step) alone, as in `training.data`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.training.augment import draw_placement, draw_warp, place, place_warped
from konterfei.training.data import RawBatch, Sampler, TrainingFaces
from konterfei.training.dealing import EvenPack, Pack, seed_of
from konterfei.training.disguise import Disguise
from konterfei.training.hardships import Hardships, endured
from konterfei.training.samples import Sample, stretched

Array = NDArray[Any]

_TURNED = 4
"""One sample of so many is dealt evenly over the heads' turn: most faces of most facesets look ahead."""
_NEIGHBOURS = 1 / 6  # share of the faces, in the order of their turn, that a disguise is taken from
_PACKS = {"people": 11, "turned": 12, "within": 13}


@dataclass(frozen=True)
class CrowdFaces(TrainingFaces):
    """Faces of several people, ready to sample. `names`, `who`, `yaws` and `landmarks` are never left out.

    Attributes:
        people: number of the person in each face. [N]
    """

    landmarks: Array = field(default_factory=lambda: np.empty((0, 68, 2), np.float32))
    people: Array = field(default_factory=lambda: np.empty(0, int))

    def some(self, indices: Array) -> CrowdFaces:
        """Those faces alone."""
        assert self.yaws is not None and self.who is not None
        return CrowdFaces(
            pixels=self.pixels[indices],
            parts=None if self.parts is None else self.parts[indices],
            yaws=self.yaws[indices],
            names=tuple(self.names[i] for i in indices),
            who=self.who[indices],
            landmarks=self.landmarks[indices],
            people=self.people[indices],
        )


def crowd_of(faces: TrainingFaces, who: Mapping[str, Array], people: Mapping[str, int]) -> CrowdFaces:
    """The faces of one faceset, with what is known of each.

    Args:
        faces: as `load_faces` reads them.
        who: name of each face -> numbers that tell its person from others. [192]
        people: name of each face -> number of the person in it.
    """
    assert faces.landmarks is not None
    return CrowdFaces(
        pixels=faces.pixels,
        parts=faces.parts,
        yaws=faces.yaws,
        names=faces.names,
        who=np.stack([who[name] for name in faces.names]).astype(np.float32),
        landmarks=faces.landmarks,
        people=np.array([people[name] for name in faces.names]),
    )


@dataclass(frozen=True, kw_only=True)
class CrowdSampler(Sampler):
    """Makes the batch of any step of a training of many people: 2 `batch` faces.

    Three of four are dealt by person, one with n faces as often as the root of n people with one face; the fourth
    evenly over the heads' turn.

    Attributes:
        src, dst: people who are held out, as the two of a preview.
        crowd: those to be learned, one for each faceset.
        disguise: share of the samples that are seen in another's texture, 0 to 1.
        hardships: what else happens to them.
        has_seconds: whether the model asks for somebody else besides (`Batch.who`).
    """

    crowd: tuple[CrowdFaces, ...]
    disguise: float = 0.5
    hardships: Hardships = field(default_factory=Hardships)
    has_seconds: bool = False

    @property
    def text(self) -> str:
        """See Sampler."""
        return f"{len(self._faceset)} faces of {len(self._people)} people"

    def named(self, first: float, second: float) -> dict[str, float]:
        """See Sampler: both halves are of the same people."""
        return {"loss": (first + second) / 2}

    def batch_at(self, step: int) -> RawBatch:
        """See Sampler."""
        number, parts_in_all = self.part
        rows = range(self.batch * number // parts_in_all, self.batch * (number + 1) // parts_in_all)
        samples = [self._face(step, half * self.batch + k) for half in (0, 1) for k in rows]
        images, who = zip(*samples, strict=True)
        warped, target, mask, parts = zip(*images, strict=True)
        whole = None if any(part is None for part in parts) else np.stack(parts)
        return RawBatch(np.stack(warped), np.stack(target), np.stack(mask), whole, np.stack(who))

    def _face(self, step: int, row: int) -> tuple[Sample, Array]:
        """Sample `row` of a step, and who it is."""
        rng = np.random.RandomState(seed_of(self.seed, 2, step, row))
        index = self._dealt(2 * self.batch * step + row)
        faces, at = self._where(index)
        pixels = faces.pixels[at]
        seen = pixels[..., :3]
        if rng.random_sample() < self.disguise:
            other, there = self._where(self._like(index, rng))
            seen = self._disguise.of(
                np.ascontiguousarray(seen), faces.landmarks[at], np.ascontiguousarray(other.pixels[there, ..., :3]),
                other.landmarks[there],
            )  # fmt: skip
        side, chosen = self.resolution, self.augment
        placement = draw_placement(rng, side, chosen, flips=True)
        straight = place(pixels, placement, side)
        if self.objectives.random_warp and chosen.warp and rng.random_sample() >= chosen.straight:
            warped = place_warped(seen, placement, draw_warp(rng, side, chosen.warp))
        else:
            warped = place(seen, placement, side)
        warped, target = endured(warped, straight[..., :3], rng, self.hardships)
        parts = None if faces.parts is None else stretched(place(faces.parts[at], placement, side))
        return Sample(warped, target, straight[..., 3], parts), self._who(index, rng)

    def _who(self, index: int, rng: np.random.RandomState) -> Array:
        """See `Batch.who`: the second is somebody else half of the time, where the model asks for one. [2, 192]"""
        first = self._numbers[index]
        if not self.has_seconds or rng.randint(2):
            return np.stack([first, first])
        return np.stack([first, self._numbers[rng.randint(len(self._numbers))]])

    # --- which face

    def _dealt(self, position: int) -> int:
        """The face dealt at `position` (from 0), among all."""
        packs = self._crowd_packs
        done, place_in_round = divmod(position, _TURNED)
        if place_in_round == _TURNED - 1:
            return packs.turned.at(done)
        turn = (_TURNED - 1) * done + place_in_round
        person, nth = packs.slots[packs.people.at(turn)]
        members = self._people[person]
        round_of = turn // len(packs.slots)
        return int(members[packs.within[person].at(round_of * packs.counts[person] + nth)])

    def _where(self, index: int) -> tuple[CrowdFaces, int]:
        """The faceset of a face among all, and its place there."""
        number = self._faceset[index]
        return self.crowd[number], int(index - self._starts[number])

    def _like(self, index: int, rng: np.random.RandomState) -> int:
        """A face that looks about the same way, to take a texture from."""
        order, rank = self._by_turn
        count = len(order)
        reach = min(count, max(8, round(_NEIGHBOURS * count)))
        first = int(np.clip(rank[index] - reach // 2, 0, count - reach))
        return int(order[first + rng.randint(reach)])

    @cached_property
    def _starts(self) -> Array:
        return np.cumsum([0, *(len(faces) for faces in self.crowd)])

    @cached_property
    def _faceset(self) -> Array:
        """The faceset of each face among all."""
        return np.repeat(np.arange(len(self.crowd)), [len(faces) for faces in self.crowd])

    @cached_property
    def _numbers(self) -> Array:
        """Who each face is. [N, 192]"""
        return np.concatenate([faces.who for faces in self.crowd])  # type: ignore[misc]

    @cached_property
    def _yaws(self) -> Array:
        return np.concatenate([faces.yaws for faces in self.crowd])  # type: ignore[misc]

    @cached_property
    def _people(self) -> list[Array]:
        """The faces of each person."""
        people = np.concatenate([faces.people for faces in self.crowd])
        return [np.flatnonzero(people == person) for person in np.unique(people)]

    @cached_property
    def _by_turn(self) -> tuple[Array, Array]:
        """Faces in the order of their turn, and the place of each in it."""
        order = np.argsort(self._yaws, kind="stable")
        return order, np.argsort(order, kind="stable")

    @cached_property
    def _disguise(self) -> Disguise:
        return Disguise(np.concatenate([faces.landmarks for faces in self.crowd]))

    @cached_property
    def _crowd_packs(self) -> _CrowdPacks:
        counts = [max(1, round(len(members) ** 0.5)) for members in self._people]
        slots = [(person, nth) for person, count in enumerate(counts) for nth in range(count)]
        within = [Pack(len(members), self.seed, _PACKS["within"], k) for k, members in enumerate(self._people)]
        turned = EvenPack(self._yaws, self.seed, _PACKS["turned"])
        return _CrowdPacks(Pack(len(slots), self.seed, _PACKS["people"]), turned, within, slots, counts)


@dataclass(frozen=True)
class _CrowdPacks:
    """What faces are dealt from.

    Attributes:
        people: whose turn it is: a slot of a person.
        turned: all faces, evenly over their turn.
        within: the faces of each person.
        slots: person and which of their slots.
        counts: slots of each person.
    """

    people: Pack
    turned: EvenPack
    within: list[Pack]
    slots: list[tuple[int, int]]
    counts: list[int]


def some_of_each(people: Array, most: int) -> Array:
    """Which faces stand for all: one of each person before a second of one; the last round evenly from all it has.

    Args:
        people: number of the person in each face. [N]
        most: faces that are wanted.

    Returns:
        Their places, ascending; all of them where there are no more.
    """
    counts: dict[int, int] = {}
    rounds = np.empty(len(people), int)  # 0 for the first face of each person, 1 for the second, and so on
    for at, person in enumerate(people.tolist()):
        rounds[at] = counts.get(person, 0)
        counts[person] = rounds[at] + 1
    whole = int(np.searchsorted(np.cumsum(np.bincount(rounds)), most, side="right"))
    chosen, rest = np.flatnonzero(rounds < whole), np.flatnonzero(rounds == whole)
    if len(rest):
        rest = rest[np.linspace(0, len(rest) - 1, most - len(chosen)).round().astype(int)]
    return np.sort(np.concatenate([chosen, rest]))


def on_both_sides(faces: CrowdFaces) -> tuple[CrowdFaces, CrowdFaces]:
    """Held-out faces as the two of a preview: every second person on either side, one face of each."""
    _, firsts = np.unique(faces.people, return_index=True)
    return faces.some(firsts[::2]), faces.some(firsts[1::2])


def together(crowds: Sequence[CrowdFaces]) -> CrowdFaces:
    """The faces of several facesets as one; for few faces, they are copied."""
    first = crowds[0]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(faces, name) for faces in crowds])
        for name in ("pixels", "yaws", "who", "landmarks", "people")
    }
    if first.parts is not None:
        joined["parts"] = np.concatenate([faces.parts for faces in crowds])  # type: ignore[misc]
    return replace(first, **joined, names=tuple(name for faces in crowds for name in faces.names))
