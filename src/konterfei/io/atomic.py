"""Files that are there whole or not at all.

Everything is written under a hidden temporary name in the folder of the output, flushed to the disk and then renamed
over it: a reader, or a run after a crash, sees the old file or the new one, never half of one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from konterfei.errors import OutputError

_MARK = ".konterfei-tmp-"
_CAUSES = {
    errno.ENOSPC: ("no space is left on the disk", "Free some space or choose an output on another disk."),
    errno.EDQUOT: ("the disk quota is used up", "Free some space or choose an output on another disk."),
    errno.EFBIG: ("the file would be larger than the file system allows", "Choose an output on another disk."),
    errno.EACCES: ("permission is denied", "Choose a folder that you may write to."),
    errno.EPERM: ("permission is denied", "Choose a folder that you may write to."),
    errno.EROFS: ("the disk is read-only", "Choose a folder that you may write to."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", "Choose another output path."),
    errno.EISDIR: ("a folder of that name is in the way", "Choose another name or remove the folder."),
    errno.EEXIST: ("a file is in the way of a folder", "Choose another output path."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name."),
    errno.EIO: ("the disk reports an input/output error", "Check the disk or choose another one."),
    errno.EMFILE: ("too many files are open", "Close other programs or raise the limit (ulimit -n)."),
    errno.EBUSY: ("the file is in use", "Close the program that uses it."),
}


def output_error(path: Path, error: OSError) -> OutputError:
    """The `OutputError` that says in words why `path` cannot be written."""
    cause, remedy = _CAUSES.get(error.errno or 0, (error.strerror or str(error), "Choose another output path."))
    return OutputError(f"Cannot write '{path}': {cause}. {remedy}")


@contextmanager
def translated(path: Path, *also: Path) -> Iterator[None]:
    """Turns errors of the operating system about `path` (or `also`) into `OutputError`.

    An error that names some other file (an input, say) is passed on as it is.
    """
    ours = {str(path), *(str(p) for p in also), str(path.parent)}
    try:
        yield
    except OSError as error:
        about = getattr(error, "filename", None)
        if error.errno in _CAUSES and (about is None or os.fsdecode(about) in ours):
            raise output_error(path, error) from error
        raise


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it when the block ends well, removed when it does not.

    Missing parent folders are made. The temporary name keeps the suffix (writers choose formats by it) and starts
    with a dot. If the block wrote nothing, that is a bug and raises `FileNotFoundError`.

    Raises:
        OutputError: no permission, no space, a file where a folder should be.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:100]}{_MARK}{os.getpid()}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        with translated(path, temporary):
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            make_folder(path.parent)
            yield temporary
            sync(temporary)
            os.replace(temporary, path)  # noqa: PTH105  (tests replace os.replace)
            sync_folder(path.parent)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def replace_folder(new: Path, place: Path) -> None:
    """Let the folder `new` appear as `place`, in the room of what is there. Both lie on one disk.

    Whoever looks sees the old folder or the new one or, for a moment, none; what a kill left of an old one is removed
    by the next call.

    Raises:
        OutputError: it cannot be renamed.
    """
    old = place.with_name(f".{place.name[:100]}{_MARK}{uuid.uuid4().hex[:8]}")
    with translated(place, new, old):
        for file in new.iterdir():
            sync_folder(file) if file.is_dir() else sync(file)
        sync_folder(new)
        if place.exists():
            place.rename(old)
        new.rename(place)
        sync_folder(place.parent)
    for torn in place.parent.glob(f".{escape(place.name[:100])}{_MARK}*"):
        shutil.rmtree(torn, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove `folder` so that nobody ever sees half of it; what a kill leaves is called .tmp-... and is nobody's."""
    away = folder.with_name(f".tmp-{folder.name}-gone")
    shutil.rmtree(away, ignore_errors=True)
    with suppress(OSError):
        folder.rename(away)
        shutil.rmtree(away, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until the content of `path` is on the disk."""
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows syncs no file opened for reading
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on the disk, where the system can tell."""
    with suppress(OSError):  # some systems and network disks cannot sync folders; the rename is still atomic
        sync(folder)


def make_folder(folder: Path | str) -> Path:
    """Make `folder` and its parents where missing.

    Raises:
        OutputError: it cannot be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    return folder


def write_bytes(path: Path | str, data: bytes | memoryview) -> None:
    """Write `data` to `path` atomically. Raises OutputError."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(data)


def write_text(path: Path | str, text: str) -> None:
    r"""Write `text` to `path` atomically, UTF-8 with plain newlines. Raises OutputError.

    Of a file name that is no text, the odd bytes become \udcff and the like, as JSON has them.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_json(path: Path | str, obj: Any) -> None:
    """Write `obj` to `path` atomically as JSON that a person can read. NaN and infinity are refused (ValueError)."""
    write_text(path, json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(path: Path | str) -> str:
    """Hexadecimal SHA-256 of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nearest_folder(path: Path) -> Path:
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def size_text(size: float) -> str:
    """A number of bytes as a person reads it: "270 kB", "3 MB", "1.9 GB"."""
    if size >= 1e9:
        return f"{size / 1e9:.3g} GB"
    return f"{size / 1e3:.0f} kB" if 0 < size < 1e6 else f"{size / 1e6:.0f} MB"


def free_space(path: Path | str) -> int:
    """Bytes free for this user on the disk where `path` is or would be."""
    path = Path(path)
    return shutil.disk_usage(path if path.is_dir() else _nearest_folder(path)).free


def ensure_writable(path: Path | str, needed: int = 0) -> None:
    """Find out, before hours of work, that `path` could be written. Leaves nothing behind.

    Args:
        path: output file, or a folder to be filled; need not exist.
        needed: bytes that the output will take, 0 = not known.

    Raises:
        OutputError: permission, a file in place of a folder, or too little space.
    """
    path = Path(path)
    folder = path if path.is_dir() else _nearest_folder(path)
    probe = folder / f"{_MARK}{uuid.uuid4().hex[:8]}"
    try:
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        with probe.open("xb") as file:
            file.write(b"\0")
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        with suppress(OSError):
            probe.unlink()
    if path.is_file() and not os.access(path, os.W_OK):
        raise output_error(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    free = free_space(path)
    if needed > free:
        raise OutputError(
            f"Cannot write '{path}': about {needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free. "
            "Free some space or choose an output on another disk."
        )


def remove_leftovers(folder: Path | str) -> list[str]:
    """Remove temporary files of ours that a killed process left in `folder`. Gives their names.

    Only for a folder that no other process is writing to.
    """
    removed = []
    for path in sorted(Path(folder).glob(f"*{_MARK}*")):
        with suppress(OSError):
            path.unlink()
            removed.append(path.name)
    return removed
