"""What an HDR video says of the screen it was graded on and of its own light: read from frames, told to encoders.

SMPTE ST 2086 (mastering display) and CTA-861.3 (content light level). FFmpeg's structures are read as they lie in
memory (libavutil/mastering_display_metadata.h): ten fractions and two flags; two numbers.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

Point = tuple[Fraction, Fraction]


@dataclass(frozen=True, kw_only=True)
class Mastering:
    """HDR metadata that holds for a whole video.

    Attributes:
        primaries: CIE 1931 x, y of the screen's red, green and blue; None = not told.
        white: x, y of its white.
        luminance: of its black and its white, cd/m2; None = not told.
        light: of the brightest pixel and the brightest frame average, cd/m2; None = not told.
    """

    primaries: tuple[Point, Point, Point] | None = None
    white: Point | None = None
    luminance: Point | None = None
    light: tuple[int, int] | None = None


def mastering_of(frame: av.VideoFrame) -> Mastering | None:
    """The HDR metadata of a decoded frame; None when it carries none that can be read."""
    try:
        found: dict[str, bytes] = {}
        side_data: Any = frame.side_data
        for data in side_data:
            found[data.type.name] = bytes(data)
    except ValueError:  # a kind that PyAV does not know hides the others
        return None
    screen, light = found.get("MASTERING_DISPLAY_METADATA"), found.get("CONTENT_LIGHT_LEVEL")
    if screen is None and light is None:
        return None
    primaries, white, luminance = _screen(screen) if screen and len(screen) >= 88 else (None, None, None)
    told = struct.unpack_from("<2I", light) if light and len(light) >= 8 else None
    return Mastering(primaries=primaries, white=white, luminance=luminance, light=told)


def _screen(data: bytes) -> tuple[tuple[Point, Point, Point] | None, Point | None, Point | None]:
    numbers = struct.unpack_from("<22i", data)
    values = [Fraction(a, b) if b else Fraction(0) for a, b in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    points = [(values[i], values[i + 1]) for i in range(0, 10, 2)]
    has_primaries, has_luminance = numbers[20], numbers[21]
    primaries = (points[0], points[1], points[2]) if has_primaries else None
    return primaries, points[3] if has_primaries else None, points[4] if has_luminance else None


def encoder_parameters(encoder: str, told: Mastering | None) -> dict[str, str]:
    """Options by which FFmpeg's `encoder` writes the metadata into the stream; none for encoders that cannot."""
    if told is None or encoder not in _ENCODERS:
        return {}
    option, screen_key, light_key, units = _ENCODERS[encoder]
    parts = []
    if told.primaries is not None and told.white is not None and told.luminance is not None:
        red, green, blue = told.primaries
        named = zip(("G", "B", "R", "WP"), (green, blue, red, told.white), strict=True)
        text = "".join(f"{name}({_pair(point, units[0])})" for name, point in named)
        parts.append(f"{screen_key}={text}L({_pair(told.luminance[::-1], units[1])})")
    if told.light is not None:
        parts.append(f"{light_key}={told.light[0]},{told.light[1]}")
    return {option: ":".join(parts)} if parts else {}


def _pair(point: Point, unit: Fraction) -> str:
    """Two numbers in an encoder's unit; whole ones where it counts in steps."""
    return ",".join(f"{float(value):.6f}" if unit == 1 else str(round(value / unit)) for value in point)


_STEPS = (Fraction(1, 50_000), Fraction(1, 10_000))
_ENCODERS: dict[str, tuple[str, str, str, tuple[Fraction, Fraction]]] = {
    "libx264": ("x264-params", "mastering-display", "cll", _STEPS),
    "libx265": ("x265-params", "master-display", "max-cll", _STEPS),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", (Fraction(1), Fraction(1))),
}
"""Encoder -> its option, the names of the two statements there, its units of chromaticity and of light (cd/m2)."""
