"""Reading Content Credentials back: is this file marked, is it untouched, what was changed and by what?

What a verdict is worth: a signature shows that not a byte changed since it was made. Who made it is known only when
the certificate is vouched for, by this computer's own root or by roots that the user trusts (`trust`). Without
that, anyone could have taken a file, changed it and signed it anew under any name; `Verification.vouched_by` says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from c2pa import C2paError, Context, Reader
from cryptography.x509 import load_pem_x509_certificates

from konterfei.errors import ConfigError, UnreadableMediaError
from konterfei.io.atomic import sha256
from konterfei.io.sequence import SEAL_SUFFIX, list_images
from konterfei.io.video import probe
from konterfei.provenance import layout
from konterfei.provenance.certificate import SELF_MADE, own_roots
from konterfei.provenance.streams import Watched
from konterfei.provenance.verdict import GIVEN_ROOTS, OWN_ROOT, Ingredient, SequenceVerification, State, Verification
from konterfei.reporting import Reporter, Silent, check

__all__ = [
    "CONSENT",
    "HASH_KEY",
    "OFFLINE",
    "SWAP",
    "Ingredient",
    "SequenceVerification",
    "State",
    "Verification",
    "read_roots",
    "verify",
    "verify_pictures",
]

SWAP = "org.konterfei.swap"
"""Our assertion about the swap: its presence says that konterfei made the file."""
CONSENT = "org.konterfei.consent"
"""Our assertion about the consent record."""
SEALED = (".mkv", ".webm", ".exr")
"""Suffixes of files that a seal beside them speaks for, see `provenance.seal`."""
HASH_KEY = "org.konterfei.sha256"
"""Where an ingredient's metadata hold the SHA-256 of the file."""
OFFLINE: Mapping[str, Any] = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False}
"""c2pa's `verify` settings: nothing is ever fetched from a network (it would be by default). Our own check after
signing is stricter than c2pa's, so that is off."""

_FIELDS: Mapping[str, Mapping[str, type]] = {
    SWAP: {
        "model": str,
        "steps": int,
        "preset": str,
        "frames_swapped": int,
        "frames_not_swapped": dict,
        "label": str,
        "is_preview": bool,
        "use": str,
        "unhashed_sha256": str,
    },
    CONSENT: {"person": str, "basis": str, "scope": list, "record_sha256": str},
}
_OTHERS: Mapping[str, Mapping[str, type]] = {
    SWAP: {"who": str, "model": str, "steps": int, "preset": str, "person": str},
    CONSENT: _FIELDS[CONSENT],
}
"""The same of the further models and people that they may list."""

# Failures that say something about the signer, not about the bytes.
_ABOUT_SIGNER = {
    "signingCredential.untrusted": "",
    "signingCredential.expired": "The signer's certificate has ended since, and no time stamp tells when it was used.",
    "claimSignature.outsideValidity": "The signer's certificate is not valid today, and no time stamp tells when it "
    "was used.",
}
_IN_WORDS = {
    "assertion.bmffHash.mismatch": "The video's data are not those that were signed.",
    "assertion.dataHash.mismatch": "The image's data are not those that were signed.",
    "assertion.hashedURI.mismatch": "A statement in the credentials was changed.",
    "claimSignature.mismatch": "The signature does not fit the credentials.",
    "claimSignature.missing": "The signature is gone.",
    "assertion.missing": "A statement is gone from the credentials.",
    "signingCredential.invalid": "The signer's certificate is not valid for this.",
    "ingredient.manifest.mismatch": "The credentials of a material were changed.",
}
_CUT_OFF = "The file is cut off before its end."


def verify(
    path: Path | str,
    trust: str = "",
    reporter: Reporter | None = None,
    *,
    seals: dict[Path, Verification] | None = None,
) -> Verification:
    """The verdict on a file. Reads it once, in pieces (c2pa holds at most two of 256 MiB).

    A file that cannot carry credentials (Matroska, WebM, OpenEXR) is judged by the seal beside it.

    Args:
        path: video or image.
        trust: PEM of root certificates that the user trusts, besides this computer's own.
        reporter: told the progress in bytes; may stop it.
        seals: verdicts on seals that were looked at before, by path; further ones are added.

    Raises:
        UnreadableMediaError: not there, empty, or neither a readable video nor a marked file.
        Cancelled: the reporter asked to stop.
    """
    path, reporter = Path(path), reporter or Silent()
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise UnreadableMediaError(f"'{path}' {kind}. Give the video to verify.")
    try:
        size = path.stat().st_size
        if size == 0:
            raise UnreadableMediaError(f"'{path}' is empty.")
        reporter.start("checking every byte", size, "bytes")
        try:
            store = _read_store(path, trust, reporter)
        except C2paError as error:
            sealed = _sealed(path, trust, {} if seals is None else seals)
            return sealed or _without_store(path, error)
        finally:
            reporter.finish()
        return _verdict(path, store)
    except OSError as error:
        raise UnreadableMediaError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def verify_pictures(path: Path | str, trust: str = "", reporter: Reporter | None = None) -> SequenceVerification:
    """The verdict on a folder or pattern of pictures, each of which carries credentials of its own.

    Args:
        path: folder, or pattern such as `shot.%06d.png`.
        trust: see `verify`.
        reporter: told the progress in pictures; may stop it.

    Raises:
        UnreadableMediaError: no pictures there, or one that is neither readable nor marked.
        Cancelled: the reporter asked to stop.
    """
    path, reporter = Path(path), reporter or Silent()
    files = list_images(path)
    found: list[Verification] = []
    seals: dict[Path, Verification] = {}
    reporter.start("checking every picture", len(files), "pictures")
    for file in files:
        check(reporter)
        found.append(verify(file, trust, seals=seals))
        reporter.advance(len(found))
    reporter.finish()
    return SequenceVerification(path=path, pictures=tuple(found))


def read_roots(path: Path) -> str:
    """PEM of the root certificates in `path`, for `verify`'s `trust`. Raises ConfigError."""
    try:
        pem = path.read_bytes()
        load_pem_x509_certificates(pem)
        return pem.decode("ascii")
    except OSError as error:
        raise ConfigError(f"--trust '{path}' cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(
            f"--trust '{path}' holds no PEM certificates ('-----BEGIN CERTIFICATE-----'), or damaged ones: {error}"
        ) from error


def _read_store(path: Path, trust: str, reporter: Reporter) -> dict[str, Any]:
    """The manifest store as c2pa tells it. Raises C2paError when there is none or it cannot be read."""
    anchors: dict[str, str] = {"trust_anchors": trust} if trust else {}
    if own := own_roots():
        anchors["user_anchors"] = own
    settings = {"verify": dict(OFFLINE), **({"trust": anchors} if anchors else {})}
    with path.open("rb") as file, Context.from_dict(settings) as context:
        watched = Watched(file, reporter, path.stat().st_size)
        try:
            with Reader(None, watched, None, context) as reader:
                store = json.loads(reader.json())
        except C2paError:
            watched.reraise()
            raise
        watched.reraise()
    if not isinstance(store.get("manifests", {}).get(store.get("active_manifest")), dict):
        raise C2paError("the manifest that should be the active one is not there")
    return store


def _without_store(path: Path, error: C2paError) -> Verification:
    """The verdict on a file in which c2pa found no readable credentials."""
    problems = [_CUT_OFF] if layout.is_bmff(path) and layout.is_cut_off(path) else []
    if layout.has_credentials(path):
        problems.append(f"Its Content Credentials are damaged beyond reading ({error}).")
        return Verification(path=path, state=State.ALTERED, problems=tuple(problems))
    probe(path)  # says so itself when this is no video at all
    if not isinstance(error, C2paError.ManifestNotFound) and not layout.is_bmff(path):
        problems.append(f"Files of this kind ({path.suffix or 'no suffix'}) cannot carry Content Credentials.")
    return Verification(path=path, state=State.UNMARKED, problems=tuple(problems))


def _sealed(path: Path, trust: str, seals: dict[Path, Verification]) -> Verification | None:
    """The verdict on a file by the seal beside it; None where it needs none or there is none.

    Args:
        path: of the file.
        trust: see `verify`.
        seals: verdicts on seals that were looked at already; this one's is added.
    """
    if path.suffix.lower() not in SEALED:
        return None
    for card in (path.with_name(path.name + SEAL_SUFFIX), *sorted(path.parent.glob(f"*{SEAL_SUFFIX}"))):
        if not card.is_file():
            continue
        if card not in seals:
            seals[card] = verify(card, trust)
        verdict = seals[card]
        entry = next((e for e in _entries(verdict.swap) if e["name"] == path.name), None)
        if entry is not None:
            return _by_seal(path, verdict, entry, card.name)
        if card.name == path.name + SEAL_SUFFIX:
            problem = f"Its seal '{card.name}' is damaged, or is that of another file."
            return replace(verdict, path=path, state=State.ALTERED, problems=(*verdict.problems, problem))
    return None


def _entries(swap: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a seal is for; anybody may have written it."""
    told = swap.get("sealed")
    entries = told if isinstance(told, list) else []
    return [
        entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get("sha256"), str)
    ]


def _by_seal(path: Path, verdict: Verification, entry: Mapping[str, Any], card: str) -> Verification:
    swap = {name: value for name, value in verdict.swap.items() if name != "sealed"}
    if isinstance(entry.get("frame"), int):  # one picture of many: what is said of it alone
        reason = entry.get("reason")
        swap |= {"frame": entry["frame"], "frames_swapped": int(reason is None)}
        swap["frames_not_swapped"] = {} if reason is None else {str(reason): 1}
    state, problems = verdict.state, verdict.problems
    if state is State.ALTERED:
        problems = (*problems, f"That is said of its seal, '{card}'.")
    elif sha256(path) != entry["sha256"]:
        state, problems = State.ALTERED, (*problems, f"It is not the file that was sealed with '{card}'.")
    return replace(verdict, path=path, swap=swap, state=state, problems=problems)


def _verdict(path: Path, store: dict[str, Any]) -> Verification:
    active = store["manifests"][store["active_manifest"]]
    results = store.get("validation_results") or {}
    problems, failed = _judge(store.get("validation_state", "Invalid"), results)
    data = {str(assertion["label"]): assertion.get("data") for assertion in active.get("assertions", ())}
    is_ours = SWAP in data
    swap, consent = _statement(data, SWAP), _statement(data, CONSENT)
    more = []
    if is_ours and not (swap and consent):
        more.append("What it says about the swap or the consent is not in the form that konterfei writes.")
    if swap and layout.is_bmff(path) and swap["unhashed_sha256"] != layout.unhashed_digest(path):
        more.append("The file's header or filler boxes, which C2PA's own hash leaves out, were changed.")
    if layout.is_bmff(path) and layout.is_cut_off(path):
        more.append(_CUT_OFF)
    failed = failed or bool(more)
    actions = _actions(data)
    signature = active.get("signature_info") or {}
    others = [manifest for label, manifest in store["manifests"].items() if label != store["active_manifest"]]
    return Verification(
        path=path,
        state=State.ALTERED if failed else State.UNTOUCHED if is_ours else State.FOREIGN,
        problems=(*problems, *more),
        made_by=_generator(active),
        signed_at=next((str(action["when"]) for action in actions if action.get("when")), ""),
        signer=", ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key)),
        is_self_made=signature.get("issuer") == SELF_MADE,
        vouched_by=_vouched_by(results),
        actions=tuple(str(action.get("action")) for action in actions),
        ingredients=tuple(_ingredient(item) for item in active.get("ingredients", ())),
        consent=consent,
        swap=swap,
        has_swap_in_history=not is_ours and any(_has_swap(manifest) for manifest in others),
    )


def _judge(state: str, results: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Problems in words, and whether one of them means that bytes changed."""
    found = list((results.get("activeManifest") or {}).get("failure", ()))
    for delta in results.get("ingredientDeltas") or ():
        found += (delta.get("validationDeltas") or {}).get("failure", ())
    problems, failed = [], False
    for failure in found:
        code = str(failure.get("code"))
        if code in _ABOUT_SIGNER:
            text = _ABOUT_SIGNER[code]
        else:
            failed = True
            text = f"{_IN_WORDS.get(code, failure.get('explanation') or 'Not as it should be.')} [{code}]"
        if text and text not in problems:
            problems.append(text)
    if state not in ("Valid", "Trusted") and not found:
        return [*problems, "The credentials do not hold, without a reason given."], True
    return problems, failed


def _statement(data: Mapping[str, Any], label: str) -> dict[str, Any]:
    """One of our assertions, its fields of the right types; empty when it is not there or not in our form.

    Whoever signs can write anything under our labels.
    """
    told, fields = data.get(label), _FIELDS[label]
    if not isinstance(told, dict) or not all(isinstance(told.get(name), kind) for name, kind in fields.items()):
        return {}
    counts, scope = told.get("frames_not_swapped", {}), told.get("scope", [])
    if not all(isinstance(count, int) for count in counts.values()) or not all(isinstance(s, str) for s in scope):
        return {}
    return told if _are_well_formed(told.get("others", []), _OTHERS[label]) else {}


def _are_well_formed(entries: Any, fields: Mapping[str, type]) -> bool:
    """Whether what is said of further people and models is in the form that we write."""
    return isinstance(entries, list) and all(
        isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in fields.items())
        for entry in entries
    )


def _ingredient(item: Mapping[str, Any]) -> Ingredient:
    results = (item.get("validation_results") or {}).get("activeManifest") or {}
    broken = [code for code in _codes(results.get("failure", ())) if code not in _ABOUT_SIGNER]
    return Ingredient(
        name=str(item.get("title", "")),
        relation=str(item.get("relationship", "")),
        sha256=str((item.get("metadata") or {}).get(HASH_KEY, "")),
        has_credentials="active_manifest" in item,
        problems=tuple(_IN_WORDS.get(code, code) for code in broken),
    )


def _actions(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = [data[label] for label in data if label.startswith("c2pa.actions")]
    return [action for table in lists if isinstance(table, dict) for action in table.get("actions", ())]


def _vouched_by(results: Mapping[str, Any]) -> str:
    if "signingCredential.trusted" not in _codes((results.get("activeManifest") or {}).get("success", ())):
        return ""
    return {"user_anchors": OWN_ROOT, "system_anchors": GIVEN_ROOTS}.get(str(results.get("trustListUri")), "")


def _codes(entries: Any) -> list[str]:
    return [str(entry.get("code")) for entry in entries]


def _generator(manifest: Mapping[str, Any]) -> str:
    info = (manifest.get("claim_generator_info") or [{}])[0]
    return f"{info.get('name', '')} {info.get('version', '')}".strip() or str(manifest.get("claim_generator", ""))


def _has_swap(manifest: Mapping[str, Any]) -> bool:
    return any(assertion.get("label") == SWAP for assertion in manifest.get("assertions", ()))
