"""The pictures that are stretched over the rig, made once per performer and size.

Texture space: the portrait moved and scaled so that the face stands where it stands in the frame, with a margin
around the frame; `texture = (frame - low) * scale`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.landmarkers import Window
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.performers import anatomy
from konterfei.performers.cast import Image, Pictures
from konterfei.performers.raster import evaluate, planes, polygon_mask, triangle_ids
from konterfei.performers.rig import CHANNELS, FULL_FACE, LOWER_FACE, Float, Rig, build_rig, smooth_step

EYES_APART = 0.27
"""Distance of the outer eye corners in frame sides: a medium close-up with hair and shoulders."""
EYES_AT = (0.5, 0.43)
"""Middle of the eyes in frame sides."""
MARGIN = 0.14
"""What the textures hold beyond each edge of the frame, in frame sides: more than any pose brings into view."""
SCALE = 1.25
"""Texture pixels per frame pixel, so that turning and zooming cost no sharpness."""


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


@dataclass(frozen=True)
class Cavity:
    """What is seen between the lips in one expression."""

    texture: Float
    """RGB in [0, 1]. [H, W, 3]"""
    ring: Float
    """Inner edge of the lips in the texture: upper, then lower, corner to corner. [22, 2]"""


@dataclass(frozen=True)
class Plates:
    """Everything that is needed to draw one performer."""

    rig: Rig
    low: float
    """Frame coordinate of the texture's first pixel (x and y)."""
    colour: Float
    """The portrait, RGB in [0, 1], hair and skin drawn out beyond the outline. [H, W, 3]"""
    alpha: Float
    """1 = performer, 0 = background. [H, W]"""
    wrinkles: dict[str, Float]
    """Channel -> what the expression adds to the skin's colour at full weight. [H, W, 3]"""
    eyes: tuple[Eyeball, Eyeball]
    """Image-left, image-right."""
    cavities: dict[str, Cavity]
    """Channel -> mouth."""


def make_plates(pictures: Pictures, frame_side: int, landmarker: Mesh478) -> Plates:
    """Measures a person's pictures and prepares them for frames of `frame_side` pixels."""
    portrait_mesh = _measure(pictures.portrait, landmarker)
    needed = {"neutral", *(name for name, _ in CHANNELS.values())}
    meshes = {name: _measure(pictures.expressions[name], landmarker) for name in sorted(needed)}

    frame_from_portrait = _framing(portrait_mesh, frame_side)
    zoom = float(frame_from_portrait[0, 0])
    mesh = portrait_mesh * np.float32(zoom)
    mesh[:, :2] += frame_from_portrait[:, 2].astype(np.float32)
    low, high = -MARGIN * frame_side, (1 + MARGIN) * frame_side - 1
    rig = build_rig(mesh, meshes, low, high)

    side = int(np.ceil((high - low) * SCALE)) + 1
    texture_from_portrait = frame_from_portrait.copy() * SCALE
    texture_from_portrait[:, 2] -= low * SCALE
    whole = _shrink(pictures.portrait, texture_from_portrait, (side, side))
    alpha = _matte(pictures.portrait)
    alpha = _shrink(alpha, texture_from_portrait, (side, side), border=cv2.BORDER_REPLICATE)[..., 0]
    top = int(-low * SCALE + 0.2 * frame_side)
    del top
    return Plates(
        rig=rig,
        low=low,
        colour=_draw_out(whole, alpha),
        alpha=alpha,
        wrinkles=_wrinkles(rig, pictures.expressions, meshes, low, side),
        eyes=(_eyeball(pictures.portrait, portrait_mesh, 0, frame_from_portrait), _eyeball(pictures.portrait, portrait_mesh, 1, frame_from_portrait)),
        cavities={
            channel: _cavity(pictures.expressions[name], meshes[name], whole, mesh, meshes["neutral"], pictures.expressions["neutral"], low)
            for channel, (name, part) in CHANNELS.items()
            if part in (FULL_FACE, LOWER_FACE)
        },
    )


def _measure(image: Image, landmarker: Mesh478) -> Float:
    """Mesh of the one face in a picture, found without a detector: the pictures are alike. [478, 3]"""
    height, width = image.shape[:2]
    window = Window(width / 2, height * 0.42, height * 0.85, 0.0)
    for _ in range(4):
        found = landmarker.landmarks(image, [window])[0]
        window = found.window
    assert found.mesh is not None
    return found.mesh.astype(np.float32)


def _framing(mesh: Float, frame_side: int) -> NDArray[np.float64]:
    """`frame_from_portrait`: same size and place of the eyes for everyone. [2, 3]"""
    eyes = mesh[[33, 133, 362, 263], :2].mean(axis=0)
    scale = EYES_APART * frame_side / float(np.linalg.norm(mesh[263, :2] - mesh[33, :2]))
    goal = np.array(EYES_AT) * frame_side
    return np.column_stack([np.eye(2) * scale, goal - scale * eyes])


def _shrink(image: NDArray, matrix: NDArray[np.float64], size: tuple[int, int], border: int = cv2.BORDER_REPLICATE) -> Float:
    """Warps to `size` without aliasing, to float32 in [0, 1]. [H, W, C]"""
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    source = image.astype(np.float32) / 255.0 if image.dtype == np.uint8 else image
    if scale < 0.8:
        source = cv2.GaussianBlur(source, (0, 0), 0.35 / scale)
    out = cv2.warpAffine(source, matrix, size, flags=cv2.INTER_CUBIC, borderMode=border)
    return np.clip(out.reshape(out.shape[0], out.shape[1], -1), 0.0, 1.0)


def _matte(image: Image) -> Float:
    """The performer cut out of plain grey. [H, W] in [0, 1]"""
    pixels = image.astype(np.float32) / 255.0
    height, width = pixels.shape[:2]
    y, x = np.mgrid[0:height:8, 0:width:8].astype(np.float32)
    x, y = x / width - 0.5, y / height - 0.5
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    thumb = cv2.GaussianBlur(pixels, (0, 0), 3.0)[::8, ::8]
    sure = (y < 0.0) & (np.abs(x) > 0.35) | (y < -0.49)
    for _ in range(4):  # grow the known background to wherever the fitted grey fits
        fit = np.linalg.lstsq(basis[sure], thumb[sure], rcond=None)[0]
        sure = (np.abs(thumb - basis @ fit).max(axis=-1) < 0.04) & ((np.abs(x) > 0.3) | (y < -0.45))
    grey = cv2.resize((basis @ fit).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    difference = np.abs(pixels - grey).max(axis=-1)
    alpha = smooth_step(difference, 0.035, 0.16).astype(np.float32)
    # inside the outline everything is solid, whatever its colour
    solid = cv2.morphologyEx((alpha > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    padded = cv2.copyMakeBorder(solid, 1, 0, 1, 1, cv2.BORDER_CONSTANT, value=0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(padded)
    biggest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0
    outside = (labels != biggest).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)
    inside = (outside != 2)[1:, 1:-1].astype(np.uint8)
    core = cv2.erode(inside, np.ones((15, 15), np.uint8)).astype(np.float32)
    reach = cv2.dilate(inside, np.ones((25, 25), np.uint8)).astype(np.float32)
    return np.maximum(alpha * cv2.GaussianBlur(reach, (0, 0), 4.0), cv2.GaussianBlur(core, (0, 0), 3.0))


def _draw_out(colour: Float, alpha: Float) -> Float:
    """Replaces the grey in and beyond the soft outline by the performer's nearest own colour."""
    out = colour.copy()
    known = (alpha > 0.97).astype(np.float32)
    filled = np.zeros_like(colour)
    weight = np.zeros_like(alpha)
    for sigma in (1.5, 3.0, 6.0, 12.0, 24.0, 48.0):
        w = cv2.GaussianBlur(known, (0, 0), sigma)
        c = cv2.GaussianBlur(colour * known[..., None], (0, 0), sigma) / np.maximum(w, 1e-6)[..., None]
        fresh = (weight == 0) & (w > 0.02)
        filled[fresh] = c[fresh]
        weight[fresh] = 1
    keep = smooth_step(alpha, 0.6, 0.97)[..., None]
    return np.where((weight > 0)[..., None], keep * out + (1 - keep) * filled, out).astype(np.float32)


def _warp(source: Float, from_points: Float, to_points: Float, triangles: NDArray[np.int32], side: int) -> tuple[Float, NDArray[np.bool_]]:
    """Piecewise affine warp of a picture into texture space, and where it has content."""
    ids = triangle_ids(to_points, triangles, np.arange(len(triangles)), (side, side))
    grid = evaluate(planes(to_points, triangles, from_points), ids)
    return cv2.remap(source, grid[0], grid[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), ids >= 0


def _wrinkles(rig: Rig, images: dict[str, Image], meshes: dict[str, Float], low: float, side: int) -> dict[str, Float]:
    """Expression minus neutral, both laid over the portrait: light and style of the small pictures cancel out."""
    count = anatomy.NUM_SKIN
    triangles = rig.triangles[(rig.triangles < count).all(axis=1)]
    points = (rig.rest[:count, :2] - low) * SCALE
    unit = rig.eye_distance * SCALE
    allowed = _skin_only(points, unit, side)
    neutral, _ = _warp(images["neutral"].astype(np.float32) / 255, meshes["neutral"][:count, :2], points, triangles, side)
    nose_y = float(points[1, 1])
    y = (np.arange(side, dtype=np.float32)[:, None] - nose_y) / unit
    parts = {FULL_FACE: np.ones_like(y), LOWER_FACE: smooth_step(y, -0.30, 0.05), "upper": 1.0 - smooth_step(y, -0.45, -0.05)}
    out = {}
    for channel, (name, part) in CHANNELS.items():
        image, _ = _warp(images[name].astype(np.float32) / 255, meshes[name][:count, :2], points, triangles, side)
        weight = (allowed * parts[part])[..., None]
        # normalised blur: what the eyes and the mouth hide does not leak out of their holes
        difference = cv2.GaussianBlur((image - neutral) * weight, (0, 0), 0.008 * unit)
        norm = cv2.GaussianBlur(weight[..., 0], (0, 0), 0.008 * unit)[..., None]
        out[channel] = (difference / np.maximum(norm, 0.05) * weight).astype(np.float32)
    return out


def _skin_only(points: Float, unit: float, side: int) -> Float:
    """1 on skin, 0 in the eyes, between the lips and outside the face. [H, W]"""
    face = polygon_mask(points[list(anatomy.OVAL)], (side, side), 0.0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(0.07 * unit) + 1,) * 2)
    face = cv2.GaussianBlur(cv2.erode(face, kernel), (0, 0), 0.03 * unit)
    for upper, lower in zip(anatomy.UPPER_LID, anatomy.LOWER_LID, strict=True):
        face *= 1 - _grown(points[[*upper, *lower[::-1]]], side, 0.035 * unit)
    return face * (1 - _grown(points[[*anatomy.INNER_LIPS_UPPER, *anatomy.INNER_LIPS_LOWER[::-1]]], side, 0.015 * unit))


def _grown(polygon: Float, side: int, by: float) -> Float:
    mask = polygon_mask(polygon, (side, side), 0.0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(by)) + 1,) * 2)
    return cv2.GaussianBlur(cv2.dilate(mask, kernel), (0, 0), max(0.6, 0.5 * by))


def _eyeball(portrait: Image, mesh: Float, eye: int, frame_from_portrait: NDArray[np.float64]) -> Eyeball:
    """The eye of the portrait, completed under its lids."""
    ring = mesh[[*anatomy.UPPER_LID[eye], *anatomy.LOWER_LID[eye][::-1]], :2]
    iris = mesh[list(anatomy.IRIS[eye]), :2]
    radius = float(np.linalg.norm(iris[1:] - iris[0], axis=1).mean())
    width = float(np.ptp(ring[:, 0]))
    half = int(0.75 * width)
    centre = iris[0]
    origin = np.round(centre).astype(int) - half
    patch = portrait[origin[1] : origin[1] + 2 * half, origin[0] : origin[0] + 2 * half].astype(np.float32) / 255
    local = ring - origin
    hole = polygon_mask(local, patch.shape[:2], 0.0)
    inset = max(1, round(0.035 * width))
    known = cv2.erode(hole, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * inset + 1,) * 2)) > 0.5
    patch = _complete_iris(patch, known, centre - origin, radius)
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    distance = np.hypot(x - (centre - origin)[0], y - (centre - origin)[1])
    known |= distance < 1.04 * radius
    # the white of the eye beyond the lids: what is known, drawn outwards
    filled, have = patch * known[..., None], known.astype(np.float32)
    out = patch.copy()
    sclera = np.where((distance > 1.1 * radius) & known, 1.0, 0.0).astype(np.float32)
    blurred = cv2.GaussianBlur(filled * sclera[..., None], (0, 0), 0.22 * width) / np.maximum(cv2.GaussianBlur(sclera, (0, 0), 0.22 * width), 1e-4)[..., None]
    edge = cv2.GaussianBlur(have, (0, 0), 0.012 * width)[..., None]
    out = np.where(known[..., None], patch, blurred) * 1.0
    soft = smooth_step(edge, 0.5, 1.0)
    out = soft * out + (1 - soft) * np.where(distance[..., None] < 1.04 * radius, patch, blurred)
    scale = float(frame_from_portrait[0, 0])
    at = (np.round(centre) - 0.5) * scale + frame_from_portrait[:, 2]
    depth = float(mesh[[anatomy.UPPER_LID[eye][0], anatomy.UPPER_LID[eye][-1]], 2].mean()) * scale
    shrink = min(1.0, 2.0 * scale)
    texture = cv2.resize(out.astype(np.float32), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return Eyeball(texture=texture, centre=np.array([*at, depth], np.float32), scale=shrink / scale, iris_radius=radius * scale)


def _complete_iris(patch: Float, known: NDArray[np.bool_], centre: Float, radius: float) -> Float:
    """Fills the part of the iris that the lids hide by the mean colour at the same distance from the pupil."""
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    distance = np.hypot(x - centre[0], y - centre[1])
    ring = np.clip(np.round(distance).astype(int), 0, int(1.6 * radius))
    valid = known & (distance < 1.5 * radius) & (y > centre[1] - 0.2 * radius)
    counts = np.bincount(ring[valid], minlength=ring.max() + 1)
    profile = np.stack([np.bincount(ring[valid], patch[..., c][valid], ring.max() + 1) for c in range(3)], axis=1)
    have = np.flatnonzero(counts > 3)
    profile = np.stack([np.interp(np.arange(ring.max() + 1), have, profile[have, c] / counts[have]) for c in range(3)], axis=1)
    soft = cv2.GaussianBlur(known.astype(np.float32), (0, 0), 0.06 * radius)[..., None]
    soft = smooth_step(soft, 0.5, 1.0) * known[..., None]
    inside = (distance < 1.05 * radius)[..., None]
    return np.where(inside, soft * patch + (1 - soft) * profile[ring], patch).astype(np.float32)


def _cavity(image: Image, mesh: Float, portrait: Float, portrait_mesh: Float, neutral_mesh: Float, neutral: Image, low: float) -> Cavity:
    """The mouth of one expression's picture in the portrait's light."""
    cheeks = [50, 280, 205, 425, 4, 151]
    ours = portrait_mesh[cheeks, :2] - low
    gain = _sample(portrait, ours * SCALE) / np.maximum(_sample(neutral.astype(np.float32) / 255, neutral_mesh[cheeks, :2]), 0.02)
    ring = mesh[[*anatomy.INNER_LIPS_UPPER, *anatomy.INNER_LIPS_LOWER], :2]
    pad = 0.5 * float(np.ptp(ring[:, 0]))
    x0, y0 = np.maximum(np.floor(ring.min(axis=0) - pad).astype(int), 0)
    x1, y1 = np.ceil(ring.max(axis=0) + pad).astype(int)
    texture = np.clip(image[y0:y1, x0:x1].astype(np.float32) / 255 * gain, 0, 1).astype(np.float32)
    return Cavity(texture=cv2.GaussianBlur(texture, (0, 0), 0.5), ring=(ring - (x0, y0)).astype(np.float32))


def _sample(image: Float, points: Float) -> Float:
    """Mean colour around points. [3]"""
    blurred = cv2.GaussianBlur(image, (0, 0), 2.0)
    x, y = np.clip(np.round(points).astype(int), 0, np.array(image.shape[1::-1]) - 1).T
    return blurred[y, x].mean(axis=0)
