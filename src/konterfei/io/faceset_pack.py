"""A whole faceset in one file: a zip archive whose members are stored as they are (crops are compressed already).

The members are the files of the folder and of its trash, in the order of their names, with fixed times and rights: the
same faceset gives the same bytes. `faceset.json` comes first. Any archiver opens it; what is read back is checked, and
nothing in an archive can write outside of the folder that it is unpacked to.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from konterfei.errors import DamagedFileError, FacesetError, OutputError
from konterfei.io.atomic import atomic_path, ensure_writable, make_folder, output_error, sync_folder
from konterfei.io.faceset_files import HEADER_NAME, read_header

SUFFIX: Final = ".faceset"
"""Of packed facesets, when a person gives none."""
_COMMENT: Final = b"konterfei faceset pack 1"
_TRASH: Final = "trash"
_CHUNK: Final = 1 << 20
_LONGEST: Final = 240  # bytes of a name; 255 less what marks a file that is being written
_LOCAL: Final = struct.Struct("<4s5H3I2H")
"""Header in front of each member (PKWARE's APPNOTE 4.3.7), for archives whose directory at the end is lost."""

Told = Callable[[int, int], None]
"""Called with the number of bytes done and of bytes in all; may raise to stop."""


@dataclass(frozen=True)
class Unpacked:
    """What came out of a pack.

    Attributes:
        num_files: that are there now.
        num_new: written by this call.
        skipped: member -> why it was left out.
    """

    num_files: int
    num_new: int
    skipped: dict[str, str]


def members(folder: Path) -> list[Path]:
    """The files of a faceset that go into its pack: all but hidden ones (caches, locks), and those of its trash."""
    trash = folder / _TRASH
    found = [*folder.iterdir(), *(trash.iterdir() if trash.is_dir() else ())]
    kept = [path for path in found if path.is_file() and not path.name.startswith(".")]
    return sorted(kept, key=lambda path: (path != folder / HEADER_NAME, path.relative_to(folder).as_posix()))


def pack(folder: Path, target: Path, told: Told) -> int:
    """Write the faceset in `folder` to `target`, whole or not at all. Gives the number of files in it.

    Args:
        folder: a faceset that nobody is writing into.
        target: of any name; written over.
        told: hears of progress.

    Raises:
        FacesetError: no faceset, a file's name that has no characters, or a file changed meanwhile.
        OutputError: no space, no permission.
    """
    read_header(folder)
    files = members(folder)
    for path in files:
        if (shown := path.name.encode("utf-8", "replace").decode()) != path.name:
            raise FacesetError(
                f"'{folder / shown}' has a name that is no text (UTF-8). Rename it: konterfei faceset rename."
            )
    sizes = [path.stat().st_size for path in files]
    total, done = sum(sizes), 0
    ensure_writable(target, total)
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = _COMMENT
        for path, size in zip(files, sizes, strict=True):
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix())
            info.create_system, info.external_attr, info.file_size = 3, (stat.S_IFREG | 0o644) << 16, size
            written = 0
            with _opened(path) as source, archive.open(info, "w") as member:
                while chunk := source.read(_CHUNK):
                    member.write(chunk)
                    written += len(chunk)
                    told(done + written, total)
            if written != size:
                raise FacesetError(f"'{path}' changed while it was packed. Wait for whoever writes there, then again.")
            done += written
    return len(files)


def is_packed_as(folder: Path, target: Path, told: Told) -> bool:
    """Whether `target` is the pack of `folder` as it is now: the same members with the same content."""
    try:
        with zipfile.ZipFile(target) as archive:
            there = {info.filename: (info.file_size, info.CRC) for info in archive.infolist()}
    except (OSError, zipfile.BadZipFile):
        return False
    files = members(folder)
    if {path.relative_to(folder).as_posix(): path.stat().st_size for path in files} != {
        name: size for name, (size, _) in there.items()
    }:
        return False
    total, done = sum(size for size, _ in there.values()), 0
    for path in files:
        size, crc = there[path.relative_to(folder).as_posix()]
        if _crc(path) != crc:
            return False
        done += size
        told(done, total)
    return True


def unpack(source: Path, folder: Path, told: Told) -> Unpacked:
    """Write what the pack `source` holds into `folder`; its header comes last, so a part of it is no faceset yet.

    A file that is there already with the same content is left alone, so the same call goes on after a kill.

    Args:
        source: the pack, or any zip archive of a faceset; one that is cut off gives what is in front of the cut.
        folder: made when missing.
        told: hears of progress.

    Raises:
        DamagedFileError: no pack, or its header is missing or damaged.
        OutputError: another file of that name is there; no space, no permission.
    """
    skipped: dict[str, str] = {}
    with _opened(source) as file:
        found = _directory(file, skipped) or list(_salvaged(file, skipped))
        if not found:
            raise DamagedFileError(f"'{source}' is no packed faceset, or nothing of it can be read. Copy it again.")
        wanted = _checked(found, skipped)
        if HEADER_NAME not in wanted:
            raise DamagedFileError(f"'{source}' holds no faceset: no sound {HEADER_NAME} is in it. Copy it again.")
        total, done, new = sum(info.file_size for info in wanted.values()), 0, 0
        there = {name for name, info in wanted.items() if _is_there(folder / name, info)}
        ensure_writable(folder, sum(info.file_size for name, info in wanted.items() if name not in there))
        make_folder(folder)
        for name in [*(name for name in wanted if name != HEADER_NAME), HEADER_NAME]:
            info = wanted[name]
            if name not in there:
                try:
                    _write(file, info, folder / name)
                    new += 1
                except _Damaged as error:
                    skipped[name] = str(error)
                    if name == HEADER_NAME:
                        raise DamagedFileError(f"'{source}': its {HEADER_NAME} is damaged. Copy it again.") from error
            done += info.file_size
            told(done, total)
    sync_folder(folder)
    return Unpacked(len(wanted) - len(skipped.keys() & wanted.keys()), new, skipped)


class _Damaged(Exception):
    """A member does not give the bytes that it was made of."""


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise FacesetError(f"There is no file '{path}'. Check the path.") from None
    except OSError as error:
        raise FacesetError(f"Cannot read '{path}': {error.strerror}. Check its permissions.") from error


def _crc(path: Path) -> int:
    crc = 0
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc


def _is_there(path: Path, info: zipfile.ZipInfo) -> bool:
    """Whether the file is the member already. Raises OutputError where it is another file."""
    if not path.exists():
        return False
    if path.is_file() and path.stat().st_size == info.file_size and _crc(path) == info.CRC:
        return True
    raise OutputError(f"'{path}' is there already and is another one. Choose another folder, or remove it.")


def _directory(file: IO[bytes], skipped: dict[str, str]) -> list[zipfile.ZipInfo]:
    """The members by the archive's own directory; none when that is lost."""
    try:
        with zipfile.ZipFile(file) as archive:
            found = []
            for info in archive.infolist():
                if info.filename.endswith("/"):  # a folder; is_dir() fails at an empty name
                    continue
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.create_system == 3 and kind not in (0, stat.S_IFREG):
                    skipped[info.filename] = "it is a link or a device, not a file"
                elif info.flag_bits & 0x1:
                    skipped[info.filename] = "it is encrypted"
                elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    skipped[info.filename] = "it is compressed in a way that is not read here"
                else:
                    found.append(info)
            return found
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, struct.error):
        return []


def _salvaged(file: IO[bytes], skipped: dict[str, str]) -> Iterator[zipfile.ZipInfo]:
    """The members of an archive without directory, one after the other, as far as their headers are whole."""
    end = file.seek(0, 2)
    at = 0
    while at + _LOCAL.size <= end:
        file.seek(at)
        mark, _, flags, method, _, _, crc, packed, size, name_length, extra = _LOCAL.unpack(file.read(_LOCAL.size))
        if mark != b"PK\x03\x04" or flags & 0x9 or method != zipfile.ZIP_STORED or packed != size:
            return
        name = file.read(name_length).decode("utf-8" if flags & 0x800 else "cp437", "replace")
        info = zipfile.ZipInfo("x")
        info.filename, info.file_size, info.compress_size, info.CRC, info.header_offset = name, size, size, crc, at
        at += _LOCAL.size + name_length + extra + size
        if at > end:
            skipped[name] = "the pack is cut off here"
            return
        yield info


def _checked(found: list[zipfile.ZipInfo], skipped: dict[str, str]) -> dict[str, zipfile.ZipInfo]:
    """The members that may be written, by name."""
    wanted: dict[str, zipfile.ZipInfo] = {}
    for info in found:
        name = info.filename
        parts = name.split("/")
        if "\\" in name or ":" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
            skipped[name] = "its path leads out of the folder"
        elif len(name.encode("utf-8", "replace")) > _LONGEST:
            skipped[name] = "its name is longer than a file system takes"
        elif name == _TRASH or len(parts) > 2 or parts[:-1] not in ([], [_TRASH]) or parts[-1].startswith("."):
            skipped[name] = "it does not belong to a faceset"
        elif name in wanted:
            skipped[name] = "there are two of that name; the first is taken"
        else:
            wanted[name] = info
    return wanted


def _write(file: IO[bytes], info: zipfile.ZipInfo, path: Path) -> None:
    """One member to its place, whole or not at all.

    Never more bytes than the archive announces are made, and they are counted against the disk before.
    """
    make_folder(path.parent)
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with part.open("wb") as out:
            crc, written = 0, 0
            for chunk in _content(file, info):
                written += len(chunk)
                crc = zlib.crc32(chunk, crc)
                if written > info.file_size:
                    raise _Damaged("it is larger than the pack says")
                out.write(chunk)
        if written != info.file_size or crc != info.CRC:
            raise _Damaged("its content does not fit its checksum")
        part.replace(path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _content(file: IO[bytes], info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The bytes of a member, unpacked, in pieces."""
    file.seek(info.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
        raise _Damaged("its place in the pack is damaged")
    *_, name_length, extra = _LOCAL.unpack(head)
    file.seek(name_length + extra, 1)
    left = info.compress_size
    inflate = zlib.decompressobj(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
    try:
        while left > 0 and (raw := file.read(min(_CHUNK, left))):
            left -= len(raw)
            while inflate is not None and raw:  # in pieces, so that a few bytes cannot fill the memory
                yield inflate.decompress(raw, _CHUNK)
                raw = inflate.unconsumed_tail
            if inflate is None:
                yield raw
        if inflate is not None:
            yield inflate.flush()
    except zlib.error as error:
        raise _Damaged(f"it cannot be unpacked ({error})") from error
