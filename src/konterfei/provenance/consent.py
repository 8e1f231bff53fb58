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
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomli_w

from konterfei.errors import ConsentError, UnknownNameError
from konterfei.io.atomic import sha256 as sha256_of
from konterfei.io.atomic import write_text
from konterfei.provenance.record_file import VERSION, RecordFile

ANY = "any"
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
        file = RecordFile(path)
        fields = file.fields()
        evidence = tuple(Evidence(**item) for item in fields.pop("evidence"))
        try:
            return cls(**fields, evidence=evidence, path=path, sha256=hashlib.sha256(file.content).hexdigest())
        except UnknownNameError as error:
            raise file.error("basis", str(error)) from error
        except ConsentError as error:
            raise file.error(str(error).split(" ", 1)[0], str(error)) from error

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
