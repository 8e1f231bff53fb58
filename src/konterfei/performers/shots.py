"""What the camera does: shake, pan, travel and roll, with parallax between performers and background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FARTHER = 0.5
"""How far the background goes when what stands before it goes by 1: it is twice as far away."""
REACH = 0.16
"""Background that moves of the camera may bring into view beyond each edge, in frame sides."""


@dataclass(frozen=True, kw_only=True)
class View:
    """Where the camera has gone: how the picture of a performer at rest moves in the frame."""

    shift: tuple[float, float] = (0.0, 0.0)
    """In frame sides, x right, y down."""
    scale: float = 1.0
    """Nearer (> 1), about the middle of the frame."""
    roll: float = 0.0
    """Radians, positive clockwise in the image, about the middle of the frame."""

    def matrix(self, side: int, share: float = 1.0) -> NDArray[np.float64]:
        """From pixels of the frame without the move to pixels with it. [2, 3]

        Args:
            side: of the frame, pixels.
            share: of shift and approach, which are smaller for what is farther away; the roll is the same for all.
        """
        scale = 1.0 + share * (self.scale - 1.0)
        c, s = scale * np.cos(self.roll), scale * np.sin(self.roll)
        turn = np.array([[c, -s], [s, c]])
        middle = np.full(2, (side - 1) / 2)
        return np.column_stack([turn, middle - turn @ middle + share * side * np.array(self.shift)])


def still(seed: int, time_s: float) -> View:
    """On a tripod."""
    return View()


def _waves(seed: int, time_s: float, low: float, high: float, count: int) -> NDArray[np.float64]:
    """`count` independent band-limited noises, mostly within [-1, 1], of `low` to `high` hertz. [count]"""
    rng = np.random.default_rng([seed, 0x73686F74, count])
    frequency, phase = rng.uniform(low, high, (count, 4)), rng.uniform(0.0, 2.0 * np.pi, (count, 4))
    return np.asarray(np.tanh(0.7 * np.sin(2.0 * np.pi * frequency * time_s + phase).sum(axis=1)))


def handheld(seed: int, time_s: float) -> View:
    """Held in the hands: slow drift, the steps of breath and arm, a fine tremor."""
    drift, tremor = _waves(seed, time_s, 0.2, 1.4, 3), _waves(seed, time_s, 4.0, 8.0, 4)
    shift = 0.022 * drift[:2] + 0.0022 * tremor[:2]
    roll = 0.016 * drift[2] + 0.002 * tremor[2]
    return View(shift=(float(shift[0]), float(shift[1])), scale=1.03, roll=float(roll))


def pan(seed: int, time_s: float) -> View:
    """Travels from side to side, once in six seconds."""
    phase = np.random.default_rng([seed, 0x70616E]).uniform(0.0, 2.0 * np.pi)
    return View(shift=(0.12 * float(np.sin(2.0 * np.pi * time_s / 6.0 + phase)), 0.0))


def zoom(seed: int, time_s: float) -> View:
    """Comes as near as 1.4 times the size and goes back, once in six seconds."""
    phase = np.random.default_rng([seed, 0x7A6F]).uniform(0.0, 2.0 * np.pi)
    return View(scale=1.2 + 0.2 * float(np.sin(2.0 * np.pi * time_s / 6.0 + phase)))


def roll(seed: int, time_s: float) -> View:
    """Tilts to both sides by eight degrees, once in five seconds."""
    phase = np.random.default_rng([seed, 0x726F6C]).uniform(0.0, 2.0 * np.pi)
    return View(scale=1.05, roll=0.14 * float(np.sin(2.0 * np.pi * time_s / 5.0 + phase)))
