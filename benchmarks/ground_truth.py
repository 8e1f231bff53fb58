"""How good are our swaps, measured against the true ones?

For each case of a table (who onto whom, and what makes it hard) two performers are rendered, a model is trained on one
performance (src with motion 1, dst with motion 2), merged with the default settings onto dst in another one (motion 3),
and the result is compared with the true swap: src rendered with motion 3 on dst's set. What makes a case hard is in the
plate alone, unless the case says otherwise; such cases share one training. Beside the model stand rows that say where
its errors come from:

    plate             no swap at all: the floor
    model             what was trained
    oracle            a perfect model: src's true face in the light that the model has seen it in, cut as extract does
    oracle_lit        the same in dst's light: what is better now is what differing light costs
    oracle_uncolored  and no colour transfer: what is better now is what it spoils in a face whose colours were right
    oracle_exact      and exact landmarks in place of those found
    oracle_sharp      and 256 px instead of the model's: what is left is mask, blending, detail, encoding

    python benchmarks/ground_truth.py --out out --minutes 20            every case, 20 processor minutes each
    python benchmarks/ground_truth.py --out out --cases plain,beard --steps 3000 --preset quick --seeds 1,2,3
    python benchmarks/ground_truth.py --out out --small                 one case in about a minute: does it work?

Writes results.jsonl, table.md and summary.html (with pictures) into --out. The same command again goes on; what is done
is not done again.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import ground_truth_page as page
import ground_truth_scores as scores
from ground_truth_oracles import ORACLES, Oracle, exact_faces

from konterfei.io.atomic import write_text
from konterfei.performers import PerformerConfig, render_performer
from konterfei.provenance.consent import Consent
from konterfei.reporting import Silent
from konterfei.stages.extract import ExtractConfig, extract
from konterfei.stages.merge import MergeConfig, merge
from konterfei.stages.train import TrainConfig, train

SRC_MOTION, DST_MOTION, TEST_MOTION = 1, 2, 3
NOTED_S = 20.0
"""Processor time after which it is written down how much was used."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """Who onto whom, and what makes it hard.

    Attributes:
        about: in words, for the table.
        src, dst: performers.
        shot: settings of `PerformerConfig` for all that is on dst's set: training, plate and truth.
        test: further ones for plate and truth only: what training has not seen.
    """

    about: str
    src: str
    dst: str
    shot: Mapping[str, Any] = field(default_factory=dict)
    test: Mapping[str, Any] = field(default_factory=dict)


def _pair(src: str, dst: str, about: str, **shot: Any) -> Case:
    return Case(src=src, dst=dst, about=about, shot=shot)


def _unseen(about: str, **test: Any) -> Case:
    """One pair, trained on the usual material alone, and a plate that is harder."""
    return Case(src="P006", dst="P007", about=f"as plain; {about}", test=test)


CASES: dict[str, Case] = {
    "plain": _pair("P006", "P007", "woman onto a man with curls"),
    "beard": _pair("P006", "P005", "woman onto a bearded man"),
    "shaven": _pair("P005", "P006", "bearded man onto a woman"),
    "alike": _pair("P010", "P006", "two dark-haired women in one light"),
    "fair": _pair("P002", "P001", "fair-skinned woman onto a brown-skinned woman"),
    "dark": _pair("P001", "P002", "brown-skinned woman onto a fair-skinned woman"),
    "hair": _pair("P007", "P008", "man with curls onto a man with long hair"),
    "turned": _pair("P006", "P007", "head turns twice as far, in training too", wide=True),
    "turned_unseen": _unseen("the plate's head turns twice as far", wide=True),
    "expressions": _unseen("every expression one by one", style="expressions"),
    "lively": _unseen("moves half as fast again", style="lively"),
    "passing_light": _unseen("a lamp wanders around the head", light="passing"),
    "screen_light": _unseen("a television's light in a dark room", light="screen"),
    "dimming": _unseen("exposure down to a third and back", light="dimming"),
    "side_light": _unseen("a hard lamp from the side", light="side"),
    "hand": _unseen("a hand touches mouth, eye and cheek", occluder="hand"),
    "cup": _unseen("a cup is drunk from", occluder="cup"),
    "strands": _unseen("strands of hair blow across", occluder="hair"),
    "glasses": _unseen("dst wears glasses", occluder="glasses"),
    "handheld": _unseen("camera held in the hands", camera="handheld"),
    "zoom": _unseen("camera comes near and goes back", camera="zoom"),
    "blur": _unseen("lively, with a film's motion blur", style="lively", shutter=0.5),
    "crowd": _unseen("people pass behind", background="moving"),
}


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How much of everything.

    Attributes:
        size: side of the clips, px.
        train_s, test_s: length of the clips, seconds.
        fps: frames per second of the clips.
        every: three neighbouring frames out of so many are measured.
        oracles: which of `ORACLES`.
        model: settings of `TrainConfig` beside the preset.
    """

    size: int = 512
    train_s: float = 24.0
    test_s: float = 12.0
    fps: Fraction = Fraction(25)
    every: int = 9
    oracles: tuple[str, ...] = tuple(ORACLES)
    model: Mapping[str, Any] = field(default_factory=dict)


SMALL = Scale(
    size=192,
    train_s=6.0,
    test_s=2.0,
    fps=Fraction(10),
    every=3,
    oracles=("oracle", "oracle_lit"),
    model={"resolution": 64, "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 8, "batch": 4},
)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long to train: steps, or minutes of processor time."""

    steps: int | None = None
    minutes: float | None = None

    def __str__(self) -> str:
        return f"{self.steps}-steps" if self.steps is not None else f"{self.minutes:g}-minutes"


class Clock(Silent):
    """Asks training to stop when so much processor time is used; machines are shared, so not wall time.

    Args:
        seconds: until then.
        note: told now and then how many were used, so that a kill does not lose count.
    """

    def __init__(self, seconds: float, note: Callable[[float], None]) -> None:
        self.began = self.noted = time.process_time()
        self.end, self.note_spent = self.began + seconds, note

    def take_stop(self) -> bool:
        now = time.process_time()
        if now - self.noted >= NOTED_S:
            self.noted = now
            self.note_spent(now - self.began)
        return now >= self.end


@dataclass(frozen=True)
class Material:
    """What a case is made of: clips and facesets.

    Attributes:
        src, dst: facesets to train on.
        plate, plate_faces: dst in another performance.
        truth, truth_faces: the true swap.
        own_light, own_light_faces: src in that performance on the own set, as a model has learned to draw.
    """

    src: Path
    dst: Path
    plate: Path
    plate_faces: Path
    truth: Path
    truth_faces: Path
    own_light: Path
    own_light_faces: Path


def _named(one: str, other: str, settings: Mapping[str, Any], name: str = "") -> str:
    """A folder's name that says what is in it."""
    told = "-".join(f"{key}-{value}" for key, value in sorted(settings.items()))
    return "_".join(filter(None, (one, other, name, told)))


def prepare(case: Case, scale: Scale, out: Path) -> Material:
    """Renders the clips and finds their faces; cases share what is equal."""
    clips = out / "clips"

    def rendered(person: str, seed: int, seconds: float, name: str, **settings: Any) -> tuple[Path, Path]:
        clip = clips / _named(person, f"motion{seed}", settings, name) / "clip.mp4"
        clip.parent.mkdir(parents=True, exist_ok=True)
        common = {"size": scale.size, "fps": scale.fps, "sound": False}
        config = PerformerConfig(person=person, output=clip, seconds=seconds, seed=seed, **common, **settings)
        render_performer(config, Silent())
        extract(ExtractConfig(video=clip, output=clip.with_name("faces"), threads=1), Silent())
        return clip, clip.with_name("faces")

    test = {**case.shot, **case.test}
    _, src = rendered(case.src, SRC_MOTION, scale.train_s, "src")
    _, dst = rendered(case.dst, DST_MOTION, scale.train_s, "dst", **case.shot)
    plate = rendered(case.dst, TEST_MOTION, scale.test_s, "plate", **test)
    truth = rendered(case.src, TEST_MOTION, scale.test_s, "truth", set_of=case.dst, **test)
    own_light = rendered(case.src, TEST_MOTION, scale.test_s, "own")
    return Material(src, dst, *plate, *truth, *own_light)


def trained(material: Material, scale: Scale, preset: str, seed: int, budget: Budget, run: Path) -> tuple[int, float]:
    """Trains, or goes on training; nothing when that is done. Returns steps and processor minutes."""
    config = TrainConfig(
        src=material.src, dst=material.dst, output=run, preset=preset, base="none", seed=seed, threads=1,
        preview_seconds=1e6, checkpoint_seconds=120, held_out=0.0, **scale.model,
    )  # fmt: skip
    spent_file = run.with_name("spent.json")
    spent = json.loads(spent_file.read_text()) if spent_file.exists() else {"minutes": 0.0, "steps": 0, "total": None}
    if spent.get("done"):
        return spent["steps"], spent["minutes"]

    def slice_of(steps: int, seconds: float) -> None:
        before = spent["minutes"]

        def note(used: float) -> None:
            spent["minutes"] = before + used / 60
            spent_file.parent.mkdir(parents=True, exist_ok=True)
            write_text(spent_file, json.dumps(spent))

        clock = Clock(seconds, note)
        try:
            spent["steps"] = train(replace(config, steps=steps), clock).steps
        finally:
            note(time.process_time() - clock.began)

    if budget.steps is not None:
        slice_of(budget.steps, math.inf)
    else:
        # schedules go by steps: a first part tells how many the minutes are worth
        if spent["total"] is None:
            slice_of(10**6, max(0.0, 0.15 * budget.minutes - spent["minutes"]) * 60)
            spent["total"] = max(spent["steps"] + 1, round(spent["steps"] * budget.minutes / spent["minutes"]))
        slice_of(spent["total"], max(0.0, budget.minutes - spent["minutes"]) * 60)
    write_text(spent_file, json.dumps({**spent, "done": True}))
    return spent["steps"], spent["minutes"]


def consent_of(person: str, out: Path) -> Path:
    """The record for a person who does not exist."""
    path = out / f"{person}.consent.toml"
    if not path.exists():
        reason = "Made by an image model and rendered by konterfei; shows nobody who exists."
        Consent(
            person=f"Synthetic performer {person}", basis="synthetic", scope=("any",), reason=reason,
            created=date.today(),
        ).save(path)  # fmt: skip
    return path


def merged(case: Case, material: Material, run: Path, output: Path, out: Path, **settings: Any) -> Path:
    """The plate with the faces swapped, by the default settings."""
    swapper = settings.pop("swapper", None)
    given = {"video": material.plate, "faces": material.plate_faces, "model": run, "output": output, **settings}
    merge(MergeConfig(**given, consent=consent_of(case.src, out), label="none", threads=1), Silent(), swapper)
    return output


def run_case(
    name: str, case: Case, scale: Scale, preset: str, seed: int, budget: Budget, out: Path
) -> list[dict[str, Any]]:
    """Everything about one case: its rows, as `scores.score` gives them, and a picture."""
    material = prepare(case, scale, out)
    made = f"{preset}-{budget}-seed{seed}"
    place, run = out / name / made, out / "runs" / _named(case.src, case.dst, case.shot) / made / "run"
    place.mkdir(parents=True, exist_ok=True)
    steps, minutes = trained(material, scale, preset, seed, budget, run)
    videos = {"model": merged(case, material, run, place / "model.mp4", out)}
    faces = exact_faces(material.plate_faces, material.plate, place / "exact_faces")
    for row in scale.oracles:
        oracle = Oracle.make(row, material, faces, run)
        settings = {**ORACLES[row].settings, "swapper": oracle, "faces": faces if ORACLES[row].is_exact else None}
        settings = {key: value for key, value in settings.items() if value is not None}
        videos[row] = merged(case, material, run, place / f"{row}.mp4", out, **settings)
    found, faces_shown = scores.score(material, videos, every=scale.every)
    page.write_picture(place / "frames.jpg", faces_shown)
    about = {"case": name, "about": case.about, "preset": preset, "seed": seed, "budget": str(budget), "steps": steps}
    picture_name = str((place / "frames.jpg").relative_to(out))
    return [{**about, "minutes": round(minutes, 2), "picture": picture_name, **row} for row in found]


def run_cases(
    cases: Mapping[str, Case], scale: Scale, preset: str, seeds: Sequence[int], budget: Budget, out: Path, say: Any
) -> list[dict[str, Any]]:
    """All of them; what results.jsonl holds is not done again. Returns every row that it holds."""
    out.mkdir(parents=True, exist_ok=True)
    log = out / "results.jsonl"
    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    done = {(row["case"], row["preset"], row["seed"], row["budget"]) for row in rows}
    todo = [(name, seed) for name in cases for seed in seeds if (name, preset, seed, str(budget)) not in done]
    for number, (name, seed) in enumerate(todo, start=1):
        say(f"{number} of {len(todo)}: {name}, {cases[name].about}; seed {seed}")
        began = time.monotonic()
        own = run_case(name, cases[name], scale, preset, seed, budget, out)
        rows += own
        write_text(log, "".join(json.dumps(row) + "\n" for row in rows))
        page.write(rows, out)
        say(f"   {(time.monotonic() - began) / 60:.1f} minutes\n{page.table(own)}")
    page.write(rows, out)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cases", default=",".join(CASES), help="names with commas between; default: all")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--steps", type=int, help="of training")
    parser.add_argument("--minutes", type=float, help="of processor time to train, instead of steps; default: 20")
    parser.add_argument("--seeds", default="1", help="of training; several tell how much is chance")
    parser.add_argument("--small", action="store_true", help="one case, small: does it work?")
    args = parser.parse_args()
    names = ["plain"] if args.small else args.cases.split(",")
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no case {', '.join(unknown)}; there are {', '.join(CASES)}")
    minutes = args.minutes if args.steps is None else None
    steps = args.steps or (200 if args.small and minutes is None else None)
    budget = Budget(steps=steps, minutes=None if steps else minutes or 20.0)
    seeds = [int(seed) for seed in args.seeds.split(",")]
    chosen = {name: CASES[name] for name in names}
    out, scale = (args.out / "small", SMALL) if args.small else (args.out, Scale())
    run_cases(chosen, scale, args.preset, seeds, budget, out, print)
    print(f"{out / 'summary.html'}")


if __name__ == "__main__":
    main()
