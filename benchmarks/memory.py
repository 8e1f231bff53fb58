"""Is the memory of a training predicted rightly? `footprint` beside what a process really took.

For each case a process of its own makes model and judges and does three steps of random samples; counted is the most
memory that it held meanwhile (VmHWM of Linux), less what it held before. Kernels' own scratch memory and what the
allocator rounds up are in the measured figure only.

    python benchmarks/memory.py                 all cases
    python benchmarks/memory.py --only quick    those whose names begin so

The format is the one that a training would take on this machine, unless the case names one.

Prints a line for each case: NAME predicted X.XX GB, measured X.XX GB, ratio X.XX (measured by predicted).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CASES: dict[str, dict[str, Any]] = {
    "quick": {"preset": "quick"},
    "quick_b16": {"preset": "quick", "batch": 16},
    "quick_b16_fp32": {"preset": "quick", "batch": 16, "precision": "fp32"},
    "quick_b16_by_4": {"preset": "quick", "batch": 16, "samples": 4},
    "quick_b16_by_4_again": {"preset": "quick", "batch": 16, "samples": 4, "repeats": True},
    "quick_b16_gan": {"preset": "quick", "batch": 16, "objectives": {"gan_power": 0.1}},
    "quick_b16_gan_styles": {
        "preset": "quick",
        "batch": 16,
        "objectives": {"gan_power": 0.1, "face_style_power": 1.0, "bg_style_power": 1.0, "true_face_power": 0.01},
    },
    "quick96": {"preset": "quick96"},
    "quick96_dropout": {"preset": "quick96", "objectives": {"lr_dropout": "yes"}},
    "standard": {"preset": "standard"},
    "standard_fp32": {"preset": "standard", "precision": "fp32"},
    "standard_by_2_again": {"preset": "standard", "samples": 2, "repeats": True},
    "amp": {"preset": "amp"},
    "amp_by_2_again_fp32": {"preset": "amp", "samples": 2, "repeats": True, "precision": "fp32"},
}
"""preset; what differs from it; how a step is cut."""


def figures_of(case: dict[str, Any]) -> dict[str, float]:
    """Bytes predicted and measured, in this process."""
    import numpy as np
    import torch

    from konterfei.models import MODELS
    from konterfei.models.devices import choose_precision, keep_memory
    from konterfei.training.data import RawBatch
    from konterfei.training.footprint import footprint
    from konterfei.training.lesson import Lesson
    from konterfei.training.objectives import Objectives
    from konterfei.training.presets import PRESETS
    from konterfei.training.thrift import Thrift

    torch.set_num_threads(1)
    keep_memory()
    chosen, cpu = PRESETS[case["preset"]], torch.device("cpu")
    batch, precision = case.get("batch", chosen.batch), case.get("precision") or choose_precision("auto", cpu)
    objectives = Objectives(**case.get("objectives", {}))
    thrift = Thrift(case.get("samples", 0), case.get("repeats", False))
    model = MODELS.load(chosen.model)
    predicted = footprint(model, chosen.dims, objectives, chosen.optimizer, batch, precision, thrift)
    side = chosen.dims.resolution

    chance = np.random.RandomState(1)
    pixels = chance.randint(0, 256, (2 * batch, side, side, 3), np.uint8)
    raw = RawBatch(pixels, pixels, np.full((2 * batch, side, side), 255, np.uint8), pixels[..., 0])

    def train(network: Any, some: Any, way: Any) -> None:
        lesson = Lesson(network, objectives, chosen.optimizer, 1, cpu, precision)
        lesson.save_memory(way)
        for count in (1, 2, 3):
            lesson.step(some, 1e-5, count, 0.9)

    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    train(model(chosen.dims).to(memory_format=torch.channels_last), raw, thrift)
    return {"predicted": predicted, "measured": held("VmHWM") - before}


def held(what: str) -> int:
    """Bytes of this process, now (VmRSS) or at most so far (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))


def measured(case: dict[str, Any]) -> dict[str, float]:
    """The same, in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--case", json.dumps(case)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cases whose names begin so")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(figures_of(json.loads(given.case))))
        return
    for name, case in CASES.items():
        if name.startswith(given.only):
            found = measured(case)
            ratio = found["measured"] / found["predicted"]
            print(
                f"{name:24} predicted {found['predicted'] / 1e9:.2f} GB, measured {found['measured'] / 1e9:.2f} GB, "
                f"ratio {ratio:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
