"""Landmarks and detectors against the truth; see `stages_checked.py`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from stages_checked_people import Figure, Figures, Filmed, People, eye_distance

from konterfei.detectors import DETECTORS, overlap
from konterfei.imaging import motion_blur, to_float, to_uint8
from konterfei.io.video import open_frames
from konterfei.io.video_writer import VideoWriter
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.tracking.cuts import find_cuts
from konterfei.tracking.finder import FLOOR_SCORE, Finder, FinderSettings, FinderState
from konterfei.tracking.link import link
from konterfei.tracking.smoothing import smooth

Array = NDArray[Any]

# --- landmarks

PARTS = {
    "eyes": np.r_[36:48],
    "brows": np.r_[17:27],
    "nose": np.r_[27:36],
    "mouth": np.r_[48:68],
    "jaw": np.r_[0:17],
}
YAWS = ((0, 5), (5, 10), (10, 16))
"""Degrees; performers turn no farther."""
_BLOCK = 64


def landmarks(people: People, small: bool) -> Figures:
    """In % of the eye distance: how far off the points are, by part and turn; what of it comes and goes; jitter.

    A landmarker's idea of a point may differ from the truth's by a constant; "moving" is the error without each
    point's mean over the clip. Jitter is the root mean square of the second difference beyond the truth's own motion,
    as for one coordinate's noise.
    """
    found: Figures = {}
    turned: dict[tuple[str, tuple[int, int]], list[Array]] = {}
    for name, film in people.own.items():
        tracks = _tracks(film.frames)
        if not tracks:
            found[name] = {"frames found": Figure(0.0, "higher", 0.95)}
            continue
        track = max(tracks, key=len)
        rows = np.arange(track.start, track.stop)
        raw = np.stack([np.concatenate([face.points, face.iris]) for face in track.faces])
        for kind, points in (("raw", raw), ("smoothed", smooth(raw))):
            off, percent = _off(points[:, :68], film.truth.landmarks[rows])
            found[f"{name} {kind}"] = _figures(off, percent, len(rows) / len(film.frames), kind == "smoothed")
            for low, high in YAWS:
                there = (film.yaw[rows] >= low) & (film.yaw[rows] < high)
                turned.setdefault((kind, (low, high)), []).append(percent[there].mean(axis=1))
    for (kind, (low, high)), errors in turned.items():
        values = np.concatenate(errors)
        if len(values):
            found[f"turned {low} to {high} degrees, {kind}"] = {
                "mean": Figure(float(values.mean()), limit=6.0),
                "p95": Figure(float(np.quantile(values, 0.95)), limit=9.0),
            }
    return found


def _tracks(frames: Array) -> list[Any]:
    """As extract finds them."""
    networks = (
        DETECTORS.load("yunet")(threads=1, threshold=FLOOR_SCORE),
        LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1),
    )
    finder, state, seen = Finder(*networks, FinderSettings(threshold=0.7)), FinderState(), []
    for begin in range(0, len(frames), _BLOCK):
        block, state = finder.find(list(frames[begin : begin + _BLOCK]), state)
        seen += block
    return link(seen, find_cuts([frame.change for frame in seen]))


def _off(points: Array, truth: Array) -> tuple[Array, Array]:
    """Errors and their lengths in % of the eye distance. [T, 68, 2], [T, 68]"""
    off = 100 * (points.astype(np.float64) - truth) / eye_distance(truth)[:, None, None]
    return off, np.linalg.norm(off, axis=-1)


def _figures(off: Array, percent: Array, share: float, is_smoothed: bool) -> dict[str, Figure]:
    moving = np.linalg.norm(off - off.mean(axis=0), axis=-1)
    second = off[2:] - 2 * off[1:-1] + off[:-2]
    jitter = float(np.sqrt((second**2).sum(axis=-1).mean() / 12))
    return {
        "frames found": Figure(share, "higher", 0.95),
        "mean": Figure(float(percent.mean()), limit=6.0),
        "p95": Figure(float(np.quantile(percent, 0.95)), limit=16.0),
        "moving": Figure(float(moving.mean()), limit=2.5),
        "jitter": Figure(jitter, limit=0.5 if is_smoothed else 0.8),
    } | {part: Figure(float(percent[:, points].mean()), limit=16.0) for part, points in PARTS.items()}


# --- detectors

CANVAS = (360, 640)
"""Height and width of what detectors are shown, px."""
HIT = 0.35
"""Intersection over union with the true box from which on a face counts as found: detectors differ about foreheads."""
USUAL = 64
"""Side of the face where something else is varied, px."""
_CASES: tuple[tuple[str, tuple[float, ...], float], ...] = (
    ("size, px", (16, 24, 32, 48, 64, 128, 256), 32),
    ("turn, degrees up to", (5, 10, 16), 16),
    ("out of focus, % of the face", (2, 4, 8, 16), 2),
    ("motion blur, % of the face", (10, 25, 50), 10),
    ("covered from below, %", (25, 40, 55), 25),
    ("covered from above, %", (25, 40, 55), 0),
    ("darker, stops", (2, 4, 6), 2),
    ("crf of x264", (23, 35, 45, 51), 35),
)
"""What is varied, in which steps, and up to where (from where on: size) at least 90 % of the faces must be found."""


def detectors(people: People, small: bool) -> Figures:
    """Share of the faces that each detector finds, and finds that are no face, for each frame."""
    films = list(people.own.values())
    count = 4 if small else 24
    picked = [(film, int(i)) for film in films for i in np.linspace(0, len(film.frames) - 1, count)]
    networks = {name: DETECTORS.load(name)(threads=1) for name in DETECTORS}
    found: Figures = {}
    for what, steps, sure in _CASES:
        for step in steps[:: len(steps) - 1] if small else steps:
            shown = _shown(what, step, picked, films)
            row: dict[str, Figure] = {}
            for name, detector in networks.items():
                hits, extra = _score(detector, shown)
                is_sure = step >= sure if what.startswith("size") else step <= sure
                row[f"{name} finds, %"] = Figure(hits, "higher", 90.0 if is_sure else None, digits=0)
                row[f"{name} false"] = Figure(extra, limit=0.15)
            found[f"{what}: {step:g}"] = row
    return found


def _score(detector: Any, shown: list[tuple[Array, Array]]) -> tuple[float, float]:
    """Per cent found, and other finds by frame."""
    hits = extra = 0
    for image, box in shown:
        boxes = np.array([seen.box for seen in detector.detect(image)], np.float32).reshape(-1, 4)
        shares = overlap(box, boxes)
        hits += bool((shares >= HIT).any())
        extra += int((shares < 0.1).sum())
    return 100 * hits / max(len(shown), 1), extra / max(len(shown), 1)


def _shown(what: str, step: float, picked: list[tuple[Filmed, int]], films: list[Filmed]) -> list[tuple[Array, Array]]:
    """Pictures and the true boxes in them."""
    if what.startswith("turn"):
        low = {5: 0, 10: 5, 16: 10}[int(step)]
        there = [(film, int(i)) for film in films for i in np.flatnonzero((film.yaw >= low) & (film.yaw < step))]
        picked = there[:: max(1, len(there) // max(len(picked), 1))]
    pairs = [_placed(film, index, step if what.startswith("size") else USUAL) for film, index in picked]
    if what.startswith("crf"):
        return _encoded(pairs, int(step))
    change: Callable[[Array, Array], Array] = {
        "out": lambda image, box: cv2.GaussianBlur(image, (0, 0), step / 100 * USUAL),
        "motion": lambda image, box: to_uint8(motion_blur(to_float(image), (step / 100 * USUAL, 0.0))),
        "covered": lambda image, box: _covered(image, box, step / 100, "below" in what),
        "darker": lambda image, box: _darker(image, step),
    }.get(what.split(" ")[0].rstrip(","), lambda image, box: image)
    return [(change(image, box), box) for image, box in pairs]


def _placed(film: Filmed, index: int, side: float) -> tuple[Array, Array]:
    """The frame on a larger canvas, its face `side` px large, not in the middle; blurred surroundings."""
    frame, box = film.frames[index], film.box(index)
    zoom = side / float(np.sqrt(np.prod(box[2:] - box[:2])))
    small = cv2.resize(frame, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC)
    coarse = cv2.resize(frame, (CANVAS[1] // 8, CANVAS[0] // 8), interpolation=cv2.INTER_AREA)
    canvas = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 7.5), CANVAS[::-1])  # 60 px; far slower on the whole canvas
    middle = np.array([0.4 * CANVAS[1], 0.5 * CANVAS[0]]) + np.random.default_rng(index).uniform(-40, 40, 2)
    corner = np.round(middle - zoom * (box[:2] + box[2:]) / 2).astype(int)
    low = np.maximum(corner, 0)
    high = np.minimum(corner + small.shape[1::-1], CANVAS[::-1])
    canvas[low[1] : high[1], low[0] : high[0]] = small[
        low[1] - corner[1] : high[1] - corner[1], low[0] - corner[0] : high[0] - corner[0]
    ]
    return canvas, (zoom * box + np.tile(corner, 2)).astype(np.float32)


def _covered(image: Array, box: Array, share: float, from_below: bool) -> Array:
    """A grey board before the lower or the upper part of the face."""
    left, top, right, bottom = np.round(box).astype(int)
    edge = round((bottom - top) * share)
    rows = slice(bottom - edge, bottom + 20) if from_below else slice(max(top - 20, 0), top + edge)
    covered = image.copy()
    covered[rows, max(left - 15, 0) : right + 15] = (96, 104, 112)
    return covered


def _darker(image: Array, stops: float) -> Array:
    """Less light on the sensor, whose noise stays."""
    linear = to_float(image) ** 2.2 / 2**stops
    noise = np.random.default_rng(5).normal(0, 1, image.shape) * (0.0015 + 0.004 * np.sqrt(linear))
    return to_uint8(np.clip(linear + noise, 0, 1).astype(np.float32) ** (1 / 2.2))


def _encoded(pairs: list[tuple[Array, Array]], crf: int) -> list[tuple[Array, Array]]:
    """The pictures as frames of an H.264 video."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoded.mp4"
        writer = VideoWriter(path, CANVAS[1], CANVAS[0], fps_hint=Fraction(25), crf=float(crf))
        with writer:
            for k, (image, _) in enumerate(pairs):
                writer.write(image, Fraction(k, 25), Fraction(1, 25))
        return [(frame.image, box) for frame, (_, box) in zip(open_frames(path), pairs, strict=True)]
