"""Facesets of drawn people who turn their heads and open their mouths as they are told."""

from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from drawn_faces import ANNA, SIZE, embedding
from konterfei.geometry import HEAD_68, Crop, Face, FaceType, head_pose
from konterfei.geometry.landmarks import hull_mask
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader

FRAME = (320, 240)


@dataclass(frozen=True, kw_only=True)
class Posed:
    """One face: degrees as in records, mouth in units of the mean head, light brighter to the right if positive."""

    yaw: float = 0.0
    pitch: float = 0.0
    mouth: float = 0.0
    light: float = 0.0
    skin: tuple = ANNA
    blur: float = 0.0
    frame: int | None = None
    shift: tuple = (0.0, 0.0)


def head(mouth=0.0):
    """The mean head with its mouth opened. [68, 3] float64"""
    points = HEAD_68.astype(np.float64).copy()
    points[[65, 66, 67], 1] += mouth
    points[[55, 56, 57, 58, 59], 1] += mouth
    return points


def landmarks(yaw=0.0, pitch=0.0, mouth=0.0, shift=(0.0, 0.0)):
    """Seen from far away, in a frame of 320 x 240. [68, 2] float32"""
    x, y = np.radians(-pitch), np.radians(yaw)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    turned = head(mouth) @ (about_y @ about_x).T
    return (turned[:, :2] * 0.8 + [160, 115] + np.asarray(shift)).astype(np.float32)


def picture(points, posed):
    """A frame with the face, shaded, its skin grained. [240, 320, 3] uint8"""
    grain = np.random.default_rng(7).normal(0, 6, (240, 320, 1))
    across = (np.arange(320) - points[:, 0].mean()) / (np.ptp(points[:, 0]) / 2)
    shade = np.clip(1 + posed.light * across, 0.2, 1.8)[None, :, None]
    skin = np.clip(np.array(posed.skin) * 0.8 * shade + grain, 0, 255).astype(np.uint8)
    hull = hull_mask(points, (240, 320))[..., None] > 0.5
    image = np.where(hull, skin, np.uint8(60)).astype(np.uint8)
    parts = [(slice(36, 42), (20, 20, 20)), (slice(42, 48), (20, 20, 20)), (slice(48, 60), (160, 30, 40))]
    parts += [(slice(17, 22), (50, 30, 20)), (slice(22, 27), (50, 30, 20)), (slice(60, 68), (30, 5, 5))]
    for part, color in parts:
        cv2.fillPoly(image, [np.rint(points[part]).astype(np.int32)], color, cv2.LINE_AA)
    return cv2.GaussianBlur(image, (0, 0), posed.blur) if posed.blur else image


def record(posed, index, source):
    points = landmarks(posed.yaw, posed.pitch, posed.mouth, posed.shift)
    number = index if posed.frame is None else posed.frame
    return FaceRecord(
        source=source,
        frame_index=number,
        pts=Fraction(number, 25),
        face=Face(
            box=np.array([*points.min(0), *points.max(0)]), landmarks=points, embedding=embedding(posed.skin), track=0
        ),
        pose=tuple(head_pose(points)),
        face_type=FaceType.WHOLE,
        size=SIZE,
        crop_from_frame=Crop.fit(points, FaceType.WHOLE, SIZE).crop_from_frame.matrix,
        frame_size=FRAME,
    )


def faceset(folder, faces, *, pooled=False):
    """A faceset of these `Posed`; gives its folder."""
    source = f"{folder.name}.mp4"
    header = FacesetHeader(face_type=FaceType.WHOLE, size=SIZE, source="" if pooled else source)
    with Faceset.create(folder, header) as made:
        for index, posed in enumerate(faces):
            told = record(posed, index, source)
            made.add(told.crop.cut(picture(told.face.landmarks, posed)), told)
    return folder
