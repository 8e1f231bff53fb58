"""How much memory there is, and how much of it a training takes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import torch


def memory_text(device: torch.device) -> str:
    """Memory of this process, and of the GPU where it trains on one: "1.9 GB", "1.9 GB, GPU 5.2 of 80 GB".

    "" where the system does not tell.
    """
    parts = []
    if (resident := resident_bytes()) is not None:
        parts.append(f"{resident / 1e9:.2g} GB")
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        parts.append(f"GPU {(total - free) / 1e9:.2g} of {total / 1e9:.2g} GB")
    return ", ".join(parts)


def resident_bytes() -> int | None:
    """Bytes of memory that this process holds now (on macOS: at most so far); None where that is not known."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def free_bytes(device: torch.device) -> int | None:
    """Bytes of the processor's memory that are free now; None where that is not known (Apple's)."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    free = [left for limit, left in _groups()]
    information = Path("/proc/meminfo")
    if information.is_file():
        lines = information.read_text().splitlines()
        free += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(free, default=None)


def machine_bytes() -> int | None:
    """Bytes of memory of the machine, or of the part of it that this process may use (a container); None = unknown."""
    whole = [limit for limit, _ in _groups()]
    with suppress(ValueError, OSError, AttributeError):
        whole.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(whole, default=None)


def _groups(root: Path = Path("/")) -> list[tuple[int, int]]:
    """Limits of the control groups of Linux that this process is in, and what is left of them, bytes."""
    membership = root / "proc/self/cgroup"
    if not membership.is_file():
        return []
    found = []
    for line in membership.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        mount = root / "sys/fs/cgroup" / controllers
        names = ("memory.max", "memory.current") if not controllers else (_OLD_LIMIT, "memory.usage_in_bytes")
        own = mount / path.lstrip("/")
        for folder in (own, *own.parents):
            if not folder.is_relative_to(mount):
                break
            found += _limit_in(folder, *names)
    return found


_OLD_LIMIT = "memory.limit_in_bytes"
_NO_LIMIT = 1 << 60  # what the first version of control groups says where there is none is larger


def _limit_in(folder: Path, limit_file: str, usage_file: str) -> list[tuple[int, int]]:
    """The limit of one group and what is left of it; the cache of files counts as free. [] = none."""
    try:
        limit = int((folder / limit_file).read_text())
        usage = int((folder / usage_file).read_text())
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # "max", or no such file
        return []
    if limit >= _NO_LIMIT:
        return []
    counted = {words[0]: int(words[1]) for words in lines if len(words) == 2}
    cache = counted.get("total_inactive_file", counted.get("inactive_file", 0))
    return [(limit, max(0, limit - usage + cache))]
