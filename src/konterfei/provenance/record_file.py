"""The TOML file of a consent record: read into plain fields, with errors that name file, line and remedy."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from konterfei.errors import ConsentError

VERSION = 1
MAX_BYTES = 1 << 20  # a record is a page of text; more than this is some other file, given by mistake
_DATES = ("expires", "revoked", "created")
_KNOWN = ("version", "person", "basis", "scope", "reason", *_DATES, "evidence")
_EVIDENCE = ("file", "sha256", "kept")
_EXAMPLES = {
    "version": f"version = {VERSION}",
    "person": 'person = "Anna Muster"',
    "basis": 'basis = "signed"',
    "scope": 'scope = ["my film"]',
    "reason": 'reason = "Agreement of 3 May, kept by the production office."',
    "file": 'file = "agreement.pdf"',
    "sha256": 'sha256 = "9f86d081884c..."',
    "kept": 'kept = "production office"',
}


class RecordFile:
    """A consent record's text and where in it things stand.

    Args:
        path: the TOML file.

    Raises:
        ConsentError: not there, unreadable, too large, not UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.content = _read(path)
        self._text = _decoded(path, self.content)

    def error(self, field: str, message: str) -> ConsentError:
        """The error about `field`, with the line where it stands, if it does."""
        name = re.escape(field)
        for number, line in enumerate(self._text.splitlines(), start=1):
            if re.match(rf'\s*(\[\[?\s*)?["\']?{name}["\']?\s*(=|\]|\.)', line):
                return ConsentError(f"{self.path}, line {number}: {message}")
        return ConsentError(f"{self.path}: {message}")

    def fields(self) -> dict[str, Any]:
        """Fields of the record with the right types; `evidence` is a list of dicts of texts. Raises ConsentError."""
        try:
            table = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise ConsentError(
                f"{self.path}: not valid TOML: {_place_first(str(error))}. Texts stand in double quotes, dates as "
                "2027-12-31, lists in [ ]. `konterfei consent new` writes a fresh record."
            ) from error
        self._refuse_unknown(table, _KNOWN)
        for name in ("version", "person", "basis", "scope"):
            if name not in table:
                raise self.error(name, f"{name} is missing. Add a line: {_EXAMPLES[name]}")
        if table["version"] != VERSION:
            raise self.error(
                "version", f"version is {table['version']!r}, this konterfei reads {VERSION}. Update konterfei."
            )
        return {
            "person": self._text_of(table, "person"),
            "basis": self._text_of(table, "basis"),
            "scope": self._scope(table["scope"]),
            "reason": self._text_of(table, "reason"),
            **{name: self._date(table, name) for name in _DATES},
            "evidence": self._evidence(table.get("evidence", [])),
        }

    def _refuse_unknown(self, table: dict[str, Any], known: Sequence[str]) -> None:
        for name in table:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known are {', '.join(known)}."
                raise self.error(name, f"there is no field '{name}'. {hint}")

    def _text_of(self, table: dict[str, Any], name: str) -> str:
        value = table.get(name, "")
        if not isinstance(value, str):
            raise self.error(name, f"{name} should be a text in double quotes, for example {_EXAMPLES[name]}")
        return value.strip()

    def _scope(self, value: Any) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise self.error("scope", f"scope should be a list of texts, for example {_EXAMPLES['scope']}")
        return tuple(item.strip() for item in values)

    def _date(self, table: dict[str, Any], name: str) -> date | None:
        value = table.get(name)
        if isinstance(value, datetime):
            return value.date()
        if value is None or isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except (TypeError, ValueError):
            raise self.error(name, f"{name} should be a date, for example {name} = 2027-12-31") from None

    def _evidence(self, entries: Any) -> list[dict[str, str]]:
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.error("evidence", "evidence should be [[evidence]] entries with file and sha256.")
        found = []
        for entry in entries:
            self._refuse_unknown(entry, _EVIDENCE)
            item = {name: self._text_of(entry, name) for name in _EVIDENCE}
            if not item["file"]:
                raise self.error("evidence", f"an [[evidence]] entry has no file. Add a line: {_EXAMPLES['file']}")
            if not re.fullmatch(r"[0-9a-fA-F]{64}", item["sha256"]):
                raise self.error(
                    "sha256",
                    f"sha256 of '{item['file']}' should be 64 hexadecimal digits, as `sha256sum` prints them.",
                )
            found.append(item)
        return found


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise ConsentError(f"{path}: is a folder. Give the consent record itself, a .toml file.")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConsentError(
            f"{path}: there is no such consent record. Make one with `konterfei consent new -o {path}`."
        ) from None
    except OSError as error:
        raise ConsentError(f"{path}: cannot be read: {error.strerror}. Check its permissions.") from error
    if len(content) > MAX_BYTES:
        raise ConsentError(f"{path}: is far too large for a consent record. Give the .toml file.")
    return content


def _decoded(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConsentError(f"{path}, line {line}: is not UTF-8 text. Save the consent record as UTF-8.") from error


def _place_first(message: str) -> str:
    """tomllib's message with its place first: "line 3, column 5: Expected ..."."""
    found = re.match(r"(.*) \(at (line \d+, column \d+|end of document)\)$", message)
    return f"{found[2]}: {found[1]}" if found else message
