"""`konterfei verify`: what was changed in a video or in pictures, by what, and whether they were altered since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from konterfei.errors import ConsentError
from konterfei.io.atomic import sha256
from konterfei.io.sequence import is_sequence
from konterfei.provenance.verdict import SequenceVerification, Verification
from konterfei.provenance.verification import read_roots, verify_pictures
from konterfei.provenance.verification import verify as verify_file
from konterfei.reporting import Reporter
from konterfei.turnover import is_package, verify_package


@dataclass(frozen=True, kw_only=True)
class VerifyConfig:
    """Say what was changed in a video, by what, and whether it was altered since."""

    video: Path
    """The file to look at; or a folder or pattern (shot.%06d.png) of pictures, each of which is looked at; or a package
    for compositors (OUT.turnover)."""
    consent: Path | None = None
    """Consent record: also check that it is the very one named in the video."""
    trust: Path | None = None
    """Root certificates (PEM) of signers whom you trust, besides this computer's own."""


def verify(config: VerifyConfig, reporter: Reporter) -> Verification | SequenceVerification:
    """The verdict on `config.video`; its `exit_code` is 0 only when it is marked and untouched.

    Raises:
        UnreadableMediaError: no such file, or neither a video nor a marked file.
        ConfigError, ConsentError: `trust` or `consent` cannot be read.
    """
    trust = read_roots(config.trust) if config.trust else ""
    if config.consent is not None and not config.consent.is_file():
        raise ConsentError(f"--consent '{config.consent}' is not a file. Give the consent record to compare with.")
    digest = sha256(config.consent) if config.consent is not None else ""
    if is_sequence(config.video) and not is_package(config.video):
        found = verify_pictures(config.video, trust, reporter)
        if digest:
            found = replace(found, pictures=tuple(_compared(p, config.consent, digest) for p in found.pictures))
        verdict: Verification | SequenceVerification = found
    else:
        verdict_on = verify_package if config.video.is_dir() else verify_file
        one = verdict_on(config.video, trust, reporter)
        verdict = _compared(one, config.consent, digest) if digest else one
    if digest and verdict.consent_fits:
        reporter.note(f"'{config.consent}' is the consent record named there.")
    return verdict


def _compared(verdict: Verification, consent: Path | None, digest: str) -> Verification:
    """The verdict on a file, and whether the record with that hash is one that it names."""
    if not verdict.consent:
        return verdict
    if digest in [told.get("record_sha256") for told in verdict.consents]:
        return replace(verdict, consent_fits=True)
    problem = f"'{consent}' is not the consent record named in it, or was changed since."
    return replace(verdict, consent_fits=False, problems=(*verdict.problems, problem))
