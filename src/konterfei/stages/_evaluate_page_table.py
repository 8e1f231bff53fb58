"""The tables of the evaluation's page: every figure with its meaning, and how results differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from konterfei.metrics.confidence import LEVEL, Difference
from konterfei.metrics.evaluation import Evaluated, fault_share, unswapped
from konterfei.stages import _page as html
from konterfei.stages._evaluate_page_charts import keys, stand
from konterfei.stages._evaluate_page_frames import when
from konterfei.stages._evaluate_page_verdict import (
    FLOORS,
    SELDOM,
    Verdict,
    decimals,
    is_small,
    number,
    seen_faults,
    signed,
    titled,
    verdicts,
)

STYLE = """
.verdicts { list-style: none; padding: 0; margin: .6rem 0 1rem; display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); }
.verdicts.plain { grid-template-columns: minmax(0, 62rem); }
.verdicts li { padding: .35rem 0 .35rem 1.8rem; position: relative; border-bottom: 1px solid var(--line);
  line-height: 1.4; } .verdicts .todo { display: block; }
.verdicts li > b { font-weight: 650; } .verdicts i { position: absolute; left: .2rem; font-style: normal;
  font-weight: 700; } .verdicts details { margin: 0; font-size: .86rem; color: var(--soft); }
.verdicts .word { font-size: .86rem; margin-left: .4rem; }
.metrics { width: 100%; } .metrics td, .metrics th { padding: .45rem .6rem; } .metrics td.figure { white-space: nowrap;
  font-variant-numeric: tabular-nums; } .metrics td.figure b { font-size: 1.05rem; }
.metrics th[scope=row] { min-width: 15rem; max-width: 28rem; font-weight: 400; }
.metrics th[scope=row] b { font-weight: 650; display: inline-block; }
.metrics th[scope=row] b:first-letter, .track h3 b:first-letter { text-transform: uppercase; }
.metrics details p { margin: .25rem 0; max-width: 30rem; font-size: .9rem; }
.metrics details dl { display: grid; grid-template-columns: auto auto; gap: 0 .8rem; width: max-content;
  margin: .3rem 0; font-size: .86rem; max-width: 100%; } .metrics dt { color: var(--soft); } .metrics dd { margin: 0;
  font-variant-numeric: tabular-nums; text-align: right; }
.better { font-weight: 650; } .none { color: var(--soft); }
@media (max-width: 40rem) { .metrics, .metrics tbody, .metrics tr { display: block; } .metrics thead { display: none; }
  .metrics tr { padding: .6rem 0; border-bottom: 1px solid var(--line); } .metrics td, .metrics th { border: 0;
  padding: .1rem 0; display: block; min-width: 0 !important; } .metrics td[data-head]:before { 
  content: attr(data-head); color: var(--soft); font-size: .8rem; display: inline-block; min-width: 8rem;
  margin-right: .5rem; } .metrics td br { display: none; } .metrics td.figure { white-space: normal; }
  .metrics td.number { text-align: left; }
  .metrics td:empty { display: none; } }
"""
_SIGNS = {"good": "✓", "usable": "~", "lacking": "✗", None: "?"}


# --- the verdict


def verdict(evaluated: Evaluated, with_name: bool) -> str:
    """What is good and what lacks, in plain words, each with its figure and limits."""
    found = verdicts(evaluated)
    counts = {level: sum(one.level == level for one in found) for level in ("good", "usable", "lacking")}
    told = ", ".join(f"{count} {level}" for level, count in counts.items() if count) or "nothing that could be told"
    lines = "".join(_line(one) for one in found)
    unseen = evaluated.frames.get("num_unseen", 0)
    if unseen:
        share = unseen / max(1, evaluated.frames.get("num_frames", 1))
        level = "usable" if share <= SELDOM else "lacking"
        lines = (
            f'<li><i class="{level}">{_SIGNS[level]}</i><b>In {unseen} frames the detector sees no face at all</b> '
            f"({share:.0%} of those measured)</li>{lines}"
        )
    whole = f'<ul class="verdicts">{lines}</ul>{_faults(evaluated)}'
    nothing, first = unswapped(evaluated.measurements), ""
    if nothing:
        told, first = f"nothing was swapped; otherwise {told}", html.paragraph(nothing)
    if not with_name:
        return f"<h3>{told.capitalize()}</h3>{first}{whole}"
    lacking = ", ".join(titled(one.name) for one in found if one.level == "lacking") or "nothing"
    return (
        f"<h3>{html.text(evaluated.name)}: {told}</h3>{first}{html.paragraph(f'Lacking: {lacking}.')}"
        f"<details><summary>each figure's verdict</summary>{whole}</details>"
    )


def _line(one: Verdict) -> str:
    word = str(one.level) if one.level is not None else "not judged"
    unsure = f" (not certain: {one.doubt})" if one.doubt else ""
    source = f"<details><summary>where the limits come from</summary>{html.text(one.source)}</details>"
    todo = "" if not one.remedy else f'<span class="todo">To do: {html.text(one.remedy)}.</span>'
    return (
        f'<li><i class="{one.level or "soft"}">{_SIGNS[one.level]}</i><b>{html.text(one.words)}</b>'
        f'<span class="word {one.level or "soft"}">{word}{unsure}</span><br>{html.text(titled(one.name))} '
        f"{html.text(one.why)}{todo}{source if one.source else ''}</li>"
    )


def _faults(evaluated: Evaluated) -> str:
    found = seen_faults(evaluated)
    if not found:
        return ""
    told = "; ".join(f"{words} in {share:.0%} (most in {when(evaluated, row)})" for words, share, row in found)
    return html.paragraph(f"Plainly seen, in shares of the frames: {told}.")


# --- differences


def differences(evaluated: Sequence[Evaluated], found: Mapping[str, Mapping[str, Difference]]) -> str:
    """Which result is better in what, beyond chance, in sentences; of each against the first.

    Args:
        evaluated: results over the same frames.
        found: by name of the result, then of the metric; not of the first.
    """
    first = evaluated[0]
    blocks = []
    for other in evaluated[1:]:
        better: list[str] = []
        worse: list[str] = []
        equal: list[str] = []
        even: list[str] = []
        unknown: list[str] = []
        for name, one in found[other.name].items():
            told = f"{titled(name)} by {_gain(one, first.measurements[name].better, first.measurements[name].unit)}"
            if is_small(name, first, one.gain):
                told += ", which is little"
            if not np.isfinite(one.gain_interval.low):
                unknown.append(titled(name))
            elif one.is_better is None:
                (even if _differs(one) else equal).append(titled(name))
            else:
                (better if one.is_better else worse).append(told)
        lines = [
            ("✓", "good", f"{other.name} is better than {first.name} in", better),
            ("✗", "lacking", f"{other.name} is worse than {first.name} in", worse),
            ("=", "soft", "No difference can be told in", equal),
            ("=", "soft", "They differ, but neither is nearer to perfect, in", even),
            ("?", "soft", "Too few frames, or nothing to measure, in", unknown),
        ]
        items = "".join(
            f'<li><i class="{kind}">{sign}</i><b>{html.text(words)}</b> {html.text("; ".join(what))}.</li>'
            for sign, kind, words, what in lines
            if what
        )
        blocks.append(f'<ul class="verdicts plain">{items}</ul>')
    count = len(next(iter(found.values()), {}))
    how = (
        f"In brackets the range within which chance in the frames moves the difference ({LEVEL:.0%}, the same frames "
        f"drawn in both). Better means nearer to perfect; little is less than a tenth of the step from usable to good, "
        f"or of what is plainly seen in a frame. "
        f"Of {count} such comparisons of equal renders about one in "
        "twenty would be called a difference by chance."
    )
    return "".join(blocks) + html.paragraph(how, "soft")


def _differs(one: Difference) -> bool:
    """Whether the figures themselves differ beyond chance; two that are as good as the plate may."""
    return one.interval.low > 0 or one.interval.high < 0


def _gain(one: Difference, better: str, unit: str) -> str:
    interval = one.gain_interval
    places = decimals(one.gain, interval)
    low, high = sorted((abs(interval.low), abs(interval.high)))
    if better == "near":  # the error is a logarithm of a factor
        return f"a factor of {np.exp(abs(one.gain)):.2f} ({np.exp(low):.2f} to {np.exp(high):.2f})"
    return f"{abs(one.gain):.{places}f} ({low:.{places}f} to {high:.{places}f}) {unit}".strip()


# --- all figures


def figures(evaluated: Sequence[Evaluated], found: Mapping[str, Mapping[str, Difference]]) -> str:
    """Every metric: figure, interval, frames, what perfect is, and its definition to unfold."""
    several = len(evaluated) > 1
    head = ["What is measured", *([one.name for one in evaluated] if several else ["Figure", "Frames"])]
    head += [f"{one.name} − {evaluated[0].name}" for one in evaluated[1:]] + ["Perfect", "Where it stands"]
    rows = "".join(_row(evaluated, name, found, head) for name in evaluated[0].measurements)
    names = "".join(f'<th scope="col">{html.text(word)}</th>' for word in head)
    how = (
        f"In brackets the {LEVEL:.0%} interval of chance in the frames. Where it stands: the dot is the figure, the "
        "thick line its interval, the diamond a perfect swap; the tall green bar is good, the low amber one usable; "
        "from an upright red line on it is plainly seen in a frame; the grey stroke below is what copies of plates "
        "show that were only encoded anew (x264, crf 23, four clips)."
    )
    return (
        f'<section id="figures"><h2>All figures</h2>{html.paragraph(how, "soft")}{keys(evaluated)}<div class="scroll">'
        f'<table class="metrics"><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table></div></section>'
    )


def _row(
    evaluated: Sequence[Evaluated], name: str, found: Mapping[str, Mapping[str, Difference]], head: Sequence[str]
) -> str:
    measured = [one.measurements[name] for one in evaluated]
    cells = [(_figure(one, name), "figure") for one in evaluated]
    if len(evaluated) == 1:
        cells.append((str(evaluated[0].intervals[name].count), "number"))
    cells += [(_difference(found[one.name].get(name), name, one), "figure") for one in evaluated[1:]]
    cells.append((f"{measured[0].perfect:g}", "number"))
    cells.append((stand(evaluated, name), ""))
    tds = "".join(
        f'<td class="{kind}" data-head="{html.text(word)}">{cell}</td>'
        for (cell, kind), word in zip(cells, head[1:], strict=True)
    )
    short, _, rest = evaluated[0].definition(name).partition("\n")
    return (
        f'<tr><th scope="row"><b>{html.text(titled(name))}</b> <span class="soft">{html.text(measured[0].unit)}</span>'
        f"<br>{html.marked(short)}{_more(evaluated, name, rest)}</th>{tds}</tr>"
    )


def _figure(one: Evaluated, name: str) -> str:
    found, interval = one.measurements[name], one.intervals[name]
    value, *rest = number(found.value, interval, "").split(" ", 1)
    if not np.isfinite(found.value):
        return '<span class="none">not measurable</span>'
    return f"<b>{value}</b> <br>{html.text(' '.join(rest)) or 'no interval: too few frames'}"


def _difference(one: Difference | None, name: str, evaluated: Evaluated) -> str:
    if one is None or not np.isfinite(one.value):
        return '<span class="none">not measurable</span>'
    places = decimals(one.value, one.interval)
    told = f"<b>{signed(one.value, places)}</b>"
    if np.isfinite(one.interval.low):
        told += f" <br>({signed(one.interval.low, places)} to {signed(one.interval.high, places)})"
    word, kind = {True: ("better", "better good"), False: ("worse", "better lacking"), None: ("no difference", "none")}[
        one.is_better
    ]
    if one.is_better is None and _differs(one):
        word = "neither is better"
    if one.is_better is not None and is_small(name, evaluated, one.gain):
        word = f"little {word}"
    return f'{told} <br><span class="{kind}">{word}</span>'


def _more(evaluated: Sequence[Evaluated], name: str, rest: str) -> str:
    """The rest of the definition, the parts, and how the figure spreads over the frames."""
    paragraphs = [" ".join(block.split()) for block in rest.split("\n\n") if block.strip()]
    blocks = [f"<p>{html.marked(words)}</p>" for words in paragraphs]
    for one in evaluated:
        found, interval = one.measurements[name], one.intervals[name]
        terms = [(titled(part), _plain(value)) for part, value in found.parts.items()]
        per_frame = found.per_frame[np.isfinite(found.per_frame)]
        if len(per_frame):
            of = f" of the {found.per_frame_is}" if found.per_frame_is else ""
            low, middle, high = np.quantile(per_frame, [0.05, 0.5, 0.95])
            terms += [
                (f"median by frame{of}", _plain(middle)),
                ("5 % of the frames below", _plain(low)),
                ("5 % of the frames above", _plain(high)),
            ]
        for words, fault in found.faults.items():
            share = fault_share(fault)
            if np.isfinite(share):
                terms.append((f"frames with '{words}' (from {fault.bad:.3g} on)", f"{share:.0%}"))
        terms += [
            ("frames with a figure", str(interval.count)),
            ("frames drawn together", str(interval.block) if interval.block else "whole shots"),
        ]
        if name in FLOORS:
            low, high = FLOORS[name]
            terms.append(("a copy of the plate encoded anew", f"{low:g} to {high:g}"))
        title = f"<p><b>{html.text(one.name)}</b></p>" if len(evaluated) > 1 else ""
        pairs = "".join(f"<dt>{html.text(term)}</dt><dd>{html.text(value)}</dd>" for term, value in terms)
        blocks.append(f"{title}<dl>{pairs}</dl>")
    return f"<details><summary>definition and parts</summary>{''.join(blocks)}</details>"


def _plain(value: float) -> str:
    return f"{value:.{decimals(value)}f}" if np.isfinite(value) else "not measurable"
