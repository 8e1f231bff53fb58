"""The bases that konterfei carries: table, files, presets and docs/bases.md say the same."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from konterfei.errors import UnknownNameError, WeightsError
from konterfei.models.bases import read_base, write_base
from konterfei.models.many import MANY
from konterfei.training.presets import PRESETS
from konterfei.weights import FILES, bases
from konterfei.weights.bases import BASES, MOST_BYTES, BaseRecord, base_path

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "bases.md").read_text("utf-8")


def card_of(page, heading):
    """The section of a page under a heading of the second order; empty without one."""
    _, _, rest = page.partition(f"\n## {heading}\n")
    return rest.partition("\n## ")[0]


def wrong_with(name, record, folder, page):
    """What does not fit together, as a list of words."""
    path, card = folder / record.file, card_of(page, record.card)
    if not path.is_file():
        return ["no file"]
    base, preset = read_base(path), PRESETS.get(name)
    facts = {
        "checksum": record.sha256 == base.sha256,
        "size": record.size == path.stat().st_size,
        "too large": record.size <= MOST_BYTES,
        "fits the preset": preset is not None
        and not base.differs_from(preset.model, preset.dims, preset.face_type),
        "half precision": all(array.dtype == "float16" for array in base.weights.values()),
        "card": bool(card),
        **{
            f"card tells {fact}": fact in card
            for fact in (
                record.file, record.sha256, f"{record.size:,}", record.version, record.licence, record.trained_on,
                record.note, f"{base.steps:,} steps",
            )
        },
    }  # fmt: skip
    return [fact for fact, holds in facts.items() if not holds]


@pytest.mark.parametrize("name", sorted(BASES))
def test_table_file_preset_and_card_say_the_same(name):
    assert wrong_with(name, BASES[name], FILES, PAGE) == []
    assert f"| `{name}` |" in PAGE
    assert base_path(name) == FILES / BASES[name].file


def test_the_page_tells_of_no_other():
    """Two presets may share one."""
    headings = [line.removeprefix("## ") for line in PAGE.splitlines() if line.startswith("## base_")]
    assert set(headings) == {record.card for record in BASES.values()}


# --- that these tests would notice


@pytest.fixture
def one(tmp_path):
    """A base of the smallest preset, its record, and a page that tells of it."""
    preset = PRESETS["tiny"]
    torch.manual_seed(1)
    file = tmp_path / "base_tiny.safetensors"
    write_base(file, MANY["df"](preset.dims), preset.face_type, 12000, {})
    record = BaseRecord(
        file=file.name, sha256=sha256(file.read_bytes()).hexdigest(), size=file.stat().st_size, version="2026-01-01",
        licence="Apache-2.0", trained_on="Drawn people.", card="base_tiny", note="Draws nobody well.",
    )  # fmt: skip
    lines = (f"`{record.file}`, {record.size:,} bytes", record.sha256, "2026-01-01", "Apache-2.0", "Drawn people.")
    page = "# Bases\n\n## base_tiny\n\n" + "\n".join((*lines, "12,000 steps", "Draws nobody well.")) + "\n\n## More\n"
    return record, tmp_path, page


def test_what_fits_together_passes(one):
    assert wrong_with("tiny", *one) == []


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"sha256": "00" * 32}, {"checksum"}),
        ({"size": MOST_BYTES + 1}, {"size", "too large"}),
        ({"file": "base_other.safetensors"}, {"no file"}),
        ({"card": "base_other"}, {"card"}),
        ({"licence": "MIT"}, {"card tells MIT"}),
        ({"note": "Draws all well."}, {"card tells Draws all well."}),
    ],
)
def test_a_record_that_says_something_else_is_noticed(one, changes, wrong):
    record, folder, page = one
    assert wrong <= set(wrong_with("tiny", replace(record, **changes), folder, page))


def test_a_base_for_another_preset_is_noticed(one):
    assert "fits the preset" in wrong_with("quick", *one)
    assert "fits the preset" in wrong_with("quik", *one)


# --- opening them


@pytest.fixture
def carried(one, monkeypatch):
    record, folder, _ = one
    monkeypatch.setitem(BASES, "tiny", record)
    monkeypatch.setattr(bases, "FILES", folder)
    base_path.cache_clear()
    yield folder / record.file
    base_path.cache_clear()


def test_the_file_on_record_is_given(carried):
    assert base_path("tiny") == carried
    assert read_base(base_path("tiny")).steps == 12000


def test_an_altered_file_is_refused(carried):
    carried.write_bytes(carried.read_bytes() + b" ")
    with pytest.raises(WeightsError, match=r"The base 'tiny'.*sha256.*Install konterfei again"):
        base_path("tiny")


def test_a_missing_file_is_refused(carried):
    carried.unlink()
    with pytest.raises(WeightsError, match=r"The base 'tiny' cannot be read.*Install konterfei again"):
        base_path("tiny")


def test_a_preset_without_one():
    with pytest.raises(UnknownNameError, match="no base named 'nowhere'"):
        base_path("nowhere")
