"""Swaps that were measured: a drawn head that sways, talks and gets worse towards its end."""

from dataclasses import fields, replace
from fractions import Fraction

import cv2
import numpy as np

from konterfei.geometry import HEAD_68
from konterfei.metrics import People, Series
from konterfei.metrics.evaluation import Evaluated, measure

SIDE = 48


def unit(seed, size=32):
    vector = np.random.default_rng(seed).normal(size=size)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


PEOPLE = People(src=unit(1), dst=unit(2))


def seen(frames=60, strength=0.0, seed=0, first=10):
    """The head in `frames` frames; `strength` 0 is the plate, 1 a bad swap. Shaking and tone differ by `seed`."""
    random, time = np.random.default_rng(seed), np.arange(frames)
    points = np.repeat(HEAD_68[None, :, :2].astype(np.float64), frames, axis=0)
    points[:, [65, 66, 67, 55, 56, 57, 58, 59], 1] += 8 * (1 + np.sin(time / 2))[:, None]
    points = points * 1.5 + np.stack([300 + 40 * np.sin(time / 9), 250 + 0 * time], -1)[:, None]
    points += strength * random.normal(size=points.shape)
    texture = cv2.GaussianBlur(np.random.default_rng(3).integers(30, 226, (SIDE, SIDE, 3)).astype(np.uint8), (0, 0), 1)
    tone = (8 * strength * random.normal(size=frames))[:, None, None, None]
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(mask, (SIDE // 2, SIDE // 2), SIDE // 3, 1.0, -1)
    mix = (strength * (0.3 + 0.5 * time / max(frames, 1)) + 0.05 * random.normal(size=frames))[:, None]
    vectors = PEOPLE.src * (1 - mix) + PEOPLE.dst * mix if strength else np.repeat(PEOPLE.dst[None], frames, axis=0)
    return Series(
        indices=np.arange(first, first + frames),
        landmarks=points.astype(np.float32),
        embeddings=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
        crops=np.clip(texture[None] + tone, 0, 255).astype(np.uint8),
        masks=np.repeat(mask[None], frames, axis=0),
    )


def rows_of(series, rows):
    """These frames alone."""
    return replace(series, **{f.name: getattr(series, f.name)[rows] for f in fields(Series)})


def evaluated(frames=60, strength=0.5, seed=5, name="out.mp4", rows=slice(None), **changes):
    """A swap of the given `strength` of faults, measured."""
    plate, result = rows_of(seen(frames), rows), rows_of(seen(frames, strength, seed), rows)
    about = {
        "inputs": {"video": {"path": "out.mp4", "sha256": "ab" * 32, "size": 7}},
        "settings": {
            "every_nth": None,
            "recognizer": {"name": "mobilefacenet", "sha256": "cd" * 32},
            "witness": {"name": "faceres"},
        },
        "notes": ["Two of `all` the frames were left out."],
    }
    values = {
        "name": name,
        "about": about,
        "frames": {"num_frames": len(plate), "num_unmeasurable": 2, "num_unseen": 1},
        "plate": plate,
        "result": result,
        "people": PEOPLE,
        "measurements": dict(measure(plate, result, PEOPLE)),
        "src_faces": list(seen(3).crops),
        "fps": Fraction(25),
        "shots": (np.arange(len(plate)) >= len(plate) // 2).astype(np.int64),
    }
    return Evaluated(**{**values, **changes})
