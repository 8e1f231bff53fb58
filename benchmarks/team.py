"""How much faster do several processes train than one, at the same batch in all?

A plain training of `konterfei train` on faces that are random pictures: with one process, with several, with one, and
so on, each from the beginning. Only one training runs at a time. Steps a second are those between two reports, without
the first ones. The losses of both must agree, or the comparison is refused.

On a CPU every process has one thread, so that two processes have twice the cores of one. Steps a second are of wall
time: other work on the machine falls into them, and with fewer free cores than processes they say nothing. So processor
time of the first process is told as well (its part of the batch, its samples, the sums, the optimiser; not what it
waits): the ratio of these is what free cores could give at best.

    python benchmarks/team.py                                quick, two processes, 3 rounds of 120 steps
    python benchmarks/team.py --preset standard --processes 4 --batch 32 --device cuda

Prints a table; the last line is team ratio X.XX: steps a second of several by those of one, by the medians.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import cv2
import numpy as np

from konterfei.geometry import HEAD_68, Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.run import Run
from konterfei.reporting import Silent
from konterfei.stages.train import TrainConfig, train

SKIPPED = 2
"""Reports, of 20 steps each, that are not counted."""
SAME = 0.02
"""Largest difference of the first losses, as a share: bfloat16 rounds halves of a batch otherwise than the whole."""
SIDE = 192


def faceset(folder: Path, seed: int, count: int = 40) -> Path:
    """Smooth random pictures, all with the landmarks of one face."""
    chance, points = np.random.RandomState(seed), HEAD_68[:, :2] - HEAD_68[:, :2].min(0)
    points = (60 + 120 * points / np.ptp(points)).astype(np.float32)
    crop = Crop.fit(points, FaceType.WHOLE, SIDE)
    with Faceset.create(folder, FacesetHeader(face_type=FaceType.WHOLE, size=SIDE, source=f"{seed}.mp4")) as made:
        for index in range(count):
            picture = cv2.resize(
                chance.randint(0, 256, (12, 12, 3), np.uint8), (240, 240), interpolation=cv2.INTER_CUBIC
            )
            record = FaceRecord(
                source=f"{seed}.mp4",
                frame_index=index,
                pts=Fraction(index, 25),
                face=Face(box=np.array([*points.min(0), *points.max(0)]), landmarks=points, embedding=None),
                face_type=FaceType.WHOLE,
                size=SIDE,
                crop_from_frame=crop.crop_from_frame.matrix,
                frame_size=(240, 240),
            )
            made.add(crop.cut(picture), record)
    return folder


class Clock(Silent):
    """Takes down the processor time at which steps were done."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, float]] = []

    def advance(self, done: int, **figures: object) -> None:
        if "rate" in figures:
            self.seen.append((done, time.process_time()))

    def milliseconds(self) -> float:
        """Of a step, without the first ones."""
        counted = [entry for entry in self.seen if entry[0] >= 20 * SKIPPED]
        (a, began), (b, ended) = counted[0], counted[-1]
        return 1e3 * (ended - began) / max(1, b - a)


def speeds_and_loss(args: argparse.Namespace, processes: int, faces: dict[str, Path], output: Path) -> tuple:
    """Steps a second between the reports, processor time of a step in ms, and the loss of the first report."""
    batch = {} if args.batch is None else {"batch": args.batch}
    threads = 1 if args.device == "cpu" else 0
    config = TrainConfig(
        **faces,
        **batch,
        output=output,
        preset=args.preset,
        base="none",
        steps=args.steps,
        processes=processes,
        device=args.device,
        threads=threads,
        preview_seconds=1e6,
        checkpoint_seconds=1e6,
    )
    clock = Clock()
    train(config, clock)
    lines = Run.open(output).metrics()
    counted = lines[SKIPPED - 1 :]
    pairs = itertools.pairwise(counted)
    speeds = [(b["step"] - a["step"]) / max(0.05, b["trained_s"] - a["trained_s"]) for a, b in pairs]
    return speeds, clock.milliseconds(), lines[0]["src"] + lines[0]["dst"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch", type=int, help="samples per person and step in all; none = the preset's")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.steps < 20 * (SKIPPED + 1):
        parser.error(f"--steps {args.steps}: at least {20 * (SKIPPED + 1)}")
    speeds: dict[int, list[float]] = {1: [], args.processes: []}
    costs: dict[int, list[float]] = {1: [], args.processes: []}
    losses: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        faces = {person: faceset(folder / person, seed) for seed, person in enumerate(("src", "dst"))}
        for number in range(args.rounds):
            for processes in speeds:
                output = folder / f"{number}-{processes}"
                seen, cost, losses[processes] = speeds_and_loss(args, processes, faces, output)
                speeds[processes] += seen
                costs[processes].append(cost)
    one, several = losses[1], losses[args.processes]
    if abs(one - several) > SAME * one:
        raise SystemExit(f"they do not learn the same: losses of the first 20 steps {losses}")
    print(f"{args.preset} on {args.device}, {args.rounds} rounds of {args.steps} steps")
    print(f"{'processes':>10}{'median steps/s':>16}{'best':>8}{'worst':>8}{'processor ms':>14}{'first loss':>12}")
    for processes, seen in speeds.items():
        middle = statistics.median(seen)
        print(
            f"{processes:10}{middle:16.2f}{max(seen):8.2f}{min(seen):8.2f}{statistics.median(costs[processes]):14.0f}{losses[processes]:12.4f}"
        )
    cost_of_one, cost = (statistics.median(costs[n]) for n in (1, args.processes))
    print(
        f"ratio of the best {max(speeds[args.processes]) / max(speeds[1]):.2f}, "
        f"of processor time {cost_of_one / cost:.2f}"
    )
    print(f"team ratio {statistics.median(speeds[args.processes]) / statistics.median(speeds[1]):.2f}")


if __name__ == "__main__":
    main()
