"""`konterfei consent new`: write a consent record.

The stage never asks. What there is to ask is data (`next_question`, `answered`), so that the command line and later
the studio can put the open questions to a person in their own way.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated

from konterfei.errors import ConfigError, OutputError, UnknownNameError
from konterfei.provenance.consent import ANY, BASES, Consent, evidence_of
from konterfei.reporting import Reporter


@dataclass(frozen=True, kw_only=True)
class ConsentConfig:
    """Write a consent record for the person whose face is to be used."""

    output: Path
    """TOML file to write, for example anna.toml. Keep it with the material."""
    person: str | None = None
    """Whose face it is: the name, or a name agreed with them. It can be read in every video made with the record."""
    basis: Annotated[str | None, BASES] = None
    """On what ground the face may be used."""
    scope: tuple[str, ...] = ()
    """What it may be used for, by name (repeat the flag for several); "any" covers everything. Taken as "any" for
    your own and for synthetic faces when left out."""
    reason: str | None = None
    """In a sentence: why this is allowed and where that is written down. Needed for estate and public-domain, and for
    signed and research when there is no evidence file."""
    expires: date | None = None
    """Last day on which the face may be used, as 2027-12-31. None = no end was agreed."""
    evidence: tuple[Path, ...] = ()
    """Files that prove it (signed agreement, licence). Only their names and SHA-256 go into the record; a file that is
    changed later makes the record void."""
    kept: str | None = None
    """Where the evidence files are kept, if they will not stay where they are now. They may then be absent later."""
    force: bool = False
    """Write over an existing record."""

    def __post_init__(self) -> None:
        if self.basis is not None and self.basis not in BASES:
            raise UnknownNameError("basis of consent", self.basis, BASES)
        if self.output.suffix.lower() != ".toml":
            raise ConfigError(f"--output is '{self.output}': a consent record is a .toml file. Name it NAME.toml.")
        if self.kept and not self.evidence:
            raise ConfigError("--kept says where evidence files are kept, but no --evidence is given. Add --evidence.")


@dataclass(frozen=True, kw_only=True)
class Question:
    """One thing to ask. `field` is the ConsentConfig field; an answer may be empty unless `required`."""

    field: str
    text: str
    required: bool
    choices: tuple[tuple[str, str], ...] = ()
    """(name, what it means) when only these are possible."""


def next_question(config: ConsentConfig, asked: Collection[str] = ()) -> Question | None:
    """What is still to be asked, one at a time, since later questions depend on earlier answers.

    Args:
        config: the answers so far.
        asked: fields whose question was already put and may stay empty.
    """
    if config.person is None:
        return Question(field="person", text="Whose face is it?", required=True)
    if config.basis is None:
        choices = tuple((name, basis.about) for name, basis in BASES.items())
        return Question(field="basis", text="On what basis may it be used?", required=True, choices=choices)
    basis = BASES[config.basis]
    if not config.scope and "scope" not in asked:
        return Question(
            field="scope",
            text=f'What may it be used for? Names of productions or purposes, commas between; "{ANY}" for everything',
            required=_needs_scope(config.basis),
        )
    if basis.needs_proof and not config.evidence and "evidence" not in asked:
        return Question(field="evidence", text="Files that prove it, commas between (empty: none)", required=False)
    if not config.reason and (basis.needs_reason or (basis.needs_proof and not config.evidence)):
        return Question(field="reason", text=f"Please write down {basis.reason_about}", required=True)
    if config.expires is None and config.basis not in ("self", "synthetic") and "expires" not in asked:
        return Question(field="expires", text="Last day of the consent, as 2027-12-31 (empty: no end)", required=False)
    return None


def answered(config: ConsentConfig, question: Question, text: str) -> ConsentConfig:
    """`config` with the typed answer to `question` filled in.

    Raises:
        ConfigError, UnknownNameError: the answer makes no sense, or is empty where it may not be; ask again.
    """
    text = text.strip()
    if not text:
        if question.required:
            raise ConfigError(f"An answer is needed: {question.text}")
        return config
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    match question.field:
        case "person":
            return replace(config, person=text)
        case "basis":
            return replace(config, basis=text)
        case "scope":
            return replace(config, scope=parts)
        case "reason":
            return replace(config, reason=text)
        case "evidence":
            paths = tuple(Path(part).expanduser() for part in parts)
            if absent := [str(path) for path in paths if not path.is_file()]:
                raise ConfigError(f"There is no file {', '.join(absent)}.")
            return replace(config, evidence=paths)
        case "expires":
            try:
                return replace(config, expires=date.fromisoformat(text))
            except ValueError:
                raise ConfigError(f"'{text}' is not a date. Write it as 2027-12-31.") from None
    raise ValueError(f"no question is about {question.field}")


def consent_new(config: ConsentConfig, reporter: Reporter) -> Path:
    """Write the record and give its path.

    Raises:
        ConfigError: something needed was not given; names the flag.
        ConsentError: what was given does not make a record; says what is missing.
        OutputError: the file exists, or cannot be written.
    """
    if config.person is None:
        raise ConfigError("--person is missing: whose face is it? For example --person 'Anna Muster'.")
    if config.basis is None:
        raise ConfigError(f"--basis is missing: on what ground may the face be used? One of {', '.join(BASES)}.")
    if not config.scope and _needs_scope(config.basis):
        raise ConfigError(
            f"--scope is missing: what may the face be used for? For example --scope 'my film', or --scope {ANY}."
        )
    if config.output.exists() and not config.force:
        raise OutputError(f"'{config.output}' exists already. Choose another name, or add --force to write over it.")
    if config.expires is not None and config.expires < date.today():
        raise ConfigError(f"--expires {config.expires} lies in the past. Give the last day of the consent.")
    consent = Consent(
        person=config.person.strip(),
        basis=config.basis,
        scope=config.scope or (ANY,),
        reason=(config.reason or "").strip(),
        expires=config.expires,
        created=date.today(),
        evidence=tuple(evidence_of(file, config.output, config.kept or "") for file in config.evidence),
    )
    consent.save(config.output)
    covers = "any use" if ANY in consent.scope else ", ".join(consent.scope)
    until = f"until {consent.expires}" if consent.expires else "without an end date"
    reporter.note(f"Consent of {consent.person} ({consent.basis}) for {covers}, {until}: {config.output}")
    return config.output


def _needs_scope(basis: str) -> bool:
    return basis not in ("self", "synthetic")
