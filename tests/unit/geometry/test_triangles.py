"""Maps that follow points: exact within triangles, elsewhere what was said."""

import numpy as np

from konterfei.geometry.triangles import piecewise

SIDE = 40
STAY = np.array([[1.0, 0, 0], [0, 1, 0]])
TRIANGLES = np.array([[0, 1, 2], [1, 3, 2]])
CORNERS = np.array([[5.0, 6], [30, 8], [7, 31], [33, 29]])


def grid():
    return np.indices((SIDE, SIDE))[::-1].transpose(1, 2, 0)


def test_points_that_move_as_one_move_all_between_them_alike_and_nothing_else():
    linear, offset = np.array([[1.2, 0.1], [-0.2, 0.9]]), np.array([3.0, -2])
    positions, numbers = piecewise(CORNERS, CORNERS @ linear.T + offset, TRIANGLES, SIDE, STAY)
    assert positions.dtype == np.float32 and set(np.unique(numbers)) == {-1, 0, 1}
    assert numbers[10, 10] == 0 and numbers[26, 28] == 1 and numbers[2, 2] == -1
    within = numbers >= 0
    np.testing.assert_allclose(positions[within], (grid() @ linear.T + offset)[within], atol=1e-3)
    np.testing.assert_array_equal(positions[~within], grid()[~within])


def test_each_triangle_goes_its_own_way():
    theirs = CORNERS.copy()
    theirs[3] += 6
    positions, numbers = piecewise(CORNERS, theirs, TRIANGLES, SIDE, STAY)
    np.testing.assert_allclose(positions[numbers == 0], grid()[numbers == 0], atol=1e-3)
    x, y = CORNERS[3].astype(int)
    np.testing.assert_allclose(positions[y, x], theirs[3], atol=1e-3)
    middle = ((CORNERS[1] + CORNERS[2]) / 2).round().astype(int)
    np.testing.assert_allclose(positions[middle[1], middle[0]], middle, atol=0.3)  # on the edge that stays


def test_flat_triangles_make_numbers():
    flat = CORNERS.copy()
    flat[:, 1] = 10 + 1e-6 * flat[:, 1]
    for ours, theirs in ((flat, CORNERS), (CORNERS, flat), (flat, flat)):
        assert np.isfinite(piecewise(ours, theirs, TRIANGLES, SIDE, STAY)[0]).all()
