import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.curation import clusters
from konterfei.curation.clusters import NOBODY, Nodes, cluster, compress, parts
from konterfei.errors import Cancelled
from konterfei.reporting import Recorder, Silent
from people_material import halfway, looks

JOIN = 0.55


def nodes(vectors, frames=None, owners=None):
    vectors = np.array(vectors, np.float32)
    frames = [{n} for n in range(len(vectors))] if frames is None else frames
    return Nodes(vectors, np.ones(len(vectors)), frames, np.array(owners or [NOBODY] * len(vectors)))


def groups(labels):
    """The partition as a set of sets of rows."""
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


def truth(who):
    return groups(np.array(who))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_people_come_together_and_stay_apart(who):
    found = cluster(nodes([looks(person, n) for n, person in enumerate(who)]), JOIN, Silent())
    assert groups(found) == truth(who)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_the_quick_way_for_many_faces_gives_the_same(who):
    vectors = [looks(person, n, 0.97) for n, person in enumerate(who)]
    before, clusters.MOST_NODES = clusters.MOST_NODES, 1
    try:
        found = cluster(nodes(vectors), JOIN, Silent())
    finally:
        clusters.MOST_NODES = before
    assert groups(found) == truth(who)


def test_blocks_of_any_size_give_the_same(monkeypatch):
    vectors = [looks(n % 7, n, 0.95) for n in range(60)]
    whole, small = cluster(nodes(vectors), JOIN, Silent()), compress(nodes(vectors), 0.8, Silent())
    monkeypatch.setattr(clusters, "LIKENESSES_AT_ONCE", 200)
    assert (cluster(nodes(vectors), JOIN, Silent()) == whole).all()
    assert (compress(nodes(vectors), 0.8, Silent()) == small).all()
    assert groups(small) == truth([n % 7 for n in range(60)])


@pytest.mark.parametrize("quick", [False, True])
def test_nobody_is_twice_in_a_frame(quick):
    twins = nodes([looks(1, 0, 0.99), looks(1, 1, 0.99), looks(1, 2, 0.99)], frames=[{5}, {5, 6}, {7}])
    found = compress(twins, 0.8, Silent()) if quick else cluster(twins, JOIN, Silent())
    assert found[0] != found[1] and len(groups(found)) == 2


def test_who_is_twice_in_a_frame_stays_so_through_a_third():
    """Two nodes that share a frame are not joined by way of one that resembles both."""
    found = cluster(nodes([looks(1, n, 0.95) for n in range(4)], frames=[{1}, {1}, {2}, {3}]), JOIN, Silent())
    assert found[0] != found[1] and sorted(len(own) for own in groups(found)) in ([1, 3], [2, 2])


def test_people_who_are_known_never_become_one_and_take_in_the_new():
    vectors = [looks(1, 0), looks(1, 1), looks(1, 2), looks(2, 0)]
    found = cluster(nodes(vectors, owners=[3, 4, NOBODY, NOBODY]), JOIN, Silent())
    assert found[0] != found[1] and found[2] in (found[0], found[1]) and found[3] == 3


def test_it_is_the_mean_likeness_that_counts_not_the_greatest():
    """One look-alike face does not pull two people together, as it would by nearest neighbours."""
    vectors = [*(looks(1, n, 0.95) for n in range(9)), *(looks(2, n, 0.95) for n in range(9)), halfway(1, 2, 0.71)]
    found = groups(cluster(nodes(vectors), JOIN, Silent()))
    assert {frozenset(own - {18}) for own in found} >= {frozenset(range(9)), frozenset(range(9, 18))}


def test_a_request_to_stop_is_heard():
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        cluster(nodes([looks(1, 0), looks(2, 0)]), JOIN, reporter)


@pytest.mark.parametrize("into", [None, 3])
def test_three_people_in_one_are_three_parts_the_largest_first(into):
    who = [1] * 9 + [2] * 5 + [3] * 3
    found = parts(nodes([looks(person, n) for n, person in enumerate(who)]), into, Silent())
    assert found.tolist() == [0] * 9 + [1] * 5 + [2] * 3


def test_parts_as_many_as_asked_for_and_for_more_than_a_tree_holds(monkeypatch):
    who = [1] * 40 + [2] * 20
    vectors = [looks(person, n, 0.95) for n, person in enumerate(who)]
    monkeypatch.setattr(clusters, "MOST_TO_SPLIT", 10)
    assert parts(nodes(vectors), 2, Silent()).tolist() == [0] * 40 + [1] * 20
    assert set(parts(nodes([looks(1, n) for n in range(6)]), 4, Silent()).tolist()) == {0, 1, 2, 3}
    assert parts(nodes([looks(1, 0), looks(1, 1)]), None, Silent()).tolist() == [0, 1]
