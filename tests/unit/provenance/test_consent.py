from __future__ import annotations

import hashlib
from datetime import date
from pathlib import Path

import pytest

from konterfei.errors import ConsentError, UnknownNameError
from konterfei.provenance.consent import BASES, Consent, Evidence, check, evidence_of, require

TODAY = date(2026, 11, 21)
GOOD = {
    "version": "1",
    "person": '"Anna Muster"',
    "basis": '"self"',
    "scope": '["any"]',
}


def record(folder: Path, **fields: str | None) -> Path:
    """A record of one's own face, with fields replaced, added (TOML text) or left out (None)."""
    lines = {**GOOD, **fields}
    path = folder / "anna.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None), "utf-8")
    return path


def refusal(path: Path, use: str | None = None) -> str:
    with pytest.raises(ConsentError) as caught:
        require(path, TODAY, use)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_a_written_record_reads_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "rider.pdf").write_bytes(b"signed")
    path = tmp_path / "zoe.toml"
    written = Consent(
        person='Zoë "Z" Ökonom',
        basis="signed",
        scope=("lakeside", "trailer *"),
        reason="Rider of 3 May,\nkept by production.",
        expires=date(2027, 12, 31),
        created=TODAY,
        evidence=(evidence_of(tmp_path / "rider.pdf", path, kept="production office"),),
    )
    written.save(path)
    read = require(path, TODAY, "Lakeside")
    for name in ("person", "basis", "scope", "reason", "expires", "revoked", "created", "evidence"):
        assert getattr(read, name) == getattr(written, name)
    assert read.evidence[0].file == "rider.pdf"
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_record_at_all_is_refused_with_the_way_to_make_one(tmp_path: Path) -> None:
    for path in (None, tmp_path / "gone.toml"):
        with pytest.raises(ConsentError, match="konterfei consent new"):
            require(path, TODAY)
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize("basis", BASES)
def test_every_basis_says_what_it_needs(basis: str, tmp_path: Path) -> None:
    needs = BASES[basis]
    path = record(tmp_path, basis=f'"{basis}"')
    if needs.needs_reason or needs.needs_proof:
        assert "needs" in (told := refusal(path)) and needs.reason_about in told
        assert str(path) in told and "line 3" in told
        assert "needs" in refusal(record(tmp_path, basis=f'"{basis}"', reason='"ok"'))
    reason = '"Letter of 3 May, kept by the production office."'
    assert require(record(tmp_path, basis=f'"{basis}"', reason=reason), TODAY).basis == basis


@pytest.mark.parametrize("basis", [name for name in BASES if BASES[name].needs_proof])
def test_evidence_stands_in_for_a_reason(basis: str) -> None:
    proof = Evidence(file="a.pdf", sha256="0" * 64)
    assert Consent(person="A", basis=basis, scope=("any",), evidence=(proof,)).reason == ""


def test_an_unknown_basis_names_the_nearest(tmp_path: Path) -> None:
    told = refusal(record(tmp_path, basis='"singed"'))
    assert "line 3" in told and "Did you mean signed" in told
    with pytest.raises(UnknownNameError):
        Consent(person="A", basis="singed", scope=("any",))


@pytest.mark.parametrize(
    ("broken", "line", "word"),
    [
        ('version = 1\nperson = "Anna\nbasis = "self"\n', "line 2", "not valid TOML"),
        ("version = 1\nperson = Anna\n", "line 2", "not valid TOML"),
        ("hello, I am Anna\n", "line 1", "not valid TOML"),
        ('version = 1\nperson = "A"\nbasis = "self"\nscope = 7\n', "line 4", "list of texts"),
        ('version = 1\nperson = 5\nbasis = "self"\nscope = ["any"]\n', "line 2", "text in double quotes"),
        ('version = 1\nperson = " "\nbasis = "self"\nscope = ["any"]\n', "line 2", "person is empty"),
        ('version = 1\nperson = "A"\nbasis = "self"\nscope = []\n', "line 4", "scope is empty"),
        ('version = 2\nperson = "A"\nbasis = "self"\nscope = ["any"]\n', "line 1", "version"),
        ('person = "A"\nbasis = "self"\nscope = ["any"]\n', "", "version is missing"),
        ('version = 1\nbasis = "self"\nscope = ["any"]\n', "", 'person = "Anna Muster"'),
        ('version = 1\nperson = "A"\nbasis = "self"\nscope = ["any"]\nexpire = 2027-01-01\n', "line 5", "'expires'"),
        ('version = 1\nperson = "A"\nbasis = "self"\nscope = ["any"]\nexpires = "soon"\n', "line 5", "2027-12-31"),
        (
            'version = 1\nperson = "A"\nbasis = "self"\nscope = ["any"]\n[[evidence]]\nfile = "a"\n',
            "",
            "64 hexadecimal",
        ),
        ('version = 1\nperson = "A"\nbasis = "self"\nscope = ["any"]\nevidence = "a.pdf"\n', "line 5", "[[evidence]]"),
    ],
)
def test_a_broken_record_is_refused_with_file_line_and_remedy(
    broken: str, line: str, word: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.toml"
    path.write_text(broken, "utf-8")
    told = refusal(path)
    assert str(path) in told and line in told and word in told


def test_files_that_are_no_record_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b'version = 1\nperson = "\xff\xfe"\n')
    assert "line 2" in (told := refusal(path)) and "UTF-8" in told
    path.write_bytes(b"# x\n" * 300_000)
    assert "too large" in refusal(path)


def test_a_byte_order_mark_and_dates_as_text_are_accepted(tmp_path: Path) -> None:
    path = record(tmp_path, expires='"2027-01-31"', created="2026-11-01T10:00:00")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    read = require(path, TODAY)
    assert (read.expires, read.created) == (date(2027, 1, 31), date(2026, 11, 1))


def test_the_last_day_counts_and_the_next_is_refused(tmp_path: Path) -> None:
    path = record(tmp_path, expires="2026-11-21")
    assert require(path, date(2026, 11, 21)).expires == date(2026, 11, 21)
    with pytest.raises(ConsentError, match=r"ended on 2026-11-21.*longer term"):
        require(path, date(2026, 11, 22))


def test_withdrawn_consent_is_refused_from_that_day(tmp_path: Path) -> None:
    path = record(tmp_path, revoked="2026-11-21")
    assert require(path, date(2026, 11, 20)).revoked == TODAY
    assert "withdrawn on 2026-11-21" in refusal(path)


@pytest.mark.parametrize(
    ("scope", "use", "fits"),
    [
        ('["any"]', None, True),
        ('["any"]', "whatever", True),
        ('["Lakeside"]', "lakeside", True),
        ('"lakeside"', "LAKESIDE ", True),
        ('["lakeside  trailer"]', "lakeside trailer", True),
        ('["lakeside *"]', "lakeside shot 12", True),
        ('["lakeside *"]', "seaside shot 12", False),
        ('["lakeside"]', "lakeside 2", False),
        ('["lakeside"]', "", False),
        ('["lakeside"]', None, False),
        ('["company"]', "any", False),
    ],
)
def test_scope(scope: str, use: str | None, fits: bool, tmp_path: Path) -> None:
    path = record(tmp_path, scope=scope)
    if fits:
        require(path, TODAY, use)
    else:
        told = refusal(path, use)
        assert str(path) in told and ("--use" in told if not use else f"'{use}'" in told)


def test_a_slip_of_the_pen_in_the_use_gets_a_hint(tmp_path: Path) -> None:
    assert "Did you mean 'lakeside'?" in refusal(record(tmp_path, scope='["lakeside"]'), "lakesied")


def test_changed_or_lost_evidence_is_refused(tmp_path: Path) -> None:
    proof = tmp_path / "rider.pdf"
    proof.write_bytes(b"signed")
    path = tmp_path / "anna.toml"

    def write(kept: str) -> None:
        item = evidence_of(proof, path, kept)
        Consent(person="Anna", basis="signed", scope=("any",), evidence=(item,)).save(path)

    write(kept="")
    require(path, TODAY)
    proof.write_bytes(b"signeD")
    assert "'rider.pdf' was changed" in refusal(path)
    proof.unlink()
    assert "is not there" in (told := refusal(path)) and "kept =" in told
    proof.write_bytes(b"signed")
    write(kept="legal department")
    proof.unlink()
    assert require(path, TODAY).evidence[0].kept == "legal department"
    proof.write_bytes(b"other")
    assert "was changed" in refusal(path)


def test_evidence_elsewhere_is_named_by_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    proof = tmp_path / "licence.txt"
    proof.write_text("free for research")
    item = evidence_of(proof, tmp_path / "a" / "anna.toml")
    assert Path(item.file) == proof.resolve()
    with pytest.raises(ConsentError, match="not a file"):
        evidence_of(tmp_path / "gone.pdf", tmp_path / "anna.toml")


def test_check_works_on_a_record_that_was_never_a_file() -> None:
    check(Consent(person="Nobody", basis="synthetic", scope=("any",)), TODAY)
