"""Reading Content Credentials back: is this file marked, is it untouched, what was changed and by what?

What a verdict is worth: a signature shows that not a byte changed since it was made. Who made it is known only when
the certificate is vouched for, by this computer's own root or by roots that the user trusts (`trust`). Without
that, anyone could have taken a file, changed it and signed it anew under any name; `Verification.vouched_by` says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from c2pa import C2paError, Context, Reader

from konterfei.errors import ConfigError, UnreadableMediaError
from konterfei.io.video import probe
from konterfei.provenance import layout
from konterfei.provenance.certificate import SELF_MADE, own_roots
from konterfei.provenance.streams import Watched
from konterfei.reporting import Reporter, Silent

SWAP = "org.konterfei.swap"
"""Our assertion about the swap: its presence says that konterfei made the file."""
CONSENT = "org.konterfei.consent"
"""Our assertion about the consent record."""
OFFLINE: Mapping[str, Any] = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_after_sign": False}
"""c2pa's `verify` settings: nothing is ever fetched from a network (it would be by default). Our own check after
signing is stricter than c2pa's, so that is off."""

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


class State(StrEnum):
    """The verdict on a file."""

    UNTOUCHED = "untouched"
    """Marked by konterfei, and not a byte changed since."""
    ALTERED = "altered"
    """It carries credentials, and they do not fit the file or themselves."""
    UNMARKED = "unmarked"
    """It carries no credentials."""
    FOREIGN = "foreign"
    """Its credentials are intact but were written by another tool: they say nothing of a swap by konterfei."""


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """A file that went into the video."""

    name: str
    relation: str
    """"parentOf" (the plate), "inputTo" (src material, model)."""
    sha256: str
    has_credentials: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What a file says about itself, and whether it can be believed."""

    path: Path
    state: State
    problems: tuple[str, ...] = ()
    made_by: str = ""
    signed_at: str = ""
    """ISO time by the clock of the machine that signed; nobody certified it."""
    signer: str = ""
    is_self_made: bool = False
    vouched_by: str = ""
    """Who vouches for the signer: "this computer" (its own self-made root), "the given roots", or "" for nobody."""
    actions: tuple[str, ...] = ()
    ingredients: tuple[Ingredient, ...] = ()
    consent: Mapping[str, Any] = field(default_factory=dict)
    swap: Mapping[str, Any] = field(default_factory=dict)
    has_swap_in_history: bool = False
    """One of the materials of a foreign file was marked by konterfei."""
    consent_fits: bool | None = None
    """Whether a consent record that was given is the one named in the file; None = not asked."""

    @property
    def marked(self) -> bool:
        """The file carries konterfei's mark, whole or damaged."""
        return self.state is State.UNTOUCHED or (self.state is State.ALTERED and bool(self.swap or not self.made_by))

    @property
    def untouched(self) -> bool:
        """Marked by konterfei, and nothing was changed since."""
        return self.state is State.UNTOUCHED

    @property
    def exit_code(self) -> int:
        """0 only for marked and untouched (and made with the consent record that was given, if one was)."""
        return 0 if self.untouched and self.consent_fits is not False else 1

    def summary(self) -> list[str]:
        """The verdict and what was found, as lines for a person."""
        rows = [_VERDICTS[self.state].format(name=self.path.name, tool=self.made_by or "another tool")]
        rows += [f"  ! {problem}" for problem in self.problems]
        if self.has_swap_in_history:
            rows.append("  Its history says that konterfei put a face into one of its materials.")
        if self.state is State.ALTERED and (self.swap or self.signer):
            rows.append("  What follows is what the credentials said; it may have been changed, too.")
        return rows + [f"  {name:<11}{text}" for name, text in self._details() if text]

    def _details(self) -> list[tuple[str, str]]:
        clock = f", {self.signed_at} (by its own clock)" if self.signed_at else ""
        details = [("made by", self.made_by + clock if self.made_by else "")]
        if self.swap:
            details += _swap_lines(self.swap)
        for item in self.ingredients:
            kept = ", had credentials of its own" if item.has_credentials else ""
            role = {"parentOf": "plate"}.get(item.relation, "made with")
            details.append((role, f"{item.name}{kept}" + (f", sha256 {item.sha256}" if item.sha256 else "")))
        if self.consent:
            scope = ", ".join(map(str, self.consent.get("scope", ())))
            told = f"{self.consent.get('person')}, basis {self.consent.get('basis')}, for {scope}"
            details.append(("consent", f"{told}; record sha256 {self.consent.get('record_sha256')}"))
        if self.signer:
            vouched = {
                "this computer": "made on this computer",
                "": "nobody vouches for that name",
            }.get(self.vouched_by, f"vouched for by {self.vouched_by}")
            details.append(("signed by", f"{self.signer}; {vouched}"))
        return details


_VERDICTS = {
    State.UNTOUCHED: "{name}: marked, and not altered since it was signed.",
    State.ALTERED: "{name}: ALTERED since it was signed, or damaged.",
    State.UNMARKED: "{name}: UNMARKED. It carries no Content Credentials: nothing can be said about how it was made.",
    State.FOREIGN: "{name}: not marked by konterfei. Its Content Credentials are intact, but {tool} wrote them and "
    "they do not speak of a swap by konterfei.",
}


def verify(path: Path | str, trust: str = "", reporter: Reporter | None = None) -> Verification:
    """The verdict on a file. Reads it once, in pieces (c2pa keeps up to 256 MiB at a time).

    Args:
        path: video or image.
        trust: PEM of root certificates that the user trusts, besides this computer's own.
        reporter: told the progress in bytes; may stop it.

    Raises:
        UnreadableMediaError: not there, empty, or neither a readable video nor a marked file.
    """
    path, reporter = Path(path), reporter or Silent()
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise UnreadableMediaError(f"'{path}' {kind}. Give the video to verify.")
    try:
        return _verified(path, trust, reporter)
    except OSError as error:
        raise UnreadableMediaError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _verified(path: Path, trust: str, reporter: Reporter) -> Verification:
    if path.stat().st_size == 0:
        raise UnreadableMediaError(f"'{path}' is empty.")
    reporter.start("checking every byte", path.stat().st_size, "bytes")
    try:
        store, roots = _read_store(path, trust, reporter)
    except C2paError as error:
        return _without_store(path, error)
    reporter.finish()
    active = store["manifests"][store["active_manifest"]]
    results = store.get("validation_results", {})
    problems, failed = _judge(store.get("validation_state", "Invalid"), results)
    data = {assertion["label"]: assertion["data"] for assertion in active.get("assertions", ())}
    ours = data.get(SWAP)
    if ours is not None and layout.is_bmff(path) and ours.get("unhashed_sha256") != layout.unhashed_digest(path):
        problems.append("The file's header or filler boxes, which C2PA's own hash leaves out, were changed.")
        failed = True
    if layout.is_cut_off(path):
        problems.append("The file is cut off before its end.")
        failed = True
    state = State.ALTERED if failed else State.UNTOUCHED if ours is not None else State.FOREIGN
    others = [store["manifests"][label] for label in store["manifests"] if label != store["active_manifest"]]
    signature = active.get("signature_info", {})
    ingredients = tuple(_ingredient(item, ours or {}) for item in active.get("ingredients", ()))
    trusted = "signingCredential.trusted" in _codes(results.get("activeManifest", {}).get("success", ()))
    actions = _actions(data)
    return Verification(
        path=path,
        state=state,
        problems=tuple(problems),
        made_by=_generator(active),
        signed_at=next((str(action["when"]) for action in actions if action.get("when")), ""),
        signer=", ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key)),
        is_self_made=signature.get("issuer") == SELF_MADE,
        vouched_by=roots.get(str(results.get("trustListUri")), "") if trusted else "",
        actions=tuple(str(action.get("action")) for action in actions),
        ingredients=ingredients,
        consent=data.get(CONSENT, {}),
        swap=ours or {},
        has_swap_in_history=ours is None and any(_has_swap(manifest) for manifest in others),
    )


def _read_store(path: Path, trust: str, reporter: Reporter) -> tuple[dict[str, Any], dict[str, str]]:
    """The manifest store as c2pa tells it, and what its names of trust lists mean."""
    anchors: dict[str, str] = {}
    roots = {"user_anchors": "this computer", "system_anchors": "the given roots"}
    with suppress(OSError):  # an unreadable settings folder must not keep anyone from verifying
        anchors = {"user_anchors": own} if (own := own_roots()) else {}
    if trust:
        anchors["trust_anchors"] = trust
    settings = {"verify": dict(OFFLINE), **({"trust": anchors} if anchors else {})}
    with path.open("rb") as file, Context.from_dict(settings) as context:
        watched = Watched(file, reporter, counts=True)
        try:
            with Reader(None, watched, None, context) as reader:
                return json.loads(reader.json()), roots
        except C2paError:
            watched.reraise()
            raise


def _without_store(path: Path, error: C2paError) -> Verification:
    """The verdict on a file in which c2pa found no readable credentials."""
    cut = layout.is_bmff(path) and layout.is_cut_off(path)
    if layout.has_credentials(path):
        problems = ["The file is cut off before its end."] if cut else []
        problems.append(f"Its Content Credentials are damaged beyond reading ({error}).")
        return Verification(path=path, state=State.ALTERED, problems=tuple(problems))
    probe(path)  # says so itself when this is no video at all
    known = isinstance(error, C2paError.ManifestNotFound)
    problems = ["The file is cut off before its end."] if cut else []
    if not known and not layout.is_bmff(path):
        problems.append(f"Files of this kind ({path.suffix or 'no suffix'}) cannot carry Content Credentials.")
    return Verification(path=path, state=State.UNMARKED, problems=tuple(problems))


def _judge(state: str, results: Mapping[str, Any]) -> tuple[list[str], bool]:
    """Problems in words, and whether one of them means that bytes changed."""
    found = list(results.get("activeManifest", {}).get("failure", ()))
    for delta in results.get("ingredientDeltas") or ():
        found += delta.get("validationDeltas", {}).get("failure", ())
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


def _ingredient(item: Mapping[str, Any], ours: Mapping[str, Any]) -> Ingredient:
    results = item.get("validation_results", {}).get("activeManifest", {})
    broken = [code for code in _codes(results.get("failure", ())) if code not in _ABOUT_SIGNER]
    return Ingredient(
        name=str(item.get("title", "")),
        relation=str(item.get("relationship", "")),
        sha256=str((item.get("metadata") or {}).get("org.konterfei.sha256", "")),
        has_credentials="active_manifest" in item,
        problems=tuple(_IN_WORDS.get(code, code) for code in broken),
    )


def _actions(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [action for label in data if label.startswith("c2pa.actions") for action in data[label].get("actions", ())]


def _codes(entries: Any) -> list[str]:
    return [str(entry.get("code")) for entry in entries]


def _generator(manifest: Mapping[str, Any]) -> str:
    infos = manifest.get("claim_generator_info") or [{}]
    named = f"{infos[0].get('name', '')} {infos[0].get('version', '')}".strip()
    return named or str(manifest.get("claim_generator", ""))


def _has_swap(manifest: Mapping[str, Any]) -> bool:
    return any(assertion.get("label") == SWAP for assertion in manifest.get("assertions", ()))


def _swap_lines(swap: Mapping[str, Any]) -> list[tuple[str, str]]:
    swapped, others = swap.get("frames_swapped", 0), swap.get("frames_not_swapped") or {}
    total = swapped + sum(others.values())
    why = ", ".join(f"{count} {reason}" for reason, count in others.items() if count)
    what = f"a face was replaced in {swapped} of {total} frames" + (f" (not: {why})" if why else "")
    preview = "; PREVIEW quality" if swap.get("is_preview") else ""
    model = f"{swap.get('model')}, preset {swap.get('preset')}, {swap.get('steps')} steps{preview}"
    use = [("used for", str(swap["use"]))] if swap.get("use") else []
    return [("changed", what), ("model", model), ("label", str(swap.get("label"))), *use]


def read_roots(path: Path) -> str:
    """PEM of the root certificates in `path`, for `verify`'s `trust`. Raises ConfigError."""
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--trust '{path}' cannot be read as PEM: {error}. Give a file of root certificates."
        ) from error
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(f"--trust '{path}' holds no PEM certificate ('-----BEGIN CERTIFICATE-----').")
    return text
