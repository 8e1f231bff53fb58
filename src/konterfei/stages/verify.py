"""`konterfei verify`: what was changed in a video, by what, and whether it was altered since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from konterfei.errors import ConsentError
from konterfei.io.atomic import sha256
from konterfei.provenance.verdict import Verification
from konterfei.provenance.verification import read_roots
from konterfei.provenance.verification import verify as verify_file
from konterfei.reporting import Reporter


@dataclass(frozen=True, kw_only=True)
class VerifyConfig:
    """Say what was changed in a video, by what, and whether it was altered since."""

    video: Path
    """The file to look at."""
    consent: Path | None = None
    """Consent record: also check that it is the very one named in the video."""
    trust: Path | None = None
    """Root certificates (PEM) of signers whom you trust, besides this computer's own."""


def verify(config: VerifyConfig, reporter: Reporter) -> Verification:
    """The verdict on `config.video`; its `exit_code` is 0 only when it is marked and untouched.

    Raises:
        UnreadableMediaError: no such file, or neither a video nor a marked file.
        ConfigError, ConsentError: `trust` or `consent` cannot be read.
    """
    trust = read_roots(config.trust) if config.trust else ""
    if config.consent is not None and not config.consent.is_file():
        raise ConsentError(f"--consent '{config.consent}' is not a file. Give the consent record to compare with.")
    verdict = verify_file(config.video, trust, reporter)
    if config.consent is None or not verdict.consent:
        return verdict
    if sha256(config.consent) == verdict.consent.get("record_sha256"):
        reporter.note(f"'{config.consent}' is the consent record named in the video.")
        return replace(verdict, consent_fits=True)
    problem = f"'{config.consent}' is not the consent record named in the video, or was changed since."
    return replace(verdict, consent_fits=False, problems=(*verdict.problems, problem))
