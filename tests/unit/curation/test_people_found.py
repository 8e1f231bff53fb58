"""Finding and deciding, over sightings whose people are known."""

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn_faces import landmarks
from konterfei.curation.people import NEW, People
from konterfei.curation.people_file import to_text
from konterfei.curation.sightings import SAME_CLIP_FACTOR, quality
from konterfei.errors import ConfigError, UnknownNameError
from konterfei.geometry import Crop, Face, FaceType
from konterfei.io.face_record import FaceRecord
from konterfei.reporting import Silent
from konterfei.tracking.people import NEAR_FACTOR
from people_material import halfway, looks, seen, whose


def nobody():
    return People(0.55, 0.42)


def found(sightings, people=None):
    people = people or nobody()
    people.find(sightings, Silent())
    return people


def partition(people):
    groups = {}
    for digest, number in people.members.items():
        groups.setdefault(number, set()).add(digest)
    return groups


def state(people):
    return to_text(people, Path("/people"))


def story(*scenes):
    """Sightings of tracks (clip, who, first frame, number of frames)."""
    return seen(
        [
            (clip, who, frame, track)
            for track, (clip, who, begin, count) in enumerate(scenes)
            for frame in range(begin, begin + count)
        ]
    )


CAST = ((0, 1, 0, 9), (0, 2, 0, 7), (0, 1, 50, 3), (1, 2, 0, 4), (1, 3, 10, 5), (2, 1, 0, 2), (2, 3, 0, 2))


def test_the_most_seen_is_number_0_and_a_person_is_one_over_all_clips():
    people = found(story(*CAST))
    assert {n: {whose(d) for d in own} for n, own in partition(people).items()} == {0: {1}, 1: {2}, 2: {3}}
    assert [len(own) for _, own in sorted(partition(people).items())] == [14, 11, 7]


@given(st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter(shuffled: random.Random):
    faces = [(clip, who, frame, -1) for clip, who, begin, count in CAST for frame in range(begin, begin + count)]
    faces += [(0, 50 + n, 200 + n, -1, halfway(1, 2, 0.5 + n / 20)) for n in range(8)]
    order = list(faces)
    shuffled.shuffle(order)
    assert found(seen(order)).members == found(seen(faces)).members


def test_clips_that_come_later_change_no_number():
    first, then = story(*CAST[:4]), story(*CAST)
    people = found(first)
    before = dict(people.members)
    assert found(then, people) is people
    assert before.items() <= people.members.items()
    assert {n: {whose(d) for d in own} for n, own in partition(people).items()} == {0: {1}, 1: {2}, 2: {3}}
    assert people.find(then, Silent()) == 0 and people.next_number == 3


def test_a_track_is_one_person_though_single_faces_of_it_are_like_nobody():
    faces = [(0, 1, n, 0) for n in range(6)] + [(0, 1, 6 + n, 0, looks(40 + n, 0)) for n in range(2)]
    assert set(found(seen(faces)).members.values()) == {0}


def test_a_track_with_two_faces_in_a_frame_is_none():
    faces = [(0, who, n, 0) for n in range(4) for who in (1, 2)]
    assert {frozenset(map(whose, own)) for own in partition(found(seen(faces))).values()} == {
        frozenset({1}),
        frozenset({2}),
    }


def test_what_extract_took_for_one_person_needs_less_likeness_than_what_it_did_not():
    profile = halfway(1, 9, 0.45)
    sightings = seen([(0, 1, n, 0) for n in range(6)] + [(0, 1, 20 + n, 1, profile) for n in range(4)])
    assert len(partition(found(sightings))) == 2
    sightings.numbers[:] = 0
    assert len(partition(found(sightings))) == 1
    sightings.vectors[6:] = looks(9, 0)
    assert len(partition(found(sightings))) == 2  # but some it needs


def test_extract_and_people_agree_on_what_one_clip_allows():
    assert SAME_CLIP_FACTOR == NEAR_FACTOR


def test_new_faces_of_a_track_go_where_the_track_was_put():
    people = found(story((0, 1, 0, 5), (0, 2, 0, 5)))
    people.move([digest for digest in people.members if whose(digest) == 1], NEW)
    found(story((0, 1, 0, 9), (0, 2, 0, 5)), people)
    assert sorted(map(len, partition(people).values())) == [5, 9] and len(people.numbers) == 2


def test_faces_that_are_gone_leave_and_those_of_facesets_that_are_not_read_stay():
    people = found(story(*CAST))
    only = seen([(0, 2, n, 1) for n in range(3)], folders=("/clips/a",))
    people.find(only, Silent())
    assert {d for d in people.members if d.startswith("00")} == set(only.digests)
    assert sum(not d.startswith("00") for d in people.members) == 13


def test_who_is_known_from_clips_out_of_reach_is_recognised():
    people = found(story(*CAST))
    later = seen([(0, 3, n, 0) for n in range(4)], folders=("/clips/later",))
    assert people.find(later, Silent()) == 0 and {people.members[d] for d in later.digests} == {2}


def test_pairs_that_may_be_one_are_told_until_somebody_decides():
    alike = [(1, 9, n, 1, halfway(1, 9, 0.5)) for n in range(3)]
    sightings = seen([(0, 1, n, 0) for n in range(6)] + alike + [(0, 2, n, 2) for n in range(5)])
    people = found(sightings)
    assert [pair for _, *pair in people.suggestions(sightings)] == [[0, 2]]
    people.keep_apart("0", "2")
    assert people.suggestions(sightings) == []
    people.undo()
    assert len(people.suggestions(sightings)) == 1
    together = seen([(0, 1, n, 0) for n in range(6)] + [(0, 9, n, 1, halfway(1, 9, 0.5)) for n in range(3)])
    assert found(together).suggestions(together) == []  # both in one frame


def test_the_parts_of_a_person_are_not_suggested_to_be_one():
    sightings = story((0, 1, 0, 9), (1, 1, 0, 5))
    people = found(sightings)
    people.split("0", sightings, None, Silent())
    assert len(people.numbers) == 2 and people.suggestions(sightings) == []


def decide(people, sightings, kind, pick):
    """One decision of a kind, about whoever `pick` gives."""
    numbers = people.numbers
    one, other = (str(numbers[pick(len(numbers))]) for _ in range(2))
    faces = sorted(people.members)
    if kind == "name":
        people.name(one, ["", "anna", "Jean-Luc", "stunt 2"][pick(4)])
    elif kind == "merge":
        people.merge([one, other])
    elif kind == "split":
        people.split(one, sightings, None, Silent())
    elif kind == "move":
        people.move([faces[pick(len(faces))] for _ in range(3)], [one, NEW][pick(2)])
    else:
        people.keep_apart(one, other)
    people.portray(sightings)


@given(st.lists(st.sampled_from(["name", "merge", "split", "move", "apart"]), max_size=6), st.data())
def test_undo_is_exact_step_by_step(kinds, data):
    sightings = story(*CAST)
    people = found(sightings)
    states = [state(people)]
    for kind in kinds:
        try:
            decide(people, sightings, kind, lambda count: data.draw(st.integers(0, count - 1)))
        except ConfigError:
            assert state(people) == states[-1]  # what is refused changes nothing
            continue
        if state(people) != states[-1]:
            states.append(state(people))
    assert len(people.decisions) == len(states) - 1
    for before in states[-2::-1]:
        people.undo()
        people.portray(sightings)
        assert state(people) == before
    with pytest.raises(ConfigError, match="nothing to undo"):
        people.undo()


@given(st.lists(st.sampled_from(["name", "merge", "split", "move", "apart"]), max_size=5), st.data())
def test_decisions_survive_clips_that_are_added(kinds, data):
    early = story(*CAST[:4])
    people = found(early)
    for kind in kinds:
        try:
            decide(people, early, kind, lambda count: data.draw(st.integers(0, count - 1)))
        except ConfigError:
            continue
    members, names, decisions = dict(people.members), dict(people.names), list(people.decisions)
    found(story(*CAST), people)
    assert members.items() <= people.members.items()
    assert people.names == names and people.decisions == decisions


def test_undo_after_a_clip_was_added_sends_its_faces_back_where_they_came_from():
    early, late = story((0, 1, 0, 9), (1, 1, 0, 5)), story((0, 1, 0, 9), (1, 1, 0, 8))
    people = found(early)
    people.split("0", early, None, Silent())
    people.find(late, Silent())
    assert sorted(map(len, partition(people).values())) == [8, 9]
    people.undo()
    assert set(people.members.values()) == {0} and len(people.members) == 17


def test_a_merge_keeps_the_first_number_and_a_name():
    people = found(story(*CAST))
    people.name("1", "bert")
    people.merge(["2", "bert"])
    assert people.names == {2: "bert"} and people.numbers == [0, 2] and len(partition(people)[2]) == 18
    people.find(story(*CAST), Silent())
    assert people.numbers == [0, 2]


def test_who_is_named_stays_though_all_faces_are_gone():
    people = found(story(*CAST))
    people.name("2", "carla")
    people.find(story(*[scene for scene in CAST if scene[1] != 3]), Silent())
    assert people.faces_of(2) == [] and people.names == {2: "carla"}
    people.find(story(*CAST), Silent())
    assert len(people.faces_of(2)) == 7 and len(people.numbers) == 3


def test_a_face_that_comes_back_is_whose_it_was_decided_to_be():
    whole = story(*CAST)
    people = found(whole)
    face = min(people.faces_of(0))
    people.move([face], "2")
    people.find(seen([(0, 2, n, 1) for n in range(7)], folders=("/clips/a",)), Silent())
    assert face not in people.members
    people.find(whole, Silent())
    assert people.members[face] == 2 and len(people.members) == len(whole)


def test_the_only_face_of_somebody_comes_back_to_them_and_to_whoever_they_became():
    whole = story(*CAST)
    people = found(whole)

    def set_aside(face):
        del people.members[face], people.clip_of[face]

    alone, other = sorted(people.faces_of(0))[:2]
    new = people.move([alone], "new")
    set_aside(alone)
    assert new not in people.numbers
    people.find(whole, Silent())
    assert people.faces_of(new) == [alone]
    people.move([other], str(new))
    set_aside(other)
    people.merge(["2", str(new)])
    people.find(whole, Silent())
    assert people.members[other] == people.members[alone] == 2


def test_dissolving_leaves_those_alone_about_whom_something_was_decided():
    sightings = story(*CAST)
    people = found(sightings)
    people.name("1", "bert")
    people.dissolve()
    assert set(people.members.values()) == {1}
    found(sightings, people)
    assert people.numbers == [1, 3, 4] and len(people.members) == len(sightings)


def test_forgetting_leaves_no_trace():
    people = found(story(*CAST))
    people.name("1", "bert")
    people.merge(["0", "1"])
    people.name("2", "carla")
    people.forget([0, 1])
    text = state(people)
    assert "bert" not in text and "carla" in text and people.numbers == [2] and list(people.portraits) == [2]
    assert [decision.kind for decision in people.decisions] == ["name"]


@pytest.mark.parametrize("name", ["7", "-anna", "a/b", "..", "anna=", "a,b", "x" * 61, "anna ", "anna."])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ConfigError, match="is no name"):
        found(story(*CAST)).name("0", name)


def test_refusals_say_what_to_do():
    people = found(story(*CAST))
    people.name("0", "anna")
    with pytest.raises(ConfigError, match=r"anna \(0\) has that name.*--merge 0,1"):
        people.name("1", "Anna")
    with pytest.raises(UnknownNameError, match=r"no person named 'ana'\. Did you mean anna"):
        people.name("ana", "x")
    with pytest.raises(ConfigError, match="two or more"):
        people.merge(["anna", "0"])
    with pytest.raises(ConfigError, match="two people"):
        people.keep_apart("anna", "0")
    with pytest.raises(ConfigError, match="3 parts cannot be made"):
        people.split("anna", seen([(0, 1, 0, 0), (0, 1, 50, 2)]), 3, Silent())


def test_a_face_counts_less_when_small_hidden_or_turned_away():
    def worth(height=100.0, presence=1.0, yaw=0.0):
        face = Face(box=np.array([0, 0, 80, height]), landmarks=landmarks(0), presence=presence)
        crop = Crop.fit(landmarks(0), FaceType.WHOLE, 64)
        return quality(
            FaceRecord(source="a", frame_index=0, pts=0, face=face, pose=(0.0, yaw, 0.0), face_type=FaceType.WHOLE,
                       size=64, crop_from_frame=crop.crop_from_frame.matrix, frame_size=(9, 9))
        )  # fmt: skip

    assert worth() == 1 and worth(height=32) == 0.5 and worth(presence=0.5) == 0.25
    assert 0.4 < worth(yaw=1.1) < 0.5 and worth(yaw=1.7) == 0.02
