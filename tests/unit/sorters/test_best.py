"""The selection that keeps coverage, likeness to a person, and which faces are somebody else's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.errors import ConfigError
from konterfei.reporting import Recorder
from konterfei.sorters import Example, Wish
from konterfei.sorters.best import best, fill
from konterfei.sorters.likeness import identity, usual_person
from sorting_material import measures


def looking(yaws, **given):
    """Faces that look straight but for their yaw in degrees, all sharp and all with one expression."""
    count = len(yaws)
    usual = {
        "pose": np.radians(np.stack([np.zeros(count), yaws, np.zeros(count)], 1)).astype(np.float32),
        "sharpness": np.full(count, 0.6, np.float32),
        "expression": np.zeros((count, 6), np.float32),
        **{name: np.zeros(count, np.float32) for name in ("occlusion", "dark", "bright")},
    }
    return measures(count, **{**usual, **given})


def chosen(faces, count):
    order = best(faces, Wish(count=count), Recorder())
    return order.rows[: len(faces) - order.rest], order


def test_rare_directions_are_kept_and_plenty_is_thinned():
    faces = looking([0] * 90 + [45] * 4 + [-45] * 2)
    rows, order = chosen(faces, 20)
    yaws = np.degrees(faces.pose[rows, 1]).round()
    assert [(yaws == yaw).sum() for yaw in (0, 45, -45)] == [14, 4, 2]
    assert any("14/90" in line for line in order.told)


def test_rare_expressions_are_kept():
    expression = np.zeros((80, 6), np.float32)
    expression[40:43, 0] = 0.5
    rows, _ = chosen(looking([0] * 80, expression=expression), 10)
    assert {40, 41, 42} <= set(rows.tolist())


def test_within_a_cell_the_sharp_clear_ones_come_first():
    sharp = np.linspace(0.4, 0.7, 40).astype(np.float32)
    hidden = np.zeros(40, np.float32)
    hidden[39] = 0.5
    rows, order = chosen(looking([0] * 40, sharpness=sharp, occlusion=hidden), 5)
    assert sorted(rows.tolist()) == [34, 35, 36, 37, 38]
    assert order.values[39] == pytest.approx(0.35, abs=0.01)


def test_near_duplicates_of_chosen_faces_come_last():
    prints = np.random.default_rng(1).integers(0, 256, (30, 32), dtype=np.uint8)
    prints[:20] = prints[0]
    sharp = np.linspace(0.7, 0.5, 30).astype(np.float32)
    rows, _ = chosen(looking([0] * 30, fingerprint=prints, sharpness=sharp), 11)
    assert sorted(rows.tolist()) == [0, *range(20, 30)]
    assert len(chosen(looking([0] * 30, fingerprint=prints, sharpness=sharp), 15)[0]) == 15


def test_somebody_else_and_useless_faces_are_not_taken():
    vectors = np.tile(np.eye(8, dtype=np.float32)[0], (30, 1))
    vectors[7] = np.eye(8)[3]
    sharp = np.full(30, 0.6, np.float32)
    sharp[11] = 0.05
    rows, order = chosen(looking([0] * 30, embeddings=vectors, sharpness=sharp), 30)
    assert sorted(rows.tolist()) == [row for row in range(30) if row not in (7, 11)]
    assert "1 were somebody else's, 1 of no use" in order.told


def test_near_duplicates_of_a_rare_cell_yield_to_other_faces():
    prints = np.random.default_rng(2).integers(0, 256, (40, 32), dtype=np.uint8)
    prints[30:] = prints[30]
    rows, order = chosen(looking([0] * 30 + [45] * 10, fingerprint=prints), 20)
    assert (rows >= 30).sum() == 1
    assert "0 of them are near-duplicates" in order.told[0]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.floats(0, 1))
def test_cells_are_filled_evenly(sizes, share):
    sizes = np.array(sizes)
    wanted = int(share * sizes.sum())
    taken = fill(sizes, wanted)
    assert taken.sum() == wanted
    assert ((taken >= 0) & (taken <= sizes)).all()
    unfilled = taken[taken < sizes]
    if len(unfilled):
        assert taken.max() <= unfilled.min() + 1


def test_the_usual_person_is_not_moved_by_a_minority():
    rng = np.random.default_rng(3)
    vectors = rng.normal(0, 0.05, (50, 16))
    vectors[:35, 0] += 1
    vectors[35:, 1] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert usual_person(vectors)[0] > 0.98
    rows = identity(measures(50, embeddings=vectors.astype(np.float32)), Wish(), Recorder()).rows
    assert set(rows[-15:].tolist()) == set(range(35, 50))


def test_the_usual_person_of_a_pooled_set_is_somebody_and_no_mean_of_two():
    vectors = np.random.default_rng(4).normal(0, 0.05, (60, 32))
    vectors[np.arange(60), np.arange(60) // 20] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.sort(np.abs(usual_person(vectors)))[-1] > 0.98
    rows = identity(measures(60, embeddings=vectors.astype(np.float32)), Wish(), Recorder()).rows
    assert len(set((rows[:20] // 20).tolist())) == 1


def test_identity_says_when_nobody_is_known():
    with pytest.raises(ConfigError, match="Extract again"):
        identity(measures(5, embeddings=np.full((5, 8), np.nan, np.float32)), Wish(), Recorder())
    like = Example(embedding=np.ones(3, np.float32), expression=np.zeros(6))
    with pytest.raises(ConfigError, match="--like"):
        identity(measures(5), Wish(like=like), Recorder())
