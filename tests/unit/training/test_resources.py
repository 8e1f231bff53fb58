"""Memory in words."""

import subprocess
import sys

import pytest
import torch

from konterfei.training import resources
from konterfei.training.resources import memory_text, resident_bytes

GROWS = """
import numpy as np
from konterfei.training.resources import resident_bytes
before = resident_bytes()
held = np.ones(100_000_000 // 8)  # touched: resident
print(before, resident_bytes(), held[7])
"""


def test_memory_of_a_process_grows_with_what_it_holds():
    if resident_bytes() is None:
        pytest.skip("this system does not tell")
    # A process of its own: this one may hold freed memory that it would use again.
    told = subprocess.run([sys.executable, "-c", GROWS], capture_output=True, text=True, check=True).stdout.split()
    before, after = int(told[0]), int(told[1])
    assert before > 20e6 and after - before > 80e6


def test_it_is_told_with_that_of_the_gpu(monkeypatch):
    monkeypatch.setattr(resources, "resident_bytes", lambda: 1_920_000_000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (60_000_000_000, 80_000_000_000))
    assert memory_text(torch.device("cpu")) == "1.9 GB"
    assert memory_text(torch.device("cuda", 0)) == "1.9 GB, GPU 20 of 80 GB"
    monkeypatch.setattr(resources, "resident_bytes", lambda: None)
    assert memory_text(torch.device("cpu")) == ""
