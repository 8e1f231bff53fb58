"""Writing C2PA Content Credentials into a finished video, or into each picture of a sequence.

What is signed (C2PA 2.x; all of it can be read by any reader of Content Credentials, and by `verify`):
- the plate as the parent that was opened, src material and model as inputs, each with its SHA-256; credentials that
  they carry themselves are kept inside ours;
- the actions c2pa.opened and c2pa.edited, with IPTC's digital source type for neural compositing into real footage;
- `org.konterfei.swap`: model, steps, preset, settings, frames swapped and not swapped and why, label, preview or not;
- `org.konterfei.consent`: person, basis, scope and the hash of the record, never its evidence or reason; of every
  person who lent a face;
- a hash of the file. Nothing is fetched from or sent to a network.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from c2pa import Builder, C2paError, C2paSignerInfo, Context, Signer

from konterfei.errors import OutputError, ProvenanceError
from konterfei.io.atomic import atomic_path, ensure_writable, sha256
from konterfei.io.sequence import is_pattern, is_sequence, sequence_sha256
from konterfei.provenance import layout
from konterfei.provenance.certificate import Identity, signing_identity
from konterfei.provenance.consent import Consent
from konterfei.provenance.label import LABELS, wording
from konterfei.provenance.streams import Watched
from konterfei.provenance.verdict import Verification
from konterfei.provenance.verification import CONSENT, HASH_KEY, OFFLINE, SWAP, verify
from konterfei.reporting import Reporter, Silent

__all__ = [
    "PICTURES",
    "SIGNABLE",
    "VIDEOS",
    "Claim",
    "FaceClaim",
    "Material",
    "Verification",
    "ensure_signable",
    "sign",
    "verify",
]

VIDEOS: Mapping[str, str] = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
"""Suffixes of videos that can carry credentials, and their media types. (c2pa also knows AVI.)"""
PICTURES: Mapping[str, str] = {
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
"""The same of pictures."""
PREVIEWS: Mapping[str, str] = {".gif": "image/gif", ".webp": "image/webp"}
"""The same of animated pictures."""
SIGNABLE: Mapping[str, str] = {**VIDEOS, **PICTURES, **PREVIEWS}
SEALED_VIDEOS = (".mkv", ".webm")
"""Suffixes of videos that cannot carry credentials; `provenance.seal` signs a card beside them."""
SEALED_PICTURES = (".exr",)
"""The same of pictures."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC digital source type: "composite with elements made by a trained algorithm"."""
_READABLE = {**SIGNABLE, ".avi": "video/avi"}
_OPAQUE = "application/octet-stream"


@dataclass(frozen=True, kw_only=True)
class Material:
    """Something that went into the result. Make it with `Material.of` when the file or the pictures are at hand."""

    name: str
    sha256: str
    path: Path | None = None
    """Where it is now, if it is: credentials that it carries are then kept."""

    @classmethod
    def of(cls, path: Path | str) -> Material:
        """A file, or a folder or pattern of pictures (hashed by `io.sequence.sequence_sha256`, as in manifests).

        Raises:
            UnreadableMediaError: a folder without pictures.
        """
        path = Path(path)
        if is_sequence(path):
            return cls(name=path.name or path.resolve().name, sha256=sequence_sha256(path))
        return cls(name=path.name, sha256=sha256(path), path=path)


@dataclass(frozen=True, kw_only=True)
class FaceClaim:
    """What the credentials say about a further model that drew faces of a result."""

    who: str
    """Whose faces in the plate it drew: "track 3"."""
    consent: Consent
    """The record of the person whom it draws."""
    model: str
    steps: int
    preset: str
    use: str | None = None
    """What it was made for, as matched against that record's scope."""


@dataclass(frozen=True, kw_only=True)
class SealedFile:
    """A file that a seal is for, and what is said of it alone."""

    name: str
    sha256: str
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What the credentials say about a result."""

    plate: Material
    """The dst video (or folder of frames) that received the face."""
    consent: Consent
    """The record that allowed it, as `require` gave it."""
    model: str
    """Name of the model, for example "liae"."""
    steps: int
    """Training steps behind the snapshot used."""
    preset: str
    frames_swapped: int
    label: str
    """Style of the visible label, a name of LABELS; "none" is recorded, too."""
    label_text: str | None = None
    """Its words, where they are not the style's own."""
    frames_not_swapped: Mapping[str, int] = field(default_factory=dict)
    """Reason in words -> number of frames."""
    sources: tuple[Material, ...] = ()
    """Src videos, pictures or faceset, and the model snapshot."""
    use: str | None = None
    """What it was made for, as matched against the consent's scope."""
    is_preview: bool = False
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    """Merge settings worth telling."""
    frame: int | None = None
    """Of a picture: which frame of the plate it is, from 0."""
    others: tuple[FaceClaim, ...] = ()
    """Further models, where different faces were drawn by different ones."""
    sealed: tuple[SealedFile, ...] = ()
    """Files that this is said of, where they cannot carry it themselves."""


def ensure_signable(output: Path | str) -> None:
    """Raise OutputError, before any work, unless a result of this name can carry credentials.

    Args:
        output: a video, or a folder (no suffix, or one that is there) or pattern (`shot.%06d.png`) for pictures.
    """
    output = Path(output)
    suffix, stem = output.suffix.lower(), output.stem or "out"
    if is_pattern(output):
        if suffix in PICTURES or suffix in SEALED_PICTURES:
            return
        remedy = f"Use a pattern that ends in {', '.join([*PICTURES, *SEALED_PICTURES])}."
    elif suffix in VIDEOS or suffix in SEALED_VIDEOS or suffix in PREVIEWS or not suffix or output.is_dir():
        return
    else:
        remedy = f"Name the output {stem}.mp4 or {stem}.mov, or a folder or pattern ({stem}.%06d.png) for pictures."
    if suffix in PICTURES and not is_pattern(output):
        what = "it is one picture, which cannot hold all frames"
    else:
        what = f"Files of type '{suffix}' cannot carry Content Credentials"
    raise OutputError(f"Cannot write the result to '{output}': {what}, and konterfei marks every result. {remedy}")


def sign(
    unsigned: Path | str,
    output: Path | str,
    claim: Claim,
    identity: Identity | None = None,
    reporter: Reporter | None = None,
) -> Verification:
    """Write `output`: the video or picture `unsigned` with credentials. It appears checked and signed, or not at all.

    `unsigned` is left as it is; the caller removes it. It may not be `output`.

    Args:
        unsigned: finished video (MP4 or MOV by content, whatever its name) or picture.
        output: file of the same kind, with a suffix out of SIGNABLE.
        claim: what to say.
        identity: who signs; None = this user's self-made certificate.
        reporter: told the progress in bytes; may stop it.

    Returns:
        The check of the written file: untouched.

    Raises:
        OutputError: the type cannot be signed, no space, no permission, or it would overwrite the plate.
        ProvenanceError: signing failed, or the check afterwards did.
    """
    unsigned, output, reporter = Path(unsigned), Path(output), reporter or Silent()
    if output.suffix.lower() not in SIGNABLE:
        raise OutputError(f"Cannot sign '{output}': use {', '.join(SIGNABLE)}, which can carry Content Credentials.")
    if claim.plate.path is not None and claim.plate.path.resolve() == output.resolve():
        raise OutputError(f"'{output}' is the plate itself. Choose another name for the result.")
    assert unsigned.resolve() != output.resolve(), "the unsigned file must not have the name of the result"
    assert claim.label in LABELS, f"no label style '{claim.label}'"
    assert claim.consent.sha256, "the consent has to come from its file: its hash is signed"
    size = unsigned.stat().st_size
    ensure_writable(output, size + (1 << 20))
    identity = identity or signing_identity()
    reporter.start("signing", size, "bytes")
    with atomic_path(output) as temporary:
        try:
            _write(unsigned, temporary, output, claim, identity, reporter)
        except C2paError as error:
            raise ProvenanceError(
                f"'{output}' could not be signed: {error}. Nothing was written there; what is not signed is not a "
                "result. If a certificate of your own was given, try without it."
            ) from error
        reporter.finish()
        checked = verify(temporary, reporter=reporter)
        if not checked.untouched:
            raise ProvenanceError(
                f"'{output}' was signed, but its check failed: {' '.join(checked.problems) or checked.state}. "
                "Nothing was written there. The disk may be faulty; try again."
            )
    return checked


def _write(unsigned: Path, temporary: Path, output: Path, claim: Claim, identity: Identity, reporter: Reporter) -> None:
    settings = {"verify": dict(OFFLINE), "builder": {"thumbnail": {"enabled": False}}}
    media_type = SIGNABLE[output.suffix.lower()]
    with (
        Context.from_dict(settings) as context,
        Builder(_manifest(unsigned, output, claim, media_type), context=context) as builder,
        Signer.from_info(
            C2paSignerInfo(identity.algorithm, identity.chain.encode(), identity.key.encode(), None)
        ) as signer,
    ):
        _add(builder, claim.plate, "parentOf", "plate")
        for number, source in enumerate(claim.sources):
            _add(builder, source, "inputTo", f"source{number}")
        with unsigned.open("rb") as read, temporary.open("w+b") as written:
            streams = Watched(read, reporter), Watched(written, reporter, unsigned.stat().st_size)
            try:
                builder.sign(signer, media_type, *streams)
            finally:
                for stream in streams:
                    stream.reraise()


def _manifest(unsigned: Path, output: Path, claim: Claim, media_type: str) -> dict[str, Any]:
    tool = {"name": "konterfei", "version": version("konterfei")}
    edited: dict[str, Any] = {
        "action": "c2pa.edited",
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "softwareAgent": tool,
        "digitalSourceType": SOURCE_TYPE,
        "parameters": {"description": "A face was replaced by one that a neural network learned from other footage."},
    }
    if claim.sources:
        edited["parameters"]["ingredientIds"] = [f"source{number}" for number in range(len(claim.sources))]
    actions = [{"action": "c2pa.opened", "parameters": {"ingredientIds": ["plate"]}}, edited]
    return {
        "title": output.name,
        "format": media_type,
        "claim_generator_info": [tool],
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": SWAP, "data": _swap(unsigned, claim)},
            {"label": CONSENT, "data": _consents(claim)},
        ],
    }


def _swap(unsigned: Path, claim: Claim) -> dict[str, Any]:
    return {
        "model": claim.model,
        "steps": claim.steps,
        "preset": claim.preset,
        "frames_swapped": claim.frames_swapped,
        "frames_not_swapped": dict(claim.frames_not_swapped),
        "label": claim.label,
        "label_text": wording(claim.label) if claim.label_text is None else claim.label_text,
        "is_preview": claim.is_preview,
        "use": claim.use or "",
        **({} if claim.frame is None else {"frame": claim.frame}),
        **({"others": [_other(other) for other in claim.others]} if claim.others else {}),
        "settings": dict(claim.settings),
        "materials": [
            {"role": role, "name": item.name, "sha256": item.sha256}
            for role, item in [("plate", claim.plate), *(("source", source) for source in claim.sources)]
        ],
        "unhashed_sha256": layout.unhashed_digest(unsigned),
        **({"sealed": [{**f.told, "name": f.name, "sha256": f.sha256} for f in claim.sealed]} if claim.sealed else {}),
    }


def _other(other: FaceClaim) -> dict[str, Any]:
    return {
        "who": other.who,
        "model": other.model,
        "steps": other.steps,
        "preset": other.preset,
        "person": other.consent.person,
        **({"use": other.use} if other.use else {}),
    }


def _consents(claim: Claim) -> dict[str, Any]:
    """The consent; where several people lent their faces, each of them once."""
    further = {other.consent.sha256: other.consent for other in claim.others}
    further.pop(claim.consent.sha256, None)
    told = {"others": [_consent(consent) for consent in further.values()]} if further else {}
    return {**_consent(claim.consent), **told}


def _consent(consent: Consent) -> dict[str, Any]:
    return {
        "person": consent.person,
        "basis": consent.basis,
        "scope": list(consent.scope),
        "expires": consent.expires.isoformat() if consent.expires else "",
        "record_sha256": consent.sha256,
    }


def _add(builder: Builder, material: Material, relation: str, label: str) -> None:
    """Name `material` as an ingredient, with the credentials that it carries, if it is of a kind that can."""
    told = {
        "title": material.name,
        "relationship": relation,
        "label": label,
        "metadata": {HASH_KEY: material.sha256},
    }
    media_type = _READABLE.get(material.path.suffix.lower(), _OPAQUE) if material.path else _OPAQUE
    if material.path is not None and media_type != _OPAQUE:
        try:
            with material.path.open("rb") as file:
                builder.add_ingredient(told, media_type, file)
            return
        except C2paError:
            pass  # not what its suffix says, or damaged; its name and hash are told below all the same
    builder.add_ingredient(told, _OPAQUE, io.BytesIO())
