"""What comes between face and camera: a hand, a cup, a microphone. Their place is a function of seed and time.

They are the host's: drawn with the skin of the performer whose set it is, and moved without looking at anybody's face,
so that they are the same before the two faces of a swap.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers.cast import Look
from konterfei.performers.light import Light, encoded
from konterfei.performers.motion import Pose, ramp
from konterfei.performers.raster import Float
from konterfei.performers.solids import Capsule, Point, Sheet, Sprite

_DETAIL = 560.0
"""Pixels per frame side at which props are drawn."""
CYCLE_S = 5.0
"""Seconds from one coming to the next."""
_AWAY = (0.78, 1.55)
"""Where a prop rests, below the frame, in frame sides."""


@dataclass(frozen=True)
class Layer:
    """Something in front of a performer."""

    colour: Float
    """RGB in [0, 1]. [H, W, 3]"""
    alpha: Float
    """1 = covers. [H, W]"""


class Prop(Protocol):
    """Something that comes before a face."""

    def draw(self, pose: Pose, time_s: float, view: NDArray[np.float64], canvas: int) -> Layer | None:
        """How it looks at an instant, None where it is out of sight.

        Args:
            pose: what the performer does.
            time_s: seconds.
            view: from pixels of the performer's own frame to pixels of the drawing. [2, 3]
            canvas: width and height of the drawing, pixels.
        """


def lit(layer: Layer, look: Look, light: Light) -> Layer:
    """The layer in the light of the set and of this instant: it faces the camera."""
    toward = max(0.0, -light.toward[2])
    gain = encoded(np.array(light.room) + np.array(light.lamp) * toward) * np.asarray(look.key, np.float32)
    return Layer(np.clip(layer.colour * gain, 0.0, 1.0), layer.alpha)


def nothing(seed: int, look: Look, side: int) -> None:
    """No prop."""


@dataclass(frozen=True)
class _Stop:
    """Where a prop is at a time."""

    time_s: float
    at: Point
    """Of its origin, frame sides."""
    degrees: float
    """Turn, positive clockwise."""


class _Carried:
    """A prop that comes along a path and goes again.

    Args:
        sprite: what.
        stops: where, in the order of time; before the first and after the last it is out of sight.
        side: pixels of the performer's own frame.
        mirrored: comes from the image's left instead of its right.
        follows: how far it goes with the head.
    """

    def __init__(self, sprite: Sprite, stops: list[_Stop], side: int, mirrored: bool, follows: float) -> None:
        self._sprite, self._stops, self._side = sprite, stops, side
        self._mirrored, self._follows = mirrored, follows

    def draw(self, pose: Pose, time_s: float, view: NDArray[np.float64], canvas: int) -> Layer | None:
        local = time_s % CYCLE_S
        after = next((k for k, stop in enumerate(self._stops) if stop.time_s > local), 0)
        if after == 0:
            return None
        one, two = self._stops[after - 1 : after + 1]
        share = ramp((local - one.time_s) / (two.time_s - one.time_s))
        at = np.array(one.at) + share * (np.array(two.at) - one.at) + self._follows * np.array(pose.shift)
        turn = np.radians(one.degrees + share * (two.degrees - one.degrees)) + 0.5 * self._follows * pose.roll
        at += 0.004 * np.sin(2 * np.pi * np.array((0.9, 1.3)) * time_s)  # nobody holds quite still
        scale = self._side / self._sprite.scale
        c, s = scale * np.cos(turn), scale * np.sin(turn)
        matrix = np.array([[c, -s], [s, c]])
        if self._mirrored:
            matrix[0] *= -1
            at[0] = 1.0 - at[0]
        shift = at * self._side - matrix @ self._sprite.origin
        whole = view[:, :2] @ np.column_stack([matrix, shift])
        whole[:, 2] += view[:, 2]
        size = (canvas, canvas)
        alpha = cv2.warpAffine(self._sprite.alpha, whole, size, flags=cv2.INTER_LINEAR)
        if alpha.max() <= 0:
            return None
        border = cv2.BORDER_REPLICATE
        colour = cv2.warpAffine(self._sprite.colour, whole, size, flags=cv2.INTER_LINEAR, borderMode=border)
        return Layer(colour, alpha)


def _chance(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 0x70726F70])


def hand(seed: int, look: Look, side: int) -> Prop:
    """A hand, its back to the camera: to the mouth, over an eye, along the cheek and away."""
    rng = _chance(seed)
    late = rng.uniform(-0.12, 0.12, 4)
    cheek = (0.40, 0.56) if rng.random() < 0.5 else (0.61, 0.55)
    stops = [
        _Stop(0.15, _AWAY, -10.0),
        _Stop(0.95 + late[0], (0.585, 0.86), -26.0),
        _Stop(1.75 + late[1], (0.575, 0.85), -20.0),
        _Stop(2.45 + late[2], (0.62, 0.66), -36.0),
        _Stop(3.05 + late[3], (0.625, 0.67), -30.0),
        _Stop(3.75, (cheek[0] + 0.10, cheek[1] + 0.27), -18.0),
        _Stop(4.75, _AWAY, 0.0),
    ]
    mirrored = bool(rng.random() < 0.5)
    return _Carried(_hand_sprite(look, seed, side), stops, side, mirrored, 0.7)


def cup(seed: int, look: Look, side: int) -> Prop:
    """A mug in a fist: to the mouth, tilted, and away."""
    late = _chance(seed).uniform(-0.12, 0.12, 4)
    stops = [
        _Stop(0.15, _AWAY, 8.0),
        _Stop(1.10 + late[0], (0.52, 0.725), 0.0),
        _Stop(1.80 + late[1], (0.515, 0.662), -10.0),
        _Stop(3.00 + late[2], (0.515, 0.666), -12.0),
        _Stop(3.50 + late[3], (0.53, 0.74), 0.0),
        _Stop(4.60, _AWAY, 8.0),
    ]
    return _Carried(_cup_sprite(look, seed, side), stops, side, bool(_chance(seed + 7).random() < 0.5), 0.8)


def microphone(seed: int, look: Look, side: int) -> Prop:
    """A microphone in a fist before the mouth: it covers lips and chin for most of the time."""
    late = _chance(seed).uniform(-0.12, 0.12, 4)
    stops = [
        _Stop(0.15, _AWAY, -20.0),
        _Stop(0.95 + late[0], (0.525, 0.665), -24.0),
        _Stop(2.20 + late[1], (0.515, 0.675), -18.0),
        _Stop(3.60 + late[2], (0.53, 0.66), -28.0),
        _Stop(4.70, _AWAY, -10.0),
    ]
    return _Carried(_microphone_sprite(look, seed, side), stops, side, bool(_chance(seed + 7).random() < 0.5), 0.8)


_FINGERS = (
    ((-0.070, -0.170), (-0.088, -0.245), (-0.094, -0.305), 0.0250),
    ((-0.023, -0.184), (-0.026, -0.268), (-0.026, -0.338), 0.0260),
    ((0.023, -0.180), (0.032, -0.258), (0.037, -0.320), 0.0245),
    ((0.064, -0.158), (0.083, -0.214), (0.093, -0.262), 0.0210),
)
"""Knuckle, middle joint and tip of each finger with its radius; the origin is the wrist. Frame sides."""


def _hand_sprite(look: Look, seed: int, side: int) -> Sprite:
    sheet = Sheet(0.52, 1.20, (0.24, 0.42), _DETAIL, seed)
    skin = np.array(look.skin, np.float32)
    _sleeve(sheet, (0.0, 0.12), (0.03, 0.9), 0.085, seed)
    limbs = [Capsule((0.0, -0.02), (0.004, 0.20), 0.054, 0.062)]
    for knuckle, joint, tip, radius in _FINGERS:
        limbs += [
            Capsule((0.35 * knuckle[0], 0.0), knuckle, 0.046, radius + 0.004),
            Capsule(knuckle, joint, radius + 0.002, radius - 0.001),
            Capsule(joint, tip, radius - 0.001, radius - 0.0045),
        ]
    limbs += [Capsule((-0.02, -0.03), (-0.088, -0.095), 0.046, 0.032)]
    limbs += [Capsule((-0.088, -0.095), (-0.128, -0.150), 0.030, 0.026)]
    limbs += [Capsule((-0.128, -0.150), (-0.145, -0.205), 0.026, 0.020)]
    cover = sheet.limbs(limbs, skin, 0.022, soft=0.0045)
    dark, pale = 0.62 * skin, np.minimum(1.0, 1.12 * skin + np.array((0.06, 0.03, 0.03)))
    for knuckle, joint, tip, radius in _FINGERS:
        _creases(sheet, knuckle, joint, tip, radius, dark, cover)
        turn = float(np.degrees(np.arctan2(tip[1] - joint[1], tip[0] - joint[0])))
        sheet.spot((tip[0], tip[1] - 0.004), (0.014, 0.0105), turn, pale, 0.55)
    sheet.spot((-0.145, -0.207), (0.016, 0.012), -105.0, pale, 0.5)
    sprite = sheet.sprite(1.15 * side)
    return replace(sprite, scale=sprite.scale / 1.15)  # nearer to the camera than the face


def _creases(sheet: Sheet, knuckle: Point, joint: Point, tip: Point, radius: float, dark: Float, cover: Float) -> None:
    """Three lines across the middle joint and two below the nail."""
    for start, end, where in ((knuckle, joint, (0.93, 1.0, 1.07)), (joint, tip, (0.50, 0.58))):
        a, b = np.array(start), np.array(end)
        across = 0.8 * radius * np.array((-(b - a)[1], (b - a)[0])) / np.linalg.norm(b - a)
        for k, share in enumerate(where):
            middle = a + share * (b - a)
            bent = middle + (0.004 if k else -0.004) * (b - a) / np.linalg.norm(b - a)
            path = [middle - across, bent, middle + across]
            sheet.line([(float(p[0]), float(p[1])) for p in path], 0.0022, dark, 0.5, cover)


def _sleeve(sheet: Sheet, start: Point, end: Point, radius: float, seed: int) -> None:
    """Cloth around a forearm, with a cuff."""
    cloth = np.array(((0.16, 0.19, 0.27), (0.33, 0.31, 0.29), (0.22, 0.27, 0.22))[seed % 3], np.float32)
    way = np.array(end) - start
    cuff = tuple(float(v) for v in np.array(start) + 0.03 * way / np.linalg.norm(way))
    sheet.limbs([Capsule(start, end, radius - 0.004, 1.15 * radius)], cloth, 0.06)
    sheet.limbs([Capsule(start, (cuff[0], cuff[1]), radius, radius + 0.001)], 1.08 * cloth, 0.06)


def _fist(sheet: Sheet, look: Look, x: float, y: float, width: float, seed: int) -> None:
    """Fingers of a hand that comes from the image's right and holds something upright of `width` at (x, y)."""
    skin = np.array(look.skin, np.float32)
    _sleeve(sheet, (x + 0.17, y + 0.17), (x + 0.42, y + 0.95), 0.080, seed)
    back = [
        Capsule((x + 0.5 * width + 0.035, y + 0.005), (x + 0.15, y + 0.15), 0.066, 0.056),
        Capsule((x + 0.5 * width + 0.02, y - 0.05), (x + 0.5 * width + 0.03, y + 0.07), 0.045, 0.05),
    ]
    cover = sheet.limbs(back, skin, 0.022)
    for k, reach in enumerate((0.46, 0.52, 0.50, 0.40)):
        top = y - 0.066 + 0.044 * k
        tip = (x - reach * width, top + 0.006)
        bend = (x + 0.5 * width + 0.012, top - 0.004)
        cover = sheet.limbs([Capsule(bend, tip, 0.0235, 0.0205)], skin, 0.022, soft=0.003)
        for share in (0.32, 0.36, 0.68):
            at = bend[0] + share * (tip[0] - bend[0])
            sheet.line([(at, top - 0.016), (at - 0.003, top), (at, top + 0.016)], 0.0022, 0.62 * skin, 0.45, cover)
        pale = np.minimum(1.0, 1.12 * skin + np.array((0.06, 0.03, 0.03)))
        sheet.spot((tip[0] - 0.002, tip[1] - 0.003), (0.013, 0.010), 175.0, pale, 0.5)


def _cup_sprite(look: Look, seed: int, side: int) -> Sprite:
    """A mug whose rim is at the origin, seen from the front."""
    sheet = Sheet(0.92, 1.35, (0.24, 0.10), _DETAIL, seed)
    glaze = np.array(((0.86, 0.84, 0.80), (0.70, 0.22, 0.18), (0.20, 0.36, 0.47))[seed % 3], np.float32)
    half = 0.105 - 0.06 * np.clip(sheet.y, 0.0, 0.26)  # narrower at the foot
    across = np.clip(sheet.x / half, -1.0, 1.0)
    bend = 0.022 * np.sqrt(1.0 - across**2)
    edge = 0.7 / sheet.scale
    inside = np.clip((half - np.abs(sheet.x)) / (2 * edge) + 0.5, 0, 1)
    inside *= np.clip((sheet.y - 0.0) / (2 * edge) + 0.5, 0, 1) * np.clip((0.235 + bend - sheet.y) / (2 * edge), 0, 1)
    round_shade = 0.50 + 0.50 * np.sqrt(1.0 - (0.75 * across + 0.25) ** 2 * 0.9)
    shine = 0.35 * np.exp(-(((across + 0.45) / 0.10) ** 2))
    sheet.paint(glaze * round_shade[..., None] + shine[..., None], inside.astype(np.float32))
    for scale, tone in ((1.0, 1.08), (0.93, 0.42)):
        ring = np.clip((1.0 - np.hypot(sheet.x / (0.105 * scale), sheet.y / (0.024 * scale))) * 12.0, 0, 1)
        sheet.paint(np.minimum(1.0, tone * glaze), ring.astype(np.float32))
    _fist(sheet, look, 0.0, 0.125, 0.20, seed)
    return sheet.sprite(side)


def _microphone_sprite(look: Look, seed: int, side: int) -> Sprite:
    """A microphone whose head is at the origin."""
    sheet = Sheet(0.92, 1.40, (0.24, 0.12), _DETAIL, seed)
    sheet.limbs([Capsule((0.0, 0.05), (0.0, 0.42), 0.036, 0.028)], np.array((0.13, 0.13, 0.14), np.float32), 0.01)
    sheet.limbs([Capsule((0.0, -0.008), (0.0, 0.012), 0.066, 0.062)], np.array((0.52, 0.53, 0.55), np.float32), 0.02)
    distance = np.hypot(sheet.x, sheet.y)
    mesh = 0.5 + 0.5 * np.cos(sheet.x * 2 * np.pi / 0.011) * np.cos(sheet.y * 2 * np.pi / 0.011)
    ball = (distance < 0.062).astype(np.float32)
    sheet.colour *= (1.0 - ball * (0.22 + 0.38 * mesh))[..., None].astype(np.float32)
    band = np.clip((0.007 - np.abs(sheet.y - 0.012)) * sheet.scale, 0, 1) * (np.abs(sheet.x) < 0.064)
    sheet.colour += (0.8 * band)[..., None].astype(np.float32) * (0.30 - sheet.colour)
    _fist(sheet, look, 0.0, 0.215, 0.075, seed)
    return sheet.sprite(side)
