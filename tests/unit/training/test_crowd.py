"""Samples of many people: whose turn it is, who is said to be seen, what repeats."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from crowd_material import crowd, numbers
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.reporting import Silent
from konterfei.training.crowd import CrowdSampler, crowd_of, on_both_sides, some_of_each, together
from konterfei.training.data import batches, load_faces
from konterfei.training.hardships import NONE
from konterfei.training.objectives import Objectives
from konterfei.training.presets import GENTLE
from konterfei.training.samples import stretched

SIDE = 32
COUNTS = {0: 1, 1: 1, 2: 9, 3: 1, 4: 16}
"""Faces of each person, in two facesets."""


def loaded(folder, people, with_parts=False):
    faceset = Faceset.open(folder)
    records = faceset.records()
    faces = load_faces(faceset, FaceType.FULL, SIDE, 1 << 30, Silent(), folder.name, with_parts)
    who = {record.name: record.face.embedding for record in records}
    person = {record.name: int(record.source.split(".")[0]) for record in records}
    assert set(person.values()) == set(people)
    return crowd_of(faces, who, person)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("crowd"), []
    for name, people in (("one", (0, 1, 2)), ("two", (3, 4))):
        for person in people:
            crowd(folder / name, [person], COUNTS[person])
        found.append(loaded(folder / name, people))
    return tuple(found)


@pytest.fixture
def sampler(parts):
    return CrowdSampler(
        src=parts[0], dst=parts[1], resolution=SIDE, batch=4, seed=1, augment=GENTLE, crowd=parts, disguise=0.5
    )


def test_faces_come_with_their_landmarks_and_their_people(parts):
    one, two = parts
    assert [len(faces) for faces in parts] == [11, 17]
    assert len(one.names) == 11 and one.pixels.shape == (11, 48, 48, 4)
    np.testing.assert_array_equal(one.who[one.people == 1][0], numbers(1))
    for faces in parts:
        for at, mask in zip(faces.landmarks, faces.pixels[..., 3], strict=True):
            middle = np.round(at[27:36].mean(axis=0)).astype(int)
            assert mask[middle[1], middle[0]] > 200, "the nose is within the face"
    both = together(parts)
    assert len(both) == 28 and both.names == one.names + two.names


def test_a_batch_is_of_the_right_form(sampler):
    raw = sampler.batch_at(3)
    assert raw.warped.shape == raw.target.shape == (8, SIDE, SIDE, 3)
    assert raw.mask.shape == (8, SIDE, SIDE) and raw.parts is None
    assert raw.who.shape == (8, 2, 192) and raw.who.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(raw.who, axis=2), 1, atol=1e-5)


def test_eyes_and_mouth_travel_with_the_picture(tmp_path, sampler):
    for person in (0, 1, 2):
        crowd(tmp_path / "parts", [person], COUNTS[person])
    faces = loaded(tmp_path / "parts", (0, 1, 2), with_parts=True)
    assert faces.some(np.array([2, 0])).parts.shape == (2, 48, 48)
    assert together([faces, faces]).parts.shape == (22, 48, 48)
    shown = replace(faces, pixels=np.repeat(faces.parts[..., None], 4, -1))
    ours = replace(sampler, crowd=(shown,), disguise=0.0, hardships=NONE)
    raw = ours.batch_at(1)
    assert raw.parts.shape == (8, SIDE, SIDE)
    for picture, mask in zip(raw.target[..., 0], raw.parts, strict=True):
        np.testing.assert_array_equal(stretched(picture), mask)


def test_the_same_seed_and_step_give_the_same_batch_in_any_order(sampler):
    there = [sampler.batch_at(step) for step in range(6)]
    again = replace(sampler)
    for step in (5, 0, 3):
        for name in ("warped", "target", "mask", "who"):
            np.testing.assert_array_equal(getattr(there[step], name), getattr(again.batch_at(step), name))
    other = replace(sampler, seed=2).batch_at(0)
    assert (other.warped != there[0].warped).any()
    salted = sampler.salted(1, Objectives(flip_src=True)).batch_at(0)
    assert (salted.warped != there[0].warped).any()


def test_a_thread_gives_the_same_batches_from_any_step_on(sampler):
    source = batches(sampler, 4)
    try:
        for step in (4, 5):
            np.testing.assert_array_equal(next(source).target, replace(sampler).batch_at(step).target)
    finally:
        source.close()


def test_parts_of_a_batch_are_those_of_the_whole(sampler):
    whole = sampler.batch_at(2)
    for number in (0, 1):
        part = replace(sampler, part=(number, 2)).batch_at(2)
        rows = [*range(2 * number, 2 * number + 2), *range(4 + 2 * number, 6 + 2 * number)]
        np.testing.assert_array_equal(part.warped, whole.warped[rows])
        np.testing.assert_array_equal(part.who, whole.who[rows])


def person_of(who):
    return next(person for person in COUNTS if np.allclose(who, numbers(person), atol=1e-6))


def test_people_are_dealt_by_the_root_of_their_faces(sampler):
    dealt = Counter()
    for position in range(4 * 40 * 10):  # 10 slots: 1 + 1 + 3 + 1 + 4
        if position % 4 != 3:
            dealt[person_of(sampler._numbers[sampler._dealt(position)])] += 1
    assert dealt == {person: 120 * round(count**0.5) for person, count in COUNTS.items()}


def test_all_faces_of_a_person_have_their_turn(sampler):
    members = set(sampler._people[4].tolist())
    seen = [sampler._dealt(position) for position in range(4 * 60)]
    assert members <= set(seen)


def test_heads_that_turn_come_more_often_than_they_are(parts):
    ahead = [replace(faces, yaws=np.where(np.arange(len(faces)) == 0, 0.9, 0.01)) for faces in parts]
    sampler = CrowdSampler(src=parts[0], dst=parts[1], resolution=SIDE, batch=4, seed=1, augment=GENTLE,
                           crowd=tuple(ahead))  # fmt: skip
    turned = {0, len(parts[0])}
    dealt = [sampler._dealt(position) in turned for position in range(3, 4000, 4)]
    assert np.mean(dealt) == pytest.approx(0.5, abs=0.02), "two bins of yaw"


def test_it_is_said_who_is_to_be_drawn_and_at_times_somebody_else_besides(sampler):
    plain = sampler.batch_at(0).who
    np.testing.assert_array_equal(plain[:, 0], plain[:, 1])
    seconds = replace(sampler, has_seconds=True)
    who = np.concatenate([seconds.batch_at(step).who for step in range(60)])
    same = np.mean([np.array_equal(first, second) for first, second in who])
    assert 0.5 < same < 0.8, "half, and whom chance makes the same of five"
    assert {person_of(second) for _, second in who} == set(COUNTS)


def test_targets_are_never_in_disguise_and_masks_stay(sampler):
    class Open:
        """No disguise, by the same chance."""

        def of(self, face, *others):
            return face

    plain = replace(sampler, disguise=0.0, hardships=NONE)
    hidden, shown = (replace(sampler, disguise=1.0, hardships=NONE) for _ in range(2))
    vars(shown)["_disguise"] = Open()
    for step in range(3):
        one, other = shown.batch_at(step), hidden.batch_at(step)
        for name in ("target", "mask", "who"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert (one.warped != other.warped).any()
    rng = np.random.RandomState(1)
    changed = [np.abs(x.warped.astype(int) - x.target).mean() for x in (
        replace(s, objectives=Objectives(random_warp=False)).batch_at(1) for s in (plain, hidden))]  # fmt: skip
    assert changed[0] == 0 and changed[1] > 0.3
    assert all(0 <= hidden._like(index, rng) < 28 for index in range(28))


def test_without_bending_what_is_seen_is_what_is_drawn(sampler):
    straight = replace(sampler, objectives=Objectives(random_warp=False), disguise=0.0, hardships=NONE).batch_at(1)
    np.testing.assert_array_equal(straight.warped, straight.target)


def test_its_words_and_its_loss_are_of_one_crowd(sampler):
    assert sampler.text == "28 faces of 5 people"
    assert sampler.named(1.0, 2.0) == {"loss": 1.5}


def test_a_preview_has_one_face_of_each_person(parts):
    src, dst = on_both_sides(together(parts))
    assert src.people.tolist() == [0, 2, 4] and dst.people.tolist() == [1, 3]
    np.testing.assert_array_equal(dst.who[0], numbers(1))


def test_some_stand_for_all_one_of_each_before_a_second_of_one():
    people = np.repeat([5, 9, 2, 7], [1, 4, 2, 1])
    assert some_of_each(people, 4).tolist() == [0, 1, 5, 7]
    assert some_of_each(people, 6).tolist() == [0, 1, 2, 5, 6, 7]
    assert some_of_each(people, 8).tolist() == some_of_each(people, 50).tolist() == list(range(8))
    assert some_of_each(np.arange(9), 3).tolist() == [0, 4, 8], "of many people some from everywhere"
