"""The same frames are the same file, whatever lay in the memory before."""

import hashlib
import os
import subprocess
import sys

WRITE = """
import sys
from fractions import Fraction

import cv2
import numpy as np

from konterfei.io.video import VideoWriter

rng = np.random.default_rng(3)
ground = cv2.GaussianBlur(rng.integers(0, 256, (256, 256, 3)).astype(np.uint8), (0, 0), 2)
with VideoWriter(sys.argv[1], 192, 192, fps_hint=Fraction(25)) as writer:
    for index in range(25):
        frame = ground[index : index + 192, 2 * index : 2 * index + 192].copy()
        cv2.circle(frame, (60 + 3 * index, 90), 30, (200, 150, 120), -1)
        frame = np.clip(frame + rng.normal(0, 2, frame.shape), 0, 255).astype(np.uint8)
        writer.write(frame, Fraction(index, 25), Fraction(1, 25))
"""


def test_what_lay_in_the_memory_does_not_change_the_file(tmp_path):
    """glibc fills what is asked for with MALLOC_PERTURB_; elsewhere that has no effect."""
    found = set()
    for filling in ("0", "85", "255"):
        path = tmp_path / f"{filling}.mp4"
        subprocess.run([sys.executable, "-c", WRITE, path], env=os.environ | {"MALLOC_PERTURB_": filling}, check=True)
        found.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(found) == 1
