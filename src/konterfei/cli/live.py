"""What a terminal shows of a task that goes on: a bar, and below it the figures with their course."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from konterfei.reporting import Course

_BLOCKS = "▁▂▃▄▅▆▇█"
_PLAIN_BLOCKS = "_.-=#"
_SHOWN = 16
"""Blocks of a sparkline; each stands for a part of what was seen so far."""
_STEADY = 0.01
"""A figure that changed by less than this share is called steady."""
_MOST = 4096
"""Values of a course that are kept; then every second one goes, and of the new ones only every second is kept."""


class Trends:
    """The courses of a task's figures."""

    def __init__(self, blocks: str = _BLOCKS) -> None:
        self._blocks = blocks
        self._values: dict[str, list[float]] = defaultdict(list)
        self._last: dict[str, Course] = {}
        self._every: dict[str, int] = defaultdict(lambda: 1)
        self._seen: dict[str, int] = defaultdict(int)

    def update(self, figures: Mapping[str, float | str]) -> None:
        """Take down the figures that have a course. One that is only shown again (the same object) is not new."""
        for name, value in figures.items():
            if isinstance(value, Course) and value is not self._last.get(name):
                self._last[name] = value
                if self._seen[name] % self._every[name] == 0:
                    self._values[name].append(float(value))
                self._seen[name] += 1
                if len(self._values[name]) > _MOST:
                    del self._values[name][1::2]
                    self._every[name] *= 2

    def of(self, name: str) -> str:
        """A sparkline and an arrow: " ▇▅▃▃▂ ↓"; "" before there is a course."""
        values = self._values.get(name, [])
        if len(values) < 2:
            return ""
        arrows = "↑↓→" if self._blocks is _BLOCKS else "^v="
        return f" {sparkline(values, self._blocks)} {arrows[('rising', 'falling', 'steady').index(direction(values))]}"


def sparkline(values: list[float], blocks: str = _BLOCKS) -> str:
    """Values as a row of at most 16 blocks; each is a mean, from the lowest of them to the highest."""
    count = min(_SHOWN, len(values))
    edges = [round(i * len(values) / count) for i in range(count + 1)]
    means = [_mean(values[a:b]) for a, b in pairwise(edges)]
    low, high = min(means), max(means)
    top = len(blocks) - 1
    return "".join(blocks[round((mean - low) / (high - low) * top) if high > low else 0] for mean in means)


def direction(values: list[float]) -> str:
    """Where a course goes: its last quarter against the quarter before; "rising", "falling" or "steady"."""
    quarter = max(1, len(values) // 4)
    now, before = _mean(values[-quarter:]), _mean(values[-2 * quarter : -quarter])
    if abs(now - before) <= _STEADY * abs(before):
        return "steady"
    return "rising" if now > before else "falling"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


class LiveTask:
    """A bar with a line of words, and lines of figures below it. Call `close` in the end; it leaves nothing behind."""

    def __init__(self, console: Console, task: str, total: int | None) -> None:
        self._console = console
        fits = (console.encoding or "").lower().startswith("utf")
        self._trends = Trends(_BLOCKS if fits else _PLAIN_BLOCKS)
        self._bar = _Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=40 if console.width >= 120 else 10),
            TextColumn("{task.fields[told]}", markup=False),
            console=console,
            transient=True,
        )
        self._bar.add_task(task, total=total, told="")
        self._bar.start()

    def update(self, done: int, how_far: str, figures: Mapping[str, float | str], hint: str = "") -> None:
        """Show it.

        Args:
            done: units of work.
            how_far: words beside the bar.
            figures: below it, or beside it where there are few.
            hint: a last line.
        """
        self._trends.update(figures)
        words = [f"{name} {figure_text(value)}{self._trends.of(name)}" for name, value in figures.items()]
        beside = sum(map(len, words)) + 2 * len(words) + len(how_far) + 64 <= self._console.width
        self._bar.below = [] if beside else _wrapped(words, self._console.width)
        self._bar.below += [hint] if hint else []
        told = "  ".join([how_far, *(words if beside else [])])
        self._bar.update(self._bar.task_ids[0], completed=done, told=told)

    def close(self) -> None:
        """Take it away."""
        self._bar.stop()


class _Bar(Progress):
    """A progress bar with lines below it."""

    below: list[str] = []  # noqa: RUF012  (replaced as a whole, never changed)

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for line in self.below:
            yield Text(f"  {line}", no_wrap=True, overflow="ellipsis")


def figure_text(value: float | str) -> str:
    """A figure as it is shown."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _wrapped(words: list[str], width: int) -> list[str]:
    """Words in lines that fit into a terminal of that width."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + 3 + len(word) + 2 <= width:
            lines[-1] += f"   {word}"
        else:
            lines.append(word)
    return lines
