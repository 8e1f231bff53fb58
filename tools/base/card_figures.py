"""What a base is worth to people whom it never saw, each by each, and how sure the means are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from held_out import HeldOut, Learned
from numpy.typing import NDArray

from konterfei.landmarkers import Landmarker
from konterfei.metrics.expression import signals
from konterfei.recognizers import Recognizer
from konterfei.reporting import Reporter, check
from konterfei.training.crowd_validation import Drawer, Shown

Array = NDArray[Any]

ROUNDS = 4
"""Other people whom each person is drawn as."""
DRAWS = 2000
"""Resamples of a bootstrap (Efron 1979)."""
FEWEST = 6
"""People of whom it is said that they do worse: resamples of fewer are all alike."""
LIDS = 0.06
"""Least that the lids of a variant are seen to close or open, over the eye's width, for it to say how they are
followed. The landmarker's noise is 0.005; an open eye has 0.3."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of a card."""

    title: str
    """In the tables."""
    lower: bool
    """Whether less is better."""
    digits: int = 2
    """Behind the point."""
    middle: Callable[..., Any] = np.nanmean
    """What stands for many people: mean, or median where single ones may be far off."""


FIGURES: dict[str, Figure] = {
    "error": Figure(title="error", lower=True),
    "ssim": Figure(title="SSIM", lower=False),
    "sharpness": Figure(title="sharpness", lower=False, middle=np.nanmedian),
    "identity": Figure(title="identity", lower=False),
    "second": Figure(title="identity (2nd)", lower=False),
    "leftover": Figure(title="leftover", lower=True),
    "second_leftover": Figure(title="leftover (2nd)", lower=True),
    "distance": Figure(title="landmarks %", lower=True, digits=1, middle=np.nanmedian),
    "lids": Figure(title="lids", lower=False),
}
"""Everything that is measured of a person; what it means is told in docs/bases.md."""


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """The networks that look at what is drawn. By the first recognizer the base was told who is who."""

    recognizers: Mapping[str, Recognizer]
    landmarker: Landmarker


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was found.

    Attributes:
        values: figure -> of each person, NaN where it could not be told. [N]
        true, own, swapped: recognizer -> what it says of the pictures, of people drawn as themselves, and as others.
            [N, D], [N, D], [ROUNDS, N, D]
        partners: whom each was drawn as, in each round. [ROUNDS, N]
        lids: of all variants whose lids move: seen in the picture, as themselves, as another, less the portrait's; and
            the place of the person. [V, 4]
        shown: the people as the base saw them.
        drawn: as themselves, pasted, then as in each round. [1 + ROUNDS, N, S, S, 3] uint8
    """

    values: dict[str, Array]
    true: dict[str, Array]
    own: dict[str, Array]
    swapped: dict[str, Array]
    partners: Array
    lids: Array
    shown: Shown
    drawn: Array


def partners_of(count: int, rounds: int, seed: int) -> Array:
    """Whom each is drawn as: in every round everybody is drawn once, and nobody as themselves or as one twice.

    -> [rounds, count]
    """
    rounds = min(rounds, count - 1)
    chance = np.random.default_rng([seed, 1])
    order = chance.permutation(count)
    places = np.argsort(order)
    steps = chance.choice(np.arange(1, count), rounds, replace=False)
    return np.stack([order[(places + step) % count] for step in steps])


def measure(
    drawer: Drawer, held: HeldOut, variants: HeldOut | None, eyes: Eyes, seed: int, reporter: Reporter
) -> Measured:
    """Draw everybody as themselves and as others, and look at it.

    Args:
        drawer: the base.
        held: the people, one face each.
        variants: the same people with other expressions.
        eyes: who looks.
        seed: of who is drawn as whom.
        reporter: is told how far it is.
    """
    shown = Shown.of(held.faces, drawer.resolution)
    partners = partners_of(len(held), ROUNDS, seed)
    reporter.start("measuring held-out people", 1 + len(partners), "rounds")
    themselves, masks = shown.as_themselves(drawer, shown.who[partners[0]])
    drawn = [shown.pasted(themselves, masks)]
    true, own = ({n: shown.embedded(p, r) for n, r in eyes.recognizers.items()} for p in (shown.images, drawn[0]))
    swapped: dict[str, list[Array]] = {name: [] for name in eyes.recognizers}
    distances = []
    reporter.advance(1)
    for done, partner in enumerate(partners, 2):
        check(reporter)
        drawn.append(shown.as_others(drawer, shown.who[partner], masks))
        for name, recognizer in eyes.recognizers.items():
            swapped[name].append(shown.embedded(drawn[-1], recognizer))
        distances.append(shown.distances(drawn[-1], eyes.landmarker))
        reporter.advance(done)
    reporter.finish()
    values = {
        "error": shown.errors(themselves),
        "ssim": shown.likenesses(themselves),
        "sharpness": shown.sharpnesses(themselves),
        "distance": np.mean(distances, axis=0),
    }
    first, second = list(eyes.recognizers)
    for name, is_first in ((first, True), (second, False)):
        target = np.zeros(len(held))
        for seen, partner in zip(swapped[name], partners, strict=True):
            target[partner] += _cosines(seen, true_of(name, shown, true, is_first)[partner]) / len(partners)
        rest = np.mean([_cosines(s, true_of(name, shown, true, is_first)) for s in swapped[name]], axis=0)
        values |= {"identity": target, "leftover": rest} if is_first else {"second": target, "second_leftover": rest}
    lids = np.empty((0, 4))
    if variants is not None:
        lids = _lids(drawer, held, variants, shown, partners[0], drawn[:2], eyes.landmarker, reporter)
    values["lids"] = _followed(lids, len(held))
    return Measured(
        values={name: np.asarray(values[name], np.float64) for name in FIGURES},
        true=true,
        own=own,
        swapped={name: np.stack(seen) for name, seen in swapped.items()},
        partners=partners,
        lids=lids,
        shown=shown,
        drawn=np.stack(drawn),
    )


def true_of(name: str, shown: Shown, true: Mapping[str, Array], is_first: bool) -> Array:
    """Who they are: to the first recognizer, whom the base was told of; to another, what it says of the picture."""
    return shown.who if is_first else true[name]


def _cosines(a: Array, b: Array) -> Array:
    return np.sum(a.astype(np.float64) * b, axis=1)


def _lids(
    drawer: Drawer,
    held: HeldOut,
    variants: HeldOut,
    shown: Shown,
    partner: Array,
    at_rest: Sequence[Array],
    landmarker: Landmarker,
    reporter: Reporter,
) -> Array:
    """See `Measured`. Of people with a portrait; where it is not seen in the variant itself that lids move, nothing
    can be told, so it is left out."""
    place = {person: number for number, person in enumerate(held.people.tolist())}
    rows = np.array([number for number, person in enumerate(variants.people.tolist()) if person in place], int)
    if not len(rows):
        return np.empty((0, 4))
    whose = np.array([place[person] for person in variants.people[rows].tolist()])
    reporter.start("following their lids", 3, "looks")
    moved = Shown.of(variants.faces.some(rows), drawer.resolution)
    others = shown.who[partner[whose]]
    itself, masks = moved.as_themselves(drawer, others)
    pictures = (moved.images, moved.pasted(itself, masks), moved.as_others(drawer, others, masks))
    ways = []
    for number, (now, before) in enumerate(zip(pictures, (shown.images, *at_rest), strict=True), 1):
        check(reporter)
        ways.append(_opened(moved, now, landmarker) - _opened(shown, before, landmarker)[whose])
        reporter.advance(number)
    reporter.finish()
    table = np.stack([*ways, whose], axis=1)
    return table[np.abs(table[:, 0]) >= LIDS]


def _opened(shown: Shown, images: Array, landmarker: Landmarker) -> Array:
    """Lids' distance over the eye's width, as it is seen in the pictures, the mean of both eyes. [N]"""
    return signals(shown.landmarks(images, landmarker))["eyes_open"]


def _followed(lids: Array, count: int) -> Array:
    """Of each person, how much of their lids' way is drawn when they are drawn as another. [N]"""
    found = np.full(count, np.nan)
    for person in np.unique(lids[:, 3]).astype(int):
        found[person] = slope(lids[lids[:, 3] == person], 2)
    return found


def slope(lids: Array, column: int) -> float:
    """Share of the lids' way that drawn lids go, 1 = all of it: a line through zero by least squares."""
    return float((lids[:, 0] * lids[:, column]).sum() / (lids[:, 0] ** 2).sum()) if len(lids) else float("nan")


def shut_share(lids: Array, column: int) -> float:
    """Of eyes that close by more than twice `LIDS`, the share in which drawn lids go at least half of the way."""
    shut = lids[lids[:, 0] < -2 * LIDS]
    return float((shut[:, column] < 0.5 * shut[:, 0]).mean()) if len(shut) else float("nan")


# --- how sure


@dataclass(frozen=True)
class Estimate:
    """A figure over people, and where 95 of 100 samples of as many people would have it.

    Attributes:
        value, low, high: the figure and its interval; NaN without people.
        count: people.
    """

    value: float
    low: float
    high: float
    count: int


def estimate(values: Array, middle: Callable[..., Any], seed: int) -> Estimate:
    """Bootstrap over people, percentiles. [N], NaN left out."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Estimate(*[float("nan")] * 3, 0)
    chance = np.random.default_rng([seed, 2])
    drawn = middle(known[chance.integers(len(known), size=(DRAWS, len(known)))], axis=1)
    return Estimate(float(middle(known)), *np.percentile(drawn, (2.5, 97.5)).tolist(), len(known))


def is_worse(ours: Array, others: Array, figure: Figure, seed: int) -> bool:
    """Whether a group does worse than the others of its kind in 99.5 of 100 resamples of both; False of too few."""
    ours, others = ours[np.isfinite(ours)], others[np.isfinite(others)]
    if min(len(ours), len(others)) < FEWEST:
        return False
    chance = np.random.default_rng([seed, 3])
    means = [figure.middle(x[chance.integers(len(x), size=(DRAWS, len(x)))], axis=1) for x in (ours, others)]
    behind = means[0] - means[1] if figure.lower else means[1] - means[0]
    return bool(np.percentile(behind, 0.5) > 0)


@dataclass(frozen=True)
class Group:
    """Some of the people, by what they have in common.

    Attributes:
        trait: what is looked at: tone, age, glasses...
        name: which.
        members: [N] bool
        others: those of the other groups of the trait. [N] bool
    """

    trait: str
    name: str
    members: Array
    others: Array


def groups_of(held: HeldOut, never_seen: set[str]) -> list[Group]:
    """All groups of the held-out people: as the list has them, and by whether their whole family is held out."""
    names = [[*one.groups, _family(one.family, never_seen)] for one in held.portraits]
    traits: dict[str, dict[str, Array]] = {}
    for number, group in enumerate(group for some in names for group in some):
        trait, _, name = group.partition(" ")
        members = traits.setdefault(trait, {}).setdefault(name, np.zeros(len(held), bool))
        members[number // len(names[0])] = True
    order = {name: place for place, name in enumerate(_ORDER)}
    return [
        Group(trait, name, members, ~members)
        for trait, parts in traits.items()
        for name, members in sorted(parts.items(), key=lambda part: (order.get(part[0], len(order)), part[0]))
    ]


_ORDER = ("light", "medium", "dark", "young", "middle", "old", "no", "yes")
_KNOWN = "of families that it learned from"


def _family(family: str, never_seen: set[str]) -> str:
    return f"family {family if family in never_seen else _KNOWN}"


def worse_groups(groups: Sequence[Group], values: Mapping[str, Array], seed: int) -> Iterator[tuple[str, Group]]:
    """Figure and group wherever one does worse than the others of its kind beyond what chance may do."""
    for name, figure in FIGURES.items():
        for group in groups:
            if is_worse(values[name][group.members], values[name][group.others], figure, seed):
                yield name, group


# --- whom they resemble


def leak(found: Measured, learned: Learned, families: Array, seed: int) -> dict[str, dict[str, Estimate]]:
    """Do drawn people resemble those whom the base learned from? Cosine with the nearest of them, by recognizer.

    So that it can be told from drawn faces resembling everybody, the same is asked of the other held-out people, who
    were never learned, and of as many of the learned ones; of both without those of the person's own mosaic, where
    nearly the same face may come twice.

    Args:
        found: what was drawn.
        learned: who was learned from.
        families: the mosaic of each held-out person. [N]
        seed: of the intervals.

    Returns:
        recognizer -> figure -> over people. `true`, `own` and `swapped` (pictures, drawn as themselves, as another):
        cosine with the nearest learned one; `..._few`: with the nearest of as many as are held out; `..._held`: with
        the nearest held-out one; `gap_own` and `gap_swapped`: how much nearer the former is than the latter;
        `lean_own` and `lean_swapped`: how much more so than in the pictures. `..._beyond` and `..._beyond_held`: share
        nearer to somebody learned, and to another held-out one, than to themselves and to whom they are drawn as.
    """
    told = {}
    for number, (name, known_faces) in enumerate(learned.who.items()):
        who = true_of(name, found.shown, found.true, number == 0).astype(np.float64)
        itself = np.arange(len(who))
        looks = {
            "true": [(found.true[name], itself)],
            "own": [(found.own[name], itself)],
            "swapped": list(zip(found.swapped[name], found.partners, strict=True)),
        }
        values: dict[str, Array] = {}
        for kind, rounds in looks.items():
            parts = [_nearest(s, p, who, known_faces, families, learned.families) for s, p in rounds]
            values |= {f"{kind}{key}": np.nanmean([part[key] for part in parts], axis=0) for key in parts[0]}
        at_first = values["true_few"] - values["true_held"]
        for kind in ("own", "swapped"):
            values[f"gap_{kind}"] = values[f"{kind}_few"] - values[f"{kind}_held"]
            values[f"lean_{kind}"] = values[f"gap_{kind}"] - at_first
        told[name] = {key: estimate(column, np.nanmean, seed) for key, column in values.items()}
    return told


def _nearest(
    seen: Array, partner: Array, who: Array, learned: Array, families: Array, learned_families: Array
) -> dict[str, Array]:
    """One round of `leak`, by person."""
    to_learned, to_held = seen @ learned.T, seen @ who.T
    rows = np.arange(len(who))
    known = np.maximum(to_held[rows, rows], to_held[rows, partner])
    found: dict[str, list[float]] = {key: [] for key in ("", "_few", "_held", "_beyond", "_beyond_held")}
    for row in rows:
        own = families[[row, partner[row]]]
        strangers = to_held[row, ~np.isin(families, own)]
        others = to_learned[row, ~np.isin(learned_families, own)]
        nearest = strangers.max() if len(strangers) else np.nan
        found[""].append(to_learned[row].max())
        found["_few"].append(highest_of(others, len(strangers)))
        found["_held"].append(nearest)
        found["_beyond"].append(to_learned[row].max() > known[row])
        found["_beyond_held"].append(np.delete(to_held[row], [row, partner[row]]).max() > known[row])
    return {key: np.array(column, np.float64) for key, column in found.items()}


def highest_of(values: Array, count: int) -> float:
    """The highest of `count` of the values taken by chance, in the mean over all such choices."""
    if not count or not len(values):
        return float("nan")
    ranked = np.sort(values)[::-1]
    left = len(ranked) - np.arange(len(ranked))
    share = np.minimum(1.0, count / left)  # that the highest so far is chosen, where none above it was
    before = np.concatenate([[1.0], np.cumprod(1 - share)[:-1]])
    return float((ranked * share * before).sum())
