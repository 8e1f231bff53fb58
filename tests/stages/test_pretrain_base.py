"""A pretraining that begins with a base: what that knows stays known, and is told of whatever comes of it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from train_material import STEPS, StopAt

from crowd_material import SMALL, crowd
from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError, UnknownNameError
from konterfei.io.manifest import Manifest
from konterfei.io.run import VALIDATION, Run
from konterfei.models.bases import read_base, write_base
from konterfei.reporting import Recorder
from konterfei.stages._train_base import record_of
from konterfei.stages.pretrain import PretrainConfig, pretrain
from konterfei.stages.train import TrainConfig
from konterfei.training.presets import PRESETS
from konterfei.weights.bases import BASES


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
    ours, theirs = (Run.open(one.run).metrics(VALIDATION) for one in (result, by_chance))
    assert ([line["step"] for line in ours], [line["step"] for line in theirs]) == ([1, 20, 40], [20, 40])
    assert ours[0]["error"] < 0.95 * theirs[0]["error"], "measured before anything is lost"
    assert ours[1]["error"] < 0.95 * theirs[0]["error"]
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
        "six (4 people, 12 faces); the base that it began with learned from [ten (8 people, 16 faces)]"
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
    assert Manifest.load(again.run).settings["config"]["base"] == config.base, "what repeats it"
    with pytest.raises(ConfigError, match="comes too late"):
        pretrain(replace(stopped, base=str(second[0].base)), Recorder())
    chance = PretrainConfig(**SMALL, facesets=config.facesets, output=tmp_path / "chance", steps=1)
    pretrain(chance, Recorder())
    with pytest.raises(ConfigError, match="began without a base"):
        pretrain(replace(chance, base=str(first[1].base)), Recorder())
    with pytest.raises(ConfigError, match="--base default comes too late"):
        pretrain(replace(chance, base="default"), Recorder())


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


@pytest.fixture
def lone(first, tmp_path):
    """A copy of the first base, and how a run begins with it."""
    base = tmp_path / "lone" / "base.safetensors"
    base.parent.mkdir()
    shutil.copy(first[1].base, base)
    people = crowd(tmp_path / "few", range(30, 38), 2)
    return base, PretrainConfig(
        **SMALL, facesets=(people,), output=tmp_path / "run", steps=STEPS, base=str(base), checkpoint_seconds=1e-3
    )


def test_it_goes_on_without_the_file_but_does_not_begin_anew_without_it(lone):
    base, config = lone
    pretrain(config, StopAt(5))
    base.unlink()
    again = pretrain(replace(config, base=str(base.parent)), StopAt(9))  # the same, named otherwise
    assert again.steps == 14
    run = Run.open(config.output)
    for folder in (run.folder / "checkpoints").iterdir():
        for file in folder.iterdir():
            file.write_bytes(b"torn")
    for file in (*run.snapshot_paths(), *run.best_paths()):
        file.write_bytes(b"torn")
    with pytest.raises(DamagedFileError, match=r"its base is gone.*Put it back, or begin in another folder"):
        pretrain(config, Recorder())


def test_a_config_that_was_lost_does_not_forget_the_base(lone):
    base, config = lone
    pretrain(config, StopAt(5))
    base.unlink()
    (config.output / "config.json").unlink()
    result = pretrain(replace(config, base="none"), StopAt(9))
    assert read_base(result.base).info["base"]["name"] == "lone"


def test_what_a_killed_beginning_left_is_not_taken_for_the_next_ones(lone):
    """Its best weights may be those of another base."""
    _, config = lone
    result = pretrain(replace(config, validate_steps=1), StopAt(3))
    run = Run.open(result.run)
    shutil.rmtree(run.folder / "checkpoints")
    for path in run.snapshot_paths():
        path.unlink()
    assert run.is_untrained and run.best_paths()
    again = pretrain(replace(config, base="none", share_of_width=1.0), StopAt(2))
    assert (read_base(again.base).steps, read_base(again.base).info.get("base")) == (2, None)


@pytest.mark.parametrize(
    "told",
    [
        {"minutes": "long"},
        {"minutes": float("nan")},
        {"facesets": ["x"]},
        {"facesets": [{"sha256": [1]}]},
        {"base": 3},
        {"base": {"facesets": "abc"}},
        {"base": {"steps": "many"}},
    ],
)
def test_a_history_that_makes_no_sense_is_damage(first, tmp_path, told):
    base = read_base(first[1].base)
    path = tmp_path / "base.safetensors"
    write_base(path, base.many(), base.face_type, base.steps, {**base.info, **told})
    with pytest.raises(DamagedFileError, match="history makes no sense"):
        read_base(path)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_liae_begins_with_a_base_too(first, tmp_path, monkeypatch, share):
    monkeypatch.setitem(PRESETS, "tiny", replace(PRESETS["tiny"], model="liae"))
    config = PretrainConfig(**SMALL, facesets=(first[0],), output=tmp_path / "first", steps=10)
    before = pretrain(config, Recorder())
    still = {**SMALL, "rate": 1e-12, "share_of_width": share}
    config = PretrainConfig(**still, facesets=(first[0],), output=tmp_path / "run", steps=1, base=str(before.base))
    ours, theirs = (read_base(path).many() for path in (pretrain(config, Recorder()).base, before.base))
    torch.testing.assert_close(drawn(ours), drawn(theirs), atol=3e-3, rtol=0)


def test_the_carried_base_tells_of_its_people_apart_from_yours(first, tmp_path):
    """By `konterfei pretrain --base default`."""
    config = PretrainConfig(
        facesets=(first[0],), output=tmp_path / "run", steps=1, base="default", batch=2, threads=1, held_out=0.25,
        device="cpu", precision="fp32",
    )  # fmt: skip
    base = read_base(pretrain(config, Recorder()).base)
    record = base.info["base"]
    assert (record["name"], record["sha256"]) == ("quick", BASES["quick"].sha256)
    given = TrainConfig(src=Path("a"), dst=Path("b"), output=Path("c"), base="mine")
    assert record_of(base, given)["trained_on"] == (
        f"ten (8 people, 16 faces); the base that it began with learned from [{BASES['quick'].trained_on}]"
    )
