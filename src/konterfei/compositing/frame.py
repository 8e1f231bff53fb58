"""Swapped faces laid into their frame: one pure function for the batch, the tests and the studio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import COLOR_TRANSFERS, ColorTransfer
from konterfei.compositing.colors import FaceColors, skin_weights, smooth_colors
from konterfei.compositing.detail import FaceDetail, match_detail, measure_detail
from konterfei.compositing.settings import MergeSettings
from konterfei.geometry import Crop, Face, FaceType, Interpolation, Region, Similarity
from konterfei.imaging import alpha_blend, erode, feather, laplacian_blend, sharpen, support, to_float, to_uint8
from konterfei.maskers import MASKERS

Array = NDArray[Any]

MASK_SIZE: Final = 256
"""Least side of the mask, px: its edge is drawn finer than a small model draws faces."""
_RIM: Final = 0.04
"""Part of the crop on each side that is never pasted: cubic kernels reach two pixels (of 64, in the smallest model),
and a model knows least about the rim of what it was shown."""
_BROADEST: Final = 1.0 / 24.0
"""Grain of the broadest band that a multiband blend evens out, as a fraction of the crop side. Looked at on real clips:
half of it leaves a rim of light above the brows, twice of it lets the plate's own brows shine through."""
_STEEPEST: Final = 10.0
"""How much light may be added where the mask is faint: `laplacian_blend` fades over the outermost tenth of the ramp."""
_FAINT: Final = 1.0 / 512.0
"""Coverage that cannot change an 8-bit pixel, even from black to white."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Swapped:
    """One face as the model drew it.

    Attributes:
        crop: what the model was shown, at its own resolution S.
        image: RGB. [S, S, 3] float32 in [0, 1]
        mask: of the drawn face, by the model. [S, S] float32 in [0, 1]
        plate_mask: of the face that it replaces, by the model; None = as `mask`. [S, S] float32 in [0, 1]
        aligned: what the model was shown. [S, S, 3] uint8 RGB
        alpha: the mask to blend with, from `prepare`; None = `merge_frame` makes it. [W, W] float32 in [0, 1]
        colors: measured by `prepare`, perhaps smoothed over time since; None = `merge_frame` measures them.
        drawn_size: side that the model drew the face at, px; None = the crop's.
        detail: measured by `measure`, perhaps smoothed over time since; None = `merge_frame` measures it.
    """

    crop: Crop
    image: Array
    mask: Array
    aligned: Array
    plate_mask: Array | None = None
    alpha: Array | None = None
    colors: FaceColors | None = None
    drawn_size: int | None = None
    detail: FaceDetail | None = None

    @property
    def both(self) -> Array:
        """Where both faces are face, so that neither spills: what is pasted by default. [S, S] float32 in [0, 1]"""
        return self.mask if self.plate_mask is None else self.mask * self.plate_mask


def cut_face(frame: Array, face: Face, face_type: FaceType, size: int) -> tuple[Crop, Array]:
    """What to show the model: the crop of `face`, and its pixels. [S, S, 3] uint8 RGB"""
    crop = Crop.fit(face.landmarks, face_type, size)
    return crop, to_uint8(crop.cut(frame))


def prepare(face: Face, swapped: Swapped, settings: MergeSettings, time_s: float = 0.0) -> Swapped:
    """`swapped` with the mask to blend with and the colours of both faces.

    Args:
        face: in the frame.
        swapped: what the model drew.
        settings: of the merge.
        time_s: when the frame is shown; goes into the colours, for smoothing them over time.
    """
    alpha = _alpha(face, swapped, settings)
    weights = skin_weights(swapped.both, swapped.crop.crop_from_frame @ face.landmarks)
    transfer: ColorTransfer = COLOR_TRANSFERS.load(settings.color)
    colors = FaceColors(
        transfer.statistics(swapped.image, weights),
        transfer.statistics(to_float(swapped.aligned), weights),
        time_s,
        face.track,
    )
    return replace(swapped, alpha=alpha, colors=colors)


def measure(frame: Array, face: Face, swapped: Swapped, settings: MergeSettings, time_s: float = 0.0) -> Swapped:
    """A prepared face with the sharpness and the grain of the frame's pixels that it will cover.

    Args:
        frame: RGB. [H, W, 3] uint8, or uint16 with full range
        face, settings, time_s: as in `prepare`.
        swapped: prepared.
    """
    region = touched(swapped, frame.shape, settings)
    if region is None or (settings.detail <= 0 and settings.grain <= 0):
        return swapped
    assert swapped.alpha is not None
    alpha = _projected(swapped.alpha, swapped.crop, settings.face_scale, region)
    return replace(swapped, detail=measure_detail(to_float(frame[region]), alpha, time_s, face.track))


def merge_frame(frame: Array, faces: Sequence[Face], swapped: Sequence[Swapped], settings: MergeSettings) -> Array:
    """The frame with swapped faces in it. Pixels that no mask covers are bit-identical.

    Every face is cut from the frame as it came; where they overlap, the larger one lies on top.

    Args:
        frame: RGB. [H, W, 3] uint8, or uint16 with full range
        faces: in the frame.
        swapped: one for each face. Those that went through `prepare` are taken as they are.
        settings: mask, colour and size.

    Returns:
        a new array of the frame's shape and kind
    """
    if len(faces) != len(swapped):
        raise ValueError(f"{len(faces)} faces, but {len(swapped)} swapped ones")
    merged = frame.copy()
    for face, item in sorted(zip(faces, swapped, strict=True), key=lambda pair: pair[0].size):
        if item.alpha is None or item.colors is None:
            item = prepare(face, item, settings)
            assert item.colors is not None
            item = replace(item, colors=smooth_colors(item.colors, (), 0.0))
        if item.detail is None:
            item = measure(frame, face, item, settings)
        region = touched(item, frame.shape, settings)
        if region is not None:
            _lay(item, merged, region, settings)
    return merged


def touched(swapped: Swapped, frame_shape: tuple[int, ...], settings: MergeSettings) -> Region | None:
    """Rows and columns that a prepared face will change; None when nothing of it is to be seen in the frame."""
    assert swapped.alpha is not None, "prepare it first"
    box = support(np.where(swapped.alpha >= _FAINT, swapped.alpha, 0.0))
    if box is None:
        return None
    rows, columns = box
    outline = np.array(
        [[x, y] for x in (columns.start, columns.stop - 1) for y in (rows.start, rows.stop - 1)], dtype=np.float64
    )
    placed = _placed(swapped.crop, swapped.alpha.shape[0], settings.face_scale)
    corners = placed.frame_from_crop @ outline
    low, high = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 2
    height, width = frame_shape[:2]
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], width), min(high[1], height)
    if left >= right or top >= bottom:
        return None
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _lay(swapped: Swapped, merged: Array, region: Region, settings: MergeSettings) -> None:
    """Blend one prepared face into `merged`, in place, within `region`."""
    assert swapped.alpha is not None and swapped.colors is not None
    transfer: ColorTransfer = COLOR_TRANSFERS.load(settings.color)
    image = transfer.apply(swapped.image, swapped.colors.swapped, swapped.colors.plate)
    if settings.sharpen:
        image = sharpen(image, settings.sharpen)
    over = _projected(image, swapped.crop, settings.face_scale, region, "cubic")
    alpha = _projected(swapped.alpha, swapped.crop, settings.face_scale, region)
    alpha[alpha < _FAINT] = 0.0
    if swapped.detail is not None:
        drawn_size = swapped.drawn_size or swapped.crop.size
        pixel = _placed(swapped.crop, drawn_size, settings.face_scale).frame_from_crop.scale
        plate = to_float(merged[region])
        step = 1.0 / np.iinfo(merged.dtype).max
        over = match_detail(over, plate, alpha, swapped.detail, pixel, settings.detail, settings.grain, step)
    if settings.blend == "multiband":
        light = _light(image, swapped) * 0.5 + 0.5  # projecting keeps to [0, 1]
        spread = _projected(light, swapped.crop, settings.face_scale, region)
        gain = np.minimum(1.0 / np.maximum(alpha, _FAINT), _STEEPEST)
        cv2.accumulateProduct(cv2.addWeighted(spread, 2.0, spread, 0.0, -1.0), cv2.merge([gain, gain, gain]), over)
    merged[region] = alpha_blend(merged[region], over, alpha)


def _light(image: Array, swapped: Swapped) -> Array:
    """What a multiband blend adds to an alpha blend: broad differences of light, evened out over a wide band.

    Made in the crop, whose grid moves with the face, so that nothing shimmers; broad as it is, it needs no more pixels.

    Returns:
        [S, S, 3] float32 in [-1, 1]; 0 where the mask is 0
    """
    assert swapped.alpha is not None
    size = swapped.crop.size
    plate, alpha = to_float(swapped.aligned), _rescaled(swapped.alpha, size)
    levels = max(round(math.log2(size * _BROADEST)), 1)
    return laplacian_blend(plate, image, alpha, levels) - alpha_blend(plate, image, alpha)


def _alpha(face: Face, swapped: Swapped, settings: MergeSettings) -> Array:
    """The mask to blend with: what counts as face, drawn inwards, softened, 0 at the crop's rim. [W, W] float32"""
    size = max(MASK_SIZE, swapped.crop.size)
    crop = _placed(swapped.crop, size, 1.0)
    mask = MASKERS.load(settings.mask)(face, crop, _rescaled(swapped.aligned, size), _rescaled(swapped.both, size))
    rim = round(_RIM * size)
    inside = np.zeros_like(mask)
    inside[rim:-rim, rim:-rim] = mask[rim:-rim, rim:-rim]
    return feather(erode(inside, settings.erode * size), settings.feather * size)


def _placed(crop: Crop, size: int, face_scale: float) -> Crop:
    """`crop` at another size in pixels, grown about its middle in the frame by `face_scale`."""
    zoom, middle = size / crop.size, size / 2
    about_middle = Similarity.of(1 / face_scale, 0.0, (middle - middle / face_scale,) * 2)
    return Crop(crop.face_type, size, about_middle @ Similarity.of(zoom) @ crop.crop_from_frame)


def _projected(
    image: Array, crop: Crop, face_scale: float, region: Region, interpolation: Interpolation = "linear"
) -> Array:
    """A crop's picture or mask as it lies over `region` of the frame, without aliasing where it shrinks."""
    placed = _placed(crop, image.shape[0], face_scale)
    image, smaller = _shrunk(image, int(1 / placed.frame_from_crop.scale))
    placed = Crop(placed.face_type, image.shape[0], smaller @ placed.crop_from_frame)
    return placed.project(image, region, interpolation)


def _rescaled(image: Array, size: int) -> Array:
    """A crop's picture or mask at another size; pixel i comes to i * new / old, as `Crop`'s convention has it."""
    old = image.shape[0]
    if old == size:
        return image
    image, smaller = _shrunk(image, old // size)
    matrix = (Similarity.of(size / old) @ smaller.inverse()).matrix
    scaled = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return scaled.reshape(size, size, *image.shape[2:])


def _shrunk(image: Array, times: int) -> tuple[Array, Similarity]:
    """The square picture averaged over blocks, so that sampling it does not alias, and `shrunk_from_image`."""
    if times < 2:
        return image, Similarity.identity()
    side = image.shape[0] // times
    shrunk = cv2.resize(image[: side * times, : side * times], (side, side), interpolation=cv2.INTER_AREA)
    # block j covers pixels times * j ... times * j + times - 1: its centre lies half a block less half a pixel further
    return shrunk, Similarity.of(1 / times, 0.0, ((1 - times) / (2 * times),) * 2)
