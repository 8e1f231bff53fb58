"""Triangles to dense per-pixel maps."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[Any]
"""A float32 array. The stubs of cv2 give unions of types for every result, so the type checker is told no more."""
_SHIFT = 4  # fractional bits of cv2's polygon coordinates


def triangle_ids(
    points: Float, triangles: NDArray[np.int32], order: NDArray[np.intp], shape: tuple[int, int]
) -> NDArray[np.int32]:
    """Which triangle is seen at each pixel, -1 for none.

    Args:
        points: corners in pixels. [V, 2]
        triangles: corner numbers. [T, 3]
        order: triangles from the farthest to the nearest; later ones are painted over earlier ones. [T]
        shape: height, width.
    """
    ids = np.full(shape, -1, np.int32)
    corners = np.round(points[triangles] * (1 << _SHIFT)).astype(np.int32)
    fill = cv2.fillConvexPoly
    for t in order.tolist():
        fill(ids, corners[t], t, cv2.LINE_8, _SHIFT)
    return ids


def signed_areas(points: Float, triangles: NDArray[np.int32]) -> Float:
    """Twice the area of each triangle in the image, negative when it is turned the other way round. [T]"""
    a, b, c = (points[triangles[:, k], :2] for k in range(3))
    e1, e2 = b - a, c - a
    return e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]


def paint_order(points: Float, triangles: NDArray[np.int32], turn: Float) -> NDArray[np.intp]:
    """Which triangles to paint first: those that show their back or edge, then the others from far to near. [T]

    Args:
        points: x, y in pixels and depth. [V, 3]
        triangles: [T, 3]
        turn: `signed_areas` of the triangles when all of them face the camera. [T]
    """
    faces = signed_areas(points, triangles) * np.sign(turn) > 0.2
    return np.lexsort((-points[:, 2][triangles].mean(axis=1), faces))


def planes(points: Float, triangles: NDArray[np.int32], values: Float) -> Float:
    """Per triangle the plane through its corners' values: value = a x + b y + c. [T, K, 3]

    Args:
        points: corners in pixels. [V, 2]
        triangles: corner numbers. [T, 3]
        values: K numbers per corner. [V, K]
    """
    p = points[triangles].astype(np.float64)
    v = values[triangles].astype(np.float64)
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    d1, d2 = v[:, 1] - v[:, 0], v[:, 2] - v[:, 0]
    det = e1[:, 0] * e2[:, 1] - e1[:, 1] * e2[:, 0]
    # a triangle seen edge-on has no plane; it covers no pixel worth speaking of, so its value is held constant
    det = np.where(np.abs(det) < 0.2, np.inf, det)[:, None]
    a = (d1 * e2[:, 1:2] - d2 * e1[:, 1:2]) / det
    b = (d2 * e1[:, 0:1] - d1 * e2[:, 0:1]) / det
    c = v[:, 0] - a * p[:, 0, 0:1] - b * p[:, 0, 1:2]
    return np.stack([a, b, c], axis=-1).astype(np.float32)


def evaluate(plane: Float, ids: NDArray[np.int32], origin: tuple[int, int] = (0, 0)) -> Float:
    """The planes' values at every pixel. [K, H, W]; pixels without a triangle take triangle 0's.

    Args:
        plane: [T, K, 3]
        ids: [H, W]
        origin: x, y of the first pixel of `ids` in the points' coordinates.
    """
    height, width = ids.shape
    x = np.arange(origin[0], origin[0] + width, dtype=np.float32)[None, :]
    y = np.arange(origin[1], origin[1] + height, dtype=np.float32)[:, None]
    flat = np.maximum(ids, 0)
    out = np.empty((plane.shape[1], height, width), np.float32)
    for k in range(plane.shape[1]):
        a, b, c = (np.ascontiguousarray(plane[:, k, i]) for i in range(3))
        out[k] = a[flat]
        out[k] *= x
        out[k] += b[flat] * y
        out[k] += c[flat]
    return out


def polygon_mask(polygon: Float, shape: tuple[int, int], blur: float) -> Float:
    """Soft-edged inside of a polygon. [H, W] in [0, 1]"""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(polygon * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    out = mask.astype(np.float32) / 255.0
    return cv2.GaussianBlur(out, (0, 0), blur) if blur > 0 else out


def smooth_step(x: Any, low: float, high: float) -> Any:
    """0 below `low`, 1 above `high`, smooth between (works for low > high too)."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def smooth_curve(points: Float, fold: int = 4) -> Float:
    """Catmull-Rom spline through points, ends included. [(N - 1) * fold + 1, 2]"""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    a, b, c, d = ends[:-3, None], ends[1:-2, None], ends[2:-1, None], ends[3:, None]
    t = (np.arange(fold, dtype=np.float32) / fold)[None, :, None]
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([curve.reshape(-1, 2), points[-1:]]).astype(np.float32)


def disc(radius: float) -> NDArray[np.uint8]:
    """A round structuring element."""
    size = 2 * max(1, round(radius)) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
