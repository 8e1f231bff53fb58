from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import signal
import stat

import pytest

from konterfei.errors import OutputError
from konterfei.io import atomic


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_whole_and_nothing_else(tmp_path):
    target = tmp_path / "new" / "deep" / "a.txt"
    atomic.write_text(target, "grüße\n")
    assert target.read_bytes() == "grüße\n".encode()
    assert names(target.parent) == ["a.txt"]
    assert target.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    now = os.umask(0)
    os.umask(now)
    return now


def test_an_error_leaves_the_old_file_and_no_rest(tmp_path):
    target = tmp_path / "a.mp4"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic.atomic_path(target) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".mp4" and temporary.name.startswith(".")
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old" and names(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "no space"), (errno.EACCES, "permission"), (errno.EROFS, "read-only")]
)
def test_what_the_system_refuses_is_said_in_words(tmp_path, monkeypatch, call, number, word):
    target = tmp_path / "a.json"
    target.write_text("old")

    def refuse(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(OutputError, match=word) as caught:
        atomic.write_json(target, {"a": 1})
    assert str(target) in str(caught.value)
    monkeypatch.undo()
    assert target.read_text() == "old" and names(tmp_path) == ["a.json"]


def test_a_real_limit_on_file_size_is_an_output_error(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match="larger than"):
            atomic.write_bytes(tmp_path / "a.bin", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert names(tmp_path) == []


def test_an_error_about_another_file_is_not_taken_for_ours(tmp_path):
    with pytest.raises(PermissionError), atomic.atomic_path(tmp_path / "out"):
        raise PermissionError(errno.EACCES, "no", str(tmp_path / "input"))


def test_a_file_where_a_folder_should_be(tmp_path):
    (tmp_path / "file").write_text("")
    for call in (atomic.ensure_writable, lambda p: atomic.write_text(p, "x")):
        with pytest.raises(OutputError, match=r"not a folder|in the way"):
            call(tmp_path / "file" / "out.mp4")
    with pytest.raises(OutputError, match="folder of that name"):
        atomic.write_text(tmp_path, "x")


def test_ensure_writable_leaves_nothing_and_knows_space(tmp_path):
    atomic.ensure_writable(tmp_path / "not" / "yet" / "a.mp4", needed=1)
    assert names(tmp_path) == []
    with pytest.raises(OutputError, match="MB are free"):
        atomic.ensure_writable(tmp_path / "a.mp4", needed=atomic.free_space(tmp_path) * 2)


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError):
        atomic.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert names(tmp_path) == []
    atomic.write_json(tmp_path / "a.json", {"ä": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"ä": [1, None]}


def test_sha256_of_a_known_text(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert atomic.sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_leftovers_of_a_killed_process_are_removed_and_nothing_else(tmp_path):
    context = atomic.atomic_path(tmp_path / "film.mp4")
    left = context.__enter__()
    left.write_text("half")
    (tmp_path / "film.mp4").write_text("whole")
    (tmp_path / ".hidden").write_text("mine")
    assert atomic.remove_leftovers(tmp_path) == [left.name]
    assert names(tmp_path) == [".hidden", "film.mp4"]


def test_what_is_synced_was_opened_for_writing(tmp_path, monkeypatch):
    """Windows refuses to sync a file that was opened for reading only."""
    modes = []

    def fsync(handle):
        is_folder = stat.S_ISDIR(os.fstat(handle).st_mode)
        modes.append((is_folder, fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE))

    monkeypatch.setattr(os, "fsync", fsync)
    new = tmp_path / "new"
    (new / "part").mkdir(parents=True)
    (new / "a.txt").write_text("a")
    atomic.replace_folder(new, tmp_path / "place")
    atomic.write_text(tmp_path / "b.txt", "b")
    assert {mode for is_folder, mode in modes if not is_folder} == {os.O_RDWR}
    assert sum(not is_folder for is_folder, _ in modes) == 2
