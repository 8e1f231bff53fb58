"""Whole pictures out of fields: FFmpeg's bwdif, which weaves where nothing moves and interpolates where something does.

One picture for each frame, of its first field's moment, so that frames keep their numbers and times. A picture depends
on the frame before and the one after it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
import av.filter

Numbered = tuple[int, av.VideoFrame, Fraction]
"""A decoded frame with its number before it and its time behind it."""


def deinterlaced(frames: Iterator[Numbered], start: int = 0) -> Iterator[Numbered]:
    """The same frames with whole pictures, one frame later.

    Args:
        frames: in order.
        start: those before this number are of no interest, except the last of them as a neighbour.
    """
    graph: Any = None
    waiting: deque[Numbered] = deque()

    def ready() -> Iterator[Numbered]:
        while True:
            try:
                whole = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            number, came, pts = waiting.popleft()
            whole.pts, whole.time_base, whole.duration = came.pts, came.time_base, came.duration
            yield number, whole, pts

    for number, frame, pts in frames:
        if number < start - 1:
            continue
        if graph is None:
            graph = _graph(frame)
        waiting.append((number, frame, pts))
        graph.push(frame)
        yield from ready()
    if graph is not None:
        graph.push(None)
        yield from ready()


def _graph(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    time_base = frame.time_base or Fraction(1, 90_000)
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=time_base)
    make, sink = graph.add("bwdif", "mode=send_frame:parity=auto:deint=all"), graph.add("buffersink")
    source.link_to(make)
    make.link_to(sink)
    graph.configure()
    return graph
