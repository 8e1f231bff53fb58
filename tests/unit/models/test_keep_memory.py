"""Freed memory is kept for what is allocated next. In a process of its own: it is a setting of the whole process."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

import konterfei

PROGRAM = """
import resource, sys
sys.path.insert(0, {source!r})
import torch
from konterfei.models.devices import keep_memory
if {keeps}:
    keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    torch.ones(10_000_000)
before = faults()
for _ in range(10):
    torch.ones(10_000_000)
print(faults() - before)
"""


def pages_taken(keeps):
    """Pages asked of the system for ten arrays of 40 MB, each freed before the next."""
    program = PROGRAM.format(keeps=keeps, source=str(Path(konterfei.__file__).parents[1]))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep memory")
def test_memory_is_kept():
    assert pages_taken(False) > 10_000
    assert pages_taken(True) < 1000


def test_where_there_is_no_such_setting_nothing_happens(monkeypatch):
    from konterfei.models import devices

    class Nothing:
        def __init__(self, name):
            pass

    monkeypatch.setattr(devices.ctypes, "CDLL", Nothing)
    devices.keep_memory()
