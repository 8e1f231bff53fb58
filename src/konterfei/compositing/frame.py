"""Swapped faces laid into their frame: one pure function for the batch, the tests and the studio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import COLOR_TRANSFERS, ColorTransfer
from konterfei.compositing.colors import FaceColors, skin_weights, smooth_colors
from konterfei.compositing.detail import match_detail, measure_detail
from konterfei.compositing.dfl_frame import merge_as_dfl
from konterfei.compositing.faces import MASK_SIZE, Layer, Merged, Swapped
from konterfei.compositing.placing import place, project, rescale
from konterfei.compositing.settings import MergeSettings
from konterfei.errors import ConfigError
from konterfei.geometry import Face, Region
from konterfei.imaging import (
    alpha_blend,
    coarsen,
    erode,
    feather,
    few_colors,
    median_smooth,
    motion_blur,
    sharpen,
    support,
    to_float,
    to_kind,
)
from konterfei.maskers import MASKERS, Masker, Masks
from konterfei.merge_modes import MERGE_MODES, Laid, MergeMode, Patch
from konterfei.occluders import OCCLUDERS

Array = NDArray[Any]

_RIM: Final = 0.04
"""Part of the crop on each side that is never pasted: cubic kernels reach two pixels (of 64, in the smallest model),
and a model knows least about the rim of what it was shown."""
_STEEPEST: Final = 10.0
"""How much light may be added where the mask is faint: `laplacian_blend` fades over the outermost tenth of the ramp."""
_NOTHING: Final = np.zeros((MASK_SIZE, MASK_SIZE), np.float32)
_FAINT: Final = 1.0 / 512.0
"""Coverage that cannot change an 8-bit pixel, even from black to white."""


def prepare(face: Face, swapped: Swapped, settings: MergeSettings, time_s: float = 0.0) -> Swapped:
    """`swapped` with the mask to blend with and the colours of both faces.

    Args:
        face: in the frame.
        swapped: what the model drew; with the segmenter's masks, where the settings need them (ConfigError).
        settings: of the merge.
        time_s: when the frame is shown; goes into the colours, for smoothing them over time.
    """
    if settings.dfl is not None:  # makes its own of both
        return swapped
    alpha = blend_mask(face, swapped, settings)
    weights = skin_weights(swapped.bare, swapped.crop.crop_from_frame @ face.landmarks)
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
    region = touched(swapped, frame.shape, settings) if settings.matches_detail else None
    if region is None:
        return swapped
    assert swapped.alpha is not None
    alpha = project(swapped.alpha, swapped.crop, settings.face_scale, region)
    return replace(swapped, detail=measure_detail(to_float(frame[region]), alpha, time_s, face.track))


def merge_frame(frame: Array, faces: Sequence[Face], swapped: Sequence[Swapped], settings: MergeSettings) -> Array:
    """The frame with swapped faces in it: the image of `merge_layers`."""
    return merge_layers(frame, faces, swapped, settings).image


def merge_layers(frame: Array, faces: Sequence[Face], swapped: Sequence[Swapped], settings: MergeSettings) -> Merged:
    """The frame with swapped faces in it. Pixels that no mask covers are bit-identical.

    Every face is cut from the frame as it came; where they overlap, the larger one lies on top.

    Args:
        frame: RGB. [H, W, 3] uint8, or uint16 with full range
        faces: in the frame.
        swapped: one for each face. Those that went through `prepare` are taken as they are.
        settings: mode, mask, colour and size.

    Returns:
        a new array of the frame's shape and kind, and the faces in it; in raw-predict, the drawn face itself, [S, S, 3]

    Raises:
        ConfigError: several faces in raw-predict; a mask that needs a segmenter, and no masks of one; settings of one
            face that are for whole frames.
    """
    if len(faces) != len(swapped):
        raise ValueError(f"{len(faces)} faces, but {len(swapped)} swapped ones")
    for own in (item.settings for item in swapped if item.settings is not None):
        if own.dfl_exact != settings.dfl_exact or own.is_square != settings.is_square:
            raise ConfigError(
                "dfl_exact and the mode raw-predict make whole frames: they cannot be set for one face. Set them for "
                "the frame, or choose another mode for the face."
            )
    if settings.dfl is not None:
        return merge_as_dfl(frame, faces, swapped, settings.dfl)
    mode: MergeMode = MERGE_MODES.load(settings.mode)
    if mode.cover == "picture" and len(faces) > 1:
        raise ConfigError(
            f"There are {len(faces)} faces in one frame, and --mode {settings.mode} makes one face the picture. Delete "
            "the crops of the others from the faceset, or choose --mode raw-rgb, which holds all of them."
        )
    merged = frame.copy()
    layers = []
    for face, item in sorted(zip(faces, swapped, strict=True), key=lambda pair: pair[0].size):
        own = item.settings or settings
        if item.alpha is None or item.colors is None:
            item = prepare(face, item, own)
            assert item.colors is not None
            item = replace(item, colors=smooth_colors(item.colors, (), 0.0))
        if item.detail is None:
            item = measure(frame, face, item, own)
        region = touched(item, frame.shape, own)
        if region is not None:
            layers.append(_lay(face, item, frame, merged, region, own))
        if mode.cover == "picture":
            merged = to_kind(item.image, frame.dtype)
    return Merged(image=merged, layers=tuple(layers))


def untouched(frame: Array, settings: MergeSettings, size: int) -> Array:
    """What stands for a frame without faces: the frame itself; where the picture is the model's square of side `size`,
    a black one.
    """
    return np.zeros((size, size, 3), frame.dtype) if settings.is_square else frame


def touched(swapped: Swapped, frame_shape: tuple[int, ...], settings: MergeSettings) -> Region | None:
    """Rows and columns that a prepared face will change; None when nothing of it is to be seen in the frame."""
    if settings.dfl is not None:
        return slice(0, frame_shape[0]), slice(0, frame_shape[1])
    assert swapped.alpha is not None, "prepare it first"
    mode: MergeMode = MERGE_MODES.load(settings.mode)
    whole = mode.cover == "crop"
    box = support(_square(swapped) if whole else np.where(swapped.alpha >= _FAINT, swapped.alpha, 0.0))
    if box is None:
        return None
    rows, columns = box
    outline = np.array(
        [[x, y] for x in (columns.start, columns.stop - 1) for y in (rows.start, rows.stop - 1)], dtype=np.float64
    )
    placed = place(swapped.crop, swapped.alpha.shape[0], settings.face_scale)
    corners = placed.frame_from_crop @ outline
    low, high = np.floor(corners.min(axis=0)).astype(int) - 1, np.ceil(corners.max(axis=0)).astype(int) + 2
    height, width = frame_shape[:2]
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], width), min(high[1], height)
    if left >= right or top >= bottom:
        return None
    return slice(int(top), int(bottom)), slice(int(left), int(right))


def _lay(face: Face, swapped: Swapped, frame: Array, merged: Array, region: Region, settings: MergeSettings) -> Layer:
    """Blend one prepared face into `merged`, in place, within `region`."""
    assert swapped.alpha is not None
    mode: MergeMode = MERGE_MODES.load(settings.mode)
    laid = _drawn(face, swapped, frame, mode, settings)
    alpha = project(swapped.alpha, swapped.crop, settings.face_scale, region)
    alpha[alpha < _FAINT] = 0.0
    if mode.cover in ("mask", "crop"):
        over = project(laid.image, swapped.crop, settings.face_scale, region, "cubic")
        if swapped.detail is not None:
            over = _like_plate(over, frame[region], alpha, swapped, settings)
        cover = alpha
        if mode.cover == "crop":
            cover = project(_square(swapped), swapped.crop, settings.face_scale, region)
        if laid.light is not None:
            spread = project(laid.light * 0.5 + 0.5, swapped.crop, settings.face_scale, region)  # it keeps to [0, 1]
            spread -= np.float32(0.5)
            gain = np.minimum(2.0 / np.maximum(alpha, _FAINT), 2.0 * _STEEPEST)
            cv2.accumulateProduct(spread, cv2.merge([gain, gain, gain]), over)
        merged[region] = _finished(merged, region, over, cover, settings)
    placed = place(swapped.crop, laid.image.shape[0], settings.face_scale)
    return Layer(face=face, swapped=swapped, region=region, alpha=alpha, image=laid.image, placed=placed)


def _like_plate(over: Array, plate: Array, alpha: Array, swapped: Swapped, settings: MergeSettings) -> Array:
    """`over` as sharp and as grainy as the plate; not sharpened where that is done by hand."""
    assert swapped.detail is not None
    pixel = place(swapped.crop, swapped.drawn_size or swapped.crop.size, settings.face_scale).frame_from_crop.scale
    by_hand = settings.sharpen != 0 or settings.motion_blur > 0
    return match_detail(
        over,
        to_float(plate),
        alpha,
        swapped.detail,
        pixel,
        detail=0.0 if by_hand else settings.detail,
        grain=settings.grain,
        step=1.0 / np.iinfo(plate.dtype).max,
    )


def _square(swapped: Swapped) -> Array:
    """All of the crop but what cubic kernels mix with what lies outside. [W, W] float32"""
    assert swapped.alpha is not None
    size = swapped.alpha.shape[0]
    rim = -(-2 * size // swapped.crop.size) + 1
    square = np.zeros_like(swapped.alpha)
    square[rim:-rim, rim:-rim] = 1.0
    return square


def _drawn(face: Face, swapped: Swapped, frame: Array, mode: MergeMode, settings: MergeSettings) -> Laid:
    """The face as it is pasted, in its crop: colours and mode, sharpness, motion."""
    assert swapped.alpha is not None and swapped.colors is not None
    image, size = swapped.image, swapped.crop.size
    if mode.is_raw:
        return Laid(image=image)
    transfer: ColorTransfer = COLOR_TRANSFERS.load(settings.color)
    if not mode.color_last:
        image = transfer.apply(image, swapped.colors.swapped, swapped.colors.plate)
    under = swapped.aligned
    if settings.face_scale != 1.0:
        under = place(swapped.crop, size, settings.face_scale).cut(frame)
    laid = mode.lay(
        Patch(
            image=image,
            plate=to_float(under),
            alpha=rescale(swapped.alpha, size),
            match_masked=settings.match_masked,
            match_upto=settings.match_upto,
        )
    )
    image = laid.image
    if mode.color_last:
        weights = skin_weights(swapped.both, swapped.crop.crop_from_frame @ face.landmarks)
        image = transfer.apply(image, transfer.statistics(image, weights), swapped.colors.plate)
    if settings.sharpen > 0:
        image = sharpen(image, settings.sharpen, box=settings.sharpen_mode == "box")
    elif settings.sharpen < 0:
        image = median_smooth(image, -settings.sharpen)
    if settings.motion_blur and swapped.motion is not None:
        turn = place(swapped.crop, size, settings.face_scale).crop_from_frame.matrix[:, :2]
        x, y = turn @ np.asarray(swapped.motion) * settings.motion_blur
        image = motion_blur(image, (float(x), float(y)))
    return replace(laid, image=image)


def _finished(merged: Array, region: Region, over: Array, cover: Array, settings: MergeSettings) -> Array:
    """`over` blended into the region of `merged`, whose own pixels are made worse under the mask if asked for."""
    under = merged[region]
    if settings.plate_denoise or settings.plate_resolution < 1.0:
        under = alpha_blend(under, _worsened(merged, region, settings), np.minimum(cover * _STEEPEST, 1.0))
    blended = alpha_blend(under, over, cover)
    if settings.palette:
        share = np.minimum(cover * _STEEPEST, 1.0) * np.float32(settings.palette)
        blended = alpha_blend(blended, few_colors(blended), share)
    return blended


def _worsened(frame: Array, region: Region, settings: MergeSettings) -> Array:
    """The region of the frame, without grain and coarse."""
    worse = frame
    if settings.plate_denoise:
        reach, (rows, columns) = 3 * int(np.ceil(settings.plate_denoise)), region
        around = (
            slice(max(rows.start - reach, 0), rows.stop + reach),
            slice(max(columns.start - reach, 0), columns.stop + reach),
        )
        worse = frame.copy()
        worse[around] = median_smooth(frame[around], settings.plate_denoise)
    if settings.plate_resolution < 1.0:
        worse = coarsen(worse, settings.plate_resolution)  # of the whole frame, so that its grid stands still
    return worse[region]


def blend_mask(face: Face, swapped: Swapped, settings: MergeSettings) -> Array:
    """The mask to blend with: what counts as face, drawn inwards, softened, 0 at the crop's rim. [W, W] float32"""
    size = max(MASK_SIZE, swapped.crop.size)
    crop = place(swapped.crop, size, 1.0)
    masker: Masker = MASKERS.load(settings.mask)
    if masker.needs_segmenter and (swapped.seg_mask is None or swapped.seg_plate_mask is None):
        raise ConfigError(
            f"--mask {settings.mask} needs a segmenter. Give --segmenter a model of XSeg, taken over from DeepFaceLab "
            "with konterfei import dfl-model, or choose a mask without xseg in its name."
        )
    known = {
        "drawn": swapped.mask,
        "plate": swapped.mask_of_plate,
        "seg_drawn": swapped.seg_mask,
        "seg_plate": swapped.seg_plate_mask,
        "labels": swapped.label_mask,
        **{name: swapped.fronts.get(name, _NOTHING) for name in OCCLUDERS},
    }
    if "labels" in masker.needs and swapped.label_mask is None:  # nothing was drawn onto this one
        known["labels"] = MASKERS.load("hull")(face, crop, Masks())
    mask = masker(face, crop, Masks(**{name: rescale(known[name], size) for name in masker.needs}))  # type: ignore[arg-type]
    rim = round(_RIM * size)
    inside = np.zeros_like(mask)
    inside[rim:-rim, rim:-rim] = mask[rim:-rim, rim:-rim]
    mode: MergeMode = MERGE_MODES.load(settings.mode)
    if mode.is_raw:
        return inside
    return feather(erode(inside, settings.erode * size), settings.feather * size)
