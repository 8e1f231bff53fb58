"""What a person or a network drew onto one crop (`FaceLabels`), and its bytes, which the crop's file carries.

Layout of the bytes (see docs/faceset-format.md): a uint32, big-endian, the length of a JSON text; the text, UTF-8; the
mask's own file, PNG or JPEG, as it was given.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.io.embedded import picture_size

LABELS_VERSION = 1
_PNG = b"\x89PNG\r\n\x1a\n"
_LENGTH = struct.Struct(">I")
_SUBPIXEL = 4  # bits of a fraction of a pixel that OpenCV's drawing takes
_MOST_MASK_SIDE = 4096


@dataclass(frozen=True, eq=False)
class Polygon:
    """An outline drawn on a crop.

    Attributes:
        points: corners in crop pixels, pixel centres at integers. [N, 2] float32
        include: whether what lies within belongs to the face; otherwise it is cut out.
    """

    points: NDArray[np.float32]
    include: bool = True

    def __post_init__(self) -> None:
        points = np.array(self.points, np.float32).reshape(-1, 2)
        if not np.isfinite(points).all():
            raise ValueError("a polygon has points that are not finite")
        points.setflags(write=False)
        object.__setattr__(self, "points", points)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Polygon):
            return NotImplemented
        return self.include == other.include and np.array_equal(self.points, other.points)

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, kw_only=True)
class FaceLabels:
    """What was drawn onto a crop by hand, or by a network that a person chose; what other programs knew of it."""

    polygons: tuple[Polygon, ...] = ()
    """Outlines; later ones are drawn over earlier ones."""
    mask_file: bytes = b""
    """An applied mask: a PNG or JPEG of one channel, 255 = face, in the crop's geometry at any side. Empty: none."""
    foreign: Mapping[str, Any] = field(default_factory=dict)
    """By program: what it recorded and there is no place for here; plain JSON values, kept for the way back."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is said."""
        return not (self.polygons or self.mask_file or self.foreign)

    @property
    def has_mask(self) -> bool:
        """Whether `mask` gives one."""
        return bool(self.mask_file) or any(polygon.include and len(polygon.points) > 2 for polygon in self.polygons)

    def mask(self, size: int, crop_size: int) -> NDArray[np.uint8] | None:
        """The face as labelled: polygons win over an applied mask (dfl-spec 6.4). [size, size] uint8, 255 = face.

        Args:
            size: side wanted, pixels.
            crop_size: side of the crop that the polygons were drawn on, pixels.

        Raises:
            ValueError: the mask's file cannot be decoded.
        """
        if any(polygon.include and len(polygon.points) > 2 for polygon in self.polygons):
            return _drawn(self.polygons, size, crop_size)
        return _resized(decode_mask(self.mask_file), size) if self.mask_file else None

    def encode(self) -> bytes:
        """The bytes that a crop's file carries; empty when nothing is said. Raises ValueError for what is not JSON."""
        if self.is_empty:
            return b""
        data = {
            "version": LABELS_VERSION,
            "polygons": [
                {"include": polygon.include, "points": polygon.points.astype("U").astype(np.float64).tolist()}
                for polygon in self.polygons
            ],
            **({"foreign": dict(self.foreign)} if self.foreign else {}),
        }
        text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return _LENGTH.pack(len(text)) + text + self.mask_file

    @classmethod
    def decode(cls, data: bytes) -> FaceLabels:
        """The labels of `encode`. Raises ValueError, in words, when they are not."""
        if not data:
            return cls()
        try:
            (length,) = _LENGTH.unpack_from(data)
            text = data[_LENGTH.size : _LENGTH.size + length]
            plain = json.loads(text)
            if plain["version"] != LABELS_VERSION:
                raise ValueError(f"labels of version {plain['version']}; this konterfei reads {LABELS_VERSION}")
            return cls(
                polygons=tuple(
                    Polygon(np.asarray(polygon["points"], np.float32), bool(polygon["include"]))
                    for polygon in plain["polygons"]
                ),
                mask_file=data[_LENGTH.size + length :],
                foreign=dict(plain.get("foreign", {})),
            )
        except (struct.error, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise ValueError(f"labels with a field missing or of the wrong kind ({error})") from error


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """A mask [M, M] uint8 as a PNG, for `FaceLabels.mask_file`."""
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or mask.dtype != np.uint8:
        raise ValueError(f"expected a square uint8 mask, got {mask.dtype} {mask.shape}")
    return cv2.imencode(".png", mask)[1].tobytes()


def decode_mask(file: bytes) -> NDArray[np.uint8]:
    """The first channel of a mask's file. [H, W] uint8. Raises ValueError when it cannot be decoded.

    The size that it announces is looked at first: some kilobytes can be a picture that fills the memory.
    """
    mask, size = None, (0, 0)
    try:
        size = struct.unpack_from(">II", file, 16) if file.startswith(_PNG) else picture_size(file)
        if max(size) <= _MOST_MASK_SIDE:
            mask = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    except (struct.error, ValueError, cv2.error):
        pass
    if max(size) > _MOST_MASK_SIDE:
        raise ValueError(f"the mask is {size[0]} x {size[1]}; up to {_MOST_MASK_SIDE} is read")
    if mask is None or mask.dtype != np.uint8:
        raise ValueError("the mask is no PNG or JPEG of 8 bits that can be decoded")
    return np.ascontiguousarray(mask if mask.ndim == 2 else mask[..., 0])


def _drawn(polygons: tuple[Polygon, ...], size: int, crop_size: int) -> NDArray[np.uint8]:
    """Polygons filled in their order, edges smoothed."""
    mask = np.zeros((size, size), np.uint8)
    for polygon in polygons:
        if len(polygon.points) > 2:
            points = (polygon.points.astype(np.float64) + 0.5) * (size / crop_size) - 0.5
            fixed = np.round(np.clip(points, -16 * size, 16 * size) * (1 << _SUBPIXEL)).astype(np.int32)
            cv2.fillPoly(mask, [fixed], 255 if polygon.include else 0, cv2.LINE_AA, _SUBPIXEL)
    return mask


def _resized(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if mask.shape == (size, size):
        return mask
    shrinks = max(mask.shape) > size
    resized = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return np.asarray(resized, np.uint8)
