"""Values of DeepFaceLab's dicts as plain JSON, kind by kind, so that they come back as they were; their equality."""

from __future__ import annotations

import base64
import binascii
import math
from typing import Any

import numpy as np

_DEEPEST = 8
_MOST_PARTS = 20_000
_KIND = "kind"


class _TooMuch(Exception):
    pass


def is_text(text: str) -> bool:
    """Whether every character can be written: file systems and damaged files give halves of pairs."""
    return not any(0xD800 <= ord(each) < 0xE000 for each in text)


def packed(value: Any) -> Any:
    """`value` as JSON holds it: {"kind": ...} for what JSON has no word for. None: it is too large, deep or strange."""
    try:
        return {_KIND: "value", "is": _pack(value, [_MOST_PARTS], 0)}
    except _TooMuch:
        return None


def _pack(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > _DEEPEST:
        raise _TooMuch
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not is_text(value) or len(value) > 1 << 20:
            raise _TooMuch
        return value
    if isinstance(value, int):
        if abs(value) >= 1 << 63:
            raise _TooMuch
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_KIND: "float", "is": str(value)}
    if isinstance(value, list):
        return [_pack(each, left, depth + 1) for each in value]
    if isinstance(value, tuple):
        return {_KIND: "tuple", "is": [_pack(each, left, depth + 1) for each in value]}
    if isinstance(value, bytes) and len(value) < 1 << 20:
        return {_KIND: "bytes", "is": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        pairs = [[_pack(key, left, depth + 1), _pack(each, left, depth + 1)] for key, each in value.items()]
        return {_KIND: "dict", "is": pairs}
    if isinstance(value, np.ndarray) and value.nbytes < 1 << 20:
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {_KIND: "array", "dtype": value.dtype.str, "shape": list(value.shape), "is": data}
    raise _TooMuch


def unpacked(plain: Any) -> Any:
    """The value of `packed`; None for what is none."""
    try:
        return _unpack(plain["is"], 0) if plain.get(_KIND) == "value" else None
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        return None


def _unpack(plain: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError("too deep")
    if isinstance(plain, list):
        return [_unpack(each, depth + 1) for each in plain]
    if not isinstance(plain, dict):
        return plain
    kind, held = plain[_KIND], plain["is"]
    if kind == "float":
        return float(held)
    if kind == "tuple":
        return tuple(_unpack(each, depth + 1) for each in held)
    if kind == "bytes":
        return base64.b64decode(held)
    if kind == "dict":
        return {_unpack(key, depth + 1): _unpack(each, depth + 1) for key, each in held}
    if kind != "array" or np.dtype(plain["dtype"]).kind not in "biuf":
        raise ValueError("of no known kind")
    data = np.frombuffer(base64.b64decode(held), np.dtype(plain["dtype"]))
    return data.reshape(plain["shape"])


def same(one: Any, other: Any, depth: int = 0) -> bool:
    """Whether two values are equal in kind, shape and content. What lies deeper than eight levels is not."""
    if type(one) is not type(other) or depth > _DEEPEST:
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b, depth + 1) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key], depth + 1) for key in one)
    return bool(one == other) and not (isinstance(one, float) and math.copysign(1, one) != math.copysign(1, other))
