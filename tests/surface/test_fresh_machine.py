"""What `make` says on a machine that lacks something."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def find_python(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"
    return subprocess.run(
        ["sh", ROOT / "tools" / "find_python.sh"],
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def fake(path: Path, lines: str) -> Path:
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o755)
    return path


def test_the_python_that_runs_this_is_found():
    found = find_python(Path(sys.executable).parent, PYTHON=sys.executable)
    assert found.returncode == 0
    assert found.stdout.strip() == sys.executable


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ('case "$2" in *print*) echo 3.9;; *version_info*) exit 1;; esac', "too old: "),
        ('case "$2" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac', "apt install python3-venv"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, script: str, said: str):
    found = find_python(tmp_path, PYTHON=str(fake(tmp_path / "python9", script)))
    assert found.returncode == 2
    assert said in found.stderr
    assert "make PYTHON=" in found.stderr


def test_no_python_at_all(tmp_path: Path):
    found = find_python(tmp_path, PYTHON="python-that-is-not-there")
    assert found.returncode == 2
    assert "Python 3.11 or newer" in found.stderr


def test_ci_does_what_a_person_does():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("exec make test")
