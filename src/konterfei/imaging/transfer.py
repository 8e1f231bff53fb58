"""Transfer functions: from the numbers of a picture or video to light, and exactly back.

Each pair is the standard's own; where a standard rounds its break point, the exact one is taken, so that there and back
is the identity. Values beyond [0, 1] go on smoothly: negative ones mirror the curve, large ones extend it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.imaging.pixels import top

Array = NDArray[Any]
Curve = Callable[[Array], Array]


@dataclass(frozen=True)
class Transfer:
    """One pair of curves.

    Attributes:
        name: key in TRANSFERS.
        about: where it is defined, and what 1.0 means in linear light.
        decode: values of a picture (1.0 = the largest number) -> linear light. Keeps float32 and float64.
        encode: the exact inverse.
    """

    name: str
    about: str
    decode: Curve
    encode: Curve

    def light(self, image: Array) -> Array:
        """Linear light of an image of any kind. float32; uint8 and uint16 go through a table."""
        if image.dtype.kind == "f":
            return self.decode(image.astype(np.float32, copy=False))
        return np.take(_table(self.decode, top(image.dtype)), image)


@lru_cache(maxsize=8)
def _table(decode: Curve, white: float) -> Array:
    """Light of every step of a picture. [white + 1] float32"""
    return decode(np.arange(int(white) + 1) / white).astype(np.float32)


def _odd(curve: Curve) -> Curve:
    """`curve`, mirrored for negative values."""

    def both(values: Array) -> Array:
        return np.copysign(curve(np.abs(values)), values).astype(values.dtype, copy=False)

    return both


def _knee(cut: float, below: Curve, above: Curve) -> Curve:
    """`below` up to `cut`, `above` beyond it."""
    return lambda values: np.where(values < cut, below(values), above(np.maximum(values, cut)))


def _power(name: str, exponent: float, about: str) -> Transfer:
    return Transfer(name, about, _odd(lambda v: v**exponent), _odd(lambda v: v ** (1 / exponent)))


def _line_and_power(name: str, about: str, slope: float, offset: float, exponent: float, cut: float) -> Transfer:
    """A straight line near black, `cut` in linear light, then (1 + offset) * light ** (1 / exponent) - offset."""
    decode = _knee(cut * slope, lambda v: v / slope, lambda v: ((v + offset) / (1 + offset)) ** exponent)
    encode = _knee(cut, lambda v: v * slope, lambda v: (1 + offset) * v ** (1 / exponent) - offset)
    return Transfer(name, about, _odd(decode), _odd(encode))


# SMPTE ST 2084, and Rec. ITU-R BT.2100 table 4. Light is divided by 100, not 10 000: half floats hold dark tones then.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_TOP: Final = 100.0


def _pq_decode(values: Array) -> Array:
    root = np.minimum(values, 1.0) ** (1 / _M2)
    return _PQ_TOP * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


def _pq_encode(light: Array) -> Array:
    power = (np.minimum(light, _PQ_TOP) / _PQ_TOP) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


# Rec. ITU-R BT.2100 table 5: the OETF, scene light
_A: Final = 0.17883277
_B, _C = 1 - 4 * _A, 0.5 - _A * np.log(4 * _A)


_ALL: Final = (
    _line_and_power("srgb", "IEC 61966-2-1; 1.0 = display white", 12.92, 0.055, 2.4, 0.04045 / 12.92),
    _line_and_power(
        "bt709",
        "Rec. ITU-R BT.709, 601 and 2020, camera curve with the exact constants of ITU-T H.273; 1.0 = white",
        4.5,
        0.09929682680944,
        1 / 0.45,
        0.018053968510807,
    ),
    _power("bt1886", 2.4, "Rec. ITU-R BT.1886, display curve with black at 0; 1.0 = display white"),
    _power("gamma22", 2.2, "power 2.2 (Rec. ITU-R BT.470 System M); 1.0 = display white"),
    _power("gamma28", 2.8, "power 2.8 (Rec. ITU-R BT.470 System B, G); 1.0 = display white"),
    Transfer("linear", "light as it is", lambda v: v.copy(), lambda v: v.copy()),
    Transfer("pq", "SMPTE ST 2084; 1.0 = 100 cd/m2, at most 100.0", _odd(_pq_decode), _odd(_pq_encode)),
    Transfer(
        "hlg",
        "Rec. ITU-R BT.2100 HLG, camera curve; scene light, 1.0 = its peak",
        _odd(_knee(0.5, lambda v: v**2 / 3, lambda v: (np.exp((v - _C) / _A) + _B) / 12)),
        _odd(_knee(1 / 12, lambda v: np.sqrt(3 * v), lambda v: _A * np.log(12 * v - _B) + _C)),
    ),
)
TRANSFERS: Final[Mapping[str, Transfer]] = {transfer.name: transfer for transfer in _ALL}
"""Every transfer function by name."""

_H273: Final = {4: "gamma22", 5: "gamma28", 8: "linear", 13: "srgb", 16: "pq", 18: "hlg"}
"""ITU-T H.273 table 3: codes of transfer characteristics. All others, unstated ones too, are read as BT.709."""


def transfer_of(code: int) -> Transfer:
    """The transfer function that a video's tag names (H.273 code point)."""
    return TRANSFERS[_H273.get(code, "bt709")]
