"""What a rendering of a performer is told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from konterfei.errors import ConfigError
from konterfei.performers.motion import STYLES
from konterfei.performers.table import CAMERAS, LIGHTS, PERFORMERS, PROPS

BACKGROUNDS = ("still", "moving")
MIN_SIZE, MAX_SIZE = 64, 2048
"""Pixels: below, lids are thinner than a pixel; above, the source pictures have no more detail."""


@dataclass(frozen=True, kw_only=True)
class PerformerConfig:
    """Render a clip of a fictional person, with its exact landmarks."""

    person: Annotated[str, PERFORMERS]
    """Who."""
    output: Path
    """Clip to write, .mp4, .mov or .mkv; `<clip>.landmarks.npz` and a manifest are written beside it."""
    seconds: float = 12.0
    """Length of the clip. The script of expressions takes 12 s and then varies."""
    fps: Fraction = Fraction(25)
    """Frames per second."""
    size: int = 512
    """Width and height in pixels, 64 to 2048, even."""
    seed: int = 1
    """Which performance: the same seed is the same motion for every performer, frame by frame."""
    sound: bool = True
    """Add a quiet synthetic voice that babbles with the mouth."""
    set_of: Annotated[str | None, PERFORMERS] = None
    """Stand where that performer stands, before the same background, light and camera; without it, on the own set. With
    the same seed and the other's set a clip is the true result of a swap onto the other."""
    light: Annotated[str, LIGHTS] = "still"
    """What changes in the light."""
    occluder: Annotated[str, PROPS] = "none"
    """What comes between face and camera, once in five seconds, at times that the seed chooses."""
    camera: Annotated[str, CAMERAS] = "still"
    """What the camera does."""
    shutter: float = 0.0
    """Share of the time between two frames for which the shutter is open, 0 to 1: motion blur. 0.5 is usual in films;
    rendering takes five times as long or more."""
    background: Literal["still", "moving"] = "still"
    """Whether people pass and things move behind the performer, out of focus."""
    partner: Annotated[str | None, PERFORMERS] = None
    """A second performer beside the first, with another motion; both are smaller then."""
    crossing: bool = False
    """The partner passes in front of the performer and goes back, once in six seconds; needs a partner."""
    style: Literal["talk", "still", "lively", "expressions"] = "talk"
    """How the performer acts: speaks and shows expressions, hardly moves, moves half as fast again, or goes through
    every movement one by one."""
    wide: bool = False
    """Turn the head up to 26 degrees instead of 15, nod up to 13 instead of 7, tilt up to 11 instead of 5."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", Path(self.output))
        object.__setattr__(self, "fps", Fraction(self.fps))
        PERFORMERS[self.person]
        if self.set_of is not None:
            PERFORMERS[self.set_of]
        if not (math.isfinite(self.seconds) and 0 < self.seconds <= 3600):
            raise ConfigError(f"--seconds is {self.seconds}: it must be more than 0 and at most 3600.")
        if not 1 <= self.fps <= 240:
            raise ConfigError(f"--fps is {self.fps}: it must be between 1 and 240.")
        if not (MIN_SIZE <= self.size <= MAX_SIZE and self.size % 2 == 0):
            raise ConfigError(f"--size is {self.size}: it must be even and between {MIN_SIZE} and {MAX_SIZE}.")
        if self.seed < 0:
            raise ConfigError(f"--seed is {self.seed}: it must be 0 or more.")
        LIGHTS[self.light], PROPS[self.occluder], CAMERAS[self.camera]  # they raise for other names
        if not 0 <= self.shutter <= 1:
            raise ConfigError(f"--shutter is {self.shutter}: it must be between 0 and 1.")
        for flag, value, known in (
            ("--background", self.background, BACKGROUNDS),
            ("--style", self.style, tuple(STYLES)),
        ):
            if value not in known:
                raise ConfigError(f"{flag} is '{value}'; it is one of {', '.join(known)}.")
        if self.partner is not None:
            PERFORMERS[self.partner]
        elif self.crossing:
            raise ConfigError("--crossing needs someone who crosses: name a --partner.")

    @property
    def num_frames(self) -> int:
        """Frames of the clip, at least one."""
        return max(1, round(self.seconds * self.fps))
