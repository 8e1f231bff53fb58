"""Tables of interchangeable methods: a name, where it lives, one line about it.

A table holds strings, so that listing names imports nothing and `--help` stays fast.
Outside packages add methods through entry points of the group `konterfei.<kind>`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from konterfei.errors import UnknownNameError


@dataclass(frozen=True)
class Entry:
    """One method: `target` is "package.module:attribute", `about` one line for help texts."""

    target: str
    about: str


class Registry(Mapping[str, Entry]):
    """Name -> method, for one kind of thing.

    Args:
        kind: singular word for messages and for the entry point group, for example "detector".
        entries: the methods that konterfei ships.
    """

    def __init__(self, kind: str, entries: dict[str, Entry]) -> None:
        self.kind = kind
        self._own = dict(entries)
        self._outside: dict[str, Entry] | None = None

    @property
    def _entries(self) -> dict[str, Entry]:
        if self._outside is None:
            group = f"konterfei.{self.kind.replace(' ', '_')}"
            self._outside = {p.name: Entry(p.value, "from an outside package") for p in entry_points(group=group)}
        return {**self._outside, **self._own}

    def __getitem__(self, name: str) -> Entry:
        """Entry of `name`. Raises UnknownNameError with the nearest names."""
        try:
            return self._entries[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._entries) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def load(self, name: str) -> Any:
        """The function or class itself (this is where its module is imported)."""
        module, _, attribute = self[name].target.partition(":")
        return getattr(import_module(module), attribute)
