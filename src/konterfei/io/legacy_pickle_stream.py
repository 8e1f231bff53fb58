"""A pickled list of dicts, dict by dict: the table of contents of a faceset.pak may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator
from pickletools import genops
from typing import IO, Any

from konterfei.io.legacy_pickle import MARK, Machine, RefusedError

MOST_AN_ITEM = 1_000_000
"""Opcodes from one dict to the next; more are refused. A face takes 500, each outline drawn on it 30."""
_LARGEST = 64 << 20
_BETWEEN = frozenset(["EMPTY_DICT", "APPENDS", "APPEND"])


class _Part:
    """The next bytes of a file and no more, for `genops`; a single value has a limit too."""

    def __init__(self, file: IO[bytes], length: int) -> None:
        self._file, self._left = file, length

    def read(self, count: int) -> bytes:
        if not 0 <= count <= self._left or count > _LARGEST:
            count = max(0, min(count, self._left, _LARGEST))
        self._left -= count  # short at the end of the file, where nothing is read any more
        return self._file.read(count)

    def readline(self) -> bytes:
        data = self._file.readline(max(0, min(self._left, _LARGEST)))
        self._left -= len(data)
        return data


class _ListMachine(Machine):
    """Forgets, when an item of the outer list is complete, what only that item can refer to."""

    def __init__(self) -> None:
        super().__init__()
        self._fresh: list[int] = []
        self._count = 0

    def _memoize(self, key: int | None = None) -> None:
        key = self._count if key is None else key
        self._count += key not in self._memo
        self._fresh.append(key)
        super()._memoize(key)

    def is_between(self, name: str) -> bool:
        """Whether the opcode called `name` comes right after a whole item of the outer list."""
        if not self.stack or not isinstance(self.stack[-1], dict) or not isinstance(self.stack[0], list):
            return False
        if len(self.stack) == 3 and self.stack[1] is MARK:
            return name in ("EMPTY_DICT", "APPENDS")
        return len(self.stack) == 2 and name == "APPEND"

    def take(self) -> dict[Any, Any]:
        """The item that is complete, no longer held here."""
        item: dict[Any, Any] = self.stack.pop()
        for key in self._fresh:
            if key in self._memo and not _may_be_shared(self._memo[key]):
                del self._memo[key]
        self._fresh.clear()
        return item


def _may_be_shared(value: Any, depth: int = 0) -> bool:
    """Text, numbers, names, kinds of arrays, and short tuples of them (NumPy's constants): what Python writes once."""
    if isinstance(value, tuple):
        return depth < 2 and len(value) < 16 and all(_may_be_shared(each, depth + 1) for each in value)
    if isinstance(value, bytes):
        return len(value) < 16
    return not isinstance(value, list | dict) and not hasattr(value, "shape")


def items_of(file: IO[bytes], length: int) -> Iterator[dict[Any, Any]]:
    """The dicts of the pickled list that fills the next `length` bytes of `file`.

    Only one of them is in memory at a time, and short texts.

    Raises:
        ValueError: damaged, cut off, or no list of dicts.
        RefusedError: it asks for something that facesets have no need of.
    """
    machine, since = _ListMachine(), 0
    try:
        for opcode, argument, _ in genops(_Part(file, length)):  # type: ignore[arg-type]
            since += 1
            name = opcode.name
            if since > MOST_AN_ITEM:
                raise RefusedError(f"an entry of it has more than {MOST_AN_ITEM} opcodes")
            if name in _BETWEEN and machine.is_between(name):
                yield machine.take()
                since = 1
                if name == "APPEND":  # what it would append was taken
                    continue
            if name == "STOP":
                left = machine.result()
                if not isinstance(left, list) or not all(isinstance(item, dict) for item in left):
                    raise ValueError("it is no list of faces")
                yield from left
                return
            machine.obey(name, argument)
    except (IndexError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"its opcodes do not fit together: {type(error).__name__} {error}") from error
    raise ValueError("it has no end")
