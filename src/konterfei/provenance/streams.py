"""Open files as c2pa's native code wants them, that keep the errors it would lose and count the bytes it moves."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import BinaryIO

from konterfei.reporting import Reporter, check


class Watched(io.RawIOBase):
    """A file whose errors, and a wish to stop, survive the way through native code.

    c2pa calls back into Python for every read and write and reports any exception there as a plain input/output
    error, or passes over it; `reraise` gives the first one back, and until then nothing more succeeds. Progress is
    said to `reporter` as bytes moved, up to `total` (a few are moved twice); None = say nothing.
    """

    def __init__(self, file: BinaryIO, reporter: Reporter, total: int | None = None) -> None:
        self._file = file
        self._reporter = reporter
        self._total = total
        self._moved = 0
        self._error: BaseException | None = None

    def reraise(self) -> None:
        """Raise what went wrong in this file, if anything did."""
        if self._error is not None:
            raise self._error

    def readable(self) -> bool:  # noqa: D102
        return True

    def writable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # noqa: D102
        return self._guarded(lambda: self._said(self._file.readinto(buffer)))  # type: ignore[attr-defined]

    def write(self, data: bytes) -> int:  # type: ignore[override]  # noqa: D102
        return self._guarded(lambda: self._said(self._file.write(data)))

    def seek(self, offset: int, whence: int = 0) -> int:  # noqa: D102
        return self._guarded(lambda: self._file.seek(offset, whence))

    def tell(self) -> int:  # noqa: D102
        return self._file.tell()

    def flush(self) -> None:  # noqa: D102
        if not self._file.closed:
            self._guarded(lambda: self._file.flush() or 0)

    def _guarded(self, work: Callable[[], int]) -> int:
        """What `work` gives. c2pa passes on an Exception; anything else (a second Ctrl-C) would end the process."""
        try:
            self.reraise()
            return work()
        except BaseException as error:
            self._error = error
            if isinstance(error, Exception):
                raise
            raise InterruptedError(*error.args) from error

    def _said(self, moved: int) -> int:
        check(self._reporter)
        if self._total is not None:
            self._moved += moved
            self._reporter.advance(min(self._moved, self._total))
        return moved
