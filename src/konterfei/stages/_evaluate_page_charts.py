"""Charts of the evaluation's page: figures over time with their spread beside, and where a figure stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from konterfei.metrics.confidence import Interval
from konterfei.metrics.evaluation import Evaluated
from konterfei.metrics.series import Array
from konterfei.stages import _page as html
from konterfei.stages._evaluate_page_verdict import FLOORS, decimals, limit_of, marks_of, titled

_MOST_POINTS = 1200
"""Of one curve; of more frames the highest and the lowest of each stretch are drawn."""
_BARS = 24
_TICKS = 7
STYLE = """
:root { --k0: #0060a8; --k1: #c2500a; --k2: #00805e; --k3: #a8508a; --k4: #6b6b00; --k5: #5b6168; }
@media (prefers-color-scheme: dark) { :root { --k0: #6cb4ee; --k1: #f0935a; --k2: #4cc9a0; --k3: #e09cc4;
  --k4: #cdc04c; --k5: #a4abb3; } }
.k0 { --k: var(--k0); } .k1 { --k: var(--k1); } .k2 { --k: var(--k2); } .k3 { --k: var(--k3); }
.k4 { --k: var(--k4); } .k5 { --k: var(--k5); }
.key { white-space: nowrap; margin-right: 1.2rem; } .key i { display: inline-block; width: 1.6rem; height: 0;
  border-top: 3px solid var(--k); vertical-align: .25em; margin-right: .35rem; } .k1.key i { border-top-style: double; }
.track { margin: 1.1rem 0 .4rem; } .track h3 { margin: 0 0 .2rem; } .track h3 .soft { font-weight: 400; }
.track h3 b { display: inline-block; }
.plot { display: grid; grid-template-columns: 3.4rem minmax(0, 1fr) minmax(3rem, 8%); column-gap: .35rem; }
.plot > .y { position: relative; } .plot > .y span { position: absolute; right: 0; transform: translateY(-50%);
  font-size: .74rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.plot svg { height: 6.6rem; background: var(--box); border-radius: 3px; display: block; }
.plot path, .plot line { fill: none; stroke: var(--k); stroke-width: 1.6; vector-effect: non-scaling-stroke;
  stroke-linecap: round; stroke-linejoin: round; }
.plot path.spread { fill: var(--k); fill-opacity: .22; stroke-width: 1; }
.plot line.perfect { stroke: var(--soft); stroke-width: 1; }
.plot line.limit { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 5 4; }
.plot line.plain { stroke: var(--lacking); stroke-width: 1; stroke-dasharray: 5 4; }
.plot line.cut { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 1 4; }
.plot path.dots { stroke-width: 3.5; } .plot path.worst { stroke: var(--lacking); stroke-width: 6; }
.plot > .x { grid-column: 2; position: relative; height: 1.2rem; font-size: .74rem; color: var(--soft); }
.plot > .x span { position: absolute; transform: translateX(-50%); white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.plot > .x span:first-child { transform: none; } .plot > .x span:last-child { transform: translateX(-100%); }
svg.stand { width: 13rem; height: auto; display: block; }
svg.stand line { stroke: var(--k); } svg.stand .zone { stroke: none; }
svg.stand .good { fill: var(--good); opacity: .3; } svg.stand .usable { fill: var(--usable); opacity: .3; }
svg.stand .axis { stroke: var(--line); } svg.stand .dot { fill: var(--k); stroke: var(--paper); }
svg.stand .floor { fill: none; stroke: var(--soft); stroke-width: 3; }
svg.stand .plain { fill: none; stroke: var(--lacking); stroke-width: 2; }
svg.stand .aim { fill: none; stroke: var(--ink); }
@media (max-width: 40rem) { .plot > .x span:nth-child(even) { display: none; } }
"""


def keys(evaluated: Sequence[Evaluated]) -> str:
    """Which colour is which result; nothing for one alone."""
    if len(evaluated) < 2:
        return ""
    told = "".join(f'<span class="key k{k % 6}"><i></i>{html.text(one.name)}</span>' for k, one in enumerate(evaluated))
    return f"<p>{told}</p>"


# --- over time


@dataclass(frozen=True, kw_only=True)
class _Scale:
    """From figures to the chart's 0 to 100, upwards."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Array) -> _Scale:
        low, high = float(values.min()), float(values.max())
        room = 0.06 * (high - low) or max(abs(high) * 0.1, 0.1)
        return cls(low=low - room, high=high + room)

    def of_value(self, value: float) -> float:
        return 100 * (self.high - value) / (self.high - self.low)

    def has(self, value: float) -> bool:
        return self.low <= value <= self.high


def over_time(evaluated: Sequence[Evaluated], name: str, worst: Sequence[int] = ()) -> str:
    """A metric by frame, of each result a curve, and beside it how its values spread over the same scale.

    Args:
        evaluated: results over the same frames.
        name: of a metric that all of them have.
        worst: rows to be marked below the curve.
    """
    found = [one.measurements[name] for one in evaluated]
    finite = [m.per_frame[np.isfinite(m.per_frame)] for m in found]
    known = np.concatenate(finite)
    if not len(known):
        return ""
    scale = _Scale.of(known)
    first = evaluated[0]
    across = _across(first.plate.indices)
    own = not found[0].per_frame_is
    lines = [_level(scale, found[0].perfect, "perfect")] if own else []
    lines += [_level(scale, at, "limit") for at in (_marks(name, evaluated[0]) if own else ())]
    lines += [_level(scale, at, "plain") for at in marks_of(found[0])]
    lines += [
        f'<line class="cut" x1="{across[row]:.1f}" x2="{across[row]:.1f}" y1="0" y2="100"/>' for row in _cuts(first)
    ]
    for k, m in enumerate(found):
        line, dots = _path(m.per_frame, across, first, scale)
        lines.append(f'<path class="k{k % 6}" d="{line}"/>')
        if dots:
            lines.append(f'<path class="dots k{k % 6}" d="{dots}"/>')
    if worst:
        lines.append(f'<path class="worst" d="{"".join(f"M{across[row]:.1f} 97h0" for row in worst)}"/>')
    spreads = [f'<path class="spread k{k % 6}" d="{_spread(values, scale)}"/>' for k, values in enumerate(finite)]
    unit = found[0].per_frame_is or found[0].unit
    return (
        f'<div class="track"><h3><b>{html.text(titled(name))}</b> <span class="soft">{html.text(unit)}</span></h3>'
        f'<div class="plot"><div class="y">{_y_labels(scale)}</div>'
        f'<svg viewBox="0 0 1000 100" preserveAspectRatio="none" role="img" '
        f'aria-label="{html.text(_told(evaluated, name))}">{"".join(lines)}</svg>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" '
        f'aria-label="how the values spread over the same scale">{"".join(spreads)}</svg>'
        f'<div class="x">{_x_labels(first)}</div></div></div>'
    )


def likeness(evaluated: Evaluated, name: str, to_src: Array, to_dst: Array, plate_to_src: Array) -> str:
    """How the cosines of a recognizer spread: of the result with src and with dst, and of the plate with src."""
    sets = [("result to src", to_src), ("result to dst", to_dst), ("plate to src", plate_to_src)]
    known = [(words, values[np.isfinite(values)]) for words, values in sets]
    if not all(len(values) for _, values in known):
        return ""
    scale = _Scale.of(np.concatenate([values for _, values in known]))
    shapes = [
        f'<path class="spread k{k}" d="{_spread(values, scale, lying=True)}"/>' for k, (_, values) in enumerate(known)
    ]
    lines = [
        f'<line class="limit" x1="{(1 - scale.of_value(at) / 100) * 1000:.1f}" '
        f'x2="{(1 - scale.of_value(at) / 100) * 1000:.1f}" y1="0" y2="100"/>'
        for at in _marks(name, evaluated)
        if scale.has(at)
    ]
    told = "; ".join(f"{words}: median {np.median(values):.2f}" for words, values in known)
    ticks = "".join(
        f'<span style="left:{100 - scale.of_value(at):.1f}%">{at:z.1f}</span>'
        for at in np.arange(np.ceil(scale.low * 5) / 5, scale.high, 0.2)
    )
    legend = "".join(
        f'<span class="key k{k}"><i></i>{html.text(words)}, median {np.median(values):.2f}</span>'
        for k, (words, values) in enumerate(known)
    )
    return (
        f'<div class="track"><h3>{html.text(evaluated.name)} <span class="soft">{html.text(titled(name))}, cosine'
        f'</span></h3><p>{legend}</p><div class="plot"><div class="y"></div><svg viewBox="0 0 1000 100" '
        f'preserveAspectRatio="none" role="img" aria-label="{html.text(told)}">{"".join(shapes + lines)}</svg>'
        f'<div></div><div class="x">{ticks}</div></div></div>'
    )


def _across(indices: Array) -> Array:
    """Where each frame stands between the first and the last. [N] 0 to 1000"""
    span = max(int(indices[-1] - indices[0]), 1)
    return 1000 * (indices - indices[0]) / span if len(indices) > 1 else np.array([500.0])


def _cuts(evaluated: Evaluated) -> list[int]:
    """Rows at which a shot begins, but for the first."""
    return (np.flatnonzero(np.diff(evaluated.shots)) + 1).tolist()


def _path(values: Array, across: Array, evaluated: Evaluated, scale: _Scale) -> tuple[str, str]:
    """A line that breaks where frames do not follow one another, or have no figure; and dots where one stands alone."""
    finite = np.isfinite(values)
    begins = ~evaluated.plate.neighbours | ~finite
    begins[_cuts(evaluated)] = True
    pieces = np.cumsum(begins)
    rows = np.flatnonzero(finite)
    if len(rows) > _MOST_POINTS:
        rows = _thinned(values, rows)
    lines, dots = [], []
    for own in np.split(rows, np.flatnonzero(np.diff(pieces[rows])) + 1):
        places = [f"{across[row]:.1f} {scale.of_value(float(values[row])):.1f}" for row in own.tolist()]
        if len(places) == 1:
            dots.append(f"M{places[0]}h0")
        else:
            lines.append(f"M{'L'.join(places)}")
    return "".join(lines), "".join(dots)


def _thinned(values: Array, rows: Array) -> Array:
    """Of each of `_MOST_POINTS` / 2 stretches the row with the lowest and the one with the highest value."""
    chosen: set[int] = set()
    for stretch in np.array_split(rows, _MOST_POINTS // 2):
        if len(stretch):
            chosen |= {int(stretch[values[stretch].argmin()]), int(stretch[values[stretch].argmax()])}
    return np.array(sorted(chosen), np.int64)


def _spread(values: Array, scale: _Scale, *, lying: bool = False) -> str:
    """The outline of a histogram over the chart's scale: standing at its side, or `lying` along its width."""
    counts, edges = np.histogram(values, _BARS, (scale.low, scale.high))
    if lying:
        width = 1000 / _BARS
        steps = "".join(
            f"L{k * width:.1f} {98 - 94 * c / counts.max():.1f}H{(k + 1) * width:.1f}" for k, c in enumerate(counts)
        )
        return f"M0 98{steps}L1000 98Z"
    steps = "".join(
        f"L{94 * count / counts.max():.1f} {scale.of_value(edge):.1f}V{scale.of_value(upper):.1f}"
        for count, edge, upper in zip(counts, edges, edges[1:], strict=False)
    )
    return f"M0 100{steps}L0 0Z"


def _level(scale: _Scale, at: float, kind: str) -> str:
    if not scale.has(at):
        return ""
    y = scale.of_value(at)
    return f'<line class="{kind}" x1="0" x2="1000" y1="{y:.1f}" y2="{y:.1f}"/>'


def _y_labels(scale: _Scale) -> str:
    places = decimals((scale.high - scale.low) / 3)
    at = [scale.low + share * (scale.high - scale.low) for share in (0.08, 0.5, 0.92)]
    return "".join(f'<span style="top:{scale.of_value(v) * 6.6 / 100:.2f}rem">{v:z.{places}f}</span>' for v in at)


def _x_labels(evaluated: Evaluated) -> str:
    """Seconds and frames at a few places. Pictures have no seconds."""
    indices = evaluated.plate.indices
    first, last = int(indices[0]), int(indices[-1])
    places = np.unique(np.linspace(first, last, _TICKS).round().astype(int)) if last > first else [first]
    told = []
    for frame in places:
        at = 100 * (frame - first) / (last - first) if last > first else 50
        clock = "" if evaluated.fps is None else f"{float(frame / evaluated.fps):.1f} s · "
        told.append(f'<span style="left:{at:.1f}%">{clock}{frame}</span>')
    return "".join(told)


def _told(evaluated: Sequence[Evaluated], name: str) -> str:
    """The curve in words."""
    words = []
    for one in evaluated:
        values = one.measurements[name].per_frame
        if not np.isfinite(values).any():
            words.append(f"{one.name}: no figure in any frame")
            continue
        low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
        words.append(
            f"{one.name}: median {np.nanmedian(values):.3g}, lowest {values[low]:.3g} in frame "
            f"{one.plate.indices[low]}, highest {values[high]:.3g} in frame {one.plate.indices[high]}"
        )
    return f"{titled(name)} by frame. {'; '.join(words)}"


# --- where a figure stands


def _marks(name: str, evaluated: Evaluated) -> tuple[float, ...]:
    """Figures at which a metric's limits lie on its own scale."""
    limit = limit_of(name, evaluated)
    if limit is None:
        return ()
    found = evaluated.measurements[name]
    perfect = found.perfect
    if found.better == "near":
        return perfect * limit.good, perfect / limit.good, perfect * limit.usable, perfect / limit.usable
    return limit.good, limit.usable


def stand(evaluated: Sequence[Evaluated], name: str) -> str:
    """A small chart: each result's figure with its interval, limits, and the place of a perfect swap."""
    found = [one.measurements[name] for one in evaluated]
    intervals = [one.intervals[name] for one in evaluated]
    ends = [v for one in intervals for v in (one.low, one.high)] + [m.value for m in found] + [found[0].perfect]
    ends += [*_marks(name, evaluated[0]), *marks_of(found[0]), *FLOORS.get(name, ())]
    known = np.array([v for v in ends if np.isfinite(v)])
    if not any(np.isfinite(m.value) for m in found):
        return ""
    low, high = float(known.min()), float(known.max())
    room = 0.05 * (high - low) or 0.1
    low, high = low - room, high + room

    def at(value: float) -> float:
        return 4 + 192 * (value - low) / (high - low)

    tall = 18 + 12 * len(found)
    parts = [
        _zones(name, evaluated[0], low, high, at, tall),
        f'<line class="axis" x1="4" x2="196" y1="{tall - 6}" y2="{tall - 6}"/>',
    ]
    for k, (m, interval) in enumerate(zip(found, intervals, strict=True)):
        parts.append(_figure(m.value, interval, at, 7 + 12 * k, k))
    parts += [f'<path class="plain" d="M{at(mark):.1f} {tall - 14}v11"/>' for mark in marks_of(found[0])]
    for low_end, high_end in [FLOORS[name]] if name in FLOORS else []:
        ends_at = at(low_end), max(at(high_end), at(low_end) + 2)
        parts.append(f'<path class="floor" d="M{ends_at[0]:.1f} {tall - 2}H{ends_at[1]:.1f}"/>')
    x, y = at(found[0].perfect), tall - 6
    parts.append(f'<path class="aim" d="M{x:.1f} {y - 4}l4 4l-4 4l-4 -4Z"/>')
    return (
        f'<svg class="stand" viewBox="0 0 200 {tall}" aria-hidden="true" width="200" height="{tall}">'
        f"{''.join(parts)}</svg>"
    )


def _zones(name: str, evaluated: Evaluated, low: float, high: float, at: Callable[[float], float], tall: int) -> str:
    """Where a figure is good, and where usable: the good one twice as tall."""
    marks, better = _marks(name, evaluated), evaluated.measurements[name].better
    if not marks:
        return ""
    if better == "near":
        spans = [("usable", marks[3], marks[2], 4), ("good", marks[1], marks[0], 8)]
    elif better == "lower":
        spans = [("usable", marks[0], marks[1], 4), ("good", low, marks[0], 8)]
    else:
        spans = [("usable", marks[1], marks[0], 4), ("good", marks[0], high, 8)]
    return "".join(
        f'<rect class="zone {kind}" x="{at(max(a, low)):.1f}" y="{tall - 6 - thick}" '
        f'width="{max(0.0, at(min(b, high)) - at(max(a, low))):.1f}" height="{thick}"/>'
        for kind, a, b, thick in spans
    )


def _figure(value: float, interval: Interval, at: Callable[[float], float], y: int, k: int) -> str:
    if not np.isfinite(value):
        return ""
    line = ""
    if np.isfinite(interval.low):
        line = (
            f'<line x1="{at(interval.low):.1f}" x2="{at(interval.high):.1f}" y1="{y}" y2="{y}" stroke-width="4" '
            'stroke-linecap="round"/>'
        )
    return f'<g class="k{k % 6}">{line}<circle class="dot" cx="{at(value):.1f}" cy="{y}" r="4.5"/></g>'
