"""A training that does not fit into memory is cut until it does, says so, and learns the same."""

import json

import numpy as np
import pytest
import torch
from train_material import SMALL, StopAt, assert_equal_runs

from konterfei.errors import ConfigError
from konterfei.io.run import Run
from konterfei.nets.dims import Dims
from konterfei.stages.train import TrainConfig
from konterfei.training import lesson, loop
from konterfei.training.memory import Training, room
from konterfei.training.objectives import Objectives
from konterfei.training.thrift import Thrift

CPU = torch.device("cpu")
WIDE = {"resolution": 64, "batch": 8, "steps": 21}
FACES = 2_500_000
"""Bytes: more than the drawn faces and some batches of samples take at 64 px."""


def weights(run):
    return np.concatenate([array.ravel() for _, array in sorted(Run.open(run).newest_snapshot().tensors.items())])


def distance(one, other):
    return np.linalg.norm(weights(one.run) - weights(other.run)) / np.linalg.norm(weights(one.run))


def needed(**objectives):
    """What the training of these tests takes if steps are cut in this way."""
    from konterfei.models.df import DF

    dims = Dims(resolution=64, ae=8, encoder=4, decoder=4, mask=2, unit=True, double=True)
    training = Training(
        model=DF, dims=dims, objectives=(Objectives(**objectives),), optimizer="adam", batch=8, precision="fp32"
    )
    return lambda thrift: room(CPU) * training.bytes_with(thrift) + FACES


@pytest.fixture
def trained(again, tmp_path):
    """trained(name, ...) -> result and reporter of a training of 21 steps in a folder of that name."""
    return lambda name, reporter=None, **changes: again(reporter, **{**WIDE, "output": tmp_path / name, **changes})


def test_where_everything_fits_nothing_is_said_and_nothing_changes(trained):
    plain, reporter = trained("plain")
    ample, _ = trained("ample", memory_gb=64)
    said = " ".join([*reporter.notes, *reporter.warnings])
    assert "memory" not in said and "at a time" not in said
    assert_equal_runs(plain.run, ample.run)
    assert "at_once" not in Run.open(plain.run).metrics()[0]


@pytest.mark.parametrize("objectives", [{}, {"gan_power": 0.1, "gan_dims": 4}], ids=["plain", "gan"])
def test_little_memory_cuts_the_steps_and_the_same_is_learned(trained, objectives):
    of = needed(**objectives)
    little = (of(Thrift(4)) + of(Thrift(2))) / 2 / 1e9  # enough for two samples at a time, not for four
    whole, _ = trained("whole", **objectives)
    cut, reporter = trained("cut", memory_gb=little, **objectives)
    (note,) = [note for note in reporter.notes if "GB of memory" in note]
    assert "with 2 of 8 samples at a time" in note and "what is learned is the same" in note
    assert Run.open(cut.run).metrics()[0]["at_once"] == 2
    assert 0 < distance(whole, cut) < 1e-3
    figures = [[line[key] for key in ("step", "rate")] for line in Run.open(whole.run).metrics()]
    assert [[line[key] for key in ("step", "rate")] for line in Run.open(cut.run).metrics()] == figures


def test_a_phase_that_needs_more_is_planned_for_from_the_beginning(trained, tmp_path):
    plan = tmp_path / "phases.toml"
    plan.write_text("[[phase]]\nsteps = 1\n[[phase]]\ngan_power = 0.1\ngan_dims = 16\n", "utf-8")
    enough = needed()(Thrift(0)) / 1e9 + 0.003
    _, reporter = trained("plain", memory_gb=enough, steps=2)
    assert not [note for note in reporter.notes if "at a time" in note]
    _, reporter = trained("phases", memory_gb=enough, plan=plan, steps=2)
    assert [note for note in [*reporter.notes, *reporter.warnings] if "samples at a time" in note]


def test_too_little_for_any_way_is_warned_of_and_tried(trained):
    result, reporter = trained("tight", memory_gb=0.001)
    assert result.steps == 21
    (warning,) = [text for text in reporter.warnings if "GB of memory" in text]
    assert "with 1 of 8 samples at a time, computing layers again" in warning and "may not fit" in warning


def test_a_run_goes_on_with_any_way(trained):
    whole, _ = trained("whole")
    for micro, reporter in ((3, StopAt(5)), (0, StopAt(7)), (1, None)):
        mixed, _ = trained("mixed", reporter, micro_batch=micro)
    assert mixed.steps == 21
    assert distance(whole, mixed) < 1e-3
    same, _ = trained("same", micro_batch=8)
    assert_equal_runs(whole.run, same.run)


def test_a_run_in_pieces_goes_on_bit_for_bit(trained):
    whole, _ = trained("whole", micro_batch=3)
    trained("parts", StopAt(9), micro_batch=3)
    parts, _ = trained("parts", micro_batch=3)
    assert_equal_runs(whole.run, parts.run)


def test_full_memory_amid_a_run_costs_nothing_but_time(trained, monkeypatch):
    whole, _ = trained("whole")
    real, left = lesson.measure, [7]

    def greedy(*given):
        left[0] -= 1
        if not left[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(*given)

    monkeypatch.setattr(lesson, "measure", greedy)
    result, reporter = trained("full")
    assert result.steps == 21
    assert [warning for warning in reporter.warnings if "with 4 of 8 samples at a time" in warning]
    assert len(reporter.warnings) == 1
    assert Run.open(result.run).metrics()[0]["at_once"] == 4
    assert distance(whole, result) < 1e-3


def test_a_preview_is_drawn_with_fewer_faces_where_memory_is_full(trained, monkeypatch):
    whole, _ = trained("whole", steps=1)
    real, sizes = loop.preview_grid, []

    def greedy(model, src, dst, device, precision, at_once):
        sizes.append(at_once)
        if at_once > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(model, src, dst, device, precision, at_once)

    monkeypatch.setattr(loop, "preview_grid", greedy)
    result, reporter = trained("full", steps=1)
    assert sizes == [6, 3, 1]
    assert result.preview.read_bytes() == whole.preview.read_bytes()
    assert not reporter.warnings


def test_a_preview_that_cannot_be_drawn_does_not_end_the_run(trained, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(loop, "preview_grid", full)
    result, reporter = trained("full", steps=3)
    assert result.steps == 3
    assert [warning for warning in reporter.warnings if "Step 3 has no preview." in warning]


@pytest.mark.parametrize("wrong", [{"micro_batch": -1}, {"memory_gb": 0}, {"memory_gb": float("nan")}], ids=str)
def test_wrong_settings_are_named(faces, tmp_path, wrong):
    with pytest.raises(ConfigError, match=f"--{next(iter(wrong)).replace('_', '-')}"):
        TrainConfig(**faces, **{**SMALL, **wrong}, output=tmp_path)


def test_the_choice_is_a_setting_in_the_manifest(trained):
    result, _ = trained("whole", steps=1, micro_batch=2)
    assert json.loads((result.run / "manifest.json").read_text())["settings"]["config"]["micro_batch"] == 2
