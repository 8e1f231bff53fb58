"""Memory in words."""

import os

import numpy as np
import pytest
import torch

from konterfei.training import resources
from konterfei.training.resources import memory_text, resident_bytes


def test_memory_of_this_process_grows_with_what_it_holds():
    before = resident_bytes()
    if before is None:
        pytest.skip("this system does not tell")
    assert before > 20e6
    held = np.ones(100_000_000 // 8)  # touched: resident
    assert resident_bytes() - before > 80e6
    assert held[os.getpid() % 100] == 1


def test_it_is_told_with_that_of_the_gpu(monkeypatch):
    monkeypatch.setattr(resources, "resident_bytes", lambda: 1_920_000_000)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (60_000_000_000, 80_000_000_000))
    assert memory_text(torch.device("cpu")) == "1.9 GB"
    assert memory_text(torch.device("cuda", 0)) == "1.9 GB, GPU 20 of 80 GB"
    monkeypatch.setattr(resources, "resident_bytes", lambda: None)
    assert memory_text(torch.device("cpu")) == ""
