"""Crops whose names are no text, would command a terminal, or read as HTML: every tool goes on with them."""

import json

import pytest
from labelled_material import labelled

from konterfei.cli import main
from konterfei.io.face_metadata import read_crops
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder

NAMES = ("a\udcff\x1b[31m.jpg", "<img src=x onerror=alert(1)>.jpg", "-rf --force.jpg")


@pytest.fixture
def faces(tmp_path):
    folder = labelled(tmp_path / "anna")
    try:
        for number, name in enumerate(NAMES):
            (folder / f"00000{number}_0.jpg").rename(folder / name)
    except OSError:
        pytest.skip("this file system has only names that are text")
    return folder


def test_orders_and_pages_and_records_hold_them(faces, tmp_path, capsys):
    assert main(["sort", str(faces), "--by", "time"]) == 0
    assert set(NAMES) < set(FacesetOrder.load(faces).names)
    assert main(["report", str(faces), "-o", str(tmp_path / "page.html")]) == 0
    assert "<img src=x" not in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert main(["faceset", "save-metadata", str(faces), "-o", str(tmp_path / "records")]) == 0
    assert set(NAMES) < {kept.record.name for kept in read_crops(tmp_path / "records", {})}
    assert "\x1b" not in "".join(capsys.readouterr())


def test_the_trash_takes_them_and_gives_them_back(faces):
    with Faceset.open(faces) as faceset:
        batch = faceset.set_aside(NAMES, "odd")
        assert len(faceset) == 3
        assert [set(one.names) for one in faceset.set_asides()] == [set(NAMES)]
        assert set(faceset.take_back([batch]).values()) == set(NAMES)
    line = (faces / "trash" / "journal.jsonl").read_text(encoding="utf-8")
    assert set(json.loads(line)["names"]) == set(NAMES)
