"""How much memory a training takes."""

from __future__ import annotations

import sys
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
