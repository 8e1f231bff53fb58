"""The verdict on a file, and how it is told to a person.

Everything in it was read from a file that anybody may have written: texts are cleaned before they are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

OWN_ROOT = "this computer"
"""Vouches for certificates that konterfei made for this user here."""
GIVEN_ROOTS = "the given roots"
_LONGEST = 200  # characters of one text
_EXAMPLES = 5  # pictures that are named


class State(StrEnum):
    """The verdict on a file."""

    UNTOUCHED = "untouched"
    """Marked by konterfei, and not a byte changed since."""
    ALTERED = "altered"
    """It carries credentials, and they do not fit the file or themselves."""
    UNMARKED = "unmarked"
    """It carries no credentials."""
    FOREIGN = "foreign"
    """Its credentials are intact but were written by another tool: they say nothing of a swap by konterfei."""


_WORST_FIRST = (State.ALTERED, State.UNMARKED, State.FOREIGN, State.UNTOUCHED)
_IN_A_WORD = {
    State.ALTERED: "ALTERED",
    State.UNMARKED: "UNMARKED",
    State.FOREIGN: "marked by another tool",
    State.UNTOUCHED: "untouched",
}


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """A file that went into the video."""

    name: str
    relation: str
    """"parentOf" (the plate), "inputTo" (src material, model)."""
    sha256: str
    has_credentials: bool
    problems: tuple[str, ...] = ()
    """What was wrong with its own credentials when it was used."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a file says about itself, and whether it can be believed."""

    path: Path
    state: State
    problems: tuple[str, ...] = ()
    made_by: str = ""
    signed_at: str = ""
    """ISO time by the clock of the machine that signed; nobody certified it."""
    signer: str = ""
    is_self_made: bool = False
    vouched_by: str = ""
    """Who vouches for the signer: `OWN_ROOT`, `GIVEN_ROOTS`, or "" for nobody."""
    actions: tuple[str, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    consent: Mapping[str, Any] = field(default_factory=dict)
    swap: Mapping[str, Any] = field(default_factory=dict)
    has_swap_in_history: bool = False
    """One of the materials of a foreign file was marked by konterfei."""
    consent_fits: bool | None = None
    """Whether a consent record that was given is the one named in the file; None = not asked."""

    @property
    def marked(self) -> bool:
        """The file carries konterfei's mark, whole or damaged (damaged beyond reading counts as ours)."""
        return self.state is State.UNTOUCHED or (self.state is State.ALTERED and bool(self.swap or not self.made_by))

    @property
    def consents(self) -> list[Mapping[str, Any]]:
        """What is said of the consent of each person who lent a face."""
        return [self.consent, *self.consent.get("others", ())] if self.consent else []

    @property
    def untouched(self) -> bool:
        """Marked by konterfei, and nothing was changed since."""
        return self.state is State.UNTOUCHED

    @property
    def exit_code(self) -> int:
        """0 only for marked and untouched (and made with the consent record that was given, if one was)."""
        return 0 if self.untouched and self.consent_fits is not False else 1

    def summary(self) -> list[str]:
        """The verdict and what was found, as lines for a person."""
        rows = [
            _VERDICTS[self.state].format(name=cleaned(self.path.name), tool=cleaned(self.made_by or "another tool"))
        ]
        rows += [f"  ! {cleaned(problem)}" for problem in self.problems]
        if self.has_swap_in_history:
            rows.append("  Its history says that konterfei put a face into one of its materials.")
        if self.state is State.ALTERED and self.made_by:
            rows.append("  What follows is what the credentials say; it may have been changed, too.")
        return rows + self.details()

    def details(self) -> list[str]:
        """What the credentials say, as lines for a person; nothing where there are none."""
        return [f"  {name:<11}{cleaned(text)}" for name, text in self._details() if text]

    def _details(self) -> list[tuple[str, str]]:
        clock = f", {self.signed_at} (by its own clock)" if self.signed_at else ""
        details = [("made by", self.made_by + clock if self.made_by else "")]
        if self.swap:
            details += _swap_lines(self.swap)
        for item in self.ingredients:
            role = "plate" if item.relation == "parentOf" else "made with"
            digest = f", sha256 {item.sha256}" if item.sha256 else ""
            details.append((role, f"{item.name}{_history(item)}{digest}"))
        for consent in self.consents:
            told = f"{consent['person']}, basis {consent['basis']}, for {', '.join(map(str, consent['scope']))}"
            details.append(("consent", f"{told}; record sha256 {consent['record_sha256']}"))
        if self.signer:
            vouched = {OWN_ROOT: "made on this computer", "": "nobody vouches for that name"}.get(
                self.vouched_by, f"vouched for by {self.vouched_by}"
            )
            details.append(("signed by", f"{self.signer}; {vouched}"))
        return details


@dataclass(frozen=True, kw_only=True)
class SequenceVerification:
    """What a folder of pictures says about itself. Each picture carries credentials of its own."""

    path: Path
    pictures: tuple[Verification, ...]
    """In the order of the numbers in their names."""

    @property
    def state(self) -> State:
        """The worst of the pictures' states: altered, then unmarked, then foreign."""
        states = {picture.state for picture in self.pictures}
        return next(state for state in _WORST_FIRST if state in states)

    @property
    def untouched(self) -> bool:
        """Every picture is marked by konterfei, and nothing in any of them was changed since."""
        return self.state is State.UNTOUCHED

    @property
    def consent_fits(self) -> bool | None:
        """Whether a consent record that was given is named in every picture; None = not asked."""
        asked = [p.consent_fits for p in self.pictures if p.consent_fits is not None]
        return all(asked) if asked else None

    @property
    def exit_code(self) -> int:
        """0 only if it is so for every picture."""
        return max(picture.exit_code for picture in self.pictures)

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """First and last frame of each gap: of what no picture between the first and the last says to be.

        Pictures at the ends can be taken away unnoticed.
        """
        told = sorted({p.swap["frame"] for p in self.pictures if isinstance(p.swap.get("frame"), int)})
        return tuple((a + 1, b - 1) for a, b in pairwise(told) if b - a > 1)

    def summary(self) -> list[str]:
        """The verdict and what was found, as lines for a person."""
        name = cleaned(self.path.name or str(self.path))
        if self.untouched:
            rows = [f"{name}: all {len(self.pictures)} pictures are marked, and not altered since they were signed."]
        else:
            counts = Counter(picture.state for picture in self.pictures)
            told = ", ".join(f"{counts[state]} {_IN_A_WORD[state]}" for state in _WORST_FIRST if counts[state])
            rows = [f"{name}: NOT all pictures are as konterfei marked them: {told}."]
        rows += self._examples()
        if self.gaps:
            shown = ", ".join(f"{a} to {b}" if b > a else f"{a}" for a, b in self.gaps[:_EXAMPLES])
            more = ", ..." if len(self.gaps) > _EXAMPLES else ""
            rows.append(f"  ! Not there are frames {shown}{more}.")
        ours = [picture for picture in self.pictures if picture.swap]
        if not ours:
            return rows
        if len({_made_alike(picture) for picture in ours}) > 1:
            rows.append("  ! They are of more than one merge; what follows is told of the first.")
        swapped = sum(int(picture.swap["frames_swapped"]) for picture in ours)
        rows.append(f"  {'changed':<11}a face was replaced in {swapped} of {len(ours)} pictures")
        return rows + [line for line in ours[0].details() if not line.startswith("  changed")]

    def _examples(self) -> list[str]:
        bad = [picture for picture in self.pictures if picture.exit_code]
        rows = [
            f"  ! {cleaned(p.path.name)}: {_IN_A_WORD[p.state]}. {cleaned(' '.join(p.problems))}".rstrip()
            for p in bad[:_EXAMPLES]
        ]
        return [*rows, f"  ! and {len(bad) - _EXAMPLES} more"] if len(bad) > _EXAMPLES else rows


def _made_alike(picture: Verification) -> tuple[object, ...]:
    """What is equal in all pictures of one merge."""
    swap = picture.swap
    return swap["model"], swap["steps"], swap["label"], picture.consent.get("record_sha256"), str(swap.get("settings"))


def cleaned(text: str) -> str:
    """`text` without control characters, at most 200 characters: safe to show in a terminal."""
    shown = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


_VERDICTS = {
    State.UNTOUCHED: "{name}: marked, and not altered since it was signed.",
    State.ALTERED: "{name}: ALTERED since it was signed, or damaged.",
    State.UNMARKED: "{name}: UNMARKED. It carries no Content Credentials: nothing can be said about how it was made.",
    State.FOREIGN: "{name}: not marked by konterfei. Its Content Credentials are intact, but {tool} wrote them and "
    "they do not speak of a swap by konterfei.",
}


def _history(item: Ingredient) -> str:
    if not item.has_credentials:
        return ""
    return ", had credentials of its own" + (", which did not fit it" if item.problems else "")


def _swap_lines(swap: Mapping[str, Any]) -> list[tuple[str, str]]:
    swapped, others = swap["frames_swapped"], swap["frames_not_swapped"]
    why = ", ".join(f"{count} {reason}" for reason, count in others.items() if count)
    what = f"a face was replaced in {swapped} of {swapped + sum(others.values())} frames" + (
        f" (not: {why})" if why else ""
    )
    preview = "; PREVIEW quality" if swap["is_preview"] else ""
    model = f"{swap['model']}, preset {swap['preset']}, {swap['steps']} steps{preview}"
    further = [
        ("model", f"{other['model']}, preset {other['preset']}, {other['steps']} steps, for {other['who']} as "
         f"{other['person']}")
        for other in swap.get("others", ())
    ]  # fmt: skip
    return [("changed", what), ("model", model), *further, ("label", swap["label"]), ("used for", swap["use"])]
