"""The first pass of a real clip by processes of their own."""

from konterfei.reporting import Silent
from konterfei.stages._extract_parts import analyse
from konterfei.stages._extract_settings import ExtractConfig, plate_of
from konterfei.tracking.journal import Journal


def test_two_processes_find_what_one_does(media, tmp_path):
    found = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        config = ExtractConfig(video=media("lp_d0.mp4"), output=folder, processes=processes)
        with Journal(folder / "analysis.jsonl", {}) as journal:
            analyse(plate_of(config, config.video), config, journal, Silent(), segment=32)
            assert all(frame.faces for frame in journal.analysis.frames)
        found.append((folder / "analysis.jsonl").read_bytes())
    assert found[0] == found[1]
