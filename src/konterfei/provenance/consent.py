"""Consent records: who lent the face, on what basis, for what, until when, and what proves it.

A record is one small TOML file per src identity, made by hand or by `konterfei consent new`:

    version = 1
    person = "Anna Muster"
    basis = "signed"                    # one of BASES
    scope = ["lakeside", "lakeside trailer"]
    reason = "Digital replica rider of 3 May, kept by the production office."
    expires = 2027-12-31                # last day; leave out = no end agreed
    created = 2026-11-21

    [[evidence]]
    file = "rider.pdf"                  # beside this file, or an absolute path
    sha256 = "9f86d0..."
    kept = "production office"          # optional: then the file itself may be absent

`scope` lists what the face may be used for, by name; `"any"` covers everything, and `*` stands for any run of
characters. A use that is asked for (`--use lakeside`) has to match one of them, whatever the case of the letters.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomli_w

from konterfei.errors import ConsentError, UnknownNameError
from konterfei.io.atomic import sha256 as sha256_of
from konterfei.io.atomic import write_text

VERSION = 1
ANY = "any"
MAX_BYTES = 1 << 20  # a record is a page of text; more than this is some other file, given by mistake
MIN_REASON = 10  # characters: shorter than this says nothing to whoever reads the record later


@dataclass(frozen=True)
class Basis:
    """One ground on which a face may be used.

    Attributes:
        about: one line for help texts and questions.
        needs_reason: the reason must be written out.
        needs_proof: an evidence file, or a reason that says where the proof is kept.
        reason_about: what the reason should say.
    """

    about: str
    needs_reason: bool = False
    needs_proof: bool = False
    reason_about: str = ""


BASES: Mapping[str, Basis] = {
    "self": Basis("it is your own face"),
    "signed": Basis(
        "the person agreed in writing",
        needs_proof=True,
        reason_about="where the signed agreement is kept, unless it is given as evidence",
    ),
    "estate": Basis(
        "the person has died and those who hold the rights agreed",
        needs_reason=True,
        reason_about="who agreed for the estate, when, and where that is written down",
    ),
    "public-domain": Basis(
        "no one holds rights in the likeness any more",
        needs_reason=True,
        reason_about="why no one holds rights in this likeness any more",
    ),
    "synthetic": Basis("the face belongs to no real person"),
    "research": Basis(
        "a dataset whose licence, and whose subjects' consent, covers this",
        needs_proof=True,
        reason_about="which dataset and licence, and where its terms are kept, unless they are given as evidence",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A file that proves the consent. `kept` says where it is when it does not lie beside the record."""

    file: str
    sha256: str
    kept: str = ""


@dataclass(frozen=True, kw_only=True)
class Consent:
    """A consent record, complete and sensible in itself; whether it covers a use is for `check` to say."""

    person: str
    basis: str
    scope: tuple[str, ...]
    reason: str = ""
    expires: date | None = None
    revoked: date | None = None
    created: date | None = None
    evidence: tuple[Evidence, ...] = ()
    path: Path | None = None
    """The file it was read from; evidence is looked for beside it."""
    sha256: str = ""
    """Of the file's bytes: what a signed video says about its consent record."""

    def __post_init__(self) -> None:
        if not self.person.strip():
            raise ConsentError("person is empty. Write the name, or a name agreed with them, of whose face it is.")
        if self.basis not in BASES:
            raise UnknownNameError("basis of consent", self.basis, BASES)
        if not self.scope or not all(name.strip() for name in self.scope):
            raise ConsentError(
                'scope is empty. Name what the face may be used for, for example scope = ["my film"], '
                f'or write scope = ["{ANY}"].'
            )
        basis = BASES[self.basis]
        has_reason = len(self.reason.strip()) >= MIN_REASON
        if basis.needs_reason and not has_reason:
            raise ConsentError(f'basis "{self.basis}" needs a reason: {basis.reason_about}.')
        if basis.needs_proof and not (has_reason or self.evidence):
            raise ConsentError(f'basis "{self.basis}" needs evidence, or a reason: {basis.reason_about}.')

    @classmethod
    def load(cls, path: Path | str) -> Consent:
        """The record in a TOML file.

        Raises:
            ConsentError: missing, not TOML, or fields that are missing, unknown or make no sense; names the file,
                the line where it can, and what to do.
        """
        path = Path(path)
        content = _read(path)
        text = _decoded(path, content)
        try:
            fields = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConsentError(
                f"{path}: not valid TOML: {_with_line(str(error))}. Texts stand in double quotes, dates as "
                "2027-12-31, lists in [ ]. `konterfei consent new` writes a fresh record."
            ) from error
        reader = _Reader(path, text)
        try:
            return cls(**reader.fields(fields), path=path, sha256=hashlib.sha256(content).hexdigest())
        except UnknownNameError as error:
            raise reader.error("basis", str(error)) from error
        except ConsentError as error:
            if str(error).startswith(str(path)):
                raise
            raise reader.error(str(error).split(" ", 1)[0], str(error)) from error

    def covers(self, use: str) -> bool:
        """True when one of the names in `scope` matches `use`."""
        wanted = _plain(use)
        return any(_plain(name) == ANY or fnmatchcase(wanted, _plain(name)) for name in self.scope)

    def to_toml(self) -> str:
        """The record as the text of a TOML file."""
        table: dict[str, Any] = {"version": VERSION, "person": self.person, "basis": self.basis}
        table["scope"] = list(self.scope)
        for name in ("reason", "expires", "revoked", "created"):
            if value := getattr(self, name):
                table[name] = value
        if self.evidence:
            table["evidence"] = [
                {"file": item.file, "sha256": item.sha256, **({"kept": item.kept} if item.kept else {})}
                for item in self.evidence
            ]
        return (
            "# Consent record of konterfei: whose face may be used, on what basis, for what, until when.\n"
            "# Keep it with the material. Its hash goes into every video made with it.\n"
            + tomli_w.dumps(table, multiline_strings=False)
        )

    def save(self, path: Path | str) -> None:
        """Write the record to `path`, whole or not at all. Raises OutputError."""
        write_text(path, self.to_toml())


def require(path: Path | str | None, today: date | None = None, use: str | None = None) -> Consent:
    """The consent record at `path`, known to cover `use` today. The gate before every swap.

    Args:
        path: TOML file, or None when none was given.
        today: the day to check against; None = the machine's date.
        use: name of the production or purpose, as `scope` knows it; may be None if the scope is "any".

    Raises:
        ConsentError: no record, a bad one, or one that does not cover this; says what to do.
    """
    if path is None:
        raise ConsentError(
            "No consent record was given for the person whose face is used. Make one with "
            "`konterfei consent new -o NAME.toml` and pass it with --consent NAME.toml."
        )
    consent = Consent.load(path)
    check(consent, today, use)
    return consent


def check(consent: Consent, today: date | None = None, use: str | None = None) -> None:
    """Raise ConsentError unless `consent` is in force `today`, covers `use`, and its evidence is unchanged."""
    today = today or date.today()
    where = f"{consent.path}: " if consent.path else ""
    who = f"the consent of {consent.person}"
    if consent.revoked and today >= consent.revoked:
        raise ConsentError(
            f"{where}{who} was withdrawn on {consent.revoked}. The face may not be used any more; "
            "a new agreement needs a new record."
        )
    if consent.expires and today > consent.expires:
        raise ConsentError(
            f"{where}{who} ended on {consent.expires} (today is {today}). Agree on a longer term and write the new "
            "date into a new record, or use another face."
        )
    _check_scope(consent, use, where, who)
    for item in consent.evidence:
        _check_evidence(consent, item, where)


def evidence_of(file: Path, record: Path, kept: str = "") -> Evidence:
    """Evidence entry for `file`, named relative to the folder of `record` where it lies in or below that."""
    if not file.is_file():
        raise ConsentError(f"Evidence '{file}' is not a file. Give the signed agreement, licence or letter itself.")
    resolved, folder = file.resolve(), record.resolve().parent
    inside = resolved.is_relative_to(folder)
    name = resolved.relative_to(folder).as_posix() if inside else str(resolved)
    return Evidence(file=name, sha256=sha256_of(file), kept=kept)


def _check_scope(consent: Consent, use: str | None, where: str, who: str) -> None:
    names = ", ".join(f"'{name}'" for name in consent.scope)
    if use is None or not use.strip():
        if not any(_plain(name) == ANY for name in consent.scope):
            raise ConsentError(f"{where}{who} covers {names} only. Say which of these it is with --use NAME.")
    elif not consent.covers(use):
        near = get_close_matches(_plain(use), [_plain(name) for name in consent.scope], n=1, cutoff=0.6)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConsentError(
            f"{where}{who} does not cover '{use}'; it covers {names}.{hint} Ask for a wider consent and record it, "
            "or use another face."
        )


def _check_evidence(consent: Consent, item: Evidence, where: str) -> None:
    file = (consent.path.parent if consent.path else Path()) / item.file
    if not file.is_file():
        if item.kept:
            return
        raise ConsentError(
            f"{where}the evidence '{item.file}' is not there. Put it back beside the record, or, if it is kept "
            'elsewhere, add kept = "where" to its [[evidence]] entry.'
        )
    try:
        digest = sha256_of(file)
    except OSError as error:
        raise ConsentError(f"{where}the evidence '{item.file}' cannot be read: {error.strerror}.") from error
    if digest != item.sha256.lower():
        raise ConsentError(
            f"{where}the evidence '{item.file}' was changed since the record was made (its SHA-256 is {digest[:12]}…, "
            f"recorded is {item.sha256[:12].lower()}…). Put the original back, or record the new document anew."
        )


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


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


def _with_line(message: str) -> str:
    """tomllib's message with its place first: "line 3, column 5: Expected ..."."""
    found = re.match(r"(.*) \(at (line \d+, column \d+|end of document)\)$", message)
    return f"{found[2]}: {found[1]}" if found else message


class _Reader:
    """Turns a parsed TOML table into the fields of a Consent, with errors that name file and line."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.lines = text.splitlines()

    def error(self, field: str, message: str) -> ConsentError:
        name = re.escape(field)
        for number, line in enumerate(self.lines, start=1):
            if re.match(rf'\s*(\[\[?\s*)?["\']?{name}["\']?\s*(=|\]|\.)', line):
                return ConsentError(f"{self.path}, line {number}: {message}")
        return ConsentError(f"{self.path}: {message}")

    def fields(self, table: dict[str, Any]) -> dict[str, Any]:
        known = ["version", "person", "basis", "scope", "reason", "expires", "revoked", "created", "evidence"]
        self._refuse_unknown(table, known)
        for name in ("version", "person", "basis", "scope"):
            if name not in table:
                raise self.error(name, f"{name} is missing. Add a line: {_EXAMPLES[name]}")
        if table["version"] != VERSION:
            raise self.error(
                "version", f"version is {table['version']!r}, this konterfei reads {VERSION}. Update konterfei."
            )
        return {
            "person": self._text(table, "person"),
            "basis": self._text(table, "basis"),
            "scope": self._texts(table, "scope"),
            "reason": self._text(table, "reason"),
            **{name: self._date(table, name) for name in ("expires", "revoked", "created")},
            "evidence": self._evidence(table),
        }

    def _refuse_unknown(self, table: dict[str, Any], known: list[str]) -> None:
        for name in table:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                hint = f"Did you mean '{near[0]}'?" if near else f"Known are {', '.join(known)}."
                raise self.error(name, f"there is no field '{name}'. {hint}")

    def _text(self, table: dict[str, Any], name: str) -> str:
        value = table.get(name, "")
        if not isinstance(value, str):
            raise self.error(name, f"{name} should be a text in double quotes, for example {_EXAMPLES[name]}")
        return value.strip()

    def _texts(self, table: dict[str, Any], name: str) -> tuple[str, ...]:
        value = table[name]
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(item, str) for item in values):
            raise self.error(name, f"{name} should be a list of texts, for example {_EXAMPLES[name]}")
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

    def _evidence(self, table: dict[str, Any]) -> tuple[Evidence, ...]:
        entries = table.get("evidence", [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise self.error("evidence", "evidence should be [[evidence]] entries with file and sha256.")
        found = []
        for entry in entries:
            self._refuse_unknown(entry, ["file", "sha256", "kept"])
            item = Evidence(**{name: self._text(entry, name) for name in ("file", "sha256", "kept")})
            if not item.file:
                raise self.error("evidence", 'an [[evidence]] entry has no file. Add a line: file = "agreement.pdf"')
            if not re.fullmatch(r"[0-9a-fA-F]{64}", item.sha256):
                raise self.error(
                    "sha256", f"sha256 of '{item.file}' should be 64 hexadecimal digits, as `sha256sum` prints them."
                )
            found.append(item)
        return tuple(found)


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
