import numpy as np
import pytest

from drawn_faces import ANNA, BERT
from drawn_vision import DrawnDetector, DrawnLandmarker, DrawnRecognizer, empty, scene, two_people, where
from konterfei.tracking.finder import (
    FLOOR_SCORE,
    Finder,
    FinderSettings,
    FinderState,
    state_from_json,
    state_to_json,
)


class Counting:
    """Notes how often, and for how many faces, a member of a family is asked."""

    def __init__(self, inner, method):
        self.calls, self.items, self._inner, self._method = 0, 0, inner, method
        setattr(self, method, self._ask)

    def _ask(self, image, *rest):
        self.calls += 1
        self.items += len(rest[0]) if rest else 1
        return getattr(self._inner, self._method)(image, *rest)

    def __getattr__(self, name):
        return getattr(self._inner, name)


@pytest.fixture
def parts():
    return (
        Counting(DrawnDetector(threshold=FLOOR_SCORE), "detect"),
        Counting(DrawnLandmarker(), "landmarks"),
        Counting(DrawnRecognizer(), "embed"),
    )


def finder(parts, **settings):
    return Finder(*parts, FinderSettings(threshold=0.7, **settings))


def counts(frames):
    return [len(frame.faces) for frame in frames]


def test_every_frame_has_its_face(parts):
    frames, _ = finder(parts).find(scene(30), FinderState())
    assert counts(frames) == [1] * 30
    for index, frame in enumerate(frames):
        assert np.abs(frame.faces[0].points - where(index, 30)).max() < 2


def test_detector_looks_seldom_and_the_landmarker_once_a_frame(parts):
    finder(parts).find(scene(64), FinderState())
    first, last, around, regular = 4, 4, 8, 64 // 8
    assert parts[0].calls <= first + last + around + regular
    assert parts[1].items <= 64 + 2


def test_embedding_now_and_then(parts):
    frames, _ = finder(parts).find(scene(32), FinderState())
    measured = [n for n, frame in enumerate(frames) if frame.faces[0].embedding is not None]
    assert measured == [0, 7, 15, 23, 31]


def test_looking_at_every_frame_finds_the_same(parts):
    seldom, _ = finder(parts).find(two_people(20, gone_from=9), FinderState())
    always, _ = finder(parts, detect_every=1).find(two_people(20, gone_from=9), FinderState())
    assert counts(seldom) == counts(always) == [2] * 9 + [1] * 11


@pytest.mark.parametrize("begin", [1, 5, 8, 12, 19])
def test_face_is_known_from_its_first_frame(parts, begin):
    frames, _ = finder(parts).find([*empty(begin), *scene(20 - begin, total=40)], FinderState())
    assert counts(frames) == [0] * begin + [1] * (20 - begin)


def test_second_face_is_known_from_its_first_frame_too(parts):
    frames, _ = finder(parts).find(two_people(20, gone_from=9)[::-1], FinderState())
    assert counts(frames) == [1] * 11 + [2] * 9


def test_blocks_give_what_one_long_block_gives(parts):
    clip = [*scene(37), *empty(9), *scene(34)]
    state, pieces = FinderState(), []
    for begin in range(0, len(clip), 16):
        frames, state = finder(parts).find(clip[begin : begin + 16], state)
        pieces += frames
        state = state_from_json(state_to_json(state))  # as a resumed run has it
    assert counts(pieces) == [1] * 37 + [0] * 9 + [1] * 34


def test_is_pure(parts):
    clip, state = two_people(20, gone_from=9), FinderState()
    one, other = finder(parts).find(clip, state), finder(parts).find(clip, state)
    assert counts(one[0]) == counts(other[0]) and one[1].lanes == other[1].lanes
    for a, b in zip(one[0], other[0], strict=True):
        assert all(np.array_equal(x.points, y.points) for x, y in zip(a.faces, b.faces, strict=True))


def test_face_upside_down_is_found(parts):
    """The drawn detector scores it low as it stands, as real ones label it wrongly; turned looks find it upright."""
    clip = [np.ascontiguousarray(np.rot90(image, 2)) for image in scene(10)]
    frames, _ = finder(parts).find(clip, FinderState())
    assert counts(frames) == [1] * 10 and frames[0].faces[0].score > 0.9


def test_small_faces_are_left_alone_when_asked(parts):
    frames, _ = finder(parts, smallest=200).find(scene(10), FinderState())
    assert counts(frames) == [0] * 10
    assert frames[0].best_score > 0.9, "what was seen is still told"


def test_nobody_costs_a_bounded_number_of_looks(parts):
    finder(parts).find(empty(64), FinderState())
    assert parts[0].calls <= 2 * (4 + 2) + 5 * 8 and parts[1].items == 0


def test_cut_ends_what_was_followed_and_is_looked_at_at_once(parts):
    other = [np.where(image == 60, np.uint8(230), image) for image in scene(10, BERT)]
    frames, _ = finder(parts).find([*scene(12, ANNA), *other], FinderState())
    assert counts(frames) == [1] * 22
    assert frames[12].change > 0.1 and frames[12].faces[0].embedding is not None


def test_state_survives_its_json():
    assert state_from_json(state_to_json(FinderState())) == FinderState()


def test_face_that_others_come_and_go_beside_is_not_embedded_at_every_look(parts):
    """A second face that comes and goes brings a look at almost every frame."""
    both, alone = two_people(24, gone_from=24), two_people(24, gone_from=0)
    clip = [both[n] if n // 2 % 2 else alone[n] for n in range(24)]
    frames, _ = finder(parts).find(clip, FinderState())
    stays = [min(frame.faces, key=lambda face: abs(face.points - frames[0].faces[0].points).mean()) for frame in frames]
    looks = sum(frame.best_score is not None for frame in frames)
    assert looks >= 6 and sum(face.embedding is not None for face in stays) <= 4
