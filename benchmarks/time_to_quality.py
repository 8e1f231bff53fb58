"""What does a base model gain? Trains pairs of people from scratch and from a base, measures both at the same marks.

    python benchmarks/time_to_quality.py --out OUT --pairs pairs.toml                      # arms: none, base
    python benchmarks/time_to_quality.py --out OUT --pairs pairs.toml --arms none          # scratch alone, for example
    python benchmarks/time_to_quality.py --out OUT --pairs pairs.toml --only anna --seeds 1 2 3    # in one of processes
    python benchmarks/time_to_quality.py --out OUT --pairs pairs.toml --arms base base@15 big=big.safetensors@15
    python benchmarks/time_to_quality.py --out OUT --report --leak PORTRAITS.faces         # train and score nothing

`pairs.toml` names facesets; paths are relative to it. With `truth` the swap of performers is measured against the true
one, too: the src performer on the dst performer's set, in the motion of the clip that `test` was extracted from.

    [anna]
    src = "anna.faces"
    dst = "bella.faces"
    test = "bella_3.faces"                   # optional, with truth
    truth = "anna_on_bella_3.mp4"

An arm is a name; `none` begins from scratch, `base` with --base, others name theirs (NAME=BASE). All are told to end at
the last mark, so that their rate falls at the same time; NAME@MINUTES is a run that is told to end there. Minutes are
those of the *processor*, on one thread, and those of the training alone: machines are shared, and marks cost nothing.
Scores are of the faces that no arm of the pair trains on (`training.held_out`), as in `konterfei train`.

A preset that is too slow for this machine can be tried with narrower networks, as wide as its base (--share-of-width;
one for all of an OUT).

Killed or stopped (Ctrl-C), the same command goes on, from a checkpoint that is two minutes old at most. Several
processes may fill one OUT, each with trainings of its own. Written to OUT: PAIR/ARM_sSEED/at_MINUTES with weights (in
half precision), score.json and faces.jpg; time_to_quality.json, .md, .png and PAIR.jpg.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from learning_curves import Candidate, RealTrainer, Stopwatch, base_of, to_marks
from time_to_quality_report import report
from time_to_quality_scores import HELD_OUT, Judge, Pair, is_scored

from konterfei.cli.stopping import stop_requests
from konterfei.errors import ConfigError, KonterfeiError
from konterfei.io.atomic import make_folder, write_json
from konterfei.training.presets import PRESETS, Preset

MARKS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0)
_ARM = re.compile(r"(?P<name>[a-z0-9-]+)(=(?P<base>[^@]+))?(@(?P<end>[0-9.]+))?")


@dataclass(frozen=True)
class Arm(Candidate):
    """One training of a pair."""

    arm: str = "none"
    """What it is called."""

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.arm}_s{self.seed}"


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a TOML file. Raises ConfigError."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
        pairs = []
        for name, table in tables.items():
            if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
                raise ConfigError(f"{path}: '{name}' is to be the name of a folder: letters, digits, - and _.")
            given = {key: (path.parent / value).absolute() for key, value in table.items()}
            pairs.append(Pair(name=name, **given))
    except (OSError, tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path} does not name pairs: {error}. Each is a table with src and dst.") from error
    for pair in pairs:
        if (pair.test is None) != (pair.truth is None):
            raise ConfigError(f"{path}: the pair '{pair.name}' needs both test and truth, or none of them.")
    return pairs


def arms_of(args: argparse.Namespace) -> list[tuple[Arm, list[float]]]:
    """Each training that was asked for, with its marks; the last is its end."""
    found = []
    for seed in args.seeds:
        for text in args.arms:
            parts = _ARM.fullmatch(text)
            if parts is None:
                raise ConfigError(f"--arms {text}: write NAME, NAME=BASE or NAME@MINUTES; names in small letters.")
            name, end = parts["name"], float(parts["end"] or args.marks[-1])
            base = parts["base"] or {"none": "none", "base": args.base}.get(name)
            if base is None:
                raise ConfigError(f"--arms {text}: what does it begin with? Write {name}=PATH.")
            arm = name if parts["end"] is None else f"{name}@{end:g}"
            marks = [mark for mark in args.marks if mark < end] + [end]
            found.append((Arm(args.preset, seed, base, HELD_OUT, arm), marks))
    return found


def narrowed(preset: Preset, share: float) -> Preset:
    """The preset with narrower networks, as `konterfei pretrain --share-of-width` makes them."""
    dims = preset.dims
    widths = {name: max(1, round(share * getattr(dims, name))) for name in ("ae", "encoder", "decoder", "mask")}
    return replace(preset, dims=replace(dims, **widths))


def fill(pair: Pair, args: argparse.Namespace, watch: Stopwatch) -> Iterator[None]:
    """Train and score the arms of a pair; yields after each mark."""
    out = args.out / pair.name
    make_folder(out)
    write_json(out / "pair.json", {name: value and str(value) for name, value in asdict(pair).items()})
    judge = Judge(pair)
    trainer = None if args.score else RealTrainer(pair, watch)
    for arm, marks in arms_of(args):
        base_of(arm)  # before anything is written
        ready = []
        for mark in to_marks(arm, marks, args.until, out, pair, trainer):
            folder = out / arm.name / f"at_{mark:05.1f}"
            if not is_scored(folder, judge):
                watch.note(f"{pair.name}, {arm.name}, {mark:g} minutes: {judge.score(folder, arm, mark)}")
            ready.append(mark)
            yield
        if ready == marks:
            shutil.rmtree(out / arm.name / "run", ignore_errors=True)  # its checkpoints: nothing goes on from them


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=Path, help="TOML file, see above")
    parser.add_argument("--only", nargs="+", help="pairs of the file; default: all")
    parser.add_argument("--arms", nargs="+", default=["none", "base"])
    parser.add_argument("--base", default="default", help="what the arm of that name begins with: default, or a path")
    parser.add_argument("--preset", default="quick", choices=PRESETS)
    parser.add_argument("--share-of-width", type=float, default=1.0, help="of the preset's networks, as for pretrain")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--marks", default=",".join(f"{m:g}" for m in MARKS), help="minutes; runs end at the last")
    parser.add_argument("--until", type=float, default=float("inf"), help="train no further than this mark")
    parser.add_argument("--score", action="store_true", help="train nothing, score the marks that are there")
    parser.add_argument("--report", action="store_true", help="train and score nothing")
    parser.add_argument(
        "--leak", type=Path, nargs="+", default=[], help="facesets of the people whom the base was trained with"
    )
    args = parser.parse_args(argv)
    if not 0.1 <= args.share_of_width <= 1:
        parser.error(f"--share-of-width {args.share_of_width:g}: it goes from 0.1 to 1.")
    args.marks = sorted({float(mark) for mark in args.marks.split(",")})
    if not args.report and args.pairs is None:
        parser.error("--pairs is needed, but for --report")
    return args


def work(args: argparse.Namespace, watch: Stopwatch) -> None:
    """All of it."""
    if not args.report:
        pairs = read_pairs(args.pairs)
        unknown = set(args.only or ()) - {pair.name for pair in pairs}
        if unknown:
            raise ConfigError(f"{args.pairs} has no pair {' or '.join(sorted(unknown))}.")
        for pair in pairs:
            if not args.only or pair.name in args.only:
                for _ in fill(pair, args, watch):
                    pass
    print(report(args.out, args.leak, watch))


def main(argv: Sequence[str]) -> int:
    import cv2
    import torch

    args = arguments(argv)
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    PRESETS[args.preset] = narrowed(PRESETS[args.preset], args.share_of_width)  # for this process
    with Stopwatch.on_stderr() as watch, stop_requests(watch.ask_to_stop):
        try:
            work(args, watch)
        except KonterfeiError as error:
            print(error, file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
