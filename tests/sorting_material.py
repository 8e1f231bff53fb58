"""Crops and measures for the tests of sorting: drawn faces with fine lines, and measures made up by hand."""

import cv2
import numpy as np

from konterfei.geometry import HEAD_68
from konterfei.io.face_measures import ROW, FaceMeasures

SIZE = 256


def points(mouth=0.0):
    """Landmarks of a frontal face in a crop of 256 px. [68, 2] float32"""
    flat = HEAD_68[:, :2].astype(np.float64).copy()
    flat = (flat - flat.min(0)) / np.ptp(flat, axis=0)
    flat[48:68, 1] += mouth * 0.1 * (flat[48:68, 1] > flat[48:68, 1].mean())
    return (flat * [130, 135] + [63, 75]).astype(np.float32)


def drawn(skin=(210, 165, 140), seed=0, mouth=0.0, side_light=0.0):
    """A face with lashes, brows of single hairs, lips, on a plain ground. [256, 256, 3] uint8"""
    rng = np.random.default_rng(seed)
    where = points(mouth) * 4
    image = np.full((4 * SIZE, 4 * SIZE, 3), (70, 80, 90), np.uint8)
    cv2.fillConvexPoly(image, cv2.convexHull(np.int32([*where, where[19] - [40, 160], where[24] + [40, -160]])), skin)
    for eye in (where[36:42], where[42:48]):
        cv2.fillConvexPoly(image, np.int32(eye), (235, 235, 235))
        cv2.circle(image, np.int32(eye.mean(0)).tolist(), 18, (60, 40, 30), -1)
        for x in np.linspace(eye[0, 0], eye[3, 0], 16):
            cv2.line(image, (int(x), int(eye[1, 1])), (int(x) + 3, int(eye[1, 1]) - 22), (30, 20, 20), 3)
    for brow in (where[17:22], where[22:27]):
        for x in np.linspace(brow[0, 0], brow[-1, 0], 30):
            y = np.interp(x, brow[:, 0], brow[:, 1])
            cv2.line(image, (int(x), int(y)), (int(x + rng.integers(-8, 8)), int(y) - 28), (50, 35, 30), 4)
    cv2.fillPoly(image, [np.int32(where[48:60])], (170, 70, 80))
    for part in (where[60:68], where[31:36], where[27:31]):
        cv2.polylines(image, [np.int32(part)], False, (90, 50, 50), 5)
    small = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32)
    small *= 1 + side_light * np.linspace(-1, 1, SIZE)[None, :, None]
    return np.clip(small + rng.normal(0, 1.5, small.shape), 0, 255).astype(np.uint8)


def measures(count, seed=0, **given):
    """Measures of faces that nobody has seen: random, but for what is `given`."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 400, (count, 5, 256)).astype(np.float64) ** 2 * (rng.random((count, 5, 256)) < 0.2)
    counts[:, :, 0] += 1
    roots = np.rint(np.sqrt(counts / counts.sum(axis=2, keepdims=True)) * 65535).astype(np.uint16)
    vectors = rng.normal(0, 0.3, (count, 8)) + 1
    made = {
        "names": tuple(f"{number:06d}_0.jpg" for number in range(count)),
        "sources": ("a.mp4",) * count,
        "frames": np.arange(count),
        "tracks": np.zeros(count, np.int64),
        "pose": rng.normal(0, 0.3, (count, 3)).astype(np.float32),
        "resolution": rng.uniform(40, 200, count).astype(np.float32),
        "area": rng.uniform(1e3, 1e5, count).astype(np.float32),
        "presence": np.ones(count, np.float32),
        "expression": rng.normal(0, 0.1, (count, 6)).astype(np.float32),
        "embeddings": (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        **{
            name: rng.random((count, *kind.shape)).astype(np.float32)
            for name, (kind, _) in ROW.fields.items()
            if kind.base == np.float32
        },
        "dfl_pose": rng.normal(0, 0.4, (count, 3)).astype(np.float32),
        "histograms": roots[:, :3],
        "grey_histogram": roots[:, 3],
        "masked_histogram": roots[:, 4],
        "fingerprint": rng.integers(0, 256, (count, 32), dtype=np.uint8),
        "thumb": rng.integers(0, 256, (count, 24, 24, 3), dtype=np.uint8),
    }
    return FaceMeasures(**{**made, **given})
