"""Tasks on processes of this machine. Processes are spawned anew (no fork: threads and GPUs do not survive one).

A process that dies (killed for memory, say) breaks the pool of the standard library; here its tasks are given to a new
pool, as often as `ATTEMPTS` says. So tasks have to leave on disk what is finished, and to find it again.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, Final, TypeVar

from konterfei.errors import Cancelled, KonterfeiError

Task = TypeVar("Task")
Result = TypeVar("Result")

ATTEMPTS: Final = 3
"""How often a task is begun before its process's death is taken for its own fault."""
_LISTEN_S: Final = 0.1


class Stopped(Exception):
    """Raised in a worker by `Voice.check`: the others are asked to stop, too."""


class Voice:
    """How a task in a process of its own speaks to the one that started it.

    Args:
        words: where to.
        stop: set when work shall end.
    """

    def __init__(self, words: Any, stop: Any) -> None:
        self._words, self._stop = words, stop

    def say(self, word: Any) -> None:
        """Send something that can be pickled."""
        self._words.put(word)

    @property
    def is_stopped(self) -> bool:
        """Whether work shall end."""
        return bool(self._stop.is_set())

    def check(self) -> None:
        """Raise `Stopped` when work shall end."""
        if self.is_stopped:
            raise Stopped


class LocalExecutor:
    """Runs tasks on processes of this machine.

    Args:
        processes: how many at once.
    """

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def map(
        self,
        function: Callable[[Task, Voice], Result],
        tasks: Sequence[Task],
        heard: Callable[[Any], None],
        asked_to_stop: Callable[[], bool],
    ) -> list[Result]:
        """`function` of each task, in the order of `tasks`.

        Args:
            function: of a module, so that other processes find it; raises KonterfeiErrors for a person to read. It is
                called again with the same task where its process died.
            tasks: can be pickled.
            heard: is told what tasks `say`; called in this thread.
            asked_to_stop: looked at all the time; True once ends the work.

        Raises:
            Cancelled: it was asked to stop.
            KonterfeiError: a task failed so, or its process died again and again.
        """
        context = multiprocessing.get_context("spawn")
        results: dict[int, Result] = {}
        for attempt in range(1, ATTEMPTS + 1):
            left = [n for n in range(len(tasks)) if n not in results]
            # new ones each time: a process that dies may take the queue's lock with it
            words, stop = context.SimpleQueue(), context.Event()
            pool = ProcessPoolExecutor(min(self.processes, len(left)) or 1, context, _begin, (words, stop))
            try:
                with pool:
                    futures = {pool.submit(_guarded, function, tasks[n]): n for n in left}
                    try:
                        self._gather(futures, results, words, heard, asked_to_stop, stop)
                    except BaseException:
                        stop.set()
                        pool.shutdown(cancel_futures=True)
                        raise
                break
            except BrokenProcessPool as error:
                if attempt == ATTEMPTS:
                    raise KonterfeiError(
                        f"A process that worked on this died {ATTEMPTS} times; the system may have killed it for lack "
                        "of memory. What was finished is kept: the same command with fewer --processes continues."
                    ) from error
            finally:
                words.close()
        return [results[n] for n in range(len(tasks))]

    @staticmethod
    def _gather(
        futures: dict[Future[Any], int],
        results: dict[int, Any],
        words: Any,
        heard: Callable[[Any], None],
        asked_to_stop: Callable[[], bool],
        stop: Any,
    ) -> None:
        waiting = set(futures)
        while waiting:
            done, waiting = wait(waiting, timeout=_LISTEN_S, return_when=FIRST_COMPLETED)
            _drain(words, heard)  # what a task said is there before its result
            for future in done:
                failure, result = future.result()
                if failure is not None:
                    raise failure.error()
                results[futures[future]] = result
            if waiting and asked_to_stop():
                stop.set()
                while wait(waiting, timeout=_LISTEN_S).not_done:
                    _drain(words, heard)
                raise Cancelled("Stopped on request. What was finished is kept; the same command continues.")


class _Failure:
    """An error of ours on its way to another process; errors with arguments of their own do not survive pickling."""

    def __init__(self, error: KonterfeiError) -> None:
        self._kind, self._text = type(error), str(error)

    def error(self) -> KonterfeiError:
        made = self._kind.__new__(self._kind)
        made.args = (self._text,)
        return made


_voice: Voice | None = None


def _begin(words: Any, stop: Any) -> None:
    """A process of the pool begins."""
    global _voice
    _voice = Voice(words, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all; the starter passes it on
    threading.Thread(target=_end_with_the_starter, daemon=True).start()


def _end_with_the_starter() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _guarded(function: Callable[[Any, Voice], Any], task: Any) -> tuple[_Failure | None, Any]:
    assert _voice is not None
    if _voice.is_stopped:
        return None, None
    try:
        return None, function(task, _voice)
    except Stopped:
        return None, None
    except KonterfeiError as error:
        return _Failure(error), None


def _drain(words: Any, heard: Callable[[Any], None]) -> None:
    while not words.empty():
        heard(words.get())
