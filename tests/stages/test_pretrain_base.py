"""A pretraining that begins with a base: what that knows stays known, and is told of whatever comes of it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_material import StopAt

from crowd_material import crowd
from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError, UnknownNameError
from konterfei.io.run import VALIDATION, Run
from konterfei.models.bases import read_base
from konterfei.reporting import Recorder
from konterfei.stages._train_base import record_of
from konterfei.stages.pretrain import PretrainConfig, pretrain
from konterfei.stages.train import TrainConfig

SMALL = {
    "preset": "tiny",
    "share_of_width": 0.5,
    "held_out": 0.25,
    "batch": 4,
    "rate": 0.003,
    "threads": 1,
    "device": "cpu",
    "precision": "fp32",
    "validate_steps": 20,
    "patience": 0,
}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A base of ten people, narrow."""
    folder = tmp_path_factory.mktemp("first")
    people = crowd(folder / "ten", range(10), 2)
    return people, pretrain(PretrainConfig(**SMALL, facesets=(people,), output=folder / "first", steps=120), Recorder())


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    """Another six people, added to it in networks twice as wide."""
    folder, told = tmp_path_factory.mktemp("second"), Recorder()
    people = crowd(folder / "six", range(20, 26), 3)
    wide = {**SMALL, "share_of_width": 1.0}
    config = PretrainConfig(**wide, facesets=(people,), output=folder / "second", steps=40, base=str(first[1].run))
    return pretrain(config, told), told, config


def drawn(base):
    images = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(2))
    who = torch.nn.functional.normalize(torch.randn((1, 2, 192), generator=torch.Generator().manual_seed(3)), dim=-1)
    with torch.inference_mode():
        return base.reconstruct_as(images, who.transpose(0, 1).expand(2, 2, 192)).image


def test_it_goes_on_from_what_is_known(first, second):
    result, told, config = second
    by_chance = pretrain(replace(config, base="none", output=config.output.parent / "chance"), Recorder())
    ours, theirs = (Run.open(one.run).metrics(VALIDATION)[0] for one in (result, by_chance))
    assert ours["step"] == theirs["step"] == 20
    assert ours["error"] < 0.95 * theirs["error"]
    known = f"What the base '{first[1].run}' learned in {read_base(first[1].base).steps} steps is known already."
    assert any(known in note for note in told.notes)


def test_before_its_first_step_it_draws_what_the_base_draws(first, tmp_path):
    """Even wider than that; a rate of next to nothing leaves it so."""
    people, result = first
    config = PretrainConfig(
        **{**SMALL, "share_of_width": 1.0, "rate": 1e-12}, facesets=(people,), output=tmp_path / "run", steps=1,
        base=str(result.base),
    )  # fmt: skip
    base = read_base(pretrain(config, Recorder()).base)
    assert base.dims.encoder == 2 * read_base(result.base).dims.encoder
    torch.testing.assert_close(drawn(base.many()), drawn(read_base(result.base).many()), atol=3e-3, rtol=0)


def test_the_new_base_says_what_it_began_with(first, second):
    before, base = read_base(first[1].base), read_base(second[0].base)
    began = base.info["base"]
    own = Run.open(second[0].run).best_snapshot().info["steps"]
    assert (began["name"], began["sha256"], began["steps"]) == ("first", before.sha256, before.steps)
    assert base.steps == before.steps + own, "its own steps, and those of what it began with"
    assert base.info["minutes"] > before.info["minutes"] > 0
    assert str(first[0].parent) not in json.dumps(base.info), "where anything lay is nobody's business"
    config = TrainConfig(src=Path("a"), dst=Path("b"), output=Path("c"), base=str(second[0].base))
    assert record_of(base, config)["trained_on"] == (
        "six (4 people, 12 faces), and, in the base that it began with, ten (8 people, 16 faces)"
    )


def test_the_same_command_goes_on_and_another_base_comes_too_late(first, second, tmp_path):
    _, _, config = second
    stopped = replace(config, output=tmp_path / "run")
    pretrain(stopped, StopAt(13))
    told = Recorder()
    again = pretrain(stopped, told)
    assert not any("known already" in note for note in told.notes)
    ours, theirs = (Run.open(run).newest_checkpoint().tensors for run in (again.run, second[0].run))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert pretrain(replace(stopped, base="none"), Recorder()).steps == 40, "nothing is asked for: nothing is wrong"
    with pytest.raises(ConfigError, match="comes too late"):
        pretrain(replace(stopped, base=str(second[0].base)), Recorder())
    chance = PretrainConfig(**SMALL, facesets=config.facesets, output=tmp_path / "chance", steps=1)
    pretrain(chance, Recorder())
    with pytest.raises(ConfigError, match="began without a base"):
        pretrain(replace(chance, base=str(first[1].base)), Recorder())


def test_figures_of_people_whom_the_base_knows_are_called_flattering(first, second, tmp_path):
    people, result = first
    config = PretrainConfig(**SMALL, facesets=(people,), output=tmp_path / "run", steps=1, base=str(result.base))
    told = Recorder()
    pretrain(config, told)
    assert any("learned from" in warning and "flatter" in warning for warning in told.warnings)
    assert not any("flatter" in warning for warning in second[1].warnings), "six others"
    third = replace(config, output=tmp_path / "third", base=str(second[0].base), share_of_width=1.0)
    told = Recorder()
    pretrain(third, told)
    assert any("flatter" in warning for warning in told.warnings), "known to the base of the base"
    strangers = crowd(tmp_path / "strangers", [40, 41, 42], 2)
    told = Recorder()
    pretrain(replace(config, held=(strangers,), output=tmp_path / "fourth"), told)
    assert not any("flatter" in warning for warning in told.warnings)


def test_what_does_not_fit_or_is_none_is_refused_before_anything_is_written(first, second, tmp_path):
    people, _ = first
    config = PretrainConfig(**SMALL, facesets=(people,), output=tmp_path / "run", steps=1)
    with pytest.raises(CheckpointMismatchError, match=r"--base .* does not fit: its networks are wider"):
        pretrain(replace(config, base=str(second[0].base)), Recorder())
    with pytest.raises(ConfigError, match="there is no file"):
        pretrain(replace(config, base=str(tmp_path / "nowhere")), Recorder())
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"nothing")
    with pytest.raises(DamagedFileError, match="no base that can be read"):
        pretrain(replace(config, base=str(broken)), Recorder())
    with pytest.raises(UnknownNameError, match="tiny"):
        pretrain(replace(config, base="default"), Recorder())
    assert not (tmp_path / "run").exists()
