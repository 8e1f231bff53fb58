"""Is a faceset good, usable or lacking, and by which figures."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
        Criterion(
            name="distinct_faces",
            title="faces that differ",
            value=distinct,
            unit="",
            good=300,
            usable=50,
            is_most=False,
            remedy="take more footage in, with other poses and other light",
        ),
        Criterion(
            name="wrong_faces",
            title="wrong faces (another person, misplaced landmarks)",
            value=100 * wrong,
            unit="%",
            good=1,
            usable=5,
            is_most=True,
            remedy="konterfei curate sets them aside",
        ),
        Criterion(
            name="poor_faces",
            title="poor faces (blurred, covered, cut off, dark)",
            value=100 * poor,
            unit="%",
            good=10,
            usable=30,
            is_most=True,
            remedy="konterfei curate sets them aside",
        ),
        Criterion(
            name="enlargement",
            title="enlargement from frame to crop",
            value=enlargement,
            unit="times",
            good=1.5,
            usable=3,
            is_most=True,
            remedy="use footage in which the face is larger, or a smaller --size",
        ),
    ]
    if people > 1:
        asked.append(
            Criterion(
                name="people",
                title="people (a shot may have several, src is one)",
                value=people,
                unit="",
                good=1,
                usable=1,
                is_most=True,
                remedy="extract again with --person, if this is to be src",
            )
        )
    if not with_shot:
        asked += [
            Criterion(
                name="yaw_span",
                title="head turns, from side to side",
                value=yaw_span,
                unit="degrees",
                good=60,
                usable=20,
                is_most=False,
                remedy="film or find the person looking to both sides",
            ),
            Criterion(
                name="mouth_open",
                title="faces with an open mouth",
                value=100 * mouth_open,
                unit="%",
                good=10,
                usable=1,
                is_most=False,
                remedy="film or find the person talking and laughing",
            ),
        ]
    return asked


def against_a_shot(*, covered: float, height: float, sharpness: float) -> list[Criterion]:
    """What a shot asks of its source.

    Args:
        covered: share of the shot's frames that lack nothing, 0 to 1.
        height: median height of the source's faces by what the shot's larger faces have (9 of 10 are smaller).
        sharpness: median sharpness of the sharper half of the source by the shot's median.
    """
    asked = [
        Criterion(
            name="coverage",
            title="frames of the shot that src has a face for",
            value=100 * covered,
            unit="%",
            good=95,
            usable=80,
            is_most=False,
            remedy="film or find what is listed as lacking",
        ),
        Criterion(
            name="height",
            title="height of src's faces by what the shot needs",
            value=100 * height,
            unit="%",
            good=90,
            usable=50,
            is_most=False,
            remedy="use footage of src in which the face is larger",
        ),
    ]
    if sharpness == sharpness:  # known
        asked.append(
            Criterion(
                name="sharpness",
                title="sharpness of src by the shot's",
                value=100 * sharpness,
                unit="%",
                good=90,
                usable=60,
                is_most=False,
                remedy="use footage of src that is in focus",
            )
        )
    return asked
