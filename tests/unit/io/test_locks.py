"""One writer at a time, in one process and between two."""

from __future__ import annotations

import subprocess
import sys

import pytest

from konterfei.errors import FacesetError, OutputError
from konterfei.io import locks
from konterfei.io.locks import exclusive, is_held

BUSY = FacesetError("someone else is at it")

needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="no advisory locks on this system")

HOLDER = """
import sys
from pathlib import Path
from konterfei.errors import OutputError
from konterfei.io.locks import exclusive
with exclusive(Path(sys.argv[1]), OutputError("busy")):
    print("held", flush=True)
    sys.stdin.read()
"""


@needs_locks
def test_a_second_holder_gets_the_error_of_its_caller(tmp_path):
    with exclusive(tmp_path / "lock", BUSY), pytest.raises(FacesetError) as caught:
        exclusive(tmp_path / "lock", BUSY)
    assert caught.value is BUSY
    with exclusive(tmp_path / "lock", BUSY):
        pass  # the block above let go of it
    assert (tmp_path / "lock").exists()


@needs_locks
def test_it_ends_with_a_process_that_is_killed(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(FacesetError):
            exclusive(path, BUSY)
        holder.kill()
    exclusive(path, BUSY).close()


def test_a_file_that_is_there_keeps_its_content(tmp_path):
    (tmp_path / "lock").write_text("notes")
    exclusive(tmp_path / "lock", BUSY).close()
    assert (tmp_path / "lock").read_text() == "notes"


def test_what_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file.lock.*not a folder"):
        exclusive(tmp_path / "file" / "lock", BUSY)


@needs_locks
def test_a_disk_without_locks_lets_everyone_pass(tmp_path, monkeypatch):
    def none(file, operation):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", none)
    with exclusive(tmp_path / "lock", BUSY), exclusive(tmp_path / "lock", BUSY):
        pass


def test_a_system_without_locks_lets_everyone_pass(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with exclusive(tmp_path / "lock", BUSY), exclusive(tmp_path / "lock", BUSY):
        pass


@needs_locks
def test_one_can_look_whether_it_is_held(tmp_path):
    path = tmp_path / "lock"
    assert is_held(path) is False
    with exclusive(path, BUSY):
        assert is_held(path) is True
    assert is_held(path) is False
    assert not list(tmp_path.glob("[!l]*"))


def test_without_locks_nobody_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with exclusive(tmp_path / "lock", BUSY):
        assert is_held(tmp_path / "lock") is None
