"""A drawn face that moves, blinks and talks, as the series that metrics take."""

from dataclasses import replace

import cv2
import numpy as np

from konterfei.geometry import HEAD_68, LEFT_BROW, LEFT_EYE, RIGHT_BROW, RIGHT_EYE
from konterfei.metrics import People, Series
from konterfei.metrics.outside import PERFECT

SIZE = 64
FRAMES = 40


def unit(seed):
    vector = np.random.default_rng(seed).normal(size=32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


PEOPLE = People(src=unit(1), dst=unit(2))


def shapes(frames=FRAMES):
    """Landmarks of a head that sways while blinking, talking and raising its brows. [N, 68, 2]"""
    time = np.arange(frames)
    points = np.repeat(HEAD_68[None, :, :2].astype(np.float64), frames, axis=0)
    blink = np.where(time % 13 < 2, 0.2, 1.0)
    for eye in (RIGHT_EYE, LEFT_EYE):
        centre = points[:, eye].mean(axis=1, keepdims=True)
        points[:, eye] = centre + (points[:, eye] - centre) * np.stack([np.ones(frames), blink], -1)[:, None]
    points[:, [65, 66, 67, 55, 56, 57, 58, 59], 1] += 8 * (1 + np.sin(time / 2))[:, None]
    points[:, [48, 60], 0] -= 3 * np.sin(time / 5)[:, None]
    points[:, [54, 64], 0] += 3 * np.sin(time / 5)[:, None]
    for brow in (RIGHT_BROW, LEFT_BROW):
        points[:, brow, 1] -= 4 * (np.sin(time / 7) > 0.5)[:, None]
    sway = np.stack([300 + 40 * np.sin(time / 9), 250 + 10 * np.cos(time / 9)], -1)
    return (points * 1.5 + sway[:, None]).astype(np.float32)


def pictures(frames=FRAMES):
    """A textured patch that drifts slowly. [N, S, S, 3]"""
    texture = np.random.default_rng(3).integers(30, 226, (2 * SIZE, 2 * SIZE, 3)).astype(np.uint8)
    texture = cv2.GaussianBlur(texture, (0, 0), 1.5)
    shift = [np.float32([[1, 0, -10 - 0.4 * t], [0, 1, -20 + 0.3 * t]]) for t in range(frames)]
    return np.stack([cv2.warpAffine(texture, m, (SIZE, SIZE), flags=cv2.INTER_CUBIC) for m in shift])


def plate(frames=FRAMES):
    mask = np.zeros((SIZE, SIZE), np.float32)
    cv2.circle(mask, (SIZE // 2, SIZE // 2), SIZE // 3, 1.0, -1)
    return Series(
        indices=np.arange(100, 100 + frames),
        landmarks=shapes(frames),
        embeddings=np.repeat(PEOPLE.src[None], frames, axis=0),
        crops=pictures(frames),
        masks=np.repeat(mask[None], frames, axis=0),
        outside=np.repeat([PERFECT], frames, axis=0),
    )


def noise(series, amount):
    """Landmarks that shake by `amount` pixels."""
    random = np.random.default_rng(5)
    return replace(series, landmarks=series.landmarks + amount * random.normal(size=series.landmarks.shape))


def towards_dst(series, amount):
    """Embeddings that go from src to dst as `amount` goes from 0 to 1."""
    mixed = (1 - amount) * PEOPLE.src + amount * PEOPLE.dst
    mixed = mixed / np.linalg.norm(mixed)
    return replace(series, embeddings=np.repeat(mixed[None], len(series), axis=0))


def shifted(series, amount):
    """The whole face `amount` pixels aside."""
    return replace(series, landmarks=series.landmarks + np.float32([amount, 0]))


def pumping(series, amount):
    """Brightness that jumps by `amount` grey levels every second frame."""
    sign = np.where(np.arange(len(series)) % 2, amount, -amount)[:, None, None, None]
    return replace(series, crops=np.clip(series.crops + sign, 0, 255).astype(np.uint8))


def blurred(series, amount):
    """Crops blurred by `amount` pixels."""
    return replace(series, crops=np.stack([cv2.GaussianBlur(c, (0, 0), amount) for c in series.crops]))


def dirtied(series, amount):
    """Of the background, `amount` per cent changed."""
    return replace(series, outside=series.outside + np.array([amount, amount, -amount, -0.01 * amount, 0]))


def missing(series, frames):
    """No face found in `frames`."""
    landmarks, embeddings = series.landmarks.copy(), series.embeddings.copy()
    landmarks[frames], embeddings[frames] = np.nan, np.nan
    return replace(series, landmarks=landmarks, embeddings=embeddings)
