"""One writer at a time: advisory locks on a file, which end with the process that holds them, however it ends."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from konterfei.errors import KonterfeiError
from konterfei.io.atomic import output_error

try:
    import fcntl
except ImportError:  # Windows: no advisory locks; two writers into one folder are then not noticed
    fcntl = None  # type: ignore[assignment]


def exclusive(path: Path, busy: KonterfeiError) -> IO[bytes]:
    """The lock `path`, held until the file given is closed (a `with` block closes it) or the process ends.

    On a disk or system without locks it is given to everyone. The file stays when the lock ends: to remove it would
    let two writers lock two files of one name.

    Args:
        path: file to lock, in a folder that exists; made when missing, its content is not touched.
        busy: what to raise when someone else holds it, in this process or another.

    Raises:
        KonterfeiError: `busy`.
        OutputError: the file cannot be written.
    """
    try:
        lock = path.open("ab")
    except OSError as error:
        raise output_error(path, error) from error
    if fcntl is not None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise busy from None
        except OSError:
            pass  # a disk without locks
    return lock


def is_held(path: Path) -> bool | None:
    """Whether somebody holds the lock `path` now; None on a disk or system without locks, where nobody can know.

    Looking takes a shared lock for a moment: who tries to take the lock just then is refused.
    """
    if fcntl is None:
        return None
    try:
        with path.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    return False
