"""A drawn face without shimmer: what changes from frame to frame on the plate stays, what only the model changes goes.

A network draws every frame anew, and grain, codec and the crop's own place in the frame make it draw a little
differently each time. Here the drawn faces of a few frames on both sides are brought to where the plate's optical flow
says that they belong, and a parabola in time is fitted to every pixel (Savitzky and Golay, Analytical Chemistry 1964):
what rises, falls or turns evenly is on the parabola and stays whole, what jumps to and fro is not. Where a pixel is
further from it than shimmer ever is (a blink, teeth, a hand that comes in), it stays as it was drawn: no pixel changes
by much more than shimmer amounts to. Everything is symmetric in time, so nothing comes late. The masks go through the
same, with the same flow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.compositing.colors import REACH
from konterfei.compositing.faces import Swapped

Array = NDArray[Any]

STEADY_REACH: Final = 3
"""Frames on each side that a drawn face is compared with. Five calm hardly more and dull what is quick."""
_TAPS: Final = np.array([7, 6, 3, -2], np.float32) / 21
"""Value in the middle of the parabola that fits seven frames best: weights of the frame itself and of those 1, 2 and 3
before and after it."""
_FLOW_SIDE: Final = 192
"""Side that the plate's crops are brought to for the optical flow, px. Its finest grid is a quarter of that."""
_FLOW_BLUR: Final = 0.02
"""Standard deviation that the flow is softened by, as a fraction of the side: its noise would make the face shake."""
_LIKELY: Final = 0.005
"""Deviation from the parabola that is taken for shimmer in smooth skin, of full contrast (1.3 levels of 255)."""
_WOBBLE: Final = 0.002
"""The same at edges, as the way that an edge moved, in sides of the crop (a fifth of a pixel in 96)."""
_LIKELY_IN_MASK: Final = 0.1
"""The same in masks, whose edges go from 0 to 1 within a few pixels."""
_TOGETHER: Final = 0.05
"""Side of the square that is judged together, as a fraction of the crop's."""


def steady_face(current: Swapped, around: Mapping[int, Swapped], strength: float = 1.0) -> Swapped:
    """`current` as it would be drawn without shimmer.

    Args:
        current: as the model drew it, with or without a segmenter's masks.
        around: the same face some frames later (key 1 to `STEADY_REACH`) and earlier (-1 to -`STEADY_REACH`), as
            drawn. Frames of which the one that lies as far on the other side is missing do not count, so what is
            even stays even at the ends of a track.
        strength: how far from even a change may be to be taken for shimmer: 0 = leave all as it is, 1 = what the
            noise of plate and model usually amounts to, 3 = fine expression is dulled as well.

    Returns:
        a new face with image and masks calmed, without `alpha` and `colors`; `current` itself where nothing is done
    """
    offsets = [k for k in range(1, STEADY_REACH + 1) if -k in around and k in around]
    beside = [face for k in offsets for face in (around[-k], around[k])]
    if strength <= 0 or not offsets or any(_sizes(face) != _sizes(current) for face in beside):
        return current
    flow = _Flow(current.aligned)
    flows = [flow.to(face.aligned) for face in beside]
    weights = [float(_TAPS[k]) for k in offsets for _ in range(2)]
    off_image = _off([face.image for face in (current, *beside)], flows, weights)
    off_masks = _off([_stacked(face.mask, face.plate_mask) for face in (current, *beside)], flows, weights)
    keep = 1 / (1 + (_unlikely(current.image, off_image, strength) + _unlikely_mask(off_masks, strength)) ** 2)
    masks = _applied(_stacked(current.mask, current.plate_mask), off_masks, keep)
    calm = replace(
        current,
        image=_applied(current.image, off_image, keep),
        mask=np.ascontiguousarray(masks[..., 0]),
        plate_mask=None if current.plate_mask is None else np.ascontiguousarray(masks[..., 1]),
        alpha=None,
        colors=None,
    )
    if current.seg_mask is None or current.seg_plate_mask is None:
        return calm
    segments = [_stacked(face.seg_mask, face.seg_plate_mask) for face in (current, *beside)]
    off = _off(segments, flows, weights)
    masks = _applied(segments[0], off, 1 / (1 + _unlikely_mask(off, strength) ** 2))
    seg_mask, seg_plate_mask = (np.ascontiguousarray(masks[..., channel]) for channel in range(2))
    return replace(calm, seg_mask=seg_mask, seg_plate_mask=seg_plate_mask)


def smooth_along(values: Array, times: Array, tracks: Sequence[int | None], sigma_s: float) -> Array:
    """A figure of each frame (a strength, a size) averaged over the frames around it, without lag.

    Args:
        values: [N] or [N, ...]
        times: when the frames are shown, seconds. [N]
        tracks: of the face in each frame; frames of other tracks do not count. N of them
        sigma_s: standard deviation of the window, seconds; it ends after `colors.REACH` of them. 0 = no averaging

    Returns:
        [N, ...] float64
    """
    values, times = np.asarray(values, np.float64), np.asarray(times, np.float64)
    if sigma_s <= 0 or not len(values):
        return values.copy()
    numbers = {track: number for number, track in enumerate(dict.fromkeys(tracks))}
    track = np.array([numbers[one] for one in tracks])
    apart = np.abs(times[:, None] - times[None, :]) / sigma_s
    near = (apart <= REACH * (1 + 1e-9)) & (track[:, None] == track[None, :])
    weights = np.where(near, np.exp(-0.5 * apart**2), 0.0)
    return np.tensordot(weights / weights.sum(axis=1, keepdims=True), values, axes=1)


class _Flow:
    """Optical flow of the plate from one crop to others (DIS: Kroeger et al., ECCV 2016).

    Args:
        aligned: crop to start from. [S, S, 3] uint8 RGB
    """

    def __init__(self, aligned: Array) -> None:
        self._start = _for_flow(aligned)
        self._estimate: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def to(self, aligned: Array) -> Array:
        """How far each place of the crop is moved in another one. [F, F, 2] float32, x and y in sides of the crop"""
        flow = self._estimate.calc(self._start, _for_flow(aligned), None)
        soft: Array = cv2.GaussianBlur(flow, (0, 0), _FLOW_BLUR * _FLOW_SIDE) / np.float32(_FLOW_SIDE)
        return soft


def _for_flow(aligned: Array) -> Array:
    grey = cv2.cvtColor(aligned, cv2.COLOR_RGB2GRAY)
    finer = grey.shape[0] > _FLOW_SIDE
    return cv2.resize(grey, (_FLOW_SIDE,) * 2, interpolation=cv2.INTER_AREA if finer else cv2.INTER_CUBIC)


def _sizes(face: Swapped) -> list[tuple[int, ...] | None]:
    masks = (face.mask, face.plate_mask, face.seg_mask, face.seg_plate_mask)
    return [face.image.shape, *(None if mask is None else mask.shape for mask in masks)]


def _stacked(*masks: Array | None) -> Array:
    return np.stack([mask for mask in masks if mask is not None], axis=-1).astype(np.float32, copy=False)


def _off(pictures: Sequence[Array], flows: Sequence[Array], weights: Sequence[float]) -> Array:
    """How far the first picture would have to change to lie on the parabola. [S, S, C] float32

    Args:
        pictures: the frame's own and those of the frames beside it. [S, S, C] float32 each
        flows: from the first to each other.
        weights: of each other.
    """
    own, size = pictures[0], pictures[0].shape[0]
    steps = np.arange(size, dtype=np.float32)
    grid = np.stack(np.meshgrid(steps, steps), axis=-1)
    off: Array = np.zeros(own.shape, np.float32)
    both_in_one: Any = None  # OpenCV's stubs want a second map
    for picture, flow, weight in zip(pictures[1:], flows, weights, strict=True):
        places = grid + cv2.resize(flow, (size, size), interpolation=cv2.INTER_LINEAR) * np.float32(size)
        moved = cv2.remap(picture, places, both_in_one, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        off += np.float32(weight) * (moved.reshape(own.shape) - own)
    return off


def _applied(picture: Array, off: Array, keep: Array) -> Array:
    calm: Array = np.clip(picture + keep[..., None] * off, 0, 1)
    return calm


def _unlikely(image: Array, off: Array, strength: float) -> Array:
    """Energy of what is off, by that of usual shimmer. [S, S] float32"""
    size = image.shape[0]
    grey = cv2.blur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (3, 3))
    slope: Array = cv2.Sobel(grey, cv2.CV_32F, 1, 0, ksize=1, scale=0.5) ** 2
    slope += cv2.Sobel(grey, cv2.CV_32F, 0, 1, ksize=1, scale=0.5) ** 2
    expected = _LIKELY**2 + (_WOBBLE * size) ** 2 * _together(slope)
    unlikely: Array = _together(np.einsum("ijk,ijk->ij", off, off) / off.shape[-1]) / (expected * strength**2)
    return unlikely


def _unlikely_mask(off: Array, strength: float) -> Array:
    energy = np.maximum(off[..., 0] ** 2, off[..., -1] ** 2)  # of the one mask or of both
    unlikely: Array = _together(energy) / (_LIKELY_IN_MASK * strength) ** 2
    return unlikely


def _together(energy: Array) -> Array:
    """The mean over a square around each pixel."""
    side = 2 * round(_TOGETHER * energy.shape[0] / 2) + 1
    return cv2.blur(energy, (side, side))
