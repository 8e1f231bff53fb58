"""Groups of faces that show the same: each around its best face, none of them a chain."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from konterfei.curation.duplicates import duplicates


@given(seed=st.integers(0, 10_000), count=st.integers(0, 60), limit=st.floats(0.5, 20))
def test_every_member_is_like_the_one_that_stands_for_it(seed, count, limit):
    rng = np.random.default_rng(seed)
    places, prints = rng.uniform(0, 3, (count, 2)), rng.integers(0, 40, (count, 5)).astype(np.float32)
    quality = rng.permutation(count).astype(np.float64)
    groups = duplicates(places, prints, quality, limit)
    members = [row for group in groups for row in group.rows]
    assert len(members) == len(set(members))
    for group in groups:
        rest = list(group.rows[1:])
        assert rest and quality[group.best] == quality[list(group.rows)].max()
        assert np.abs(places[rest] - places[group.best]).max() <= 1
        assert np.allclose(np.abs(prints[rest] - prints[group.best]).mean(axis=1), group.distances[1:])
        assert max(group.distances) <= limit * (1 + 1e-6)  # they are float32
    # who stands alone, or for others, is like nobody better who does
    standing = sorted(set(range(count)) - {row for group in groups for row in group.rows[1:]})
    for one in standing:
        for other in standing:
            if quality[other] < quality[one]:
                near = np.abs(places[one] - places[other]).max() <= 1
                assert not (near and np.abs(prints[one] - prints[other]).mean() <= limit)


def test_a_slow_pan_is_no_single_group():
    places = np.arange(50.0)[:, None] * 0.4
    groups = duplicates(places, np.zeros((50, 1)), np.zeros(50), 1)
    assert len(groups) > 10
    assert all(len(group.rows) <= 5 for group in groups)
