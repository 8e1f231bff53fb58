"""One take: performers, set, light, camera and what comes between them, instant by instant and frame by frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.landmarkers.mesh478 import MESH_TO_68
from konterfei.performers.camera import Camera
from konterfei.performers.config import PerformerConfig
from konterfei.performers.drawing import Artist, Drawing
from konterfei.performers.light import GAMMA, Light, encoded
from konterfei.performers.measuring import measured
from konterfei.performers.motion import Motion, Pose, ramp
from konterfei.performers.plates import make_plates
from konterfei.performers.props import Layer, Prop, lit
from konterfei.performers.raster import Float
from konterfei.performers.shots import View
from konterfei.performers.table import CAMERAS, LIGHTS, PERFORMERS, PROPS
from konterfei.performers.truth import packed_cover

PARTNER_SEED = 1000
"""What is added to the seed for the partner's motion."""
TOGETHER = 0.76
"""Size of each of two performers, 1 = as large as one alone."""
_PLACES = (0.30, 0.73)
"""Middles of the two performers, in frame sides from the left."""
_CROSSED = 0.30
"""Where the partner goes who crosses."""
_CROSSING_S = 6.0
"""Seconds from one crossing to the next."""
_SMOOTH = 1.0
"""Most pixels that anything moves from one sub-frame to the next."""
MIN_SUB_FRAMES, MAX_SUB_FRAMES = 5, 41
"""Sub-frames of a frame with motion blur; odd, so that one lies in the middle of the time."""
_PROP_SPEED = 1.2
"""Fastest that a prop moves, in frame sides per second."""
_CONTACT = 0.22
"""How dark the shadow is that a prop throws onto a performer, 1 = black."""


@dataclass(frozen=True)
class Shot:
    """What is true about one performer in one frame; see `Truth` for units."""

    landmarks: Float
    iris: Float
    mesh: Float
    head: tuple[float, ...]
    pose: Pose
    view: View
    light: Light
    visible: NDArray[np.bool_]
    cover: NDArray[np.uint8]


@dataclass(frozen=True)
class Instant:
    """The light that falls on the sensor at one instant, and what is where."""

    picture: Float
    """RGB in [0, 1], before lens and sensor. [H, W, 3]"""
    drawings: tuple[Drawing, ...]
    """The performer, and the partner if there is one."""
    poses: tuple[Pose, ...]
    covers: tuple[Float, ...]
    """What stands in front of each. [H, W] in [0, 1]"""
    view: View
    light: Light


def motion_of(config: PerformerConfig, is_partner: bool = False) -> Motion:
    """What the performer or the partner does."""
    return Motion(config.seed + (PARTNER_SEED if is_partner else 0), config.style, config.wide)


class Take:
    """Draws the frames of a clip; each is a function of the settings and its time.

    Args:
        config: what is wanted.
    """

    def __init__(self, config: PerformerConfig) -> None:
        self.config = config
        people = [config.person, *([config.partner] if config.partner else [])]
        self.look = PERFORMERS.load(config.set_of or config.person).look
        self.own_side = 2 * round(TOGETHER * config.size / 2) if config.partner else config.size
        self._motions = [motion_of(config, is_partner=k > 0) for k in range(len(people))]
        self._artists = []
        for name in people:
            performer = PERFORMERS.load(name)
            plates = make_plates(measured(performer.name), performer.open_mouth, self.own_side)
            self._artists.append(Artist(plates, self.own_side, self.look, config.size))
        self._light, self._view = LIGHTS.load(config.light), CAMERAS.load(config.camera)
        moves, is_alive = config.camera != "still", config.background == "moving"
        self._camera = Camera(config.size, config.seed, self.look, moves, is_alive)
        self._can_be_covered = config.occluder != "none" or config.partner is not None
        self._prop: Prop | None = PROPS.load(config.occluder)(config.seed, self.look, self.own_side)

    def frame(self, index: int, time_s: float) -> tuple[NDArray[np.uint8], tuple[Shot, ...]]:
        """Frame `index` at `time_s` seconds, RGB [H, W, 3], and the truth about everybody in it."""
        times = self.sub_frames(time_s)
        size = self.config.size
        light = np.zeros((size, size, 3), np.float32)
        covers = np.zeros((len(self._artists), size, size), np.float32)
        for number, time in enumerate(times):
            instant = self.instant(time)
            if len(times) > 1:
                light += linear(instant.picture)
            covers += instant.covers
            if number == len(times) // 2:
                middle = instant
        picture = middle.picture if len(times) == 1 else from_linear(light / len(times))
        shots = tuple(self._shot(middle, role, cover / len(times)) for role, cover in enumerate(covers))
        return self._camera.expose(picture, index, time_s), shots

    def sub_frames(self, time_s: float) -> list[float]:
        """Times at which the frame at `time_s` is drawn: enough that nothing jumps from one to the next."""
        open_s = self.config.shutter / float(self.config.fps)
        if open_s == 0.0:
            return [time_s]
        ends = [max(0.0, time_s - open_s / 2), time_s + open_s / 2]
        far = _PROP_SPEED * open_s * self.config.size / 2 if self._prop is not None else 0.0
        for role, artist in enumerate(self._artists):
            first, last = (
                artist.points(self._motions[role].at(t), self._matrix(role, self._view(self.config.seed, t), t))
                for t in ends
            )
            far = max(far, float(np.linalg.norm(last - first, axis=1).max()))
        count = min(max(math.ceil(far / _SMOOTH), MIN_SUB_FRAMES), MAX_SUB_FRAMES) | 1
        return [max(0.0, time_s + open_s * ((k + 0.5) / count - 0.5)) for k in range(count)]

    def instant(self, time_s: float) -> Instant:
        """What the camera sees at one instant."""
        size = self.config.size
        light, view = self._light(self.config.seed, time_s), self._view(self.config.seed, time_s)
        poses = tuple(motion.at(time_s) for motion in self._motions)
        matrices = [self._matrix(role, view, time_s) for role in range(len(poses))]
        drawings = tuple(
            artist.draw(pose, light, matrix)
            for artist, pose, matrix in zip(self._artists, poses, matrices, strict=True)
        )
        picture, spill = self._camera.behind(poses[0].sway, view, light, time_s)
        covers = [np.zeros((size, size), np.float32) for _ in poses]
        layer = self._layer(poses[0], light, matrices[0], time_s)
        # from the back to the front: the performer before a partner who stands still, behind one who crosses
        order = (0, 1) if self.config.crossing else (1, 0)
        for role in [r for r in order if r < len(poses)]:
            drawing = drawings[role]
            for other in [o for o in order[: order.index(role)] if o < len(poses)]:
                covers[other] = np.maximum(covers[other], drawing.alpha)
            picture = self._camera.place(picture, spill, drawing.colour, drawing.alpha)
            if role == 0 and layer is not None:
                _lay(picture, layer, drawing.alpha, 0.012 * size)
                covers = [np.maximum(c, layer.alpha) if o in order[: order.index(0) + 1] else c
                          for o, c in enumerate(covers)]  # fmt: skip
        if light.exposure != 1.0:
            picture *= encoded(light.exposure)
        return Instant(picture, drawings, poses, tuple(covers), view, light)

    def _layer(self, pose: Pose, light: Light, matrix: NDArray[np.float64] | None, time_s: float) -> Layer | None:
        """What the performer has before the face, in this light."""
        if self._prop is None:
            return None
        own = np.eye(2, 3) if matrix is None else matrix
        layer = self._prop.draw(pose, time_s, own, self.config.size)
        return None if layer is None else lit(layer, self.look, light)

    def _matrix(self, role: int, view: View, time_s: float) -> NDArray[np.float64] | None:
        """From pixels of a performer's own frame to pixels of the frame [2, 3]; None where they are the same."""
        size = self.config.size
        seen = view.matrix(size)
        if self.config.partner is None:
            return None if self.config.camera == "still" else seen
        middle = _PLACES[role]
        if role == 1 and self.config.crossing:
            local = time_s % _CROSSING_S
            middle += (_CROSSED - middle) * ramp((local - 0.6) / 1.8) * ramp((_CROSSING_S - 0.4 - local) / 1.8)
        place = np.array([middle * size - self.own_side / 2, size - self.own_side])
        return np.column_stack([seen[:, :2], seen @ (*place, 1.0)])

    def _shot(self, instant: Instant, role: int, cover: Float) -> Shot:
        drawing, pose = instant.drawings[role], instant.poses[role]
        landmarks = drawing.points[MESH_TO_68]
        size = self.config.size
        at = np.round(landmarks).astype(int)
        is_inside = ((at >= 0) & (at < size)).all(axis=1)
        x, y = np.clip(at, 0, size - 1).T
        scale = pose.zoom * instant.view.scale * self.own_side / size
        return Shot(
            landmarks=landmarks,
            iris=drawing.iris,
            mesh=drawing.points,
            head=(pose.yaw, pose.pitch, pose.roll + instant.view.roll, scale, *map(float, drawing.head)),
            pose=pose,
            view=instant.view,
            light=instant.light,
            visible=is_inside & (cover[y, x] <= 0.5),
            cover=packed_cover(cover) if self._can_be_covered else np.zeros((0, 0), np.uint8),
        )


def linear(picture: Float) -> Float:
    """Light that makes an encoded picture."""
    return np.asarray(np.maximum(picture, 0.0) ** np.float32(GAMMA), np.float32)


def from_linear(light: Float) -> Float:
    """The encoded picture that light makes."""
    return np.asarray(light ** np.float32(1.0 / GAMMA), np.float32)


def _lay(picture: Float, layer: Layer, performer: Float, shadow: float) -> None:
    """Lays something over the picture, in place, with the soft shadow that it throws onto the performer.

    Args:
        picture: RGB in [0, 1]. [H, W, 3]
        layer: what is laid over it.
        performer: 1 = where the performer is. [H, W]
        shadow: softness, pixels.
    """
    dark = cv2.GaussianBlur(layer.alpha, (0, 0), max(0.8, shadow))
    drop = max(1, round(0.8 * shadow))
    dark = np.roll(dark, drop, axis=0)
    dark[:drop] = 0.0
    picture *= (1.0 - _CONTACT * dark * performer)[..., None]
    picture += layer.alpha[..., None] * (layer.colour - picture)
