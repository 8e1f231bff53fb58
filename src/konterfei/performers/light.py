"""Light that changes: a lamp that wanders, a screen in the dark, a hard lamp from the side, a diaphragm that closes.

Every light is a function of seed and time alone, the same for every performer. Gains are of linear light; pictures are
encoded with `GAMMA`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from konterfei.performers.motion import ramp
from konterfei.performers.raster import Float

GAMMA = 2.2
"""Exponent between encoded pictures in [0, 1] and linear light."""
Triple = tuple[float, float, float]
_NEUTRAL = (1.0, 1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Light:
    """The light of one instant, beside the set's own. Gains of linear light."""

    toward: Triple = (0.0, 0.0, -1.0)
    """Direction towards the lamp: x right, y down, z away from the camera. Length 1."""
    lamp: Triple = (0.0, 0.0, 0.0)
    """What the lamp adds to red, green and blue of skin that faces it, 1 = as much as the set's own light; 0 = off."""
    room: Triple = _NEUTRAL
    """Gain of red, green and blue of the set's own light."""
    exposure: float = 1.0
    """Gain of everything: the camera's."""

    @property
    def is_own(self) -> bool:
        """Whether nothing is added to or taken from the set's own light on the performer."""
        return self.room == _NEUTRAL and not any(self.lamp)


def encoded(gain: Float | tuple[float, ...] | float) -> Float:
    """A gain of linear light as a gain of encoded values."""
    return np.asarray(np.asarray(gain) ** (1.0 / GAMMA), np.float32)


def still(seed: int, time_s: float) -> Light:
    """The set's own light, and nothing changes."""
    return Light()


def passing(seed: int, time_s: float) -> Light:
    """A lamp is carried around at the height of the head: its side, height, strength and colour change."""
    phase = np.random.default_rng([seed, 0x6C616D70]).uniform(0.0, 2.0 * np.pi, 4)
    turn, rise, near, warm = np.sin(2.0 * np.pi * np.array((0.21, 0.13, 0.17, 0.09)) * time_s + phase)
    colour = np.array((1.0, 0.80, 0.62)) + (0.5 + 0.5 * warm) * np.array((-0.25, 0.06, 0.38))
    lamp = (0.75 + 0.45 * near) * colour
    return Light(toward=_unit(1.2 * turn, -0.2 + 0.5 * rise, -0.45), lamp=_triple(lamp), room=(0.45, 0.45, 0.45))


def screen(seed: int, time_s: float) -> Light:
    """A television before the performer: brightness and colour jump at every cut and waver between."""
    block, local = divmod(time_s, 6.0)
    rng = np.random.default_rng([seed, 0x7476, int(block)])
    cuts = np.cumsum(rng.uniform(0.25, 1.5, 24))
    strength, tone = rng.uniform(0.25, 1.25, 25), rng.uniform(-1.0, 1.0, 25)
    shot = int(np.searchsorted(cuts, local))
    waver = 1.0 + 0.08 * np.sin(2.0 * np.pi * 1.9 * time_s + tone[shot]) + 0.04 * np.sin(2.0 * np.pi * 4.3 * time_s)
    colour = np.array((0.72, 0.92, 1.18)) + tone[shot] * np.array((0.22, 0.0, -0.22))
    lamp = strength[shot] * waver * colour
    return Light(toward=_unit(0.25, 0.35, -0.9), lamp=_triple(lamp), room=(0.28, 0.28, 0.28))


def dimming(seed: int, time_s: float) -> Light:
    """The diaphragm closes to a third of the light and opens again, every five seconds."""
    _, local = divmod(time_s, 5.0)
    closed = ramp(local / 1.6) * ramp((5.0 - local) / 1.6)
    return Light(exposure=float((1.0 / 3.0) ** closed))


def side(seed: int, time_s: float) -> Light:
    """A hard lamp far to one side, which the seed chooses; the other half of the face is in its own shadow."""
    side = 1.0 if np.random.default_rng([seed, 0x73696465]).random() < 0.5 else -1.0
    return Light(toward=_unit(side, -0.25, -0.22), lamp=(1.30, 1.24, 1.14), room=(0.20, 0.21, 0.23))


def _unit(x: float, y: float, z: float) -> Triple:
    return _triple(np.array((x, y, z)) / np.linalg.norm((x, y, z)))


def _triple(values: Float) -> Triple:
    return float(values[0]), float(values[1]), float(values[2])
