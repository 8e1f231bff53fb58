"""What a performer does at an instant: a pure function of (seed, time), the same for every performer.

Because nobody's face enters here, two performers rendered with one seed do exactly the same thing in every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

YAW_LIMIT = 0.27
"""Largest turn of the head in radians (15.5 degrees): beyond about 18 a warped portrait looks false."""
PITCH_LIMIT = 0.13
"""Largest nod in radians (7.5 degrees)."""
ROLL_LIMIT = 0.09
"""Largest tilt in radians (5 degrees)."""

WIDER = {"yaw": 1.7, "pitch": 1.7, "roll": 2.2}
"""How much farther the head goes in a wide performance: 26, 13 and 11 degrees. Beyond, the far cheek is squeezed."""

CYCLE_S = 12.0
"""Length in seconds of the script of expressions; it repeats with other speech and head movement."""

STYLES: dict[str, str] = {
    "talk": "speaks, smiles, frowns, is surprised",
    "still": "says nothing and hardly moves; blinks and glances",
    "lively": "as talk, half as fast again",
    "expressions": "goes through every movement one by one, a second each",
}
"""Ways to perform."""

_ONE_BY_ONE = (
    ("blink", 1.0), ("jaw", 0.9), ("wide", 0.9), ("pucker", 0.9), ("smile", 1.0), ("surprise", 1.0),
    ("frown", 1.0), ("gaze_x", 0.7), ("gaze_y", 0.4), ("yaw", YAW_LIMIT), ("pitch", PITCH_LIMIT), ("roll", ROLL_LIMIT),
)  # fmt: skip
"""What "expressions" does, in its order, and how far; the last five to one side and then to the other."""


@dataclass(frozen=True, kw_only=True)
class Pose:
    """Head, gaze and expression at one instant. Angles in radians, shifts in frame sides, weights in [0, 1]."""

    yaw: float = 0.0
    """Turn of the head, positive towards the image's right."""
    pitch: float = 0.0
    """Nod, positive downwards."""
    roll: float = 0.0
    """Tilt, positive clockwise in the image."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Movement of the head, in frame sides (x right, y down)."""
    sway: tuple[float, float] = (0.0, 0.0)
    """Movement of the shoulders, in frame sides."""
    zoom: float = 1.0
    """Nearer to (> 1) or farther from the camera."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Turn of the eyes in their sockets, in iris radii (x right, y down)."""
    blink: float = 0.0
    """0 = lids as the expression has them, 1 = closed."""
    jaw: float = 0.0
    """Open mouth."""
    wide: float = 0.0
    """Mouth drawn sideways as in "ee"."""
    pucker: float = 0.0
    """Lips narrowed as in "oo"."""
    smile: float = 0.0
    """Smile of the whole face, teeth showing."""
    surprise: float = 0.0
    """Raised brows and wide eyes."""
    frown: float = 0.0
    """Brows drawn together."""


def ramp(x: float) -> float:
    """Smooth step of [0, 1] with zero slope and curvature at both ends (Perlin's quintic)."""
    x = min(max(x, 0.0), 1.0)
    return x * x * x * (x * (x * 6.0 - 15.0) + 10.0)


def _swell(time_s: float, start: float, end: float, rise: float, fall: float) -> float:
    """0 outside [start, end], 1 between the ramps."""
    return ramp((time_s - start) / rise) * ramp((end - time_s) / fall)


class Motion:
    """A performance.

    Args:
        seed: another seed is another performance of the same kind.
        style: one of `STYLES`.
        wide: turn, nod and tilt the head farther.
    """

    def __init__(self, seed: int, style: str = "talk", wide: bool = False) -> None:
        self.seed, self.style, self.wide = seed, style, wide
        rng = np.random.default_rng([seed, 0x6B6F6E])
        # slow drift of head and body: sums of sines, so that any instant can be asked for without a state
        self._frequencies = rng.uniform(0.06, 0.42, (8, 4))
        self._phases = rng.uniform(0.0, 2.0 * np.pi, (8, 4))
        self._cycle_seed = int(rng.integers(1 << 31))

    def _drift(self, channel: int, time_s: float) -> float:
        """Band-limited noise, mostly within [-1, 1]."""
        waves = np.sin(2.0 * np.pi * self._frequencies[channel] * time_s + self._phases[channel])
        return float(np.tanh(0.85 * waves.sum()))

    def at(self, time_s: float) -> Pose:
        """What is done at `time_s` seconds (>= 0)."""
        pose = self._talk(1.5 * time_s if self.style == "lively" else time_s)
        if self.style == "still":
            pose = _calmed(pose, 0.25)
        elif self.style == "expressions":
            pose = _one_by_one(_calmed(pose, 0.15), time_s)
        return _widened(pose) if self.wide else pose

    def _talk(self, time_s: float) -> Pose:
        cycle, local = divmod(time_s, CYCLE_S)
        rng = np.random.default_rng([self._cycle_seed, int(cycle)])
        script = _Script(rng)
        smile = script.smile(local)
        surprise = script.surprise(local)
        jaw, wide, pucker, loudness = script.speech(local)
        nod = 0.30 * loudness * np.sin(2.0 * np.pi * 1.3 * time_s + self._phases[0, 0])
        yaw = YAW_LIMIT * self._drift(0, time_s)
        pitch = PITCH_LIMIT * (0.72 * self._drift(1, time_s) + 0.22 * nod - 0.30 * surprise)
        roll = ROLL_LIMIT * (0.8 * self._drift(2, time_s) + 0.2 * smile)
        sway = (0.012 * self._drift(3, time_s), 0.004 * self._drift(4, time_s) + 0.002 * np.sin(1.6 * time_s))
        shift = (sway[0] + 0.055 * yaw + 0.008 * self._drift(5, time_s), sway[1] + 0.03 * pitch)
        look = script.gaze(local)
        return Pose(
            yaw=yaw,
            pitch=float(pitch),
            roll=float(roll),
            shift=(float(shift[0]), float(shift[1])),
            sway=(float(sway[0]), float(sway[1])),
            zoom=1.0 + 0.012 * self._drift(6, time_s),
            # the eyes hold the camera while the head turns, and sometimes look away
            gaze=(float(np.clip(-1.1 * yaw + look[0], -0.75, 0.75)), float(np.clip(-0.9 * pitch + look[1], -0.4, 0.4))),
            blink=script.blink(local) * (1.0 - 0.85 * surprise),
            jaw=max(jaw * (1.0 - 0.75 * smile), surprise * script.gasp),
            wide=wide * (1.0 - smile),
            pucker=pucker * (1.0 - smile) * (1.0 - surprise),
            smile=smile,
            surprise=surprise,
            frown=script.frown(local) * (1.0 - surprise) * (1.0 - smile),
        )


def _calmed(pose: Pose, share: float) -> Pose:
    """A share of the head's and the shoulders' movement; of the face only blinks and glances."""
    shift, sway = ((share * x, share * y) for x, y in (pose.shift, pose.sway))
    calm = Pose(yaw=share * pose.yaw, pitch=share * pose.pitch, roll=share * pose.roll, shift=shift, sway=sway)
    return replace(calm, zoom=1.0 + share * (pose.zoom - 1.0), gaze=pose.gaze, blink=pose.blink)


def _widened(pose: Pose) -> Pose:
    """The same with larger turns of the head; the eyes still hold the camera as far as they can."""
    yaw, pitch = WIDER["yaw"] * pose.yaw, WIDER["pitch"] * pose.pitch
    gaze = (
        float(np.clip(pose.gaze[0] - 1.1 * (yaw - pose.yaw), -0.75, 0.75)),
        float(np.clip(pose.gaze[1] - 0.9 * (pitch - pose.pitch), -0.4, 0.4)),
    )
    return replace(pose, yaw=yaw, pitch=pitch, roll=WIDER["roll"] * pose.roll, gaze=gaze)


def _one_by_one(calm: Pose, time_s: float) -> Pose:
    """What `_ONE_BY_ONE` says for this second, on a face that does nothing else."""
    slot, local = divmod(time_s, 1.0)
    name, most = _ONE_BY_ONE[int(slot) % len(_ONE_BY_ONE)]
    weight = _swell(local, 0.0, 1.0, rise=0.35, fall=0.35)
    if name in ("gaze_x", "gaze_y", "yaw", "pitch", "roll"):
        weight = float(np.sin(2.0 * np.pi * local)) * _swell(local, 0.0, 1.0, rise=0.15, fall=0.15)
    pose = replace(calm, blink=0.0, gaze=(0.0, 0.0))
    if name == "gaze_x":
        return replace(pose, gaze=(most * weight, 0.0))
    if name == "gaze_y":
        return replace(pose, gaze=(0.0, most * weight))
    return replace(pose, **{name: getattr(pose, name) + most * weight})


class _Script:
    """Twelve seconds of acting: speak, smile, speak, be surprised, frown; a blink every two or three seconds.

    Args:
        rng: where the times vary.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        jitter = rng.uniform(-0.25, 0.25, 8)
        self._smile = (4.3 + jitter[0], 6.9 + jitter[1])
        self._surprise = (9.0 + jitter[2], 10.5 + jitter[3])
        self._frown = (7.2 + jitter[4], 8.6 + jitter[5])
        self.gasp = float(rng.uniform(0.75, 1.0))
        self._blinks = np.cumsum(rng.uniform(1.7, 3.1, 8)) - 0.6
        self._syllables = self._speak(rng)
        self._looks = [(float(t), rng.uniform(-0.55, 0.55), rng.uniform(-0.25, 0.2)) for t in (1.6, 3.4, 7.6, 11.0)]

    @staticmethod
    def _speak(rng: np.random.Generator) -> list[tuple[float, float, float, float, float]]:
        """Syllables (middle, half width, jaw, wide, pucker): 4 to 5 a second, with pauses for breath."""
        syllables = []
        for begin, end in ((0.5, 4.2), (6.9, 9.0), (10.7, 11.6)):
            time_s = begin
            while time_s < end:
                vowel = rng.integers(4)
                loud = rng.uniform(0.45, 1.0)
                jaw, wide, pucker = ((0.85, 0.1, 0.0), (0.25, 0.6, 0.0), (0.35, 0.0, 0.75), (0.55, 0.25, 0.15))[vowel]
                half = rng.uniform(0.10, 0.15)
                syllables.append((time_s + half, half, jaw * loud, wide * loud, pucker * loud))
                time_s += 1.55 * half + (rng.uniform(0.2, 0.4) if rng.random() < 0.12 else 0.0)
        return syllables

    def speech(self, time_s: float) -> tuple[float, float, float, float]:
        """Jaw, wide, pucker and loudness, each in [0, 1]."""
        out = np.zeros(3)
        for middle, half, *weights in self._syllables:
            reach = abs(time_s - middle) / (1.6 * half)
            if reach < 1.0:
                out += (0.5 + 0.5 * np.cos(np.pi * reach)) * np.array(weights)
        jaw, wide, pucker = np.minimum(out, 0.95)
        return float(jaw), float(wide), float(pucker), float(min(1.0, out.sum()))

    def smile(self, time_s: float) -> float:
        return 0.95 * _swell(time_s, *self._smile, rise=0.7, fall=0.8)

    def surprise(self, time_s: float) -> float:
        return _swell(time_s, *self._surprise, rise=0.32, fall=0.6)

    def frown(self, time_s: float) -> float:
        return 0.8 * _swell(time_s, *self._frown, rise=0.5, fall=0.5)

    def blink(self, time_s: float) -> float:
        """Closes in about 90 ms and opens in about 160 ms, as people do."""
        value = 0.0
        for middle in self._blinks:
            side = (middle - time_s) / 0.12 if time_s < middle else (time_s - middle - 0.04) / 0.20
            value = max(value, 1.0 - ramp(max(side, 0.0)))
        return value

    def gaze(self, time_s: float) -> tuple[float, float]:
        """Glances away that last about a second, with quick jumps at both ends."""
        x = y = 0.0
        for start, dx, dy in self._looks:
            weight = _swell(time_s, start, start + 0.9, rise=0.08, fall=0.08)
            x, y = x + weight * dx, y + weight * dy
        return x, y
