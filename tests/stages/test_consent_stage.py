from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from konterfei.errors import ConfigError, ConsentError, OutputError, UnknownNameError
from konterfei.provenance.consent import BASES, require
from konterfei.reporting import Recorder
from konterfei.stages.consent import ConsentConfig, answered, consent_new, next_question


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    path = tmp_path / "rider.pdf"
    path.write_bytes(b"signed")
    return path


def whole(folder: Path, basis: str) -> ConsentConfig:
    return ConsentConfig(
        output=folder / f"{basis}.toml",
        person="Anna Muster",
        basis=basis,
        scope=("lakeside",),
        reason="Letter of 3 May, kept by the production office.",
    )


@pytest.mark.parametrize("basis", BASES)
def test_a_record_of_every_basis_passes_the_gate(basis: str, tmp_path: Path) -> None:
    reporter = Recorder()
    path = consent_new(whole(tmp_path, basis), reporter)
    consent = require(path, use="lakeside")
    assert (consent.person, consent.basis, consent.created) == ("Anna Muster", basis, date.today())
    assert str(path) in reporter.notes[0] and basis in reporter.notes[0]


def test_the_shortest_command(tmp_path: Path) -> None:
    config = ConsentConfig(output=tmp_path / "new" / "me.toml", person="Me", basis="self")
    assert require(consent_new(config, Recorder())).scope == ("any",)


def test_what_is_missing_is_named_by_its_flag(tmp_path: Path) -> None:
    config = whole(tmp_path, "signed")
    for field, value in (("person", None), ("basis", None), ("scope", ())):
        with pytest.raises(ConfigError, match=f"--{field}"):
            consent_new(replace(config, **{field: value}), Recorder())
    with pytest.raises(ConsentError, match="needs evidence, or a reason"):
        consent_new(replace(config, reason=None), Recorder())
    with pytest.raises(ConsentError, match="not a file"):
        consent_new(replace(config, evidence=(tmp_path / "gone.pdf",)), Recorder())
    with pytest.raises(ConfigError, match="--expires"):
        consent_new(replace(config, expires=date.today() - timedelta(days=1)), Recorder())
    assert not list(tmp_path.iterdir())


def test_nonsense_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean estate"):
        ConsentConfig(output=tmp_path / "a.toml", basis="estat")
    with pytest.raises(ConfigError, match="--output"):
        ConsentConfig(output=tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="--kept"):
        ConsentConfig(output=tmp_path / "a.toml", kept="safe")


def test_an_existing_record_is_kept_unless_forced(tmp_path: Path) -> None:
    config = whole(tmp_path, "self")
    before = consent_new(config, Recorder()).read_bytes()
    other = replace(config, person="Bela")
    with pytest.raises(OutputError, match="--force"):
        consent_new(other, Recorder())
    assert config.output.read_bytes() == before
    assert require(consent_new(replace(other, force=True), Recorder()), use="lakeside").person == "Bela"


def test_evidence_is_hashed_and_a_later_change_voids_the_record(tmp_path: Path, proof: Path) -> None:
    config = replace(whole(tmp_path, "signed"), reason=None, evidence=(proof,), kept=None)
    path = consent_new(config, Recorder())
    assert require(path, use="lakeside").evidence[0].file == "rider.pdf"
    proof.write_bytes(b"forged")
    with pytest.raises(ConsentError, match="was changed"):
        require(path, use="lakeside")


def ask(config: ConsentConfig, answers: dict[str, str]) -> tuple[ConsentConfig, list[str]]:
    asked: list[str] = []
    while question := next_question(config, asked):
        config = answered(config, question, answers[question.field])
        asked.append(question.field)
        assert len(asked) < 10
    return config, asked


@pytest.mark.parametrize(
    ("basis", "fields"),
    [
        ("self", ["person", "basis", "scope"]),
        ("synthetic", ["person", "basis", "scope"]),
        ("signed", ["person", "basis", "scope", "evidence", "expires"]),
        ("research", ["person", "basis", "scope", "evidence", "expires"]),
        ("estate", ["person", "basis", "scope", "reason", "expires"]),
        ("public-domain", ["person", "basis", "scope", "reason", "expires"]),
    ],
)
def test_the_questions_lead_to_a_whole_record(basis: str, fields: list[str], tmp_path: Path, proof: Path) -> None:
    answers = {
        "person": " Anna ",
        "basis": basis,
        "scope": "any" if basis in ("signed", "estate") else "lakeside, trailer",
        "evidence": str(proof),
        "reason": "Letter of 3 May, kept by the office.",
        "expires": "2099-12-31",
    }
    config, asked = ask(ConsentConfig(output=tmp_path / "a.toml"), answers)
    assert asked == fields
    consent = require(consent_new(config, Recorder()), use="trailer")
    assert consent.person == "Anna"
    assert (consent.expires == date(2099, 12, 31)) is ("expires" in fields)


def test_empty_answers_where_they_may_be(tmp_path: Path) -> None:
    answers = {"person": "A", "basis": "signed", "scope": "any", "evidence": "", "expires": ""}
    config, asked = ask(ConsentConfig(output=tmp_path / "a.toml"), {**answers, "reason": "Kept by the office."})
    assert asked == ["person", "basis", "scope", "evidence", "reason", "expires"]
    assert require(consent_new(config, Recorder())).expires is None


@pytest.mark.parametrize(
    ("field", "text", "word"),
    [
        ("person", "  ", "answer is needed"),
        ("expires", "next year", "2027-12-31"),
        ("evidence", "gone.pdf", "gone.pdf"),
    ],
)
def test_answers_that_make_no_sense_are_asked_again(field: str, text: str, word: str, tmp_path: Path) -> None:
    config = ConsentConfig(output=tmp_path / "a.toml")
    partial = {"person": {}, "evidence": {"basis": "signed"}, "expires": {"basis": "estate", "reason": "x" * 20}}[field]
    if partial:
        config = replace(config, person="A", scope=("any",), **partial)
    question = next_question(config)
    assert question is not None and question.field == field
    with pytest.raises(ConfigError, match=word):
        answered(config, question, text)


def test_flags_that_were_given_are_not_asked_for(tmp_path: Path) -> None:
    assert next_question(replace(whole(tmp_path, "self"))) is None
    question = next_question(ConsentConfig(output=tmp_path / "a.toml", person="A"))
    assert question is not None and [name for name, _ in question.choices] == list(BASES)
