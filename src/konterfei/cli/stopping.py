"""Ctrl-C: once asks the work to stop at its next safe point, again before it got there aborts at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SAID = b"\nStopping at the next safe point. Ctrl-C again stops at once.\n"


@contextmanager
def stop_requests(ask: Callable[[], bool]) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM call `ask`.

    Args:
        ask: takes down the wish to stop; False when an earlier wish has not been heard yet, which aborts.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        if not ask():
            raise KeyboardInterrupt
        os.write(2, _SAID)  # not print: a handler may interrupt a print

    before: dict[signal.Signals, Any] = {}
    try:
        for name in (signal.SIGINT, signal.SIGTERM):
            before[name] = signal.signal(name, on_signal)
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
