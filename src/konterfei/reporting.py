"""How a stage speaks to whoever started it, and how it is told to stop.

Library code takes a `Reporter` and never prints. The command line draws progress bars from it, the studio sends it
over a pipe, tests record it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from konterfei.errors import Cancelled


class Course(float):
    """A figure whose course matters, as a loss's does: a display may show where it comes from and where it goes."""


class Reporter(Protocol):
    """The voice of a stage. One task runs at a time; `start` of the next one ends the last."""

    def start(self, task: str, total: int | None, unit: str = "frames") -> None:
        """A task begins: `task` in words ("finding faces"), `total` units of work or None when unknown."""

    def advance(self, done: int, **figures: float | str) -> None:
        """`done` units are finished since `start`; figures are shown beside the bar (losses, it/s...)."""

    def finish(self) -> None:
        """The task is over."""

    def note(self, text: str) -> None:
        """One line that a person should read: a choice that was made, a result, where something lies."""

    def warn(self, text: str) -> None:
        """One line about something that is not as it should be but does not stop the work."""

    def preview(self, path: Path) -> None:
        """A picture of the work so far was written to `path`."""

    def take_stop(self) -> bool:
        """True once for each time that a person asked to stop. Loops with a usable result so far end with it."""

    def listen(self, keys: Mapping[str, str]) -> None:
        """From now on the work hears wishes: key to press -> its name. An empty mapping: not any more."""

    def take_wish(self) -> str | None:
        """The name of the next wish that a person uttered since `listen`; None when there is none."""


def check(reporter: Reporter) -> None:
    """Raise `Cancelled` when a person asked to stop: for loops that have no usable partial result."""
    if reporter.take_stop():
        raise Cancelled("Stopped on request. What was finished is kept; the same command continues.")


class Silent:
    """Reports nothing, is never told to stop."""

    def start(self, task: str, total: int | None, unit: str = "frames") -> None: ...  # noqa: D102
    def advance(self, done: int, **figures: float | str) -> None: ...  # noqa: D102
    def finish(self) -> None: ...  # noqa: D102
    def note(self, text: str) -> None: ...  # noqa: D102
    def warn(self, text: str) -> None: ...  # noqa: D102
    def preview(self, path: Path) -> None: ...  # noqa: D102
    def take_stop(self) -> bool:  # noqa: D102
        return False

    def listen(self, keys: Mapping[str, str]) -> None: ...  # noqa: D102
    def take_wish(self) -> str | None:  # noqa: D102
        return None


class Recorder(Silent):
    """Keeps what a stage said: for tests, logs and the summary of a pipeline.

    Attributes:
        notes, warnings: the lines said.
        tasks: names of the tasks started.
        previews: pictures written.
        stop: set to True to ask the stage to stop.
        wishes: names of what the stage is asked for, first come first.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.tasks: list[str] = []
        self.previews: list[Path] = []
        self.stop = False
        self.wishes: list[str] = []

    def start(self, task: str, total: int | None, unit: str = "frames") -> None:  # noqa: D102
        self.tasks.append(task)

    def note(self, text: str) -> None:  # noqa: D102
        self.notes.append(text)

    def warn(self, text: str) -> None:  # noqa: D102
        self.warnings.append(text)

    def preview(self, path: Path) -> None:  # noqa: D102
        self.previews.append(path)

    def take_stop(self) -> bool:  # noqa: D102
        asked, self.stop = self.stop, False
        return asked

    def take_wish(self) -> str | None:  # noqa: D102
        return self.wishes.pop(0) if self.wishes else None
