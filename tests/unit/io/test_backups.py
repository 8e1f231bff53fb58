"""Backups: runs by themselves that share their weights with the run, thinned out, and the way back to one."""

import json

import numpy as np
import pytest

from konterfei.errors import ConfigError, OutputError, StoreError
from konterfei.io.backups import backups, generations, go_back, make_backup, own_bytes
from konterfei.io.manifest import Manifest
from konterfei.io.run import Checkpoint, Run


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {"model": "df", "preset": "tiny"})


def learn(run, step, value=None, preview=True):
    """The state after `step` steps."""
    weights = np.full(5000, step if value is None else value, np.float32)
    progress = {"step": step, "trained_s": 6.0 * step, "loss": 100.0 / step}
    run.log({"step": step, "src": 1.0})
    run.save_checkpoint(Checkpoint(step, {"weights/a": weights, "ema/a": weights}, {"progress": progress}))
    run.save_snapshot(step, {"a": weights}, {"steps": step})
    if preview:
        run.save_preview(step, np.full((8, 8, 3), step % 256, np.uint8))


def weight(run):
    checkpoint = run.newest_checkpoint()
    snapshot = run.newest_snapshot()
    assert run.passed_over == {}
    assert checkpoint.tensors["ema/a"][0] == snapshot.tensors["a"][0]
    return checkpoint.step, float(checkpoint.tensors["weights/a"][0])


def test_a_backup_is_a_run_that_outlives_what_it_was_made_of(run):
    learn(run, 10)
    made = make_backup(run)
    assert (made.step, made.minutes, made.loss, made.name) == (10, 1.0, 10.0, "")
    for step in (20, 30, 40, 50, 60, 70):
        learn(run, step)
    assert not run.has_snapshot(10)
    kept = Run.open(made.path)
    assert weight(kept) == (10, 10.0)
    assert kept.config == run.config
    assert [line["step"] for line in kept.metrics()] == [10]
    assert kept.preview_path().is_file()


def test_what_is_shared_takes_no_disk(run):
    learn(run, 10)
    make_backup(run)
    shared = own_bytes(run)
    for step in (20, 30, 40, 50, 60, 70):
        learn(run, step, preview=False)
    assert own_bytes(run) - shared > 3 * 5000 * 4  # weights and their mean, and the snapshot
    assert shared < 4000


def test_without_links_it_is_a_copy(run, monkeypatch):
    def refuse(*_args):
        raise PermissionError(1, "no links here")

    monkeypatch.setattr("konterfei.io.backups.os.link", refuse)
    learn(run, 10)
    made = make_backup(run)
    assert weight(Run.open(made.path)) == (10, 10.0)
    assert own_bytes(run) > 3 * 5000 * 4


def test_twenty_four_stay_the_newest_twelve_among_them_and_the_first(run, monkeypatch):
    monkeypatch.setattr("konterfei.io.atomic.sync", lambda path: None)
    learn(run, 5)
    make_backup(run, "dear")
    for step in range(10, 510, 10):
        learn(run, step, preview=False)
        make_backup(run)
    steps = [backup.step for backup in backups(run) if not backup.name]
    assert len(steps) == 24
    assert steps[0] == 10
    assert steps[-12:] == list(range(390, 510, 10))
    assert np.diff(steps[:-12]).max() <= 60  # spread over the time before
    assert [backup.path.name for backup in backups(run) if backup.name] == ["00000005-dear"]


def test_names_are_names(run):
    learn(run, 10)
    for name in ("../x", "a b", "x" * 61, "ü"):
        with pytest.raises(ConfigError, match="no name for a backup"):
            make_backup(run, name)


def test_nothing_learned_nothing_to_back_up(run):
    with pytest.raises(StoreError, match="nothing to back up yet"):
        make_backup(run)


def test_going_back_and_on(run):
    learn(run, 10)
    Manifest(stage="train", complete=True).save(run.folder)
    old = make_backup(run)
    for step in (20, 30, 40, 50):
        learn(run, step)
    left = go_back(run, old)
    assert weight(run) == (10, 10.0)
    assert [step for step, _ in run.preview_history()] == [10]
    manifest = Manifest.load(run.folder)
    assert (manifest.complete, manifest.output["snapshot"], manifest.results["steps"]) == (
        False,
        "00000010.safetensors",
        10,
    )
    assert weight(Run.open(left.path)) == (50, 50.0)  # what came after is not lost
    assert [step for step, _ in Run.open(left.path).preview_history()] == [20, 30, 40, 50]
    learn(run, 20, value=7)
    assert weight(run) == (20, 7.0)
    assert weight(Run.open(old.path)) == (10, 10.0)
    assert go_back(run, next(backup for backup in backups(run) if backup.step == 50)) is not None
    assert weight(run) == (50, 50.0)


def test_going_back_to_where_it_stands_changes_nothing(run):
    learn(run, 10)
    assert go_back(run, make_backup(run)) is None
    assert weight(run) == (10, 10.0)
    assert len(backups(run)) == 1


def test_another_state_of_the_same_step_is_replaced_and_kept(run):
    learn(run, 10)
    first = make_backup(run, "first")
    learn(run, 10, value=77)
    left = go_back(run, first)
    assert weight(run) == (10, 10.0)
    assert weight(Run.open(left.path)) == (10, 77.0)


def test_a_damaged_backup_is_refused_and_the_run_stays(run):
    learn(run, 10)
    made = make_backup(run)
    for step in (20, 30, 40, 50):
        learn(run, step)
    path = made.path / "checkpoints" / "00000010" / "tensors.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreError, match="is damaged"):
        go_back(run, made)
    assert weight(run) == (50, 50.0)
    state = made.path / "checkpoints" / "00000010" / "state.json"
    state.write_text("{")
    assert [(b.step, b.minutes) for b in backups(run)] == [(10, 0.0)]  # still listed


def test_a_full_disk_leaves_no_half_backup(run, monkeypatch):
    learn(run, 10)

    def full(source, target):
        raise OSError(28, "No space left on device", str(run.folder / "backups" / ".tmp-00000010"))

    monkeypatch.setattr("konterfei.io.backups.shutil.copyfile", full)
    with pytest.raises(OutputError, match="no space is left"):
        make_backup(run)
    assert backups(run) == []
    monkeypatch.undo()
    make_backup(run)
    assert [path.name for path in (run.folder / "backups").iterdir()] == ["00000010"]
    assert json.loads((run.folder / "backups/00000010/config.json").read_text())["model"] == "df"


def test_an_older_state_that_the_run_itself_keeps_can_be_kept_and_gone_back_to(run):
    for step in range(10, 210, 10):
        learn(run, step, preview=False)
    (older,) = generations(run)[:1]
    assert older < 190 and generations(run) == [older, 190]
    kept = make_backup(run, step=older)
    assert (kept.step, kept.path.name) == (older, f"{older:08d}")
    left = go_back(run, kept)
    assert left.step == 200
    assert run.newest_checkpoint().step == older == run.newest_snapshot().info["steps"]
    with pytest.raises(StoreError, match="nothing to back up"):
        make_backup(run, step=7)


def test_each_checkpoint_has_its_snapshot_and_others_are_older(run):
    for step in range(1, 120):
        learn(run, step, preview=False)
        checkpoints = [int(path.name) for path in run.checkpoint_paths()]
        snapshots = [int(path.stem) for path in run.snapshot_paths()]
        assert set(checkpoints) <= set(snapshots)
        assert (len(checkpoints), len(snapshots)) == (min(step, 3), min(step, 5))
    assert 0.2 < (119 - snapshots[0]) / 119 < 0.55


def best(run):
    found = run.best_snapshot()
    return None if found is None else found.info["step"]


def keep_best(run, step):
    run.save_best(step, {"a": np.full(5000, step, np.float32)}, {"steps": step, "score": 0.5})


def test_best_weights_of_steps_that_are_left_behind_go_with_them(run):
    learn(run, 10)
    keep_best(run, 8)
    made = make_backup(run)
    assert Run.open(made.path).snapshot("best").info["step"] == 8
    learn(run, 20)
    keep_best(run, 18)
    left = go_back(run, made)
    assert best(run) == 8  # that of the backup is back
    assert best(Run.open(left.path)) == 18
    assert best(Run.open(made.path)) == 8
    assert sorted(path.name for path in (run.folder / "best").iterdir()) == ["00000008.safetensors"]


def test_best_weights_before_the_backup_stay(run):
    learn(run, 10)
    made = make_backup(run)
    keep_best(run, 10)
    learn(run, 20)
    go_back(run, made)
    assert best(run) == 10


def test_best_weights_after_the_newest_checkpoint_are_left_behind_too(run):
    learn(run, 10)
    made = make_backup(run)
    keep_best(run, 15)
    left = go_back(run, made)
    assert best(run) is None and best(Run.open(left.path)) == 15
    assert go_back(run, made) is None


def test_an_older_state_has_no_best_weights_of_later_steps(run):
    for step in (10, 20):
        learn(run, step)
    keep_best(run, 20)
    assert best(Run.open(make_backup(run, step=10).path)) is None


def test_best_weights_in_a_backup_take_no_disk_while_the_run_has_them(run):
    learn(run, 10)
    keep_best(run, 10)
    make_backup(run)
    shared = own_bytes(run)
    keep_best(run, 11)
    assert own_bytes(run) - shared > 5000 * 4
