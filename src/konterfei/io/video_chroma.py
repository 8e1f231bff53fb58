"""Where the chroma samples of a video lie between its luma samples, which PyAV does not tell.

FFmpeg knows it of each frame and converts by it. So a pattern is put into a copy of a frame that keeps its properties,
and the place is the one whose conversion gives the same colours.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np

from konterfei.io.video_frames import BT709, rgb_from_frame

PLACES = ("left", "center", "topleft", "top", "bottomleft", "bottom")
"""ITU-T H.273 chroma sample location types 0 to 5, FFmpeg's names. Left is what is meant where nothing is said."""
_SILENT = {"ffv1", "vp8", "vp9", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "v210", "cfhd"}
"""Codecs that do not tell the place: FFmpeg converts by the centre then, where players take the left."""
_SIDE = 32
_NAMES = {"libx264": ("x264-params", "chromaloc"), "libx265": ("x265-params", "chromaloc")}
"""Encoder -> its option, and the name of the place there."""


def chroma_place(frame: av.VideoFrame) -> str:
    """One of PLACES; "left" of frames without chroma of its own grid, and of very small ones."""
    layout = frame.format
    halved = not layout.is_rgb and len(layout.components) >= 3 and layout.chroma_width(64) == 32
    if not halved or not layout.is_planar or min(frame.width, frame.height) < _SIDE or layout.is_big_endian:
        return "left"
    own = _through(frame, "crop", f"{_SIDE}:{_SIDE}:0:0:exact=1")
    own.make_writable()
    random = np.random.default_rng(0)
    for plane in own.planes:
        samples = np.frombuffer(plane, np.uint8)
        if layout.components[0].bits == 8:
            samples[:] = random.integers(64, 190, samples.size)
        else:
            deep = samples.view(np.uint16)
            deep[:] = random.integers(64, 190, deep.size) << (layout.components[0].bits - 8)
    seen = rgb_from_frame(own, BT709)
    for place in PLACES:
        if np.array_equal(rgb_from_frame(_through(own, "setparams", f"chroma_location={place}"), BT709), seen):
            return place
    return "left"


def is_untold(codec: str) -> bool:
    """Whether video of this codec (FFmpeg's name) does not say where its chroma lies."""
    return codec in _SILENT


def at_the_left(frame: av.VideoFrame) -> av.VideoFrame:
    """The same frame, said to have its chroma samples at the left."""
    placed: av.VideoFrame = _through(frame, "setparams", "chroma_location=left")
    return placed


def encoder_parameters(encoder: str, place: str) -> dict[str, str] | None:
    """Options by which FFmpeg's `encoder` tells the place in the stream; None where it cannot."""
    if place == "left":
        return {}
    if encoder not in _NAMES:
        return None
    option, name = _NAMES[encoder]
    return {option: f"{name}={PLACES.index(place)}"}


def _through(frame: av.VideoFrame, name: str, arguments: str) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90_000)
    )
    work, sink = graph.add(name, arguments), graph.add("buffersink")
    source.link_to(work)
    work.link_to(sink)
    graph.configure()
    graph.push(frame)
    return graph.pull()
