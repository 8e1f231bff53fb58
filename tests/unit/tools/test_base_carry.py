"""Carrying a base: what fits is put where it belongs, once; what does not is refused, and nothing is written."""

import importlib.util
import json
from dataclasses import replace
from shutil import copyfile

import numpy as np
import pytest
import torch

from konterfei.errors import ConfigError, DamagedFileError, OutputError
from konterfei.geometry import FaceType
from konterfei.io.images import encode_image, read_image
from konterfei.io.manifest import Manifest
from konterfei.io.run import VALIDATION, Run
from konterfei.models.bases import read_base, write_base
from konterfei.models.many import MANY
from konterfei.reporting import Recorder
from konterfei.stages.pretrain import PretrainConfig
from konterfei.training.presets import PRESETS

PRESET = "tiny"
LEARNED = [
    {"name": "portraits_train.faces", "faces": 1200, "people": 1190},
    {"name": "portraits_held.faces", "faces": 0},
]
MODULE = '"""A table."""\n\nBASES: dict[str, BaseRecord] = {}\n"""Preset -> base."""\n\nEND = 1\n'
PAGE = (
    "# Bases\n\nIt carries one for its preset; none is carried yet.\n\n"
    "| preset | base | what it is |\n|---|---|---|\n\n"
    "Presets that are not in the table begin from scratch.\n\n## What a base is\n\nA network.\n"
)


@pytest.fixture
def module(script):
    return script("carry")


@pytest.fixture
def run(tmp_path):
    """A run of a pretraining of the preset's size, with its base."""
    dims = PRESETS[PRESET].dims
    made = Run.create(tmp_path / "run", {"model": "many-df", "preset": PRESET})
    with made.writing():
        for step in (100, 200):
            made.log({"step": step, "loss": 1.0})
            figures = {"error": 2 - step / 200, "ssim": 0.7, "sharpness": 0.2, "identity": 0.4, "leftover": 0.1}
            made.log({"step": step, "trained_s": 60.0 * step, **figures, "distance": None}, VALIDATION)
    config = PretrainConfig(
        facesets=(tmp_path / "portraits_train.faces",), held=(tmp_path / "portraits_held.faces",), output=made.folder,
        preset="quick", steps=200, threads=1,
    )  # fmt: skip
    Manifest(stage="pretrain", settings={"config": config}).save(made.folder)
    torch.manual_seed(2)
    network = MANY["df"](dims)
    write_base(made.folder / "base.safetensors", network, FaceType.FULL, 200, {"facesets": LEARNED, "minutes": 90.0})
    return made.folder


@pytest.fixture(autouse=True)
def empty(module, monkeypatch):
    """Nothing is carried yet."""
    for preset in list(module.BASES):
        monkeypatch.delitem(module.BASES, preset)


@pytest.fixture
def card(run):
    return written_card(run, run.parent / "card.json")


def written_card(run, path):
    sha = read_base(run / "base.safetensors").sha256
    figures = {
        "groups": {},
        "leak": {},
        "lids": {"followed_swapped": 0.25},
        "worse_groups": ["glasses dark", "hat yes"],
    }
    path.write_text(json.dumps({"base": {"sha256": sha}, **figures}), "utf-8")
    path.with_suffix(".md").write_text("### How good\n\nSo good.\n", "utf-8")
    path.with_suffix(".jpg").write_bytes(encode_image(np.zeros((8, 8, 3), np.uint8), ".jpg"))
    return path


@pytest.fixture
def root(tmp_path):
    """A repository with an empty table and a page."""
    for name, text in {"src/konterfei/weights/bases.py": MODULE, "docs/bases.md": PAGE}.items():
        (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / name).write_text(text, "utf-8")
    return tmp_path / "repo"


def table_of(root):
    """The table that was written, as Python reads it."""
    path = root / "src/konterfei/weights/bases.py"
    text = path.read_text("utf-8").replace("END = 1", "")
    copy = root / "table.py"
    copy.write_text("from konterfei.weights.bases import BaseRecord\n" + text, "utf-8")
    spec = importlib.util.spec_from_file_location(f"table_{abs(hash(text))}", copy)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded.BASES


def test_everything_lies_where_it_belongs_and_says_the_same(module, run, card, root):
    parcel = module.packed(run, PRESET, card, day="2026-01-02")
    reporter = Recorder()
    changed = module.carry(parcel, root, reporter)
    assert len(changed) == 6 and all(path.exists() for path in changed)
    base = read_base(root / "src/konterfei/weights/files/base_tiny.safetensors")
    record = table_of(root)[PRESET]
    assert record == parcel.record
    assert (record.sha256, record.version, record.licence) == (base.sha256, "2026-01-02", "Apache-2.0")
    assert record.size == (run / "base.safetensors").stat().st_size
    assert record.trained_on == "1,190 portraits of SFHQ and SFHQ-T2I (MIT). None of these people exists."
    assert record.note == "Does worse on glasses dark, hat yes. Lids that close go 25 % of their way."
    page = (root / "docs/bases.md").read_text("utf-8")
    _, _, section = page.partition("\n## base_tiny\n")
    for fact in (record.file, record.sha256, f"{record.size:,}", record.version, record.licence, record.trained_on,
                 record.note, "200 steps", "1.5 hours", "So good."):  # fmt: skip
        assert fact in section, fact
    assert "| `tiny` | [base_tiny](#base_tiny) |" in page and "none is carried" not in page
    assert "## What a base is\n\nA network.\n" in page
    told = (
        "`konterfei pretrain portraits_train.faces --held portraits_held.faces -o base_tiny --preset quick --steps 200`"
    )
    assert told in section
    assert "tests/architecture/test_contents.py" in reporter.notes[-1]


def test_a_base_that_began_with_another_says_so(module, run, tmp_path, root, monkeypatch):
    manifest = Manifest.load(run)
    manifest.settings["config"]["base"] = str(tmp_path / "earlier")
    manifest.save(run)
    torch.manual_seed(2)
    before = {"name": "earlier", "steps": 150, "sha256": "ab" * 32, "trained_on": "interviews (5 people, 9 faces)"}
    info = {"facesets": LEARNED, "minutes": 90.0, "base": before}
    write_base(run / "base.safetensors", MANY["df"](PRESETS[PRESET].dims), FaceType.FULL, 350, info)
    card = written_card(run, tmp_path / "card.json")
    with pytest.raises(ConfigError, match=r"'earlier', which is none that is carried: say with --trained-on"):
        module.packed(run, PRESET, card)
    module.carry(module.packed(run, PRESET, card, trained_on="Interviews."), root, Recorder())
    section = (root / "docs/bases.md").read_text("utf-8")
    assert "350 steps in 1.5 hours, 150 of them in the base `earlier` (abababab), with which it began: `k" in section
    assert "--steps 200 --base earlier`" in section, "and no word of where it lay"
    monkeypatch.setitem(module.BASES, PRESET, replace(module.packed(run, PRESET, card, trained_on="-").record,
                                                      sha256="ab" * 32))  # fmt: skip
    parcel = module.packed(run, PRESET, card)
    assert "the base `earlier` (abababab), with which it began, from those on its card. None of" in (
        parcel.record.trained_on
    )
    assert "--base default`" in parcel.markdown


def test_the_curve_is_the_runs(module, run, card, root):
    module.carry(module.packed(run, PRESET, card), root, Recorder())
    rows = (root / "tools/base/curves/base_tiny.txt").read_text("utf-8").splitlines()
    assert rows[0].split("\t") == ["step", "minutes", "error", "ssim", "sharpness", "identity", "leftover", "distance"]
    assert [row.split("\t")[:3] for row in rows[1:]] == [["100", "100.0", "1.5000"], ["200", "200.0", "1.0000"]]
    assert rows[1].endswith("\t"), "what could not be measured is empty"
    assert read_image(root / "docs/images/base_tiny_curve.png").std() > 5


def test_the_same_again_changes_nothing(module, run, card, root, monkeypatch):
    module.carry(module.packed(run, PRESET, card, day="2026-01-02"), root, Recorder())
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    monkeypatch.setitem(module.BASES, PRESET, module.packed(run, PRESET, card, day="2026-01-02").record)
    reporter = Recorder()
    assert module.carry(module.packed(run, PRESET, card), root, reporter) == []
    assert "Nothing to do" in reporter.notes[-1]
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_later_base_takes_the_place_of_the_first_and_others_stay(module, run, card, root, monkeypatch):
    other = replace(module.packed(run, PRESET, card).record, card="base_other", file="base_other.safetensors")
    monkeypatch.setitem(module.BASES, "other", other)
    module.carry(module.packed(run, PRESET, card, day="2026-01-02"), root, Recorder())
    monkeypatch.setitem(module.BASES, PRESET, module.packed(run, PRESET, card).record)
    base = read_base(run / "base.safetensors")
    write_base(run / "base.safetensors", base.many(), FaceType.FULL, 300, {"facesets": LEARNED})
    note = 'Says "no" \\ and more. ' * 9
    module.carry(module.packed(run, PRESET, written_card(run, card), note=note), root, Recorder())
    table, page = table_of(root), (root / "docs/bases.md").read_text("utf-8")
    assert set(table) == {PRESET, "other"} and table["other"] == other
    assert table[PRESET].note == note
    assert page.count("## base_tiny\n") == 1 and page.count("| `tiny` |") == 1
    assert "300 steps" in page and "200 steps" not in page


# --- what is refused


def rewritten(run, network, face_type=FaceType.FULL):
    write_base(run / "base.safetensors", network, face_type, 200, {"facesets": LEARNED})


def test_a_base_for_another_preset_is_refused(module, run, card):
    with pytest.raises(ConfigError, match=r"does not fit the preset 'quick': it draws \d+ px, not 96"):
        module.packed(run, "quick", card)


def test_faces_of_another_type_are_refused(module, run, card):
    rewritten(run, MANY["df"](PRESETS[PRESET].dims), FaceType.HEAD)
    with pytest.raises(ConfigError, match=r"does not fit the preset 'tiny': it is for df and head faces"):
        module.packed(run, PRESET, card)


def test_a_narrower_base_fits_and_a_wider_one_does_not(module, run, card):
    dims = PRESETS[PRESET].dims
    rewritten(run, MANY["df"](replace(dims, encoder=dims.encoder // 2, decoder=dims.decoder // 2)))
    assert module.packed(run, PRESET, written_card(run, card)).base.dims.encoder == dims.encoder // 2
    rewritten(run, MANY["df"](replace(dims, decoder=dims.decoder + 4)))
    with pytest.raises(ConfigError, match="its networks are wider"):
        module.packed(run, PRESET, card)


def test_what_is_too_large_is_refused(module, run, card, monkeypatch):
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match=r"are the most that is carried.*--share-of-width"):
        module.packed(run, PRESET, card)


def test_weights_that_are_no_numbers_are_refused(module, run, card):
    network = MANY["df"](PRESETS[PRESET].dims)
    torch.nn.init.constant_(next(network.encoder.parameters()), float("nan"))
    rewritten(run, network)
    with pytest.raises(DamagedFileError, match="no numbers"):
        module.packed(run, PRESET, card)


def test_the_card_of_another_base_is_refused(module, run, card):
    rewritten(run, MANY["df"](PRESETS[PRESET].dims))
    with pytest.raises(ConfigError, match="card of another base"):
        module.packed(run, PRESET, card)


def test_other_peoples_facesets_have_to_be_told(module, run, card):
    write_base(
        run / "base.safetensors", MANY["df"](PRESETS[PRESET].dims), FaceType.FULL, 200,
        {"facesets": [{"name": "mine.faces", "faces": 3, "people": 3}]},
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"learned from mine\.faces: say with --trained-on"):
        module.packed(run, PRESET, written_card(run, card))
    assert module.packed(run, PRESET, card, trained_on="Me.").record.trained_on == "Me."


def test_a_run_without_a_base_is_refused(module, run, card):
    (run / "base.safetensors").unlink()
    with pytest.raises(DamagedFileError, match="no base that can be read"):
        module.packed(run, PRESET, card)


def test_a_repository_of_another_form_is_left_as_it_is(module, run, card, root):
    parcel, page = module.packed(run, PRESET, card), root / "docs/bases.md"
    copyfile(page, root / "kept.md")
    page.write_text("# Nothing\n", "utf-8")
    with pytest.raises(OutputError, match="no table of presets"):
        module.carry(parcel, root, Recorder())
    assert not (root / "src/konterfei/weights/files").exists()
    (root / "src/konterfei/weights/bases.py").write_text("BASES = 1\n", "utf-8")
    copyfile(root / "kept.md", page)
    with pytest.raises(OutputError, match="no table BASES"):
        module.carry(parcel, root, Recorder())


def test_the_tables_of_this_repository_are_known_to_the_script(module, run, card):
    parcel = module.packed(run, PRESET, card)
    for place in ("src/konterfei/weights/bases.py", "docs/bases.md"):
        text = (module.ROOT / place).read_text("utf-8")
        if place.endswith(".py"):
            assert parcel.record.sha256 in module.with_record(text, {PRESET: parcel.record})
        else:
            assert parcel.record.sha256 in module.with_card(text, PRESET, parcel.record, parcel.base, parcel.markdown)
