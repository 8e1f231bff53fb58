"""Training as a person meets it: it goes on where it was, notices what is wrong, and says so."""

import itertools
import json
import math
import random
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from train_material import SMALL, STEPS, StopAt, assert_equal_runs, kill_and_run_again, state_of

from drawn_faces import ANNA, BERT, faceset
from konterfei.errors import (
    CheckpointMismatchError,
    ConfigError,
    FacesetError,
    OutOfMemoryError,
    OutputError,
    StoreError,
    TrainingError,
    UnknownNameError,
)
from konterfei.io import run_files
from konterfei.io.images import read_image
from konterfei.io.run import Checkpoint, Run
from konterfei.models import MODELS
from konterfei.models.swapper import load_swapper
from konterfei.reporting import Recorder
from konterfei.stages._train_settings import bytes_needed, resolved
from konterfei.stages.train import TrainConfig, train
from konterfei.training import lesson, loop, recovery
from konterfei.training.plan import Progress
from konterfei.training.presets import BYTES_A_PARAMETER, PRESETS, parse_architecture


@pytest.fixture(scope="module")
def uninterrupted(faces, tmp_path_factory):
    """The run of STEPS steps that nothing disturbed."""
    output = tmp_path_factory.mktemp("whole") / "run"
    train(TrainConfig(**faces, **SMALL, output=output, steps=STEPS), Recorder())
    return output


# --- going on


def test_a_run_is_complete(uninterrupted):
    names = {path.relative_to(uninterrupted).as_posix() for path in uninterrupted.rglob("*")}
    assert {
        "config.json",
        "metrics.jsonl",
        f"checkpoints/{STEPS:08d}/state.json",
        f"checkpoints/{STEPS:08d}/tensors.safetensors",
        f"snapshots/{STEPS:08d}.safetensors",
        "previews/preview.jpg",
        f"previews/preview_{STEPS:08d}.jpg",
    } <= names
    config = json.loads((uninterrupted / "config.json").read_text())
    assert (config["model"], config["preset"], config["dims"]["resolution"]) == ("df", "tiny", 32)
    figures = Run.open(uninterrupted).metrics()
    assert [line["step"] for line in figures] == [20, 40]
    assert figures[1]["src"] + figures[1]["dst"] < figures[0]["src"] + figures[0]["dst"]
    assert read_image(uninterrupted / "previews" / "preview.jpg").shape == (24 + 6 * 128, 10 * 128 + 12, 3)


def test_the_snapshot_holds_smoothed_weights(uninterrupted):
    run = Run.open(uninterrupted)
    checkpoint, snapshot = run.newest_checkpoint(), run.newest_snapshot()
    for name, array in snapshot.tensors.items():
        np.testing.assert_array_equal(array, checkpoint.tensors[f"ema/{name}"])
    assert any((array != checkpoint.tensors[f"weights/{name}"]).any() for name, array in snapshot.tensors.items())
    swapper = load_swapper(uninterrupted, device="cpu")
    assert (swapper.info["steps"], swapper.info["is_preview"], swapper.info["preset"]) == (STEPS, True, "tiny")


@pytest.mark.parametrize("stops", [(23,), (1, 20, 7)], ids=str)
def test_resumed_equals_uninterrupted_bit_for_bit(again, uninterrupted, stops):
    done = 0
    for steps in stops:
        result, reporter = again(StopAt(steps))
        done += steps
        assert (result.steps, result.is_stopped) == (done, True)
        assert f"Training stopped at step {done}" in " ".join(reporter.notes)
        assert Run.open(result.run).newest_checkpoint().step == done
    result, reporter = again()
    assert (result.steps, result.is_stopped) == (STEPS, False)
    assert f"Training goes on from step {done}" in " ".join(reporter.notes)
    assert f"Training finished at step {STEPS}" in " ".join(reporter.notes)
    assert ", loss " in " ".join(reporter.notes)
    assert_equal_runs(result.run, uninterrupted)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc and fork")
def test_killed_and_run_again_equals_uninterrupted(faces, uninterrupted, tmp_path):
    output = tmp_path / "run"
    config = {**{k: str(v) for k, v in faces.items()}, **SMALL, "output": str(output), "steps": STEPS}
    kill_and_run_again(config, random.Random(5))
    assert_equal_runs(output, uninterrupted)
    assert not [path for path in output.rglob(".*") if path.name != ".writer.lock"]


def test_a_finished_run_does_nothing_and_says_so(again):
    result, reporter = again(steps=5)
    assert "loss" not in " ".join(reporter.notes)  # there was no report yet
    before = {path: path.stat().st_mtime_ns for path in result.run.rglob("*") if path.name != ".writer.lock"}
    result, reporter = again(steps=5)
    assert {path: path.stat().st_mtime_ns for path in result.run.rglob("*") if path.name != ".writer.lock"} == before
    assert (result.steps, result.is_stopped) == (5, False)
    assert "is already trained: 5 steps" in " ".join(reporter.notes)
    assert "give it more than --steps 5" in " ".join(reporter.notes)
    assert "training" not in reporter.tasks


def test_more_steps_make_a_finished_run_longer(again):
    again(steps=5)
    result, reporter = again(steps=12)
    assert result.steps == 12
    assert "Training goes on from step 5" in " ".join(reporter.notes)
    assert Run.open(result.run).newest_snapshot().info["steps"] == 12


def test_minutes_end_a_run_and_more_of_them_go_on(again, monkeypatch):
    ticks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: 0.05 * next(ticks))  # a step takes 0.05 s, whatever it takes
    monkeypatch.setattr(loop, "time", clock)
    result, _ = again(steps=None, minutes=0.01)
    assert result.steps in (12, 13)  # 0.6 s
    assert 0.01 <= result.minutes < 0.011
    again_result, reporter = again(steps=None, minutes=0.01)
    assert again_result.steps == result.steps
    assert "more than --minutes 0.01" in " ".join(reporter.notes)
    longer, _ = again(steps=None, minutes=result.minutes + 0.01)
    assert longer.steps in range(result.steps + 12, result.steps + 15)
    assert longer.minutes >= result.minutes + 0.01


def test_a_lost_snapshot_of_a_finished_run_is_written_again(again):
    result, _ = again(steps=5)
    path = Run.open(result.run).snapshot_paths()[-1]
    whole = path.read_bytes()
    path.unlink()
    again(steps=5)
    assert path.read_bytes() == whole


# --- what goes wrong


def flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 0x20
    path.write_bytes(data)


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(again, uninterrupted):
    result, _ = again(StopAt(10))
    older = result.run / "checkpoints" / f"{10:08d}"
    again(StopAt(9))
    flip(older.with_name(f"{19:08d}") / "tensors.safetensors")
    result, reporter = again()
    assert len(reporter.warnings) == 1
    assert "00000019" in reporter.warnings[0]
    assert "Checkpoint 10 is used instead" in reporter.warnings[0]
    assert state_of(result.run)[0] == state_of(uninterrupted)[0]


def test_without_any_whole_checkpoint_the_snapshot_is_gone_on_from(again):
    result, _ = again(StopAt(10))
    flip(result.run / "checkpoints" / f"{10:08d}" / "tensors.safetensors")
    smooth = Run.open(result.run).newest_snapshot().tensors
    result, reporter = again(StopAt(1))
    assert any("There is no other" in warning for warning in reporter.warnings)
    assert any("goes on from the snapshot of step 10" in warning for warning in reporter.warnings)
    assert result.steps == 11
    now = Run.open(result.run).newest_checkpoint().tensors
    for name, array in smooth.items():
        np.testing.assert_allclose(now[f"weights/{name}"], array, atol=0.02)
    flip(result.run / "checkpoints" / f"{11:08d}" / "tensors.safetensors")
    for path in Run.open(result.run).snapshot_paths():
        flip(path)
    result, reporter = again(StopAt(1))
    assert result.steps == 1
    assert any("Training begins anew" in warning for warning in reporter.warnings)


@pytest.fixture
def poison(monkeypatch):
    """poison(steps, times): after these steps, so many times, a weight is no number."""
    real = loop.train_step

    def install(steps, times=1):
        left = [times]

        def step_and_poison(lesson, raw, rate, step):
            losses = real(lesson, raw, rate, step)
            if step in steps and left[0]:
                left[0] -= 1
                with torch.no_grad():
                    weight = next(lesson.model.parameters())
                    weight[(0,) * weight.dim()] = math.nan
            return losses

        monkeypatch.setattr(loop, "train_step", step_and_poison)

    return install


@pytest.mark.parametrize(
    ("step", "checkpoint_seconds", "since"),
    [
        pytest.param(30, 1000.0, 0, id="seen-in-the-losses"),
        pytest.param(30, 0.001, 30, id="seen-before-saving"),
        pytest.param(STEPS - 1, 1000.0, 0, id="at-the-very-end"),
    ],
)
def test_a_run_that_falls_apart_goes_back(again, poison, step, checkpoint_seconds, since):
    poison([step])
    result, reporter = again(checkpoint_seconds=checkpoint_seconds)
    assert result.steps == STEPS
    assert len(reporter.warnings) == 1
    assert "Training fell apart at step" in reporter.warnings[0]
    assert f"goes on from step {since} with 0.5 times the learning rate" in reporter.warnings[0]
    checkpoint = Run.open(result.run).newest_checkpoint()
    assert all(np.isfinite(array).all() for array in checkpoint.tensors.values())
    assert (checkpoint.state["progress"]["rate_scale"], checkpoint.state["progress"]["salt"]) == (0.5, 1)
    rates = [line["rate"] for line in Run.open(result.run).metrics()]
    assert rates[-1] < PRESETS["tiny"].schedule.rate / 2


def test_a_rollback_keeps_the_budget_of_today(again, poison):
    """The checkpoint that it goes back to was made under a smaller one."""
    again(steps=10)
    poison([15])
    result, _ = again(steps=30)
    assert result.steps == 30


def test_a_run_that_falls_apart_again_and_again_gives_up(again, poison, tmp_path):
    again(StopAt(10))
    poison(range(100), times=100)
    with pytest.raises(TrainingError, match=r"fell apart 6 times.*facesets.*another preset"):
        again()
    assert Run.open(tmp_path / "run").newest_checkpoint().step == 10


def test_a_loss_that_rises_sharply_is_a_collapse():
    progress = Progress(step=100)
    assert not recovery.fell_apart(progress, 5.0)
    assert not recovery.fell_apart(progress, 50.0)  # early losses may jump
    assert recovery.fell_apart(progress, math.nan)
    assert recovery.fell_apart(progress, math.inf)
    progress = Progress(step=1000)
    for loss in (1.0, 0.9, 1.3, 0.8, 1.1):  # noise
        assert not recovery.fell_apart(progress, loss)
    verdicts = [recovery.fell_apart(progress, 4.0) for _ in range(3)]
    assert verdicts == [False, True, True]


def test_a_full_disk_keeps_the_last_checkpoint(again, monkeypatch):
    again(StopAt(10))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_files, "_write_tensors", full)
    with pytest.raises(OutputError, match="no space is left"):
        again()
    monkeypatch.undo()
    assert again(StopAt(1))[0].steps == 11


def test_too_little_space_is_noticed_before_the_run_begins_and_not_after(again, tmp_path, monkeypatch):
    monkeypatch.setattr("konterfei.io.atomic.free_space", lambda path: 1_000_000)
    with pytest.raises(OutputError, match=r"run': about 11\d MB are needed, 1 MB are free"):
        again(StopAt(2))
    assert not (tmp_path / "run").exists()
    monkeypatch.undo()
    again(StopAt(2))
    monkeypatch.setattr("konterfei.io.atomic.free_space", lambda path: 1_000_000)
    assert again(StopAt(1))[0].steps == 3


def test_the_space_that_a_run_takes_follows_its_parameters(faces, tmp_path):
    def needed(**changes):
        return bytes_needed(TrainConfig(**faces, output=tmp_path, **changes))

    for name, chosen in PRESETS.items():
        assert needed(preset=name, batch=1) == chosen.run_bytes
        with torch.device("meta"):
            model = MODELS.load(chosen.model)(chosen.dims)
        count = sum(parameter.numel() for parameter in model.parameters())
        assert BYTES_A_PARAMETER * count < chosen.run_bytes < 1.2 * BYTES_A_PARAMETER * count + 250e6
    assert needed(preset="quick", d_dims=48) > needed(preset="quick")
    assert needed(preset="tiny", gan_power=0.1, gan_dims=64, gan_patch_size=31) > needed(preset="tiny") + 100e6
    assert needed(preset="standard", resolution=64, ae_dims=32) < 0.5 * needed(preset="standard")


def test_a_run_takes_no_more_space_than_was_asked_for(again):
    result, _ = again(checkpoint_seconds=0.001)
    count = sum(tensor.size for tensor in Run.open(result.run).newest_snapshot().tensors.values())
    written = [path.stat().st_size for path in result.run.rglob("*.safetensors")]
    assert len(written) == 3 + 5
    assert sum(written) < BYTES_A_PARAMETER * count + 8 * 16_000  # each has a header


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 is small. For programmers. More."
        ),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
    ],
    ids=["allocator", "driver"],
)
def test_memory_too_full_for_one_sample_keeps_the_last_checkpoint_and_says_what_to_make_smaller(
    again, monkeypatch, error
):
    again(StopAt(10))
    whole, left = lesson.measure, [5]

    def greedy(*given):
        left[0] -= 1
        if left[0] <= 0:
            raise error
        return whole(*given)

    monkeypatch.setattr(lesson, "measure", greedy)
    with pytest.raises(
        OutOfMemoryError, match=r"run.*--batch than 2,.*--resolution than 32 or another --preset"
    ) as caught:
        again()
    assert caught.value.exit_code == 2
    assert "out of memory" in str(caught.value) and "rogrammers" not in str(caught.value)
    monkeypatch.undo()
    assert again(StopAt(1), batch=1)[0].steps == 11


def test_two_trainings_of_one_run_are_refused(again):
    result, _ = again(StopAt(2))
    with Run.open(result.run).writing(), pytest.raises(StoreError, match="being trained by another process"):
        again()


# --- settings


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        pytest.param({"preset": "quick", "resolution": None}, "dims", id="preset"),
        pytest.param({"architecture": "liae-ud"}, "model", id="architecture"),
        pytest.param({"seed": 2}, "seed", id="seed"),
        pytest.param({"face_type": "head"}, "face_type", id="face-type"),
    ],
)
def test_other_settings_on_a_run_that_is_there_are_refused(again, changes, named):
    again(StopAt(1))
    with pytest.raises(CheckpointMismatchError, match=named) as caught:
        again(**changes)
    assert caught.value.exit_code == 2
    assert "train in another folder" in str(caught.value)


def test_a_run_that_learned_nothing_yet_takes_other_settings(again, tmp_path):
    Run.create(tmp_path / "run", {"model": "liae", "src": {}, "dst": {}})
    result, _ = again(StopAt(1))
    assert result.steps == 1
    assert Run.open(result.run).config["model"] == "df"


@pytest.mark.parametrize(
    ("tensors", "state"),
    [
        pytest.param({"weights/other": np.zeros(3, np.float32)}, {"progress": {"step": 5}}, id="tensors"),
        pytest.param(None, {"progress": {"step": 5, "of_the_future": 1}}, id="progress"),
    ],
)
def test_a_checkpoint_of_another_version_is_refused(again, tensors, state):
    result, _ = again(StopAt(2))
    run = Run.open(result.run)
    tensors = tensors or run.newest_checkpoint().tensors
    run.save_checkpoint(Checkpoint(5, tensors, state))
    with pytest.raises(CheckpointMismatchError, match="another version"):
        again()


def test_an_unknown_preset_names_the_nearest(faces, tmp_path):
    with pytest.raises(UnknownNameError, match="Did you mean quick") as caught:
        TrainConfig(**faces, output=tmp_path, preset="quik")
    assert caught.value.nearest[0] == "quick"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"minutes": 3, "steps": 3}, "--minutes and --steps exclude each other", id="two-budgets"),
        pytest.param({"minutes": 0}, "--minutes is 0; allowed: a number above 0", id="no-minutes"),
        pytest.param({"minutes": math.nan}, "--minutes is nan", id="nan"),
        pytest.param({"minutes": math.inf}, "--minutes is inf", id="inf"),
        pytest.param({"steps": 0}, "--steps is 0", id="no-steps"),
        pytest.param({"batch": -1}, "--batch is -1", id="batch"),
        pytest.param({"rate": 0.0}, "--rate is 0", id="rate"),
        pytest.param({"seed": -1}, "--seed is -1", id="seed"),
        pytest.param({"threads": -1}, "--threads is -1", id="threads"),
        pytest.param({"resolution": 100}, "multiple of 32, got 100", id="resolution"),
        pytest.param({"ae_dims": 0}, "widths of at least 1", id="width"),
        pytest.param({"architecture": "df-x"}, "only the letters u, d, t, c", id="letters"),
        pytest.param({"face_type": "nose"}, "--face-type is nose; allowed: half, mid_full", id="face-type"),
    ],
)
def test_nonsense_is_refused_by_the_flags_name(faces, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**faces, output=tmp_path, **changes)


def test_an_unknown_model_names_the_nearest(faces, tmp_path):
    with pytest.raises(UnknownNameError, match="liae"):
        TrainConfig(**faces, output=tmp_path, architecture="lia-ud")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"device": "gpu9"}, "--device gpu9: known are auto", id="device"),
        pytest.param({"device": "cpu:x"}, "--device cpu:x: known are auto", id="device-number"),
        pytest.param({"device": "cpu:7"}, "--device cpu:7: PyTorch finds only 1", id="device-count"),
        pytest.param({"precision": "fp8"}, "--precision fp8: known are", id="precision"),
    ],
)
def test_a_missing_processor_is_refused_before_anything_is_written(again, tmp_path, changes, message):
    with pytest.raises(ConfigError, match=message):
        again(**changes)
    assert not (tmp_path / "run").exists()


def test_missing_facesets_are_refused(again, tmp_path):
    with pytest.raises(FacesetError, match="There is no folder"):
        again(src=tmp_path / "nobody")
    assert not (tmp_path / "run").exists()


def test_architectures_are_read_as_the_field_writes_them():
    assert parse_architecture("liae-ud") == ("liae", {"u", "d"})
    assert parse_architecture("df") == ("df", frozenset())
    assert parse_architecture("amp") == ("amp", {"u", "d", "t"})
    with pytest.raises(ConfigError, match="amp takes no letters"):
        parse_architecture("amp-ud")


AMP = {"architecture": "amp", "inter_dims": 12, "morph_factor": 0.3}


def test_amp_has_settings_of_its_own(faces, tmp_path):
    chosen = resolved(TrainConfig(**faces, **SMALL, output=tmp_path, **AMP))
    assert chosen.model == "amp"
    assert (chosen.dims.inter_channels, chosen.dims.morph) == (12, 0.3)
    assert (chosen.dims.unit, chosen.dims.double, chosen.dims.deep, chosen.dims.cosine) == (True, True, True, False)
    for setting in ({"inter_dims": 12}, {"morph_factor": 0.3}):
        with pytest.raises(ConfigError, match="are settings of amp"):
            TrainConfig(**faces, **SMALL, output=tmp_path, **setting)
    with pytest.raises(ConfigError, match=r"morph between 0\.1 and 0\.5"):
        TrainConfig(**faces, **SMALL, output=tmp_path, **{**AMP, "morph_factor": 0.6})


def test_a_model_that_draws_by_chance_resumes_bit_for_bit(again, tmp_path):
    whole, _ = again(**AMP, steps=21, output=tmp_path / "whole")
    again(StopAt(8), **AMP, steps=21)
    result, reporter = again(**AMP, steps=21)
    assert "Training goes on from step 8" in " ".join(reporter.notes)
    assert_equal_runs(result.run, whole.run)


def test_a_run_from_before_amp_goes_on(again):
    result, _ = again(steps=3)
    path = result.run / "config.json"
    config = json.loads(path.read_text())
    del config["dims"]["inter"], config["dims"]["morph"]
    path.write_text(json.dumps(config))
    assert again(steps=5)[0].steps == 5
    assert load_swapper(result.run, device="cpu").resolution == 32


def test_single_settings_override_the_preset(faces, tmp_path):
    config = TrainConfig(
        **faces, output=tmp_path, preset="standard", architecture="df-t", resolution=160, d_dims=48, batch=3, rate=1e-4
    )
    chosen = resolved(config)
    assert (chosen.model, chosen.batch, chosen.schedule.rate) == ("df", 3, 1e-4)
    dims = chosen.dims
    assert (dims.resolution, dims.decoder, dims.deep, dims.double, dims.unit) == (160, 48, True, False, False)
    assert (dims.ae, chosen.schedule.hold) == (PRESETS["standard"].dims.ae, PRESETS["standard"].schedule.hold)


def test_quick96_is_the_original_one():
    """dfl-spec 7.4: df-ud, 96 px, A 128, E 64, D 64, M 16; 38 294 330 parameters."""
    chosen = PRESETS["quick96"]
    assert (chosen.model, chosen.batch, chosen.optimizer, str(chosen.face_type)) == ("df", 4, "rmsprop", "full")
    assert (chosen.augment.straight, chosen.augment.flip, chosen.augment.scale) == (1 / 3, 0.0, 0.05)
    with torch.device("meta"):
        model = MODELS.load(chosen.model)(chosen.dims)
    assert sum(p.numel() for p in model.parameters()) == 38_294_330


# --- people


def test_one_person_twice_is_warned_of(again, faces, tmp_path):
    _, reporter = again(StopAt(1))
    assert reporter.warnings == []
    _, reporter = again(StopAt(1), dst=faceset(tmp_path / "also-anna", ANNA, 4), output=tmp_path / "other")
    assert "src and dst look like the same person (similarity 1.00" in reporter.warnings[0]


def test_faces_without_embeddings_can_be_trained(again, tmp_path):
    result, reporter = again(StopAt(1), dst=faceset(tmp_path / "bert", BERT, 4, with_embedding=False))
    assert result.steps == 1
    assert "two people was not checked" in reporter.notes[0]


def test_a_faceset_that_was_edited_is_used_as_it_is_now(again, tmp_path):
    folder = faceset(tmp_path / "bert", BERT, 4)
    again(StopAt(1), dst=folder)
    sorted(folder.glob("*.jpg"))[0].unlink()
    _, reporter = again(StopAt(1), dst=folder)
    assert any("dst faceset has changed" in note for note in reporter.notes)
    assert any("8 src and 3 dst faces" in note for note in reporter.notes)


def test_damaged_crops_are_named_and_left_out(again, tmp_path):
    folder = faceset(tmp_path / "bert", BERT, 4)
    (folder / "000009_0.jpg").write_bytes(b"no picture")
    _, reporter = again(StopAt(1), dst=folder)
    assert any("000009_0.jpg' is not used" in warning for warning in reporter.warnings)
