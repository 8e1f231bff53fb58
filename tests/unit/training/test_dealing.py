"""Faces are dealt without replacement, as a function of the position alone; evenly over yaw where that is wished."""

import collections

import numpy as np

from konterfei.training.dealing import EvenPack, Pack


def test_a_pack_deals_each_number_once_and_is_shuffled_anew():
    pack = Pack(5, 3)
    rounds = [[pack.at(5 * epoch + i) for i in range(5)] for epoch in range(20)]
    assert all(sorted(dealt) == list(range(5)) for dealt in rounds)
    assert len({tuple(dealt) for dealt in rounds}) > 10
    backwards = Pack(5, 3)
    assert [backwards.at(i) for i in reversed(range(100))][::-1] == [n for dealt in rounds for n in dealt]
    assert [Pack(5, 4).at(i) for i in range(20)] != [Pack(5, 3).at(i) for i in range(20)]


def test_rare_head_turns_come_as_often_as_common_ones():
    """7.10.2: 95 faces look ahead, three to one side, two far beyond the range to the other."""
    yaws = np.array([0.0] * 95 + [0.5] * 3 + [-1.5, -2.0])
    pack = EvenPack(yaws, 1, 0)
    assert len(pack) == 3
    dealt = collections.Counter(pack.at(i) for i in range(95 * 3 * 4))
    assert sum(dealt[i] for i in range(95)) == sum(dealt[i] for i in (95, 96, 97)) == dealt[98] + dealt[99] == 380
    assert {dealt[i] for i in range(95)} == {4}  # each of a bin before any comes again
    assert dealt[98] == dealt[99] == 190
    plain = collections.Counter(Pack(100, 1, 0).at(i) for i in range(1000))
    assert set(plain.values()) == {10}


def test_bins_are_the_original_ones():
    """5.4: 128 edges from -1.2 to 1.2, the first bin open below, the last above; of minus yaw."""
    step = 2.4 / 127
    inside = -1.2 + step * (np.arange(128) + 0.5)
    assert len(EvenPack(-inside, 0)) == 128
    assert len(EvenPack(-np.array([-9.0, -1.19]), 0)) == 1
    assert len(EvenPack(-np.array([1.201, 9.0]), 0)) == 1
    assert len(EvenPack(-np.array([1.199, 1.201]), 0)) == 2


def test_even_dealing_follows_from_the_position_alone():
    yaws = np.random.default_rng(0).normal(0, 0.5, 60)
    forwards = EvenPack(yaws, 9, 1)
    wanted = [forwards.at(i) for i in range(500)]
    fresh = EvenPack(yaws, 9, 1)
    assert [fresh.at(i) for i in (499, 3, 250)] == [wanted[i] for i in (499, 3, 250)]
