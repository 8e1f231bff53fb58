"""A swap that is killed at any moment and started again ends like one that was left alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from konterfei.cli import main
from konterfei.io.faceset import Faceset

from .conftest import Done, Material

pytestmark = pytest.mark.timeout(1500)

BOUNDED = """
import fnmatch, os, sys, time
gate, pattern, there = sys.argv[1], sys.argv[2], int(sys.argv[3])
def watch(event, args):
    global there
    if event == "os.rename" and fnmatch.fnmatch(os.fspath(args[1]), pattern):
        there -= 1
        while there < 0 and not os.path.exists(gate):
            time.sleep(0.01)
sys.addaudithook(watch)
from konterfei.cli import main
sys.exit(main(sys.argv[4:]))
"""
"""The command konterfei; but after so many files whose names fit the pattern it waits for the gate before the next:
however late a signal comes, it meets the stage that it is meant for."""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(material: Material, tmp_path: Path) -> Iterator[Start]:
    """start(output, pattern, there, *words) begins a swap, see BOUNDED; tmp_path / "gate" lets it go on."""
    begun = []

    def go(output: Path, pattern: str, there: int, *more: str) -> subprocess.Popen[str]:
        line = ["swap", "--src", material.src, "--dst", material.dst, "--consent", material.consent, "-o", output]
        words = [sys.executable, "-c", BOUNDED, tmp_path / "gate", pattern, there, *line, "--preset", "tiny", *more]
        process = subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        begun.append(process)
        return process

    yield go
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until then, or for ever: how long may pass is the test's timeout."""
    while not condition():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def test_killed_in_every_stage_and_started_again(material: Material, done: Done, start: Start, tmp_path: Path):
    output = tmp_path / "out.mp4"
    project = tmp_path / "out.konterfei"
    layout = material.config(output).layout
    moments: list[tuple[Callable[[], bool], str, int]] = [  # when it is killed; which files it can make until then
        (lambda: any(project.rglob("analysis.jsonl")), "*_0.jpg", 0),
        (lambda: len(list(layout.src_faces.glob("*_0.jpg"))) >= 4, "*_0.jpg", 8),
        (lambda: layout.run.exists(), f"{layout.run}/checkpoints/*", 0),
        (lambda: any(tmp_path.glob("*.parts/*")), str(output), 0),
    ]
    for moment, pattern, there in moments:
        process = start(output, pattern, there, "--train-minutes", "0.02")
        wait_until(moment, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not output.exists()
    process = start(output, "none", 0, "--train-minutes", "0.02")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert main(["verify", str(output)]) == 0
    for name in ("src_faces", "dst_faces"):
        killed, whole = Faceset.open(getattr(layout, name)), Faceset.open(getattr(done.config.layout, name))
        assert killed.content_hash() == whole.content_hash()
    left = [p.name for p in tmp_path.rglob("*") if p.name.endswith(".parts") or "konterfei-tmp" in p.name]
    assert not left


def test_ctrl_c_during_training_goes_on_to_the_video(material: Material, done: Done, start: Start, tmp_path: Path):
    output, project = tmp_path / "out.mp4", tmp_path / "project"
    shutil.copytree(done.config.layout.project, project)
    shutil.rmtree(project / "models")
    run = material.config(output, project=project).layout.run
    process = start(output, "none", 0, "--project", str(project), "--train-minutes", "30")
    wait_until(lambda: any(run.glob("previews/*.jpg")), process)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, said
    assert "Stopping at the next safe point" in said
    assert "Training was ended" in said
    assert main(["verify", str(output)]) == 0


def test_ctrl_c_elsewhere_stops_with_130_and_goes_on_later(start: Start, tmp_path: Path):
    output = tmp_path / "out.mp4"
    process = start(output, "*_0.jpg", 0, "--train-minutes", "0.02")
    wait_until(lambda: any(tmp_path.rglob("analysis.jsonl")), process)
    os.kill(process.pid, signal.SIGINT)
    (tmp_path / "gate").touch()
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 130, said
    assert "the same command" in said
    assert not output.exists()
