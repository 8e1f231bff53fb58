"""Video in and out, exact in time: the names that other floors use.

Reading (`probe`, `VideoReader`, `open_frames`), a bounded queue between decoding and work (`read_ahead`), writing
(`VideoWriter`, `open_writer`) and joining of equally encoded parts (`join`). The pieces live in `video_*.py` and
`sequence.py`.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from konterfei.io.video_frames import BT709, ColorTags, Frame
from konterfei.io.video_probe import VideoInfo, probe
from konterfei.io.video_reader import VideoReader

T = TypeVar("T")


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
    "ColorTags",
    "Frame",
    "VideoInfo",
    "VideoReader",
    "probe",
    "read_ahead",
]
