"""`merge_layers` by DeepFaceLab's rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from konterfei.compositing.dfl_exact import DflFace, merge_exactly
from konterfei.compositing.dfl_settings import DflSettings
from konterfei.compositing.faces import Layer, Merged, Swapped
from konterfei.geometry import Crop, Face
from konterfei.imaging import support

Array = NDArray[Any]


def merge_as_dfl(frame: Array, faces: Sequence[Face], swapped: Sequence[Swapped], settings: DflSettings) -> Merged:
    """The frame as DeepFaceLab makes it. Its layers hold the faces as they were drawn.

    Args:
        frame, faces, swapped: as in `merge_layers`; in the order in which DeepFaceLab would find them.
        settings: of this frame.
    """
    given = []
    for face, item in zip(faces, swapped, strict=True):
        moving = None
        if item.motion is not None and len(faces) == 1:  # with several, DeepFaceLab does not know whose it is
            moving = (2 * item.motion[0], 2 * item.motion[1])  # from the frame before to the one after
        given.append(
            DflFace(
                landmarks=face.landmarks,
                face_type=item.crop.face_type,
                image=item.image,
                mask=item.mask,
                plate_mask=item.mask_of_plate,
                seg_mask=item.seg_mask,
                seg_plate_mask=item.seg_plate_mask,
                motion=moving,
            )
        )
    image, masks = merge_exactly(frame, given, settings)
    layers = []
    for face, item, mask in zip(faces, swapped, masks, strict=True):
        region = support(mask) if mask.shape == frame.shape[:2] else None
        if region is not None:
            scale = 1 + 0.01 * settings.output_face_scale
            placed = Crop.fit(face.landmarks, item.crop.face_type, item.crop.size, scale)
            layers.append(
                Layer(face=face, swapped=item, region=region, alpha=mask[region], image=item.image, placed=placed)
            )
    return Merged(image=image, layers=tuple(layers))
