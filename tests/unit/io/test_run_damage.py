"""A run on a machine that fails: killed or out of space at every single step of saving, files zeroed or cut short."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from konterfei.errors import DamagedFileError, StoreError
from konterfei.io.backups import backups, make_backup
from konterfei.io.run import Checkpoint, Run


def save(run, step):
    """All that a training writes at a time."""
    weights = np.full(300, step, np.float32)
    run.save_checkpoint(Checkpoint(step, {"w": weights}, {"progress": {"trained_s": 2.0 * step, "loss": 1 / step}}))
    run.save_snapshot(step, {"w": weights}, {"steps": step})
    run.log({"step": step})
    run.save_preview(step, np.full((8, 8, 3), step, np.uint8), keep=2)
    make_backup(run, keep=2)


@pytest.fixture(autouse=True, scope="module")
def no_waiting():
    """Nothing here is about a disk that is slow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="module")
def before(no_waiting, tmp_path_factory):
    """A run of six saves: every one more removes something old of each kind."""
    run = Run.create(tmp_path_factory.mktemp("before") / "run", {"model": "df"})
    for step in range(1, 7):
        save(run, step)
    return run.folder


# --- at every step of saving

CHILD = """
import errno, json, os, signal, sys
from pathlib import Path
import cv2, numpy
from konterfei.io.run import Run
from konterfei.errors import OutputError
sys.path.insert(0, sys.argv[1])
from test_run_damage import save

CHANGES = {"os.mkdir", "os.rename", "os.link"}
REMOVALS = {"os.remove", "os.rmdir"}
left, how = 0, ""

def strike():
    global left
    left -= 1
    if left == 0 and how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if left == 0:
        raise OSError(errno.ENOSPC, "No space left on device")

def watch(event, args):
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    if left and (event in CHANGES or writes or (event in REMOVALS and how == "kill")):
        strike()

def fsync(handle):  # a kill does not need a slow disk
    if left:
        strike()
os.fsync = fsync
sys.addaudithook(watch)

for line in sys.stdin:
    folder, how, count = json.loads(line)
    if os.fork() == 0:
        run = Run.open(Path(folder))
        with run.writing():
            left = count
            try:
                save(run, 7)
                said = "whole" if left > 0 else "struck and whole"
            except OutputError as error:
                said = f"refused: {error}"
            except BaseException as error:
                said = f"{type(error).__name__}: {error}"
            left = 0
        print(json.dumps(said), flush=True)
        os._exit(0)
    if os.wait()[1]:
        print(json.dumps("killed"), flush=True)
"""
"""Forks a writer for each line it reads, which is killed, or whose disk is full, at a given change to the disk."""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs fork")
@pytest.mark.parametrize("how", ["kill", "full"])
def test_struck_at_every_step_of_saving_a_run_is_whole(before, tmp_path, how):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent)]
    said, seen = "", set()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, bufsize=1
    ) as child:
        for count in range(1, 200):
            folder = tmp_path / str(count)
            shutil.copytree(before, folder)
            print(json.dumps([str(folder), how, count]), file=child.stdin, flush=True)
            said = json.loads(child.stdout.readline())
            expected = "killed" if how == "kill" else r"refused: .*no space is left.*Free some space|struck and whole"
            assert re.match(f"{expected}|whole", said), said
            seen.add(assert_whole(folder, count))
            if said == "whole":
                break
        child.stdin.close()
    assert said == "whole" and count > 25
    assert seen == {6, 7}


def assert_whole(folder, count):
    """Every state is of the save before or of this one, and the next save works and tidies up."""
    run = Run.open(folder)
    checkpoint, snapshot = run.newest_checkpoint(), run.newest_snapshot()
    assert run.passed_over == {}, count
    assert 6 <= snapshot.info["steps"] <= checkpoint.step <= 7, count
    np.testing.assert_array_equal(checkpoint.tensors["w"], np.full(300, checkpoint.step, np.float32))
    np.testing.assert_array_equal(snapshot.tensors["w"], np.full(300, snapshot.info["steps"], np.float32))
    assert [line["step"] for line in run.metrics()][:6] == [1, 2, 3, 4, 5, 6]
    assert run.preview_path().is_file()
    for backup in backups(run):
        kept = Run.open(backup.path)
        assert kept.newest_checkpoint().step == backup.step == kept.newest_snapshot().info["steps"]
        assert kept.passed_over == {}
    with run.writing():
        save(run, 8)
    assert not [path for path in folder.rglob("*") if "tmp" in path.name], count
    assert len(run.checkpoint_paths()) == 3 and len(run.snapshot_paths()) == 5
    return checkpoint.step


# --- damaged files


def zeroed(path):
    path.write_bytes(bytes(path.stat().st_size))


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path):
    path.write_bytes(b"")


def other_json(path):
    path.write_text('"text"')


@pytest.fixture
def run(before, tmp_path):
    return Run.open(shutil.copytree(before, tmp_path / "run"))


@pytest.mark.parametrize("damage", [zeroed, cut_short, emptied, other_json])
@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_passed_over_down_to_the_last_whole_one(run, file, damage):
    oldest, *newer = run.checkpoint_paths()
    for folder in newer:
        damage(folder / file)
    assert run.newest_checkpoint().step == int(oldest.name)
    assert set(run.passed_over) == {folder.name for folder in newer}
    assert all(("checksum" in why) or ("description" in why) for why in run.passed_over.values())


@pytest.mark.parametrize("damage", [zeroed, cut_short, emptied, other_json])
def test_a_damaged_snapshot_is_passed_over(run, damage):
    paths = run.snapshot_paths()
    for path in paths[1:]:
        damage(path)
    assert run.newest_snapshot().path == paths[0]
    assert set(run.passed_over) == {path.name for path in paths[1:]}
    damage(paths[0])
    with pytest.raises(StoreError, match="5 damaged"):
        run.newest_snapshot()


@pytest.mark.parametrize("damage", [zeroed, cut_short, emptied, other_json])
def test_a_damaged_config_says_where_and_what_to_do(run, damage):
    damage(run.folder / "config.json")
    with pytest.raises(
        DamagedFileError, match=r"config.json' cannot be read .*backups.*same konterfei train.*other faces.*imported"
    ):
        Run.open(run.folder)


@pytest.mark.parametrize("damage", [zeroed, cut_short, emptied, other_json])
def test_damaged_figures_are_left_out_and_written_on(run, damage):
    damage(run.folder / "metrics.jsonl")
    known = [line["step"] for line in run.metrics()]
    assert known == ([1, 2, 3] if damage is cut_short else [])
    run.log({"step": 7})
    run.log({"step": 8})
    assert [line["step"] for line in run.metrics()] == [*known, 7, 8]
