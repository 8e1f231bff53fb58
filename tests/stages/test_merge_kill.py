"""merge is killed again and again at random moments, and ends with the frames of an uninterrupted run."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import merge_material
import pytest
from merge_material import FRAMES, Painter, config_for, decode, make_consent, make_faces, make_plate, sound_packets

from konterfei.io.images import read_image
from konterfei.provenance.verification import verify, verify_pictures
from konterfei.reporting import Silent
from konterfei.stages.merge import merge


def run(folder, output, frames, milliseconds, processes=1):
    told = {"folder": str(folder), "output": str(output), "frames": frames, "milliseconds": milliseconds}
    told["more"] = {"processes": processes}
    return subprocess.run(
        [sys.executable, str(Path(merge_material.__file__)), json.dumps(told)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.timeout(900)
def test_killed_at_random_moments_it_ends_with_the_same_frames(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4", vfr=True)
    faces = make_faces(tmp_path / "faces", plate, vfr=True)
    make_consent(tmp_path / "consent.toml")
    whole = config_for(tmp_path, plate, faces, output=tmp_path / "whole.mp4")
    merge(whole, Silent(), Painter())

    output, parts = tmp_path / "out.mp4", tmp_path / "out.mp4.parts"
    chance = random.Random(5)
    kills, frames, kept = 0, 3, []
    while frames < FRAMES:
        died = run(tmp_path, output, frames, chance.uniform(1, 60))
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not output.exists()  # nothing unmarked, nothing half-written
        kills += 1
        kept.append(len(list(parts.glob("part_*.json"))))
        # one part (7 frames) at most is lost, besides the few frames that are waiting to be encoded
        assert kept[-1] >= (frames - 4) // 7 - 1
        frames += chance.choice([4, 9, 14])
    assert kills >= 3 and kept == sorted(kept) and kept[-1] >= 3

    for milliseconds in (1, 40, 90):  # while parts are joined and the result is signed
        run(tmp_path, output, FRAMES, milliseconds)
        assert not output.exists() or verify(output).untouched

    last = run(tmp_path, output, -1, 0)
    assert last.returncode == 0, last.stderr
    assert (decode(output)[0] == decode(whole.output)[0]).all()
    assert decode(output)[1] == decode(whole.output)[1] == decode(plate)[1]
    assert sound_packets(output) == sound_packets(whole.output)
    assert verify(output).untouched
    assert not parts.exists() and not list(tmp_path.glob(".*"))


@pytest.mark.timeout(900)
def test_killed_at_random_moments_the_pictures_are_the_same(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4")
    faces = make_faces(tmp_path / "faces", plate)
    make_consent(tmp_path / "consent.toml")
    whole = config_for(tmp_path, plate, faces, output=tmp_path / "whole")
    merge(whole, Silent(), Painter())

    output, chance, frames, kills = tmp_path / "out", random.Random(6), 3, 0
    while frames < FRAMES:
        died = run(tmp_path, output, frames, chance.uniform(1, 120))
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not output.exists()
        kills += 1
        frames += chance.choice([4, 9, 14])
    for milliseconds in (1, 10, 30, 60):  # while the last ones are signed and the folder is put together
        run(tmp_path, output, FRAMES, milliseconds)
        assert not output.exists() or verify_pictures(output).untouched

    last = run(tmp_path, output, -1, 0)
    assert last.returncode == 0, last.stderr
    found = verify_pictures(output)
    assert found.untouched and not found.gaps and len(found.pictures) == FRAMES
    for path in whole.output.glob("*.png"):
        assert (read_image(path) == read_image(output / path.name)).all()
    assert {path.name for path in output.iterdir()} == {path.name for path in whole.output.iterdir()}
    assert not list(tmp_path.glob("*.parts")) and not list(tmp_path.glob(".*tmp*")) and kills >= 3


@pytest.mark.timeout(900)
def test_killed_with_several_processes_none_is_left_behind(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4")
    faces = make_faces(tmp_path / "faces", plate)
    make_consent(tmp_path / "consent.toml")
    whole = config_for(tmp_path, plate, faces, output=tmp_path / "whole.mp4")
    merge(whole, Silent(), Painter())

    output = tmp_path / "out.mp4"
    for frames, milliseconds in ((2, 1), (12, 30)):
        died = run(tmp_path, output, frames, milliseconds, processes=2)
        assert died.returncode == -signal.SIGKILL, died.stderr
        workers = [int(number) for number in (tmp_path / "workers.txt").read_text().split()]
        assert workers and wait_for_end(workers) == []
    last = run(tmp_path, output, -1, 0, processes=2)
    assert last.returncode == 0, last.stderr
    assert (decode(output)[0] == decode(whole.output)[0]).all() and verify(output).untouched


def wait_for_end(processes):
    """Those of the processes that still work ten seconds later."""
    until = time.monotonic() + 10
    left = processes
    while left and time.monotonic() < until:
        left = [number for number in left if is_working(number)]
        time.sleep(0.05)
    return left


def is_working(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
