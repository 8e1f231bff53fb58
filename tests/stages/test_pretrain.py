"""Facesets of many people in, a base out: it learns, goes on where it stopped, and models of two begin with it."""

import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_material import PRETRAINER, STEPS, StopAt, kill_and_run_again

from crowd_material import SMALL, crowd, numbers
from konterfei.errors import CheckpointMismatchError, ConfigError, UnknownNameError
from konterfei.geometry import FaceType
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.preview_file import SWAP, read_layout
from konterfei.io.run import VALIDATION, Run
from konterfei.models.bases import read_base
from konterfei.models.df import DF
from konterfei.models.many import MANY
from konterfei.models.swapper import load_swapper
from konterfei.nets.dims import Dims
from konterfei.reporting import Recorder
from konterfei.stages import _pretrain_settings
from konterfei.stages.chart import ChartConfig, chart
from konterfei.stages.pretrain import PretrainConfig, pretrain
from konterfei.stages.runs import RunsConfig, runs
from konterfei.stages.train import TrainConfig, train
from konterfei.training.crowd_validation import CrowdScores, CrowdValidator
from konterfei.training.presets import PRESETS


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    return crowd(folder / "one", range(10), 2), crowd(folder / "two", range(20, 26), 3)


@pytest.fixture(scope="module")
def learned(people, tmp_path_factory):
    told = Recorder()
    config = PretrainConfig(**SMALL, facesets=people, output=tmp_path_factory.mktemp("run") / "base", steps=240)
    return pretrain(config, told), told, config


def test_it_learns_people_whom_it_never_saw(learned):
    result, told, _ = learned
    run = Run.open(result.run)
    losses = [line["loss"] for line in run.metrics()]
    assert len(losses) == 12 and losses[-1] < 0.6 * losses[0]
    lines = run.metrics(VALIDATION)
    assert [line["step"] for line in lines] == list(range(20, 241, 20))
    assert lines[-1]["error"] < 0.96 * lines[0]["error"]
    assert {"ssim", "sharpness", "identity", "leftover", "distance", "total"} <= set(lines[-1])
    assert any("28 faces of 12 people" in note for note in told.notes), (
        "of 38 faces of 16 people, a quarter is held out"
    )
    assert run.best_snapshot().info["score"] == max(line["total"] for line in lines)


def test_nobody_who_is_held_out_is_trained_on(learned, people):
    run = Run.open(learned[0].run)
    held = run.config["held_out"]
    assert sorted(map(len, held.values())) == [4, 6], "two people of each"
    for folder in people:
        records = Faceset.open(folder).records()
        sources = {record.source for record in records if record.name in held[str(folder)]}
        assert {r.name for r in records if r.source in sources} == set(held[str(folder)])


def test_the_base_is_the_best_of_the_run_and_says_what_it_is_of(learned, people):
    result, told, _ = learned
    run, base = Run.open(result.run), read_base(result.base)
    best = run.best_snapshot()
    assert (base.model, base.face_type, base.steps) == ("df", FaceType.FULL, best.info["steps"])
    assert base.dims == Dims(resolution=64, ae=16, encoder=4, decoder=4, mask=2, unit=True, double=True)
    for name, array in best.tensors.items():
        np.testing.assert_allclose(base.weights[name], array, atol=2e-3, rtol=1e-3)
    assert [(one["name"], one["faces"], one["people"], one["people_held_out"]) for one in base.info["facesets"]] == [
        ("one", 16, 8, 2), ("two", 12, 4, 2),
    ]  # fmt: skip
    assert base.info["facesets"][0]["sha256"] == Faceset.open(people[0]).content_hash()
    assert base.info["recognizer"]["name"] == "mobilefacenet" and len(base.info["recognizer"]["sha256"]) == 64
    assert base.info["held_out"]["error"] == pytest.approx(-best.info["score"], abs=1e-4)
    assert str(people[0].parent) not in json.dumps(base.info), "where facesets lay is nobody's business"
    assert any(f"The base: {result.base}" in note for note in told.notes)


def test_a_pair_begins_with_it_even_a_wider_one(learned):
    base = read_base(learned[0].base)
    dims = PRESETS["tiny"].dims
    src, dst = (torch.from_numpy(numbers(person)) for person in (50, 51))
    for wanted in (base.dims, dims):
        model = DF(wanted)
        model.load_state_dict(base.for_pair(wanted, src, dst))
        image = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(2))
        with torch.inference_mode():
            both = model.eval().reconstruct(torch.cat([image, image])).image
            many = base.many().reconstruct_as(image, torch.stack([src, src])[None]).image
        assert (both[0] - both[1]).abs().max() > 1e-4, "two people"
        torch.testing.assert_close(both[:1], many, atol=2e-3, rtol=0)


def test_the_preview_shows_held_out_people_as_themselves_and_as_one_another(learned):
    result = learned[0]
    layout = read_layout(result.preview)
    assert SWAP in dict(layout.columns) and layout.rows == 6
    assert len(Run.open(result.run).preview_history()) >= 1


def state_of(folder):
    run = Run.open(folder)
    checkpoint = run.newest_checkpoint()
    progress = {k: v for k, v in checkpoint.state["progress"].items() if k not in ("trained_s", "validated_s")}
    tensors = {name: array.tobytes() for name, array in checkpoint.tensors.items()}
    figures = [(m["step"], m["loss"], m["rate"]) for m in run.metrics()]
    scores = [{k: v for k, v in line.items() if k != "trained_s"} for line in run.metrics(VALIDATION)]
    return tensors, progress, figures, scores, run.preview_path().read_bytes()


def test_a_run_that_was_stopped_goes_on_as_if_nothing_had_happened(people, tmp_path):
    config = {**SMALL, "facesets": people, "steps": STEPS}
    whole = pretrain(PretrainConfig(**config, output=tmp_path / "whole"), Recorder())
    for steps in (7, 6, 11):
        stopped = pretrain(PretrainConfig(**config, output=tmp_path / "parts"), StopAt(steps))
        assert stopped.is_stopped and stopped.base.exists()
    parts = pretrain(PretrainConfig(**config, output=tmp_path / "parts"), Recorder())
    for one, other in zip(state_of(whole.run), state_of(parts.run), strict=True):
        assert one == other
    ours, theirs = read_base(whole.base), read_base(parts.base)
    assert all((ours.weights[name] == theirs.weights[name]).all() for name in ours.weights)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc and fork")
def test_a_run_that_was_killed_goes_on_as_if_nothing_had_happened(people, tmp_path):
    config = {**SMALL, "validate_steps": 10_000, "facesets": people, "steps": STEPS}
    whole = pretrain(PretrainConfig(**config, output=tmp_path / "whole"), Recorder())
    texts = {"facesets": list(map(str, people)), "output": str(tmp_path / "parts")}
    kill_and_run_again({**config, **texts}, random.Random(5), PRETRAINER)
    ours, theirs = state_of(whole.run), state_of(tmp_path / "parts")
    assert ours[:3] == theirs[:3] and ours[4] == theirs[4]
    assert (tmp_path / "parts" / "base.safetensors").exists()


def test_stopped_before_anything_was_measured_the_base_is_of_the_newest_weights(people, tmp_path):
    result = pretrain(PretrainConfig(**SMALL, facesets=people, output=tmp_path / "run", steps=STEPS), StopAt(5))
    base = read_base(result.base)
    assert (base.steps, base.info["held_out"]) == (5, None)


def test_the_same_command_again_has_nothing_to_do(learned):
    result, _, config = learned
    before, told = result.base.stat().st_mtime_ns, Recorder()
    again = pretrain(config, told)
    assert again.steps == 240 and again.base.stat().st_mtime_ns == before
    assert any("already trained" in note and "--steps 240" in note for note in told.notes)


@pytest.mark.parametrize("left", ["none", "torn", "older"])
def test_a_base_that_a_kill_left_behind_its_run_is_written_again(learned, tmp_path, left):
    result, _, config = learned
    there = shutil.copytree(result.run, tmp_path / "run")
    base, manifest = there / "base.safetensors", Manifest.load(there)
    if left == "none":
        base.unlink()
    elif left == "torn":
        base.write_bytes(base.read_bytes()[:1000])
    else:  # of a part of the run that ended before
        base.write_bytes(b"older")
        manifest.output["sha256"], manifest.results["steps"] = sha256(base), 120
        manifest.save(there)
    again = pretrain(replace(config, output=there), Recorder())
    assert again.base.read_bytes() == result.base.read_bytes()
    made = Manifest.load(there)
    assert (made.results["steps"], made.output["sha256"]) == (240, sha256(base))


def test_it_ends_where_held_out_people_gain_nothing_more(people, tmp_path, monkeypatch):
    errors = iter([1.0, 0.9, 0.95, 0.93, *[0.94] * 99])
    monkeypatch.setattr(CrowdValidator, "score", lambda self, drawer: CrowdScores(
        error=next(errors), ssim=0.5, sharpness=0.5, identity=0.1, leftover=0.1, distance=1.0))  # fmt: skip
    told = Recorder()
    config = {**SMALL, "patience": 2, "validate_steps": 10}
    result = pretrain(PretrainConfig(**config, facesets=people, output=tmp_path / "run", steps=400), told)
    assert result.steps == 57, "from step 40 on the rate falls, over three sevenths of that"
    assert read_base(result.base).steps == 20
    assert any("2 validations in a row found nothing better than -0.900" in note for note in told.notes)


def test_people_of_other_facesets_can_be_held_out_instead(people, tmp_path):
    held = crowd(tmp_path / "held", [40, 41, 3], 2)  # 3 is in the first faceset, too
    told = Recorder()
    config = PretrainConfig(**SMALL, facesets=people, held=(held,), output=tmp_path / "run", steps=20)
    result = pretrain(config, told)
    assert any("36 faces of 15 people" in note for note in told.notes)
    assert [one["people_held_out"] for one in read_base(result.base).info["facesets"]] == [1, 0, 3]


def test_faces_that_come_later_do_not_bring_back_who_is_held_out(people, tmp_path):
    first = crowd(tmp_path / "first", range(8), 2)
    config = {**SMALL, "output": tmp_path / "run"}
    run = Run.open(pretrain(PretrainConfig(**config, facesets=(first,), steps=20), Recorder()).run)
    (held,) = run.config["held_out"].values()
    person = int(next(r for r in Faceset.open(first).records() if r.name == held[0]).source.split(".")[0])
    more, told = crowd(tmp_path / "more", [person, 60], 3), Recorder()
    pretrain(PretrainConfig(**config, facesets=(first, more), steps=30), told)
    assert any("not what they were" in note for note in told.notes)
    assert any("15 faces of 7 people" in note for note in told.notes), "six of before and one of the new ones"


@pytest.mark.parametrize("preset", ["amp"])
def test_presets_without_a_base_are_refused_naming_those_with_one(preset, people, tmp_path):
    with pytest.raises(ConfigError, match=r"no base for amp. Presets with one: quick, standard"):
        PretrainConfig(facesets=people, output=tmp_path, preset=preset)
    with pytest.raises(UnknownNameError):
        PretrainConfig(facesets=people, output=tmp_path, preset="quik")


def test_the_settings_know_which_models_there_are():
    assert set(_pretrain_settings.MODELS_OF_MANY) == set(MANY)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"batch": 5}, "--batch"),
        ({"micro_batch": 3}, "--micro-batch"),
        ({"disguise": 1.5}, "--disguise"),
        ({"held_out": 0.0}, "--held-out"),
        ({"share_of_width": 1.5}, "--share-of-width"),
        ({"share_of_width": 0.7}, "no multiple"),
        ({"minutes": 1, "steps": 2}, "exclude each other"),
        ({"patience": -1}, "--patience"),
        ({"rate": 0}, "--rate"),
        ({"facesets": ()}, "at least one faceset"),
    ],
)
def test_settings_beyond_reason_are_refused(wrong, named):
    with pytest.raises(ConfigError, match=named):
        PretrainConfig(**{"facesets": (Path("a"),), "output": Path("b"), **wrong})


def test_other_settings_for_a_run_that_is_there_are_refused(learned):
    _, _, config = learned
    with pytest.raises(CheckpointMismatchError, match="made with other settings"):
        pretrain(PretrainConfig(**{**SMALL, "share_of_width": 1.0}, facesets=config.facesets, output=config.output),
                 Recorder())  # fmt: skip


def test_a_run_of_many_people_swaps_nobody(learned, people, tmp_path):
    result = learned[0]
    with pytest.raises(ConfigError, match=r"swaps nobody.*train --base"):
        load_swapper(result.run, "cpu")
    with pytest.raises(CheckpointMismatchError):
        train(TrainConfig(src=people[0], dst=people[1], output=result.run, preset="tiny"), Recorder())
    with pytest.raises(ConfigError, match=r"--start-from .* has learned many people. Write --base"):
        train(TrainConfig(src=people[0], dst=people[1], output=tmp_path / "new", preset="tiny", start_from=result.run),
              Recorder())  # fmt: skip


def test_it_is_listed_and_charted_like_any_run(learned, tmp_path):
    result = learned[0]
    full = "\n".join(runs(RunsConfig(folder=result.run), Recorder()).summary())
    assert "many-df" in full and "one: 20 faces" in full and "loss " in full
    assert "many-df" in "\n".join(runs(RunsConfig(folder=result.run.parent), Recorder()).summary())
    drawn = chart(ChartConfig(runs=(result.run,), output=tmp_path / "curves.png"), Recorder())
    assert drawn.picture.stat().st_size > 10_000
    assert "held-out score -" in drawn.summary()[1]


def test_memory_is_saved_without_changing_what_is_learned(people, tmp_path):
    config = {**SMALL, "facesets": people, "steps": 6}
    plain = pretrain(PretrainConfig(**config, output=tmp_path / "plain"), Recorder())
    cut = pretrain(PretrainConfig(**config, micro_batch=2, output=tmp_path / "cut"), Recorder())
    ours, theirs = (Run.open(one.run).newest_snapshot().tensors for one in (plain, cut))
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=2e-4)


def test_liae_learns_with_seconds(people, tmp_path, monkeypatch):
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], model="liae"))
    result = pretrain(PretrainConfig(**SMALL, facesets=people, output=tmp_path / "run", steps=120), Recorder())
    losses = [line["loss"] for line in Run.open(result.run).metrics()]
    assert losses[-1] < 0.7 * losses[0]
    base = read_base(result.base)
    src, dst = (torch.from_numpy(numbers(person)) for person in (50, 51))
    assert base.model == "liae" and any(k.startswith("inter_AB") for k in base.for_pair(base.dims, src, dst))
