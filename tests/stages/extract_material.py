"""Extractions of drawn people, as the tests of extract share them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from drawn_vision import SETTINGS
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder, Silent
from konterfei.stages.extract import ExtractConfig, extract


def run(video, output, reporter=None, **settings):
    """An extraction with the drawn detector, landmarker and recognizer; `video` may be several inputs."""
    first, *more = video if isinstance(video, list | tuple) else [video]
    config = ExtractConfig(video=first, more=tuple(more), output=output, **{**SETTINGS, **settings})
    return extract(config, reporter or Silent())


def records(folder):
    """All records of a faceset, as they are embedded."""
    return [record.encode() for record in Faceset.open(folder).records()]


def crops(folder):
    """File name -> bytes, of all crops."""
    return {path.name: path.read_bytes() for path in folder.glob("*.jpg")}


class StopAt(Recorder):
    """Asks to stop at the n-th step."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def take_stop(self):
        self.left -= 1
        return self.left == 0


KILLED = """
import json, sys, threading
from pathlib import Path
import drawn_vision
drawn_vision.install()
from konterfei.reporting import Silent
from konterfei.stages.extract import ExtractConfig, extract
clip, *more = map(Path, json.loads(sys.argv[1]))
output, kind, enough = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
settings = dict(drawn_vision.SETTINGS, more=tuple(more), **json.loads(sys.argv[5]))
place = output / ".new" if settings.get("force") else output
class Bounded(Silent):
    def advance(self, done, **figures):
        if kind == "blocks":
            there = sum(journal.read_bytes().count(b"\\n") for journal in place.glob("analysis*.jsonl"))
        else:
            there = len(list(place.glob("*.jpg")))
        if there > enough:
            threading.Event().wait()
extract(ExtractConfig(video=clip, output=output, **settings), Bounded())
"""
"""Goes no further than one block, or one crop, beyond the point where it is to be killed: however late the kill comes,
there is something left to interrupt."""


def kill_at(clip, output, place, kind, enough, **settings):
    """Extracts in another process and kills it as soon as so many blocks, or crops, lie in `place`."""
    tests = Path(__file__).resolve().parents[1]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tests.parent / "src"), str(tests)])}

    def there():
        if kind == "crops":
            return len(list(place.glob("*.jpg")))
        return sum(journal.read_bytes().count(b"\n") for journal in place.glob("analysis*.jsonl"))

    given = [str(path) for path in (clip if isinstance(clip, list | tuple) else [clip])]
    line = [sys.executable, "-c", KILLED, json.dumps(given), str(output), kind, str(enough), json.dumps(settings)]
    with subprocess.Popen(line, env=environment) as process:
        while process.poll() is None and there() < enough:
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -signal.SIGKILL
