"""The layers of one frame, and each face's crop, as OpenEXR pictures in linear light.

A frame holds, over the smallest rectangle that takes in all that was changed:

    R G B A              the change, premultiplied: plate * (1 - A) + RGB is the merged frame, label included
    label.R G B A        the visible label alone, premultiplied
    face0_swap.R G B     the face in the plate's colours as it lies in the frame, before it is blended
    face0_mask.A         how much of it the merge let through
    rest.R G B           what is to be added after all faces were laid over the plate through their masks: light that
                         the merge evened out, and the difference between mixing the plate's values and mixing light
    face0_st.R G         where in the crop each pixel of the frame lies: u, v in 0..1, v up (32 bit)

A crop holds R G B (the face as pasted), drawn.R G B (as the model drew it, before its colours were brought to the
plate's) and st.R G (where in the frame each pixel of the crop lies).

Pixels are squares: pixel i of n has its centre at u = (i + 0.5) / n, counted from the left; v from the bottom.
RGB of the change is the difference to the merged frame itself, so that laying it over the plate is exact whatever the
way of blending was; at soft edges it may be a little below 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.compositing import Layer
from konterfei.geometry import Crop, Region, Similarity
from konterfei.imaging import support
from konterfei.imaging.transfer import Transfer
from konterfei.io.exr import Exr
from konterfei.provenance.label import label_layer

Array = NDArray[Any]


def face_names(layers: Sequence[Layer]) -> list[str]:
    """A name for each face of a frame, the same along its track: face0 is track 0. Others get numbers left free."""
    tracks = [layer.face.track for layer in layers]
    taken: set[int] = set()
    for place, track in enumerate(tracks):
        if track is None or track in taken:
            tracks[place] = None
        else:
            taken.add(track)
    names = []
    for track in tracks:
        if track is None:
            track = next(number for number in range(len(tracks) + len(taken) + 1) if number not in taken)
            taken.add(track)
        names.append(f"face{track}")
    return names


def frame_exr(
    plate: Array,
    merged: Array,
    layers: Sequence[Layer],
    transfer: Transfer,
    label: str = "none",
    label_text: str | None = None,
    bare: Array | None = None,
    **more: Any,
) -> Exr:
    """The layers of one frame.

    Args:
        plate: the frame as it came. RGB [H, W, 3] uint8 or uint16
        merged: the finished frame with its label. Of the plate's shape and kind
        layers: its faces, the lowest first.
        transfer: from the plate's values to linear light.
        label: style of the visible label.
        label_text: its words, where they are not the style's own.
        bare: the finished frame before the label was drawn; None = it has none.
        more: further fields of the picture (attributes, primaries).
    """
    height, width = plate.shape[:2]
    sign = _label(width, height, label, label_text, transfer)
    bare = merged if bare is None else bare
    areas = _areas(plate, bare, [layer.region for layer in layers], sign[0] if sign else None)
    window = _around(areas)
    channels = _face_channels(layers, transfer, window)
    if sign:
        region, opaque, ink = sign
        _put(channels, "label", np.repeat(ink[..., None], 3, axis=2), region, window)
        channels["label.A"] = _over(opaque.astype(np.float16), region, window)
    names = [name for name in channels if name.endswith("_mask.A")]
    through = np.ones((window[0].stop - window[0].start, window[1].stop - window[1].start), np.float32)
    for name in [*names, *(["label.A"] if sign else [])]:
        through *= 1 - channels[name].astype(np.float32)
    alpha = channels["A"] = (1 - through).astype(np.float16)
    for area in areas:
        part = _inside(window, area)
        under = mixed = transfer.light(plate[area])
        for name in names:
            mask = channels[name][part].astype(np.float32)[..., None]
            face = np.stack([channels[name.replace("mask.A", f"swap.{x}")][part] for x in "RGB"], axis=2)
            mixed = mixed * (1 - mask) + face * mask
        # of the rounded alpha, so that its rounding does no harm
        shown = transfer.light(merged[area]) - (1 - alpha[part].astype(np.float32))[..., None] * under
        _put(channels, "", shown, area, window)
        _put(channels, "rest", transfer.light(bare[area]) - mixed, area, window)
    return Exr(channels, window[1].start, window[0].start, width, height, **more)


def _face_channels(layers: Sequence[Layer], transfer: Transfer, window: Region) -> dict[str, Array]:
    """What each face has for itself."""
    channels: dict[str, Array] = {}
    for name, layer in zip(face_names(layers), layers, strict=True):
        _put(channels, f"{name}_swap", transfer.light(_as_laid(layer)), layer.region, window)
        channels[f"{name}_mask.A"] = _over(layer.alpha.astype(np.float16), layer.region, window)
        for letter, values in zip("RG", _crop_from_frame(layer.placed, layer.region), strict=True):
            channels[f"{name}_st.{letter}"] = _over(values, layer.region, window)
    return channels


def crop_exr(layer: Layer, frame_size: tuple[int, int], transfer: Transfer, **more: Any) -> Exr:
    """One face's crop: as pasted, as drawn, and where each of its pixels lies in the frame.

    Args:
        layer: the face.
        frame_size: width, height of the frame, px.
        transfer: from the plate's values to linear light.
        more: further fields of the picture.
    """
    size = layer.placed.size
    square = slice(0, size), slice(0, size)
    channels: dict[str, Array] = {}
    _put(channels, "", transfer.light(layer.image), square, square)
    drawn = layer.swapped.image
    if drawn.shape == layer.image.shape:
        _put(channels, "drawn", transfer.light(drawn), square, square)
    width, height = frame_size
    x, y = _mapped(layer.placed.frame_from_crop, square)
    channels["st.R"] = ((x + 0.5) / width).astype(np.float32)
    channels["st.G"] = (1 - (y + 0.5) / height).astype(np.float32)
    return Exr(channels, **more)


@lru_cache(maxsize=4)
def _label(
    width: int, height: int, style: str, text: str | None, transfer: Transfer
) -> tuple[Region, Array, Array] | None:
    """Where the label lies, its alpha and its premultiplied white for linear light, [h, w] float32; None without one.

    A display curve is nearly a power, so what dims values by a factor dims light by the decoded factor. White is such
    that over mid grey the label comes out as it is drawn on values.
    """
    layer = label_layer(width, height, style, text)
    if layer is None:
        return None
    region, opacity, ink = layer
    white, grey = transfer.light(np.array([1.0, 0.5], np.float32))
    opaque = 1 - transfer.light(1 - opacity) / white
    drawn = transfer.light(0.5 * (1 - opacity) + ink)
    return region, opaque, np.maximum(drawn - (1 - opaque) * grey, 0)


def _areas(plate: Array, bare: Array, regions: Sequence[Region], label: Region | None) -> list[Region]:
    """What was changed: by the faces, and, if it lies apart, by the label; one pixel where nothing was."""
    changed = support((plate != bare).any(axis=2).astype(np.uint8))
    boxes = [*regions, *([changed] if changed else [])]
    areas = [*([_around(boxes)] if boxes else []), *([label] if label else [])] or [(slice(0, 1), slice(0, 1))]
    apart = len(areas) < 2 or any(a.stop <= b.start or b.stop <= a.start for a, b in zip(*areas, strict=True))
    return areas if apart else [_around(areas)]


def _around(boxes: Sequence[Region]) -> Region:
    """The smallest rectangle with all boxes."""
    top, left = (min(box[axis].start for box in boxes) for axis in (0, 1))
    bottom, right = (max(box[axis].stop for box in boxes) for axis in (0, 1))
    return slice(top, bottom), slice(left, right)


def _inside(window: Region, region: Region) -> Region:
    """`region` counted from the window's corner."""
    rows, columns = (
        slice(own.start - whole.start, own.stop - whole.start) for own, whole in zip(region, window, strict=True)
    )
    return rows, columns


def _as_laid(layer: Layer) -> Array:
    """The face's picture as it lies over its region, as the merge projects it. [h, w, 3] float32 in [0, 1]"""
    image, placed = layer.image, layer.placed
    times = int(1 / placed.frame_from_crop.scale)
    if times >= 2:  # averaged over blocks first, so that it does not alias
        side = image.shape[0] // times
        image = cv2.resize(image[: side * times, : side * times], (side, side), interpolation=cv2.INTER_AREA)
        smaller = Similarity.of(1 / times, 0.0, ((1 - times) / (2 * times),) * 2)
        placed = Crop(placed.face_type, side, smaller @ placed.crop_from_frame)
    return placed.project(image, layer.region, "cubic")


def _crop_from_frame(placed: Crop, region: Region) -> tuple[Array, Array]:
    """u and v in the crop of each pixel of `region`. [h, w] float32 each"""
    x, y = _mapped(placed.crop_from_frame, region)
    return ((x + 0.5) / placed.size).astype(np.float32), (1 - (y + 0.5) / placed.size).astype(np.float32)


def _mapped(to_from: Similarity, region: Region) -> tuple[Array, Array]:
    """x and y that each pixel of `region` is taken to. [h, w] float64 each"""
    rows, columns = region
    y, x = np.mgrid[rows, columns].astype(np.float64)
    matrix = to_from.matrix
    return matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2], matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]


def _over(values: Array, region: Region, window: Region) -> Array:
    """`values` of `region` as they lie in `window`, 0 elsewhere."""
    rows, columns = window
    whole = np.zeros((rows.stop - rows.start, columns.stop - columns.start), values.dtype)
    whole[_inside(window, region)] = values
    return whole


def _put(channels: dict[str, Array], layer: str, image: Array, region: Region, window: Region) -> None:
    """Add `image` to R, G and B of a layer, as half floats; made where they are not there yet, 0 elsewhere."""
    for place, letter in enumerate("RGB"):
        name, values = f"{layer}.{letter}" if layer else letter, image[..., place].astype(np.float16)
        if name in channels:
            channels[name][_inside(window, region)] = values
        else:
            channels[name] = _over(values, region, window)
