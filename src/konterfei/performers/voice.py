"""A quiet synthetic voice that babbles with the mouth: pulses of a larynx through three formants. Nobody's voice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from konterfei.performers.motion import Motion

RATE = 48_000
"""Samples per second."""
_BLOCK = 240
"""Samples between changes of the voice: 5 ms."""
_REST, _OPEN, _WIDE, _ROUND = (
    np.array(f) for f in ((500, 1500, 2500), (800, 1250, 2550), (320, 2300, 3000), (340, 820, 2300))
)
"""Formants in Hz of a neutral vowel, "ah", "ee" and "oo" (after Peterson and Barney 1952)."""


def babble(motion: Motion, seconds: float, pitch_hz: float) -> NDArray[np.float32]:
    """The sound of a performance, mono in [-1, 1], peak near -20 dBFS. [seconds * RATE]

    Args:
        motion: what the mouth does.
        seconds: length.
        pitch_hz: mean pitch.
    """
    count = round(seconds * RATE)
    blocks = -(-count // _BLOCK)
    times = np.arange(blocks) * _BLOCK / RATE
    poses = [motion.at(float(t)) for t in times]
    jaw, wide, pucker, smile = (np.array([getattr(p, n) for p in poses]) for n in ("jaw", "wide", "pucker", "smile"))
    loud = np.clip(1.6 * (jaw + 0.8 * wide + 0.8 * pucker), 0, 1) * (1 - smile)
    rng = np.random.default_rng([motion.seed, 0x766F78])
    tune = pitch_hz * (
        1 + 0.10 * np.sin(2 * np.pi * 0.31 * times + 1) + 0.05 * np.sin(2 * np.pi * 1.1 * times) + 0.08 * jaw
    )
    phase = np.cumsum(np.repeat(tune, _BLOCK)) / RATE
    wave = phase % 1.0
    source = np.where(wave < 0.6, np.sin(np.pi * wave / 0.6) ** 2, 0.0)
    source = np.diff(source, prepend=0.0) * 20 + 0.012 * rng.standard_normal(len(source))
    out = np.zeros(len(source))
    state = [np.zeros(2) for _ in range(3)]
    for block in range(blocks):
        part = slice(block * _BLOCK, (block + 1) * _BLOCK)
        vowel = _REST + jaw[block] * (_OPEN - _REST) + wide[block] * (_WIDE - _REST) + pucker[block] * (_ROUND - _REST)
        sound = source[part]
        for k, (centre, width) in enumerate(zip(vowel, (80.0, 110.0, 160.0), strict=True)):
            radius = np.exp(-np.pi * width / RATE)
            turn = 2 * np.pi * centre / RATE
            poles = np.array([1.0, -2 * radius * np.cos(turn), radius * radius])
            sound, state[k] = lfilter([poles.sum()], poles, sound, zi=state[k])
        out[part] = sound
    level = np.interp(np.arange(len(out)), np.arange(blocks) * _BLOCK, loud)
    out *= level / max(1e-9, float(np.percentile(np.abs(out), 99.9)))
    room = 0.0006 * rng.standard_normal(len(out))  # no recording is silent
    return np.clip(0.10 * out + room, -1, 1)[:count].astype(np.float32)
