import numpy as np
import pytest
from tracking_material import face, person

from konterfei.errors import NoFacesError
from konterfei.tracking.link import Track
from konterfei.tracking.people import describe, group, most_like

SAME = 0.42


def track(start, count, who, left=0.0, size=100.0):
    return Track(start, [face(left, 0, size, who if n % 4 == 0 else None) for n in range(count)])


def test_tracks_of_one_person_come_together_and_the_most_present_first():
    people = group([track(0, 10, 1), track(20, 30, 2), track(60, 5, 1), track(70, 12, 1)], SAME)
    assert [[len(t) for t in p.tracks] for p in people] == [[30], [10, 5, 12]]
    assert [p.num_frames for p in people] == [30, 27]


def test_who_is_seen_twice_at_once_is_two_people():
    people = group([track(0, 10, 1), track(5, 10, 1, left=400)], SAME)
    assert len(people) == 2


def test_profile_that_goes_on_near_by_needs_less_resemblance():
    first = Track(0, [face(0, 0, who=1)] * 10)
    halfway = person(1) * 0.3 + person(2) * np.sqrt(1 - 0.09)
    vector = (halfway / np.linalg.norm(halfway)).astype(np.float32)
    turned = face(5, 0, who=1)
    near = Track(12, [type(turned)(turned.points, None, 0.9, 1.0, vector)] * 5)
    far = Track(300, near.faces)
    assert len(group([first, near], SAME)) == 1 and len(group([first, far], SAME)) == 2


def test_tracks_without_embeddings_join_only_who_is_near():
    first = track(0, 10, 1)
    nameless = Track(11, [face(4, 0)] * 3)
    away = Track(11, [face(900, 0)] * 3)
    assert len(group([first, nameless], SAME)) == 1 and len(group([first, away], SAME)) == 2


def test_order_of_tracks_does_not_matter():
    tracks = [track(0, 10, 1), track(20, 30, 2), track(60, 5, 1), track(70, 12, 3)]
    one, other = group(tracks, SAME), group(tracks[::-1], SAME)
    assert [p.num_frames for p in one] == [p.num_frames for p in other]


def test_equal_presence_the_larger_face_first():
    people = group([track(0, 10, 1, size=50), track(0, 10, 2, left=300, size=150)], SAME)
    assert [round(p.size) for p in people] == [150, 50]


def test_most_like_takes_the_nearest_or_refuses_with_figures():
    people = group([track(0, 10, 1), track(20, 30, 2)], SAME)
    assert most_like(people, person(1), SAME, "a.mp4") == 1
    with pytest.raises(NoFacesError, match=r"a\.mp4.*0\.42 is needed.*0: 30 frames"):
        most_like(people, person(9), SAME, "a.mp4")


def test_description_is_short_even_in_a_crowd():
    people = group([track(0, 10, n, left=200 * n) for n in range(20)], SAME)
    text = describe(people, 40, chosen=[2])
    assert "2 (chosen): 10 frames (25 %)" in text and "and 12 more" in text


def test_people_known_before_keep_their_places_however_often_others_are_seen():
    known = group([track(0, 10, 1), track(0, 5, 2, left=400)], SAME)
    people = group([track(100, 50, 3), track(100, 30, 2, left=400), track(200, 60, 4)], SAME, known)
    assert [person.num_frames for person in people] == [10, 35, 60, 50]
    assert people[:2] == known
