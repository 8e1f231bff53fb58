"""What must not be lost, and what is said: one colour in place of faces, facesets changed by hand, damaged files."""

import shutil

import numpy as np
import pytest
import torch
from train_material import STEPS, StopAt, assert_equal_runs, state_of

from drawn_faces import ANNA, BERT, faceset
from konterfei.errors import ConfigError, DamagedFileError, FacesetError, OutputError
from konterfei.io.backups import backups
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.reporting import Recorder
from konterfei.stages.restore import RestoreConfig, restore
from konterfei.training import checkpoints, collapse, loop, recovery

# --- one colour


@pytest.fixture
def hasty(monkeypatch):
    """Looks come every 20 steps, and less is enough: what takes thousands of steps takes a hundred."""
    monkeypatch.setattr(loop, "LOOK_EVERY", 20)
    monkeypatch.setattr(recovery, "_SETTLING", 40)
    monkeypatch.setattr(collapse, "PATIENCE", 6)
    monkeypatch.setattr(collapse, "_DRAWS", 0.03)
    monkeypatch.setattr(collapse, "_NOTHING", 0.03)


@pytest.mark.parametrize(("checkpoint_seconds", "since"), [(1000.0, 125), (0.001, 130)], ids=["look", "before-saving"])
def test_a_network_that_falls_to_one_color_goes_back(again, hasty, monkeypatch, checkpoint_seconds, since):
    """Its loss stays a number, and below twice the best."""
    real, left = loop.train_step, [1]

    def step(lesson, raw, rate, step):
        losses = real(lesson, raw, rate, step)
        if step == 130 and left:
            left.pop()
            for name, view in lesson.learner.flat.by_name(lesson.learner.flat.weights).items():
                if "out_conv" in name and "mask" not in name:
                    view.zero_()
        return losses

    again(StopAt(125), steps=145, checkpoint_seconds=1000.0)
    monkeypatch.setattr(loop, "train_step", step)
    result, reporter = again(steps=145, checkpoint_seconds=checkpoint_seconds)
    assert len(reporter.warnings) == 1, reporter.warnings
    assert "it draws one colour in place of a face" in reporter.warnings[0]
    assert f"goes on from step {since} with 0.5 times the learning rate" in reporter.warnings[0]
    progress = Run.open(result.run).newest_checkpoint().state["progress"]
    assert result.steps == 145 and progress["salt"] == 1 and min(progress["drawn"]) > 0.03
    assert backups(Run.open(result.run)) == []


def test_a_rate_that_kills_the_network_is_halved_until_it_learns(again, hasty):
    """A hundred times the usual rate."""
    result, reporter = again(rate=0.1, steps=120, checkpoint_seconds=1000.0)
    assert 2 <= len(reporter.warnings) <= 5
    assert all("goes on from step 0" in warning for warning in reporter.warnings)
    progress = Run.open(result.run).newest_checkpoint().state["progress"]
    assert result.steps == 120
    assert progress["rate_scale"] == 0.5 ** len(reporter.warnings)
    assert 0 < progress["loss"] < progress["first"]


def test_a_network_that_never_draws_anything_is_begun_anew(again, hasty, monkeypatch):
    """Its loss is that of grey for ever. Until it learns, or for good."""
    real, left = loop.train_step, [130]

    def step(lesson, raw, rate, step):
        left[0] -= 1
        return real(lesson, raw, 0.0 if left[0] > 0 else rate, step)

    monkeypatch.setattr(loop, "train_step", step)
    again(StopAt(110), steps=140)
    result, reporter = again(steps=140)
    assert len(reporter.warnings) == 1
    assert (
        "fell apart at step 120 (it draws one colour in place of a face). It goes on from step 0"
        in (reporter.warnings[0])
    )
    run = Run.open(result.run)
    assert [(backup.step, backup.name) for backup in backups(run)] == [(110, "fell-apart")]
    assert [path.name for path in run.checkpoint_paths()] == ["00000140"]


@pytest.mark.parametrize("changes", [{"architecture": "liae-ud"}, {"optimizer": "adabelief", "rate": 5e-5}], ids=str)
def test_usual_trainings_are_never_suspected(again, hasty, changes):
    _, reporter = again(steps=130, **changes)
    assert reporter.warnings == []


def test_what_leads_to_the_same_end_again_is_left_for_an_older_state(again, monkeypatch):
    """A checkpoint that was gone back to, and fell apart again: the generation before it."""
    again(StopAt(10))
    again(StopAt(10))
    monkeypatch.setattr(recovery, "_SETTLING", 10)
    real, left = loop.train_step, [2]

    def poisoned(lesson, raw, rate, step):
        losses = real(lesson, raw, rate, step)
        if step == 25 and left[0]:
            left[0] -= 1
            with torch.no_grad():
                lesson.learner.flat.weights[0] = float("nan")
        return losses

    monkeypatch.setattr(loop, "train_step", poisoned)
    result, reporter = again(checkpoint_seconds=1000.0)
    assert ["from step 20" in w for w in reporter.warnings] == [True, False]
    assert "from step 10" in reporter.warnings[1]
    assert result.steps == STEPS
    (kept,) = backups(Run.open(result.run))
    assert (kept.step, kept.name) == (20, "fell-apart")
    assert f"kept as the backup '{kept.path.name}'" in " ".join(reporter.notes)
    assert np.isfinite(Run.open(result.run).newest_checkpoint().tensors["weights/inter.dense1.weight"]).all()


def test_without_backups_the_older_state_that_is_kept_can_be_gone_back_to(again, tmp_path):
    whole, _ = again(steps=20, output=tmp_path / "whole")
    for _ in range(3):
        again(StopAt(5), steps=20)
    run = tmp_path / "run"
    told = restore(RestoreConfig(run=run), Recorder())
    assert told.kept == (5, 10)
    assert any("still keeps the state of step 5, 10: konterfei restore" in line for line in told.summary())
    with pytest.raises(ConfigError, match="no backup '7'"):
        restore(RestoreConfig(run=run, backup="7"), Recorder())
    result = restore(RestoreConfig(run=run, backup="5"), Recorder())
    assert result.left is not None and result.left.step == 15
    trained, reporter = again(steps=20)
    assert "Training goes on from step 5" in " ".join(reporter.notes)
    assert_equal_runs(trained.run, whole.run)


# --- facesets changed by hand


class At(Recorder):
    """Does something once, in the middle of the training."""

    def __init__(self, steps, deed):
        super().__init__()
        self.left, self.deed = steps, deed

    def take_stop(self):
        if self.tasks[-1:] == ["training"]:
            self.left -= 1
            if self.left == 0:
                self.deed()
        return False


@pytest.fixture
def people(tmp_path):
    return {"src": faceset(tmp_path / "anna", ANNA, 6), "dst": faceset(tmp_path / "bert", BERT, 6)}


def some_deleted(folder):
    for path in sorted(folder.glob("*.jpg"))[::2]:
        path.unlink()


def some_added(folder):
    other = faceset(folder.with_name("other"), BERT, 9)
    for path in sorted(other.glob("*.jpg"))[6:]:
        shutil.copy(path, folder)


def one_ruined(folder):
    path = sorted(folder.glob("*.jpg"))[0]
    path.write_bytes(bytes(path.stat().st_size))


CHANGES = [some_deleted, some_added, one_ruined, shutil.rmtree]


@pytest.mark.parametrize("change", CHANGES)
def test_a_faceset_that_changes_while_it_is_trained_with_changes_nothing(again, people, tmp_path, change):
    """Faces are read at the start; what happens to the folder is for the next start."""
    whole, _ = again(**people, steps=20, output=tmp_path / "whole")
    result, reporter = again(At(7, lambda: change(people["dst"])), **people, steps=20)
    assert reporter.warnings == []
    assert_equal_runs(result.run, whole.run)
    assert Manifest.load(result.run).inputs["dst"]["num_faces"] == 6


@pytest.mark.parametrize(("change", "left"), [(some_deleted, 3), (some_added, 9), (one_ruined, 5)])
def test_a_faceset_that_changed_between_two_starts_is_used_as_it_is_and_counted(again, people, change, left):
    again(StopAt(5), **people)
    change(people["dst"])
    result, reporter = again(StopAt(5), **people)
    (note,) = [note for note in reporter.notes if "has changed" in note]
    assert f"The dst faceset has changed since this run began: {left} faces now, 6 then" in note
    assert "what is there now is used" in note
    assert any(f"6 src and {left} dst faces" in note for note in reporter.notes)
    assert bool(reporter.warnings) == (change is one_ruined)
    assert result.steps == 10
    inputs = Manifest.load(result.run).inputs
    assert inputs["dst"]["num_faces"] == left
    assert [told["num_faces"] for name, told in inputs.items() if name.startswith("dst earlier")] == [6]


def test_changed_faces_are_sampled_evenly_and_the_rest_stays_determined(again, people, tmp_path):
    """From the same stop with the same changed faceset: the same run."""
    again(StopAt(5), **people)
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    some_deleted(people["src"])
    one, _ = again(**people, steps=12)
    other, _ = again(**people, steps=12, output=tmp_path / "copy")
    assert_equal_runs(one.run, other.run)


def test_no_faces_left_is_said_and_the_run_stays(again, people, tmp_path):
    again(StopAt(5), **people)
    before = state_of(tmp_path / "run")
    for path in people["dst"].glob("*.jpg"):
        path.unlink()
    with pytest.raises(FacesetError, match=r"bert' holds no faces.*Put crops back or extract again"):
        again(**people)
    shutil.rmtree(people["dst"])
    with pytest.raises(FacesetError, match="There is no folder"):
        again(**people)
    assert state_of(tmp_path / "run") == before


class While(Recorder):
    """Does something once, when a part of the work begins."""

    def __init__(self, task, deed):
        super().__init__()
        self.task, self.deed = task, deed

    def start(self, task, total, unit):
        super().start(task, total, unit)
        if task == self.task:
            self.deed()


def test_a_face_that_vanishes_while_faces_are_read_is_left_out_with_a_word(again, people):
    """Deleted between listing and reading; and one whose picture was ruined then."""
    paths = sorted(people["dst"].glob("*.jpg"))

    def deed():
        paths[2].unlink()
        one_ruined(people["dst"])

    result, reporter = again(While("reading dst faces", deed), **people, steps=3)
    assert result.steps == 3
    assert any("6 src and 4 dst faces" in note for note in reporter.notes)
    assert sum("is not used" in warning for warning in reporter.warnings) == 2
    assert any(f"{paths[2].name}' is gone" in warning for warning in reporter.warnings)
    assert any(f"{paths[0].name}' is damaged" in warning for warning in reporter.warnings)


def test_all_faces_vanishing_then_is_an_error(again, people):
    def deed():
        for path in people["src"].glob("*.jpg"):
            path.unlink()

    with pytest.raises(FacesetError, match=r"anna' holds no face that can be read"):
        again(While("reading src faces", deed), **people, steps=3)


# --- damaged files


@pytest.mark.parametrize("data", [b"", bytes(500), b'{"run_version": 1, "mo'], ids=["empty", "zeros", "cut"])
def test_a_config_that_is_damaged_is_made_anew_by_the_same_command_as_its_message_says(again, tmp_path, data):
    whole, _ = again(output=tmp_path / "whole", steps=20)
    result, _ = again(StopAt(9), steps=20)
    path = result.run / "config.json"
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match="delete it and give the same konterfei train again"):
        again(steps=20)
    path.unlink()
    result, reporter = again(steps=20)
    assert "Training goes on from step 9" in " ".join(reporter.notes)
    assert_equal_runs(result.run, whole.run)


@pytest.mark.parametrize("data", [b"", bytes(500), b'{"format": '], ids=["empty", "zeros", "cut"])
def test_a_damaged_manifest_says_what_to_do_and_that_works(again, tmp_path, data):
    result, _ = again(StopAt(9), steps=20)
    path = result.run / "manifest.json"
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"manifest.json' cannot be read .*Delete it"):
        again(steps=20)
    path.unlink()
    assert again(steps=20)[0].steps == 20


def test_figures_full_of_zeros_do_not_disturb(again):
    result, _ = again(StopAt(25))
    path = result.run / "metrics.jsonl"
    path.write_bytes(bytes(path.stat().st_size))
    result, reporter = again()
    assert result.steps == STEPS and reporter.warnings == []
    assert [line["step"] for line in Run.open(result.run).metrics()] == [40]


@pytest.mark.parametrize("part", ["save_checkpoint", "save_snapshot"])
def test_whatever_part_of_a_save_finds_no_space_the_run_goes_on_later_as_if_nothing_had_been(
    again, tmp_path, monkeypatch, part
):
    whole, _ = again(output=tmp_path / "whole", steps=20)
    again(StopAt(9), steps=20)
    real = getattr(checkpoints.Run, part)

    def full(self, *given, **named):
        if Run.newest_checkpoint(self).step > 12:
            raise OutputError("no space is left")
        return real(self, *given, **named)

    monkeypatch.setattr(checkpoints.Run, part, full)
    with pytest.raises(OutputError):
        again(steps=20, checkpoint_seconds=0.001)
    monkeypatch.undo()
    result, reporter = again(steps=20)
    assert reporter.warnings == []
    assert_equal_runs(result.run, whole.run)
