"""Each reason finds what it is named for and leaves the others alone."""

from dataclasses import replace

import numpy as np
import pytest

from drawn_faces import BERT
from konterfei.curation.limits import Strictness
from konterfei.curation.suspicion import REASONS, likenesses, suspicions, wrong_rows
from konterfei.curation.traits import traits_of
from konterfei.io.faceset import Faceset
from konterfei.reporting import Silent
from posed_faces import Posed, faceset


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The traits of forty drawn faces with nothing wrong."""
    faces = [Posed(yaw=-40 + 2 * n, mouth=3 * (n % 5), shift=(n, 0)) for n in range(40)]
    return traits_of(Faceset.open(faceset(tmp_path_factory.mktemp("sound") / "faces", faces)), Silent())


def test_nothing_is_found_where_nothing_is_wrong(sound):
    assert not any(item.rows for item in suspicions(sound).values())


def changed(traits, name, row, value):
    values = getattr(traits, name).copy()
    values[row] = value
    return replace(traits, **{name: values})


@pytest.mark.parametrize(
    ("reason", "field", "value"),
    [
        ("misfit", "misfits", 0.5),
        ("jump", "jumps", 0.9),
        ("cut_elsewhere", "crop_offsets", 0.2),
        ("no_face", "presence", 0.1),
        ("cut_off", "outside", 0.4),
        ("tiny", "enlargements", 5.0),
        ("blurred", "sharpness", 0.05),
        ("exposure", "clipped", 0.7),
        ("occluded", "occlusion", 0.5),
    ],
)
def test_each_reason_finds_its_own(sound, reason, field, value):
    found = suspicions(changed(sound, field, 7, value))
    assert {name: item.rows for name, item in found.items() if item.rows} == {reason: (7,)}
    told = found[reason].told(7)
    assert "{" not in told and any(character.isdigit() for character in told)
    assert found[reason].limit.source
    unknown = suspicions(replace(sound, **{field: np.full(len(sound), np.nan)}))
    assert not any(item.rows for item in unknown.values())


def test_what_is_found_is_sorted_the_worst_first(sound):
    many = changed(changed(changed(sound, "sharpness", 3, 0.1), "sharpness", 9, 0.02), "sharpness", 5, 0.06)
    assert suspicions(many)["blurred"].rows == (9, 5, 3)
    many = changed(changed(sound, "occlusion", 3, 0.4), "occlusion", 9, 0.8)
    assert suspicions(many)["occluded"].rows == (9, 3)


def test_stricter_finds_more_and_never_less(sound):
    rng = np.random.default_rng(4)
    wild = replace(
        sound,
        misfits=rng.uniform(0, 0.2, 40),
        outside=rng.uniform(0, 0.5, 40),
        sharpness=rng.uniform(0.1, 1, 40),
        enlargements=rng.uniform(1, 6, 40),
        presence=rng.uniform(0, 1, 40),
    )
    low, usual, high = (suspicions(wild, strictness) for strictness in Strictness)
    for name in REASONS:
        assert set(low[name].rows) <= set(usual[name].rows) <= set(high[name].rows)
    assert sum(len(low[name].rows) for name in REASONS) < sum(len(high[name].rows) for name in REASONS)


def people(counts, seed=5, spread=0.5):
    """Unit vectors around one direction for each person."""
    rng = np.random.default_rng(seed)
    vectors = [rng.normal(0, 1, 64) / 8 + spread * rng.normal(0, 1, (count, 64)) / 8 for count in counts]
    whole = np.concatenate(vectors)
    return whole / np.linalg.norm(whole, axis=1, keepdims=True)


@pytest.mark.parametrize("counts", [(100, 5), (100, 60), (100, 40, 40), (900, 30)])
def test_the_person_with_most_faces_is_the_one_that_is_meant(counts):
    found = likenesses(people(counts), np.zeros(sum(counts), int))
    assert found[: counts[0]].min() > 0.6
    assert found[counts[0] :].max() < 0.42


def test_each_group_is_measured_by_its_own_person_and_the_unknown_are_left_out():
    vectors = people((30, 30))
    vectors[4] = np.nan
    groups = np.repeat([0, 1], 30)
    vectors[10] = vectors[50]
    found = likenesses(vectors, groups)
    assert np.isnan(found[4]) and found[10] < 0.42
    assert np.nanmin(np.delete(found, 10)) > 0.6
    assert np.isnan(likenesses(None, groups)).all()


def test_drawn_faults_are_found_in_drawn_faces(tmp_path):
    faces = [Posed(yaw=-30 + 2 * n, mouth=3 * (n % 5)) for n in range(30)]
    faces[4], faces[12] = replace(faces[4], skin=BERT), replace(faces[12], blur=3.0)
    faces[20] = replace(faces[20], shift=(0, 120))
    found = suspicions(traits_of(Faceset.open(faceset(tmp_path / "faces", faces)), Silent()))
    assert found["other_person"].rows == (4,) and found["blurred"].rows == (12,) and found["cut_off"].rows == (20,)
    assert 20 in found["jump"].rows and wrong_rows(found) >= {4, 20}
