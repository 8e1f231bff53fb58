r"""A record inside a JPEG, and labels: application segments (APP9) that any picture viewer skips over.

Layout of the segment's content, numbers big-endian as everywhere in JPEG (see docs/faceset-format.md):

    b"konterfei.face\0"   magic, 15 bytes
    uint8                 version of this layout, 1
    uint32                CRC-32 of the JSON text
    uint32                CRC-32 of the picture: every segment but APPn and COM, and the coded data up to the end
    ...                   JSON text, UTF-8

Labels (`io.face_labels`), where there are any, follow in pieces, each a segment of its own:

    b"konterfei.labels\0"  magic, 17 bytes
    uint8                 version of this layout, 1
    uint16, uint16        number of the piece, from 0; how many there are
    uint32                CRC-32 of all pieces put together
    ...                   the piece

APP9 is free in practice: JFIF is APP0, Exif and XMP APP1, ICC APP2, C2PA APP11, Photoshop APP13, Adobe APP14. The
picture's checksum leaves out APPn and COM, so a file manager may add ratings or tags and nothing is called damaged.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"konterfei.face\0"
LABELS_MAGIC = b"konterfei.labels\0"
LAYOUT_VERSION = 1
_HEAD = struct.Struct(">BII")
_LABELS_HEAD = struct.Struct(">BHHI")
_APP9 = 0xE9
_MAX_TEXT = 0xFFFF - 2 - len(MAGIC) - _HEAD.size  # a segment's length is a uint16 that counts itself
_PIECE = 0xFFFF - 2 - len(LABELS_MAGIC) - _LABELS_HEAD.size
_MOST_PIECES = 256  # 16 MB: a mask of 4,096 px takes a tenth
_SIZED = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0..SOF15 without DHT, JPG and DAC


class EmbeddedError(ValueError):
    """The bytes are not a whole JPEG with a whole record of this version; the message is the reason, in words."""


@dataclass(frozen=True)
class Embedded:
    """What a JPEG carries.

    Attributes:
        text: the JSON text as it was embedded.
        picture_crc: checksum of the coded picture, checked against the bytes.
        width, height: of the picture, from its frame header.
        labels: `FaceLabels.encode()` as it was embedded; empty where there are none.
    """

    text: bytes
    picture_crc: int
    width: int
    height: int
    labels: bytes = b""


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker and byte range (marker included) of each segment; the last one is SOS up to the end of the picture."""
    if len(data) < 4 or data[:2] != b"\xff\xd8":
        raise EmbeddedError("it is empty" if not data else "it is not a JPEG picture")
    at = 2
    while at + 4 <= len(data):
        marker = data[at + 1]
        if data[at] != 0xFF or marker == 0xD9:
            raise EmbeddedError("the structure of the JPEG is broken")
        if marker == 0xDA:
            end = data.rfind(b"\xff\xd9")
            if end < at:
                raise EmbeddedError("it is cut short: the end of the picture is missing")
            yield marker, at, end + 2
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(data):
            break
        yield marker, at, end
        at = end
    raise EmbeddedError("it is cut short: the end of the picture is missing")


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, zeros where it does not say. Raises EmbeddedError for what is no whole JPEG."""
    size = (0, 0)
    for marker, start, end in segments(data):
        if marker in _SIZED and end - start >= 9:
            height, width = struct.unpack(">HH", data[start + 5 : start + 9])
            size = (width, height)
    return size


def _is_metadata(marker: int) -> bool:
    return 0xE0 <= marker <= 0xEF or marker == 0xFE


def _is_ours(marker: int, content: bytes) -> bool:
    return marker == _APP9 and content.startswith((MAGIC, LABELS_MAGIC))


def strip(data: bytes) -> bytes:
    """The picture without record and labels; every other byte as it is. Raises EmbeddedError for what is no JPEG."""
    parts = [data[:2]]
    parts += [data[start:end] for marker, start, end in segments(data) if not _is_ours(marker, data[start + 4 : end])]
    return b"".join(parts)


def embed(jpeg: bytes, text: bytes, labels: bytes = b"") -> bytes:
    """`jpeg` with `text` as its record, and `labels`; a record and labels that it already carries are replaced.

    Raises:
        EmbeddedError: `jpeg` is not a whole JPEG.
        ValueError: `text` is longer than one segment holds (65,509 bytes), or `labels` longer than 16 MB.
    """
    if len(text) > _MAX_TEXT:
        raise ValueError(f"a record of {len(text)} bytes does not fit into a JPEG segment ({_MAX_TEXT} bytes)")
    crc, parts, place = 0, [jpeg[:2]], 1
    for marker, start, end in segments(jpeg):
        if not _is_metadata(marker):
            crc = zlib.crc32(memoryview(jpeg)[start:end], crc)
        elif _is_ours(marker, jpeg[start + 4 : end]):
            continue
        elif marker == 0xE0 and len(parts) == 1:
            place = 2  # JFIF asks for APP0 to come first
        parts.append(jpeg[start:end])
    content = MAGIC + _HEAD.pack(LAYOUT_VERSION, zlib.crc32(text), crc) + text
    parts[place:place] = [_app9(content), *_in_pieces(labels)]
    return b"".join(parts)


def _app9(content: bytes) -> bytes:
    return bytes((0xFF, _APP9)) + struct.pack(">H", len(content) + 2) + content


def _in_pieces(labels: bytes) -> Iterator[bytes]:
    total, crc = -(-len(labels) // _PIECE), zlib.crc32(labels)
    if total > _MOST_PIECES:
        raise ValueError(f"labels of {len(labels)} bytes do not fit into a crop ({_MOST_PIECES * _PIECE} bytes)")
    for number in range(total):
        head = LABELS_MAGIC + _LABELS_HEAD.pack(LAYOUT_VERSION, number, total, crc)
        yield _app9(head + labels[number * _PIECE : (number + 1) * _PIECE])


def _put_together(pieces: list[bytes]) -> bytes:
    if not pieces:
        return b""
    try:
        heads = [_LABELS_HEAD.unpack_from(piece) for piece in pieces]
    except struct.error as error:
        raise EmbeddedError("its labels are cut short") from error
    version, _, total, crc = heads[0]
    if version != LAYOUT_VERSION:
        raise EmbeddedError(f"its labels have layout version {version}; this konterfei reads {LAYOUT_VERSION}")
    labels = b"".join(piece[_LABELS_HEAD.size :] for piece in pieces)
    if [head[1] for head in heads] != list(range(total)) or zlib.crc32(labels) != crc:
        raise EmbeddedError("its labels do not fit their checksum")
    return labels


def extract(data: bytes) -> Embedded:
    """The record of a JPEG, its checksums checked.

    Raises:
        EmbeddedError: no JPEG, cut short, changed since it was made, no record, a record of another layout version.
    """
    content: bytes | None = None
    pieces: list[bytes] = []
    crc, size = 0, (0, 0)
    view = memoryview(data)
    for marker, start, end in segments(data):
        if not _is_metadata(marker):
            crc = zlib.crc32(view[start:end], crc)
            if marker in _SIZED and end - start >= 9:
                size = struct.unpack(">HH", data[start + 5 : start + 9])
        elif marker == _APP9 and content is None and data.startswith(MAGIC, start + 4):
            content = data[start + 4 + len(MAGIC) : end]
        elif marker == _APP9 and data.startswith(LABELS_MAGIC, start + 4):
            pieces.append(data[start + 4 + len(LABELS_MAGIC) : end])
    if content is None or len(content) < _HEAD.size:
        raise EmbeddedError("it carries no face record: not a crop made by konterfei, or saved anew by another program")
    version, text_crc, picture_crc = _HEAD.unpack_from(content)
    if version != LAYOUT_VERSION:
        raise EmbeddedError(f"its record has layout version {version}; this konterfei reads {LAYOUT_VERSION}")
    text = content[_HEAD.size :]
    if zlib.crc32(text) != text_crc:
        raise EmbeddedError("its record does not fit its checksum")
    if crc != picture_crc:
        raise EmbeddedError("its picture does not fit its checksum")
    return Embedded(text, picture_crc, width=size[1], height=size[0], labels=_put_together(pieces))
