"""What is said of runs: of many in a row each, of one everything, and of what cannot be read why."""

import shutil

import pytest
from train_material import SMALL, StopAt

from konterfei.errors import StoreError
from konterfei.io.backups import make_backup
from konterfei.io.run import Run
from konterfei.reporting import Recorder
from konterfei.stages.runs import RunsConfig, runs
from konterfei.stages.train import TrainConfig, train


@pytest.fixture(scope="module")
def project(faces, tmp_path_factory):
    """models/old and models/deep/new, each trained for some steps; a backup in the one, a file in the way."""
    folder = tmp_path_factory.mktemp("project")
    old, new = folder / "models" / "old", folder / "models" / "deep" / "new"
    for output, changes in ((old, {"steps": 3}), (new, {"steps": 22, "architecture": "liae-ud", "eyes_mouth": True})):
        train(TrainConfig(**faces, **{**SMALL, **changes}, output=output), Recorder())
    make_backup(Run.open(new), "good")
    (folder / "models" / "notes.txt").write_text("x")
    return folder


def said(folder):
    return runs(RunsConfig(folder=folder), Recorder()).summary()


def test_each_run_has_a_row_the_last_trained_first_and_backups_have_none(project):
    head, new, old = said(project)
    assert head.split()[:3] == ["run", "model", "px"]
    assert new.split()[:5] == [str(project / "models" / "deep" / "new"), "liae-ud", "32", "full", "22"]
    assert old.split()[:5] == [str(project / "models" / "old"), "df-ud", "32", "full", "3"]
    figures = Run.open(project / "models" / "deep" / "new").metrics()[-1]
    assert f"{figures['src']:.3f}" in new and f"{figures['dst']:.3f}" in new
    assert len(old.split()) == len(new.split()) - 2  # no report before step 20


def test_of_one_run_everything_is_said(project, faces):
    folder = project / "models" / "deep" / "new"
    lines = said(folder)
    told = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in lines}
    assert told["model"].startswith("liae-ud, resolution 32, ae 8, encoder 4")
    assert (told["steps"], told["optimiser"], told["seed"]) == ("22", "adam", "1")
    assert told["src"] == f"{faces['src']}: 8 faces of anna.mp4"
    assert "eyes_mouth True" in told["objectives"] and "gan_power" not in told["objectives"]
    assert (told["--batch"], told["--ae-dims"], told["--eyes-mouth"]) == ("2", "8", "True")
    assert told["checkpoints of steps"] == told["snapshots of steps"] == "22"
    assert told["backups"] == "00000022-good"
    assert told["preview"] == str(folder / "previews" / "preview.jpg")
    assert told["fell apart"] == "0 times, rate now 1 of the plan's"
    assert "torch" in told["made with"]
    assert "phases" not in told


def test_phases_are_named_with_the_one_it_is_in(again, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text('[[phase]]\nname = "first"\nsteps = 2\n[[phase]]\nname = "last"\nrandom_warp = false\n', "utf-8")
    result, _ = again(plan=path, steps=4)
    assert any("phases" in line and "first, last; now in the 2." in line for line in said(result.run))


def test_a_run_that_is_trained_now_says_so_and_can_be_looked_at(project):
    folder = project / "models" / "old"
    with Run.open(folder).writing():
        assert any("last trained" in line and line.endswith("now") for line in said(folder))
        assert said(project / "models")[1:] != []


def test_damage_is_told_and_disturbs_no_other(project, tmp_path):
    shutil.copytree(project, tmp_path / "copy")
    config = tmp_path / "copy" / "models" / "old" / "config.json"
    config.write_bytes(bytes(10))
    lines = said(tmp_path / "copy")
    assert sum("damaged" in line for line in lines) == 1
    assert any("liae-ud" in line for line in lines)
    assert "config.json' cannot be read" in lines[-1]
    with pytest.raises(StoreError, match=r"config.json' cannot be read"):
        said(config.parent)


def test_damaged_counters_and_manifests_are_no_hindrance(again):
    result, _ = again(StopAt(3))
    again(StopAt(3))
    for path in (result.run / "manifest.json", Run.open(result.run).checkpoint_paths()[-1] / "state.json"):
        path.write_bytes(b"")
    assert any(line.split() == ["steps", "3"] for line in said(result.run))


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(StoreError, match=r"There is no run in .*konterfei train"):
        said(tmp_path)
    with pytest.raises(StoreError, match="There is no folder"):
        said(tmp_path / "nowhere")


def test_a_run_that_was_renamed_goes_on(again, tmp_path):
    """docs/stages/runs.md"""
    again(StopAt(3))
    (tmp_path / "run").rename(tmp_path / "other")
    result, reporter = again(StopAt(3), output=tmp_path / "other")
    assert result.steps == 6 and reporter.warnings == []
