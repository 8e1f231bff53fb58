import numpy as np

from konterfei.performers.raster import (
    evaluate,
    paint_order,
    planes,
    polygon_mask,
    signed_areas,
    smooth_curve,
    triangle_ids,
)

SQUARE = np.array([[2, 2], [37, 2], [37, 27], [2, 27]], np.float32)
HALVES = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def test_a_linear_function_is_reproduced_exactly():
    values = np.column_stack([3 * SQUARE[:, 0] - 2 * SQUARE[:, 1] + 5, SQUARE[:, 1]]).astype(np.float32)
    ids = triangle_ids(SQUARE, HALVES, np.arange(2), (30, 40))
    out = evaluate(planes(SQUARE, HALVES, values), ids)
    y, x = np.mgrid[0:30, 0:40]
    inside = ids >= 0
    assert inside[3:27, 3:37].all() and not inside[:, :2].any() and not inside[29].any()
    assert np.abs(out[0] - (3 * x - 2 * y + 5))[inside].max() < 1e-3
    assert np.abs(out[1] - y)[inside].max() < 1e-3


def test_a_window_of_the_picture_has_the_same_values():
    plane = planes(SQUARE, HALVES, SQUARE)
    ids = triangle_ids(SQUARE, HALVES, np.arange(2), (30, 40))
    assert np.allclose(evaluate(plane, ids)[:, 5:20, 7:30], evaluate(plane, ids[5:20, 7:30], (7, 5)), atol=1e-4)


def test_the_near_triangle_covers_the_far_one_and_backs_cover_nothing():
    corners = np.array([[0, 0, 5], [20, 0, 5], [0, 20, 5], [0, 0, 1], [20, 0, 1], [0, 20, 1]], np.float32)
    triangles = np.array([[3, 4, 5], [0, 1, 2]], np.int32)
    turn = signed_areas(corners, triangles)
    ids = triangle_ids(corners[:, :2], triangles, paint_order(corners, triangles, turn), (20, 20))
    assert ids[4, 4] == 0
    ids = triangle_ids(corners[:, :2], triangles, paint_order(corners, triangles, turn * [-1, 1]), (20, 20))
    assert ids[4, 4] == 1, "the near one shows its back"


def test_a_triangle_seen_edge_on_takes_a_value_of_its_corners():
    line = np.array([[1, 1], [9, 1], [5, 1.001]], np.float32)
    plane = planes(line, np.array([[0, 1, 2]], np.int32), np.array([[7.0], [8.0], [900.0]], np.float32))
    assert evaluate(plane, np.zeros((12, 12), np.int32)).max() <= 900.0


def test_the_curve_goes_through_its_points_and_the_mask_has_the_area():
    angle = np.linspace(0, 2 * np.pi, 17)
    points = (np.stack([np.cos(angle), np.sin(angle)], axis=1) * 20 + 32).astype(np.float32)
    curve = smooth_curve(points)
    assert np.allclose(curve[::4], points, atol=1e-5)
    assert np.abs(np.linalg.norm(curve - 32, axis=1) - 20).max() < 0.25
    assert abs(polygon_mask(curve, (64, 64), 0.0).sum() / (np.pi * 400) - 1) < 0.08  # cv2 draws half a pixel more
