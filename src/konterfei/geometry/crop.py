"""Square crops of faces: where they lie in the frame, cutting them out, putting them back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from konterfei.errors import UnknownNameError
from konterfei.geometry.landmarks import ALIGNED, TEMPLATE, checked, mean_yaw
from konterfei.geometry.similarity import Similarity

Array = NDArray[Any]
Interpolation = Literal["auto", "nearest", "linear", "cubic", "lanczos"]
Border = Literal["replicate", "zero"]
Region = tuple[slice, slice]
"""Rows and columns of a frame."""

_FLAGS: Final = {
    "auto": cv2.INTER_CUBIC,
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
_BORDERS: Final = {"replicate": cv2.BORDER_REPLICATE, "zero": cv2.BORDER_CONSTANT}


class FaceType(StrEnum):
    """How much of the head a crop covers. Each upright-turned type contains the ones before it."""

    HALF = "half"
    MID_FULL = "mid_full"
    FULL = "full"
    FULL_NO_ALIGN = "full_no_align"
    WHOLE = "whole"
    HEAD = "head"
    HEAD_NO_ALIGN = "head_no_align"

    @property
    def padding(self) -> float:
        """Added on each side of the template, in its diagonals."""
        return _TRAITS[self].padding

    @property
    def side(self) -> float:
        """Side of the crop over side of the template square."""
        return 1.0 + 2.0 * 2.0**0.5 * self.padding

    @property
    def is_aligned(self) -> bool:
        """Whether the crop turns with the face (else it stays upright in the frame)."""
        return self not in (FaceType.FULL_NO_ALIGN, FaceType.HEAD_NO_ALIGN)

    @property
    def dfl_name(self) -> str:
        """Name in DeepFaceLab's files."""
        return _TRAITS[self].dfl_name

    @property
    def dfl_value(self) -> int:
        """Number in DeepFaceLab's files; greater contains smaller."""
        return _TRAITS[self].dfl_value

    @classmethod
    def from_dfl(cls, name: str) -> FaceType:
        """Face type of DeepFaceLab's long ("whole_face") or short ("wf") name.

        Raises:
            UnknownNameError: for any other name, also "mark_only", which is no crop.
        """
        for face_type, traits in _TRAITS.items():
            if name in (traits.dfl_name, traits.dfl_option):
                return face_type
        raise UnknownNameError("DeepFaceLab face type", name, [traits.dfl_name for traits in _TRAITS.values()])


@dataclass(frozen=True)
class _Traits:
    padding: float
    dfl_name: str
    dfl_option: str | None
    dfl_value: int


# Paddings, names and numbers are DeepFaceLab's, so that facesets and models can be exchanged.
_TRAITS: Final = {
    FaceType.HALF: _Traits(0.0, "half_face", "h", 0),
    FaceType.MID_FULL: _Traits(0.0675, "midfull_face", "mf", 1),
    FaceType.FULL: _Traits(0.2109375, "full_face", "f", 2),
    FaceType.FULL_NO_ALIGN: _Traits(0.2109375, "full_face_no_align", None, 3),
    FaceType.WHOLE: _Traits(0.40, "whole_face", "wf", 4),
    FaceType.HEAD: _Traits(0.70, "head", "head", 10),
    FaceType.HEAD_NO_ALIGN: _Traits(0.70, "head_no_align", None, 20),
}


@dataclass(frozen=True)
class Crop:
    """A square of `size` pixels laid over a frame.

    Convention:
        As in DeepFaceLab, the crop's outline in the frame maps to (0, 0)...(size, size), while images are sampled with
        pixel centres at integers. So a crop looks half a pixel towards its lower right. Matrices are stored in files
        and recomputed in many places, so this is kept everywhere: points and images agree with each other.
    """

    face_type: FaceType
    size: int
    crop_from_frame: Similarity

    @classmethod
    def fit(cls, landmarks: ArrayLike, face_type: FaceType, size: int, scale: float = 1.0) -> Crop:
        """The crop of the face with these landmarks.

        Converting a crop to another face type is the same call on landmarks in the first crop's space: the result's
        `crop_from_frame` then maps from that crop instead of from the frame.

        Args:
            landmarks: [68, 2] in the frame (or in any other space to cut from)
            face_type: how much of the head
            size: side of the crop, px
            scale: more than 1 covers less of the frame (a crop side of 1 / scale)

        Raises:
            ValueError: when the landmarks do not determine a face (fall together, not finite).
        """
        points = checked(landmarks)
        unit_from_frame = Similarity.fit(points[ALIGNED], TEMPLATE)
        square = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]], dtype=np.float32)
        # float32 as in DeepFaceLab, so that matrices agree to the last digit that its files hold
        frame_from_unit = cv2.invertAffineTransform(unit_from_frame.matrix)
        top_left, top_right, bottom_right, bottom_left, centre = cv2.transform(square[:, None], frame_from_unit)[:, 0]
        falling = (bottom_right - top_left) / np.linalg.norm(bottom_right - top_left)
        rising = (top_right - bottom_left) / np.linalg.norm(top_right - bottom_left)
        half = float(np.linalg.norm(top_left - bottom_right)) * (face_type.padding * 2.0**0.5 + 0.5) / scale
        up, left = top_left - bottom_left, top_left - top_right
        if face_type is FaceType.WHOLE:
            centre = centre + 0.07 * up
        elif face_type is FaceType.HEAD:
            yaw = mean_yaw(unit_from_frame @ points)
            yaw *= abs(math.tanh(2.0 * yaw))
            centre = centre - left * yaw / 2.0 + 0.5 * up
        corners = np.stack([centre - falling * half, centre + rising * half, centre + falling * half])
        if not face_type.is_aligned:
            reach = _upright_reach(np.stack([*corners, centre - rising * half]))
            corners = centre + reach * np.array([[-1, -1], [1, -1], [1, 1]])
        targets = np.array([[0, 0], [size, 0], [size, size]], dtype=np.float32)
        return cls(face_type, size, Similarity(cv2.getAffineTransform(corners.astype(np.float32), targets)))

    @property
    def frame_from_crop(self) -> Similarity:
        """The way back."""
        return self.crop_from_frame.inverse()

    def corners(self) -> Array:
        """Outline in the frame, clockwise from the crop's top left, [4, 2] float64."""
        return self.frame_from_crop @ (np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64) * self.size)

    def bounds(self, frame_shape: tuple[int, ...], margin: int = 0) -> Region:
        """Rows and columns of the frame that the crop touches; empty slices when it lies outside.

        Args:
            frame_shape: (height, width, ...)
            margin: pixels to add on each side
        """
        corners = self.corners()
        low, high = np.floor(corners.min(axis=0)) - margin, np.ceil(corners.max(axis=0)) + margin + 1
        height, width = frame_shape[:2]
        left, right = (int(np.clip(v, 0, width)) for v in (low[0], high[0]))
        top, bottom = (int(np.clip(v, 0, height)) for v in (low[1], high[1]))
        return slice(top, bottom), slice(left, right)

    def is_inside(self, frame_shape: tuple[int, ...]) -> bool:
        """Whether the frame fills the crop wholly, so that no border has to be made up."""
        corners, (height, width) = self.corners(), frame_shape[:2]
        return bool((corners >= 0).all() and (corners <= [width, height]).all())

    def cut(self, image: Array, interpolation: Interpolation = "auto", border: Border = "replicate") -> Array:
        """The square crop of this face.

        Args:
            image: [H, W, C] or [H, W]; uint8, uint16, or float32 in [0, 1]
            interpolation: "auto" is cubic, and averages when the crop shrinks the frame twice or more (else fine
                texture turns into flicker)
            border: what lies outside the frame: its edge repeated, or zero

        Returns:
            [S, S, C] or [S, S] of the image's kind, where S is `self.size`; float stays in [0, 1]
        """
        finer = int(1.0 / max(self.crop_from_frame.scale, 1e-3)) if interpolation == "auto" else 1
        finer = min(finer, 16)
        matrix, size = self.crop_from_frame, self.size
        if finer > 1:  # pixel centres of the finer grid: j -> (j + 1/2) / finer - 1/2
            matrix, size = Similarity.of(finer, 0.0, (finer / 2 - 0.5,) * 2) @ matrix, size * finer
        crop = _warp(image, matrix, (size, size), _FLAGS[interpolation], _BORDERS[border])
        if finer > 1:
            crop = cv2.resize(crop, (self.size, self.size), interpolation=cv2.INTER_AREA)
        return crop.reshape(self.size, self.size, *image.shape[2:])

    def project(self, image: Array, region: Region, interpolation: Interpolation = "cubic") -> Array:
        """The crop-sized `image` (or mask) as it lies over `region` of the frame, zero outside the crop.

        Args:
            image: [S, S, C] or [S, S]; uint8, uint16, or float32 in [0, 1]
            region: rows and columns of the frame, for example from `bounds`
            interpolation: as in `cut`

        Returns:
            [h, w, C] or [h, w] of the region's size
        """
        rows, columns = region
        shape = rows.stop - rows.start, columns.stop - columns.start
        if min(shape) <= 0:
            return np.zeros((max(shape[0], 0), max(shape[1], 0), *image.shape[2:]), image.dtype)
        crop_from_region = self.crop_from_frame @ Similarity.of(shift=(columns.start, rows.start))
        flags = _FLAGS[interpolation] | cv2.WARP_INVERSE_MAP
        return _warp(image, crop_from_region, (shape[1], shape[0]), flags, cv2.BORDER_CONSTANT)

    def paste(self, image: Array, mask: Array, onto: Array, region: Region | None = None) -> Array:
        """A copy of the frame with `image` laid over it where `mask` says so. Elsewhere it is bit-identical.

        Args:
            image: [S, S, 3] float32 in [0, 1], or of the frame's kind
            mask: [S, S] float32 in [0, 1]
            onto: [H, W, 3] frame, uint8, uint16, or float32 in [0, 1]
            region: rows and columns to work on (None = all that the crop touches)
        """
        rows, columns = self.bounds(onto.shape) if region is None else region
        pasted = onto.copy()
        under = pasted[rows, columns]
        if under.size == 0:
            return pasted
        top = float(np.iinfo(onto.dtype).max) if onto.dtype.kind == "u" else 1.0
        gain = top if image.dtype.kind == "f" else top / np.iinfo(image.dtype).max
        # the crop's own edge is repeated, so that black never bleeds in; the mask decides where the face ends
        crop_from_region = self.crop_from_frame @ Similarity.of(shift=(columns.start, rows.start))
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        over = _warp(
            image.astype(np.float32) * np.float32(gain),
            crop_from_region,
            under.shape[1::-1],
            flags,
            cv2.BORDER_REPLICATE,
            top,
        )
        alpha = self.project(mask.astype(np.float32), (rows, columns), "linear")
        change = cv2.multiply(cv2.subtract(over, under, dtype=cv2.CV_32F), cv2.merge([alpha] * 3))
        cv2.add(under, change, dst=under, dtype=cv2.CV_32F if top == 1 else cv2.CV_8U if top == 255 else cv2.CV_16U)
        return pasted


def landmarks_box(landmarks: ArrayLike) -> Array:
    """Upright box around a face, from its landmarks, as DeepFaceLab's records have it: l, t, r, b, [4] float32."""
    crop = Crop.fit(landmarks, FaceType.FULL_NO_ALIGN, 256)
    return (crop.frame_from_crop @ np.array([[0.0, 0.0], [255.0, 255.0]])).reshape(4).astype(np.float32)


def _upright_reach(corners: Array) -> float:
    """Half the side of the square that has the polygon's area (shoelace formula)."""
    x, y = corners.T.astype(np.float64)
    return math.sqrt(0.5 * abs(float(x @ np.roll(y, 1) - y @ np.roll(x, 1)))) / 2.0


def _warp(image: Array, matrix: Similarity, size: tuple[int, int], flags: int, border: int, top: float = 1.0) -> Array:
    """OpenCV's affine warp; float images keep to [0, top], which cubic kernels overshoot."""
    warped = cv2.warpAffine(image, matrix.matrix, size, flags=flags, borderMode=border)
    if warped.dtype.kind == "f":
        np.clip(warped, 0.0, top, out=warped)
    return warped.reshape(*warped.shape[:2], *image.shape[2:])
