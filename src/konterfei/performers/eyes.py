"""Eyes without lids: the portrait's, completed where the lids hide them, so that they can turn and be covered."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers import anatomy
from konterfei.performers.cast import Image
from konterfei.performers.matting import push_pull
from konterfei.performers.raster import Float, disc, polygon_mask, smooth_curve, smooth_step


class HiddenEyeError(ValueError):
    """The lids, or what lies over them, leave nothing to complete an eye from."""


@dataclass(frozen=True)
class Eyeball:
    """An eye without its lids."""

    texture: Float
    """RGB in [0, 1]. [S, S, 3]"""
    centre: Float
    """Where the texture's middle is in the frame at rest, with depth. [3]"""
    scale: float
    """Texture pixels per frame pixel."""
    iris_radius: float
    """Frame pixels."""


def lid_outline(points: Float, eye: int) -> Float:
    """The opening between the lids as a smooth polygon. [N, 2]"""
    upper = smooth_curve(points[list(anatomy.UPPER_LID[eye])])
    lower = smooth_curve(points[list(anatomy.LOWER_LID[eye])])
    return np.concatenate([upper, lower[-2:0:-1]])


def make_eyeball(portrait: Image, mesh: Float, eye: int, frame_from_portrait: NDArray[np.float64]) -> Eyeball:
    """The image-left (0) or image-right (1) eye of a portrait.

    Args:
        portrait: RGB.
        mesh: the portrait's, in its pixels. [478, 3]
        eye: 0 or 1.
        frame_from_portrait: scale and shift. [2, 3]

    Raises:
        HiddenEyeError: too little of the eye is seen.
    """
    iris = mesh[list(anatomy.IRIS[eye]), :2]
    radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
    outline = lid_outline(mesh[:, :2], eye)
    width = float(np.ptp(outline[:, 0]))
    half = int(0.8 * width)
    middle = np.round(iris[0]).astype(int)
    x0, y0 = middle - half
    patch = portrait[y0 : y0 + 2 * half, x0 : x0 + 2 * half].astype(np.float32) / 255
    centre = iris[0] - (x0, y0)
    seen = cv2.erode(polygon_mask(outline - (x0, y0), patch.shape[:2], 0.0), disc(0.03 * width)) > 0.5
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    distance = np.hypot(x - centre[0], y - centre[1]) / radius

    white = _white(patch, seen, distance)
    coloured = _whole_iris(patch, seen, distance, y - centre[1])
    blend = smooth_step(distance, 1.16, 1.0)[..., None]  # the limbus is soft
    complete = blend * coloured + (1 - blend) * white
    trust = smooth_step(cv2.GaussianBlur(seen.astype(np.float32), (0, 0), 0.015 * width), 0.5, 1.0)[..., None]
    complete = trust * patch + (1 - trust) * complete

    zoom = float(frame_from_portrait[0, 0])
    shrink = min(1.0, 2.0 * zoom)
    texture = cv2.resize(complete.astype(np.float32), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    corners = [anatomy.UPPER_LID[eye][0], anatomy.UPPER_LID[eye][-1]]
    at = (middle - 0.5) * zoom + frame_from_portrait[:, 2]
    return Eyeball(
        texture=texture,
        centre=np.array([*at, float(mesh[corners, 2].mean()) * zoom], np.float32),
        scale=shrink / zoom,
        iris_radius=radius * zoom,
    )


def _white(patch: Float, seen: NDArray[np.bool_], distance: Float) -> Float:
    """The white of the eye all over, rounder and darker towards the edge of the ball. [S, S, 3]"""
    known = (seen & (distance > 1.2)).astype(np.float32)
    sample = patch[known > 0]
    if not len(sample):
        raise HiddenEyeError("no white of the eye is seen")
    bright = sample[sample.mean(axis=1) >= np.percentile(sample.mean(axis=1), 70)].mean(axis=0)
    drawn = push_pull(patch, known)
    round_off = 1.0 - 0.16 * smooth_step(distance, 1.2, 3.2)
    return (0.35 * drawn + 0.65 * bright) * round_off[..., None]


def _whole_iris(patch: Float, seen: NDArray[np.bool_], distance: Float, below: Float) -> Float:
    """The iris with its hidden part at the mean colour of the same distance from the pupil. [S, S, 3]"""
    steps = 24
    ring = np.minimum((distance * steps).astype(int), 2 * steps)
    valid = seen & (distance < 1.3) & (below > -0.35 * below.max())
    counts = np.bincount(ring[valid], minlength=2 * steps + 1)
    have = np.flatnonzero(counts > 3)
    if not len(have):
        raise HiddenEyeError("no iris is seen")
    out = np.empty_like(patch)
    for c in range(3):
        sums = np.bincount(ring[valid], patch[..., c][valid], 2 * steps + 1)
        profile = np.interp(np.arange(2 * steps + 1), have, sums[have] / counts[have])
        out[..., c] = np.interp(distance * steps - 0.5, np.arange(2 * steps + 1), profile)
    return out
