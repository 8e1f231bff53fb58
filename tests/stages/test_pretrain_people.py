"""Who is in facesets of many people, and who is held out: nobody is ever on both sides."""

import shutil

import numpy as np
import pytest

from crowd_material import crowd, numbers
from konterfei.errors import ConfigError
from konterfei.io.faceset import Faceset
from konterfei.io.run import Run
from konterfei.reporting import Recorder
from konterfei.stages import _pretrain_people
from konterfei.stages._pretrain_people import ALIKE, MOST, hold_out, roster_of
from konterfei.stages._pretrain_run import held_out_of


def roster(*folders):
    return roster_of([Faceset.open(folder) for folder in folders], Recorder())


def near(person, cosine):
    """Numbers of somebody as alike to a person as that. [192] float32"""
    own = numbers(person).astype(np.float64)
    other = numbers(person, seed=5).astype(np.float64)
    other -= (other @ own) * own
    return (cosine * own + (1 - cosine**2) ** 0.5 * other / np.linalg.norm(other)).astype(np.float32)


def test_a_person_is_who_comes_from_one_source(tmp_path):
    known = roster(crowd(tmp_path / "a", range(4), 3), crowd(tmp_path / "b", range(10, 13), 2))
    assert len(set(known.people[0].values())) == 4 and len(set(known.people[1].values())) == 3
    assert not set(known.people[0].values()) & set(known.people[1].values())
    assert len(set(known.sides)) == 7
    for name, vector in known.who[0].items():
        person = int(Faceset.open(tmp_path / "a").records()[[r.name for r in Faceset.open(tmp_path / "a").records()]
                     .index(name)].source.split(".")[0])  # fmt: skip
        np.testing.assert_allclose(vector, numbers(person), atol=1e-5)


def test_tracks_of_one_source_are_people_of_their_own_on_one_side(tmp_path):
    known = roster(crowd(tmp_path / "a", range(4), 2, sources=False, track=lambda person: person))
    assert len(set(known.people[0].values())) == 4
    assert len(set(known.sides)) == 1


@pytest.mark.parametrize(
    ("cosine", "name", "sides"),
    [(ALIKE + 0.03, 4, 1), (ALIKE - 0.05, 4, 2), (ALIKE - 0.05, 3, 1), (0.3, 3, 2)],
)
def test_who_looks_alike_is_kept_on_one_side_over_facesets(tmp_path, cosine, name, sides):
    known = roster(crowd(tmp_path / "a", [3]), crowd(tmp_path / "b", [name], told=lambda person: near(3, cosine)))
    assert len(set(known.sides)) == sides
    assert len(set([*known.people[0].values(), *known.people[1].values()])) == 2


def test_sides_are_the_same_in_whatever_blocks_people_are_compared(tmp_path, monkeypatch):
    chain = [near(13, np.cos(np.radians(40 * step))) for step in range(5)]  # only neighbours are alike
    told = [chain[3], numbers(15), chain[1], chain[4], numbers(16), chain[2]]
    one, two = tmp_path / "a", tmp_path / "b"
    folders = crowd(one, range(10, 22)), crowd(two, range(40, 46), told=lambda person: told[person - 40])
    whole = roster(*folders).sides
    assert len(set(whole[[3, 12, 14, 15, 17]])) == 1 and len(set(whole)) == 12
    monkeypatch.setattr(_pretrain_people, "_PAIRS", 36)  # two people at a time
    assert (roster(*folders).sides == whole).all()


def test_a_face_that_is_not_its_persons_keeps_its_own_numbers(tmp_path):
    told = iter([numbers(1), numbers(1), numbers(1), numbers(2)])
    known = roster(crowd(tmp_path / "a", [0], 4, told=lambda person: next(told)))
    vectors = list(known.who[0].values())
    assert vectors[0] @ vectors[1] > 0.99
    np.testing.assert_allclose(vectors[3], numbers(2), atol=1e-5)


def test_faces_without_numbers_are_given_some_and_it_is_told(tmp_path):
    crowd(tmp_path / "a", range(2), 2, told=lambda person: None)
    reporter = Recorder()
    known = roster_of([Faceset.open(tmp_path / "a")], reporter)
    assert all(vector.shape == (192,) for vector in known.who[0].values())
    assert np.linalg.norm(next(iter(known.who[0].values()))) == pytest.approx(1, abs=1e-5)
    assert any("looking who is in 'a'" in task for task in reporter.tasks)


def test_a_share_of_the_people_of_each_faceset_is_held_out_wholly(tmp_path):
    known = roster(crowd(tmp_path / "a", range(20), 2), crowd(tmp_path / "b", range(30, 40), 3))
    names = hold_out(known, 0.2, seed=1)
    assert [len(some) for some in names] == [8, 6]
    for number, some in enumerate(names):
        people = known.people[number]
        held = {people[name] for name in some}
        assert {name for name, person in people.items() if person in held} == set(some)
    assert hold_out(known, 0.2, seed=1) == names != hold_out(known, 0.2, seed=2)


def test_look_alikes_of_who_is_held_out_are_not_trained_on(tmp_path):
    alike = lambda person: near(person, 0.9)  # noqa: E731
    known = roster(crowd(tmp_path / "a", range(10)), crowd(tmp_path / "b", range(10), told=alike))
    names = hold_out(known, 0.3, seed=4)
    held = {known.side(number, name) for number in (0, 1) for name in names[number]}
    for number in (0, 1):
        left = set(known.people[number]) - set(names[number])
        assert not {known.side(number, name) for name in left} & held
    assert len(names[0]) == len(names[1])


def test_whole_facesets_are_held_out_and_whoever_is_in_them(tmp_path):
    known = roster(crowd(tmp_path / "a", range(6)), crowd(tmp_path / "held", [2, 8]))
    names = hold_out(known, 0.5, 1, whole=[1])
    assert len(names[1]) == 4
    people = known.people[0]
    assert {people[name] for name in names[0]} == {sorted(people.values())[4]}, "person 2, in both"


def test_never_more_than_so_many(tmp_path):
    known = roster(crowd(tmp_path / "a", range(3 * MOST), 1))
    assert len(hold_out(known, 0.5, 1)[0]) == MOST


def test_too_few_people_are_refused_with_the_remedy(tmp_path):
    known = roster(crowd(tmp_path / "a", range(3)))
    with pytest.raises(ConfigError, match="It takes two people who are held out"):
        hold_out(known, 0.1, 1)
    with pytest.raises(ConfigError, match="0 faces left to learn from"):
        hold_out(known, 0.1, 1, whole=[0])


# --- in a run that goes on


def run_of(folder, known, names):
    """A run that began with these facesets and held these faces out."""
    facesets = [{"faces": str(faceset.folder), "hash": faceset.content_hash()} for faceset in known.facesets]
    held = {str(faceset.folder): some for faceset, some in zip(known.facesets, names, strict=True)}
    return Run(folder, {"facesets": facesets, "held_out": held})


def sources(folder, names):
    return {record.source for record in Faceset.open(folder).records() if record.name in names}


@pytest.mark.parametrize("now", ["moved", "seen from elsewhere"])
def test_who_is_held_out_stays_so_when_a_faceset_has_another_path(tmp_path, now, monkeypatch):
    folders = crowd(tmp_path / "a", range(8), 2), crowd(tmp_path / "b", range(20, 28), 2)
    known = roster(*folders)
    names = hold_out(known, 0.25, seed=1)
    run = run_of(tmp_path / "run", known, names)
    if now == "moved":
        folders = shutil.move(folders[0], tmp_path / "c"), folders[1]
    else:
        monkeypatch.chdir(folders[0])
        folders = "../a", "../b"
    told = Recorder()
    assert held_out_of(run, roster(*folders), 2, told) == names and all(names)
    assert told.warnings == []


def test_faces_that_come_later_to_a_faceset_that_is_held_out_are_held_out_too(tmp_path):
    folders = crowd(tmp_path / "a", range(6)), crowd(tmp_path / "held", [10, 11])
    known = roster(*folders)
    run = run_of(tmp_path / "run", known, hold_out(known, 0.5, 1, whole=[1]))
    crowd(folders[1], [12])
    more = *folders, crowd(tmp_path / "asked later", [3, 13])
    names = held_out_of(run, roster(*more), 1, Recorder())
    assert [sources(folder, some) for folder, some in zip(more, names, strict=True)] == [
        {"3.mp4"}, {"10.mp4", "11.mp4", "12.mp4"}, {"3.mp4", "13.mp4"},
    ]  # fmt: skip


def test_a_faceset_that_is_gone_is_said_and_without_anybody_to_measure_by_nothing_is_learned(tmp_path):
    folders = crowd(tmp_path / "a", range(8)), crowd(tmp_path / "b", range(20, 28))
    known = roster(*folders)
    names = hold_out(known, 0.25, seed=1)
    run, told = run_of(tmp_path / "run", known, names), Recorder()
    assert held_out_of(run, roster(folders[1]), 1, told) == names[1:]
    assert len(told.warnings) == 1 and f"'{folders[0]}'" in told.warnings[0]
    with pytest.raises(ConfigError, match=r"0 people would be held out.*that '.*run' began with"):
        held_out_of(run, roster(crowd(tmp_path / "c", range(40, 45))), 1, told)
