"""Whose signature: a certificate that the user gives, or one that konterfei makes for this user.

A self-made certificate proves that a file was not altered since it was signed, not who signed it. It is a root and a
leaf below it; the root's key is thrown away as soon as the leaf exists, so that nothing else can ever be issued
under it. The root's certificate may be handed to others (`root.pem`), who can then recognise this user's files.

The leaf follows the C2PA certificate profile: ES256, key usage digitalSignature, authority key identifier, extended key
usages emailProtection (the one that default readers accept) and c2pa-kp-claimSigning (1.3.6.1.4.1.62558.2.1).
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from konterfei.errors import ConfigError
from konterfei.io.atomic import output_error

SELF_MADE = "Self-made by konterfei, identity not verified"
"""Organisation in a self-made certificate: what any reader of Content Credentials shows as the signer."""
CLAIM_SIGNING = ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
LIFETIME = timedelta(days=3653)  # files are not time-stamped, so the certificate has to outlive them
RENEW_BEFORE = timedelta(days=30)
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A certificate chain and its key, ready to sign.

    Attributes:
        chain: PEM, leaf first.
        key: PEM, PKCS#8, not encrypted. Never shown or logged.
        algorithm: C2PA's name: es256, es384, es512, ps256 or ed25519.
        name: whom the leaf names.
        is_self_made: made by konterfei: nobody vouches for the name.
        notes: what the user should be told about it.
    """

    chain: str
    key: str
    algorithm: str
    name: str
    is_self_made: bool
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hexadecimal SHA-256 of the chain."""
        return hashlib.sha256(self.chain.encode()).hexdigest()

    def __repr__(self) -> str:
        return f"Identity({self.name!r}, {self.algorithm}, is_self_made={self.is_self_made})"


def config_folder() -> Path:
    """Folder of this user's settings: $KONTERFEI_CONFIG, else the system's usual place."""
    if own := os.environ.get("KONTERFEI_CONFIG"):
        return Path(own)
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData/Roaming") / "konterfei"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/konterfei"
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "konterfei"


def signing_identity(certificate: Path | None = None, key: Path | None = None) -> Identity:
    """The identity to sign with: the given one, or this user's self-made one (made on the first call).

    Raises:
        ConfigError: one of the two files is not given, unreadable, does not fit the other, or cannot be used for
            Content Credentials; says what to do.
        OutputError: the self-made one cannot be stored.
    """
    if certificate is None and key is None:
        return _self_made()
    if certificate is None or key is None:
        given, missing = ("--key", "--certificate") if certificate is None else ("--certificate", "--key")
        raise ConfigError(f"{given} is given without {missing}. Give both, or neither for a self-made certificate.")
    chain_pem, key_pem = _read(certificate, "--certificate"), _read(key, "--key")
    chain = _parse_chain(chain_pem, certificate)
    private = _parse_key(key_pem, key)
    _check_fit(chain, private, certificate, key)
    return Identity(
        chain="".join(_pem(item) for item in chain),
        key=_key_pem(private),
        algorithm=_algorithm(private, key),
        name=_name(chain[0]),
        is_self_made=False,
        notes=_loose_permissions(key),
    )


def own_roots() -> str:
    """PEM of the roots that were self-made for this user, also of earlier ones; empty when there are none.

    Unreadable or damaged ones are passed over: they must not keep anyone from verifying.
    """
    found = []
    for path in sorted((config_folder() / "signing").glob("*/root.pem")):
        with suppress(OSError, ValueError):
            found.append(_pem(x509.load_pem_x509_certificate(path.read_bytes())))
    return "".join(found)


def _self_made() -> Identity:
    folder = config_folder() / "signing"
    now = datetime.now(UTC)
    made_now = False
    usable = _newest(folder, now)
    if usable is None:
        _make(folder, now)
        made_now, usable = True, _newest(folder, now)
    assert usable is not None, "a certificate made just now is usable"
    where, chain, private = usable
    note = (
        f"Signing with a self-made certificate{' (made just now)' if made_now else ''}: it shows whether the file is "
        f"altered later, not who made it. For a name that others can check, give --certificate and --key. ({where})"
    )
    return Identity(
        chain="".join(_pem(item) for item in chain),
        key=_key_pem(private),
        algorithm=_algorithm(private, where / "key.pem"),
        name=_name(chain[0]),
        is_self_made=True,
        notes=(note, *_loose_permissions(where / "key.pem")),
    )


def _newest(folder: Path, now: datetime) -> tuple[Path, list[x509.Certificate], PrivateKeyTypes] | None:
    """The self-made certificate that is valid longest; None when there is none or it ends soon."""
    found = []
    for where in folder.glob("*/"):
        try:
            chain = _parse_chain(_read(where / "chain.pem", "--certificate"), where / "chain.pem")
            private = _parse_key(_read(where / "key.pem", "--key"), where / "key.pem")
            _check_fit(chain, private, where / "chain.pem", where / "key.pem")
        except ConfigError:
            continue  # a damaged one is left for the user to look at; a fresh one takes its place
        if chain[0].not_valid_after_utc - now > RENEW_BEFORE:
            found.append((chain[0].not_valid_after_utc, str(where), where, chain, private))
    if not found:
        return None
    _, _, where, chain, private = max(found, key=lambda item: item[:2])
    return where, chain, private


def _make(folder: Path, now: datetime) -> None:
    """Make a root and a leaf in a new folder below `folder`; it appears whole or not at all."""
    root_key, leaf_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    number = x509.random_serial_number()
    tag = f"{number:040x}"[:8]
    root_name, leaf_name = _subject(f"konterfei root {tag}"), _subject(f"konterfei user {tag}")
    root = (
        _builder(root_name, root_name, root_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(root_key, hashes.SHA256())
    )
    leaf = (
        _builder(leaf_name, root_name, leaf_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
        .sign(root_key, hashes.SHA256())
    )
    content = {"root.pem": _pem(root), "chain.pem": _pem(leaf) + _pem(root), "key.pem": _key_pem(leaf_key)}
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))  # mode 0700
        for name, text in content.items():
            handle = os.open(temporary / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        temporary.rename(folder / f"{now:%Y%m%d}-{tag}")
    except OSError as error:
        raise output_error(folder, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                shutil.rmtree(temporary)


def _subject(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, SELF_MADE),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks of render machines differ
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")


def _key_pem(key: PrivateKeyTypes) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def _read(path: Path, flag: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{flag} '{path}' cannot be read: {error.strerror}. Give a readable PEM file.") from error


def _parse_chain(pem: bytes, path: Path) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ConfigError(
            f"--certificate '{path}' holds no PEM certificate. Give the chain as text, the signer's certificate first "
            "('-----BEGIN CERTIFICATE-----')."
        ) from error


def _parse_key(pem: bytes, path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError as error:
        raise ConfigError(
            f"--key '{path}' is protected by a passphrase. Give a key without one, readable by you only "
            f"(openssl pkey -in '{path}' -out plain.pem; chmod 600 plain.pem)."
        ) from error
    except ValueError as error:
        raise ConfigError(f"--key '{path}' holds no PEM private key ('-----BEGIN PRIVATE KEY-----').") from error


def _check_fit(chain: list[x509.Certificate], key: PrivateKeyTypes, certificate_path: Path, key_path: Path) -> None:
    leaf, now = chain[0], datetime.now(UTC)

    def der(public: object) -> bytes:
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]

    if der(leaf.public_key()) != der(key.public_key()):
        raise ConfigError(
            f"--key '{key_path}' does not belong to the first certificate in '{certificate_path}' ({_name(leaf)}). "
            "Give the key of the signer's certificate; in the chain that certificate comes first."
        )
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise ConfigError(
            f"--certificate '{certificate_path}' is valid from {leaf.not_valid_before_utc:%Y-%m-%d} to "
            f"{leaf.not_valid_after_utc:%Y-%m-%d} only. Give one that is valid today."
        )
    try:
        usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        usages = x509.ExtendedKeyUsage([])
    if ExtendedKeyUsageOID.EMAIL_PROTECTION not in usages:
        raise ConfigError(
            f"--certificate '{certificate_path}' may not be used for Content Credentials: its extended key usage "
            "lacks emailProtection. Ask the issuer for a C2PA claim-signing or S/MIME certificate."
        )
    for lower, upper in itertools.pairwise(chain):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature) as error:
            raise ConfigError(
                f"--certificate '{certificate_path}': '{_name(upper)}' did not issue '{_name(lower)}'. Put the chain "
                "in order: the signer's certificate first, each followed by its issuer."
            ) from error


def _algorithm(key: PrivateKeyTypes, path: Path) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVES:
        return _CURVES[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    raise ConfigError(f"--key '{path}' is of a kind that C2PA does not know. Use P-256, P-384, P-521, Ed25519 or RSA.")


def _name(certificate: x509.Certificate) -> str:
    names = [certificate.subject.get_attributes_for_oid(o) for o in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)]
    texts = [str(found[0].value) for found in names if found]
    return ", ".join(texts) or "no name"


def _loose_permissions(key: Path) -> tuple[str, ...]:
    if os.name == "posix" and key.stat().st_mode & 0o077:
        return (f"Others on this machine can read the private key '{key}'. Run: chmod 600 '{key}'",)
    return ()
