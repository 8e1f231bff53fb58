"""How fast does a training converge? The plain recipe, our engine with the same settings, and preset quick.

All train on the same two facesets, but for faces that are held out, each on one thread, for the same *processor* time
(machines are shared), sampling included. At marks in between the swap of the held-out faces is scored
(`konterfei.training.validation`) and the loss on them measured, neither moved nor bent; with the weights as they would
be used: smoothed ones of ours, the bare ones of the plain recipe, which has no others.

    python benchmarks/convergence.py --src src_faces --dst dst_faces --out out     # train, table, plot
    python benchmarks/convergence.py --src src_faces --dst dst_faces --out out "preset quick"
    python benchmarks/convergence.py --out out --tell                       # table and plot of what is there

"plain recipe" is `plain_recipe.py`: float32, NCHW, eager, DeepFaceLab's rate and placement. "our engine, same settings"
has its network, first weights, samples, optimiser and rate, so only what makes a step of ours faster, and smoothing,
differ. Killed, each goes on from its checkpoint. The last line is: convergence ratio X.XX (same settings), Y.YY
(quick): the plain recipe's time by that in which ours came to the loss on held-out faces that it ended with. The line
before tells the same by the total score, which jumps from mark to mark: its expression is a correlation over 32 faces.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from plain_recipe import PlainTrainer, Shape

from konterfei.detectors import DETECTORS
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics.observation import Eyes
from konterfei.models import MODELS
from konterfei.models.base import Batch
from konterfei.models.devices import choose_precision, keep_memory
from konterfei.models.swapper import Swapper
from konterfei.nets.dims import Dims
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Silent
from konterfei.training.augment import AugmentSettings
from konterfei.training.data import RawBatch, Sampler, TrainingFaces, load_faces, memory_for_faces
from konterfei.training.held_out import hold_out
from konterfei.training.lesson import Lesson
from konterfei.training.loop import train_step
from konterfei.training.losses import measure
from konterfei.training.objectives import Objectives
from konterfei.training.plan import Budget, Progress, Schedule
from konterfei.training.presets import PRESETS
from konterfei.training.validation import Validator

SEED = 1
MARKS = (0.5, 1, 2, 3, 4.5, 6.5, 9, 12)
"""Processor minutes at which is scored, besides the end."""
COLORS = ("#666666", "#2f6db5", "#c2553f", "#b08a2f", "#8a5fb0", "#3d8a5f", "#3f8fa8")
HELD_SRC, HELD_DST = 0.05, 0.15
"""Shares of faces that are held out."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Candidate:
    """One way to train.

    Attributes:
        is_plain: by `plain_recipe.py`.
        end_warp: whether samples are warped while the rate falls.
        begins_as: the candidate that it is equal to up to this share of the time; that one must have run.
    """

    model: str
    dims: Dims
    batch: int
    optimizer: str
    schedule: Schedule
    augment: AugmentSettings
    is_plain: bool = False
    end_warp: bool = True
    begins_as: tuple[str, float] | None = None


_QUICK, _QUICK96 = PRESETS["quick"], PRESETS["quick96"]
_OURS = Candidate(_QUICK.model, _QUICK.dims, _QUICK.batch, _QUICK.optimizer, _QUICK.schedule, _QUICK.augment)
_SAEHD = replace(  # its default optimiser, rate, which never changes, and placement
    _OURS, optimizer="adabelief", schedule=Schedule(rate=5e-5, warmup=1, hold=2.0), augment=AugmentSettings()
)
CANDIDATES: dict[str, Candidate] = {
    "plain recipe": replace(_SAEHD, is_plain=True),
    "our engine, same settings": _SAEHD,
    "preset quick": _OURS,
    "quick, no warp at the end": replace(_OURS, end_warp=False, begins_as=("preset quick", 0.7)),
    "quick, rate falls from half": replace(
        _OURS, schedule=replace(_OURS.schedule, hold=0.5), begins_as=("preset quick", 0.5)
    ),
    "plain recipe, Quick96": replace(_SAEHD, dims=_QUICK96.dims, is_plain=True),
    "our engine, Quick96": replace(_SAEHD, dims=_QUICK96.dims),
}
"""The first three are the benchmark; the others are asked for by name."""
MAIN = tuple(CANDIDATES)[:3]


class Ours:
    """Our step."""

    def __init__(self, chosen: Candidate) -> None:
        keep_memory()  # as `konterfei train` does
        torch.manual_seed(SEED)
        model = MODELS.load(chosen.model)(chosen.dims).to(memory_format=torch.channels_last)
        self.precision = choose_precision("auto", CPU)
        self.lesson = Lesson(model, Objectives(), chosen.optimizer, SEED, CPU, self.precision)

    def step(self, raw: RawBatch, rate: float, step: int) -> float:
        return float(train_step(self.lesson, raw, rate, step).sum())

    def weights(self) -> dict[str, torch.Tensor]:
        flat = self.lesson.learner.flat
        return {name: view.clone() for name, view in flat.by_name(flat.ema).items()}

    def state(self) -> dict:
        return {key: torch.from_numpy(array) for key, array in self.lesson.learner.tensors().items()}

    def load(self, state: dict) -> None:
        self.lesson.learner.load({key: tensor.numpy() for key, tensor in state.items()})


class Plain:
    """The plain recipe's step, with the first weights of ours."""

    precision = "fp32"

    def __init__(self, chosen: Candidate) -> None:
        torch.manual_seed(SEED)
        first = MODELS.load(chosen.model)(chosen.dims).state_dict()
        self.trainer = PlainTrainer(chosen.model, Shape(**{k: getattr(chosen.dims, k) for k in Shape.__annotations__}))
        self.trainer.model.load_state_dict(first)
        self.batch = chosen.batch

    def step(self, raw: RawBatch, rate: float, step: int) -> float:
        warped, target = (
            torch.from_numpy(a).permute(0, 3, 1, 2).contiguous().float() / 255 for a in (raw.warped, raw.target)
        )
        mask = torch.from_numpy(raw.mask).unsqueeze(1).float() / 255
        return self.trainer.step(warped, target, mask, rate) / self.batch

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in self.trainer.model.state_dict().items()}

    def state(self) -> dict:
        return {"weights": self.trainer.model.state_dict(), "moments": self.trainer.optimizer.moments}

    def load(self, state: dict) -> None:
        self.trainer.model.load_state_dict(state["weights"])
        for own, saved in zip(self.trainer.optimizer.moments, state["moments"], strict=True):
            for tensor, value in zip(own, saved, strict=True):
                tensor.copy_(value)


class Material:
    """Faces to train on, faces held out, and who judges them."""

    def __init__(self, src: Path, dst: Path, dims: Dims) -> None:
        sets = Faceset.open(src), Faceset.open(dst)
        held = [hold_out(s.records(), share) for s, share in zip(sets, (HELD_SRC, HELD_DST), strict=True)]
        eyes = Eyes(
            DETECTORS.load("yunet")(threads=1),
            LANDMARKERS.load("mesh478")(threads=1),
            RECOGNIZERS.load("mobilefacenet")(threads=1),
        )
        self.validator = Validator(*sets, *held, eyes)
        both = [
            _divided(faceset, names, dims.resolution, name)
            for faceset, names, name in zip(sets, held, ("src", "dst"), strict=True)
        ]
        self.src, self.dst = (used for used, _ in both)
        count = min(len(unused) for _, unused in both)
        self.held = _as_they_are([unused for _, unused in both], count, dims.resolution)

    def score(self, chosen: Candidate, trainer: Ours | Plain) -> dict:
        model = MODELS.load(chosen.model)(chosen.dims)
        model.load_state_dict(trainer.weights())
        swapper = Swapper(model, FaceType.FULL, {}, "cpu", trainer.precision)
        with torch.no_grad():  # not inference mode: what losses keep for later is made here
            terms = measure(model, self.held, Objectives(), trainer.precision)
        held_loss = float(terms.src + terms.dst) / (len(self.held.mask) / 2)
        return {**self.validator.score(swapper).to_json(), "held_loss": held_loss}


def _divided(faceset: Faceset, held: list[str], side: int, name: str) -> tuple[TrainingFaces, TrainingFaces]:
    """The faces without those held out, and those."""
    used = [n for n in faceset.names() if n not in set(held)]
    first, second = (
        load_faces(faceset, FaceType.FULL, side, memory_for_faces(), Silent(), name, without=names)
        for names in (held, used)
    )
    return first, second


def _as_they_are(people: list[TrainingFaces], count: int, side: int) -> Batch:
    """`count` faces of each, neither moved nor bent."""
    chosen = [p.pixels[np.linspace(0, len(p) - 1, count).round().astype(int)] for p in people]
    small = np.stack([cv2.resize(f, (side, side), interpolation=cv2.INTER_AREA) for f in np.concatenate(chosen)])
    pixels = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255
    return Batch(pixels[:, :3], pixels[:, :3].contiguous(), pixels[:, 3:].contiguous())


def run(name: str, args: argparse.Namespace) -> None:
    """Train one candidate to the end of its time, from its checkpoint where there is one."""
    chosen = CANDIDATES[name]
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    material = Material(args.src, args.dst, chosen.dims)
    trainer = Plain(chosen) if chosen.is_plain else Ours(chosen)
    sampler = Sampler(
        src=material.src, dst=material.dst, resolution=chosen.dims.resolution, batch=chosen.batch, seed=SEED,
        augment=chosen.augment,
    )  # fmt: skip
    straight = replace(sampler, augment=replace(chosen.augment, warp=0.0))
    folder = _folder(args.out, name)
    folder.mkdir(parents=True, exist_ok=True)
    log, saved = folder / "log.jsonl", folder / "checkpoint.pt"
    if chosen.begins_as and not saved.exists():
        parent, share = chosen.begins_as
        shutil.copy(_folder(args.out, parent) / "log.jsonl", log)
        shutil.copy(_folder(args.out, parent) / f"at_{share}.pt", saved)
    progress, scored, wall = Progress(), 0, 0.0
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        trainer.load(state["trainer"])
        progress, scored, wall = Progress(**state["progress"]), state["scored"], state["wall"]
        known = [line for line in log.read_text().splitlines() if json.loads(line)["step"] <= progress.step]
        log.write_text("".join(f"{line}\n" for line in known))
    forks = {c.begins_as[1] for c in CANDIDATES.values() if c.begins_as and c.begins_as[0] == name}
    progress.adopt(Budget(steps=10**6, minutes=args.minutes))
    marks = [60 * m for m in MARKS if m < args.minutes]
    losses, next_save, began = [], progress.trained_s + 180, time.monotonic() - wall
    while not progress.is_done:
        before = time.process_time()
        is_falling = chosen.schedule.part_at(progress.step, progress.total) == "falling"
        raw = (straight if is_falling and not chosen.end_warp else sampler).batch_at(progress.step)
        rate = chosen.schedule.at(progress.step, progress.total)
        losses.append(trainer.step(raw, rate, progress.step))
        progress.step += 1
        progress.trained_s += time.process_time() - before
        if progress.step % 20 == 0:
            progress.estimate(progress.step / progress.trained_s, chosen.schedule.hold)
            _write(log, progress, began, loss=float(np.mean(losses)), rate=rate)
            losses = []
        is_mark = scored < len(marks) and progress.trained_s >= marks[scored]
        if is_mark or progress.is_done:
            _write(log, progress, began, **material.score(chosen, trainer))
            scored, next_save = scored + is_mark, 0.0
        for share in forks:
            if progress.step >= share * progress.total and not (folder / f"at_{share}.pt").exists() and not losses:
                _save(folder / f"at_{share}.pt", trainer, progress, scored, time.monotonic() - began)
        if not losses and progress.trained_s >= next_save:
            next_save = progress.trained_s + 180
            _save(saved, trainer, progress, scored, time.monotonic() - began)
    _save(saved, trainer, progress, scored, time.monotonic() - began)


def _folder(out: Path, name: str) -> Path:
    return out / name.replace(" ", "_").replace(",", "")


def _write(log: Path, progress: Progress, began: float, **figures: float | None) -> None:
    when = {"step": progress.step, "cpu_s": progress.trained_s, "wall_s": time.monotonic() - began}
    line = {key: value if value is None else round(value, 6) for key, value in {**when, **figures}.items()}
    with log.open("a") as file:
        file.write(json.dumps(line) + "\n")
    if "total" in line:
        print(log.parent.name, json.dumps(line), flush=True)


def _save(target: Path, trainer: Ours | Plain, progress: Progress, scored: int, wall: float) -> None:
    state = {"trainer": trainer.state(), "progress": asdict(progress), "scored": scored, "wall": wall}
    torch.save(state, target.with_suffix(".new"))
    target.with_suffix(".new").replace(target)


# --- what came of it

FIGURES = ("total", "identity", "expression", "distance", "sharpness", "ssim_dst", "held_loss")
_LOW = ("held_loss", "distance")  # lower is better


def reached(lines: list[dict], figure: str, wanted: float) -> float | None:
    """Processor seconds after which a figure was as good as `wanted` and stayed so; None = not by the end.

    Between two marks it is taken to go straight. The first mark, if it is good enough already: no earlier is known.
    """
    sign = -1 if figure in _LOW else 1
    good = [line[figure] is not None and sign * line[figure] >= sign * wanted for line in lines]
    if not good or not good[-1]:
        return None
    first = max((i for i, is_good in enumerate(good) if not is_good), default=-1) + 1
    after, before = lines[first], lines[first - 1] if first else None
    if before is None or before[figure] is None:
        return after["cpu_s"]
    share = (wanted - before[figure]) / (after[figure] - before[figure])
    return before["cpu_s"] + share * (after["cpu_s"] - before["cpu_s"])


def tell(out: Path) -> None:
    logs = {
        name: [json.loads(line) for line in (_folder(out, name) / "log.jsonl").read_text().splitlines()]
        for name in CANDIDATES
        if (_folder(out, name) / "log.jsonl").exists()
    }
    scores = {name: [line for line in lines if "total" in line] for name, lines in logs.items()}
    print(f"| | minutes: processor, wall | steps | {' | '.join(FIGURES)} |\n|---|---|---|{'---|' * len(FIGURES)}")
    for name, lines in scores.items():
        for line in lines:
            told = " | ".join("" if line[f] is None else f"{line[f]:.3f}" for f in FIGURES)
            print(f"| {name} | {line['cpu_s'] / 60:.1f}, {line['wall_s'] / 60:.1f} | {line['step']} | {told} |")
    plot(logs, out / "convergence.png")
    if not set(MAIN) <= set(scores):
        return
    plain = scores[MAIN[0]]
    end = plain[-1]
    print("\n| as good as the plain recipe at the end | " + " | ".join(FIGURES) + f" |\n|---|{'---|' * len(FIGURES)}")
    print("| its figure | " + " | ".join(f"{end[f]:.3f}" for f in FIGURES) + " |")
    ratios = {}
    for name in MAIN[1:]:
        times = {figure: reached(scores[name], figure, end[figure]) for figure in FIGURES}
        told = [f"{t / 60:.2f} min, {end['cpu_s'] / t:.2f}" if t else "not reached" for t in times.values()]
        print(f"| {name} | {' | '.join(told)} |")
        ratios[name] = [f"{end['cpu_s'] / t:.2f}" if (t := times[f]) else "not reached" for f in ("total", "held_loss")]
    (total, loss), (quick_total, quick_loss) = (ratios[name] for name in MAIN[1:])
    print(f"by the total score: {total} (same settings), {quick_total} (quick)")
    print(f"convergence ratio {loss} (same settings), {quick_loss} (quick)")


def plot(logs: dict[str, list[dict]], target: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    figure = Figure(figsize=(14.0, 8.0), dpi=100, facecolor="white", layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    panels = {"held_loss": "loss on held-out faces, as they are", "total": "validation: total score",
              "identity": "validation: identity (cosine to src)", "expression": "validation: expression (correlation)",
              "distance": "validation: landmarks moved, % of eye distance"}  # fmt: skip
    for number, (name, lines) in enumerate(logs.items()):
        losses = [line for line in lines if "loss" in line]
        marks = [line for line in lines if "total" in line]
        style = {"color": COLORS[number], "linestyle": "-" if name in MAIN else "--", "linewidth": 1.6}
        minutes, values = (np.array([line[key] for line in losses]) for key in ("cpu_s", "loss"))
        axes[0].plot(minutes / 60, values, color=COLORS[number], linewidth=0.6, alpha=0.25)
        place = (8 * np.log(minutes)).round()  # means over a twelfth of the time so far
        groups = [place == p for p in np.unique(place)]
        axes[0].plot(*([x[g].mean() for g in groups] for x in (minutes / 60, values)), label=name, **style)
        for axis, panel in zip(axes[1:], panels, strict=True):
            axis.plot([line["cpu_s"] / 60 for line in marks], [line[panel] for line in marks], marker=".", **style)
    for axis, title in zip(axes, ("loss in training, each on samples of its own kind", *panels.values()), strict=True):
        axis.set_title(title, fontsize=10)
        axis.set_xscale("log")
        axis.set_xticks([0.5, 1, 2, 4, 8, 15])
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.minorticks_off()
        axis.set_xlabel("processor minutes, one thread", fontsize=9)
        axis.grid(alpha=0.25)
        axis.set_xlim(left=0.25)
    axes[0].set_ylim(0, 5)
    axes[1].set_ylim(0, 4)
    axes[0].legend(fontsize=8)
    FigureCanvasAgg(figure).print_png(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path)
    parser.add_argument("--dst", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=15, help="processor minutes of each")
    parser.add_argument("--tell", action="store_true", help="train nothing")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(CANDIDATES)}; none = the first three")
    args = parser.parse_args()
    if not args.tell:
        if args.src is None or args.dst is None:
            parser.error("--src and --dst are needed to train")
        for name in args.names or MAIN:  # a process each: what ours does to the memory would help the plain recipe
            process = multiprocessing.get_context("spawn").Process(target=run, args=(name, args))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"'{name}' ended early; see above. The same command goes on from its checkpoint.")
    tell(args.out)


if __name__ == "__main__":
    main()
