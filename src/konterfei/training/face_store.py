"""Where faces are kept while they are trained on: in memory, or in a file of the run when there are too many.

The file holds them as memory would, so that any one is there at once; the system keeps in memory what it has room for.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.io.atomic import atomic_path, free_space, make_folder, write_json

Array = NDArray[Any]

ROOM = 1_000_000_000
"""Bytes of the disk that are left to others."""


@dataclass(frozen=True)
class Room:
    """Where the faces of one person are.

    Attributes:
        pixels: RGB and face mask. [N, S, S, 4] uint8
        parts: eyes and mouth; None where no loss asks for them. [N, S, S] uint8
    """

    pixels: Array
    parts: Array | None


def in_memory(count: int, side: int, with_parts: bool) -> Room:
    """Room for `count` faces of `side` px."""
    parts = np.empty((count, side, side), np.uint8) if with_parts else None
    return Room(np.empty((count, side, side, 4), np.uint8), parts)


def bytes_of(count: int, side: int, with_parts: bool) -> int:
    """What `count` faces take."""
    return count * side * side * (5 if with_parts else 4)


def fits_on_disk(path: Path, count: int, side: int, with_parts: bool) -> bool:
    """Whether a file of that many faces is there already, or the disk has room for it."""
    needed = bytes_of(count, side, with_parts)
    there = path.stat().st_size if path.is_file() else 0
    return there == needed or free_space(path) >= needed + ROOM


def on_disk(
    path: Path, count: int, side: int, with_parts: bool, key: Mapping[str, Any], fill: Callable[[Room], None]
) -> Room:
    """Faces in a file; the same key finds them there next time.

    Args:
        path: of the file; what it holds is told by one beside it, .json. Both can be deleted while nobody trains.
        count, side, with_parts: as of `in_memory`.
        key: what the pixels follow from; plain JSON values.
        fill: puts them into their room, where they are not there yet.

    Raises:
        OutputError: it cannot be written.
    """
    about, size = path.with_suffix(".json"), bytes_of(count, side, with_parts)
    if _told(about) != key or not path.is_file() or path.stat().st_size != size:
        make_folder(path.parent)
        about.unlink(missing_ok=True)
        with atomic_path(path) as temporary:
            with temporary.open("wb") as file:
                file.truncate(size)
            fill(_mapped(temporary, count, side, with_parts, "r+"))
        write_json(about, key)
    return _mapped(path, count, side, with_parts, "r")


def _mapped(path: Path, count: int, side: int, with_parts: bool, mode: Any) -> Room:
    pixels = np.memmap(path, np.uint8, mode, 0, (count, side, side, 4))
    parts = np.memmap(path, np.uint8, mode, pixels.nbytes, (count, side, side)) if with_parts else None
    for array in (pixels, parts):
        if array is not None and hasattr(mmap, "MADV_RANDOM"):
            # numpy offers no other way; without it, neighbours are read in vain
            array._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]
    return Room(pixels, parts)


def _told(about: Path) -> Any:
    try:
        return json.loads(about.read_text("utf-8"))
    except (OSError, ValueError):
        return None
