"""The books and the encoder thread of merge."""

import threading
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from merge_material import decode

from konterfei.errors import OutputError
from konterfei.io.manifest import Manifest
from konterfei.io.video import VideoWriter
from konterfei.stages._merge_output import Drawn
from konterfei.stages._merge_parts import Ledger, PartEncoder, PartRecord, Parts
from konterfei.stages._merge_stream import NO_FACE, SWAPPED

IMAGE = np.zeros((32, 32, 3), np.uint8)


def book(indices, numbers=range(10), part=10, wanted=range(10**9), begin=0, lost=0):
    """The records of a reading that gives these frames."""
    ledger = Ledger(numbers, part, wanted, begin)
    closed = []
    for index in indices:
        closed += ledger.turn(index)
        if index in wanted and index // part in numbers:
            ledger.part.count(SWAPPED if index % 2 else NO_FACE, 1, False)
    return closed + ledger.end(lost)


def figures(records):
    return [(r.number, r.frames, r.lost, r.is_last) for r in records]


def test_frames_fall_into_parts():
    records = book(range(25))
    assert figures(records) == [(0, 10, 0, False), (1, 10, 0, False), (2, 5, 0, True)]
    assert records[0].counts == {NO_FACE: 5, SWAPPED: 5} and records[0].swapped == 5


def test_lost_frames_count_once_wherever_they_were():
    there = [i for i in range(40) if i not in (0, 5, 9, 10, *range(20, 30), 39)]
    whole = book(there, lost=15)
    assert figures(whole) == [(0, 7, 3, False), (1, 9, 1, False), (2, 0, 10, False), (3, 9, 1, True)]
    apart = book([i for i in there if i < 31], range(2)) + book([i for i in there if i >= 17], range(2, 5), begin=17,
                                                                 lost=11)  # fmt: skip
    assert figures(apart) == figures(whole)


def test_frames_around_a_run_are_looked_at_only():
    records = book(range(7, 33), range(1, 3), begin=7)
    assert figures(records) == [(1, 10, 0, False), (2, 10, 0, False)]
    records = book(range(7, 30), range(1, 3), begin=7)  # none comes after: the plate ends here
    assert figures(records) == [(1, 10, 0, False), (2, 10, 0, True)]


def test_a_run_beyond_the_end_gives_nothing():
    assert book(range(27, 30), range(3, 6), begin=27) == []
    assert book([], range(3, 6), begin=27) == []


def test_a_trial_ends_within_a_part():
    assert figures(book(range(3, 20), range(2), wanted=range(5, 14), begin=3)) == [(0, 5, 0, False), (1, 4, 0, False)]


@given(st.sets(st.integers(0, 59)), st.integers(1, 12), st.integers(0, 4))
def test_the_sums_do_not_depend_on_how_a_plate_is_divided(gone, part, reach):
    there = [i for i in range(60) if i not in gone]
    whole = book(there, range(-(-60 // part)), part, lost=len(gone))
    assert sum(r.frames for r in whole) == len(there)
    if there:
        assert sum(r.lost for r in whole) == len(gone)
    for number in range(-(-60 // part)):
        first = number * part
        begin, stop = max(first - reach, 0), first + part + reach
        seen = [i for i in there if begin <= i < stop]
        lost = len([i for i in gone if begin <= i < stop])
        alone = book(seen, range(number, number + 1), part, begin=begin, lost=lost)
        wanted = {r.number: r for r in whole}.get(number)
        if alone and wanted:
            assert (alone[0].frames, alone[0].counts) == (wanted.frames, wanted.counts)


def test_records_survive_their_file():
    record = PartRecord(number=3, frames=9, lost=1, counts={"x": 2}, told={"erode": 0.1}, seconds={"model": 1.5},
                        fingerprint="cd", is_last=True, sha256="ab")  # fmt: skip
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
            encoder.close_part(PartRecord(number=number, frames=3))
    assert not parts.begin(Manifest(stage="merge"))
    assert parts.numbers() == [0, 1] and parts.record(1).frames == 3 and parts.record(2) is None
    assert decode(parts.path(1))[1] == [Fraction(i, 25) for i in (3, 4, 5)]
    changes = parts.begin(Manifest(stage="merge", settings={"crf": 3}))
    assert not parts.numbers() and changes == ["crf is 3, was not set"]


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
            encoder.close_part(PartRecord(number=number, frames=1))
    (note,) = encoder.notes
    assert "4:4:4" in note


def test_an_error_of_the_stage_gives_up_the_part_in_work(parts):
    with pytest.raises(ZeroDivisionError), PartEncoder(parts, writer) as encoder:
        for index in range(20):
            encoder.write(drawn(index), 0)
        raise ZeroDivisionError
    assert {path.name for path in parts.folder.iterdir()} == {"manifest.json", ".lock"}
