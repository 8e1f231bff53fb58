"""The page of an evaluation: verdict first, then pictures, all figures, curves, the worst frames, how it was measured.

Results over the same frames of one plate are shown side by side; other people, or other plates, one after another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from konterfei.metrics.confidence import Difference
from konterfei.metrics.evaluation import WORST, Evaluated
from konterfei.metrics.identity import cosines
from konterfei.metrics.worst import worst_frames
from konterfei.reporting import Reporter, check
from konterfei.stages import _evaluate_page_charts as charts
from konterfei.stages import _evaluate_page_frames as frames
from konterfei.stages import _evaluate_page_method as method
from konterfei.stages import _evaluate_page_table as tables
from konterfei.stages import _page as html

_STYLE = charts.STYLE + frames.STYLE + tables.STYLE + method.STYLE


def page_of(evaluated: Sequence[Evaluated], reporter: Reporter) -> str:
    """The whole file. Equal measurements give equal pages.

    Args:
        evaluated: what was measured, one or more.
        reporter: told how far it is; every result takes a second or two, most of it for the intervals.

    Raises:
        Cancelled: a person asked to stop.
    """
    groups = _groups(evaluated)
    reporter.start("drawing the page", len(evaluated), "results")
    title = " against ".join(dict.fromkeys(one.name for one in evaluated))
    parts, done = ["<main>"], 0
    for number, group in enumerate(groups):
        parts.append(f'<div class="group" id="g{number}">')
        parts += [_numbered(part, number) for part in _group(group, reporter, done)]
        parts.append("</div>")
        done += len(group)
    reporter.finish()
    parts.append("</main>")
    if len(groups) > 1:
        links = "".join(
            f'<a href="#g{number}">{html.text(" against ".join(one.name for one in group))}</a>'
            for number, group in enumerate(groups)
        )
        parts.insert(0, f"<nav>{links}</nav>")
    return html.page(f"Evaluation of {title}", parts, style=_STYLE)


def _groups(evaluated: Sequence[Evaluated]) -> list[list[Evaluated]]:
    """Results that were measured beside one and the same plate, together."""
    groups: list[list[Evaluated]] = []
    for one in evaluated:
        for group in groups:
            if _is_same_plate(one, group[0]) and all(one.name != other.name for other in group):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def _numbered(part: str, group: int) -> str:
    """The same with names of its own, so that groups on one page do not share theirs. Text holds no bare quotes."""
    return re.sub(r'(\b(?:id|for)="|href="#|name="(?=wipe))', rf"\g<1>g{group}-", part) if group else part


def _is_same_plate(one: Evaluated, other: Evaluated) -> bool:
    a, b = one.plate, other.plate
    return a is b or (np.array_equal(a.indices, b.indices) and np.array_equal(a.landmarks, b.landmarks, equal_nan=True))


def _group(evaluated: Sequence[Evaluated], reporter: Reporter, done: int) -> list[str]:
    found: dict[str, dict[str, Difference]] = {}
    told: dict[str, str] = {}
    for one in evaluated:
        check(reporter)
        if one is not evaluated[0]:
            found[one.name] = one.against(evaluated[0])
        told[one.name] = tables.verdict(one, len(evaluated) > 1)  # needs its intervals, which take time
        done += 1
        reporter.advance(done)
    worst = [worst_frames(one.measurements, WORST, one.plate.indices) for one in evaluated]
    parts = [_head(evaluated), '<section id="verdict"><h2>Verdict</h2>']
    if len(evaluated) > 1:
        parts.append(tables.differences(evaluated, found))
    parts += told.values()
    parts.append("</section>")
    parts += [frames.wipes(evaluated), frames.overview(evaluated), tables.figures(evaluated, found)]
    parts.append(_over_time(evaluated, [one.row for one in worst[0]] if len(evaluated) == 1 else []))
    parts += [_likeness(evaluated), frames.worst(evaluated, worst), method.method(evaluated)]
    return parts


def _head(evaluated: Sequence[Evaluated]) -> str:
    first = evaluated[0]
    inputs = first.about.get("inputs", {})
    src, plate = (_named(inputs.get(key, {})) for key in ("src", "plate"))
    who = f"The face of {src} on {plate}. " if src and plate else ""
    counts = first.frames
    shots = len(np.unique(first.shots))
    length = ""
    if first.fps is not None and len(first.plate):
        length = f", from {first.seconds(0):.1f} s to {first.seconds(len(first.plate) - 1):.1f} s of the plate"
    words = (
        f"{who}{counts.get('num_frames', len(first.plate))} frames were measured{length}, in {shots} "
        f"shot{'s' if shots != 1 else ''}."
    )
    if left := counts.get("num_unmeasurable", 0):
        words += f" {left} more were left out: the plate itself shows no clear face there."
    chosen = first.about.get("samples", {}).get("frames_chosen", 0)
    if (lost := chosen - counts.get("num_frames", chosen) - left) > 0:
        words += f" {lost} more were to be: a render ends before them, or they cannot be read."
    links = [
        ("verdict", "Verdict"), ("look", "Look"), ("frames", "Frames"), ("figures", "All figures"),
        ("time", "Over time"), ("worst", "Worst frames"), ("method", "Limits and method"),
    ]  # fmt: skip
    nav = "".join(f'<a href="#{target}">{name}</a>' for target, name in links)
    title = " against ".join(one.name for one in evaluated)
    return f"<header><h1>{html.text(title)}</h1>{html.paragraph(words)}<nav>{nav}</nav></header>"


def _named(record: object) -> str:
    """What an input is called: its name, or the last part of its path."""
    if not isinstance(record, dict):
        return ""
    return str(record.get("name") or PurePath(str(record.get("path", ""))).name)


def _over_time(evaluated: Sequence[Evaluated], worst: Sequence[int]) -> str:
    drawn = [charts.over_time(evaluated, name, worst) for name in evaluated[0].measurements]
    words = (
        "Each figure by frame; the line breaks where frames were left out. At its right, how the values spread. "
        "Dashed: the limits of good and usable, in red what is plainly seen in a frame; thin: a perfect swap; "
        "dotted upright: a cut."
    )
    if worst:
        words += " Red dots: the worst frames."
    return (
        f'<section id="time"><h2>Over time</h2>{html.paragraph(words, "soft")}{charts.keys(evaluated)}'
        f"{''.join(drawn)}</section>"
    )


def _likeness(evaluated: Sequence[Evaluated]) -> str:
    """Whom the faces of each result resemble, by each recognizer."""
    drawn = []
    for one in evaluated:
        for name, result, plate, src, dst in (
            ("identity", one.result.embeddings, one.plate.embeddings, one.people.src, one.people.dst),
            ("second_opinion", one.result.witness, one.plate.witness, one.people.witness_src, one.people.witness_dst),
        ):
            if name in one.measurements:
                drawn.append(
                    charts.likeness(one, name, cosines(result, src), cosines(result, dst), cosines(plate, src))
                )
    if not any(drawn):
        return ""
    words = (
        "How like src and how like dst the faces of the result are, frame by frame, and how like src the plate was. A "
        "good swap has its first hill far to the right of the others."
    )
    return f'<section id="likeness"><h2>Whom it resembles</h2>{html.paragraph(words, "soft")}{"".join(drawn)}</section>'
