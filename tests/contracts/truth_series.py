"""A drawn face in its own crops, as the true swap that results are compared with; and what can be wrong with them."""

from dataclasses import fields, replace

import numpy as np
from metric_series import FRAMES, PEOPLE, SIZE, plate, shapes

from konterfei.geometry import Crop, FaceType
from konterfei.metrics import Series
from konterfei.metrics.ground_truth import TrueSeries

OFF = np.float32([0.6, -0.4])
"""What the landmarker says beside the exact points, px."""


def truth(frames=FRAMES):
    """Blinks, talks and drifts; its landmarks are found a little beside the exact ones."""
    series = plate(frames)
    exact = np.stack([Crop.fit(p, FaceType.FULL, SIZE).crop_from_frame @ p for p in shapes(frames)]).astype(np.float32)
    own = {f.name: getattr(series, f.name) for f in fields(Series)}
    return TrueSeries(**(own | {"landmarks": exact + OFF}), exact=exact)


def result(true):
    """The truth itself as the result."""
    return Series(**{f.name: getattr(true, f.name) for f in fields(Series)})


def cast(series, amount):
    """Redder and less blue by `amount` grey levels."""
    return replace(series, crops=np.clip(series.crops + np.array([amount, 0, -amount]), 0, 255).astype(np.uint8))


def dimmed(series, amount):
    """Less contrast, by `amount`."""
    crops = 100 + (series.crops - 100.0) * (1 - amount)
    return replace(series, crops=crops.round().astype(np.uint8))


def delayed(series, amount):
    """Every frame shows what another one, `amount` frames before, should."""
    changed = {name: np.roll(getattr(series, name), amount, axis=0) for name in ("crops", "landmarks", "embeddings")}
    return replace(series, **changed)


def opened(series, amount):
    """Lower lips and lids `amount` pixels lower."""
    landmarks = series.landmarks.copy()
    landmarks[:, [40, 41, 46, 47, 65, 66, 67], 1] += amount
    return replace(series, landmarks=landmarks)


def another(series, amount):
    """Embeddings that go to another person's."""
    mixed = (1 - amount) * series.embeddings + amount * PEOPLE.dst
    return replace(series, embeddings=(mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32))


def jumping(series, amount):
    """The picture jumps to the side and back by `amount` pixels."""
    crops = [np.roll(c, amount * (k % 2), axis=1) for k, c in enumerate(series.crops)]
    return replace(series, crops=np.stack(crops))
