"""How far a task is, how fast it goes and how long it will still take."""

from __future__ import annotations

from collections import deque

WINDOW_S = 30.0
"""The speed is that of the last so many seconds: long enough to be steady, short enough to follow a change."""


class Pace:
    """Progress of one task.

    A task that continues earlier work begins at its first report, so that a resumed one is not credited with speed.

    Args:
        total: units of work, None when unknown.
        now: seconds on the caller's clock.
    """

    def __init__(self, total: int | None, now: float) -> None:
        self.total, self.done = total, 0
        self._began, self._now = now, now
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, done: int, now: float) -> None:
        """`done` units are finished at `now` seconds."""
        self.done, self._now = done, now
        self._samples.append((now, done))
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the task began."""
        return self._now - self._began

    @property
    def rate(self) -> float | None:
        """Units a second, None until two reports are there."""
        if len(self._samples) < 2:
            return None
        (earlier, before), (later, after) = self._samples[0], self._samples[-1]
        return (after - before) / (later - earlier) if later > earlier else None

    @property
    def remaining_s(self) -> float | None:
        """Seconds still to go, None when that cannot be known."""
        rate = self.rate
        return None if not rate or self.total is None else max(self.total - self.done, 0) / rate


def clock(seconds: float) -> str:
    """Seconds as a person reads them: 0:07, 12:30, 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
