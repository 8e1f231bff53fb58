"""What is set aside costs no pose and no expression, never more than allowed, and each face for one reason."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.curation.selection import DOUBLES, LAST, choose, kinds_of
from konterfei.curation.study import study
from konterfei.curation.suspicion import suspicions
from konterfei.curation.traits import traits_of
from konterfei.io.faceset import Faceset
from konterfei.reporting import Silent
from posed_faces import Posed, faceset


@pytest.fixture(scope="module")
def traits(tmp_path_factory):
    faces = [Posed(yaw=18 * (n % 6) - 45, mouth=9 * (n // 6 % 3), shift=(n % 7, 0)) for n in range(60)]
    return traits_of(Faceset.open(faceset(tmp_path_factory.mktemp("many") / "faces", faces)), Silent())


def test_kinds_are_told_by_pose_and_mouth(traits):
    kinds = kinds_of(traits)
    assert len(set(kinds)) >= 10
    assert kinds[0] == kinds[18] and kinds[0] != kinds[1] and kinds[0] != kinds[6]


@given(seed=st.integers(0, 9999), most=st.floats(0.05, 1), keep=st.integers(0, 3))
def test_no_kind_loses_its_last_faces_and_no_more_go_than_may(traits, seed, most, keep):
    rng = np.random.default_rng(seed)
    bad = replace(
        traits,
        sharpness=np.where(rng.random(60) < 0.4, 0.01, 0.5),
        occlusion=np.where(rng.random(60) < 0.4, 0.9, 0.0),
        misfits=np.where(rng.random(60) < 0.4, 0.9, 0.0),
    )
    judged = study(bad)
    choice = choose(bad, dict(judged.found), judged.groups, keep=keep, most=most)
    gone = [row for rows in choice.aside.values() for row in rows]
    assert len(gone) == len(set(gone)) == choice.count <= most * 60
    kinds = kinds_of(bad)
    for kind in set(kinds):
        before = int((kinds == kind).sum())
        assert int(np.delete(kinds, gone).tolist().count(kind)) >= min(before, LAST)
    assert not set(gone) & {*choice.kept_last, *choice.over}
    assert DOUBLES not in choice.aside or keep
    for group in judged.groups:  # doubles go only where one that shows the same stays
        if set(group.rows) & set(choice.aside.get(DOUBLES, ())):
            assert len(set(group.rows) - set(gone)) >= keep


def test_another_person_goes_even_as_the_last_of_a_pose(traits):
    embeddings = np.tile(np.eye(8, dtype=np.float32)[0], (60, 1))
    embeddings[5] = np.eye(8)[1]
    yaw = traits.yaw.copy()
    yaw[5] = 80.0
    found = suspicions(replace(traits, embeddings=embeddings, yaw=yaw))
    assert choose(replace(traits, yaw=yaw), found, []).aside == {"other_person": (5,)}
    blurred = replace(traits, yaw=yaw, sharpness=np.where(np.arange(60) == 5, 0.01, 0.5))
    choice = choose(blurred, suspicions(blurred), [])
    assert choice.aside == {} and choice.kept_last == (5,)
    assert choose(blurred, suspicions(blurred), [], spared=["blurred"]).kept_last == ()


def test_the_gravest_reason_comes_first_where_not_all_may_go(traits):
    bad = replace(
        traits,
        misfits=np.where(np.arange(60) < 4, 0.9, 0.0),
        sharpness=np.where((np.arange(60) >= 4) & (np.arange(60) < 10), 0.01, 0.5),
    )
    choice = choose(bad, suspicions(bad), [], most=0.1)
    assert len(choice.aside["misfit"]) == 4 and len(choice.aside["blurred"]) == 2 and len(choice.over) == 4
