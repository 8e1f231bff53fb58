"""DeepFaceLab's merger to the letter, quirks included, for shots that must match old ones (dfl-spec 8.4).

Whole frames of float BGR, as there; nothing else in konterfei works like this. Quirks are marked [Q]. Not followed: its
random numbers, which are new in each call and flicker (here they come from a seed), and division by zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from konterfei.compositing import dfl_colors
from konterfei.compositing.dfl_settings import DflSettings
from konterfei.errors import ConfigError
from konterfei.geometry import Crop, FaceType, hull_mask

Array = NDArray[Any]
Enhancer = Callable[[Array], Array]
"""BGR picture [r, r, 3] float32 -> the same face [4r, 4r, 3], values of any range."""

_FAINT: Final = 1.0 / 255.0
_LEAST_SIDE: Final = 4
"""A mask whose box is smaller leaves the frame as it is, px."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DflFace:
    """One face as a model of side r drew it.

    Attributes:
        landmarks: in the frame. [68, 2]
        face_type: of the model.
        image: RGB. [r, r, 3] float32 in [0, 1]
        mask: learned-prd. [r, r] float32 in [0, 1]
        plate_mask: learned-dst, likewise.
        seg_mask: XSeg-prd, [256, 256] float32 in [0, 1]; only for mask modes 6, 8 and 9
        seg_plate_mask: XSeg-dst, likewise; for 7 to 9
        motion: of the face's middle, from the frame before to the one after, (x, y) px; None = no motion blur.
    """

    landmarks: Array
    face_type: FaceType
    image: Array
    mask: Array
    plate_mask: Array
    seg_mask: Array | None = None
    seg_plate_mask: Array | None = None
    motion: tuple[float, float] | None = None


def merge_exactly(
    frame: Array, faces: Sequence[DflFace], settings: DflSettings, enhance: Enhancer | None = None, seed: int = 0
) -> tuple[Array, list[Array]]:
    """The frame with the faces in it, and their masks, as DeepFaceLab makes them.

    Args:
        frame: RGB. [H, W, 3] uint8 or uint16 (seamless cloning rounds the whole picture to 8 bits all the same)
        faces: in DeepFaceLab's order; in raw-predict one at most.
        settings: of this frame.
        enhance: for super resolution.
        seed: of the random directions of idt, sot and mix.

    Returns:
        RGB of the frame's shape and kind, cut off to whole steps, not rounded; each face's mask, [H, W] float32 in
        [0, 1] (DeepFaceLab's mask picture is their sum, cut off at 1). In raw-predict both are of the model's size.

    Raises:
        ConfigError: several faces in raw-predict; super resolution without `enhance`; a mask of XSeg that is not there.
    """
    if settings.mode == "raw-predict" and len(faces) > 1:
        raise ConfigError(f"There are {len(faces)} faces in one frame; raw-predict makes one face the picture.")
    white = np.float32(np.iinfo(frame.dtype).max)
    plate = np.ascontiguousarray(frame[..., ::-1]).astype(np.float32) / white
    if not faces:
        return frame.copy(), []
    out, masks = None, []
    for face in faces:
        image, mask = _merge_face(plate, face, settings, enhance, seed)
        out = image if out is None else out * (1 - mask[..., None]) + image * mask[..., None]
        masks.append(mask)
    assert out is not None
    cut = (np.clip(out, 0, 1) * white).astype(frame.dtype)
    return np.ascontiguousarray(cut[..., ::-1]), masks


def _merge_face(
    plate: Array, face: DflFace, settings: DflSettings, enhance: Enhancer | None, seed: int
) -> tuple[Array, Array]:
    """Picture and mask of one face on the plate as it came (step by step as in dfl-spec 8.4)."""
    side = face.image.shape[0]
    drawn = np.clip(face.image[..., ::-1], 0, 1).astype(np.float32)
    size = 4 * side if settings.super_resolution_power else side
    if settings.super_resolution_power:
        drawn = _enhanced(drawn, settings.super_resolution_power, enhance)
    scale = 1 + 0.01 * settings.output_face_scale  # positive covers less of the frame: a smaller face
    into = _matrix(face, size)
    into_scaled = _matrix(face, size, scale)
    shown = _cut(plate, into, size)

    selected = _selected(plate, face, settings, into, size)
    fine = 4 * side
    work = _resized(selected, fine)
    if not settings.is_raw:
        work = eroded_and_blurred(work, side, settings.erode_mask_modifier, settings.blur_mask_modifier)
    mask = _back(work, _matrix(face, fine, scale), plate.shape)
    mask[mask < _FAINT] = 0
    small = np.clip(_resized(work, size), 0, 1)

    if settings.mode == "original":
        return plate, mask
    if settings.mode == "raw-predict":
        return drawn, small
    if settings.mode == "raw-rgb":
        cover = _back(np.ones((size, size), np.float32), into_scaled, plate.shape)[..., None]
        pasted = _back(drawn, into_scaled, plate.shape)
        return np.clip(plate * (1 - cover) + pasted * cover, 0, 1), mask
    if not _is_large_enough(mask):
        return plate, mask

    area = (small > 0).astype(np.float32)
    if not settings.mode.startswith("seamless"):
        drawn = dfl_colors.transfer(settings.color_transfer_mode, drawn, shown, area, seed)
    if settings.mode == "hist-match":
        drawn = _histogram_matched(drawn, shown, area, settings)
    out = _back(drawn, into_scaled, plate.shape)
    if settings.mode.startswith("seamless"):
        out = _cloned(plate, out, mask)
    cover = mask[..., None]
    out = plate * (1 - cover) + out * cover
    out = _post_processed(plate, out, shown, area, mask, face, settings, into, seed)
    if settings.color_degrade_power:
        out = _few_colors(out, settings.color_degrade_power / 100)
    return out, mask


def _enhanced(drawn: Array, power: int, enhance: Enhancer | None) -> Array:
    if enhance is None:
        raise ConfigError("--dfl-exact: super_resolution_power needs an enhancer, and there is none. Set it to 0.")
    size, share = 4 * drawn.shape[0], np.float32(power / 100)
    large = cv2.resize(drawn, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.clip(large * (1 - share) + enhance(drawn).astype(np.float32) * share, 0, 1)


def _selected(plate: Array, face: DflFace, settings: DflSettings, into: Array, size: int) -> Array:
    """The mask of the mask mode, in the crop. [S, S]"""
    mode = settings.mask_mode
    learned = [_resized(np.clip(m, 0, 1).astype(np.float32), size) for m in (face.mask, face.plate_mask)]
    if mode == 0:
        mask = np.ones((size, size), np.float32)
    elif mode == 1:
        mask = _cut(hull_mask(face.landmarks, plate.shape[:2]), into, size)
    elif mode == 5:
        mask = np.clip(learned[0] + learned[1], 0, 1)
    else:
        parts = {2: [0], 3: [1], 4: [0, 1], 6: [2], 7: [3], 8: [2, 3], 9: [0, 1, 2, 3]}[mode]
        known = [*learned, face.seg_mask, face.seg_plate_mask]
        mask = np.ones((size, size), np.float32)
        for part in parts:
            one = known[part]
            if one is None:
                raise ConfigError(f"--dfl-exact: mask_mode={mode} needs the masks of an XSeg model. Give --segmenter.")
            mask = mask * _resized(one.astype(np.float32), size)
    mask = np.clip(mask, 0, 1)
    mask[mask < _FAINT] = 0
    return mask


def eroded_and_blurred(mask: Array, side: int, erode: int, blur: int) -> Array:
    """The mask [4r, 4r] with its edge moved and softened; `side` is r. Both numbers are in its pixels.

    It is cut half a kernel inside the crop before it is blurred, and by nothing where there is no blur [Q].
    """
    padded = cv2.copyMakeBorder(mask, side, side, side, side, cv2.BORDER_CONSTANT, value=0)
    if erode:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        padded = (cv2.erode if erode > 0 else cv2.dilate)(padded, disc)
    rim = side + blur // 2
    inside = np.zeros_like(padded)
    inside[rim:-rim, rim:-rim] = padded[rim:-rim, rim:-rim]
    if blur > 0:
        kernel = blur + 1 - blur % 2
        inside = cv2.GaussianBlur(inside, (kernel, kernel), 0)
    return np.clip(inside[side:-side, side:-side], 0, 1)


def _is_large_enough(mask: Array) -> bool:
    rows, columns = np.nonzero(mask >= 0.1)
    return len(rows) > 0 and bool(min(np.ptp(rows), np.ptp(columns)) >= _LEAST_SIDE)


def _histogram_matched(drawn: Array, shown: Array, area: Array, settings: DflSettings) -> Array:
    """With masks, what they leave out is painted white and counted [Q]."""
    if settings.masked_hist_match:
        outside = area[..., None] == 0
        drawn, shown = (np.where(outside, np.float32(1), x) for x in (drawn, shown))
    return dfl_colors.histogram(drawn, shown, settings.hist_match_threshold)


def _cloned(plate: Array, out: Array, mask: Array) -> Array:
    """OpenCV's clone on 8 bits; where it fails, the face as pasted, as there."""
    level = next((i / 10 for i in range(1, 10) if (mask > i / 10).any()), None)
    if level is None:
        return out
    hard = (mask > level).astype(np.uint8) * 255
    left, top, width, height = cv2.boundingRect(hard)
    middle = (int(left + width / 2), int(top + height / 2))
    over, under = ((np.clip(x, 0, 1) * 255).astype(np.uint8) for x in (out, plate))
    try:
        return cv2.seamlessClone(over, under, hard, middle, cv2.NORMAL_CLONE).astype(np.float32) / 255
    except cv2.error:
        return out


def _post_processed(
    plate: Array, out: Array, shown: Array, area: Array, mask: Array, face: DflFace, settings: DflSettings, into: Array,
    seed: int,
) -> Array:  # fmt: skip
    """Step 15: what is done to the face once it lies in the frame, and to the frame around it.

    It goes back by the matrix without the face's scale, so with one it is resampled in another place [Q].
    """
    seamless, size = settings.mode.startswith("seamless"), shown.shape[0]
    recolor = seamless and settings.color_transfer_mode != "none"
    filters = (
        settings.motion_blur_power,
        settings.blursharpen_amount,
        settings.image_denoise_power,
        settings.bicubic_degrade_power,
    )
    if not (recolor or settings.mode == "seamless-hist-match" or any(filters)):
        return out
    region = _cut(out, into, size)
    if recolor:
        region = dfl_colors.transfer(settings.color_transfer_mode, region, shown, area, seed)
    if settings.mode == "seamless-hist-match":
        region = dfl_colors.histogram(region, shown, settings.hist_match_threshold)
    if settings.motion_blur_power and face.motion is not None:
        x, y = face.motion
        length = int(np.hypot(x, y) * settings.motion_blur_power / 100)
        if length >= 1:
            kernel = int(np.clip(length + 1, 2, 50)) * (2 if settings.super_resolution_power else 1)
            region = linear_motion_blur(region, kernel, -float(np.degrees(np.arctan2(y, x))))
    if settings.blursharpen_amount:
        region = blur_sharpen(region, settings.sharpen_mode, 3, settings.blursharpen_amount)
    cover, worse = mask[..., None], _worse(plate, settings)
    return np.clip(worse * (1 - cover) + _back(region, into, plate.shape) * cover, 0, 1)


def _worse(plate: Array, settings: DflSettings) -> Array:
    """The whole frame, smoothed and coarse. Medians count down: all of one while 100 is left, then parts of one."""
    plate = _medians(plate, settings.image_denoise_power, 100)
    if settings.bicubic_degrade_power:
        height, width = plate.shape[:2]
        share = 1 - settings.bicubic_degrade_power / 101
        small = max(int(width * share), 1), max(int(height * share), 1)
        plate = cv2.resize(plate, small, interpolation=cv2.INTER_CUBIC)
        plate = cv2.resize(plate, (width, height), interpolation=cv2.INTER_CUBIC)
    return plate


def _medians(image: Array, left: int, whole: int) -> Array:
    while left > 0:
        smooth = cv2.medianBlur(np.ascontiguousarray(image, dtype=np.float32), 5)
        share = min(left / whole, 1.0)
        image, left = smooth if share == 1 else image * (1 - share) + smooth * share, left - 10
    return np.asarray(image, dtype=np.float32)


def linear_motion_blur(image: Array, size: int, angle: float) -> Array:
    """Blur along a line of `size` pixels, turned by `angle` degrees against the clock (dfl-spec 8.5.1)."""
    kernel = np.zeros((size, size), np.float32)
    kernel[(size - 1) // 2] = 1
    turn = cv2.getRotationMatrix2D((size / 2 - 0.5, size / 2 - 0.5), angle, 1.0)
    kernel = _warped(kernel, cv2.invertAffineTransform(turn), (size, size), cv2.INTER_LINEAR)
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def blur_sharpen(image: Array, mode: str, kernel: int, amount: int) -> Array:
    """Sharpened, amount above 0, in the way of `mode`; blurred by medians below 0 (dfl-spec 8.5.1)."""
    kernel += 1 - kernel % 2
    if amount > 0 and mode == "box":
        delta = np.zeros((kernel, kernel), np.float32)
        delta[kernel // 2, kernel // 2] = 1
        return cv2.filter2D(image, -1, delta + (delta - np.float32(1 / kernel**2)) * amount)
    if amount > 0 and mode == "gaussian":
        soft = cv2.GaussianBlur(image, (kernel, kernel), 0)
        return cv2.addWeighted(image, 1 + 0.5 * amount, soft, -0.5 * amount, 0)
    return _medians(image, -amount, 10) if amount < 0 else image


def _few_colors(image: Array, share: float) -> Array:
    """As far as `share` in a palette of 256 colours of its own."""
    picture = Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8)[..., ::-1].copy())
    palette = picture.convert("P", palette=Image.Palette.ADAPTIVE).convert("RGB")
    few = np.asarray(palette)[..., ::-1].astype(np.float32) / 255
    return few if share == 1 else image * np.float32(1 - share) + few * np.float32(share)


def _matrix(face: DflFace, size: int, scale: float = 1.0) -> Array:
    return Crop.fit(face.landmarks, face.face_type, size, scale).crop_from_frame.matrix


def _cut(image: Array, matrix: Array, size: int) -> Array:
    """The crop, black outside the frame."""
    return np.clip(_warped(image, cv2.invertAffineTransform(matrix), (size, size)), 0, 1)


def _back(image: Array, matrix: Array, shape: tuple[int, ...]) -> Array:
    """A crop's picture or mask as it lies over the whole frame, zero outside."""
    return np.clip(_warped(image, matrix, shape[1::-1]), 0, 1)


def _warped(image: Array, there_from_here: Array, size: tuple[int, ...], interpolation: int = cv2.INTER_CUBIC) -> Array:
    """The image as `size` (width, height) sees it, zero outside; places are rounded to 1/32 px.

    So does `warpAffine` of the OpenCV that DeepFaceLab came with, in steps of 1/1024 before (newer ones do not).
    """
    (a, b, x0), (c, d, y0) = there_from_here
    columns, rows = np.arange(size[0]), np.arange(size[1])[:, None]
    x, y = (
        ((np.rint(p * columns * 1024) + np.rint((q * rows + shift) * 1024)).astype(np.int64) + 16) >> 5
        for p, q, shift in ((a, b, x0), (c, d, y0))
    )
    maps = (x / 32).astype(np.float32), (y / 32).astype(np.float32)
    return cv2.remap(image, *maps, interpolation, borderMode=cv2.BORDER_CONSTANT)


def _resized(mask: Array, size: int) -> Array:
    if mask.shape[0] == size:
        return mask
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_CUBIC)
