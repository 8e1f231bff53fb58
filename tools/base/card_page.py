"""The figures of a base as Markdown for docs/bases.md, and as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from card_figures import FIGURES, Estimate, Figure, Group, Measured, estimate, shut_share, slope
from numpy.typing import NDArray

Array = NDArray[Any]

ROWS, COLUMNS = 10, 4
"""Faces of the picture, and people whom each is drawn as."""
GAP = 4
"""Pixels between what is there and what is drawn."""
_DEGREES = {"0": "below 15°", "15": "15 to 30°", "30": "30 to 45°", "45": "45° and more"}
_TRAITS = {"tone": "skin", "yaw": "head turned", "family": "pictures"}
_SECOND = "HSE-FaceRes"
_NAMES = {"mobilefacenet": "MobileFaceNet", "faceres": _SECOND}
_ASIDE = ("second_leftover",)
"""Figures that the tables of groups leave out."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """All figures of a base.

    Attributes:
        found: by person.
        groups: of the people.
        worse: figure and group wherever one does worse than the others of its kind.
        leak: see `card_figures.leak`.
        num_learned: people who were learned from.
        seed: of the intervals.
    """

    found: Measured
    groups: Sequence[Group]
    worse: Sequence[tuple[str, Group]]
    leak: Mapping[str, Mapping[str, Estimate]]
    num_learned: int
    seed: int

    def of(self, name: str, members: Array | None = None) -> Estimate:
        """A figure over some people, or all."""
        values = self.found.values[name]
        return estimate(values if members is None else values[members], FIGURES[name].middle, self.seed)

    def lids(self) -> dict[str, float | int]:
        """What becomes of lids that move: as themselves and as another, over all variants."""
        lids = self.found.lids
        return {
            "variants": len(lids),
            "people": len(np.unique(lids[:, 3])),
            "shut": int((lids[:, 0] < 0).sum()),
            "followed_own": slope(lids, 1),
            "followed_swapped": slope(lids, 2),
            "drawn_shut_own": shut_share(lids, 1),
            "drawn_shut_swapped": shut_share(lids, 2),
        }

    def strangers(self) -> tuple[float, float]:
        """Mean cosine of two different held-out people, by the first recognizer and by the second."""
        first, second = self.found.shown.who, list(self.found.true.values())[1]
        apart = ~np.eye(len(first), dtype=bool)
        return float((first @ first.T)[apart].mean()), float((second @ second.T)[apart].mean())

    def worse_text(self) -> str:
        """In a sentence which groups do worse."""
        if not self.worse:
            return "No group does worse than the others of its kind beyond what chance may do (99.5 %)."
        said: dict[str, list[str]] = {}
        for name, group in self.worse:
            figure, ours, others = FIGURES[name], self.of(name, group.members), self.of(name, group.others)
            against = f"{_number(ours.value, figure)} against {_number(others.value, figure)}"
            said.setdefault(figure.title, []).append(f"{_group(group)} ({against})")
        parts = "; ".join(f"{title}: {', '.join(groups)}" for title, groups in said.items())
        return f"Worse than the others of their kind, beyond what chance may do (99.5 %): {parts}."

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; NaN as null."""
        every = {"all": None} | {f"{g.trait} {g.name}": g.members for g in self.groups}
        return {
            "people": len(self.found.partners[0]),
            "learned_from": self.num_learned,
            "seed": self.seed,
            "strangers": [round(value, 5) for value in self.strangers()],
            "groups": {
                group: {name: _plain(self.of(name, members)) for name in FIGURES} for group, members in every.items()
            },
            "worse": [[name, group.trait, group.name] for name, group in self.worse],
            "worse_text": self.worse_text(),
            "worse_groups": [_group(group) for _, group in self.worse if group.trait != "family"],
            "lids": {name: _finite(value) for name, value in self.lids().items()},
            "leak": {name: {key: _plain(one) for key, one in told.items()} for name, told in self.leak.items()},
        }

    def markdown(self) -> str:
        """The section of the card."""
        return "\n\n".join((self._overall(), self._by_group(), self._lids_text(), self._leak_text())) + "\n"

    def _overall(self) -> str:
        rows = [f"| {FIGURES[name].title} | {_cell(self.of(name), FIGURES[name])} |" for name in FIGURES]
        first, second = self.strangers()
        return "\n".join(
            [
                "### How good on people whom it never saw",
                "",
                f"{len(self.found.partners[0])} held-out people, each drawn as {len(self.found.partners)} others; "
                f"in brackets the 95 % interval.",
                "",
                "| figure | all of them |",
                "|---|---|",
                *rows,
                "",
                f"Two different people among them have a cosine of {first:.2f}, and of {second:.2f} by the second "
                "recognizer: identity and leftover of somebody else's face begin there.",
            ]
        )

    def _by_group(self) -> str:
        names = [name for name in FIGURES if name not in _ASIDE]
        lines = [
            "### For whom it is worse",
            "",
            self.worse_text(),
            "",
            f"| | group | people | {' | '.join(FIGURES[name].title for name in names)} |",
            "|---" * (3 + len(names)) + "|",
        ]
        before = ""
        for group in self.groups:
            trait = _TRAITS.get(group.trait, group.trait)
            cells = [_cell(self.of(name, group.members), FIGURES[name]) for name in names]
            title = trait if trait != before else ""
            lines.append(f"| {title} | {_name(group)} | {int(group.members.sum())} | {' | '.join(cells)} |")
            before = trait
        return "\n".join(lines)

    def _lids_text(self) -> str:
        lids = self.lids()
        if not lids["variants"]:
            return "### Closed eyes\n\nNot measured."
        return (
            "### Closed eyes\n\n"
            f"In {lids['variants']} variants of {lids['people']} held-out people the lids are seen to move "
            f"({lids['shut']} close). Drawn lids go {100 * lids['followed_own']:.0f} % of their way when people are "
            f"drawn as themselves and {100 * lids['followed_swapped']:.0f} % when they are drawn as another. Of eyes "
            f"that shut, {100 * lids['drawn_shut_own']:.0f} % and {100 * lids['drawn_shut_swapped']:.0f} % are drawn "
            "at least half shut."
        )

    def _leak_text(self) -> str:
        lines = [
            "### Whether the people it learned from shine through",
            "",
            f"Cosine with the nearest of the {self.num_learned:,} people who were learned from; with the nearest of as "
            "many of them as are held out; and with the nearest other held-out person, who was never learned (both "
            "without the pictures of their own family, where nearly the same face may come twice):",
            "",
            "| recognizer | who | nearest learned | nearest of as many learned | nearest held out |",
            "|---|---|---|---|---|",
        ]
        figure = Figure(title="", lower=True, digits=3)
        kinds = {"true": "the pictures", "own": "drawn as themselves", "swapped": "drawn as another"}
        for name, told in self.leak.items():
            for kind, title in kinds.items():
                cells = [_cell(told[key], figure) for key in (kind, f"{kind}_few", f"{kind}_held")]
                lines.append(f"| {_NAMES.get(name, name)} | {title} | {' | '.join(cells)} |")
        lines += ["", " ".join(_lean_text(_NAMES.get(name, name), told) for name, told in self.leak.items())]
        return "\n".join(lines)


def _lean_text(name: str, told: Mapping[str, Estimate]) -> str:
    figure = Figure(title="", lower=True, digits=3)
    leans = told["lean_own"], told["lean_swapped"]
    both = " and ".join(_cell(lean, figure) for lean in leans)
    verdict = (
        "they lean towards those it learned from"
        if any(told[f"lean_{kind}"].low > 0 and told[f"gap_{kind}"].low > 0 for kind in ("own", "swapped"))
        else "no lean towards those it learned from is seen"
    )
    beyond, held = told["swapped_beyond"], told["swapped_beyond_held"]
    return (
        f"By {name}, what is drawn is nearer to learned than to other people by {both} more than the pictures are, as "
        f"themselves and as another: {verdict}. Of people drawn as another {100 * beyond.value:.0f} % are nearer to "
        f"somebody learned than to themselves and to that one, {100 * held.value:.0f} % to somebody else held out."
    )


def _group(group: Group) -> str:
    return f"{_TRAITS.get(group.trait, group.trait)} {_name(group)}"


def _name(group: Group) -> str:
    return _DEGREES.get(group.name, group.name) if group.trait == "yaw" else group.name.replace("_", " ")


def _number(value: float, figure: Figure) -> str:
    return f"{value:.{figure.digits}f}" if np.isfinite(value) else "-"


def _cell(one: Estimate, figure: Figure) -> str:
    if not np.isfinite(one.value):
        return "-"
    value, low, high = (_number(number, figure) for number in (one.value, one.low, one.high))
    return f"{value} ({low}, {high})"


def _finite(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None


def _plain(one: Estimate) -> dict[str, Any]:
    return {"value": _finite(one.value), "low": _finite(one.low), "high": _finite(one.high), "n": one.count}


# --- the picture


def sheet(found: Measured, draw: Any, groups: Sequence[Group], seed: int) -> NDArray[np.uint8]:
    """Some held-out people: as they are, as themselves, and as the same few others. [H, W, 3]

    Args:
        found: what was drawn.
        draw: (people to show, who is drawn) -> pictures [N, S, S, 3]; places among the held-out people.
        groups: whose people are shown, one of each while there is room.
        seed: which of them.
    """
    shown = some_of_each(groups, ROWS + COLUMNS, seed)
    faces, others = np.array(shown[:-COLUMNS] or shown), np.array(shown[-COLUMNS:])
    images = found.shown.images
    side = images.shape[1]
    drawn = [found.drawn[0][faces], *(draw(faces, np.full(len(faces), other)) for other in others)]
    page = np.full((GAP + (1 + len(faces)) * side, GAP + (2 + len(others)) * side, 3), 255, np.uint8)
    for column, other in enumerate(others):
        page[:side, GAP + (2 + column) * side :][:, :side] = images[other]
    for row, face in enumerate(faces):
        top = page[GAP + (1 + row) * side :][:side]
        top[:, :side] = images[face]
        for column, pictures in enumerate(drawn):
            top[:, GAP + (1 + column) * side :][:, :side] = pictures[row]
    return page if side >= 96 else cv2.resize(page, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)


def some_of_each(groups: Sequence[Group], count: int, seed: int) -> list[int]:
    """So many people, from all groups in turn; nobody twice."""
    chance = np.random.default_rng([seed, 5])
    piles = [chance.permutation(np.flatnonzero(group.members)).tolist() for group in groups]
    chosen: list[int] = []
    while len(chosen) < count and any(piles):
        for pile in piles:
            while pile and pile[-1] in chosen:
                pile.pop()
            if pile and len(chosen) < count:
                chosen.append(pile.pop())
    return chosen
