"""Frames as OpenEXR pictures in linear light, and back.

The light is what the plate's own transfer function says (`imaging.transfer`): of SDR material 1.0 is white, of PQ
100 cd/m2. The header names the function, so that reading back gives the same values; files that name none are read
with sRGB's, values beyond white are clipped for the model, and untouched pixels of a plate that is OpenEXR itself are
taken over with all its channels as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import UnreadableMediaError
from konterfei.imaging.transfer import TRANSFERS, transfer_of
from konterfei.io.exr import PRIMARIES, Exr, read_exr, write_exr
from konterfei.io.video_frames import ColorTags

TRANSFER_KEY = "konterfei.transfer"
"""Attribute that names the transfer function by which light was made of the plate's values."""
_RGB = ("R", "G", "B")


def write_frame(
    path: Path,
    image: NDArray[Any],
    color: ColorTags,
    *,
    depth: int = 8,
    attributes: Mapping[str, str] | None = None,
    plate: Path | None = None,
    before: NDArray[Any] | None = None,
) -> None:
    """Write a frame as light.

    Args:
        path: of the file.
        image: RGB [H, W, 3] uint8 or uint16
        color: tags of the plate.
        depth: bits of the plate; up to 12 are held by half floats, more by floats.
        attributes: further text in the header.
        plate: the OpenEXR picture that `image` was made of: its pixels and channels stay where nothing changed.
        before: that picture as it was read.

    Raises:
        OutputError: it cannot be written.
        UnreadableMediaError: the plate is gone.
    """
    told = {**(attributes or {})}
    if plate is not None and before is not None:
        exr = read_exr(plate)
        name = exr.attributes.get(TRANSFER_KEY, "srgb")
        light = TRANSFERS[name if name in TRANSFERS else "srgb"].light(image)
        changed = (image != before).any(axis=2)
        channels = dict(exr.channels)
        for number, channel in enumerate(_RGB):
            whole = exr.over_picture(channel)
            whole[changed] = light[..., number][changed]
            channels[channel] = whole
        others = {key: exr.over_picture(key) for key in channels if key not in _RGB}
        write_exr(
            path, replace(exr, channels={**channels, **others}, left=0, top=0, attributes={**exr.attributes, **told})
        )
        return
    transfer = transfer_of(color.transfer)
    kind = np.float16 if depth <= 12 else np.float32
    light = transfer.light(image).astype(kind)
    write_exr(
        path,
        Exr(
            channels={name: light[..., number] for number, name in enumerate(_RGB)},
            attributes={**told, TRANSFER_KEY: transfer.name},
            primaries=PRIMARIES.get(color.primaries),
        ),
    )


def read_frame(path: Path, *, deep: bool) -> NDArray[Any]:
    """An OpenEXR picture as values. RGB [H, W, 3] uint8, or uint16

    Raises:
        UnreadableMediaError: it is no OpenEXR picture, or has no colour.
    """
    exr = read_exr(path)
    names = _RGB if all(name in exr.channels for name in _RGB) else ("Y", "Y", "Y")
    if names[0] not in exr.channels:
        held = ", ".join(sorted(exr.channels))
        raise UnreadableMediaError(f"'{path}' has no channels R, G and B, only {held}. Export it with these.")
    light = np.stack([exr.over_picture(name).astype(np.float32) for name in names], axis=-1)
    name = exr.attributes.get(TRANSFER_KEY, "srgb")
    values = TRANSFERS[name if name in TRANSFERS else "srgb"].encode(np.nan_to_num(light))
    white = 65535 if deep else 255
    return np.rint(np.clip(values, 0, 1) * white).astype(np.uint16 if deep else np.uint8)
