"""One training sample: a face placed, bent and recoloured, with its masks.

Placement and warp are one map, and the warp has a noise per axis (`training.augment`); `exact_sample` makes it as the
original does, in three interpolations and with its slips.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.color_transfers import ColorTransfer
from konterfei.imaging import to_float, to_uint8
from konterfei.training.augment import AugmentSettings, draw_placement, draw_warp, place, place_warped

Array = NDArray[Any]

_LEAST_SIDE = 64
"""Smaller samples are made at this side and shrunk by the original (dfl-spec 7.10.3)."""


class Sample(NamedTuple):
    """What the network sees, what it should draw, and where the face and its eyes and mouth are in that.

    warped, target [R, R, 3] uint8; mask [R, R] uint8; parts [R, R] uint8 or None
    """

    warped: Array
    target: Array
    mask: Array
    parts: Array | None


class Look(NamedTuple):
    """A face as it is kept: pixels [S, S, 4] uint8, RGB and face mask; parts [S, S] uint8 or None."""

    pixels: Array
    parts: Array | None


def draw_sample(
    look: Look,
    rng: np.random.RandomState,
    side: int,
    settings: AugmentSettings,
    flips: bool,
    hsv_power: float,
    seen: Array | None = None,
) -> Sample:
    """A sample as konterfei makes it.

    Args:
        look: the face.
        rng: source of chance.
        side: of the sample, px.
        settings: how far it is moved and bent.
        flips: whether it may be mirrored.
        hsv_power: how far the colours of what the network sees may vary, 0 to 0.3.
        seen: what it sees instead of the face that it has to draw. [S, S, 3] uint8
    """
    placement = draw_placement(rng, side, settings, flips)
    straight = place(look.pixels, placement, side)
    target, mask = straight[..., :3], straight[..., 3]
    if settings.warp and rng.random_sample() >= settings.straight:
        shown = look.pixels if seen is None else seen
        warped = place_warped(shown, placement, draw_warp(rng, side, settings.warp))[..., :3]
    else:
        warped = target if seen is None else place(seen, placement, side)
    if hsv_power:
        warped = shift_hsv(warped, rng, hsv_power)
    parts = None if look.parts is None else stretched(place(look.parts, placement, side))
    return Sample(warped, target, mask, parts)


def exact_sample(look: Look, seed: int, side: int, settings: AugmentSettings, flips: bool, hsv_power: float) -> Sample:
    """A sample as the original makes it from the same seed (dfl-spec 7.10.3, 7.10.4). Arguments as of `draw_sample`."""
    affine, grid = np.random.RandomState(seed), np.random.RandomState(seed)
    work = max(side, _LEAST_SIDE)
    placement = draw_placement(affine, work, settings, flips)
    picture = cv2.resize(look.pixels[..., :3], (work, work), interpolation=cv2.INTER_CUBIC)
    seen = shift_hsv(picture, affine, hsv_power) if hsv_power else picture
    if settings.warp and affine.random_sample() >= settings.straight:
        x, y = cv2.split(draw_warp(grid, work, settings.warp, exact=True))
        seen = cv2.remap(seen, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)

    def finished(image: Array, flags: int, border: int) -> Array:
        moved = cv2.warpAffine(image, placement.matrix, (work, work), flags=flags, borderMode=border)
        moved = moved[:, ::-1] if placement.is_flipped else moved
        return moved if work == side else cv2.resize(moved, (side, side), interpolation=cv2.INTER_CUBIC)

    def placed_mask(mask: Array) -> Array:
        small = cv2.resize(mask, (work, work), interpolation=cv2.INTER_LINEAR)
        return finished(small, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)

    return Sample(
        finished(seen, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE),
        finished(picture, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE),
        placed_mask(look.pixels[..., 3]),
        None if look.parts is None else stretched(placed_mask(look.parts)),
    )


def stretched(mask: Array) -> Array:
    """A mask brought to full height, so that small eyes count as much as large ones (dfl-spec 7.10.4). uint8."""
    top = int(mask.max())
    return (mask * (255.0 / top)).round().astype(np.uint8) if top else mask


def shift_hsv(image: Array, rng: np.random.RandomState, power: float) -> Array:
    """The picture with hue, saturation and brightness shifted at random (dfl-spec 7.10.4). [H, W, 3] uint8 RGB

    Args:
        image: RGB.
        rng: source of chance; one integer and two numbers are drawn.
        power: hue goes up to 180 x power degrees either way, saturation and brightness up to half of it.
    """
    reach = max(1, int(180 * power))
    hsv = cv2.cvtColor(to_float(image), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + rng.randint(-reach, reach + 1)) % 360
    for channel in (1, 2):
        hsv[..., channel] = np.clip(hsv[..., channel] + (rng.random_sample() - 0.5) * power, 0, 1)
    return to_uint8(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB))


def recolored(look: Look, reference: Array, transfer: ColorTransfer) -> Look:
    """The face in the colours of a picture [S, S, 3] uint8, its masks unchanged (dfl-spec 7.10.4)."""
    pixels = look.pixels.copy()
    pixels[..., :3] = to_uint8(transfer(to_float(look.pixels[..., :3]), to_float(reference)))
    return look._replace(pixels=pixels)
