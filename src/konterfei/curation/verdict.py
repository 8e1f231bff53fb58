"""Is a faceset good, usable or lacking, and by which figures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

_CURATE = "konterfei curate sets them aside"
_LARGER = "use footage in which the face is larger, or a smaller --size"


class Level(StrEnum):
    """What a faceset, or one figure of it, comes to; the best first."""

    GOOD = "good"
    USABLE = "usable"
    LACKING = "lacking"


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """One figure of a verdict.

    Attributes:
        name: as in the JSON.
        title: what it is, in words.
        value: the figure.
        unit: "", "%", "px", "degrees", "times".
        good, usable: the figures from which on (or up to which, where `is_most`) it is that.
        is_most: whether less is better.
        remedy: what to do where it is not good.
    """

    name: str
    title: str
    value: float
    unit: str
    good: float
    usable: float
    is_most: bool
    remedy: str

    @property
    def level(self) -> Level:
        """What the figure comes to."""
        for limit, level in ((self.good, Level.GOOD), (self.usable, Level.USABLE)):
            if (self.value <= limit) if self.is_most else (self.value >= limit):
                return level
        return Level.LACKING

    def told(self) -> str:
        """The figure, what is asked, and what to do, in a few words."""
        asked = f"{'at most' if self.is_most else 'at least'} {self.good:g} is good, {self.usable:g} usable"
        remedy = "" if self.level is Level.GOOD else f". To do: {self.remedy}"
        return f"{self.shown()} ({asked}){remedy}"

    def shown(self) -> str:
        """The figure with its unit."""
        number = f"{self.value:.0f}" if abs(self.value) >= 10 else f"{self.value:.2g}"
        return f"{number} {self.unit}".strip()


def overall(criteria: list[Criterion]) -> Level:
    """The worst of them; good where there are none."""
    return max((criterion.level for criterion in criteria), key=list(Level).index, default=Level.GOOD)


def of_a_set(
    *,
    distinct: int,
    people: int,
    wrong: float,
    poor: float,
    enlargement: float,
    yaw_span: float,
    mouth_open: float,
    with_shot: bool,
) -> list[Criterion]:
    """What is asked of any faceset.

    Args:
        distinct: faces that are left when each group of doubles counts once and wrong faces do not.
        people: whom the records tell apart.
        wrong, poor: shares of wrong faces and of poor ones, 0 to 1.
        enlargement: median pixels of the crop for one of the frame.
        yaw_span: degrees between the 1st and the 99th of a hundred faces.
        mouth_open: share of the faces with an open mouth.
        with_shot: leave out what a shot says more exactly (span and mouth)
    """
    asked = [
        _least("distinct_faces", "faces that differ", distinct, "", 300, 50, "take in more footage, in other light"),
        _most("wrong_faces", "wrong faces (another person, misplaced landmarks)", 100 * wrong, "%", 1, 5, _CURATE),
        _most("poor_faces", "poor faces (blurred, covered, cut off, dark)", 100 * poor, "%", 10, 30, _CURATE),
        _most("enlargement", "enlargement from frame to crop", enlargement, "times", 1.5, 3, _LARGER),
    ]
    if people > 1:
        remedy = "extract again with --person, if this is to be src"
        asked.append(_most("people", "people (a shot may have several, src is one)", people, "", 1, 1, remedy))
    if not with_shot:
        turned = "film or find the person looking to both sides"
        talking = "film or find the person talking and laughing"
        asked += [
            _least("yaw_span", "head turns, from side to side", yaw_span, "degrees", 60, 20, turned),
            _least("mouth_open", "faces with an open mouth", 100 * mouth_open, "%", 10, 1, talking),
        ]
    return asked


def against_a_shot(*, covered: float, height: float, sharpness: float) -> list[Criterion]:
    """What a shot asks of its source.

    Args:
        covered: share of the shot's frames that lack nothing, 0 to 1.
        height: median height of the source's faces by what the shot's larger faces have (9 of 10 are smaller).
        sharpness: median sharpness of the sharper half of the source by the shot's median.
    """
    film, larger = "film or find what is listed as lacking", "use footage of src in which the face is larger"
    asked = [
        _least("coverage", "frames of the shot that src has a face for", 100 * covered, "%", 95, 80, film),
        _least("height", "height of src's faces by what the shot needs", 100 * height, "%", 90, 50, larger),
    ]
    if math.isfinite(sharpness):
        focus = "use footage of src that is in focus"
        asked.append(_least("sharpness", "sharpness of src by the shot's", 100 * sharpness, "%", 90, 60, focus))
    return asked


def _least(
    name: str, title: str, value: float, unit: str, good: float, usable: float, remedy: str, *, is_most: bool = False
) -> Criterion:
    return Criterion(
        name=name, title=title, value=value, unit=unit, good=good, usable=usable, is_most=is_most, remedy=remedy
    )


def _most(name: str, title: str, value: float, unit: str, good: float, usable: float, remedy: str) -> Criterion:
    return _least(name, title, value, unit, good, usable, remedy, is_most=True)
