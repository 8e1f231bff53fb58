"""What a person decided about people, with all that it takes to undo it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import combinations


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Something that a person decided, with what it changed.

    Attributes:
        kind: name, merge, split, move, apart.
        when: ISO 8601, UTC.
        said: it, in words.
        moves: (from, to, digests of the faces).
        names: number -> name before, name after; empty = none.
        apart: the two who are not the same.
        created: numbers of people whom it made.
    """

    kind: str
    when: str
    said: str
    moves: tuple[tuple[int, int, tuple[str, ...]], ...] = ()
    names: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    apart: tuple[int, int] | None = None
    created: tuple[int, ...] = ()

    @property
    def people(self) -> set[int]:
        """Everybody whom it is about."""
        moved = {number for one, other, _ in self.moves for number in (one, other)}
        return moved | set(self.names) | set(self.apart or ()) | set(self.created)

    @property
    def strangers(self) -> list[tuple[int, int]]:
        """Pairs of people who are not the same, by it."""
        if self.kind == "split":
            return list(combinations((self.moves[0][0], *self.created), 2))
        moved = [(source, to) for source, to, _ in self.moves if to in self.created]
        return [*moved, *([self.apart] if self.apart else [])]


def now() -> str:
    """This moment, as decisions keep it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
