"""The Reporter of the command line: a progress bar on a terminal, a line every ten seconds anywhere else."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console

from konterfei.cli.keys import Keyboard
from konterfei.cli.live import LiveTask, figure_text
from konterfei.cli.pace import Pace, clock
from konterfei.cli.results import printable

QUIET_S = 2.0
"""A task shorter than this is not shown."""
LINE_EVERY_S = 10.0
"""Where no bar can be drawn, progress is a line each so many seconds."""


class ConsoleReporter:
    """Draws what a stage reports. Used as a context manager, so that no bar is left behind.

    Args:
        console: where to draw; decides by itself whether it is a terminal.
        now: the clock, in seconds.
        keyboard: hears keys for a work that listens; None = nobody presses any.
    """

    def __init__(
        self, console: Console, now: Callable[[], float] = time.monotonic, keyboard: Keyboard | None = None
    ) -> None:
        self._console, self._now, self._keyboard = console, now, keyboard
        self._wishes: deque[str] = deque()
        self._hint = ""
        self._task, self._unit = "", ""
        self._pace: Pace | None = None
        self._bar: LiveTask | None = None
        self._said_at: float | None = None
        self._is_stop_asked = False
        self._previews: set[Path] = set()

    @classmethod
    def on_stderr(cls) -> ConsoleReporter:
        """Results go to stdout, everything on the way to stderr."""
        return cls(Console(stderr=True, highlight=False), keyboard=Keyboard.of_person())

    def __enter__(self) -> ConsoleReporter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.listen({})
        self._close_bar()

    def start(self, task: str, total: int | None, unit: str = "frames") -> None:
        """See `Reporter`."""
        self.finish()
        self._task, self._unit = task, unit
        self._pace, self._said_at = Pace(total, self._now()), None

    def advance(self, done: int, **figures: float | str) -> None:
        """See `Reporter`."""
        if self._pace is None:
            return
        self._pace.update(done, self._now())
        if self._pace.elapsed_s < QUIET_S:
            return
        if self._console.is_terminal:
            self._draw(self._pace, figures)
        elif self._said_at is None or self._pace.elapsed_s - self._said_at >= LINE_EVERY_S:
            self._said_at = self._pace.elapsed_s
            shown = "  ".join(f"{name} {figure_text(value)}" for name, value in figures.items())
            self._say("  ".join(filter(None, [f"{self._task}: {self._how_far(self._pace)}", shown])))

    def finish(self) -> None:
        """See `Reporter`."""
        pace, self._pace = self._pace, None
        self._close_bar()
        if pace and pace.elapsed_s >= QUIET_S:
            done = clock(pace.done) if self._unit == "s" else f"{pace.done} {self._unit} in {clock(pace.elapsed_s)}"
            self._say(f"{self._task}: {done}")

    def note(self, text: str) -> None:
        """See `Reporter`."""
        self._say(text)

    def warn(self, text: str) -> None:
        """See `Reporter`."""
        self._say(f"warning: {text}", style="yellow")

    def preview(self, path: Path) -> None:
        """See `Reporter`. A picture that is written again and again is named once."""
        if path not in self._previews:
            self._previews.add(path)
            self._say(f"preview: {path}")

    def take_stop(self) -> bool:
        """See `Reporter`."""
        asked, self._is_stop_asked = self._is_stop_asked, False
        return asked

    def listen(self, keys: Mapping[str, str]) -> None:
        """See `Reporter`."""
        self._wishes.clear()
        self._hint = ""
        if self._keyboard is None:
            return
        self._keyboard.stop()
        if keys:
            names = dict.fromkeys(keys.values())
            told = {name: "/".join(_key_name(key) for key, n in keys.items() if n == name) for name in names}
            self._hint = "keys:  " + "   ".join(f"{key} {name}" for name, key in told.items())
            self._keyboard.start(keys, lambda key: self._wishes.append(keys[key]))

    def take_wish(self) -> str | None:
        """See `Reporter`."""
        return self._wishes.popleft() if self._wishes else None

    def ask_to_stop(self) -> bool:
        """A person wants the work to stop; False when an earlier wish has not been heard yet."""
        if self._is_stop_asked:
            return False
        self._is_stop_asked = True
        return True

    def _how_far(self, pace: Pace, is_short: bool = False) -> str:
        is_time = self._unit == "s"  # a task that lasts as long as it was given
        if is_time and pace.total:
            parts = [f"{clock(pace.done)} of {clock(pace.total)}"]
        else:
            parts = [f"{pace.done}/{pace.total} {self._unit}" if pace.total else f"{pace.done} {self._unit}"]
        if pace.total:
            parts.append(f"{100 * pace.done / pace.total:.0f}%")
        if pace.rate and not is_time:
            parts.append(f"{pace.rate:.3g} {self._unit}/s")
        if (pace.remaining_s is None or not is_short) and not is_time:
            parts.append(clock(pace.elapsed_s))
        if pace.remaining_s is not None:
            parts.append(f"{clock(pace.remaining_s)} to go")
        return "  ".join(parts)

    def _draw(self, pace: Pace, figures: Mapping[str, float | str]) -> None:
        if self._bar is None:
            self._bar = LiveTask(self._console, self._task, pace.total)
        self._bar.update(pace.done, self._how_far(pace, is_short=True), figures, self._hint)

    def _close_bar(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _say(self, text: str, style: str | None = None) -> None:
        self._console.print(printable(text), style=style, markup=False, soft_wrap=True)


def _key_name(key: str) -> str:
    return "Enter" if key == "\n" else key
