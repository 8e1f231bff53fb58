from fractions import Fraction

import numpy as np
import pytest
from tracking_material import face

from konterfei.errors import OutputError
from konterfei.io import locks
from konterfei.landmarkers import Window
from konterfei.tracking.finder import FinderState, FrameFaces, Lane
from konterfei.tracking.journal import Journal, peek

ABOUT = {"video_sha256": "ab", "detector": "yunet", "threshold": 0.7}


def block(first, count=4):
    rng = np.random.default_rng(first)
    frames = [
        FrameFaces([face(rng.random() * 100, 1 / 3, who=2 if n == 0 else None, presence=1 / 7)], 0.1 / 3, 1 / 3)
        for n in range(count)
    ]
    lanes = (Lane(Window(*rng.random(3) * 99, roll=-np.pi / 3), 1 / 3, 1),)
    state = FinderState(lanes, rng.integers(0, 255, (16, 16, 3), dtype=np.uint8), (0.1, 1 / 3))
    indices = list(range(first, first + count))
    return indices, [Fraction(index, 30) for index in indices], frames, state, first + count


def fill(path, blocks=3, end=False):
    with Journal(path, ABOUT) as journal:
        for number in range(blocks):
            journal.add(*block(4 * number))
        if end:
            journal.finish(lost=2)
        return journal.analysis


def same(one, other):
    assert (one.indices, one.pts, one.next_index, one.is_whole, one.lost) == (
        other.indices,
        other.pts,
        other.next_index,
        other.is_whole,
        other.lost,
    )
    for a, b in zip(one.frames, other.frames, strict=True):
        assert (a.change, a.best_score) == (b.change, b.best_score)
        for x, y in zip(a.faces, b.faces, strict=True):
            assert np.array_equal(x.points, y.points) and (x.score, x.presence) == (y.score, y.presence)
            assert (x.embedding is None) == (y.embedding is None)
    assert one.state.lanes == other.state.lanes and one.state.changes == other.state.changes
    assert (one.state.signature is None) == (other.state.signature is None)


def test_read_again_it_says_exactly_the_same(tmp_path):
    written = fill(tmp_path / "j", end=True)
    with Journal(tmp_path / "j", ABOUT) as journal:
        same(journal.analysis, written)
        assert journal.analysis.is_whole and journal.analysis.lost == 2


def test_state_is_exact_to_the_last_bit(tmp_path):
    fill(tmp_path / "j", blocks=1)
    with Journal(tmp_path / "j", ABOUT) as journal:
        expected = block(0)[3]
        assert journal.analysis.state.lanes == expected.lanes
        assert np.array_equal(journal.analysis.state.signature, expected.signature)


@pytest.mark.parametrize("kept", [0, 1, 5, 40, 200])
def test_line_torn_anywhere_is_dropped_and_the_rest_stays(tmp_path, kept):
    path = tmp_path / "j"
    fill(path, blocks=2)
    whole = path.stat().st_size
    fill(path, blocks=0)
    with Journal(path, ABOUT) as journal:
        journal.add(*block(8))
    path.write_bytes(path.read_bytes()[: whole + kept])
    with Journal(path, ABOUT) as journal:
        assert journal.analysis.next_index == 8
        journal.add(*block(8))
    with Journal(path, ABOUT) as journal:
        assert journal.analysis.next_index == 12
    assert path.read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("at", [0, 3, 12, 300])
def test_flipped_bit_ends_what_is_believed(tmp_path, at):
    path = tmp_path / "j"
    fill(path, blocks=1)
    begin = path.stat().st_size
    with Journal(path, ABOUT) as journal:
        journal.add(*block(4))
        journal.add(*block(8))
    data = bytearray(path.read_bytes())
    data[begin + at] ^= 4
    path.write_bytes(data)
    with Journal(path, ABOUT) as journal:
        assert journal.analysis.next_index == 4


def test_journal_of_something_else_is_begun_anew(tmp_path):
    fill(tmp_path / "j", end=True)
    with Journal(tmp_path / "j", {**ABOUT, "threshold": 0.8}) as journal:
        assert not journal.analysis.frames and not journal.analysis.is_whole
    with Journal(tmp_path / "j", ABOUT) as journal:
        assert not journal.analysis.frames


def test_not_a_journal_at_all(tmp_path):
    (tmp_path / "j").write_bytes(b"\x00\xff\n\nhello\n" * 10)
    assert fill(tmp_path / "j", blocks=1).next_index == 4
    with Journal(tmp_path / "j", ABOUT) as journal:
        assert journal.analysis.next_index == 4


def test_place_that_cannot_be_written(tmp_path):
    (tmp_path / "j").mkdir()
    with pytest.raises(OutputError):
        Journal(tmp_path / "j", ABOUT)


@pytest.mark.skipif(locks.fcntl is None, reason="no advisory locks on this system")
def test_two_at_once_are_refused(tmp_path):
    with Journal(tmp_path / "j", ABOUT) as journal:
        journal.add(*block(0))
        with pytest.raises(OutputError, match="Another extraction is at work"):
            Journal(tmp_path / "j", {**ABOUT, "detector": "other"})
        journal.add(*block(4))
    with Journal(tmp_path / "j", ABOUT) as again:
        same(again.analysis, journal.analysis)


def test_frames_looked_at_again_and_loose_pictures_are_kept_beside(tmp_path):
    _, _, frames, _, _ = block(0)
    with Journal(tmp_path / "j", ABOUT) as journal:
        journal.add_pictures(["aa one.jpg", "bb two.jpg"], frames[:2], {"cc torn.jpg": "cut off"})
        journal.add_pictures(["dd three.jpg"], frames[2:3], {})
        journal.redo({1: frames[3]}, {"detector": "centerface"})
        journal.redo({1: FrameFaces(), 2: frames[0]}, {"detector": "yunet"})
    with Journal(tmp_path / "j", ABOUT) as journal:
        again = journal.analysis
    assert again.names == ["aa one.jpg", "bb two.jpg", "dd three.jpg"] and again.indices == [0, 1, 2]
    assert again.unreadable == {"cc torn.jpg": "cut off"} and again.next_index == 3
    assert not again.redone[1].faces.faces and again.redone[1].how == {"detector": "yunet"}, "the last look counts"
    assert np.array_equal(again.redone[2].faces.faces[0].points, frames[0].faces[0].points)
    assert len(again.frames[1].faces) == 1, "what was found first is still there"
    assert peek(tmp_path / "j").names == again.names and peek(tmp_path / "none") is None
