import itertools
from fractions import Fraction

from evaluate_material import DST, FRAMES, write_faces, write_video

from konterfei.io.faceset import Faceset
from konterfei.stages._evaluate_frames import ENOUGH, GROUP, chosen_frames, shared, shots_of
from konterfei.tracking.finder import FinderState, FrameFaces
from konterfei.tracking.journal import Journal


def test_long_videos_are_thinned_into_groups_of_neighbours():
    everything = list(range(1000, 4000))
    one = dict.fromkeys(range(4000), 0)
    chosen = chosen_frames(everything, one, None)
    assert 200 <= len(chosen) <= 270
    assert sum(b - a == 1 for a, b in itertools.pairwise(chosen)) > len(chosen) * 0.6
    assert chosen[0] == 1000 and chosen[-1] == 3999, "from one end to the other"
    assert chosen_frames(everything[:240], one, None) == everything[:240]
    assert chosen_frames(everything, one, 1) == everything
    assert chosen_frames(list(range(20)), one, 10) == [0, 1, 2, 10, 11, 12]
    assert chosen_frames([0, 1, 5, 9, 10], one, 4) == [0, 1, 10]


def test_every_shot_has_its_share():
    shots = {index: int(index >= 20) + int(index >= 900) for index in range(1000)}  # 20, 880 and 100 frames
    for every_nth in (None, 50):
        chosen = chosen_frames(range(1000), shots, every_nth)
        counts = [sum(shots[index] == number for index in chosen) for number in range(3)]
        assert all(count >= GROUP for count in counts), counts
        assert counts[1] > counts[2] > counts[0] or every_nth, counts
    groups = [own for _, own in itertools.groupby(chosen_frames(range(1000), shots, None), shots.get)]
    assert len(groups) == 3, "no group goes over a cut"


def test_more_shots_than_groups_are_spread_over():
    shots = {index: index // 5 for index in range(2000)}
    chosen = chosen_frames(range(2000), shots, None)
    assert len(chosen) == ENOUGH
    assert {index % 5 for index in chosen} == {1, 2, 3}, "the middle of each shot"
    assert chosen[0] < 5 and chosen[-1] >= 1995
    short = {index: index // 2 for index in range(2000)}  # shorter than a group
    assert len(chosen_frames(range(2000), short, None)) == ENOUGH // GROUP * 2


def test_shots_are_those_of_the_journal_and_else_of_the_tracks(tmp_path):
    faces = write_faces(tmp_path / "faces", write_video(tmp_path / "plate.mp4", DST), DST)
    assert set(shots_of(Faceset.open(faces)).values()) == {0}, "nothing is known of cuts"
    tracked = write_faces(tmp_path / "tracked", tmp_path / "plate.mp4", DST, tracks=lambda index: index // 6)
    assert list(shots_of(Faceset.open(tracked)).values()) == [0] * 6 + [1] * 6 + [2] * 2
    with Journal(tracked / "analysis.jsonl", {}) as journal:
        changes = [0.4 if index == 5 else 0.01 for index in range(FRAMES)]
        frames = [FrameFaces(change=change) for change in changes]
        times = [Fraction(index, 25) for index in range(FRAMES)]
        journal.add(list(range(FRAMES)), times, frames, FinderState(), FRAMES)
    assert list(shots_of(Faceset.open(tracked)).values()) == [0] * 5 + [1] * 9


def test_frames_that_all_renders_have():
    assert shared([(0, None), (5, 20), (3, 12)]) == (5, 12)
    assert shared([(0, None), (5, None)]) == (5, None)
    assert shared([(0, 4), (6, None)]) == (6, 6)
