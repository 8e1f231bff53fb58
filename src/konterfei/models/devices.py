"""Which processor and which number format the networks run on."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from konterfei.errors import ConfigError, OutOfMemoryError

_FULL = ("out of memory", "can't allocate memory", "ALLOC_FAILED")
"""What PyTorch says of full memory where it raises a plain RuntimeError: of a GPU that other programs have filled, of
Apple's, of the machine's own, of the libraries below it."""


def choose_device(wanted: str = "auto") -> torch.device:
    """The processor to run on: "auto" takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        ConfigError: the one asked for is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return torch.device(next(name for name in ("cuda", "mps", "cpu") if there[name]))
    name, colon, number = wanted.partition(":")
    if name not in there or (colon and not number.isdecimal()):
        raise ConfigError(f"--device {wanted}: known are auto, {', '.join(there)} (cuda:1 for the second GPU).")
    if not there[name]:
        have = ", ".join(n for n, yes in there.items() if yes)
        raise ConfigError(f"--device {wanted}: PyTorch finds none here. It finds: {have}. Try --device auto.")
    count = torch.cuda.device_count() if name == "cuda" else 1
    if colon and int(number) >= count:
        raise ConfigError(f"--device {wanted}: PyTorch finds only {count} of that kind; they are counted from 0.")
    return torch.device(wanted)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is faster than float32 there (AVX-512 BF16 or AMX on a CPU, Ampere or later of NVIDIA)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return device.type == "cpu" and bool(torch.cpu._is_avx512_bf16_supported())


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Context in which networks run in `precision` ("bf16" or "fp32")."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


def is_full_memory(error: RuntimeError) -> bool:
    """Whether that is what PyTorch wants to say."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _FULL)


def free_memory(device: torch.device) -> None:
    """Give memory back that PyTorch keeps for later, or that rings of objects hold."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


@contextmanager
def memory_errors(device: torch.device, task: str, remedy: str = "") -> Iterator[None]:
    """Turns PyTorch's errors about full memory into `OutOfMemoryError`; every other is passed on as it is.

    Args:
        device: whose memory it is.
        task: what it is too small for, to be read after "to": "draw 8 faces at once".
        remedy: what to do about it, in whole sentences; to free memory or to use the CPU is told here.

    Raises:
        OutOfMemoryError: the block ran out of memory.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_full_memory(error):
            raise
        cause = ". ".join(str(error).split("\n")[0].split(". ")[:3]).rstrip(".")  # what follows is for programmers
        elsewhere = "" if device.type == "cpu" else ", or use --device cpu"
        raise OutOfMemoryError(
            f"The memory of '{device}' is too small to {task}. PyTorch says: {cause}. "
            f"{f'{remedy} Or close' if remedy else 'Close'} other programs that use it{elsewhere}."
        ) from error


def choose_precision(wanted: str, device: torch.device) -> str:
    """The number format: auto takes bf16 where it is faster than fp32. Raises ConfigError for any other word."""
    if wanted == "auto":
        return "bf16" if has_fast_bf16(device) else "fp32"
    if wanted not in ("bf16", "fp32"):
        raise ConfigError(f"--precision {wanted}: known are auto, bf16, fp32.")
    return wanted


def use_threads(threads: int, processes: int = 1) -> int:
    """Let torch use so many CPU threads; 0 = one per core, less one. Gives back the number used.

    Of several processes that work together on this machine each takes its share of the cores.

    One core is left for samples, decoding and the rest of the machine: a thread that waits for its turn holds up all
    others, at each layer. Measured on two cores with one busy: two threads did a tenth of the steps of one.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = threads or max(1, (cores - 1) // processes)
    torch.set_num_threads(count)
    return count


def keep_memory() -> None:
    """Let the C library keep freed memory for what is allocated next, instead of handing it back to the system.

    A step of training allocates and frees the same large arrays again and again. Handed back, each page of them is
    taken from the system and filled with zeros anew, which took a quarter of a step's time (docs/benchmarks.md). What
    the process takes at its peak stays the same; it keeps that until its end. Only glibc can be told so; elsewhere this
    does nothing.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):  # Windows, musl, macOS
        return
    trim_threshold, mmap_threshold, mmap_max = -1, -3, -4  # malloc.h
    mallopt(trim_threshold, 2**31 - 1)
    if not mallopt(mmap_threshold, 1 << 30):  # glibc before 2.35 takes at most 32 MiB
        mallopt(mmap_max, 0)
