from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from konterfei.errors import ConfigError, OutputError
from konterfei.provenance import certificate
from konterfei.provenance.certificate import SELF_MADE, config_folder, own_roots, signing_identity


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KONTERFEI_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


def issue(
    folder: Path,
    key=None,
    usages=(ExtendedKeyUsageOID.EMAIL_PROTECTION,),
    ends: timedelta = timedelta(days=30),
    password: bytes | None = None,
) -> tuple[Path, Path]:
    """A certificate of a studio's own, issued by its root. Gives the files of chain and key."""
    now = datetime.now(UTC)
    key = key or ec.generate_private_key(ec.SECP256R1())
    root_key = ec.generate_private_key(ec.SECP256R1())

    def build(name: str, public: object) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Studio root")]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + ends)
        )

    root = build("Studio root", root_key.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
    leaf = build("Studio", key.public_key()).add_extension(x509.BasicConstraints(False, None), True)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
        False,
    )
    leaf = leaf.add_extension(
        x509.KeyUsage(digital_signature=True, **usage, encipher_only=False, decipher_only=False), True
    ).add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False)
    if usages:
        leaf = leaf.add_extension(x509.ExtendedKeyUsage(list(usages)), False)
    chain, key_file = folder / "studio.pem", folder / "studio.key"
    chain.write_bytes(
        b"".join(item.sign(root_key, hashes.SHA256()).public_bytes(Encoding.PEM) for item in (leaf, root))
    )
    closing = BestAvailableEncryption(password) if password else NoEncryption()
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, closing))
    key_file.chmod(0o600)
    return chain, key_file


def test_one_is_made_on_the_first_call_kept_and_said_to_be_self_made(settings: Path) -> None:
    assert own_roots() == ""
    first, second = signing_identity(), signing_identity()
    assert first.key == second.key and first.chain == second.chain
    assert first.is_self_made and first.algorithm == "es256"
    assert "self-made" in first.notes[0] and "made just now" in first.notes[0]
    assert "self-made" in second.notes[0] and "made just now" not in second.notes[0]
    leaf, root = x509.load_pem_x509_certificates(first.chain.encode())
    leaf.verify_directly_issued_by(root)
    assert leaf.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == SELF_MADE
    assert leaf.not_valid_after_utc - datetime.now(UTC) > timedelta(days=3600)
    assert own_roots() == root.public_bytes(Encoding.PEM).decode()


def test_the_key_is_private_and_the_roots_key_is_nowhere(settings: Path) -> None:
    identity = signing_identity()
    files = [path for path in settings.rglob("*") if path.is_file()]
    assert sorted(path.name for path in files) == ["chain.pem", "key.pem", "root.pem"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert stat.S_IMODE((settings / "signing").stat().st_mode) == 0o700
    assert sum(path.read_text().count("PRIVATE KEY-----") for path in files) == 2, "one key: begin and end"
    assert "PRIVATE" not in repr(identity)


def test_many_at_once_agree_in_the_end(settings: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: signing_identity(), range(8)))
    assert signing_identity().chain in {identity.chain for identity in made}
    roots = own_roots()
    for identity in made:
        root = x509.load_pem_x509_certificates(identity.chain.encode())[1]
        assert root.public_bytes(Encoding.PEM).decode() in roots, "every one of them is recognised later"
    assert not list(settings.glob(".new-*"))


def test_one_that_ends_soon_or_is_damaged_is_replaced_and_its_root_kept(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(certificate, "LIFETIME", timedelta(days=29))
        certificate._make(settings / "signing", datetime.now(UTC))
    old_root = own_roots()
    fresh = signing_identity()
    assert x509.load_pem_x509_certificates(fresh.chain.encode())[1].public_bytes(Encoding.PEM).decode() != old_root
    assert old_root in own_roots() and own_roots().count("BEGIN") == 2
    for key in (settings / "signing").glob("*/key.pem"):
        key.write_text("nothing")
    assert signing_identity().chain != fresh.chain


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_settings_folder_is_an_output_error(settings: Path) -> None:
    settings.mkdir()
    settings.chmod(0o500)
    with pytest.raises(OutputError, match=r"signing.*permission"):
        signing_identity()


def test_a_settings_path_that_is_a_file_is_an_output_error(settings: Path) -> None:
    settings.write_text("in the way")
    with pytest.raises(OutputError, match="signing"):
        signing_identity()


def test_where_settings_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KONTERFEI_CONFIG")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_folder() == tmp_path / "konterfei"


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), "es256"),
        (lambda: ec.generate_private_key(ec.SECP384R1()), "es384"),
        (lambda: ec.generate_private_key(ec.SECP521R1()), "es512"),
        (lambda: ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        (lambda: rsa.generate_private_key(65537, 2048), "ps256"),
    ],
    ids=["p256", "p384", "p521", "ed25519", "rsa"],
)
def test_a_given_certificate_of_every_kind(key, algorithm: str, tmp_path: Path, settings: Path) -> None:
    identity = signing_identity(*issue(tmp_path, key()))
    assert (identity.algorithm, identity.name, identity.is_self_made) == (algorithm, "Studio", False)
    assert identity.notes == () and not settings.exists()


def test_given_files_that_do_not_work_are_refused_with_the_reason(tmp_path: Path, settings: Path) -> None:
    chain, key = issue(tmp_path)

    def told(*files: Path | None) -> str:
        with pytest.raises(ConfigError) as caught:
            signing_identity(*files)
        return str(caught.value)

    assert "without --key" in told(chain, None)
    assert "without --certificate" in told(None, key)
    assert "cannot be read" in told(tmp_path / "gone.pem", key)
    assert "no PEM certificate" in told(key, key)
    assert "no PEM private key" in told(chain, chain)
    other = tmp_path / "other"
    other.mkdir()
    other_chain, other_key = issue(other)
    assert "does not belong" in told(chain, other_key)
    mixed = tmp_path / "mixed.pem"
    mixed.write_bytes(chain.read_bytes().replace(b"\n\n", b"\n") + other_chain.read_bytes())
    assert "did not issue" in told(mixed, key)
    assert "valid from" in told(*issue(other, ends=timedelta(days=-1)))
    assert "emailProtection" in told(*issue(other, usages=()))
    assert "emailProtection" in told(*issue(other, usages=(ExtendedKeyUsageOID.CODE_SIGNING,)))
    assert "passphrase" in told(*issue(other, password=b"secret"))
    curve = ec.generate_private_key(ec.SECP256K1())
    assert "kind that C2PA does not know" in told(*issue(other, curve))


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_key_that_others_can_read_is_remarked_on(tmp_path: Path) -> None:
    chain, key = issue(tmp_path)
    key.chmod(0o644)
    assert "chmod 600" in signing_identity(chain, key).notes[0]
