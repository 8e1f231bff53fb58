"""A face on its way into its frame: as a model drew it, and as it was laid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.compositing.colors import FaceColors
from konterfei.compositing.detail import FaceDetail
from konterfei.compositing.placing import place, rescale
from konterfei.compositing.settings import MergeSettings
from konterfei.geometry import Crop, Face, FaceType, Region, new_from_old
from konterfei.imaging import to_float, to_uint8
from konterfei.io.face_labels import FaceLabels

Array = NDArray[Any]
Segmenter = Callable[[Array], Array]
"""RGB picture of a face, [S, S, 3] float32 in [0, 1] -> what of it is face, [S, S] float32 in [0, 1]."""

MASK_SIZE: Final = 256
"""Least side of the mask, px: its edge is drawn finer than a small model draws faces."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Swapped:
    """One face as the model drew it.

    Attributes:
        crop: what the model was shown, at its own resolution S.
        image: RGB. [S, S, 3] float32 in [0, 1]
        mask: the model's own mask of the face that it drew. [S, S] float32 in [0, 1]
        plate_mask: its mask of the face that it was shown, likewise; None = `mask` is of both.
        aligned: what the model was shown. [S, S, 3] uint8 RGB
        seg_mask: a segmenter's mask of the drawn face, from `segment`. [Q, Q] float32 in [0, 1]
        seg_plate_mask: and of the plate's face.
        label_mask: what is labelled as face on its crop in the faceset, from `label_mask`; None = nothing is.
        fronts: what lies in front of the plate's face, by the names of `OCCLUDERS`, from `uncover`. Each [Q, Q] float32
            in [0, 1]. What was not looked for is not in it, and counts as not there.
        motion: how the face moves in the frame, (x, y) pixels per frame; None = not known, no motion blur.
        alpha: the mask to blend with, from `prepare`; None = `merge_layers` makes it. [W, W] float32 in [0, 1]
        colors: measured by `prepare`, perhaps smoothed over time since; None = `merge_layers` measures them.
        settings: of this face, where they are not those of the frame.
        drawn_size: side that the model drew the face at, px, where an enhancer enlarged it since; None = the crop's.
        detail: measured by `measure`, perhaps smoothed over time since; None = `merge_layers` measures it.
    """

    crop: Crop
    image: Array
    mask: Array
    aligned: Array
    plate_mask: Array | None = None
    seg_mask: Array | None = None
    seg_plate_mask: Array | None = None
    label_mask: Array | None = None
    fronts: Mapping[str, Array] = field(default_factory=dict)
    motion: tuple[float, float] | None = None
    alpha: Array | None = None
    colors: FaceColors | None = None
    settings: MergeSettings | None = None
    drawn_size: int | None = None
    detail: FaceDetail | None = None

    @property
    def mask_of_plate(self) -> Array:
        """`plate_mask`; where one mask is of both faces, all that it covers, so that their product is that mask."""
        return (self.mask > 0).astype(np.float32) if self.plate_mask is None else self.plate_mask

    @property
    def both(self) -> Array:
        """Where both faces are face, so that neither spills: what is pasted by default. [S, S] float32 in [0, 1]"""
        return self.mask if self.plate_mask is None else self.mask * self.plate_mask

    @property
    def bare(self) -> Array:
        """Where both are face and nothing is known to lie in front. [S, S] float32 in [0, 1]"""
        both = self.both
        for front in self.fronts.values():
            both = both * (1 - rescale(front, self.crop.size))
        return both


def cut_face(
    frame: Array, face: Face, face_type: FaceType, size: int, settings: MergeSettings | None = None
) -> tuple[Crop, Array]:
    """What to show the model: the crop of `face`, and its pixels. [S, S, 3] uint8 RGB

    DeepFaceLab does not average where the frame shrinks, and shows black where the frame ends; so it is with
    `settings` that ask for it.
    """
    crop = Crop.fit(face.landmarks, face_type, size)
    if settings is not None and settings.dfl is not None:
        return crop, to_uint8(crop.cut(frame, "cubic", "zero"))
    return crop, to_uint8(crop.cut(frame))


def segment(frame: Array, swapped: Swapped, segmenter: Segmenter, size: int = MASK_SIZE) -> Swapped:
    """`swapped` with the segmenter's masks; the plate is shown to it at `size` px, however small the model is."""
    shown = to_float(place(swapped.crop, size, 1.0).cut(frame))
    return replace(swapped, seg_mask=segmenter(rescale(swapped.image, size)), seg_plate_mask=segmenter(shown))


def label_mask(labels: FaceLabels, drawn_on: Crop, crop: Crop, size: int = MASK_SIZE) -> Array | None:
    """What was labelled as face on one crop, as it lies in another; what the first does not show is no face.

    Args:
        labels: outlines win over an applied mask.
        drawn_on: the faceset's crop.
        crop: what a model was shown.
        size: side of the mask, px.

    Returns:
        [size, size] float32 in [0, 1]; None where nothing was labelled

    Raises:
        ValueError: the mask's file cannot be decoded.
    """
    mask = labels.mask(drawn_on.size, drawn_on.size)
    if mask is None:
        return None
    placed = place(crop, size, 1.0)
    between = Crop(crop.face_type, size, new_from_old(placed, drawn_on))
    return to_float(between.cut(mask, border="zero"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One face as it was laid into its frame.

    Attributes:
        face: in the frame.
        swapped: prepared, with the colours that were used.
        region: rows and columns of the frame; outside of them nothing of this face is seen.
        alpha: how much of the face is seen over `region`. [h, w] float32 in [0, 1]
        image: the face as pasted, in the plate's colours. RGB [S, S, 3] float32 in [0, 1]
        placed: where `image` lies in the frame.
    """

    face: Face
    swapped: Swapped
    region: Region
    alpha: Array
    image: Array
    placed: Crop


@dataclass(frozen=True, kw_only=True, eq=False)
class Merged:
    """A frame with swapped faces, and what it was made of.

    Attributes:
        image: the frame. [H, W, 3] of the plate's kind
        layers: the faces that are seen in it, the lowest first.
    """

    image: Array
    layers: tuple[Layer, ...]
