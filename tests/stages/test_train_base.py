"""A run that begins with a base: with which, with what of it, and what of that must not be lost."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_material import SMALL, STEPS, StopAt, assert_equal_runs, kill_and_run_again

from drawn_faces import ANNA, faceset
from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError, FacesetError, WeightsError
from konterfei.geometry import FaceType
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models.bases import read_base, write_base
from konterfei.models.many import MANY
from konterfei.models.swapper import load_swapper
from konterfei.nets.dims import Dims
from konterfei.recognizers.mobilefacenet import MobileFaceNet
from konterfei.reporting import Recorder
from konterfei.stages import _train_base
from konterfei.stages._merge_checks import model_record
from konterfei.stages._train_base import who_is
from konterfei.stages._train_settings import TrainConfig, resolved
from konterfei.stages.runs import RunsConfig, runs
from konterfei.training import loop, recovery
from konterfei.training.presets import PRESETS
from konterfei.weights import bases
from konterfei.weights.bases import BaseRecord

DIMS = {"resolution": 32, "ae": 8, "encoder": 4, "decoder": 4, "mask": 2, "unit": True, "double": True}
STEPS_OF_BASE = 4321
FACESETS = [{"name": "drawn", "people": 10, "faces": 80}, {"name": "more", "people": 3, "faces": 9}]
LEARNED_FROM = "drawn (10 people, 80 faces), more (3 people, 9 faces)"


def make_base(path, model="df", seed=1, **dims):
    """A base that has learned nothing and draws everybody otherwise."""
    torch.manual_seed(seed)
    network = MANY[model](Dims(**{**DIMS, **dims}))
    torch.nn.init.normal_(network.film.out.weight, std=0.02)
    path.parent.mkdir(exist_ok=True)
    write_base(path, network, FaceType.FULL, STEPS_OF_BASE, {"facesets": FACESETS})
    return path


@pytest.fixture
def base(tmp_path):
    """The run folder of a pretraining, as far as it matters here."""
    return make_base(tmp_path / "pre" / "base.safetensors").parent


@pytest.fixture
def carried(tmp_path, monkeypatch):
    """The preset of these tests has a base. Gives its file."""
    file = make_base(tmp_path / "carried" / "base_tiny.safetensors", seed=2)
    record = BaseRecord(
        file=file.name,
        sha256=sha256(file),
        size=file.stat().st_size,
        version="2026-01-01",
        licence="Apache-2.0",
        trained_on="Twenty drawn people.",
        card="tiny",
        note="Draws nobody well.",
    )
    monkeypatch.setitem(bases.BASES, "tiny", record)
    monkeypatch.setattr(bases, "FILES", file.parent)
    bases.base_path.cache_clear()
    yield file
    bases.base_path.cache_clear()


@pytest.fixture
def first(monkeypatch):
    """kind -> name -> array, of the model before its first step; for each time that it begins."""
    seen, real = [], loop.train_step

    def step(lesson, raw, rate, number):
        if number == 0:
            arrays = {kind: lesson.learner.flat.by_name(array) for kind, array in lesson.learner.arrays.items()}
            seen.append({kind: {n: v.detach().clone() for n, v in views.items()} for kind, views in arrays.items()})
        return real(lesson, raw, rate, number)

    monkeypatch.setattr(loop, "train_step", step)
    return seen


def people_of(faces):
    return [torch.from_numpy(who_is(Faceset.open(faces[name]), (), Recorder())) for name in ("src", "dst")]


def assert_begun_with(arrays, file, faces, **dims):
    torch.manual_seed(1)  # the run's: of what is wider than in the base
    expected = read_base(file).for_pair(Dims(**{**DIMS, **dims}), *people_of(faces))
    for kind, views in arrays.items():
        for name, value in views.items():
            wanted = expected[name] if kind in ("weights", "ema") else torch.zeros_like(value)
            assert torch.equal(value, wanted), (kind, name)


# --- what it begins with


@pytest.mark.parametrize("model", sorted(MANY))
def test_weights_are_those_of_the_base_with_both_people_put_in(again, first, faces, tmp_path, model):
    file = make_base(tmp_path / "pre" / "base.safetensors", model)
    result, reporter = again(base=str(file), architecture=f"{model}-ud", steps=1)
    assert_begun_with(first[0], file, faces)
    told = " ".join(reporter.notes)
    assert f"begins with the base '{file}' of {STEPS_OF_BASE} steps, which learned from {LEARNED_FROM}." in told
    assert result.steps == 1


def test_a_wider_model_is_grown_from_it(again, first, faces, base):
    wider = {"e_dims": 8, "ae_dims": 10}
    _, reporter = again(base=str(base), steps=1, **wider)
    assert_begun_with(first[0], base / "base.safetensors", faces, encoder=8, ae=10)
    assert "what is wider than there begins to learn" in " ".join(reporter.notes)


def test_the_base_carried_for_the_preset_is_the_default(again, first, faces, carried):
    _, reporter = again(steps=1)
    assert_begun_with(first[0], carried, faces)
    assert "with the base 'tiny' of 4321 steps, which learned from Twenty drawn people" in " ".join(reporter.notes)


@pytest.fixture
def known(monkeypatch):
    """`tiny` has the networks of these runs, and with them a base was measured to bring much."""
    chosen = resolved(TrainConfig(src=Path(), dst=Path(), output=Path(), **SMALL))
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], dims=chosen.dims, usable_steps=40, sooner=8))


def test_with_a_base_a_run_is_no_preview_eight_times_sooner(again, carried, known):
    results = {steps: again(steps=steps) for steps in (4, 5)}  # the same run, which goes on
    assert [result.is_preview for result, _ in results.values()] == [True, False]
    assert "Fewer than 5 steps" in " ".join(results[4][1].notes)
    assert load_swapper(results[5][0].run, device="cpu").info["is_preview"] is False


def test_nor_does_a_base_shorten_what_nobody_has_measured(again, carried, known, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], sooner=1))
    result, reporter = again(steps=5)
    assert result.is_preview and "Fewer than 40 steps" in " ".join(reporter.notes)


def test_a_base_that_has_hardly_learned_shortens_nothing(again, carried, known, monkeypatch):
    monkeypatch.setattr(_train_base, "_ABLE", STEPS_OF_BASE + 1)
    result, reporter = again(steps=5)
    assert result.is_preview and "Fewer than 40 steps" in " ".join(reporter.notes)


@pytest.mark.parametrize("other", [{"resolution": 128}, {"architecture": "liae-ud"}, {"d_dims": 32}])
def test_sooner_is_known_of_the_presets_own_networks_only(other, tmp_path):
    config = TrainConfig(src=tmp_path, dst=tmp_path, output=tmp_path, preset="quick")
    assert (resolved(config).sooner, resolved(replace(config, **other)).sooner) == (8, 1)


def test_none_begins_from_scratch(again, carried, tmp_path):
    """As presets without a base do."""
    scratch, reporter = again(base="none", steps=6)
    assert not any("base" in note for note in reporter.notes)
    assert "base" not in Run.open(scratch.run).config
    bases.BASES.pop("tiny")
    other, reporter = again(steps=6, output=tmp_path / "other")
    assert not any("base" in note for note in reporter.notes)
    assert_equal_runs(scratch.run, other.run)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"pretrain": True}, "--pretrain is given"),
        ({"dfl_exact": True}, "--dfl-exact is given"),
        ({"architecture": "liae-ud"}, "it is for df and full faces, not liae and full"),
        ({"resolution": 64}, "it draws 32 px, not 64"),
        ({"face_type": "half"}, "it is for df and full faces, not df and half"),
        ({"ae_dims": 6}, "its networks are wider (ae 6 below 8)"),
    ],
)
def test_the_default_is_left_out_where_it_does_not_fit(again, carried, changes, why):
    result, reporter = again(steps=1, **changes)
    assert f"begins from scratch, not with the base of the preset 'tiny': {why}." in " ".join(reporter.notes)
    assert "base" not in Run.open(result.run).config


def test_another_run_to_start_from_comes_before_the_default(again, carried, tmp_path):
    other, _ = again(steps=2, base="none", output=tmp_path / "other")
    result, reporter = again(steps=1, start_from=other.run)
    assert "base" not in Run.open(result.run).config
    assert any(f"weights are those of '{other.run}'" in note for note in reporter.notes)
    assert not any("base" in note for note in reporter.notes)


def test_a_damaged_one_of_ours_is_no_reason_to_begin_without(again, carried, tmp_path):
    carried.write_bytes(carried.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"base 'tiny'.*Install konterfei again"):
        again(steps=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "error", "why"),
    [
        ({"architecture": "liae-ud"}, CheckpointMismatchError, "does not fit: it is for df.*--base none"),
        ({"resolution": 64}, CheckpointMismatchError, "does not fit: it draws 32 px, not 64"),
        ({"architecture": "df-udt"}, CheckpointMismatchError, "it is df-ud, not df-udt"),
        ({"d_dims": 3}, CheckpointMismatchError, "wider .decoder 3 below 4."),
        ({"e_dims": 6}, CheckpointMismatchError, "encoder of width 4 grows to multiples"),
        ({"start_from": "x"}, ConfigError, "--base and --start-from exclude each other"),
        ({"pretrain": True}, ConfigError, "--base and --pretrain exclude each other"),
        ({"base": "nowhere"}, ConfigError, "there is no file 'nowhere'"),
        ({"base": "defualt"}, ConfigError, "It takes default, none, the run folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(again, base, tmp_path, changes, error, why):
    with pytest.raises(error, match=why):
        again(**{"base": str(base), **changes})
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_base_is_refused(again, tmp_path):
    result, _ = again(steps=1)
    (snapshot,) = (result.run / "snapshots").iterdir()
    with pytest.raises(DamagedFileError, match="is no base"):
        again(base=str(snapshot), output=tmp_path / "other")
    with pytest.raises(ConfigError, match=r"there is no file .*run/base\.safetensors"):  # an ordinary run has none
        again(base=str(result.run), output=tmp_path / "other")


def test_a_pretraining_that_has_written_no_base_yet_is_said(again, tmp_path):
    Run.create(tmp_path / "young", {"pair": "df"})
    with pytest.raises(ConfigError, match=r"written when that pretraining ends or is stopped .konterfei tell .*young"):
        again(base=str(tmp_path / "young"), output=tmp_path / "other")


# --- who they are


def vectors(*rows):
    """One unit vector of 192 for each number. [N, 192]"""
    return np.eye(192, dtype=np.float32)[list(rows)]


def test_who_is_the_mean_of_those_who_are_trained_on(tmp_path):
    folder = faceset(tmp_path / "anna", embeddings=vectors(0, 0, 0, 1, 1, 1, 5, 7))
    made = Faceset.open(folder)
    names = [record.name for record in made.records()]
    who = who_is(made, names[6:], Recorder())
    expected = np.zeros(192)
    expected[:2] = 0.5**0.5
    np.testing.assert_allclose(who, expected, atol=1e-6)
    assert who.dtype == np.float32


@pytest.mark.parametrize(
    "known",
    [
        {"with_embedding": False},
        {},  # three numbers
        {"embeddings": vectors(*[3] * 8), "settings": {"recognizer": "another"}},
    ],
    ids=["none", "another length", "another recognizer"],
)
def test_faces_without_its_numbers_are_shown_to_the_recognizer(tmp_path, known):
    made, told = Faceset.open(faceset(tmp_path / "anna", ANNA, **known)), Recorder()
    who = who_is(made, (), told)
    recognizer, seen = MobileFaceNet(), []
    for record in made.records():
        points = (record.crop.crop_from_frame @ record.face.landmarks).astype(np.float32)
        seen.append(recognizer.embed(made.image(record.name), [points])[0])
    mean = np.mean(seen, axis=0)
    np.testing.assert_allclose(who, mean / np.linalg.norm(mean), atol=1e-5)
    assert told.tasks == ["seeing who is to be drawn"]


def test_of_many_faces_some_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr("konterfei.stages._train_base._LOOKS", 3)
    made, shown = Faceset.open(faceset(tmp_path / "anna", with_embedding=False)), []
    real = MobileFaceNet.embed
    monkeypatch.setattr(MobileFaceNet, "embed", lambda self, *given: shown.append(1) or real(self, *given))
    assert who_is(made, (), Recorder()).shape == (192,) and len(shown) == 3


def test_crops_that_cannot_be_read_do_not_count(tmp_path):
    made = Faceset.open(faceset(tmp_path / "anna", with_embedding=False))
    first, *others = made.names()
    (made.folder / first).unlink()
    left = who_is(made, (), Recorder())
    np.testing.assert_allclose(left, who_is(made, [first], Recorder()), atol=1e-6)
    for name in others:
        (made.folder / name).write_bytes(b"x")
    with pytest.raises(FacesetError, match="no face that can be read"):
        who_is(made, (), Recorder())


# --- what stays


def test_a_run_keeps_what_it_began_with(again, base):
    result, _ = again(base=str(base), steps=2)
    file = base / "base.safetensors"
    record = {
        "name": str(base),
        "path": str(file),
        "sha256": sha256(file),
        "steps": STEPS_OF_BASE,
        "trained_on": LEARNED_FROM,
    }
    assert Run.open(result.run).config["base"] == record
    assert Manifest.load(result.run).inputs["base"] == record
    assert model_record(result.run, load_swapper(result.run))["base"] == record, "a merge hands it on"
    again(steps=3)
    assert Manifest.load(result.run).inputs["base"] == record
    (line,) = [line for line in runs(RunsConfig(folder=result.run), Recorder()).summary() if "began with" in line]
    assert str(base) in line and "4321 steps" in line


def test_stopped_and_continued_equals_undisturbed_though_the_base_is_gone(again, base, tmp_path):
    settings = {"base": str(base)}
    whole, _ = again(**settings)
    parts, _ = again(StopAt(17), **settings, output=tmp_path / "parts")
    shutil.rmtree(base)
    result, reporter = again(**settings, output=parts.run)
    assert "Training goes on from step 17" in " ".join(reporter.notes) and reporter.warnings == []
    assert_equal_runs(result.run, whole.run)


def test_killed_at_any_moment_it_ends_as_undisturbed(again, faces, base, tmp_path):
    whole, _ = again(base=str(base))
    output = tmp_path / "killed"
    config = {**SMALL, "src": str(faces["src"]), "dst": str(faces["dst"]), "output": str(output), "steps": STEPS}
    kill_and_run_again({**config, "base": str(base)}, random.Random(8))
    assert_equal_runs(output, whole.run)


def test_two_processes_begin_with_it_together(again, base, tmp_path):
    one, two = (again(base=str(base), steps=3, rate=1e-4, processes=n, output=tmp_path / str(n))[0].run for n in (1, 2))
    a, b = (Run.open(run).newest_checkpoint().tensors for run in (one, two))
    assert all(np.abs(a[key] - b[key]).max() < 1e-5 for key in a if key.startswith("weights/"))
    assert Run.open(one).config["base"] == Run.open(two).config["base"]


@pytest.mark.parametrize("began", ["none", "path"])
def test_another_base_comes_too_late(again, base, carried, tmp_path, began):
    other = make_base(tmp_path / "other" / "base.safetensors", seed=9)
    given = {"none": "none", "path": str(base)}
    again(base=given[began], steps=1)
    for wrong in {"none": "none", "path": str(base), "other": str(other)}.values():
        if wrong != given[began]:
            with pytest.raises(ConfigError, match=r"comes too late: .* began with.*Leave --base out"):
                again(base=wrong, steps=2)
    result, reporter = again(steps=2)
    assert result.steps == 2
    assert sum("the base of the preset 'tiny' is for new runs" in note for note in reporter.notes) == 1
    same, _ = again(base=given[began], steps=3)
    assert same.steps == 3


def test_the_same_base_elsewhere_is_the_same(again, base, tmp_path):
    again(base=str(base), steps=1)
    moved = shutil.copy(base / "base.safetensors", tmp_path / "mine.safetensors")
    result, _ = again(base=str(moved), steps=2)
    assert result.steps == 2


def test_a_run_with_the_default_says_no_more_of_it(again, carried):
    again(steps=1)
    _, reporter = again(steps=2)
    assert not any("base" in note for note in reporter.notes)


def test_a_run_that_has_learned_nothing_may_begin_otherwise(again, first, faces, base, carried):
    result, _ = again(base=str(base), steps=1)
    for part in ("checkpoints", "snapshots"):
        shutil.rmtree(result.run / part)
    again(steps=1)
    assert_begun_with(first[1], carried, faces)
    assert Run.open(result.run).config["base"]["name"] == "tiny"
    for part in ("checkpoints", "snapshots"):
        shutil.rmtree(result.run / part)
    again(base="none", steps=1)
    assert "base" not in Run.open(result.run).config and "base" not in Manifest.load(result.run).inputs


# --- beginning anew


@pytest.fixture
def falls_apart(monkeypatch):
    """After step 25, once, with no checkpoint that could be gone back to."""
    real, left = loop.train_step, [1]

    def poisoned(lesson, raw, rate, step):
        losses = real(lesson, raw, rate, step)
        if step == 25 and left:
            left.pop()
            with torch.no_grad():
                lesson.learner.flat.weights[0] = float("nan")
        return losses

    monkeypatch.setattr(loop, "train_step", poisoned)


def test_a_run_that_begins_anew_begins_with_the_base_again(again, falls_apart, first, faces, base):
    result, reporter = again(base=str(base), checkpoint_seconds=1000.0)
    assert "It goes on from step 0" in reporter.warnings[0] and len(reporter.warnings) == 1
    assert len(first) == 2
    assert_begun_with(first[1], base / "base.safetensors", faces)
    assert result.steps == STEPS


@pytest.fixture
def lost(again, base, monkeypatch):
    """A run that began with a base and whose checkpoints are of no use: it begins anew in another process."""
    again(StopAt(5), base=str(base))
    monkeypatch.setattr(recovery, "restore", lambda *given: None)
    return base


def test_it_does_so_after_a_restart_too(again, lost, falls_apart, first, faces):
    _, reporter = again(checkpoint_seconds=1000.0)
    assert "It goes on from step 0" in reporter.warnings[0] and len(reporter.warnings) == 1
    assert_begun_with(first[0], lost / "base.safetensors", faces)


@pytest.mark.parametrize("now", ["gone", "another"])
def test_a_base_that_is_gone_by_then_is_said(again, lost, falls_apart, first, now):
    shutil.rmtree(lost)
    if now == "another":
        make_base(lost / "base.safetensors", seed=5)
    _, reporter = again(checkpoint_seconds=1000.0)
    assert "The base that the run began with is gone, and it begins from scratch" in reporter.warnings[0]
    assert not any(value.any() for name, value in first[0]["weights"].items() if name.endswith("bias"))


def test_checkpoints_that_are_all_damaged_lead_back_to_the_base(again, first, faces, base, monkeypatch):
    result, _ = again(StopAt(5), base=str(base))
    for file in (*result.run.glob("checkpoints/*/state.json"), *result.run.glob("snapshots/*")):
        file.write_bytes(b"x")
    again(steps=6, base=str(base))
    assert_begun_with(first[-1], base / "base.safetensors", faces)


@pytest.mark.parametrize("began", ["none", "path"])
def test_a_config_that_was_lost_is_written_anew_with_what_the_run_began_with(again, base, carried, began):
    result, _ = again(StopAt(5), base={"none": "none", "path": str(base)}[began])
    config = result.run / "config.json"
    before = json.loads(config.read_text())
    config.unlink()
    _, reporter = again(steps=8)  # with the default, which has not been there
    assert json.loads(config.read_text()) == before
    assert any("goes on from step 5" in note for note in reporter.notes)
