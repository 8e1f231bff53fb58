"""A disposable SQLite file in a folder: what it holds can be made again, so damage and locks cost time only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

_PATIENCE = 5.0
"""Seconds to wait for another process that writes."""
T = TypeVar("T")


@dataclass(frozen=True)
class Cache:
    """One kind of such files.

    Attributes:
        name: of the file.
        version: of what is in it; a file of another version is emptied.
        schema: a CREATE TABLE for each table.
    """

    name: str
    version: int
    schema: tuple[str, ...]

    def read(self, folder: Path, take: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """What `take` gets out of the file in `folder`; `nothing` when there is none or it cannot be read now.

        A damaged file, and one of which `take` raises ValueError, TypeError or AttributeError, is removed.
        """
        if not (folder / self.name).exists():
            return nothing
        try:
            with closing(self._connect(folder)) as connection:
                return take(connection)
        except sqlite3.OperationalError:  # locked, read-only, no shared memory on this disk: it may serve another time
            return nothing
        except (sqlite3.DatabaseError, TypeError, ValueError, AttributeError):
            self._discard(folder)
            return nothing

    def write(self, folder: Path, put: Callable[[sqlite3.Connection], object]) -> None:
        """Let `put` change the file in `folder`, all of it or nothing; where it cannot be written nothing happens."""
        for attempt in range(2):
            try:
                with closing(self._connect(folder)) as connection:
                    connection.execute("BEGIN IMMEDIATE")
                    put(connection)
                    connection.execute("COMMIT")
                return
            except sqlite3.OperationalError:
                return
            except sqlite3.DatabaseError:
                if attempt == 0:
                    self._discard(folder)

    def _connect(self, folder: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(folder / self.name, timeout=_PATIENCE, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            if connection.execute("PRAGMA user_version").fetchone()[0] != self.version:
                connection.execute("BEGIN IMMEDIATE")
                for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    connection.execute(f'DROP TABLE "{table}"')
                for statement in self.schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {self.version}")
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _discard(self, folder: Path) -> None:
        for suffix in ("", "-wal", "-shm"):
            with suppress(OSError):
                (folder / f"{self.name}{suffix}").unlink()
