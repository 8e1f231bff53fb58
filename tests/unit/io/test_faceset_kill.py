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
import sys
sys.path.insert(0, sys.argv[2])
from faceset_fixtures import header, picture, record
from konterfei.io.faceset import Faceset
with Faceset.create(sys.argv[1], header()) as faceset:
    print("ready", flush=True)
    for i in range(int(sys.argv[3]), 100000):
        print(faceset.add(picture(i), record(i)), flush=True)
"""


def write_and_kill(folder, start, seconds):
    """Names that the writer said were finished before it was killed."""
    command = [sys.executable, "-c", WRITER, str(folder), str(Path(__file__).parent), str(start)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)
        lines = process.stdout.read().split(b"\n")
    return [line.decode() for line in lines[:-1]]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_writers_leave_only_whole_faces(tmp_path):
    chance = random.Random(7)
    expected = 0
    for round_ in range(10):
        finished = write_and_kill(tmp_path, expected, chance.uniform(0.0, 0.15))
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
    assert expected > 12  # ten of them are the reopening process's own
    faceset = Faceset.open(tmp_path)
    for face in faceset.records():
        assert face.to_json() == record(face.frame_index).to_json()
        assert np.abs(faceset.image(face.name).astype(int) - picture(face.frame_index)).mean() < 6
    assert header().differs_from(faceset.header) == ""
