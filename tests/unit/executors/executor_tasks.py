"""Tasks for other processes: they have to be found by name."""

import os
import signal
import time
from pathlib import Path

from konterfei.errors import UnknownNameError


def squared(task, voice):
    voice.say(task)
    return task * task


def dies_once(task, voice):
    """Kills its process the first time, and finds that out by a file."""
    folder, number = task
    mark = Path(folder) / f"{number}.txt"
    if number == 1 and not mark.exists():
        mark.write_text("was here")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def dies(task, voice):
    os.kill(os.getpid(), signal.SIGKILL)


def fails(task, voice):
    if task == 2:
        raise UnknownNameError("fruit", "appel", ["apple"])
    for _ in range(1000):
        voice.check()
        time.sleep(0.01)


def works_until_stopped(task, voice):
    voice.say("begun")
    while True:
        voice.check()
        time.sleep(0.01)
