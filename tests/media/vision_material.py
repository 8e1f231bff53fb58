"""What was found in the first frames of real clips, and measures of landmarks over time."""

from functools import cache
from itertools import islice

import numpy as np
from scipy.signal import find_peaks

from konterfei.detectors import DETECTORS
from konterfei.io.video import VideoReader
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.tracking.cuts import find_cuts
from konterfei.tracking.finder import FLOOR_SCORE, Finder, FinderSettings, FinderState
from konterfei.tracking.link import link

BLOCK = 64


@cache
def stack(detector="yunet"):
    return (
        DETECTORS.load(detector)(threads=1, threshold=FLOOR_SCORE),
        LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1),
    )


def images(path, count, change=lambda image: image):
    reader = VideoReader(path)
    try:
        return [np.ascontiguousarray(change(frame.image)) for frame in islice(reader, count)]
    finally:
        reader.close()


def find(frames, **settings):
    """Frames of faces, in blocks as extract has them."""
    finder, state, found = Finder(*stack(), FinderSettings(threshold=0.7, **settings)), FinderState(), []
    for begin in range(0, len(frames), BLOCK):
        block, state = finder.find(frames[begin : begin + BLOCK], state)
        found += block
    return found


@cache
def found_in(path, count):
    return find(images(path, count))


def tracks_in(path, count):
    frames = found_in(path, count)
    return link(frames, find_cuts([frame.change for frame in frames]))


def points_of(track):
    """[T, 70, 2]: 68 points and the irises."""
    return np.stack([np.concatenate([face.points, face.iris]) for face in track.faces])


def eye_distance(points):
    return np.linalg.norm(points[:, 36:42].mean(axis=1) - points[:, 42:48].mean(axis=1), axis=1)


def jitter(points):
    """What is left of each point's place after those of the frames before and after: second difference, root mean
    square over points and frames as for one coordinate's noise, in percent of the eye distance. Steady motion has
    none."""
    second = points[2:] - 2 * points[1:-1] + points[:-2]
    return float(np.sqrt((second**2).sum(axis=-1).mean() / 6) / eye_distance(points).mean() * 100)


def mouth_open(points):
    return np.linalg.norm(points[:, 62] - points[:, 66], axis=1) / eye_distance(points)


def eye_open(points, first):
    height = np.linalg.norm(points[:, first + 1] - points[:, first + 5], axis=1)
    height = height + np.linalg.norm(points[:, first + 2] - points[:, first + 4], axis=1)
    return height / 2 / np.linalg.norm(points[:, first] - points[:, first + 3], axis=1)


def kept(raw, calm, prominence):
    """How much of each peak of `raw` is left in `calm`, 1 = all. Peaks stand out by `prominence` at least."""
    peaks, facts = find_peaks(raw, prominence=prominence)
    base = raw[peaks] - facts["prominences"]
    height = np.array([calm[max(peak - 1, 0) : peak + 2].max() for peak in peaks])
    return (height - base) / facts["prominences"]


def mouth_kept(raw, calm):
    return kept(mouth_open(raw), mouth_open(calm), 0.06)


def blinks_kept(raw, calm):
    return np.concatenate([kept(-eye_open(raw, eye), -eye_open(calm, eye), 0.08) for eye in (36, 42)])
