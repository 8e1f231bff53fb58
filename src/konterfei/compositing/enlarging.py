"""Super resolution: a drawn face at the size that the frame needs, where the model's is less."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.compositing.faces import Swapped
from konterfei.enhancers import Enhancer
from konterfei.geometry import Crop, Similarity
from konterfei.imaging import to_uint8

Array = NDArray[Any]


def averaged(crop: Crop, factor: int) -> int:
    """How many pixels of `factor` times the crop's resolution are averaged along each side: the frame needs no more.

    A whole number, so that it stays the same while a face comes nearer. What is left is less than twice as fine as the
    frame; `factor` or more means that the frame needs no more than the crop has.
    """
    in_frame = crop.size * crop.frame_from_crop.scale
    return max(int(factor * crop.size / in_frame), 1)


def enlarge(frame: Array, swapped: Swapped, enhancer: Enhancer, strength: float) -> Swapped:
    """`swapped` at a higher resolution, the enlarged face mixed with the plainly enlarged one (dfl-spec 8.4, step 3).

    Args:
        frame: where the face comes from. RGB [H, W, 3] uint8, or uint16 with full range
        swapped: as the model drew it, not yet prepared.
        enhancer: from `ENHANCERS`.
        strength: 0 (`swapped` itself) to 1 (the enhancer's face alone).
    """
    times = averaged(swapped.crop, enhancer.factor)
    if strength <= 0 or times >= enhancer.factor:
        return swapped
    zoom = enhancer.factor / times
    side = enhancer.factor * swapped.crop.size // times
    crop = Crop(swapped.crop.face_type, side, Similarity.of(zoom) @ swapped.crop.crop_from_frame)
    plain = _resized(swapped.image, zoom, side)
    large = _reduced(enhancer.enhance(swapped.image), enhancer.factor, times, side)
    return replace(
        swapped,
        crop=crop,
        image=np.clip(plain + np.float32(strength) * (large - plain), 0.0, 1.0),
        mask=_resized(swapped.mask, zoom, side),
        plate_mask=None if swapped.plate_mask is None else _resized(swapped.plate_mask, zoom, side),
        aligned=to_uint8(crop.cut(frame)),
        drawn_size=swapped.crop.size,
    )


def _reduced(large: Array, factor: int, times: int, side: int) -> Array:
    """`large` averaged, and moved from pixels that share a square to those whose first ones coincide (`Crop`)."""
    if times > 1:
        whole = side * times
        large = cv2.resize(large[:whole, :whole], (side, side), interpolation=cv2.INTER_AREA)
    # pixel i of the result is pixel i * times + (factor - 1) / 2 of what the enhancer gave
    ahead = ((factor - 1) / 2 - (times - 1) / 2) / times
    return _warped(large, Similarity.of(1.0, 0.0, (ahead, ahead)), side)


def _resized(image: Array, zoom: float, side: int) -> Array:
    """A crop's picture or mask at another size, as `Crop` has it: pixel i comes to i * zoom."""
    return np.clip(_warped(image, Similarity.of(1.0 / zoom), side), 0.0, 1.0)


def _warped(image: Array, image_from_result: Similarity, side: int) -> Array:
    return cv2.warpAffine(
        np.ascontiguousarray(image),
        image_from_result.matrix,
        (side, side),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
