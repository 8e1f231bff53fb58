"""The pictures that are stretched over the rig, made once per performer and size.

Texture space: the portrait moved and scaled so that the face stands where it stands in the frame, with a margin
around the frame; `texture = (frame - low) * SCALE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.performers import anatomy
from konterfei.performers.cast import Image
from konterfei.performers.eyes import Eyeball, lid_outline, make_eyeball
from konterfei.performers.matting import cut_out, push_pull
from konterfei.performers.measuring import Measured
from konterfei.performers.raster import (
    Float,
    disc,
    evaluate,
    planes,
    polygon_mask,
    smooth_curve,
    smooth_step,
    triangle_ids,
)
from konterfei.performers.rig import LOWER_FACE, UPPER_FACE, Rig, build_rig, channels_of

EYES_APART = 0.27
"""Distance of the outer eye corners in frame sides: a medium close-up with hair and shoulders."""
EYES_AT = (0.5, 0.43)
"""Middle of the eyes in frame sides."""
MARGIN = 0.14
"""What the textures hold beyond each edge of the frame, in frame sides: more than any pose brings into view."""
SCALE = 1.25
"""Texture pixels per frame pixel, so that turning and zooming cost no sharpness."""
_CHEEKS = (50, 280, 205, 425, 4, 151)
"""Mesh points on plain skin: two on each cheek, nose, forehead."""


@dataclass(frozen=True)
class Cavity:
    """What is seen between the lips in one expression."""

    texture: Float
    """RGB in [0, 1]. [H, W, 3]"""
    ring: Float
    """Inner edge of the lips in the texture: upper, then lower, corner to corner. [22, 2]"""


@dataclass(frozen=True)
class Lid:
    """The skin of a shut eye, without lashes: it replaces the plate's as the eye closes."""

    place: tuple[slice, slice]
    """Where in the texture."""
    colour: Float
    """RGB in [0, 1]. [h, w, 3]"""
    weight: Float
    """How much of it at full blink. [h, w, 1]"""


@dataclass(frozen=True)
class Plates:
    """Everything that is needed to draw one performer."""

    rig: Rig
    low: float
    """Frame coordinate of the texture's first pixel (x and y)."""
    colour: Float
    """The portrait without its eyes, RGB in [0, 1], drawn out beyond the outline. [H, W, 3]"""
    alpha: Float
    """1 = performer, 0 = background. [H, W]"""
    face: tuple[slice, slice]
    """The part of the texture that `folds` covers."""
    folds: dict[str, Float]
    """Channel -> change of the skin's colour at full weight, as a natural logarithm. [h, w, 3]"""
    lids: tuple[Lid, Lid]
    """How the skin around each eye looks when shut."""
    eyes: tuple[Eyeball, Eyeball]
    """Image-left, image-right."""
    cavities: dict[str, Cavity]
    """Channel -> mouth."""


def make_plates(source: Measured, open_mouth: str, frame_side: int, is_cut_out: bool = True) -> Plates:
    """Prepares a person's pictures for frames of `frame_side` pixels.

    Args:
        source: pictures and meshes; the expressions may be another person's.
        open_mouth: names the picture for "jaw".
        frame_side: pixels.
        is_cut_out: whether the person is cut out of a grey backdrop; else what is around them stays.
    """
    channels = channels_of(open_mouth)
    portrait, stills = source.pictures.portrait, source.pictures.expressions
    measured, meshes = source.portrait, source.expressions
    place = _framing(measured, frame_side)
    mesh = measured * np.float32(place[0, 0])
    mesh[:, :2] += place[:, 2].astype(np.float32)
    low, high = -MARGIN * frame_side, (1 + MARGIN) * frame_side - 1
    rig = build_rig(mesh, meshes, channels, low, high)

    colour, alpha = _portrait_plate(portrait, place, low, high, is_cut_out)
    points = (mesh[:, :2] - low) * np.float32(SCALE)
    face, folds = _folds(rig, channels, stills, meshes, points, colour)
    gain = _skin_colour(colour, points) / _skin_colour(stills["neutral"].astype(np.float32) / 255, meshes["neutral"])
    unit = rig.eye_distance * SCALE
    plain = _without_eyes(colour, points, unit)
    mouths = {channel: name for channel, (name, part) in channels.items() if part != UPPER_FACE}
    return Plates(
        rig=rig,
        low=low,
        colour=plain,
        alpha=alpha,
        face=face,
        folds=folds,
        lids=(_lid(plain, points, unit, 0), _lid(plain, points, unit, 1)),
        eyes=(make_eyeball(portrait, measured, 0, place), make_eyeball(portrait, measured, 1, place)),
        cavities={channel: _cavity(stills[name], meshes[name], gain) for channel, name in mouths.items()},
    )


def _framing(mesh: Float, frame_side: int) -> NDArray[np.float64]:
    """`frame_from_portrait`: same size and place of the eyes for everyone. [2, 3]"""
    eyes = mesh[[33, 133, 362, 263], :2].mean(axis=0)
    scale = EYES_APART * frame_side / float(np.linalg.norm(mesh[263, :2] - mesh[33, :2]))
    return np.column_stack([np.eye(2) * scale, np.array(EYES_AT) * frame_side - scale * eyes])


def _portrait_plate(
    portrait: Image, place: NDArray[np.float64], low: float, high: float, is_cut_out: bool
) -> tuple[Float, Float]:
    """Colour and coverage of the portrait in texture space."""
    picture: Float = portrait.astype(np.float32) / 255
    zoom = float(place[0, 0]) * SCALE
    step = max(1.0, 0.8 / zoom)  # the cutting out need not be finer than the texture
    if step > 1.0:
        picture = cv2.resize(picture, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    colour, alpha = cut_out(picture) if is_cut_out else (picture, np.ones(picture.shape[:2], np.float32))
    matrix = place * SCALE
    matrix[:, 2] += matrix[:, :2] @ np.full(2, (step - 1) / 2) - low * SCALE
    matrix[:, :2] *= step
    side = int(np.ceil((high - low) * SCALE)) + 1
    layers = np.dstack([colour, alpha])
    if is_cut_out:
        layers[0, :, 3] = 0.0  # nobody above the picture
    warped = cv2.warpAffine(layers, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(warped[..., :3]), np.ascontiguousarray(warped[..., 3])


def _without_eyes(colour: Float, points: Float, unit: float) -> Float:
    """The skin plate with the eyes' openings filled by lid colour: what a closing lid must not show."""
    out = colour.copy()
    for eye in (0, 1):
        outline = lid_outline(points, eye)
        place, local = _around(outline, 0.25 * unit, colour.shape[0])
        patch = colour[place]
        hole = polygon_mask(local, patch.shape[:2], 0.0)
        opening = cv2.GaussianBlur(cv2.dilate(hole, disc(0.008 * unit)), (0, 0), 0.8)[..., None]
        filled = push_pull(patch, (cv2.dilate(hole, disc(0.035 * unit)) < 0.5).astype(np.float32))
        out[place] = patch + opening * (filled - patch)
    return out


def _lid(colour: Float, points: Float, unit: float, eye: int) -> Lid:
    """Smooth skin from the fold of the upper lid to the lashes of the lower one."""
    fold = points[list(anatomy.UPPER_FOLD[eye])]
    upper, lower = points[list(anatomy.UPPER_LID[eye])], points[list(anatomy.LOWER_LID[eye])]
    top = upper.copy()
    top[1:-1] += 0.55 * (fold - upper[1:-1])
    outline = np.concatenate([smooth_curve(top), smooth_curve(lower)[-2:0:-1]])
    place, local = _around(outline, 0.25 * unit, colour.shape[0])
    hole = cv2.dilate(polygon_mask(local, colour[place].shape[:2], 0.0), disc(0.03 * unit))
    filled = push_pull(colour[place], (cv2.dilate(hole, disc(0.02 * unit)) < 0.5).astype(np.float32))
    soft = cv2.GaussianBlur(hole, (0, 0), 0.025 * unit)[..., None]
    return Lid(place=place, colour=cv2.GaussianBlur(filled, (0, 0), 0.01 * unit), weight=0.5 * soft)


def _around(outline: Float, margin: float, side: int) -> tuple[tuple[slice, slice], Float]:
    """The part of a texture around an outline, and the outline in it."""
    low = np.clip(np.floor(outline.min(axis=0) - margin), 0, side).astype(int)
    high = np.clip(np.ceil(outline.max(axis=0) + margin), 0, side).astype(int)
    return (slice(low[1], high[1]), slice(low[0], high[0])), outline - low.astype(np.float32)


def _folds(
    rig: Rig,
    channels: Mapping[str, tuple[str, str]],
    stills: Mapping[str, Image],
    meshes: Mapping[str, Float],
    points: Float,
    colour: Float,
) -> tuple[tuple[slice, slice], dict[str, Float]]:
    """Expression over neutral, both laid over the portrait: light and style of the small pictures cancel out.

    What is kept is a ratio per pixel, smooth in colour: the portrait's pores, moles and hairs stay where they are, and
    nothing can ghost.
    """
    count, unit = anatomy.NUM_SKIN, rig.eye_distance * SCALE
    low = np.maximum(np.floor(points[:count].min(axis=0) - 4), 0).astype(int)
    high = np.ceil(points[:count].max(axis=0) + 4).astype(int)
    face = (slice(low[1], high[1]), slice(low[0], high[0]))
    local = points[:count] - low.astype(np.float32)
    colour = colour[face]
    shape = colour.shape[:2]
    triangles = rig.triangles[(rig.triangles < count).all(axis=1)]
    ids = triangle_ids(local, triangles, np.arange(len(triangles)), shape)

    def logarithm(name: str) -> Float:
        grid = evaluate(planes(local, triangles, meshes[name][:count, :2]), ids)
        still: Float = stills[name].astype(np.float32) / 255
        laid = cv2.remap(still, grid[0], grid[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.log(np.maximum(laid, 0.04))

    allowed = _plain_skin(local, unit, shape) * _not_hair(colour, unit)
    y = (np.arange(shape[0], dtype=np.float32)[:, None] - local[1, 1]) / unit
    parts = {LOWER_FACE: smooth_step(y, -0.30, 0.05), UPPER_FACE: smooth_step(y, -0.05, -0.45)}
    neutral = logarithm("neutral")
    folds = {}
    for channel, (name, part) in channels.items():
        weight = (allowed * parts.get(part, np.float32(1))).astype(np.float32)
        ratio = np.clip(logarithm(name) - neutral, -0.8, 0.3)
        light = ratio.mean(axis=-1, keepdims=True)
        light = np.where(light < 0, 0.52 * light, light)  # folds of a small sharp picture are too hard for a large one
        # brightness in detail, colour only broadly: small pictures have blotches, and hairs that do not match
        broad = _blurred(ratio - ratio.mean(axis=-1, keepdims=True), weight, 0.05 * unit)
        tone = 0.0 if part == LOWER_FACE else 0.7  # an open mouth's lips would redden the chin
        folds[channel] = (_blurred(light, weight, max(0.8, 0.009 * unit)) + tone * broad) * weight[..., None]
    return face, folds


def _blurred(values: Float, weight: Float, sigma: float) -> Float:
    """Normalised blur: what the eyes and the mouth hide does not leak out of their holes. [H, W, C]"""
    total = np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 0.05)[..., None]
    out = cv2.GaussianBlur(values * weight[..., None], (0, 0), sigma)
    return out.reshape(values.shape) / total


def _plain_skin(points: Float, unit: float, shape: tuple[int, int]) -> Float:
    """1 on skin, 0 in the eyes, between the lips and outside the face, soft between. [H, W]"""
    face = polygon_mask(points[list(anatomy.OVAL)], shape, 0.0)
    mask = cv2.GaussianBlur(cv2.erode(face, disc(0.07 * unit)), (0, 0), 0.03 * unit)
    lips = points[[*anatomy.INNER_LIPS_UPPER, *anatomy.INNER_LIPS_LOWER[::-1]]]
    holes = [(lid_outline(points, 0), 0.03), (lid_outline(points, 1), 0.03), (lips, 0.015)]
    for outline, margin in holes:
        grown = cv2.dilate(polygon_mask(outline, shape, 0.0), disc(margin * unit))
        mask = mask * (1 - cv2.GaussianBlur(grown, (0, 0), max(0.6, 0.5 * margin * unit)))
    return mask


def _not_hair(colour: Float, unit: float) -> Float:
    """0 in brows and beard, where the strands of two pictures never match. [H, W]"""
    grey = cv2.GaussianBlur(colour.mean(axis=-1), (0, 0), 0.02 * unit)
    skin = float(np.percentile(grey, 70))
    return smooth_step(grey / skin, 0.30, 0.62).astype(np.float32)


def _cavity(image: Image, mesh: Float, gain: Float) -> Cavity:
    """The mouth of one expression's picture in the portrait's light."""
    ring = mesh[[*anatomy.INNER_LIPS_UPPER, *anatomy.INNER_LIPS_LOWER], :2]
    pad = 0.5 * float(np.ptp(ring[:, 0]))
    x0, y0 = np.maximum(np.floor(ring.min(axis=0) - pad).astype(int), 0)
    x1, y1 = np.ceil(ring.max(axis=0) + pad).astype(int)
    texture = np.clip(image[y0:y1, x0:x1].astype(np.float32) / 255 * gain, 0, 1).astype(np.float32)
    # a little inside the lips' edge, so that no lip is drawn twice
    middle = (ring[:11] + ring[11:]) / 2
    inner = np.concatenate([middle, middle])
    distance = np.linalg.norm(ring - inner, axis=1, keepdims=True)
    ring = ring + (inner - ring) * np.minimum(0.9, 0.10 + 1.1 / np.maximum(distance, 1e-3))
    return Cavity(texture=texture, ring=(ring - (x0, y0)).astype(np.float32))


def _skin_colour(image: Float, points: Float) -> Float:
    """Mean colour around the cheeks, nose and forehead. [3]"""
    blurred = cv2.GaussianBlur(image, (0, 0), 2.0)
    x, y = np.clip(np.round(points[list(_CHEEKS), :2]).astype(int), 0, np.array(image.shape[1::-1]) - 1).T
    return np.maximum(blurred[y, x].mean(axis=0), 0.02)
