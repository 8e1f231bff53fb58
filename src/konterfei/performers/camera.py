"""What a camera adds: exposure that drifts, a lens that is not perfectly sharp, sensor noise."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers.rig import Float

READ_NOISE = 0.0045
"""Noise in the dark, standard deviation in [0, 1] of the encoded signal: a good camera at about ISO 400."""
SHOT_NOISE = 0.010
"""Noise that grows with the light's square root."""


class Camera:
    """Turns a clean picture into a frame.

    Args:
        side: pixels.
        seed: of noise and drift.
        tint: gain of red, green and blue.
    """

    def __init__(self, side: int, seed: int, tint: tuple[float, float, float]) -> None:
        self.side, self.seed = side, seed
        self._tint = np.asarray(tint, np.float32)
        rng = np.random.default_rng([seed, 0x63616D])
        self._phases = rng.uniform(0, 2 * np.pi, 3)
        y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
        self._vignette = (1.0 - 0.22 * (x * x + y * y))[..., None]
        bank = rng.standard_normal((side + 64, side + 64, 3)).astype(np.float32)
        bank = 0.75 * bank + 0.6 * cv2.GaussianBlur(bank, (0, 0), 0.8)  # debayering makes noise clump
        self._bank = bank / bank.std()

    def expose(self, picture: Float, index: int, time_s: float) -> NDArray[np.uint8]:
        """One frame. [H, W, 3] uint8

        Args:
            picture: RGB in [0, 1].
            index: number of the frame, picks its noise.
            time_s: picks its exposure.
        """
        drift = np.sin(2 * np.pi * np.array((0.05, 0.11, 0.23)) * time_s + self._phases)
        exposure = 1.0 + 0.018 * float(drift @ (0.5, 0.3, 0.2))
        light = picture * (self._vignette * self._tint * np.float32(exposure))
        light = cv2.GaussianBlur(light, (0, 0), 0.45)
        rng = np.random.default_rng([self.seed, index])
        x, y = rng.integers(0, 64, 2)
        noise = self._bank[y : y + self.side, x : x + self.side]
        if rng.random() < 0.5:
            noise = noise[:, ::-1]
        strength = READ_NOISE + SHOT_NOISE * np.sqrt(np.maximum(light, 0))
        return np.clip((light + strength * noise) * 255.0 + 0.5, 0, 255).astype(np.uint8)
