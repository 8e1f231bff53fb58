"""Video in and out, exact in time: the names that other floors use.

Reading (`probe`, `VideoReader`, `open_frames`), a bounded queue between decoding and work (`read_ahead`), writing
(`VideoWriter`) and joining of equally encoded parts (`join`). The pieces live in `video_*.py` and
`sequence.py`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from konterfei.io.sequence import ImageSequenceReader, is_sequence
from konterfei.io.video_codecs import VIDEO_SUFFIXES
from konterfei.io.video_frames import BT709, ColorTags, Frame
from konterfei.io.video_join import join
from konterfei.io.video_probe import VideoInfo, probe
from konterfei.io.video_reader import VideoReader
from konterfei.io.video_writer import VideoWriter

T = TypeVar("T")


def open_frames(
    path: Path | str,
    start: int = 0,
    stop: int | None = None,
    *,
    deep: bool = False,
    fps: Fraction | int = 25,
    native: bool = False,
    swift: bool = False,
    deinterlace: bool = False,
) -> VideoReader | ImageSequenceReader:
    """A reader for a video, a folder of images or a pattern (`shot.%06d.png`).

    Args:
        path: what to read.
        start, stop: frames wanted.
        deep: give uint16, not uint8.
        fps: frames per second of images.
        native: frames of a video keep their samples as they came, and make RGB when it is asked for.
        swift: make RGB of a video from 720p on at a tenth of the cost, good enough to look at.
        deinterlace: make whole pictures of a video's fields.

    Raises:
        UnreadableMediaError: see `VideoReader` and `ImageSequenceReader`.
    """
    path = Path(path)
    if is_sequence(path):
        return ImageSequenceReader(path, start, stop, deep=deep, fps=fps)
    return VideoReader(path, start, stop, deep=deep, native=native, swift=swift, deinterlace=deinterlace)


def look(path: Path | str, fps: Fraction | int = 25) -> VideoInfo:
    """What a video, or a folder or pattern of pictures shown `fps` times a second, is.

    Raises:
        UnreadableMediaError: see `VideoReader` and `ImageSequenceReader`.
    """
    path = Path(path)
    return ImageSequenceReader(path, fps=fps).info if is_sequence(path) else probe(path)


def read_ahead(items: Iterable[T], size: int = 8) -> Iterator[T]:
    """The items, made on a thread up to `size` ahead of their use.

    An error while making them is raised here, after the items before it. When the consumer stops early (or fails), the
    thread ends, and an iterable with `close` is closed, before this generator's own close returns.

    Args:
        items: what to read; used from one other thread only.
        size: how many may wait; bounds memory (an 8-bit 4K frame is 25 MB).
    """
    waiting: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=size)
    stop = threading.Event()

    def put(kind: str, value: Any) -> bool:
        while not stop.is_set():
            try:
                waiting.put((kind, value), timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put("item", item):
                    return
        except BaseException as error:  # the consumer raises it
            put("error", error)
        else:
            put("end", None)

    thread = threading.Thread(target=work, name="read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == "item":
                yield value
            elif kind == "error":
                raise value
            else:
                return
    finally:
        stop.set()
        thread.join()
        close = getattr(items, "close", None)
        if close is not None:
            close()


__all__ = [
    "BT709",
    "VIDEO_SUFFIXES",
    "ColorTags",
    "Frame",
    "ImageSequenceReader",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "is_sequence",
    "join",
    "look",
    "open_frames",
    "probe",
    "read_ahead",
]
