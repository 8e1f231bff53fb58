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


PEOPLE = People(src=unit(1), dst=unit(2), witness_src=unit(3), witness_dst=unit(4))


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


def glances(landmarks):
    """Irises of eyes that wander from side to side. [N, 2, 2]"""
    centres = np.stack([landmarks[:, [36, 39]].mean(axis=1), landmarks[:, [42, 45]].mean(axis=1)], axis=1)
    aside = 0.1 * np.sin(np.arange(len(landmarks)) / 6) * np.linalg.norm(landmarks[:, 39] - landmarks[:, 36], axis=-1)
    return (centres + np.stack([aside, 0 * aside], axis=-1)[:, None]).astype(np.float32)


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
        irises=glances(shapes(frames)),
        witness=np.repeat(PEOPLE.witness_src[None], frames, axis=0),
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


def witnessed_towards_dst(series, amount):
    """The same for the second recognizer's."""
    mixed = (1 - amount) * PEOPLE.witness_src + amount * PEOPLE.witness_dst
    return replace(series, witness=np.repeat(mixed[None] / np.linalg.norm(mixed), len(series), axis=0))


def wavering(series, amount):
    """Embeddings of which every fourth is by `amount` on the way to dst."""
    embeddings = series.embeddings.copy()
    embeddings[::4] = towards_dst(series, amount).embeddings[::4]
    return replace(series, embeddings=embeddings)


def rolled(series, amount):
    """Landmarks and irises turned about the first frame's middle by `amount` degrees."""
    angle, middle = np.deg2rad(amount), series.landmarks[0].mean(axis=0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks, irises = ((points - middle) @ turn.T + middle for points in (series.landmarks, series.irises))
    return replace(series, landmarks=landmarks.astype(np.float32), irises=irises.astype(np.float32))


def looking_aside(series, amount):
    """Irises `amount` pixels aside."""
    return replace(series, irises=series.irises + np.float32([amount, 0]))


def disk(radius, size=SIZE):
    """A disk in the middle. [S, S] float32"""
    return cv2.circle(np.zeros((size, size), np.float32), (size // 2, size // 2), int(radius), 1.0, -1)


def tinted(series, amount, radii=(20,)):
    """A disk of each frame redder by `amount` levels; its radius goes through `radii`."""
    where = np.stack([disk(radii[i % len(radii)], series.crops.shape[1]) for i in range(len(series))])[..., None]
    tint = np.array([amount, -amount / 2, -amount / 2])
    return replace(series, crops=np.clip(series.crops + where * tint, 0, 255).astype(np.uint8))


def breathing(series, amount):
    """A tinted disk whose radius changes by `amount` pixels in every second frame."""
    return tinted(series, 40, (18 - amount, 18 + amount))


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
    names = ("landmarks", "embeddings", "irises", "witness")
    seen = {name: getattr(series, name).copy() for name in names}
    for values in seen.values():
        values[frames] = np.nan
    return replace(series, **seen)
