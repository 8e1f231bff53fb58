"""The processes of a training that uses several processors: who they are, how they start, meet and end.

Two ways lead here. `konterfei train --processes 2` is the first process itself and starts the others, on one machine;
`torchrun -m konterfei train` starts them all, on one machine or several, and each finds in its environment who it is.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from konterfei.errors import ConfigError, KonterfeiError, TrainingError
from konterfei.reporting import Reporter, check

if TYPE_CHECKING:
    import torch

    from konterfei.training.team import Team

_PATIENCE = timedelta(days=1)
"""How long processes wait for one another: a training may be halted over night. One that dies is noticed at once."""
_FAREWELL_S = 30.0


@dataclass(frozen=True)
class Place:
    """Which of the processes of a training this is.

    Attributes:
        number, size: its own, from 0, and how many there are.
        local, together: the same among those on this machine.
        is_launched: whether torchrun has started them all; the environment says how they find one another then.
        meeting: file by which they do otherwise.
    """

    number: int = 0
    size: int = 1
    local: int = 0
    together: int = 1
    is_launched: bool = False
    meeting: Path | None = None


def place_of(processes: int) -> Place:
    """The place of this process: what torchrun says, else the first of `processes`.

    Raises:
        ConfigError: both say something.
    """
    said = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")]
    if not all(value.isdecimal() for value in said):
        return Place(size=processes, together=processes)
    if processes > 1:
        raise ConfigError(f"--processes {processes}: torchrun has started {said[1]} processes already. Leave it out.")
    number, size, local, together = map(int, said)
    return Place(number, size, local, together, is_launched=True)


def check_place(place: Place, device: str, batch: int) -> None:
    """Refuse, before anything is written, what cannot be shared among processes.

    Args:
        place: of this process.
        device: as asked for.
        batch: samples per person and step.

    Raises:
        ConfigError: with the remedy.
    """
    if place.size == 1:
        return
    if batch % place.size:
        least = place.size * max(1, round(batch / place.size))
        raise ConfigError(
            f"--batch {batch} cannot be split evenly over {place.size} processes. Give a multiple of {place.size}, "
            f"for example --batch {least}."
        )
    processor_of(place, device)


def processor_of(place: Place, device: str) -> torch.device:
    """The processor that this process runs networks on: of several, each has a GPU of its own, or all share the CPU.

    Raises:
        ConfigError: the one asked for is not there, or cannot be shared.
    """
    import torch  # here, as below: it is slow to load

    from konterfei.models.devices import choose_device

    if place.size == 1:
        return choose_device(device)
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(
            f"--device {device}: with {place.size} processes give auto, cpu or cuda. Each process takes a GPU of "
            "its own; which ones, the environment variable CUDA_VISIBLE_DEVICES says."
        )
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    choose_device("cuda")
    if torch.cuda.device_count() < place.together:
        raise ConfigError(
            f"{place.together} processes want a GPU each; PyTorch finds {torch.cuda.device_count()}. Start fewer "
            "processes, or use --device cpu."
        )
    return torch.device("cuda", place.local)


Work = Callable[[Any, Place, Callable[[], None]], object]
"""What a process does that another one has started."""


@dataclass
class _Helper:
    process: SpawnProcess
    pipe: Connection
    is_ready: bool = False
    said: str = ""

    def listen(self) -> None:
        """Take down what it has said, if anything."""
        with suppress(EOFError, OSError):
            while self.pipe.poll():
                text = self.pipe.recv()
                self.is_ready, self.said = self.is_ready or not text, text


class Company:
    """The processes of one training, from the first one's side; a context manager that ends those that it started.

    Args:
        place: of this process.
        work: what each of the others does, as `work(argument, place, call)`: a function of a module. It calls `call`
            when it is ready, and meets the others then.
        argument: of `work`; is sent to them.
    """

    def __init__(self, place: Place, work: Work, argument: Any) -> None:
        self.place, self._work, self._argument = place, work, argument
        self._helpers: list[_Helper] = []
        self._means = ExitStack()

    def __enter__(self) -> Company:
        if self.place.size > 1 and not self.place.is_launched:
            with ExitStack() as means:
                folder = Path(means.enter_context(tempfile.TemporaryDirectory(prefix="konterfei-")))
                self.place = replace(self.place, meeting=folder / "meeting")
                means.enter_context(_within_this_machine())
                self._means = means.pop_all()
            with _unheard_by_others():
                self._helpers = [self._started(number) for number in range(1, self.place.size)]
        return self

    def _started(self, number: int) -> _Helper:
        place = replace(self.place, number=number, local=number)
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=_help, args=(self._work, self._argument, place, theirs), name=f"konterfei-{number}", daemon=True
        )
        process.start()
        theirs.close()
        return _Helper(process, ours)

    def meet(self, device: torch.device, reporter: Reporter) -> Team:
        """Wait until all are there. Raises TrainingError where one cannot come, Cancelled."""
        while not all(helper.is_ready for helper in self._helpers):
            check(reporter)
            wait([h.process.sentinel for h in self._helpers] + [h.pipe for h in self._helpers if not h.is_ready], 0.5)
            for helper in self._helpers:
                helper.listen()
            if gone := self._whereabouts():
                raise TrainingError(f"The training could not begin. {gone}")
        for helper in self._helpers:
            helper.pipe.send("")
        return meet(self.place, device, self._whereabouts)

    def _whereabouts(self) -> str:
        """What is known of the others that have ended; "" where none has. Waits a little: news may be on its way."""
        if wait([helper.process.sentinel for helper in self._helpers], 0.0 if self._is_waiting else 5.0):
            time.sleep(0.1)
        told = []
        for number, helper in enumerate(self._helpers, 2):
            helper.listen()
            code = helper.process.exitcode
            if helper.said or code is not None:
                words = helper.said or (f"was killed by signal {-code}" if code and code < 0 else f"ended with {code}")
                told.append(f"Process {number} (pid {helper.process.pid}): {words.rstrip('.')}.")
        return " ".join(told)

    @property
    def _is_waiting(self) -> bool:
        return not all(helper.is_ready for helper in self._helpers)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        part()
        for helper in self._helpers:
            helper.process.join(timeout=_FAREWELL_S if error is None else 0)
            helper.process.kill()
            helper.process.join()
            helper.pipe.close()
        self._means.close()


def _help(work: Work, argument: Any, place: Place, pipe: Connection) -> None:
    """All of the life of a process that another one has started."""

    def call() -> None:
        pipe.send("")
        pipe.recv()  # all are there; EOFError where the first one is gone

    try:
        work(argument, place, call)
    except EOFError:
        return
    except KonterfeiError as error:
        with suppress(OSError):
            pipe.send(str(error))
    except Exception as error:
        with suppress(OSError):
            pipe.send(f"{type(error).__name__}: {error}")
        raise


def meet(place: Place, device: torch.device, whereabouts: Callable[[], str] = str) -> Team:
    """Join the other processes; waits for them. One that is alone has nobody to meet.

    Args:
        place: of this process.
        device: it runs networks on.
        whereabouts: as of `Together`.
    """
    import torch
    import torch.distributed as dist

    from konterfei.training.team import ALONE, Together

    if place.size == 1:
        return ALONE

    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    if place.meeting is None:
        dist.init_process_group(backend, timeout=_PATIENCE)
    else:
        store = dist.FileStore(str(place.meeting), place.size)
        dist.init_process_group(backend, store=store, rank=place.number, world_size=place.size, timeout=_PATIENCE)
    return Together(whereabouts)


def part() -> None:
    """Leave the other processes, if any were met."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


# --- signals and environment


@contextmanager
def _within_this_machine() -> Iterator[None]:
    """Ports opened within it, by this process and those that it starts, can be reached from this machine alone."""
    names = [name for _, name in socket.if_nameindex()] if hasattr(socket, "if_nameindex") else []
    loopback = next((name for name in ("lo", "lo0") if name in names), None)
    chosen = [name for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") if name not in os.environ]
    if loopback is not None:
        os.environ.update(dict.fromkeys(chosen, loopback))
    try:
        yield
    finally:
        for name in chosen:
            os.environ.pop(name, None)


@contextmanager
def _unheard_by_others() -> Iterator[None]:
    """Processes started within it never hear Ctrl-C: the first one does, and tells them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def signals(disposition: signal.Handlers) -> Iterator[None]:
    """Within it, SIGINT and SIGTERM do this, in a process that torchrun has started: the first process decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(name, disposition) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
