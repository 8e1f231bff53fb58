"""What was measured on a faceset's crops, as arrays, and the disposable file that keeps it beside them.

The file, `.measures.sqlite`, has one row per picture and record; only crops that it does not know are measured.
Missing, damaged, from another version or not writable: they are measured anew, and nothing else happens.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from konterfei.io.cache import Cache

Array = NDArray[Any]

MEASURES_NAME = ".measures.sqlite"
MEASURES_VERSION = 2
"""Raised whenever a measure is calculated otherwise: older figures are then forgotten."""

THUMB: Final = 24
"""Side of the little pictures, px."""

PARTS: Final[Mapping[str, np.dtype[Any]]] = {
    "ours": np.dtype(
        [
            *((name, "<f4") for name in ("sharpness", "occlusion", "exposure", "dark", "bright", "contrast")),
            ("light", "<f4", (5,)),
            ("fingerprint", "u1", (32,)),
            ("thumb", "u1", (THUMB, THUMB, 3)),
        ]
    ),
    "dfl": np.dtype(
        [
            *((name, "<f4") for name in ("blur", "motion_blur", "brightness", "hue", "black")),
            ("dfl_pose", "<f4", (3,)),
            ("histograms", "<u2", (3, 256)),
            ("grey_histogram", "<u2", (256,)),
            ("masked_histogram", "<u2", (256,)),
        ]
    ),
}
"""What is kept of one crop, 4.4 kB, in two parts that are measured and kept apart: what this program goes by, and what
DeepFaceLab went by. The names are those of `FaceMeasures`."""

_COLUMNS: Final = "key BLOB PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL"
_CACHE: Final = Cache(MEASURES_NAME, MEASURES_VERSION, tuple(f"CREATE TABLE {part} ({_COLUMNS})" for part in PARTS))

ROW: Final = np.dtype([field for part in PARTS.values() for field in part.descr])
"""Both parts."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FaceMeasures:
    """N crops of a faceset, in the order of `names`: 5 kB each, 0.5 GB for 100,000. NaN = could not be measured.

    Figures of a part (`PARTS`) that was not asked for are NaN or zeros, and take no memory.

    Attributes:
        names: file names, in the order of the faceset; crops whose picture is damaged are left out.
        sources: file name of the video that each comes from.
        frames: index of the frame there. [N] int64
        tracks: number of the track, -1 = not known. [N] int64
        pose: pitch, yaw, roll of the records, radians. [N, 3]
        dfl_pose: the same by DeepFaceLab's estimate from the landmarks in the crop. [N, 3]
        resolution: frame pixels across the mean face's square (brows to lips): how large the face was filmed. [N]
        area: of the face's box in the frame, square px. [N]
        presence: the landmarker's certainty, 0 to 1. [N]
        expression: mouth_open, mouth_width, smile, eyes_open, wink, brows_up as `curation.shapes` has them. [N, 6]
        embeddings: who it is, unit length; NaN where unknown or of another recognizer than most. [N, D], D may be 0
        sharpness: as the eye sees it, 0 to 1; noise, codec blocks and the size of the picture do not count. [N]
        occlusion: share of the face's skin that is covered, 0 to 1. [N]
        exposure: mean brightness of the face, 0 to 1. [N]
        dark, bright: share of the face that is black or burnt out, 0 to 1. [N]
        contrast: standard deviation of the face's brightness, 0 to 0.5. [N]
        light: brightness, light_side, light_height, light_contrast, warmth as `curation.light` has them. [N, 5]
        blur, motion_blur: DeepFaceLab's, higher is sharper; 0 to 1, and a variance. [N]
        brightness, hue: means over the crop, 0 to 255 and 0 to 179. [N]
        black: channel values that are 0. [N]
        histograms: roots of the shares of R, G and B over the crop, in steps of 1/65535. [N, 3, 256] uint16
        grey_histogram: the same of the grey crop. [N, 256] uint16
        masked_histogram: the same of the grey face, black around it. [N, 256] uint16
        fingerprint: 256 bits of the coarse brightness's cosine transform; near-duplicates differ in few. [N, 32] uint8
        thumb: the crop, small. [N, 24, 24, 3] uint8 RGB
    """

    names: tuple[str, ...]
    sources: tuple[str, ...]
    frames: Array
    tracks: Array
    pose: Array
    resolution: Array
    area: Array
    presence: Array
    expression: Array
    embeddings: Array
    sharpness: Array
    occlusion: Array
    exposure: Array
    dark: Array
    bright: Array
    contrast: Array
    light: Array
    blur: Array
    motion_blur: Array
    brightness: Array
    hue: Array
    black: Array
    dfl_pose: Array
    histograms: Array
    grey_histogram: Array
    masked_histogram: Array
    fingerprint: Array
    thumb: Array

    def __post_init__(self) -> None:
        for item in fields(self):
            if len(getattr(self, item.name)) != len(self.names):
                raise ValueError(f"{len(getattr(self, item.name))} {item.name} of {len(self.names)} crops")

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: ArrayLike) -> Self:
        """Some of the crops, in the order of `rows`: indices [M] or a mask [N]."""
        kept = np.arange(len(self))[np.asarray(rows)]
        some: dict[str, Any] = {
            item.name: tuple(held[row] for row in kept) if isinstance(held, tuple) else held[kept]
            for item in fields(self)
            for held in (getattr(self, item.name),)
        }
        return replace(self, **some)


def load(folder: Path, keys: Sequence[bytes], part: str) -> tuple[Array, Array]:
    """What is known of the crops with these keys (`Faceset.checksums`).

    Returns:
        rows [N] of `PARTS[part]`, and which of them are known [N] bool
    """
    kind = PARTS[part]
    rows: Array = np.zeros(len(keys), kind)
    known: Array = np.zeros(len(keys), bool)
    place = {key: row for row, key in enumerate(keys)}
    block = rows.view(np.uint8).data

    def take(connection: sqlite3.Connection) -> None:
        for key, data, crc in connection.execute(f"SELECT key, data, crc FROM {part}"):
            row = place.get(key)
            if row is not None and len(data) == kind.itemsize and zlib.crc32(data) == crc:
                block[row * kind.itemsize : (row + 1) * kind.itemsize] = data
                known[row] = True

    _CACHE.read(folder, take, None)
    return rows, known


def store(folder: Path, keys: Iterable[bytes], rows: Array, part: str) -> None:
    """Keep what was measured: rows of `PARTS[part]`, or with more. Does nothing where the file cannot be written."""
    rows = as_part(rows, part)
    packed = [(key, data, zlib.crc32(data)) for key, data in zip(keys, (row.tobytes() for row in rows), strict=True)]
    command = f"INSERT OR REPLACE INTO {part} (key, data, crc) VALUES (?, ?, ?)"
    _CACHE.write(folder, lambda connection: connection.executemany(command, packed))


def as_part(rows: Array, part: str) -> Array:
    """Only the figures of one part: [N] of `PARTS[part]`."""
    kind = PARTS[part]
    if rows.dtype == kind:
        return rows
    packed: Array = np.zeros(len(rows), kind)
    for name in kind.names or ():
        packed[name] = rows[name]
    return packed
