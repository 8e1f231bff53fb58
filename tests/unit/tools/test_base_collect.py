"""The facesets of the base models: exactly what the list says, the same again at a second run."""

import dataclasses

import pytest

from drawn_faces import BERT, SIZE
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from posed_faces import Posed, faceset

HEAD = [
    "file",
    "x",
    "y",
    "family",
    "use",
    "reason",
    "yaw",
    "tone",
    "ita",
    "age",
    "age_group",
    "glasses",
    "beard",
    "hat",
]
REST = ["f", "", "0", "light", "40", "30", "young", "no", "no", "no"]


@pytest.fixture
def module(script, monkeypatch):
    collect = script("collect")
    monkeypatch.setattr(collect, "SIZE", SIZE)
    monkeypatch.setattr(collect, "extract", lambda config, reporter: None)
    return collect


@pytest.fixture
def out(tmp_path):
    """A folder with the faceset of four portraits, all taken for one person."""
    made = Faceset.open(faceset(tmp_path / "everybody", [Posed(yaw=y) for y in (-20, 0, 20)] + [Posed(skin=BERT)]))
    with Faceset.create(tmp_path / "portraits.faces", made.header) as there:
        for number, record in enumerate(made.records()):
            face = record.face.with_(person=0)
            there.add(made.image(record.name), dataclasses.replace(record, source=f"faces/{number}.jpg", face=face))
    return tmp_path


def listed(out, uses):
    """A list with these uses of the four portraits."""
    centres = [record.face.centre for record in Faceset.open(out / "portraits.faces").records()]
    rows = [
        [f"{number}.jpg", f"{x:.0f}", f"{y:.0f}", REST[0], use, *REST[1:]]
        for number, ((x, y), use) in enumerate(zip(centres, uses, strict=False))
    ]
    path = out / "list.tsv"
    path.write_text("\n".join("\t".join(row) for row in [HEAD, *rows]) + "\n", "utf-8")
    return path


def collected(module, out, *uses, reporter=None):
    return module.collect_portraits(out, out, reporter or Recorder(), listed(out, uses))


def sources(folder):
    return [record.source for record in Faceset.open(folder, allow_empty=True).records()]


def test_each_portrait_lies_where_the_list_says(module, out):
    assert collected(module, out, "train", "held", "out", "train") == {"train": 2, "held": 1}
    assert sources(out / "portraits_train.faces") == ["faces/0.jpg", "faces/3.jpg"]
    assert sources(out / "portraits_held.faces") == ["faces/1.jpg"]


def test_strangers_are_nobody_in_particular(module, out):
    collected(module, out, "train", "held", "train", "train")
    before, after = (Faceset.open(out / f"portraits{name}.faces") for name in ("", "_train"))
    assert {record.face.person for record in before.records()} == {0}
    assert {record.face.person for record in after.records()} == {None}
    assert after.jpeg(after.names()[0]) == before.jpeg(before.names()[0])  # the picture is not encoded again


def test_a_second_run_changes_nothing(module, out):
    collected(module, out, "train", "held", "out", "train")
    before = {path: path.stat().st_mtime_ns for path in out.glob("portraits_*/*.jpg")}
    collected(module, out, "train", "held", "out", "train")
    assert {path: path.stat().st_mtime_ns for path in out.glob("portraits_*/*.jpg")} == before


def test_what_the_list_has_dropped_leaves_the_faceset(module, out):
    collected(module, out, "train", "held", "train", "train")
    collected(module, out, "train", "held", "out", "held")
    assert sources(out / "portraits_train.faces") == ["faces/0.jpg"]
    assert sources(out / "portraits_held.faces") == ["faces/1.jpg", "faces/3.jpg"]


def test_portraits_that_are_not_there_are_named(module, out):
    path = listed(out, ["train", "held", "train", "train"])
    path.write_text(path.read_text("utf-8").replace("2.jpg", "nowhere.jpg"), "utf-8")
    reporter = Recorder()
    module.collect_portraits(out, out, reporter, path)
    assert any("nowhere.jpg" in line for line in reporter.warnings)
    assert sources(out / "portraits_train.faces") == ["faces/0.jpg", "faces/3.jpg"]
