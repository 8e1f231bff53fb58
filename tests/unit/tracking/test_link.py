import numpy as np
from tracking_material import face, frames, person

from konterfei.tracking.link import link


def spans(tracks):
    return [(track.start, len(track)) for track in tracks]


def test_one_face_moving_is_one_track():
    tracks = link(frames(*[[face(10 + 8 * n, 20)] for n in range(20)]), [])
    assert spans(tracks) == [(0, 20)]
    assert [round(found.box[0]) for found in tracks[0].faces] == [10 + 8 * n for n in range(20)]


def test_faces_listed_in_any_order_keep_their_tracks():
    rows = [[face(0, 0), face(300, 0)] if n % 2 else [face(300, 0), face(0, 0)] for n in range(10)]
    tracks = link(frames(*rows), [])
    assert spans(tracks) == [(0, 10), (0, 10)]
    for track in tracks:
        assert np.ptp([found.box[0] for found in track.faces]) == 0


def test_people_who_pass_one_another_are_not_exchanged():
    rows = [[face(20 * n, 0, who=1), face(400 - 20 * n, 40, who=2)] for n in range(20)]
    tracks = link(frames(*rows), [])
    assert spans(tracks) == [(0, 20), (0, 20)]
    for track in tracks:
        cosines = [float(found.embedding @ track.faces[0].embedding) for found in track.faces]
        assert min(cosines) > 0.99


def test_gap_and_cut_end_a_track():
    rows = [[face(0, 0)]] * 5 + [[]] + [[face(0, 0)]] * 5
    assert spans(link(frames(*rows), [])) == [(0, 5), (6, 5)]
    assert spans(link(frames(*[[face(0, 0)]] * 10), [4])) == [(0, 4), (4, 6)]


def test_fast_but_steady_motion_is_followed_by_prediction():
    rows = [[face(35 * n + 10 * n * (n > 3), 0)] for n in range(12)]
    assert len(link(frames(*rows), [])) == 1


def test_another_place_is_another_track():
    assert spans(link(frames([face(0, 0)], [face(500, 0)]), [])) == [(0, 1), (1, 1)]


def test_stranger_in_the_same_place_is_parted_at_the_jump():
    rows = [[face(0, 0, who=1 if n == 0 else None)] for n in range(5)]
    rows += [[face(6, 5, who=2 if n == 4 else None)] for n in range(5)]
    assert spans(link(frames(*rows), [])) == [(0, 5), (5, 5)]


def test_unreliable_embeddings_part_nothing():
    rows = [[face(0, 0, who=n, presence=0.4)] for n in range(6)]
    assert spans(link(frames(*rows), [])) == [(0, 6)]
    rows = [[face(0, 0, size=20, who=n)] for n in range(6)]
    assert spans(link(frames(*rows), [])) == [(0, 6)]


def test_embedding_of_a_track_is_a_unit_mean_of_reliable_ones():
    rows = [[face(0, 0, who=1)], [face(0, 0, who=7, presence=0.2)], [face(0, 0)]]
    (track,) = link(frames(*rows), [])
    assert np.allclose(track.embedding(), person(1), atol=1e-6)
    (track,) = link(frames([face(0, 0)]), [])
    assert track.embedding() is None


def test_nothing_gives_nothing():
    assert link([], []) == [] and link(frames([], []), []) == []
