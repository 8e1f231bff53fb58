"""Single keys from the terminal, without Enter, while a work listens for them. Ctrl-C stays what it is."""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from types import FrameType
from typing import Any

try:
    import termios
except ImportError:  # Windows: no keys; Ctrl-C and `konterfei tell` are there
    termios = None  # type: ignore[assignment]

_LOOK_EVERY_S = 0.2


class Keyboard:
    """Hears keys on a terminal between `start` and `stop`.

    The terminal is set to give each key at once and not to show it; `stop` sets it back. A process in the background
    does not touch the terminal, else the shell would halt it; back in the foreground it hears again.

    Args:
        terminal: file descriptor.
    """

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._before: list[Any] | None = None
        self._on_continue: Any = None
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def of_person(cls) -> Keyboard | None:
        """That of the person at the terminal; None where nobody sits there, or keys cannot be heard."""
        if termios is None or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        return cls(sys.stdin.fileno())

    def start(self, keys: Collection[str], heard: Callable[[str], None]) -> None:
        """From now on `heard` is called, on a thread of its own, with each of `keys` that is pressed."""
        self.stop()
        with suppress(termios.error):
            self._before = termios.tcgetattr(self._terminal)
        if self._before is None:
            return
        self._is_over = threading.Event()
        self._prepare()
        if threading.current_thread() is threading.main_thread():
            self._on_continue = signal.signal(signal.SIGCONT, self._continued)
        self._thread = threading.Thread(
            target=self._hear, args=(frozenset(keys), heard, self._is_over), name="konterfei-keys", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Hear nothing any more; the terminal is as it was."""
        if self._thread is None:
            return
        self._is_over.set()
        self._thread.join(timeout=2)
        self._thread = None
        if self._on_continue is not None:
            signal.signal(signal.SIGCONT, self._on_continue)
            self._on_continue = None
        if self._before is not None and self._is_in_front():
            with suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        self._before = None

    def _prepare(self) -> None:
        assert self._before is not None
        if self._is_in_front():
            wanted = [*self._before[:6], list(self._before[6])]
            wanted[3] &= ~(termios.ICANON | termios.ECHO)  # ISIG stays: Ctrl-C and Ctrl-Z
            wanted[6][termios.VMIN], wanted[6][termios.VTIME] = 1, 0
            with suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, wanted)

    def _continued(self, number: int, frame: FrameType | None) -> None:
        """After Ctrl-Z and fg: the shell has set the terminal to its own ways."""
        self._prepare()

    def _is_in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            return False

    def _hear(self, keys: frozenset[str], heard: Callable[[str], None], is_over: threading.Event) -> None:
        while not is_over.is_set():
            try:
                is_ready = bool(select.select([self._terminal], [], [], _LOOK_EVERY_S)[0])
                if not is_ready:
                    continue
                if not self._is_in_front():
                    is_over.wait(_LOOK_EVERY_S)
                    continue
                pressed = os.read(self._terminal, 64)
            except (OSError, ValueError):
                return  # the terminal is gone
            if not pressed:
                return
            for key in pressed.decode("ascii", errors="ignore").replace("\r", "\n").lower():
                if key in keys:
                    heard(key)
