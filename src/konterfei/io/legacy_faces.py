r"""DeepFaceLab's aligned pictures: a JPEG with a pickled dict in an APP15 segment (dfl-spec 3.1), read and written.

The picture's own bytes are the same in both directions. What the dict says is told in `exchange.dfl_records`.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from konterfei.io.embedded import EmbeddedError, picture_size, segments
from konterfei.io.face_labels import decode_mask
from konterfei.io.face_record import MOST_SIDE
from konterfei.io.legacy_pickle import load_pickle, parse_pickle
from konterfei.io.legacy_pickle_writer import pickle_bytes

MOST_MASK_BYTES = 50_000
"""A mask whose PNG is longer is kept as a JPEG of at most this length (dfl-spec 3.1.3)."""
LEAST_SIDE = 16
"""Of a crop, pixels."""
MOST_BYTES = 256 << 20
"""A picture of more bytes is not looked at: 2,048 px at the best quality have 8 MB."""
_MOST_PAYLOAD = 0xFFFF - 2
_APP15 = 0xEF
_SHOWN = 200  # letters of a reason: it may repeat what was read
_RESTARTS = 0xDD


class LegacyFaceError(ValueError):
    """A file is no aligned picture of DeepFaceLab; the message is the reason, in words."""


def split(data: bytes) -> tuple[bytes, bytes | None]:
    """The picture without its first APP15 segment, and that segment's content; None where there is none.

    Raises:
        LegacyFaceError: no whole JPEG.
    """
    payload, parts = None, [data[:2]]
    try:
        for marker, start, end in segments(data):
            if marker == _APP15 and payload is None:
                payload = data[start + 4 : end]
            else:
                parts.append(data[start:end])
    except EmbeddedError as error:
        raise LegacyFaceError(str(error)) from error
    return b"".join(parts), payload


def values_of(payload: bytes | None) -> dict[str, Any]:
    """What an APP15 segment says. Raises LegacyFaceError: nothing, damaged, or more than plain values."""
    if not payload:
        raise LegacyFaceError("it carries no record of DeepFaceLab")
    if not payload.startswith(b"\x80"):
        raise LegacyFaceError("its APP15 segment is not DeepFaceLab's")
    try:
        values = parse_pickle(payload)
    except ValueError as error:
        raise LegacyFaceError(f"its record cannot be used: {str(error)[:_SHOWN]}") from error
    if not isinstance(values, dict) or not values or not all(isinstance(key, str) for key in values):
        raise LegacyFaceError("its record says nothing by name")
    return values


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a JPEG. Raises LegacyFaceError where it does not say, or is no JPEG."""
    try:
        size = picture_size(picture)
    except EmbeddedError as error:
        raise LegacyFaceError(str(error)) from error
    if 0 in size:
        raise LegacyFaceError("its picture has no size")
    if max(size) < LEAST_SIDE:
        raise LegacyFaceError(f"its picture is {size[0]} x {size[1]}: too small for a face")
    if max(size) > MOST_SIDE:
        raise LegacyFaceError(f"its picture says that it is {size[0]} x {size[1]}; up to {MOST_SIDE} is read")
    return size


def has_restarts(picture: bytes) -> bool:
    """Whether a JPEG has restart markers, at which DeepFaceLab's reader fails."""
    return any(marker == _RESTARTS for marker, _, _ in segments(picture))


def joined(picture: bytes, values: Mapping[str, Any]) -> bytes:
    """`picture` with `values` as its record, as DeepFaceLab lays it: right after the last APPn. None is left out.

    Raises:
        LegacyFaceError: `picture` is no whole JPEG, has restart markers, or the record is longer than a segment holds.
        ValueError: a value is of a kind that DeepFaceLab does not write.
    """
    payload = pickle_bytes({key: value for key, value in values.items() if value is not None})
    if len(payload) > _MOST_PAYLOAD:
        raise LegacyFaceError(f"its record would take {len(payload)} bytes; a segment holds {_MOST_PAYLOAD}")
    place, parts = 1, [picture[:2]]
    try:
        for marker, start, end in segments(picture):
            if marker == _RESTARTS:
                raise LegacyFaceError("its JPEG has restart markers, which DeepFaceLab cannot read")
            if marker != _APP15:  # another program's: DeepFaceLab would take it for its own
                parts.append(picture[start:end])
            if 0xE0 <= marker < _APP15:
                place = len(parts)
    except EmbeddedError as error:
        raise LegacyFaceError(str(error)) from error
    parts.insert(place, bytes((0xFF, _APP15)) + struct.pack(">H", len(payload) + 2) + payload)
    return b"".join(parts)


def mask_within_limits(file: bytes) -> bytes:
    """A mask's file, as it is or, where it has more than `MOST_MASK_BYTES`, as the best JPEG that has not.

    Raises:
        LegacyFaceError: it cannot be decoded.
    """
    if len(file) <= MOST_MASK_BYTES:
        return file
    try:
        image = decode_mask(file)
    except ValueError as error:
        raise LegacyFaceError(f"its mask cannot be decoded ({error})") from error
    for quality in range(100, -1, -1):
        smaller: bytes = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        if len(smaller) <= MOST_MASK_BYTES:
            return smaller
    raise LegacyFaceError(f"its mask of {image.shape[1]}x{image.shape[0]} does not fit into {MOST_MASK_BYTES} bytes")


def read_meta(path: Path) -> dict[str, tuple[tuple[int, ...], dict[str, Any]]]:
    """A meta.dat: file name -> shape of the picture, its record (dfl-spec 3.5). Entries of another kind are left out.

    Raises:
        StoreError: there is none. DamagedFileError: it cannot be read.
    """
    found = load_pickle(path)
    if not isinstance(found, dict):
        return {}
    entries = {}
    for name, entry in found.items():
        if not (isinstance(name, str) and isinstance(entry, tuple | list) and len(entry) == 2):
            continue
        shape, values = entry
        is_shape = isinstance(shape, tuple | list) and all(isinstance(side, int) for side in shape)
        if is_shape and 2 <= len(shape) <= 3 and isinstance(values, dict) and all(isinstance(k, str) for k in values):
            entries[name] = (tuple(shape), values)
    return entries


def meta_bytes(entries: Mapping[str, tuple[tuple[int, ...], Mapping[str, Any]]]) -> bytes:
    """The content of a meta.dat. Raises ValueError for values that DeepFaceLab does not write."""
    return pickle_bytes({name: (tuple(shape), dict(values)) for name, (shape, values) in entries.items()})


def restored(picture: bytes, shape: tuple[int, ...]) -> bytes:
    """A picture that was changed elsewhere, at the size that its meta.dat says: as it is, or resized (Lanczos).

    Raises:
        LegacyFaceError: it cannot be decoded, or the size makes no sense.
    """
    width, height = size_of(picture)
    if (height, width) == tuple(shape[:2]):
        return picture
    if not all(LEAST_SIDE <= side <= MOST_SIDE for side in shape[:2]):
        raise LegacyFaceError("meta.dat says a size for it that no crop has")
    try:
        image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        image = None
    if image is None:
        raise LegacyFaceError("its picture cannot be decoded")
    small = cv2.resize(image, (shape[1], shape[0]), interpolation=cv2.INTER_LANCZOS4)
    best = [cv2.IMWRITE_JPEG_QUALITY, 100]
    encoded: bytes = cv2.imencode(".jpg", small, best)[1].tobytes()
    return encoded
