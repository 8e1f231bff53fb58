"""What does a training step cost? Ours beside the plain recipe, in one run, in processor time.

For each case two processes are made, one with our step (forward, losses, backward, optimiser with smoothed weights),
one with that of `plain_recipe.py`, with the same weights and the same random batch; they take turns, a step each, and
only one runs at any time. Both run on one thread. Processor time is counted, not wall time: machines are shared. Both
must give the same loss at the first step, or the comparison is refused.

    python benchmarks/train_step.py                       all cases, 5 rounds
    python benchmarks/train_step.py --only quick --rounds 20
    python benchmarks/train_step.py --only liae-ud_128_b4 --against path/to/other/src   ours against ours

With --against the other process runs our step too, but takes konterfei from another folder: another branch or an
older version. Prints a table; the last line of each case is NAME ratio X.XX: the other's time by ours, by the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import zlib
from pathlib import Path

CASES: dict[str, dict] = {
    "liae-ud_128_b4": {"kind": "liae", "letters": "ud", "dims": (128, 256, 64, 64, 22), "batch": 4},
    "liae-ud_128_b8": {"kind": "liae", "letters": "ud", "dims": (128, 256, 64, 64, 22), "batch": 8},
    "df-udt_128_b8": {"kind": "df", "letters": "udt", "dims": (128, 256, 64, 64, 22), "batch": 8},
    "quick96_b4": {"kind": "df", "letters": "ud", "dims": (96, 128, 64, 64, 16), "batch": 4},
    "quick": {"kind": "df", "letters": "ud", "dims": (96, 128, 32, 24, 8), "batch": 4, "optimizer": "adam"},
}
"""dims: resolution, ae, encoder, decoder, mask. batch: per person. optimizer: ours; the plain recipe has AdaBelief."""

SAME = 0.02
"""Largest difference of the two first losses, as a share: ours is rounded to bfloat16 on the way."""


def shape_of(case: dict) -> dict:
    names, letters = ("resolution", "ae", "encoder", "decoder", "mask"), case["letters"]
    options = {"unit": "u" in letters, "double": "d" in letters, "deep": "t" in letters}
    return {**dict(zip(names, case["dims"], strict=True)), **options}


# --- in a process of its own


def fill(model) -> None:
    """Weights that follow from their names alone."""
    import torch

    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() > 1:
                generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
                drawn = torch.rand(p.shape, generator=generator) * 2 - 1
                p.copy_(drawn * (3 / p[0].numel()) ** 0.5)


def fixed_batch(case: dict) -> tuple:
    """Smooth random pictures and round masks, uint8: warped and target [2B, R, R, 3], mask [2B, R, R]."""
    import cv2
    import numpy as np

    side, count = case["dims"][0], 2 * case["batch"]
    chance = np.random.RandomState(1)
    coarse = chance.randint(0, 256, (2 * count, 8, 8, 3), np.uint8)
    pictures = np.stack([cv2.resize(c, (side, side), interpolation=cv2.INTER_CUBIC) for c in coarse])
    line = np.linspace(-1, 1, side)
    mask = np.where(line[:, None] ** 2 + line[None] ** 2 < 0.6, 255, 0).astype(np.uint8)
    return pictures[:count], pictures[count:], np.tile(mask, (count, 1, 1))


def our_trainer(case: dict):
    import torch

    from konterfei.models import MODELS, devices
    from konterfei.nets.dims import Dims
    from konterfei.training.data import RawBatch
    from konterfei.training.lesson import Lesson
    from konterfei.training.objectives import Objectives

    if hasattr(devices, "keep_memory"):  # --against a version that had none
        devices.keep_memory()  # as `konterfei train` does
    device = torch.device("cpu")
    model = MODELS.load(case["kind"])(Dims(**shape_of(case))).to(memory_format=torch.channels_last)
    fill(model)
    precision = devices.choose_precision("auto", device)
    lesson = Lesson(model, Objectives(), case.get("optimizer", "adabelief"), 1, device, precision)
    raw = RawBatch(*fixed_batch(case))
    count = 0

    def step() -> float:
        nonlocal count
        count += 1
        return float(lesson.step(raw, 1e-5, count, 0.999).sum()) * case["batch"]

    return step


def plain_trainer(case: dict):
    import torch
    from plain_recipe import PlainTrainer, Shape

    trainer = PlainTrainer(case["kind"], Shape(**shape_of(case)))
    fill(trainer.model)
    warped, target, mask = (torch.from_numpy(a).float() / 255 for a in fixed_batch(case))
    batch = [x.permute(0, 3, 1, 2).contiguous() for x in (warped, target)]
    return lambda: trainer.step(*batch, mask.unsqueeze(1), 1e-5)


def work(side: str, name: str) -> None:
    """Do a step for each line that comes in; tell its loss, processor seconds and the peak of memory."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = {"ours": our_trainer, "other": our_trainer, "plain": plain_trainer}[side](CASES[name])
    for _ in sys.stdin:
        started = time.process_time()
        loss = step()
        seconds = time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"loss": loss, "seconds": seconds, "peak_mib": peak}), flush=True)


# --- the measurement


class Side:
    """One of the two processes."""

    def __init__(self, side: str, name: str, source: Path):
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONPATH": str(source)}
        command = [sys.executable, __file__, "--work", side, name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.seconds: list[float] = []

    def step(self) -> dict:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a process of the benchmark ended early; see above")
        return json.loads(line)

    def close(self) -> None:
        self.process.communicate()


def measure(name: str, rounds: int, against: Path | None) -> float:
    own = Path(__file__).resolve().parents[1] / "src"
    sides = {"ours": Side("ours", name, own)}
    if against is None:
        sides["plain"] = Side("plain", name, own)
    else:
        sides["other"] = Side("other", name, against.resolve())
    first = {side: process.step()["loss"] for side, process in sides.items()}  # also warms up
    a, b = first.values()
    if abs(a - b) > SAME * abs(b):
        raise SystemExit(f"{name}: the two sides do not compute the same: losses {first}")
    for process in sides.values():
        process.step()
    peaks = {}
    for _ in range(rounds):
        for side, process in sides.items():
            told = process.step()
            process.seconds.append(told["seconds"])
            peaks[side] = told["peak_mib"]
    for process in sides.values():
        process.close()
    print(f"{name}: {CASES[name]}")
    print(f"{'':8}{'min ms':>10}{'median ms':>12}{'peak MiB':>12}{'first loss':>14}")
    for side, process in sides.items():
        low, middle = 1e3 * min(process.seconds), 1e3 * statistics.median(process.seconds)
        print(f"{side:8}{low:10.0f}{middle:12.0f}{peaks[side]:12.0f}{first[side]:14.5f}")
    ours, other = (process.seconds for process in sides.values())
    print(f"ratio of the smallest {min(other) / min(ours):.2f}, of {rounds} rounds, one thread, processor time")
    ratio = statistics.median(other) / statistics.median(ours)
    print(f"{name} ratio {ratio:.2f}\n", flush=True)
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=CASES, help="cases; none = all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="a folder with another konterfei, instead of the plain recipe")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(*args.work)
        return
    for name in args.only or CASES:
        measure(name, args.rounds, args.against)


if __name__ == "__main__":
    main()
