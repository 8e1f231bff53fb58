"""What `time_to_quality.py` found: how soon each arm is as good as scratch in the end, in figures and in words."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from time_to_quality_leak import leak_rows, strangers
from time_to_quality_pictures import draw_curves, draw_sheets

from konterfei.io.atomic import write_json, write_text
from konterfei.io.manifest import Manifest
from konterfei.reporting import Reporter

BEGINNINGS = {"minutes": 0.1, "steps": 1}
"""What a course is told by, and up to where a mark is its beginning: one step is made before it."""
SCRATCH, BASE, SCORE = "none", "base", "total"
ENDS = "@*"
"""Behind the name of an arm: not one run, but the ends of several that were told different ends."""


@dataclass(frozen=True)
class Figure:
    """One figure of a mark: what it is called, how it is written, whether higher is better."""

    title: str
    text: str
    is_high: bool


FIGURES = {
    SCORE: Figure("score", ".3f", True),
    "identity": Figure("identity to src", ".3f", True),
    "leftover": Figure("left of dst", ".3f", False),
    "second_src": Figure("src, second recognizer", ".3f", True),
    "second_dst": Figure("dst, second recognizer", ".3f", False),
    "expression": Figure("expression", ".2f", True),
    "distance": Figure("landmarks off, %", ".1f", False),
    "sharpness": Figure("sharpness", ".2f", True),
    "ssim_src": Figure("SSIM of src itself", ".3f", True),
    "ssim_dst": Figure("SSIM of dst itself", ".3f", True),
    "truth_ssim": Figure("SSIM, truth", ".3f", True),
    "truth_ssim_eyes": Figure("SSIM of the eyes, truth", ".3f", True),
    "truth_ssim_mouth": Figure("SSIM of the mouth, truth", ".3f", True),
    "truth_l1_eyes": Figure("grey levels off, eyes", ".1f", False),
    "truth_l1_mouth": Figure("grey levels off, mouth", ".1f", False),
    "truth_identity": Figure("identity, truth", ".3f", True),
    "truth_identity_second": Figure("identity, truth, second", ".3f", True),
    "truth_expression": Figure("openings off, truth, %", ".1f", False),
    "truth_landmarks": Figure("landmarks off, truth, %", ".1f", False),
}
"""In the order of tables and panels."""


@dataclass(frozen=True)
class Course:
    """One training: its marks in order.

    Attributes:
        pair, arm, seed: which.
        end: minutes that it was told.
        lines: of score.json, by their minutes.
        folders: of the marks.
    """

    pair: str
    arm: str
    seed: int
    end: float
    lines: list[dict[str, Any]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self.lines[-1]["mark"] >= self.end

    def points(self, figure: str, axis: str = "minutes") -> list[tuple[float, float]]:
        """Minutes (or steps) and values, from the first mark on that is more like src than like dst.

        Before that there is no swap: a network that knows nothing yet draws a weak mask of grey, through which dst is
        seen, with dst's expression and all.
        """
        swaps = [index for index, line in enumerate(self.lines) if _is_swap(line["figures"])]
        found = [(line[axis], line["figures"].get(figure)) for line in self.lines[min(swaps, default=0) :]]
        return [(minutes, value) for minutes, value in found if value is not None] if swaps else []


def _is_swap(figures: Mapping[str, Any]) -> bool:
    src, dst = figures.get("identity"), figures.get("leftover")
    return src is not None and dst is not None and src > dst


def read_courses(out: Path) -> list[Course]:
    """All trainings that have a scored mark, pairs and arms by name, scratch first."""
    courses: dict[tuple[str, str, int], Course] = {}
    for path in sorted(out.glob("*/*/at_*/score.json")):
        line = json.loads(path.read_text("utf-8"))
        key = (line["pair"], line["arm"], line["seed"])
        if key not in courses:
            manifest = Manifest.load(path.parent)
            told = {} if manifest is None else manifest.settings.get("config", {})
            courses[key] = Course(*key, end=float(told.get("minutes") or line["mark"]))
        courses[key].lines.append(line)
        courses[key].folders.append(path.parent)
    return sorted(courses.values(), key=lambda c: (c.pair, c.arm != SCRATCH, c.arm, c.seed))


def by_ends(courses: Sequence[Course]) -> list[Course]:
    """Of arms that were told several ends (base@5, base@15, base) the last marks, as a course of its own (base@*)."""
    groups: dict[tuple[str, str, int], list[Course]] = {}
    for course in courses:
        if course.is_whole:
            groups.setdefault((course.pair, course.arm.split("@")[0], course.seed), []).append(course)
    found = []
    for (pair, arm, seed), group in groups.items():
        if len(group) > 1:
            ordered = sorted(group, key=lambda course: course.end)
            lines, folders = ([getattr(c, name)[-1] for c in ordered] for name in ("lines", "folders"))
            found.append(Course(pair, arm + ENDS, seed, ordered[-1].end, lines, folders))
    return found


def reached(
    points: Sequence[tuple[float, float]], target: float, is_high: bool, beginning: float = BEGINNINGS["minutes"]
) -> float | None:
    """When a course is first as good as `target`, interpolated between marks; None = never.

    What is so good at the first mark counts as reached then, or at the next one where that is the very beginning: the
    true time is not known, and is less.
    """
    sign = 1 if is_high else -1
    before: tuple[float, float] | None = None
    for minutes, value in points:
        if sign * (value - target) >= 0:
            if before is None:
                return minutes if minutes > beginning else next((t for t, _ in points if t > beginning), minutes)
            share = (target - before[1]) / (value - before[1])
            return before[0] + share * (minutes - before[0])
        before = minutes, value
    return None


def compare(scratch: Course, other: Course) -> dict[str, dict[str, Any]]:
    """For each figure that both have: final values, when each first has scratch's final value, and the ratio of these.

    An arm that does not get there is counted with the time that it had, and marked: its ratio is at least that. Where
    it has not come to its end, there is none yet.
    """
    found = {}
    for name, figure in FIGURES.items():
        if not other.points(name) or not scratch.points(name):
            continue
        target = scratch.points(name)[-1][1]
        about: dict[str, Any] = {"scratch": target, "arm": other.points(name)[-1][1]}
        for axis, beginning in BEGINNINGS.items():
            ours, theirs = other.points(name, axis), scratch.points(name, axis)
            needed, usual = (reached(points, target, figure.is_high, beginning) for points in (ours, theirs))
            assert usual is not None  # the last mark itself, if not before
            ratio = max(1.0, ours[-1][0] / usual) if needed is None else needed / usual
            is_known = needed is not None or other.is_whole
            about |= {
                f"{axis}_scratch": round(usual, 3),
                f"{axis}_arm": None if needed is None else round(needed, 3),
                "ratio" if axis == "minutes" else f"ratio_{axis}": round(ratio, 4) if is_known else None,
                "is_reached": needed is not None,
            }
        found[name] = about
    return found


def geometric(ratios: Iterable[float | None]) -> float:
    """Geometric mean of those that are known; NaN of none."""
    logs = [math.log(ratio) for ratio in ratios if ratio is not None]
    return math.exp(sum(logs) / len(logs)) if logs else float("nan")


def scratch_of(courses: Sequence[Course], course: Course) -> Course | None:
    """What a course is compared with: scratch of its pair and seed, by its ends where both are told so."""
    own = {other.arm: other for other in courses if (other.pair, other.seed) == (course.pair, course.seed)}
    by_end = own.get(SCRATCH + ENDS) if course.arm.endswith(ENDS) else None
    return by_end or own.get(SCRATCH)


def comparisons(courses: Sequence[Course]) -> list[dict[str, Any]]:
    """Every arm beside the scratch of its pair and seed."""
    rows = []
    for course in courses:
        scratch = scratch_of(courses, course)
        if scratch is not None and course.arm not in (SCRATCH, SCRATCH + ENDS):
            about = {name: getattr(course, name) for name in ("pair", "arm", "seed", "end")}
            is_whole = course.is_whole and scratch.is_whole
            rows.append({**about, "is_whole": is_whole, "figures": compare(scratch, course)})
    return rows


def ratios_of(rows: Sequence[Mapping[str, Any]], arm: str, figure: str) -> list[Mapping[str, Any]]:
    """One figure of all comparisons of an arm."""
    return [row["figures"][figure] for row in rows if row["arm"] == arm and figure in row["figures"]]


# --- words


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return _row(head) + _row(["---"] * len(head)) + "".join(map(_row, rows)) if rows else ""


def score_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row for each comparison: by the score alone."""
    cells = []
    for row in rows:
        score = row["figures"].get(SCORE)
        if score is not None:
            needed = "never" if score["minutes_arm"] is None else f"{score['minutes_arm']:.1f}"
            ratio = "" if score["is_reached"] else ">= "
            ratio = "not yet" if score["ratio"] is None else f"{ratio}{score['ratio']:.2f}"
            cells.append([
                row["pair"], row["arm"], str(row["seed"]), f"{score['scratch']:.3f}", f"{score['arm']:.3f}",
                f"{score['minutes_scratch']:.1f}", needed, ratio,
                "" if row["is_whole"] else "not at the end yet",
            ])  # fmt: skip
    head = ["pair", "arm", "seed", "scratch ends at", "arm ends at", "scratch has it at", "arm has it at", "ratio", ""]
    return _table(head, cells)


def figure_table(rows: Sequence[Mapping[str, Any]], arm: str) -> str:
    """A row for each figure: means over pairs and seeds."""
    cells = []
    for name, figure in FIGURES.items():
        found = ratios_of(rows, arm, name)
        if found:
            cells.append([
                figure.title, "higher" if figure.is_high else "lower",
                *(format(float(np.mean([f[key] for f in found])), figure.text) for key in ("scratch", "arm")),
                f"{geometric(f['ratio'] for f in found):.2f}",
                f"{sum(f['is_reached'] for f in found)} of {len(found)}",
            ])  # fmt: skip
    return _table(["figure", "better", "scratch ends at", f"{arm} ends at", "ratio of times", "reached"], cells)


def leak_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A row for each training and recognizer."""
    return _table(
        ["pair", "arm", "seed", "recognizer", "src", "dst", "nearest stranger", "src's own nearest", "beyond"],
        [
            [row["pair"], row["arm"], str(row["seed"]), row["recognizer"]]
            + [f"{row[key]:.3f}" for key in ("src", "dst", "nearest", "nearest_of_src", "beyond")]
            for row in rows
        ],
    )


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each arm, the last that of the arm `base` where there is one."""
    arms = sorted({row["arm"] for row in rows}, key=lambda arm: (arm == BASE, arm))
    told = []
    for arm in arms:
        found = ratios_of(rows, arm, SCORE)
        if not found:
            continue
        never = sum(figure["ratio"] is not None and not figure["is_reached"] for figure in found)
        worse = sum(figure["arm"] < figure["scratch"] for figure in found)
        partial = sum(row["arm"] == arm and not row["is_whole"] for row in rows)
        told.append(
            f"{arm}: {len(found)} comparisons, {never} never as good as scratch in the end (counted as 1.00 or more), "
            f"{worse} with a lower final score{f', {partial} not at their end yet' if partial else ''}"
        )
        told.append(f"{arm} by steps {geometric(figure['ratio_steps'] for figure in found):.2f}")
        told.append(f"{arm} ratio {geometric(figure['ratio'] for figure in found):.2f}")
    return told


def report(out: Path, leak: Sequence[Path], reporter: Reporter) -> str:
    """Read what is there, write time_to_quality.json, .md and .png and a sheet for each pair; the text."""
    courses = read_courses(out)
    if not courses:
        return "Nothing was scored yet."
    rows = comparisons([*courses, *by_ends(courses)])
    leaks = leak_rows(out, courses, strangers(out, leak, reporter)) if leak else []
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    parts = [
        progress_table(courses),
        lead_table(courses),
        score_table(rows),
        *(figure_table(rows, arm) for arm in arms),
        leak_table(leaks),
    ]
    lines = verdicts(rows)
    means: dict[str, dict[str, float]] = {arm: {} for arm in arms}
    for arm, name in ((arm, name) for arm in arms for name in FIGURES):
        mean = geometric(found["ratio"] for found in ratios_of(rows, arm, name))
        if math.isfinite(mean):
            means[arm][name] = round(mean, 4)
    write_json(out / "time_to_quality.json", {"ratios": means, "comparisons": rows, "leak": leaks})
    text = "\n".join([*(part for part in parts if part), "".join(f"{line}\n" for line in lines)]).rstrip()
    write_text(out / "time_to_quality.md", text + "\n")
    draw_curves(courses, FIGURES, out / "time_to_quality.png")
    draw_sheets(courses, out)
    return text


def progress_table(courses: Sequence[Course]) -> str:
    """A row for each training: its score at each of its marks."""
    marks = sorted({line["mark"] for course in courses for line in course.lines})
    cells = []
    for course in courses:
        scores = {line["mark"]: line["figures"].get(SCORE) for line in course.lines}
        told = ["" if scores.get(mark) is None else f"{scores[mark]:.3f}" for mark in marks]
        cells.append([course.pair, course.arm, str(course.seed), *told])
    return _table(["pair", "arm", "seed", *(f"{mark:g} min" for mark in marks)], cells)


def lead_table(courses: Sequence[Course]) -> str:
    """A row for each training but scratch: when scratch first has the score that it has at each of its marks."""
    marks = sorted({line["mark"] for course in courses for line in course.lines})
    cells = []
    for course in courses:
        scratch = scratch_of(courses, course)
        if scratch is None or course.arm == SCRATCH:
            continue
        scores = {line["mark"]: line["figures"].get(SCORE) for line in course.lines}
        told = []
        for mark in marks:
            score = scores.get(mark)
            when = None if score is None else reached(scratch.points(SCORE), score, True)
            told.append("" if score is None else "never" if when is None else f"{when:.1f}")
        cells.append([course.pair, course.arm, str(course.seed), *told])
    return _table(["pair", "scratch is where this arm is at", "seed", *(f"{mark:g} min" for mark in marks)], cells)
