"""Boxes of an MP4/MOV file (ISO base media format, ISO/IEC 14496-12 section 4.2), as far as marking needs them.

And where a picture's credentials begin: they are one JUMBF superbox (C2PA specification, "Use of JUMBF"), which PNG,
JPEG and TIFF each wrap in their own way.

C2PA's hash over such a file leaves out the boxes `ftyp`, `free`, `skip` and `mfra` (and its own `uuid` box). So that no
byte outside the credentials themselves can change unnoticed, konterfei signs a digest of those as well.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

UNHASHED = (b"ftyp", b"free", b"skip", b"mfra")
"""Boxes that C2PA's file hash leaves out (exclusions in the assertion c2pa.hash.bmff)."""
CREDENTIALS_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
"""Type of the box that holds Content Credentials (C2PA specification, embedding in BMFF)."""
_STORE = b"jumdc2pa"
"""How the description of a C2PA manifest store begins, whatever file it lies in."""
_CHUNK = 1 << 20
_LARGEST_PICTURE = 1 << 30  # of anything larger that is no MP4 or MOV, only c2pa's own look is taken


@dataclass(frozen=True)
class Box:
    """One top-level box: `size` bytes from `offset`, header included; `whole` is False when the file ends before."""

    kind: bytes
    offset: int
    size: int
    whole: bool
    is_credentials: bool = False


def boxes(file: BinaryIO) -> Iterator[Box]:
    """Top-level boxes of an open file, until its end or until what is there is no box."""
    end = file.seek(0, 2)
    offset = 0
    while offset + 8 <= end:
        file.seek(offset)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:  # a 64-bit size follows
            more = file.read(8)
            size, header = (struct.unpack(">Q", more)[0], 16) if len(more) == 8 else (0, 16)
        elif size == 0:  # to the end of the file
            size = end - offset
        if size < header or not all(32 <= letter < 127 or letter == 0xA9 for letter in kind):
            return
        yours = kind == b"uuid" and file.read(16) == CREDENTIALS_UUID
        yield Box(kind, offset, size, offset + size <= end, yours)
        offset += size


def is_bmff(path: Path) -> bool:
    """True when the file begins like an MP4 or MOV."""
    with path.open("rb") as file:
        first = next(boxes(file), None)
    return first is not None and first.kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def has_credentials(path: Path) -> bool:
    """True when the file has a place for Content Credentials, be they damaged or cut off."""
    if not is_bmff(path):
        return path.stat().st_size < _LARGEST_PICTURE and _STORE in path.read_bytes()
    with path.open("rb") as file:
        return any(box.is_credentials for box in boxes(file))


def is_cut_off(path: Path) -> bool:
    """True when the last box says that it is longer than what is left of the file."""
    with path.open("rb") as file:
        return any(not box.whole for box in boxes(file))


def unhashed_digest(path: Path) -> str:
    """SHA-256 over the boxes of `path` that C2PA's hash leaves out, in their order. Credentials are not among them."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for box in list(boxes(file)):
            if box.kind not in UNHASHED:
                continue
            file.seek(box.offset)
            left = box.size
            while left > 0 and (chunk := file.read(min(left, _CHUNK))):
                digest.update(chunk)
                left -= len(chunk)
    return digest.hexdigest()
