"""The first pass in segments: any number of processes finds the same, killed or not."""

import numpy as np
import pytest

import drawn_vision
from drawn_vision import SETTINGS, empty, scene, two_people, write_clip
from konterfei.errors import Cancelled
from konterfei.executors import LocalExecutor
from konterfei.reporting import Silent
from konterfei.stages import _extract_parts
from konterfei.stages._extract_analysis import Segments
from konterfei.stages._extract_parts import analyse
from konterfei.stages._extract_plate import Plate
from konterfei.stages.extract import ExtractConfig
from konterfei.tracking.journal import Journal

SEGMENT = 16


class HereExecutor(LocalExecutor):
    """Runs tasks in this process, which knows the drawn networks; the last ones first, as others may be faster."""

    def map(self, function, tasks, heard, asked_to_stop):
        class Voice:
            say = staticmethod(heard)

            def check(self):
                if asked_to_stop():
                    raise Cancelled("stopped")

        results = [function(task, Voice()) for task in reversed(tasks)]
        return results[::-1]


class StopAfter(Silent):
    """Asks to stop when it was looked at so often."""

    def __init__(self, times):
        self.left = times

    def take_stop(self):
        self.left -= 1
        return self.left < 0


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)
    monkeypatch.setattr(_extract_parts, "LocalExecutor", HereExecutor)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Somebody goes at frame 20, nobody is there from 30 to 40: seams at 16, 32, 48 meet all of it."""
    pictures = [*two_people(30, gone_from=20), *empty(10), *scene(20)]
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", pictures)


def found(clip, folder, reporter=None, wanted=None, **settings):
    """The bytes of the journal, and what it holds."""
    folder.mkdir(exist_ok=True)
    config = ExtractConfig(video=clip, output=folder, **{**SETTINGS, **settings})
    plate = Plate(path=clip, fps="25", **({} if wanted is None else {"wanted": wanted}))
    with Journal(folder / "analysis.jsonl", {"about": "it"}) as journal:
        analyse(plate, config, journal, reporter or Silent(), segment=SEGMENT)
        assert journal.analysis.is_whole
    return (folder / "analysis.jsonl").read_bytes(), journal.analysis


@pytest.mark.parametrize("wanted", [None, range(3, 55), range(1, 58, 2)], ids=str)
def test_any_number_of_processes_finds_the_same(clip, tmp_path, wanted):
    alone, analysis = found(clip, tmp_path / "one", wanted=wanted)
    several, _ = found(clip, tmp_path / "three", wanted=wanted, processes=3)
    assert alone == several
    assert not list((tmp_path / "three").glob("*.parts")), "journals of segments are left"
    assert analysis.indices == list(range(60) if wanted is None else wanted)
    truth = [2 if index < 20 else 1 if index < 30 or index >= 40 else 0 for index in analysis.indices]
    assert [len(frame.faces) for frame in analysis.frames] == truth


@pytest.mark.parametrize("first, then", [(1, 1), (1, 3), (3, 1), (3, 3)])
@pytest.mark.parametrize("times", [10, 17, 25, 40, 60])
def test_stopped_and_gone_on_with_other_numbers(clip, tmp_path, first, then, times):
    whole, _ = found(clip, tmp_path / "whole")
    with pytest.raises(Cancelled):
        found(clip, tmp_path / "faces", StopAfter(times), processes=first)
        raise Cancelled("it had ended before that")
    assert found(clip, tmp_path / "faces", processes=then)[0] == whole


def test_what_segments_have_is_not_done_again(clip, tmp_path):
    with pytest.raises(Cancelled):
        found(clip, tmp_path / "faces", StopAfter(45), processes=2)
    again = StopAfter(1000)
    found(clip, tmp_path / "faces", again, processes=2)
    assert 1000 - again.left <= SEGMENT, "three segments of four were there"


def test_a_face_is_followed_over_a_seam(clip, tmp_path):
    """By the finder's state: what it found in the last frames before."""
    _, analysis = found(clip, tmp_path / "faces")
    before, after = (analysis.frames[n].faces[0] for n in (15, 16))
    assert np.abs(before.points - after.points).max() < 3


def test_segments_are_counted_in_wanted_frames():
    segments = Segments(first=6, step=3, frames=10)
    assert [(segments.begin(n), segments.end(n)) for n in (0, 6, 35, 36)] == [(6, 36), (6, 36), (6, 36), (36, 66)]
