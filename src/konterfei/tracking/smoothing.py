"""Landmarks without jitter and without lag: zero-phase shrinkage of their detail over time.

Each track is split into the motion of the head (a similarity per frame) and the motion of the face within it, both
are taken apart into scales of time (the undecimated "a trous" wavelet with the B3 spline, Starck and Murtagh 1994),
and each detail is scaled by Wiener's factor: what is not stronger than the landmarker's own noise goes, what is much
stronger (a blink, a syllable, a nod) stays whole. Every filter is symmetric in time, so nothing comes late.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Similarity

Array = NDArray[np.float64]

NUM_SCALES = 3
"""Details of about 2, 4 and 8 frames are looked at; slower change is never noise."""

TAPS = np.array([1, 4, 6, 4, 1]) / 16
"""B3 spline."""

PARTS = {
    "jaw": (np.r_[0:17], 1.3),
    "brows": (np.r_[17:27], 1.3),
    "nose": (np.r_[27:36], 1.0),
    "image-left eye": (np.r_[36:42, 68], 0.6),
    "image-right eye": (np.r_[42:48, 69], 0.6),
    "mouth": (np.r_[48:68], 1.0),
}
"""Points that move together and are therefore judged together, and how much of the usual noise to expect of them: less
where small motion tells much. 68 and 69 are the irises."""

PLACE_NOISE, TURN_NOISE, SIZE_NOISE = 0.3, 0.35, 0.35
"""The same for the head as a whole: its place, turn (radians) and size (logarithm). Sums of many points are surer."""

RIGID = np.r_[0:5, 12:17, 27:36, 36, 39, 42, 45]
"""Points that move with the head, not with the expression: upper jaw line, nose, corners of the eyes."""

QUIET = 0.25
"""Share of a track's frames that are taken to show noise only: even a talking mouth rests this often."""

NOISE_PIXELS, NOISE_FRACTION = 0.05, 0.0005
"""Usual noise of a point: pixels, plus a fraction of the distance of the eyes. Fits the quiet stretches of ten clips
with eyes 27 to 179 pixels apart (mesh478)."""

NOISE_RANGE = (0.5, 2.0)
"""Noise measured in a track is believed within these multiples of the usual one: grain and compression differ, but
what is stronger is motion (footage with doubled frames moves in every frame that is not doubled)."""

SURELY_NOISE = 8.0
"""Detail below this many times the noise's energy goes entirely at strength 1. Chosen, with the numbers above, by
how well crops of consecutive frames agree in their pixels over 14 clips: more makes hand-held footage worse."""


def smooth(points: NDArray[np.float32], strength: float = 1.0) -> NDArray[np.float32]:
    """The points of one track, calm.

    Args:
        points: of consecutive frames; 68 points, or 70 with the irises. [T, P, 2] in frame pixels
        strength: 0 = as they are; 1 = what is below the noise goes; 3 = also small expression.

    Returns:
        [T, P, 2] float32
    """
    if strength <= 0 or len(points) < 3:
        return points.astype(np.float32)
    raw = points.astype(np.float64)
    reference = _reference(raw)
    poses = [Similarity.fit(reference, frame[RIGID]) for frame in raw]  # frame from reference
    within = np.stack([pose.inverse() @ frame for pose, frame in zip(poses, raw, strict=True)])
    calm = np.empty_like(within)
    usual = NOISE_PIXELS / max(float(np.median([pose.scale for pose in poses])), 1.0) + NOISE_FRACTION
    for part, noise in PARTS.values():
        chosen = part[part < raw.shape[1]]
        flat = within[:, chosen].reshape(len(raw), -1)
        calm[:, chosen] = _shrink(flat, usual * noise, strength).reshape(len(raw), -1, 2)
    heads = _smooth_heads(poses, usual, strength)
    return np.stack([head @ frame for head, frame in zip(heads, calm, strict=True)]).astype(np.float32)


def _reference(raw: Array) -> Array:
    """Mean form of the head over a track: its rigid points about their centre, eyes 1 apart. [R, 2]"""
    shape = raw[len(raw) // 2, RIGID]
    for _ in range(2):
        aligned = np.stack([Similarity.fit(frame[RIGID], shape) @ frame for frame in raw])
        mean = aligned.mean(axis=0)
        eyes = mean[42:48].mean(axis=0) - mean[36:42].mean(axis=0)
        shape = (mean[RIGID] - mean[RIGID].mean(axis=0)) / max(float(np.linalg.norm(eyes)), 1e-6)
    return shape


def _smooth_heads(poses: list[Similarity], usual: float, strength: float) -> list[Similarity]:
    """The similarities of a track, calm. Place, turn and size are judged apart, in the same unit."""
    matrices = np.stack([pose.matrix for pose in poses])
    size = np.sqrt(np.abs(np.linalg.det(matrices[:, :, :2])))
    middle = matrices[:, :, 2]  # the reference is centred at 0
    turn = np.unwrap(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    typical = float(np.median(size))
    middle = _shrink(middle / typical, usual * PLACE_NOISE, strength) * typical
    turn = _shrink(turn[:, None], usual * TURN_NOISE, strength)[:, 0]
    size = np.exp(_shrink(np.log(size)[:, None], usual * SIZE_NOISE, strength)[:, 0])
    heads = []
    for n in range(len(poses)):
        cos, sin = size[n] * np.cos(turn[n]), size[n] * np.sin(turn[n])
        linear = np.array([[cos, -sin], [sin, cos]])
        heads.append(Similarity(np.column_stack([linear, middle[n]])))
    return heads


def _shrink(signal: Array, usual: float, strength: float) -> Array:
    """A group of signals [T, C], in units of the eye distance, without the detail that is likely noise."""
    rest = signal
    energy_of_noise = 0.0
    kept = np.zeros_like(signal)
    for scale in range(min(NUM_SCALES, max(int(np.log2(len(signal))) - 1, 1))):
        coarser = _blur(rest, 2**scale)
        detail, rest = rest - coarser, coarser
        energy = _blur((detail**2).mean(axis=1, keepdims=True), 2**scale, is_energy=True)[:, 0]
        if scale == 0:  # the finest detail shows the noise best; white noise tells the rest
            measured = float(np.sqrt(np.quantile(energy, QUIET) / _SHARE[0]))
            energy_of_noise = float(np.clip(measured, usual * NOISE_RANGE[0], usual * NOISE_RANGE[1])) ** 2
        floor = strength * SURELY_NOISE * energy_of_noise * _SHARE[scale]
        kept += detail * np.clip(1 - (floor / np.maximum(energy, 1e-18)) ** 2, 0, 1)[:, None]
    return rest + kept


def _blur(signal: Array, step: int, is_energy: bool = False) -> Array:
    """B3 spline with holes: taps `step` frames apart, [T, C].

    Beyond the ends a signal goes on by reflection about its end points, so that straight motion stays straight;
    an energy by its mirror image, so that it stays positive.
    """
    reach = 2 * step
    last = len(signal) - 1
    near = np.minimum(np.arange(1, reach + 1), last)
    before, after = signal[near[::-1]], signal[last - near]
    if not is_energy:
        before, after = 2 * signal[0] - before, 2 * signal[-1] - after
    padded = np.concatenate([before, signal, after])
    return np.sum([padded[n * step : n * step + len(signal)] * tap for n, tap in enumerate(TAPS)], axis=0)


def _shares() -> list[float]:
    """Part of the energy of white noise that falls into the detail of each scale."""
    spike = np.zeros((257, 1))
    spike[128] = 1
    shares = []
    for scale in range(NUM_SCALES):
        coarser = _blur(spike, 2**scale)
        shares.append(float(((spike - coarser) ** 2).sum()))
        spike = coarser
    return shares


_SHARE = _shares()
