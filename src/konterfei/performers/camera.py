"""The set and the camera: performer before background, light that spills over, exposure, lens and sensor."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers.bystanders import Bystanders
from konterfei.performers.cast import Look
from konterfei.performers.light import Light, encoded
from konterfei.performers.raster import Float
from konterfei.performers.scenery import scene
from konterfei.performers.shots import FARTHER, REACH, View

READ_NOISE = 0.0040
"""Noise in the dark: standard deviation in [0, 1] of the encoded signal, as of a good camera near ISO 400."""
SHOT_NOISE = 0.0085
"""Noise that grows with the square root of the light."""
_OVERSCAN = 0.05
"""Background beyond each edge of the frame, in frame sides."""
_PARALLAX = 0.35
"""How far the background goes with the shoulders' sway: a camera on a shoulder rather than a tripod."""
_LAMP_BEHIND = 0.3
"""How much of what a lamp gives the performer falls onto the background."""


class Camera:
    """Turns drawings into frames.

    Args:
        side: pixels.
        seed: of noise and exposure.
        look: background and light.
        moves: whether views other than the still one are asked for.
        is_alive: whether people pass in the background.
    """

    def __init__(self, side: int, seed: int, look: Look, moves: bool = False, is_alive: bool = False) -> None:
        self.side, self.seed, self.look = side, seed, look
        self._overscan = _OVERSCAN + (REACH if moves else 0.0)
        self._scene = scene(look.scene, round(side * (1 + 2 * self._overscan)))
        self._bystanders = Bystanders(self._scene, seed) if is_alive else None
        self._spill = cv2.GaussianBlur(self._scene, (0, 0), 0.06 * side)
        self._key = np.asarray(look.key, np.float32)
        rng = np.random.default_rng([seed, 0x63616D])
        self._phases = rng.uniform(0, 2 * np.pi, 3)
        y, x = np.mgrid[0:side, 0:side].astype(np.float32) / side - 0.5
        self._vignette = ((1.0 - 0.22 * (x * x + y * y))[..., None] * np.asarray(look.tint, np.float32)).astype(
            np.float32
        )
        grain = rng.standard_normal((side + 64, side + 64, 3)).astype(np.float32)
        grain = 0.8 * grain + 0.9 * cv2.GaussianBlur(grain, (0, 0), 0.8)  # debayering makes noise clump
        self._grain = grain / grain.std()

    def behind(self, sway: tuple[float, float], view: View, light: Light, time_s: float) -> tuple[Float, Float]:
        """The set without performers, and the light that spills from it, in RGB [0, 1]. [H, W, 3] each

        Args:
            sway: of the performer's shoulders, which the camera follows a little.
            view: of the camera.
            light: of this instant.
            time_s: picks what moves in the background.
        """
        at = (np.array(sway) * _PARALLAX - self._overscan) * self.side
        matrix = np.array([[1, 0, at[0]], [0, 1, at[1]]])
        if view != View():
            away = view.matrix(self.side, FARTHER)
            matrix = np.column_stack([away[:, :2], away @ (*at, 1.0)])
        here = self._bystanders.at(time_s) if self._bystanders is not None else self._scene
        size, border = (self.side, self.side), cv2.BORDER_REPLICATE
        behind = cv2.warpAffine(here, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        spill = cv2.warpAffine(self._spill, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
        if not light.is_own:
            gain = encoded(np.array(light.room) + _LAMP_BEHIND * np.array(light.lamp))
            behind, spill = np.minimum(behind * gain, 1.0), spill * gain
        return behind, spill

    def place(self, behind: Float, spill: Float, colour: Float, alpha: Float) -> Float:
        """A performer before what is behind, in RGB [0, 1]; changes `behind`. [H, W, 3]

        Args:
            behind: [H, W, 3] in [0, 1]
            spill: light from there. [H, W, 3]
            colour: [H, W, 3] in [0, 1]
            alpha: 1 = performer. [H, W]
        """
        # bright surroundings wrap around the outline, as lens and skin scatter their light
        rim = 1.0 - cv2.GaussianBlur(alpha, (0, 0), 0.012 * self.side)
        front = colour * self._key
        front += (0.55 * rim)[..., None] * spill * (1.0 - front)
        behind += alpha[..., None] * (front - behind)
        return behind

    def expose(self, picture: Float, index: int, time_s: float) -> NDArray[np.uint8]:
        """One frame of the sensor. [H, W, 3] uint8

        Args:
            picture: RGB in [0, 1]. [H, W, 3]
            index: number of the frame, picks its noise.
            time_s: picks its exposure.
        """
        drift = np.sin(2 * np.pi * np.array((0.05, 0.11, 0.23)) * time_s + self._phases)
        light = picture * (self._vignette * np.float32(1.0 + 0.018 * float(drift @ (0.5, 0.3, 0.2))))
        light = cv2.GaussianBlur(light, (0, 0), 0.42)
        rng = np.random.default_rng([self.seed, index])
        x, y = rng.integers(0, 64, 2)
        grain = self._grain[y : y + self.side, x : x + self.side]
        if rng.random() < 0.5:
            grain = grain[:, ::-1]
        np.maximum(light, 0, out=light)
        light += (np.float32(READ_NOISE) + np.float32(SHOT_NOISE) * np.sqrt(light)) * grain
        light *= 255.0
        light += 0.5
        return np.clip(light, 0, 255).astype(np.uint8)
