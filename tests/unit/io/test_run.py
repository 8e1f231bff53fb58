"""A run on disk: whole or not at all, several generations, damage passed over with a word, a small history."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from konterfei.errors import CheckpointMismatchError, DamagedFileError, OutputError, StoreError
from konterfei.io import run as run_module
from konterfei.io import run_files
from konterfei.io.run import Checkpoint, Run

CONFIG = {"model": "df", "preset": "tiny", "dims": {"resolution": 64}}


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", CONFIG)


def checkpoint(step, size=16):
    """Tensors that say which step they are of."""
    weights = np.arange(size, dtype=np.float32) + step
    return Checkpoint(step, {"weights/a": weights, "mean/a": weights.reshape(4, -1) * 2}, {"progress": {"step": step}})


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


def names(run):
    return sorted(path.name for path in (run.folder / "checkpoints").iterdir())


# --- opening


def test_a_run_keeps_its_config_and_is_made_once(run):
    assert Run.open(run.folder).config == {"run_version": 1, **CONFIG}
    with pytest.raises(StoreError, match="already holds a run"):
        Run.create(run.folder, CONFIG)


def test_what_is_no_run_says_so(run, tmp_path):
    with pytest.raises(StoreError, match=r"holds no run .*konterfei train"):
        Run.open(tmp_path)
    path = run.folder / "config.json"
    path.write_text(path.read_text().replace('"run_version": 1', '"run_version": 99'))
    with pytest.raises(CheckpointMismatchError, match="version 99"):
        Run.open(run.folder)
    for text in ("{", "[]", "{}"):
        path.write_text(text)
        with pytest.raises(DamagedFileError, match="cannot be read"):
            Run.open(run.folder)


# --- checkpoints


def test_a_checkpoint_comes_back_bit_for_bit(run):
    run.save_checkpoint(checkpoint(12))
    there = Run.open(run.folder).newest_checkpoint()
    assert there.step == 12
    assert there.state["progress"] == {"step": 12}
    assert there.tensors.keys() == {"weights/a", "mean/a"}
    np.testing.assert_array_equal(there.tensors["mean/a"], checkpoint(12).tensors["mean/a"])
    assert names(run) == ["00000012"]


def test_several_generations_are_kept_and_no_more(run):
    for step in (5, 10, 20, 40, 80):
        run.save_checkpoint(checkpoint(step), keep=3)
    assert names(run) == ["00000020", "00000040", "00000080"]


def test_the_newest_is_the_highest_step_not_the_last_name(run):
    for step in (99_999_999, 100_000_000):
        run.save_checkpoint(checkpoint(step))
    assert run.newest_checkpoint().step == 100_000_000


def test_a_second_checkpoint_of_a_step_replaces_the_first_only_when_it_is_there(run, monkeypatch):
    run.save_checkpoint(checkpoint(7))
    first = Checkpoint(7, {"weights/a": np.zeros(3, np.float32)}, {"note": "second"})

    def full(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(run_files, "sync", full)
    with pytest.raises(OutputError, match="no space is left"):
        run.save_checkpoint(first)
    assert names(run) == ["00000007"]
    np.testing.assert_array_equal(run.newest_checkpoint().tensors["weights/a"], checkpoint(7).tensors["weights/a"])
    monkeypatch.undo()
    for _ in range(12):  # its names go on beyond one digit
        run.save_checkpoint(first)
    assert len(names(run)) == 1
    assert run.newest_checkpoint().state["note"] == "second"


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_any_flipped_bit_is_noticed(run, file):
    run.save_checkpoint(checkpoint(1))
    run.save_checkpoint(checkpoint(2))
    path = run.folder / "checkpoints" / "00000002" / file
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        flip(path, position)
        fresh = Run.open(run.folder)
        there = fresh.newest_checkpoint()
        # A flip in the name of the checksum itself leaves the content whole.
        if there.step == 2:
            np.testing.assert_array_equal(there.tensors["weights/a"], checkpoint(2).tensors["weights/a"])
            assert there.state["progress"] == {"step": 2}
        else:
            assert list(fresh.passed_over) == ["00000002"]
        path.write_bytes(whole)
    assert Run.open(run.folder).newest_checkpoint().step == 2


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(lambda folder: flip(folder / "tensors.safetensors", -1), id="flipped"),
        pytest.param(lambda folder: (folder / "tensors.safetensors").write_bytes(b""), id="empty"),
        pytest.param(lambda folder: (folder / "tensors.safetensors").unlink(), id="gone"),
        pytest.param(lambda folder: (folder / "state.json").write_text("{}"), id="no-state"),
        pytest.param(lambda folder: (folder / "state.json").write_text("[1]"), id="other-json"),
        pytest.param(lambda folder: (folder / "state.json").write_bytes(b"\xff\xfe"), id="no-text"),
    ],
)
def test_damaged_newest_is_passed_over_with_a_word(run, break_it):
    run.save_checkpoint(checkpoint(1))
    break_it(run.save_checkpoint(checkpoint(2)))
    assert run.newest_checkpoint().step == 1
    assert list(run.passed_over) == ["00000002"]
    assert run.passed_over["00000002"]


def test_damaged_ones_do_not_crowd_out_the_good(run):
    for step in (100, 200, 300):
        flip(run.save_checkpoint(checkpoint(step)) / "tensors.safetensors", -1)
    assert run.newest_checkpoint() is None
    for step in (10, 20, 30):  # training began anew
        run.save_checkpoint(checkpoint(step), keep=3)
        assert run.newest_checkpoint().step == step
    assert names(run) == ["00000010", "00000020", "00000030"]


def test_nothing_is_left_behind_when_the_disk_is_full(run, monkeypatch):
    run.save_checkpoint(checkpoint(1))

    def full(data, *_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(run_files, "_write_tensors", full)
    with pytest.raises(OutputError, match="no space is left"):
        run.save_checkpoint(checkpoint(2))
    assert names(run) == ["00000001"]


def test_what_a_killed_writer_left_goes_with_the_next(run):
    for name in (".manifest.konterfei-tmp-1-a.json", "checkpoints/.x.konterfei-tmp-1-b.json"):
        (run.folder / name).parent.mkdir(exist_ok=True)
        (run.folder / name).write_text("{")
    with run.writing():
        pass
    assert not list(run.folder.rglob("*konterfei-tmp*"))


# --- killed writers

WRITER = """
import os, sys
import numpy as np
from pathlib import Path
from konterfei.io.run import Checkpoint, Run
for line in sys.stdin:
    if os.fork() == 0:
        run = Run.open(Path(sys.argv[1]))
        with run.writing():
            done = run.newest_checkpoint()
            step = done.step if done else 0
            print("ready", flush=True)
            while True:
                step += 1
                weights = np.full(200_000, step, np.float32)
                run.save_checkpoint(Checkpoint(step, {"w": weights}, {"loss": 1 / step}))
                run.save_snapshot(step, {"w": weights}, {"steps": step})
                run.log({"step": step})
                print(step, flush=True)
    os.wait()
    print("dead", flush=True)
"""
"""Forks a writer for each line it reads, so that a round costs no start of an interpreter."""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc and fork")
def test_a_writer_killed_at_any_moment_leaves_the_newest_whole(run):
    chance = random.Random(3)
    command = [sys.executable, "-c", WRITER, str(run.folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done, asked, logged, save_s = 0, 0, set(), 0.02
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, bufsize=1
    ) as parent:
        for _ in range(20):
            print("go", file=parent.stdin, flush=True)
            assert parent.stdout.readline() == "ready\n"
            begun = time.monotonic()
            said = [int(parent.stdout.readline()) for _ in range(chance.randrange(3))]
            asked += len(said)
            save_s = (time.monotonic() - begun) / len(said) if said else save_s
            time.sleep(chance.uniform(0.0, 1.2) * save_s)
            os.kill(child_of(parent.pid), signal.SIGKILL)
            said += [int(line) for line in iter(parent.stdout.readline, "dead\n")]
            logged |= set(said)
            finished = said[-1] if said else done
            fresh = Run.open(run.folder)
            newest = fresh.newest_checkpoint()
            assert fresh.passed_over == {}
            if finished or newest:
                assert newest.step in (finished, finished + 1)
                np.testing.assert_array_equal(newest.tensors["w"], np.full(200_000, newest.step, np.float32))
                if logged:
                    assert max(logged) <= fresh.newest_snapshot().info["steps"] <= newest.step
                    assert fresh.passed_over == {}
                steps = [line["step"] for line in fresh.metrics()]
                assert steps == sorted(set(steps))
                assert logged <= set(steps)
                done = newest.step
        parent.stdin.close()
    assert done >= asked > 5
    with run.writing():  # the next writer tidies up
        run.save_checkpoint(checkpoint(done + 1))
        assert len(names(run)) == 3
        assert not [p for p in run.folder.rglob("*tmp*") if p != run.folder]


def child_of(pid):
    """The only child of a process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_one_trains_and_others_may_look(run):
    other = Run.open(run.folder)
    with run.writing():
        run.save_checkpoint(checkpoint(3))
        assert other.newest_checkpoint().step == 3
        with pytest.raises(OutputError, match="is being trained by another process"), other.writing():
            pass
    with other.writing():
        pass


# --- snapshots


def snapshot(run, step):
    return run.save_snapshot(step, {"encoder.w": np.full((3, 2), step, np.float32)}, {"is_preview": True})


def test_a_snapshot_comes_back_with_its_description(run):
    path = snapshot(run, 9)
    there = Run.open(run.folder).newest_snapshot()
    assert (there.path, there.info) == (path, {"is_preview": True, "step": 9})
    np.testing.assert_array_equal(there.tensors["encoder.w"], np.full((3, 2), 9, np.float32))
    assert len(there.sha256) == 64


def test_several_snapshots_are_kept(run):
    for step in range(1, 9):
        snapshot(run, step)
    assert [path.name for path in run.snapshot_paths()] == [f"{n:08d}.safetensors" for n in range(4, 9)]


def test_any_flipped_bit_of_a_snapshot_is_noticed(run):
    snapshot(run, 1)
    path = snapshot(run, 2)
    whole = path.read_bytes()
    noticed = 0
    for position in range(0, len(whole), 3):
        flip(path, position)
        fresh = Run.open(run.folder)
        there = fresh.newest_snapshot()
        if there.info["step"] == 2:  # the name of the checksum itself
            np.testing.assert_array_equal(there.tensors["encoder.w"], np.full((3, 2), 2, np.float32))
            assert there.info["is_preview"] is True
        else:
            noticed += 1
            assert list(fresh.passed_over) == [path.name]
        path.write_bytes(whole)
    assert noticed > 0.9 * len(range(0, len(whole), 3))


def test_no_snapshot_says_what_to_do(run):
    with pytest.raises(StoreError, match=r"holds no snapshot yet.*konterfei train"):
        run.newest_snapshot()
    flip(snapshot(run, 1), -1)
    with pytest.raises(StoreError, match="1 damaged"):
        run.newest_snapshot()


def test_snapshots_without_a_checksum_of_their_description_are_read(run):
    """As konterfei 0.1.0 wrote them."""
    path = snapshot(run, 4)
    header, body = run_files._split(path.read_bytes())
    info = json.loads(header["__metadata__"]["konterfei"])
    del info["info_sha256"]
    header["__metadata__"]["konterfei"] = json.dumps(info)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    assert run.newest_snapshot().info == {"is_preview": True, "step": 4}


# --- figures and pictures


def test_metrics_survive_a_torn_line_and_forget_what_was_trained_again(run):
    for step in (20, 40, 60):
        run.log({"step": step, "src": 1.0})
    path = run.folder / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-9])  # killed while writing
    assert [line["step"] for line in run.metrics()] == [20, 40]
    run.log({"step": 40, "src": 0.5})
    run.log({"step": 60, "src": 0.4})
    assert [(line["step"], line["src"]) for line in run.metrics()] == [(20, 1.0), (40, 0.5), (60, 0.4)]
    path.write_bytes(b"\x00\xff\n[1]\n" + path.read_bytes())
    assert [line["step"] for line in run.metrics()] == [20, 40, 60]


@pytest.fixture
def no_waiting(monkeypatch):
    """Pictures are not flushed to the disk: it is slow, and not what is tested."""
    monkeypatch.setattr(run_module, "write_preview", lambda path, image, layout: path.write_bytes(image.tobytes()))


def test_the_history_of_previews_stays_small_and_even(run, no_waiting):
    picture = np.zeros((8, 8, 3), np.uint8)
    steps = [10 * n for n in range(1, 301)]
    most = 0
    for step in steps:
        picture[:] = step % 250
        assert run.save_preview(step, picture, keep=12) == run.preview_path()
        most = max(most, len(list((run.folder / "previews").iterdir())))
    assert most == 13
    kept = sorted(int(p.stem[8:]) for p in (run.folder / "previews").glob("preview_*"))
    assert (kept[0], kept[-1]) == (steps[0], steps[-1])
    gaps = np.diff(kept)
    assert gaps.max() <= 4 * gaps[:-1].min()
    assert run.preview_path().read_bytes() == run.preview_path(steps[-1]).read_bytes()


def test_sixty_previews_are_kept_by_default(run, no_waiting):
    for step in range(70):
        run.save_preview(step, np.zeros((8, 8, 3), np.uint8))
    assert len(list((run.folder / "previews").glob("preview_*"))) == 60


# --- forgetting


def test_what_is_forgotten_takes_the_best_weights_of_its_steps_with_it(run):
    for step in (10, 20):
        run.save_checkpoint(checkpoint(step))
        snapshot(run, step)
    run.save_best(15, {"w": np.ones(4, np.float32)}, {"score": 0.5})
    run.forget(21)
    assert run.best_snapshot().info["step"] == 15
    run.forget(18)
    assert run.newest_checkpoint().step == 10
    assert run.best_snapshot() is None


def test_imported_weights_are_neither_forgotten_nor_outgrown(tmp_path):
    run = Run.create(tmp_path / "imported", {"model": "df", "imported": {"steps": 1000}})
    snapshot(run, 0)
    for step in range(10, 200, 10):
        run.save_checkpoint(checkpoint(step))
        snapshot(run, step)
    assert run.has_snapshot(0) and len(run.snapshot_paths()) == 5
    run.forget()
    assert run.is_only_imported and [path.name for path in run.snapshot_paths()] == ["00000000.safetensors"]
    assert run.newest_snapshot().info["step"] == 0
