"""Learning curves: how good is the swap of each preset after so many minutes? Trains, merges, measures, draws.

    python benchmarks/learning_curves.py --out OUT                              # synthetic performers, with the truth
    python benchmarks/learning_curves.py --out OUT quick cpu --seeds 1 2 3 --marks 2,5,10,20 --until 5
    python benchmarks/learning_curves.py --out OUT quick --src S.faces --dst D.faces --test CLIP --consent C.toml
    python benchmarks/learning_curves.py --out OUT --score                      # train nothing: score what is there
    python benchmarks/learning_curves.py --out OUT --tell                       # table and pictures of what is there

Without --src, the data are clips of two fictional people that are rendered here: a src (P006, seed 1) and a dst (P005,
seed 2) of 24 s to learn from, and 12 s of dst in another motion (seed 3) to be judged on. The true swap of these
exists: src in dst's place. Every preset trains towards the last of the marks, as by --minutes, on one thread, and its
minutes are those of the *processor*: machines are shared. (--clock wall: minutes of the clock, for a GPU or a machine
of one's own.) At each mark the weights are kept as a run of their own, OUT/PRESET/at_005.0, merged onto the test clip
with nothing but defaults, and measured by `konterfei evaluate`, with the truth where it is known.

Killed or stopped (Ctrl-C), the same command goes on: from a checkpoint that is two minutes old at most, or where a mark
was not scored. Marks of trainings that are there are adopted when preset, seed and facesets are the same. Written to
OUT: learning_curves.jsonl (a line for each mark), learning_curves.md, learning_curves.png, learning_curves.jpg.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

from learning_pictures import TRUE_SWAP, draw_curves, draw_sheet, table
from learning_scores import Material, RealScorer, given, rendered

from konterfei.cli.console import ConsoleReporter
from konterfei.cli.stopping import stop_requests
from konterfei.errors import Cancelled, ConfigError, KonterfeiError
from konterfei.io.atomic import replace_folder, write_json, write_text
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest, plain
from konterfei.io.run import Run
from konterfei.training.held_out import hold_out
from konterfei.training.presets import PRESETS

MARKS = (2.0, 5.0, 10.0, 20.0, 40.0)
USUAL = ("quick", "cpu", "quick96", "standard", "amp")
CHECKPOINT_S = 120.0
AT_ONCE = 8
"""Marks that are scored together where they lie ready: plate and truth are looked at once for all of them."""


@dataclass(frozen=True)
class Candidate:
    """One training."""

    preset: str
    seed: int = 1
    base: str = "none"
    """Weights that it begins with: "default", "none" or a path."""
    held_out: float = 0.0
    """Share of the faces that it never sees."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.preset if self.seed == 1 else f"{self.preset}_s{self.seed}"


@dataclass(frozen=True)
class Trained:
    """Where a training stands: steps, minutes, whether it came to its end."""

    steps: int
    minutes: float
    is_done: bool


Trainer = Callable[[Candidate, Path, float, float], Trained]
"""Trains a candidate in a folder up to so many minutes, of a run that has so many in all."""


class Scorer(Protocol):
    """Measures swaps."""

    def made_with(self, run: Path | None) -> dict[str, Any]:
        """What the figures of a run depend on; None = of the true swap."""

    def __call__(self, runs: Mapping[str, Path | None]) -> dict[str, dict[str, Any]]:
        """Figures of the runs in these folders, by name."""


# --- training


class Stopwatch(ConsoleReporter):
    """Draws the progress, and stops a training when its time is over."""

    left_s = float("inf")
    """Of the training that begins next."""
    clock = staticmethod(time.process_time)
    _end = float("inf")

    def start(self, task: str, total: int | None, unit: str = "frames") -> None:
        super().start(task, total, unit)
        self._end = self.clock() + self.left_s if task == "training" else float("inf")

    def take_stop(self) -> bool:
        return super().take_stop() or self.clock() >= self._end


@dataclass(frozen=True)
class RealTrainer:
    """`konterfei train`, its minutes counted by the processor's clock or the one on the wall."""

    material: Material
    watch: Stopwatch
    is_wall: bool = False
    device: str = "auto"

    def __call__(self, candidate: Candidate, folder: Path, until: float, end: float) -> Trained:
        from konterfei.stages.train import TrainConfig, train
        from konterfei.training import loop

        if self.is_wall:
            self.watch.clock = time.monotonic
        else:
            loop.time = SimpleNamespace(monotonic=time.process_time)
        stands = _standing(folder)
        if stands is not None and stands.minutes >= until:
            return stands
        self.watch.left_s = 60 * (until - (stands.minutes if stands else 0.0)) if until < end else float("inf")
        config = TrainConfig(
            src=self.material.src, dst=self.material.dst, output=folder, preset=candidate.preset, minutes=end,
            seed=candidate.seed, threads=0 if self.is_wall else 1, device=self.device, held_out=candidate.held_out,
            validate_minutes=1e6, preview_seconds=1e6, checkpoint_seconds=CHECKPOINT_S, base=candidate.base,
        )  # fmt: skip
        result = train(config, self.watch)
        return Trained(result.steps, result.minutes, not result.is_stopped)


def base_of(candidate: Candidate) -> str | None:
    """Checksum of the base that a training begins with; None = from scratch.

    Raises:
        ConfigError: the preset has no base of its own.
        DamagedFileError: the file is none.
    """
    from konterfei.models.bases import read_base
    from konterfei.weights.bases import BASES, FILE_NAME

    if candidate.base == "none":
        return None
    if candidate.base == "default":
        if candidate.preset not in BASES:
            raise ConfigError(f"The preset '{candidate.preset}' has no base yet: say which, by its path.")
        return BASES[candidate.preset].sha256
    return read_base(path / FILE_NAME if (path := Path(candidate.base)).is_dir() else path).sha256


def _standing(folder: Path) -> Trained | None:
    """Where the run in `folder` stands by its newest checkpoint, if its weights are there for use."""
    if not Run.exists(folder):
        return None
    run = Run.open(folder)
    checkpoint = run.newest_checkpoint()
    if checkpoint is None or not run.has_snapshot(checkpoint.step):
        return None
    return Trained(checkpoint.step, checkpoint.state["progress"]["trained_s"] / 60, False)


def mark_folder(out: Path, candidate: Candidate, mark: float) -> Path:
    """Where the weights of a mark lie."""
    return out / candidate.name / f"at_{mark:05.1f}"


def to_marks(
    candidate: Candidate, marks: Sequence[float], until: float, out: Path, material: Material, trainer: Trainer | None
) -> Iterator[float]:
    """Train to each mark up to `until`, and keep the weights there; gives the marks whose weights lie ready.

    Without a trainer, those that are there already.

    Raises:
        ConfigError: what lies there was trained otherwise, or has gone past a mark.
        Cancelled: a person stopped it.
    """
    run = out / candidate.name / "run"
    for mark in (mark for mark in marks if mark <= until):
        target = mark_folder(out, candidate, mark)
        if Run.exists(target):
            refuse_other(target, candidate, material, marks[-1])
        elif trainer is None:
            continue
        else:
            stands = trainer(candidate, run, mark, marks[-1])
            if stands.minutes < 0.98 * mark and not stands.is_done:
                raise Cancelled("Stopped on request. The same command goes on from here.")
            if stands.minutes > 1.2 * mark + 1:
                raise ConfigError(
                    f"'{run}' has trained for {stands.minutes:.1f} minutes, past the mark of {mark:g}. Remove "
                    f"'{run.parent}' to begin anew, or leave that mark out."
                )
            keep(run, stands, target)
        yield mark


def keep(run: Path, stands: Trained, target: Path) -> None:
    """Copy what a merge needs of a run, and how long it took."""
    new = target.with_name(f".tmp-{target.name}")
    shutil.rmtree(new, ignore_errors=True)
    (new / "snapshots").mkdir(parents=True)
    for name in ("config.json", "manifest.json", "metrics.jsonl"):
        if (run / name).exists():
            shutil.copy(run / name, new / name)
    weights = run / "snapshots" / f"{stands.steps:08d}.safetensors"
    shutil.copy(weights, new / "snapshots" / weights.name)
    write_json(new / "trained.json", {"steps": stands.steps, "minutes": round(stands.minutes, 3)})
    replace_folder(new, target)


def refuse_other(folder: Path, candidate: Candidate, material: Material, end: float) -> None:
    """Raise ConfigError where the run of a mark is not the one that would be trained now."""
    run, manifest = Run.open(folder), Manifest.load(folder)
    held_out = run.config.get("held_out") or {}
    settings = {} if manifest is None else manifest.settings
    told, resolved = settings.get("config", {}), settings.get("resolved")
    expected: dict[str, tuple[Any, Any]] = {
        "preset": (run.config.get("preset"), candidate.preset),
        "seed": (run.config.get("seed"), candidate.seed),
        "settings of the preset": (resolved, plain(PRESETS[candidate.preset])),
        "base": ((run.config.get("base") or {}).get("sha256"), base_of(candidate)),
        "faces held out": (held_out, held_of(candidate, material)),
        "minutes in all": (told.get("minutes") or end, end),
    }
    for person in ("src", "dst"):
        now = Faceset.open(getattr(material, person)).content_hash()
        expected[f"faces of {person}"] = ((run.config.get(person) or {}).get("hash"), now)
    other = [name for name, (there, wanted) in expected.items() if there != wanted]
    if other:
        raise ConfigError(f"'{folder}' was trained otherwise ({', '.join(other)}). Choose another --out, or remove it.")


def held_of(candidate: Candidate, material: Material) -> dict[str, list[str]]:
    """The faces of each person that it never sees."""
    if not candidate.held_out:
        return {}
    people = {person: Faceset.open(getattr(material, person)).records() for person in ("src", "dst")}
    held = {person: hold_out(records, candidate.held_out) for person, records in people.items()}
    return held if all(held.values()) else {}


# --- scoring


class Log:
    """The file of lines: one for each candidate and mark, the newest counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = self._read()

    def _read(self) -> dict[tuple, dict[str, Any]]:
        text = self.path.read_text("utf-8") if self.path.exists() else ""
        return {self._key(line): line for line in map(json.loads, text.splitlines())}

    @staticmethod
    def _key(line: dict[str, Any]) -> tuple:
        return (line["preset"], line["seed"], line["mark"])

    def known(self, line: dict[str, Any]) -> bool:
        """Whether that mark was scored from the same."""
        there = self.lines.get(self._key(line))
        return there is not None and there["made_with"] == line["made_with"]

    def add(self, line: dict[str, Any]) -> None:
        """Put it in; on the disk at once, beside what others have added meanwhile."""
        self.lines = {**self._read(), self._key(line): line}
        write_text(self.path, "".join(json.dumps(line) + "\n" for line in self.lines.values()))


def trained_of(folder: Path) -> dict[str, Any]:
    """Steps and minutes of a mark's run; without a note of ours, by its name and manifest."""
    if (folder / "trained.json").exists():
        return json.loads((folder / "trained.json").read_text("utf-8"))
    manifest = Manifest.load(folder)
    assert manifest is not None
    return {"steps": manifest.results["steps"], "minutes": float(folder.name.removeprefix("at_"))}


def line_of(candidate: Candidate, mark: float, out: Path, scorer: Scorer) -> dict[str, Any]:
    """What is known of a mark before it is scored."""
    if candidate.preset == TRUE_SWAP:
        trained, folder = {"steps": 0, "minutes": 0.0}, None
    else:
        folder = mark_folder(out, candidate, mark)
        trained = trained_of(folder)
    about = {"preset": candidate.preset, "seed": candidate.seed, "mark": mark}
    return {**about, **trained, "made_with": scorer.made_with(folder)}


def score_marks(marks: Sequence[tuple[Candidate, float]], out: Path, log: Log, scorer: Scorer) -> list[str]:
    """Score those that were not; gives the names of what was scored now."""
    lines = {f"{candidate.name}_{mark:05.1f}": (candidate, mark) for candidate, mark in marks}
    todo = {name: line for name, key in lines.items() if not log.known(line := line_of(*key, out, scorer))}
    if not todo:
        return []
    runs = {name: None if not line["mark"] else mark_folder(out, *lines[name]) for name, line in todo.items()}
    for name, figures in scorer(runs).items():
        log.add({**todo[name], **figures})
    return list(todo)


def tell(out: Path, material: Material | None, log: Log, frame: int, unit: str) -> None:
    """Table, plot, and a sheet of faces."""
    lines = list(log.lines.values())
    text = table(lines)
    write_text(out / "learning_curves.md", text)
    draw_curves(lines, out / "learning_curves.png", unit)
    if material is not None:
        videos = {
            (line["preset"], line["mark"]): out / "scores" / f"{line['preset']}_{line['mark']:05.1f}.mp4"
            for line in lines
            if line["seed"] == 1 and line["preset"] != TRUE_SWAP
        }
        there = {key: path for key, path in videos.items() if path.exists()}
        left = {"plate": material.test} | ({"true swap": material.truth} if material.truth else {})
        draw_sheet(left, there, Faceset.open(material.test_faces), frame, out / "learning_curves.jpg")
    print(text)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", help=f"of {', '.join(PRESETS)}; none = {', '.join(USUAL)}")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--marks", default=",".join(f"{m:g}" for m in MARKS), help="minutes; the run ends at the last")
    parser.add_argument("--until", type=float, default=float("inf"), help="train no further than this mark")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--src", type=Path, help="faceset, in place of the performers; with --dst, --test, --consent")
    parser.add_argument("--dst", type=Path, help="faceset")
    parser.add_argument("--test", type=Path, help="clip of dst that is judged")
    parser.add_argument("--test-faces", type=Path, help="its faceset; default: made")
    parser.add_argument("--truth", type=Path, help="the test clip with src in dst's place, where that is known")
    parser.add_argument("--consent", type=Path, help="record of src")
    parser.add_argument("--clock", choices=("processor", "wall"), default="processor")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--every-nth", type=int, help="measure three frames out of every n; default: about 240 in all")
    parser.add_argument("--frame", type=int, default=100, help="of the test clip, shown in the sheet")
    parser.add_argument("--score", action="store_true", help="train nothing, score the marks that are there")
    parser.add_argument("--tell", action="store_true", help="train and score nothing")
    args = parser.parse_args(argv)
    args.marks = sorted(float(mark) for mark in args.marks.split(","))
    if args.src and not (args.dst and args.test and args.consent):
        parser.error("--src needs --dst, --test and --consent")
    for name in args.presets:
        if name not in PRESETS:
            parser.error(f"there is no preset '{name}'; there are {', '.join(PRESETS)}")
    return args


def work(args: argparse.Namespace, watch: Stopwatch) -> None:
    """All of it."""
    material = given(args, watch) if args.src else rendered(args.out / "data", watch)
    log = Log(args.out / "learning_curves.jsonl")
    unit = "processor minutes, one thread" if args.clock == "processor" else "minutes"
    if not args.tell:
        trainer = RealTrainer(material, watch, args.clock == "wall", args.device)
        scorer = RealScorer(material, args.out, watch, args.device, args.every_nth)
        pending = [(Candidate(TRUE_SWAP), 0.0)] if material.truth else []
        for candidate in (Candidate(preset, seed) for preset in args.presets or USUAL for seed in args.seeds):
            for mark in to_marks(
                candidate, args.marks, args.until, args.out, material, None if args.score else trainer
            ):
                pending.append((candidate, mark))
                if not args.score or len(pending) >= AT_ONCE:
                    score_marks(pending, args.out, log, scorer)
                    pending = []
        score_marks(pending, args.out, log, scorer)
    tell(args.out, material, log, args.frame, unit)


def main(argv: Sequence[str]) -> int:
    import cv2

    args = arguments(argv)
    cv2.setNumThreads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    with Stopwatch.on_stderr() as watch, stop_requests(watch.ask_to_stop):
        try:
            work(args, watch)
        except KonterfeiError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
