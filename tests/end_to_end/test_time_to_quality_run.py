"""benchmarks/time_to_quality.py in small: performers are learned for some steps, measured and told of."""

from __future__ import annotations

import importlib
import itertools
import json
import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from konterfei.io.run import Run
from konterfei.models.bases import write_base
from konterfei.models.many import MANY
from konterfei.performers import PerformerConfig, render_performer
from konterfei.reporting import Silent
from konterfei.stages.extract import ExtractConfig, extract
from konterfei.training.presets import preset

pytestmark = pytest.mark.timeout(1500)
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
MARKS = ["at_000.0", "at_000.1", "at_000.2"]


def make_base(path, seed):
    """A base that has learned nothing."""
    torch.manual_seed(seed)
    chosen = preset("tiny")
    write_base(path, MANY[chosen.model](chosen.dims), chosen.face_type, 1, {"facesets": []})


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A file that names one pair, with the truth; beside it a base."""
    pytest.importorskip("openpeople", reason="no pictures of performers: pip install konterfei[demo]")
    folder = tmp_path_factory.mktemp("pair")
    for name, person, seed, seconds, set_of in (
        ("src", "P006", 1, 8.0, None),
        ("dst", "P005", 2, 8.0, None),
        ("test", "P005", 3, 2.0, None),
        ("truth", "P006", 3, 2.0, "P005"),
    ):
        clip = folder / f"{name}.mp4"
        given = {"seconds": seconds, "fps": Fraction(12), "size": 160, "sound": False}
        render_performer(PerformerConfig(person=person, output=clip, seed=seed, set_of=set_of, **given), Silent())
        if name != "truth":
            extract(ExtractConfig(video=clip, output=clip.with_suffix(".faces"), threads=1), Silent())
    make_base(folder / "base.safetensors", seed=1)
    path = folder / "pairs.toml"
    path.write_text('[p]\nsrc = "src.faces"\ndst = "dst.faces"\ntest = "test.faces"\ntruth = "truth.mp4"\n')
    return path


@pytest.fixture(scope="module")
def bench():
    """The benchmark, by whose clock a step takes a twentieth of a second on any machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        module, curves = (importlib.import_module(name) for name in ("time_to_quality", "learning_curves"))
        ticks = itertools.count()
        clock = lambda: next(ticks) / 40  # noqa: E731  # once by the loop in a step, once by the watch
        patch.setattr(curves, "time", SimpleNamespace(process_time=clock, monotonic=clock))
        patch.setattr(curves.Stopwatch, "clock", staticmethod(clock))
        yield module


def command(out, pairs, *more):
    usual = ["--preset", "tiny", "--marks", "0,0.1,0.2", "--base", str(pairs.parent / "base.safetensors")]
    return ["--out", str(out), "--pairs", str(pairs), *usual, *more]


@pytest.fixture(scope="module")
def out(bench, pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("quality")
    assert bench.main(command(out, pairs)) == 0
    return out


def line_of(out, arm, mark):
    return json.loads((out / "p" / f"{arm}_s1" / mark / "score.json").read_text())


def test_each_mark_is_scored_and_keeps_its_weights_in_half_precision(out):
    for arm in ("none", "base"):
        folder = out / "p" / f"{arm}_s1"
        assert sorted(path.name for path in folder.iterdir()) == MARKS
        for mark in MARKS:
            tensors = Run.open(folder / mark).newest_snapshot().tensors.values()
            assert {array.dtype for array in tensors} == {np.dtype(np.float16)}


def test_only_the_arm_of_that_name_begins_with_the_base(out, pairs):
    began = {arm: Run.open(out / "p" / f"{arm}_s1" / MARKS[-1]).config.get("base") for arm in ("none", "base")}
    assert not began["none"]
    assert began["base"]["path"] == str(pairs.parent / "base.safetensors")


def test_an_arm_does_not_go_on_with_another_base(out, bench, pairs, tmp_path, capsys):
    make_base(tmp_path / "other.safetensors", seed=2)
    assert bench.main([*command(out, pairs), "--base", str(tmp_path / "other.safetensors")]) != 0
    assert "was trained otherwise (base)" in capsys.readouterr().err


def test_training_makes_src_of_dst(out):
    first, last = (line_of(out, "none", mark)["figures"] for mark in (MARKS[0], MARKS[-1]))
    assert last["identity"] > first["identity"] + 0.1
    assert last["leftover"] < first["leftover"]
    assert last["truth_identity"] > first["truth_identity"]
    assert {"total", "second_src", "truth_ssim_eyes", "truth_l1_mouth"} <= set(last)


def test_it_is_told_in_table_curves_and_sheets(out, bench, capsys):
    assert bench.main(["--out", str(out), "--report"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1].startswith("base ratio ")
    assert (out / "time_to_quality.md").read_text() == said
    told = json.loads((out / "time_to_quality.json").read_text())
    assert [(row["arm"], row["is_whole"]) for row in told["comparisons"]] == [("base", True)]
    for name in ("time_to_quality.png", "p.jpg", "p_truth.jpg"):
        assert (out / name).stat().st_size > 5000


def test_the_same_again_trains_and_scores_nothing(out, bench, pairs):
    before = {path: path.stat().st_mtime_ns for path in out.glob("p/*/at_*/*")}
    assert bench.main(command(out, pairs)) == 0
    assert {path: path.stat().st_mtime_ns for path in out.glob("p/*/at_*/*")} == before


def test_what_is_scored_again_is_the_same(out, bench, pairs):
    before = line_of(out, "none", MARKS[-1])
    (out / "p" / "none_s1" / MARKS[-1] / "score.json").unlink()
    assert bench.main(command(out, pairs, "--score")) == 0
    assert line_of(out, "none", MARKS[-1]) == before


def test_strangers_are_looked_at_where_they_are_named(out, bench, pairs, capsys):
    assert bench.main(["--out", str(out), "--report", "--leak", str(pairs.parent / "test.faces")]) == 0
    rows = json.loads((out / "time_to_quality.json").read_text())["leak"]
    assert {row["recognizer"] for row in rows} == {"mobilefacenet", "faceres"}
    assert all(row["nearest"] == pytest.approx(row["dst"], abs=0.1) for row in rows), "the only stranger is dst"


def test_marks_that_saw_other_faces_are_not_gone_on_with(out, bench, pairs, tmp_path, capsys):
    there = tmp_path / "copy"
    shutil.copytree(out, there)
    config = there / "p" / "none_s1" / MARKS[0] / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "held_out": {}}))
    assert bench.main(command(there, pairs)) != 0
    assert "faces held out" in capsys.readouterr().err
