"""A plate of ten minutes is merged in the memory of one of a minute."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from merge_material import Painter, config_for, face, make_consent, make_faces, make_plate

from konterfei.reporting import Silent
from konterfei.stages.merge import merge

FRAMES = 15_000
SMALL = (96, 80)


class Weigher(Silent):
    """Notes this process's memory after a tenth of the frames, and the most after that. Bytes."""

    def __init__(self):
        self.early = self.most = 0

    def advance(self, done, **figures):
        if done % 100:
            return
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        if done <= FRAMES // 10:
            self.early = max(self.early, size)
        self.most = max(self.most, size)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell a process's memory so")
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_the_length_of_the_plate(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4", frames=FRAMES, sound=False, size=SMALL)
    faces = [(index, face(index, x=45)) for index in range(0, FRAMES, 10)]
    make_faces(tmp_path / "faces", plate, (), more=faces, size=SMALL)
    make_consent(tmp_path / "consent.toml")
    done = subprocess.run(
        [sys.executable, str(Path(__file__)), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["frames"] == FRAMES and told["swapped"] == FRAMES // 10
    # the frames that follow would take 300 MB, what is drawn of their faces 90 MB more
    assert told["most"] - told["early"] < 40e6, told


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    weigher = Weigher()
    config = config_for(folder, folder / "plate.mp4", folder / "faces", part_frames=250)
    result = merge(config, weigher, Painter())
    print(
        json.dumps({"frames": result.frames, "swapped": result.swapped, "early": weigher.early, "most": weigher.most})
    )
