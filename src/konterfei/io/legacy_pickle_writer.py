"""Writes the few kinds of values that DeepFaceLab's facesets hold as a pickle, protocol 4, without Python's pickler.

NumPy's names are those of NumPy 1 (`numpy.core`), which DeepFaceLab runs with and every later NumPy still knows.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.io.legacy_pickle import Choice

_MODULES = {"SampleType": "samplelib.Sample", "FaceType": "facelib.FaceType"}
_KINDS = "biuf"


def pickle_bytes(value: Any) -> bytes:
    """`value` as a pickle: None, bool, int, float, str, bytes, list, tuple, dict, arrays of plain numbers, `Choice`.

    Raises:
        ValueError: anything else is in it.
    """
    parts: list[bytes] = [b"\x80\x04"]
    _put(parts, value)
    parts.append(b".")
    return b"".join(parts)


def _put(parts: list[bytes], value: Any) -> None:
    if value is None or isinstance(value, bool):
        parts.append(b"N" if value is None else b"\x88" if value else b"\x89")
    elif isinstance(value, int):
        parts.append(_int(value))
    elif isinstance(value, float):
        parts.append(b"G" + struct.pack(">d", value))
    elif isinstance(value, str):
        parts.append(_sized(value.encode("utf-8", "surrogatepass"), b"\x8c", b"X"))
    elif isinstance(value, bytes):
        parts.append(_sized(value, b"C", b"B"))
    elif isinstance(value, list):
        parts.append(b"]")
        if value:
            parts.append(b"(")
            for item in value:
                _put(parts, item)
            parts.append(b"e")
    elif isinstance(value, tuple):
        _tuple(parts, value)
    elif isinstance(value, dict):
        parts.append(b"}")
        if value:
            parts.append(b"(")
            for key, item in value.items():
                _put(parts, key)
                _put(parts, item)
            parts.append(b"u")
    elif isinstance(value, np.ndarray):
        _array(parts, value)
    elif isinstance(value, Choice):
        _name(parts, _MODULES[value.kind], value.kind)
        _tuple(parts, (value.value,))
        parts.append(b"R")
    else:
        raise ValueError(f"a {type(value).__name__} has no place in a file of DeepFaceLab")


def _int(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    size = (value.bit_length() >> 3) + 1
    if size > 255:
        raise ValueError("a number of more than 255 bytes has no place in a file of DeepFaceLab")
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def _sized(data: bytes, short: bytes, long: bytes) -> bytes:
    if len(data) < 256:
        return short + bytes([len(data)]) + data
    return long + struct.pack("<I", len(data)) + data


def _tuple(parts: list[bytes], values: tuple[Any, ...]) -> None:
    if not values:
        parts.append(b")")
        return
    parts.append(b"(")
    for value in values:
        _put(parts, value)
    parts.append(b"t")


def _name(parts: list[bytes], module: str, name: str) -> None:
    _put(parts, module)
    _put(parts, name)
    parts.append(b"\x93")


def _array(parts: list[bytes], array: NDArray[Any]) -> None:
    """As NumPy 1 writes it: an empty array is made, then its shape, kind and bytes are set."""
    if array.dtype.kind not in _KINDS or array.dtype.itemsize > 8:
        raise ValueError(f"an array of {array.dtype} has no place in a file of DeepFaceLab")
    _name(parts, "numpy.core.multiarray", "_reconstruct")
    parts.append(b"(")
    _name(parts, "numpy", "ndarray")
    _tuple(parts, (0,))
    _put(parts, b"b")
    parts.append(b"tR(")
    _put(parts, 1)
    _tuple(parts, tuple(int(side) for side in array.shape))
    _name(parts, "numpy", "dtype")
    _tuple(parts, (array.dtype.str[1:], False, True))
    parts.append(b"R")
    order = array.dtype.str[0]
    _tuple(parts, (3, order, None, None, None, -1, -1, 0))
    parts.append(b"b")
    _put(parts, False)
    _put(parts, np.ascontiguousarray(array).tobytes())
    parts.append(b"tb")
