"""Keys on a real (pseudo) terminal: each at once, Ctrl-C as ever, the terminal as it was afterwards."""

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

termios = pytest.importorskip("termios")
fcntl = pytest.importorskip("fcntl")

PROGRAM = """
import fcntl, os, signal, sys, termios, time
from konterfei.cli.keys import Keyboard
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
keyboard = Keyboard(0)
def say(word):
    os.write(1, word.encode() + b";")
def interrupted(number, frame):
    say("INT")
    keyboard.stop()
    say("line" if termios.tcgetattr(0)[3] & termios.ICANON and termios.tcgetattr(0)[3] & termios.ECHO else "raw")
    os._exit(0)
signal.signal(signal.SIGINT, interrupted)
keyboard.start({"s", "q", "\\n"}, lambda key: say({"\\n": "Enter"}.get(key, key)))
say("ready")
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def terminal():
    """terminal -> (process, master, read): read(word) waits until the word has come and gives everything so far."""
    master, slave = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    seen = b""

    def read(word, within=30.0):
        nonlocal seen
        end = time.monotonic() + within
        while word not in seen and time.monotonic() < end:
            if select.select([master], [], [], 0.1)[0]:
                try:
                    seen += os.read(master, 1024)
                except OSError:
                    break
        return seen.decode()

    yield process, master, read
    if process.poll() is None:
        process.kill()
    process.wait()
    os.close(master)


def test_keys_are_heard_at_once_and_only_those_that_mean_something(terminal):
    process, master, read = terminal
    read(b"ready;")
    for keys in (b"x", b"s", b"Q", b"\r"):
        os.write(master, keys)
    assert read(b"Enter;") == "ready;s;q;Enter;"  # no echo between them
    os.write(master, b"\x03")
    assert read(b"line;").endswith("INT;line;")
    assert process.wait(timeout=10) == 0


def test_after_a_pause_in_the_shell_keys_are_heard_again(terminal):
    process, master, read = terminal
    read(b"ready;")
    settings = termios.tcgetattr(master)
    settings[3] |= termios.ICANON | termios.ECHO  # as a shell sets the terminal after Ctrl-Z
    os.kill(process.pid, signal.SIGSTOP)
    termios.tcsetattr(master, termios.TCSANOW, settings)
    os.kill(process.pid, signal.SIGCONT)
    end = time.monotonic() + 20
    while termios.tcgetattr(master)[3] & termios.ICANON and time.monotonic() < end:
        time.sleep(0.05)
    os.write(master, b"s")
    assert read(b"s;") == "ready;s;"


def test_what_is_no_terminal_is_left_alone():
    from konterfei.cli.keys import Keyboard

    inside, outside = os.pipe()
    keyboard = Keyboard(inside)
    keyboard.start({"s"}, lambda key: None)
    keyboard.stop()
    os.close(inside)
    os.close(outside)
