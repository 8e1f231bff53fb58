"""A writer is killed with SIGKILL at random points; what it had finished is whole, and the next one goes on."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from faceset_fixtures import header, picture, record

from konterfei.io.faceset import Faceset

WRITER = """
import os, sys
sys.path.insert(0, sys.argv[2])
from faceset_fixtures import header, picture, record
from konterfei.io.faceset import Faceset
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        with Faceset.create(sys.argv[1], header()) as faceset:
            print(os.getpid(), flush=True)
            for i in range(int(line), 100000):
                print(faceset.add(picture(i), record(i)), flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""
"""Forks a writer for each line it reads, so that a round costs no start of an interpreter."""


def write_and_kill(parent, start, faces, share):
    """Names that the writer said were finished before it was killed: after so many, and a share of the time of one."""
    print(start, file=parent.stdin, flush=True)
    pid = int(parent.stdout.readline())
    begun = time.monotonic()
    finished = [parent.stdout.readline() for _ in range(faces)]
    time.sleep(share * (time.monotonic() - begun) / max(faces, 1))
    os.kill(pid, signal.SIGKILL)
    while (line := parent.stdout.readline()) != "dead\n":
        assert line, f"the process that forks writers has ended: {parent.wait(10)}"
        finished.append(line)
    return finished


@pytest.fixture
def parent(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        yield process
        process.stdin.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_writers_leave_only_whole_faces(parent, tmp_path):
    chance = random.Random(7)
    expected = asked = 0
    for round_ in range(10):
        faces = chance.randrange(5)
        finished = write_and_kill(parent, expected, faces, chance.uniform(0.0, 1.2))
        asked += faces
        if round_ % 3 == 2:
            (tmp_path / ".index.sqlite").unlink(missing_ok=True)
        with Faceset.open(tmp_path, allow_empty=True) as faceset:
            assert faceset.damaged == {}
            assert faceset.duplicates == {}
            assert len(faceset) - expected in (len(finished), len(finished) + 1)  # killed between rename and word
            assert faceset.frame_indices() == list(range(len(faceset)))
            expected = len(faceset)
            faceset.add(picture(expected), record(expected))
            expected += 1
        assert not list(tmp_path.glob(".*.part"))
    assert expected >= asked + 10 > 20  # ten of them are the reopening process's own
    faceset = Faceset.open(tmp_path)
    for face in faceset.records():
        assert face.to_json() == record(face.frame_index).to_json()
        assert np.abs(faceset.image(face.name).astype(int) - picture(face.frame_index)).mean() < 6
    assert header().differs_from(faceset.header) == ""
