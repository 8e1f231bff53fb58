"""Orders by likeness against DeepFaceLab's published procedure, written plainly with OpenCV's own distance."""

import cv2
import numpy as np
import pytest

from konterfei.reporting import Recorder
from konterfei.sorters import Wish, chains
from sorting_material import measures


def apart(one, other):
    """Bhattacharyya's distance of two histograms, by OpenCV, from roots of shares."""
    counts = [(roots.astype(np.float64) ** 2).astype(np.float32) for roots in (one, other)]
    return cv2.compareHist(*counts, cv2.HISTCMP_BHATTACHARYYA)


def greedy(count, distance, choose):
    """The chain as it is described: at each place the best of what is left is swapped there."""
    rows = list(range(count))
    for here in range(count - 1):
        distances = [distance(rows[here], rows[other]) for other in range(here + 1, count)]
        there = here + 1 + distances.index(choose(distances))
        rows[here + 1], rows[there] = rows[there], rows[here + 1]
    return rows


def test_hist_is_the_greedy_chain():
    faces = measures(40)
    wanted = greedy(40, lambda a, b: sum(apart(faces.histograms[a, c], faces.histograms[b, c]) for c in range(3)), min)
    order = chains.hist(faces, Wish(), Recorder())
    assert order.rows.tolist() == wanted
    a, b = wanted[:2]
    assert order.values[b] == pytest.approx(
        sum(apart(faces.histograms[a, c], faces.histograms[b, c]) for c in range(3)), abs=1e-3
    )
    assert np.isnan(order.values[wanted[0]])


def test_hist_begins_anew_with_each_chunk(monkeypatch):
    monkeypatch.setattr(chains, "_CHUNK", 16)
    faces = measures(40)
    rows = chains.hist(faces, Wish(), Recorder()).rows
    assert [sorted(rows[at : at + 16].tolist()) for at in (0, 16)] == [list(range(16)), list(range(16, 32))]
    assert (rows[[0, 16, 32]] == [0, 16, 32]).all()


def test_hist_dissim_sums_all_distances():
    faces = measures(300)
    order = chains.hist_dissim(faces, Wish(), Recorder())
    for row in (0, 7, 299):
        wanted = sum(apart(faces.masked_histogram[row], other) for other in faces.masked_histogram)
        assert order.values[row] == pytest.approx(wanted, rel=1e-3)
    assert (np.diff(order.values[order.rows]) <= 0).all()


@pytest.mark.parametrize(("sorter", "choose"), [(chains.absdiff, min), (chains.absdiff_dissim, max)])
def test_absdiff_is_the_greedy_chain(sorter, choose):
    faces = measures(40)
    small = faces.thumb.reshape(40, -1).astype(int)
    wanted = greedy(40, lambda a, b: int(np.abs(small[a] - small[b]).sum()), choose)
    order = sorter(faces, Wish(), Recorder())
    assert order.rows.tolist() == wanted
    assert order.values[wanted[1]] == pytest.approx(np.abs(small[wanted[0]] - small[wanted[1]]).mean())
