"""The books and the encoder thread of merge."""

import threading
from collections import deque
from fractions import Fraction

import numpy as np
import pytest
from merge_material import decode

from konterfei.errors import OutputError
from konterfei.io.manifest import Manifest
from konterfei.io.video import Frame, VideoWriter
from konterfei.stages._merge_output import Drawn
from konterfei.stages._merge_parts import PartEncoder, PartRecord, Parts, Tally
from konterfei.stages._merge_stream import NO_FACE, SWAPPED, Clock

IMAGE = np.zeros((32, 32, 3), np.uint8)


def frames(*indices):
    return [Frame(i, Fraction(i, 25), IMAGE) for i in indices]


def book(indices, records=(), part=10, begin=0, lost=0, is_trial=False):
    """The records of a run over these frames."""
    tally = Tally(list(records), part, begin, 3, is_trial=is_trial)
    closed = []
    for frame in frames(*indices):
        closed.append(tally.turn(frame, Clock()))
        tally.count(frame, SWAPPED if frame.index % 2 else NO_FACE, 1, False, [])
    closed.append(tally.end(Clock(), lost))
    return [record for record in closed if record], tally


def test_frames_fall_into_parts():
    records, tally = book(range(25))
    assert [(r.number, r.previous, r.stop, r.frames) for r in records] == [
        (0, None, 10, 10),
        (1, 0, 20, 10),
        (2, 1, 25, 5),
    ]
    assert (tally.frames, tally.swapped) == (25, 12)
    assert records[0].counts == {NO_FACE: 5, SWAPPED: 5}


def test_lost_frames_count_once_wherever_they_were():
    there = [i for i in range(40) if i not in (0, 5, 9, 10, *range(20, 30), 39)]
    records, _ = book(there, lost=15)
    assert sum(r.lost for r in records) == 15
    assert [r.number for r in records] == [0, 1, 3] and records[2].previous == 1
    again, _ = book([i for i in there if i >= 20], records[:2], begin=20, lost=11)
    assert [r.lost for r in again] == [r.lost for r in records[2:]]


def test_a_trial_begins_at_time_zero_and_goes_on_so():
    records, tally = book(range(15, 30), begin=15, is_trial=True)
    assert tally.origin == Fraction(15, 25)
    _, again = book(range(20, 30), records[:1], begin=20, is_trial=True)
    assert again.origin == Fraction(15, 25)


def test_records_survive_their_file():
    record = PartRecord(number=3, previous=1, stop=40, frames=9, lost=1, origin=Fraction(1, 3), counts={"x": 2},
                        colors=deque([[], []]), seconds={"model": 1.5}, sha256="ab")  # fmt: skip
    assert PartRecord.from_json(record.to_json()) == record


@pytest.fixture
def parts(tmp_path):
    parts = Parts(tmp_path / "out.mp4.parts")
    with parts.locked():
        parts.begin(Manifest(stage="merge"))
        yield parts


class Writer(VideoWriter):
    """A video's writer with the manners of those in `_merge_output`."""

    def write(self, drawn):
        super().write(drawn.image, drawn.pts, drawn.duration)


def writer(path):
    return Writer(path, 32, 32, preset="ultrafast", fps_hint=25)


def drawn(index, image=IMAGE):
    return Drawn(index, image, Fraction(index, 25), None, "swapped")


def test_parts_are_taken_up_in_order(parts):
    with PartEncoder(parts, writer) as encoder:
        for number in (0, 1):
            for index in range(3):
                encoder.write(drawn(3 * number + index), number)
            encoder.close_part(PartRecord(number=number, previous=number - 1 if number else None, stop=3 * number + 3))
    found, changes = parts.begin(Manifest(stage="merge"))
    assert [record.number for record in found] == [0, 1] and not changes
    assert decode(parts.path(1))[1] == [Fraction(i, 25) for i in (3, 4, 5)]
    found, changes = parts.begin(Manifest(stage="merge", settings={"crf": 3}))
    assert not found and changes == ["crf is 3, was not set"]


def test_an_error_of_the_encoder_reaches_the_stage(parts):
    def failing(path):
        raise OutputError("no space is left")

    with pytest.raises(OutputError, match="no space"), PartEncoder(parts, failing) as encoder:
        for index in range(1000):
            encoder.write(drawn(index), 0)
    with pytest.raises(OutputError, match="no space"), PartEncoder(parts, failing) as encoder:
        encoder.write(drawn(0), 0)  # told at the end at the latest
    assert threading.active_count() < 10


def test_what_the_writer_notes_is_kept_once(parts):
    odd = np.zeros((32, 33, 3), np.uint8)
    with PartEncoder(parts, lambda path: Writer(path, 33, 32, preset="ultrafast")) as encoder:
        for number in range(2):
            encoder.write(drawn(number, odd), number)
            encoder.close_part(PartRecord(number=number, previous=None, stop=number + 1))
    (note,) = encoder.notes
    assert "4:4:4" in note


def test_an_error_of_the_stage_gives_up_the_part_in_work(parts):
    with pytest.raises(ZeroDivisionError), PartEncoder(parts, writer) as encoder:
        for index in range(20):
            encoder.write(drawn(index), 0)
        raise ZeroDivisionError
    assert {path.name for path in parts.folder.iterdir()} == {"manifest.json", ".lock"}
