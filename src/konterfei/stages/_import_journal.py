"""Which faces an import has taken over already: a line each, so that the same command goes on after a kill."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Self

from konterfei.io.atomic import output_error

JOURNAL_NAME = "import.jsonl"


class ImportJournal:
    """The journal at `path`, opened to add to.

    Attributes:
        done: place of a face -> name of its crop.
        doubles: place of a face -> in words, of which other one it is a copy.

    Raises:
        OutputError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.done: dict[str, str] = {}
        self.doubles: dict[str, str] = {}
        self._owners: dict[tuple[str, str], str] = {}
        self._path = path
        try:
            if path.exists():
                self._read(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise output_error(path, error) from error

    def _read(self, path: Path) -> None:
        """Take what is there; what a kill left of a last line is cut off."""
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        for line in whole.splitlines():
            place, name, folder = json.loads(line)
            self._take(place, name, folder)
        if whole != data:
            path.write_bytes(whole)

    def _take(self, place: str, name: str, folder: str) -> None:
        owner = self._owners.setdefault((folder, name), place)
        if owner == place:
            self.done[place] = name
        else:
            self.doubles[place] = f"it is a copy of {owner}"

    def add(self, place: str, name: str, folder: str) -> None:
        """Note that the face at `place` is the crop `name` of the faceset in `folder`. Raises OutputError."""
        try:
            self._file.write(json.dumps([place, name, folder]) + "\n")
            self._file.flush()
        except OSError as error:
            raise output_error(self._path, error) from error
        self._take(place, name, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
