"""A swap that is killed at any moment and started again ends like one that was left alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from konterfei.cli import main
from konterfei.io.faceset import Faceset

from .conftest import Done, Material


def start(material: Material, output: Path, *more: str) -> subprocess.Popen[str]:
    line = ["swap", "--src", material.src, "--dst", material.dst, "--consent", material.consent, "-o", output]
    line += ["--preset", "tiny", *more]
    words = [sys.executable, "-m", "konterfei", *map(str, line)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str], limit_s: float = 120) -> bool:
    """False when the process ended before."""
    began = time.monotonic()
    while not condition():
        if process.poll() is not None:
            return False
        assert time.monotonic() - began < limit_s, "nothing happened"
        time.sleep(0.005)
    return True


def test_killed_in_every_stage_and_started_again(material: Material, done: Done, tmp_path: Path):
    output = tmp_path / "out.mp4"
    project = tmp_path / "out.konterfei"
    layout = material.config(output).layout
    moments: list[Callable[[], bool]] = [
        lambda: any(project.rglob("analysis.jsonl")),
        lambda: len(list(layout.src_faces.glob("*_0.jpg"))) >= 4,
        lambda: layout.run.exists(),
        lambda: any(tmp_path.glob("*.parts/*")),
    ]
    num_killed = 0
    for moment in moments:
        process = start(material, output, "--train-minutes", "0.1")
        if wait_until(moment, process):
            process.kill()
            num_killed += 1
        process.communicate()
        assert not output.exists() or main(["verify", str(output)]) == 0
    assert num_killed >= 3
    process = start(material, output, "--train-minutes", "0.1")
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert main(["verify", str(output)]) == 0
    for name in ("src_faces", "dst_faces"):
        killed, whole = Faceset.open(getattr(layout, name)), Faceset.open(getattr(done.config.layout, name))
        assert killed.content_hash() == whole.content_hash()
    left = [p.name for p in tmp_path.rglob("*") if p.name.endswith(".parts") or "konterfei-tmp" in p.name]
    assert not left


def test_ctrl_c_during_training_goes_on_to_the_video(material: Material, done: Done, tmp_path: Path):
    output, project = tmp_path / "out.mp4", tmp_path / "project"
    shutil.copytree(done.config.layout.project, project)
    shutil.rmtree(project / "models")
    run = material.config(output, project=project).layout.run
    process = start(material, output, "--project", str(project), "--train-minutes", "30")
    assert wait_until(lambda: any(run.glob("previews/*.jpg")), process)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert "Stopping at the next safe point" in said
    assert "Training was ended" in said
    assert main(["verify", str(output)]) == 0


def test_ctrl_c_elsewhere_stops_with_130_and_goes_on_later(material: Material, tmp_path: Path):
    output = tmp_path / "out.mp4"
    process = start(material, output, "--train-minutes", "0.1")
    assert wait_until(lambda: any(tmp_path.rglob("analysis.jsonl")), process)
    os.kill(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 130, said
    assert "the same command" in said
    assert not output.exists()
