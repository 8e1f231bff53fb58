"""What does making samples cost, as a share of a training step? In processor time, on one thread.

Batches of the sampler and training steps take turns in one process; with its parts, each measured by itself on the
same faces. Faces are random pictures, kept at 1.5 times the network's side as in training. Samples are made by a thread
beside the step, so on a machine with a core to spare their share is not felt at all.

    python benchmarks/sampling.py                         liae-ud 128 px, batch 8, and quick
    python benchmarks/sampling.py --only quick --rounds 20

The last line of each case is NAME share X.X %: of the step's time, by the medians.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np
import torch
from train_step import CASES, our_trainer

from konterfei.training.augment import AugmentSettings, draw_placement, draw_warp, place, place_warped
from konterfei.training.data import OVERSAMPLING, Sampler, TrainingFaces
from konterfei.training.dealing import seed_of
from konterfei.training.presets import GENTLE

SETTINGS = {"liae-ud_128_b8": AugmentSettings(), "quick": GENTLE}


def faces(side: int, count: int, seed: int) -> TrainingFaces:
    chance = np.random.RandomState(seed)
    pixels = np.empty((count, side, side, 4), np.uint8)
    for k in range(count):
        coarse = chance.randint(0, 256, (12, 12, 4), np.uint8)
        pixels[k] = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return TrainingFaces(pixels)


def milliseconds(task: Callable[[], object]) -> float:
    started = time.process_time()
    task()
    return 1e3 * (time.process_time() - started)


def parts_of(sampler: Sampler, repeats: int = 200) -> dict[str, float]:
    """Milliseconds of each part, for one sample."""
    side, settings = sampler.resolution, sampler.augment
    picture, chance = sampler.src.pixels[0], np.random.RandomState(1)
    placement, warp = draw_placement(chance, side, settings), draw_warp(chance, side)
    parts = {
        "a seed, and chance from it": lambda: np.random.RandomState(seed_of(1, 2, 3, 4)),
        "placement, drawn": lambda: draw_placement(chance, side, settings),
        "warp, drawn": lambda: draw_warp(chance, side),
        "straight sample": lambda: place(picture, placement, side),
        "bent sample": lambda: place_warped(picture, placement, warp),
    }
    return {
        name: min(milliseconds(lambda part=part: [part() for _ in range(repeats)]) for _ in range(5)) / repeats
        for name, part in parts.items()
    }


def measure(name: str, rounds: int) -> None:
    case = CASES[name]
    side = case["dims"][0]
    src, dst = (faces(int(side * OVERSAMPLING), 200, seed) for seed in (1, 2))
    sampler = Sampler(src=src, dst=dst, resolution=side, batch=case["batch"], seed=1, augment=SETTINGS[name])
    step = our_trainer(case)
    step()
    sampler.batch_at(0)
    batches, steps = [], []
    for k in range(rounds):
        batches += [milliseconds(lambda n=n: sampler.batch_at(n)) for n in range(10 * k + 1, 10 * k + 11)]
        steps.append(milliseconds(step))
    print(f"{name}: {case}, {2 * case['batch']} samples a step")
    for what, values in (("batch", batches), ("step", steps)):
        print(f"  {what:28}{min(values):9.2f} ms at least, {statistics.median(values):9.2f} median")
    for part, value in parts_of(sampler).items():
        print(f"  {part:28}{value:9.3f} ms a sample")
    print(f"{name} share {100 * statistics.median(batches) / statistics.median(steps):.1f} %\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=SETTINGS, help="cases; none = all")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    for name in args.only or SETTINGS:
        measure(name, args.rounds)


if __name__ == "__main__":
    main()
