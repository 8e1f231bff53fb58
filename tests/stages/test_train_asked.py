"""A training that people ask things of: nothing of it changes what is learned; backups lead back."""

import json
import threading

import pytest
from train_material import SMALL

from konterfei.errors import ConfigError, OutputError, StoreError, TrainingError
from konterfei.io.mailbox import Mailbox
from konterfei.io.run import Run
from konterfei.models.swapper import load_swapper
from konterfei.reporting import Recorder
from konterfei.stages.restore import RestoreConfig, restore
from konterfei.stages.tell import TellConfig, tell
from konterfei.stages.train import TrainConfig, train
from konterfei.training import desk
from konterfei.training.commands import MAILBOX

STEPS = 30


class Asks(Recorder):
    """Presses a key after some steps: {step: name}."""

    def __init__(self, wishes):
        super().__init__()
        self.at, self.steps, self.keys = wishes, 0, {}

    def listen(self, keys):
        self.keys = keys

    def take_stop(self):
        self.steps += bool(self.keys)
        if self.steps in self.at:
            self.wishes.append(self.at[self.steps])
        return False


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """The desk looks at every step."""
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.0)


@pytest.fixture(scope="module")
def undisturbed(faces, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole") / "run"
    train(TrainConfig(**faces, **SMALL, output=output, steps=STEPS), Recorder())
    return output


def learned(run):
    """Tensors, figures and the picture: what nothing may change."""
    opened = Run.open(run)
    tensors = {name: array.tobytes() for name, array in opened.newest_checkpoint().tensors.items()}
    figures = [(line["step"], line["src"], line["dst"]) for line in opened.metrics()]
    return tensors, figures, opened.preview_path().read_bytes()


def go(faces, output, reporter, **changes):
    config = {**SMALL, "steps": STEPS, **changes}
    return train(TrainConfig(**faces, **config, output=output), reporter)


def test_wishes_are_done_and_change_nothing(faces, undisturbed, tmp_path):
    asks = Asks({3: "save", 8: "preview", 14: "backup", 20: "preview"})
    go(faces, tmp_path / "run", asks, preview_seconds=1e6, checkpoint_seconds=1e6)
    run = Run.open(tmp_path / "run")
    # the wish is uttered after that step's look, heard at the next
    assert [path.name for path in run.checkpoint_paths()] == ["00000004", "00000015", "00000030"]
    assert [step for step, _ in run.preview_history()] == [1, 9, 21, 30]
    assert [path.name for path in (run.folder / "backups").iterdir()] == ["00000015"]
    said = " ".join(asks.notes)
    assert "Checkpoint and snapshot of step 4" in said and "Preview of step 9" in said and "Backup of step 15" in said
    assert asks.keys == {}
    assert learned(tmp_path / "run") == learned(undisturbed)


def test_a_backup_can_be_used_and_gone_back_to_and_the_rest_comes_out_the_same(faces, undisturbed, tmp_path):
    output = tmp_path / "run"
    go(faces, output, Asks({14: "backup"}))
    listed = restore(RestoreConfig(run=output), Recorder())
    assert [backup.step for backup in listed.known] == [15]
    assert "00000015" in "\n".join(listed.summary())
    assert load_swapper(output / "backups" / "00000015", device="cpu").info["steps"] == 15
    back = restore(RestoreConfig(run=output, backup="15"), Recorder())
    assert (back.restored.step, back.left.step) == (15, STEPS)
    assert Run.open(output).newest_checkpoint().step == 15
    reporter = Recorder()
    result = go(faces, output, reporter)
    assert result.steps == STEPS
    assert "Training goes on from step 15" in " ".join(reporter.notes)
    assert learned(output) == learned(undisturbed)


def test_backups_come_by_the_clock(faces, tmp_path):
    go(faces, tmp_path / "run", Recorder(), backup_hours=1e-9, checkpoint_seconds=1e-6, steps=5)
    found = restore(RestoreConfig(run=tmp_path / "run"), Recorder()).known
    assert [backup.step for backup in found] == [2, 3, 4, 5]
    for wrong in (0, -1, float("inf")):
        with pytest.raises(ConfigError, match="--backup-hours"):
            TrainConfig(**faces, output=tmp_path, backup_hours=wrong)


def test_what_cannot_be_restored_is_said(faces, tmp_path):
    output = tmp_path / "run"
    with pytest.raises(StoreError, match="holds no run"):
        restore(RestoreConfig(run=output), Recorder())
    go(faces, output, Recorder(), steps=3)
    assert "has no backups" in restore(RestoreConfig(run=output), Recorder()).summary()[0]
    with pytest.raises(ConfigError, match=r"no backup '7'. There are: none"):
        restore(RestoreConfig(run=output, backup="7"), Recorder())


def test_tensorboard_files_lie_in_the_run(faces, tmp_path):
    go(faces, tmp_path / "run", Recorder(), tensorboard=True)
    (file,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert file.stat().st_size > 10_000  # the preview is in it


PLAN = """
[[phase]]
name = "begin"
steps = 1000000
[[phase]]
name = "sharpen"
random_warp = false
steps = 1000000
[[phase]]
name = "end"
"""


def test_the_next_phase_begins_when_it_is_asked_for_and_lasts_through_a_stop(faces, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    asks = Asks({7: "phase"})
    go(faces, tmp_path / "run", asks, plan=plan, checkpoint_seconds=1e6)
    assert any("Step 8: 'sharpen' begins, phase 2 of 3" in note for note in asks.notes)
    assert any("'sharpen' began at step 8; it is saved" in note for note in asks.notes)
    run = Run.open(tmp_path / "run")
    assert [path.name for path in run.checkpoint_paths()] == ["00000008", "00000030"]
    for folder in run.checkpoint_paths():
        progress = json.loads((folder / "state.json").read_text())["progress"]
        assert (progress["phase"], progress["phase_began"], progress["objectives"]["random_warp"]) == (1, 8, False)


class Sets(Asks):
    """Asks for changes through the run's mailbox, as another process would: {step: [NAME=VALUE]}."""

    def __init__(self, run, changes):
        super().__init__({})
        self.run, self.changes, self.requests = run, changes, []

    def take_stop(self):
        self.steps += bool(self.keys)
        if self.steps in self.changes:
            box = Mailbox(self.run / MAILBOX)
            self.requests += [box.post("set", text) for text in self.changes.pop(self.steps)]
        return False


def test_what_is_changed_while_it_trains_is_as_if_a_plan_had_said_so(faces, tmp_path):
    plan, output = tmp_path / "plan.toml", tmp_path / "asked"
    plan.write_text("[[phase]]\nsteps = 8\n[[phase]]\nrandom_warp = false\nrate = 0.5\n")
    go(faces, tmp_path / "planned", Recorder(), plan=plan)
    asks = Sets(output, {7: ["random_warp=false", "rate=0.5"]})
    go(faces, output, asks, checkpoint_seconds=1e6)
    assert any("Step 8: from here on random_warp False, rate 0.5, as asked for." in note for note in asks.notes)
    assert learned(output)[0] == learned(tmp_path / "planned")[0]
    again = Recorder()
    go(faces, output, again, steps=STEPS + 4)
    assert any("Still in force" in note and "rate 0.5" in note for note in again.notes)
    assert Run.open(output).newest_checkpoint().state["progress"]["objectives"]["random_warp"] is False


def test_a_change_that_this_training_cannot_make_is_refused(faces, tmp_path):
    asks = Sets(tmp_path / "run", {4: ["eyes_mouth=true", "true_face_power=0.1"]})
    go(faces, tmp_path / "run", asks, architecture="liae-ud")
    answers = [Mailbox(tmp_path / "run" / MAILBOX).take_answer(request) for request in asks.requests]
    assert [answer.done for answer in answers] == [False, False]
    assert "start the training again with --eyes-mouth" in answers[0].text
    assert "--true-face-power: not with the model liae" in answers[1].text


# --- from another process


@pytest.fixture
def training(faces, tmp_path):
    """A training that goes on until it is told to stop; training() waits for its result."""
    output = tmp_path / "run"
    results = []
    thread = threading.Thread(
        target=lambda: results.append(go(faces, output, Recorder(), steps=1_000_000, preview_seconds=1e6))
    )
    thread.start()
    for _ in range(1000):
        if (output / "metrics.jsonl").exists():
            break
        thread.join(timeout=0.05)

    def ended():
        thread.join(timeout=60)
        return results[0]

    yield output, ended
    if thread.is_alive():
        tell(TellConfig(run=output, command="stop"), Recorder())
        thread.join()


def test_a_training_that_runs_is_told(training):
    output, ended = training
    run = Run.open(output)
    assert run.is_being_written() is True
    for command, value, said in (
        ("save", "", "Checkpoint and snapshot of step"),
        ("preview", "", "Preview of step"),
        ("backup", "before-gan", "Backup of step"),
    ):
        answer = tell(TellConfig(run=output, command=command, value=value, wait=60.0), Recorder())
        assert answer.summary() == [answer.answer]
        assert answer.answer.startswith(said)
    assert [path.name.partition("-")[2] for path in (output / "backups").iterdir()] == ["before-gan"]
    with pytest.raises(TrainingError, match="no name for a backup"):
        tell(TellConfig(run=output, command="backup", value="a b", wait=60.0), Recorder())
    with pytest.raises(OutputError, match="being trained by another process"):
        restore(RestoreConfig(run=output, backup=next((output / "backups").iterdir()).name), Recorder())
    assert "everything is saved" in tell(TellConfig(run=output, command="stop", wait=60.0), Recorder()).answer
    result = ended()
    assert result.is_stopped
    assert Run.open(output).newest_checkpoint().step == result.steps
    assert list((output / "commands").iterdir()) == []
    with pytest.raises(ConfigError, match="is not being trained now"):
        tell(TellConfig(run=output, command="save"), Recorder())


def test_who_does_not_wait_gets_no_answer_and_who_waits_too_short_is_told(training, monkeypatch):
    output, _ = training
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 1e9)
    with pytest.raises(TrainingError, match=r"No answer .* within 0\.3 s"):
        tell(TellConfig(run=output, command="save", wait=0.3), Recorder())
    assert list((output / "commands").iterdir()) == []  # nobody waits for it: it is not done later
    assert tell(TellConfig(run=output, command="preview", wait=0.0), Recorder()).answer == ""
    monkeypatch.setattr(desk, "LOOK_EVERY_S", 0.0)


def test_commands_are_checked_before_anything_is_asked(tmp_path):
    with pytest.raises(ConfigError, match="COMMAND is dance; allowed: save, preview"):
        TellConfig(run=tmp_path, command="dance")
    with pytest.raises(ConfigError, match="'save' takes nothing more"):
        TellConfig(run=tmp_path, command="save", value="now")
    with pytest.raises(ConfigError, match="--wait"):
        TellConfig(run=tmp_path, command="save", wait=-1)
