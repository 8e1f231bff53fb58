"""Where faces are kept while they are trained on: in memory, or in a file of the run when there are too many.

The file holds them as memory would, so that any one is there at once; the system keeps in memory what it has room for.
"""

from __future__ import annotations

import errno
import json
import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.io.atomic import atomic_path, free_space, make_folder, translated, write_json

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


def fits_on_disk(path: Path, count: int, side: int, with_parts: bool, key: Mapping[str, Any]) -> bool:
    """Whether these very faces are there already, or the disk has room for them in place of what is there.

    Arguments as of `on_disk`.
    """
    needed = bytes_of(count, side, with_parts)
    if _lost(path, needed, key) is not None:
        return True
    return free_space(path) + _taken(path) >= needed + ROOM


def on_disk(
    path: Path, count: int, side: int, with_parts: bool, key: Mapping[str, Any], fill: Callable[[Room], Sequence[str]]
) -> tuple[Room, list[str], bool]:
    """Faces in a file; the same key finds them there next time.

    Args:
        path: of the file; what it holds is told by one beside it, .json. Both can be deleted while nobody trains, and
            are, before others take their place.
        count, side, with_parts: as of `in_memory`.
        key: what the pixels follow from; plain JSON values.
        fill: puts them into their room, where they are not there yet, and gives the names of those that it left out;
            their places at the end stay empty.

    Returns:
        the room, the names of those that are not in it, and whether it was there already.

    Raises:
        OutputError: it cannot be written.
    """
    about, size = path.with_suffix(".json"), bytes_of(count, side, with_parts)
    lost = _lost(path, size, key)
    if lost is not None:
        return _mapped(path, count, side, with_parts, "r"), lost, True
    make_folder(path.parent)
    with translated(path, about):
        about.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    with atomic_path(path) as temporary:
        _reserve(temporary, size)
        lost = list(fill(_mapped(temporary, count, side, with_parts, "r+")))
    write_json(about, {"key": key, "lost": lost})
    return _mapped(path, count, side, with_parts, "r"), lost, False


def _reserve(path: Path, size: int) -> None:
    """Make a file of `size` bytes that the disk has room for: writing to a map of one that it has not kills us."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # file systems that cannot
                    raise
        file.truncate(size)


def _mapped(path: Path, count: int, side: int, with_parts: bool, mode: Any) -> Room:
    pixels = np.memmap(path, np.uint8, mode, 0, (count, side, side, 4))
    parts = np.memmap(path, np.uint8, mode, pixels.nbytes, (count, side, side)) if with_parts else None
    for array in (pixels, parts):
        if array is not None and hasattr(mmap, "MADV_RANDOM"):
            # numpy offers no other way; without it, neighbours are read in vain
            array._mmap.madvise(mmap.MADV_RANDOM)  # type: ignore[attr-defined]
    return Room(pixels, parts)


def _lost(path: Path, size: int, key: Mapping[str, Any]) -> list[str] | None:
    """The names of the faces that are not in a file of this size and key; None where there is no such file."""
    try:
        told = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if path.stat().st_size == size and told["key"] == key:
            return list(told["lost"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _taken(path: Path) -> int:
    """Bytes of the disk that a file takes; 0 where there is none."""
    if not path.is_file():
        return 0
    stat = path.stat()
    return min(stat.st_size, 512 * getattr(stat, "st_blocks", stat.st_size))
