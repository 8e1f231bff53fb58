"""Small notes from one process to another through a folder: a request, and its answer.

    commands/1763771234567-4711-5f3a.json          {"name": "save", "value": ""}
    commands/1763771234567-4711-5f3a.answer.json   {"done": true, "text": "..."}

Every file appears whole or not at all. A request's name begins with the milliseconds at which it was made, so that
names sort by age. Whoever reads looks into the folder once in a while; nothing needs a port or a shared clock.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from konterfei.io.atomic import make_folder, remove_leftovers, write_json

_ANSWER = ".answer.json"
_LONGEST = 10_000  # bytes of a file that is read


@dataclass(frozen=True)
class Request:
    """What was asked for.

    Attributes:
        key: names it, unique.
        name: of the command.
        value: what it takes, "" for nothing.
    """

    key: str
    name: str
    value: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a request: whether it was done, and a line for the person who asked."""

    done: bool
    text: str


class Mailbox:
    """The folder of requests and answers. It need not exist; the first request makes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    # --- who asks

    def post(self, name: str, value: str = "") -> Request:
        """Leave a request. Raises OutputError."""
        request = Request(f"{time.time_ns() // 1_000_000}-{os.getpid()}-{uuid.uuid4().hex[:4]}", name, value)
        make_folder(self.folder)
        write_json(self.folder / f"{request.key}.json", {"name": name, "value": value})
        return request

    def take_answer(self, request: Request) -> Answer | None:
        """The answer, once it is there; it is removed."""
        path = self.folder / f"{request.key}{_ANSWER}"
        told = _read(path)
        if told is None:
            return None
        _remove(path)
        return Answer(told.get("done") is True, str(told.get("text", "")))

    def withdraw(self, request: Request) -> None:
        """Nobody waits for it any more."""
        _remove(self.folder / f"{request.key}.json")
        _remove(self.folder / f"{request.key}{_ANSWER}")

    # --- who is asked

    def requests(self) -> list[Request]:
        """What is there, oldest first. Files that are no request are removed."""
        try:
            names = sorted(entry.name for entry in os.scandir(self.folder))
        except FileNotFoundError:
            return []
        found = []
        for name in names:
            if name.startswith(".") or not name.endswith(".json") or name.endswith(_ANSWER):
                continue
            told = _read(self.folder / name)
            if told is None or "name" not in told:
                _remove(self.folder / name)
                continue
            found.append(Request(name.removesuffix(".json"), str(told["name"]), str(told.get("value", ""))))
        return found

    def answer(self, request: Request, done: bool, text: str) -> None:
        """Say what came of a request, and take it out of the folder. A request that was withdrawn gets no answer."""
        path = self.folder / f"{request.key}.json"
        if path.exists():
            write_json(self.folder / f"{request.key}{_ANSWER}", {"done": done, "text": text})
            _remove(path)

    def tidy(self) -> None:
        """Remove answers that nobody took, and torn files. Only for the one that reads the requests."""
        if self.folder.is_dir():
            remove_leftovers(self.folder)
            for path in self.folder.glob(f"*{_ANSWER}"):
                _remove(path)


def _read(path: Path) -> dict[str, object] | None:
    """A file's JSON object; None where there is none (any more) or it is something else."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_LONGEST))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
