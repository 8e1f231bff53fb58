"""How long the steps of a merge take."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


class Clock:
    """Adds up how long each step takes, on any thread."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """What was added up since the last call."""
        with self._lock:
            taken, self.seconds = self.seconds, {}
        return taken

    def waiting(self, items: Iterable[Any], step: str) -> Iterator[Any]:
        """The items, with the time that they take to come."""
        iterator = iter(items)
        while True:
            with self(step):
                item = next(iterator, None)
            if item is None:
                return
            yield item
