"""konterfei sort: the order is data, what is set aside comes back, the export is links that appear at once."""

import errno
import json
import os
import shutil

import numpy as np
import pytest

import drawn_faces
from konterfei.cli import main
from konterfei.errors import Cancelled, ConfigError, NoFacesError, OutputError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.io.images import read_image, write_image
from konterfei.reporting import Recorder
from konterfei.stages import _sort_export
from konterfei.stages._sort_sheet import places
from konterfei.stages.sort import SHEET_NAME, SortConfig, sort
from konterfei.stages.trash import TrashConfig, trash


@pytest.fixture
def folder(tmp_path):
    return drawn_faces.faceset(tmp_path / "anna", count=10)


def run(folder, **settings):
    return sort(SortConfig(faceset=folder, **settings), Recorder())


def test_the_order_is_data_and_nothing_is_renamed(folder):
    before = {path.name: path.read_bytes() for path in folder.glob("*.jpg")}
    result = run(folder, by="yaw")
    assert {path.name: path.read_bytes() for path in folder.glob("*.jpg")} == before
    kept = FacesetOrder.load(folder)
    assert kept.by == "yaw" and "degrees" in kept.about
    assert sorted(kept.names) == sorted(before)
    assert list(kept.values) == sorted(kept.values, reverse=True)
    assert kept == result.order
    assert len(Faceset.open(folder)) == 10 and not Faceset.open(folder).damaged
    assert read_image(folder / SHEET_NAME).shape[2] == 3
    turned = run(folder, by="yaw", reverse=True)
    assert list(turned.order.names) == list(kept.names)[::-1]


def test_it_says_the_ends_and_where_the_picture_is(folder):
    lines = "\n".join(run(folder, by="time").summary())
    assert "000000_0.jpg 0" in lines and "000009_0.jpg 9" in lines
    assert str(folder / SHEET_NAME) in lines


@pytest.mark.parametrize(
    ("settings", "left"),
    [
        ({"by": "time", "keep": 4}, [0, 1, 2, 3]),
        ({"by": "time", "reverse": True, "keep": 2}, [9, 8]),
        ({"by": "time", "set_aside_last": 7}, [0, 1, 2]),
        ({"by": "time", "set_aside_below": 5.5}, [0, 1, 2, 3, 4, 5]),
        ({"by": "time", "reverse": True, "set_aside_below": 5.5}, [9, 8, 7, 6]),
    ],
)
def test_the_end_is_set_aside_and_comes_back(folder, settings, left):
    before = sorted(path.name for path in folder.glob("*.jpg"))
    result = run(folder, **settings)
    assert [int(name[:6]) for name in result.order.names] == left
    assert [record.frame_index for record in Faceset.open(folder).records()] == sorted(left)
    assert FacesetOrder.load(folder).names == result.order.names
    assert result.num_set_aside == 10 - len(left)
    (batch,) = Faceset.open(folder).set_asides()
    assert (batch.number, batch.why.startswith("sort by time")) == (result.batch, True)
    assert f"--restore {result.batch}" in "\n".join(result.summary())
    with Faceset.open(folder) as faceset:
        faceset.take_back([result.batch])
    assert sorted(path.name for path in folder.glob("*.jpg")) == before


def test_best_keeps_so_many(folder):
    result = run(folder, by="best", keep=4)
    assert len(result.order.names) == 4 == len(Faceset.open(folder))
    assert "best" in Faceset.open(folder).set_asides()[0].why


def test_what_a_method_leaves_out_stays_unless_told(folder):
    result = run(folder, by="best", count=4)
    assert len(Faceset.open(folder)) == 10 and result.batch == 0
    assert any("--set-aside-rest" in line for line in result.summary())
    assert len(run(folder, by="best", count=4, set_aside_rest=True).order.names) == 4


def test_oneface_without_frames_of_several_changes_nothing(folder):
    result = run(folder, by="oneface", set_aside_rest=True)
    assert (result.batch, len(Faceset.open(folder))) == (0, 10)


def test_like_a_crop_of_the_set(folder):
    crop = folder / Faceset.open(folder).names()[6]
    assert run(folder, by="expression", like=crop).order.names[0] == crop.name
    assert run(folder, by="identity", like=crop).order.values[0] == pytest.approx(1, abs=1e-5)


def test_like_a_picture_without_a_face(folder, tmp_path):
    write_image(tmp_path / "wall.png", np.full((240, 320, 3), 90, np.uint8))
    with pytest.raises(NoFacesError, match=r"wall\.png"):
        run(folder, by="identity", like=tmp_path / "wall.png")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"by": "time", "keep": 0}, "--keep"),
        ({"by": "time", "keep": 3, "set_aside_last": 2}, "exclude each other"),
        ({"by": "sharpness", "count": 3}, "--count"),
        ({"by": "best", "reverse": True}, "--reverse"),
        ({"by": "yaw", "like": __file__}, "--like"),
        ({"by": "identity", "like": "nowhere.jpg"}, "nowhere.jpg"),
        ({"by": "time", "set_aside_last": 10}, "all 10"),
        ({"by": "time", "set_aside_below": -1}, "all faces"),
        ({"by": "absdiff", "set_aside_below": 5}, "not by one figure"),
        ({"by": "time", "set_aside_below": float("nan")}, "--set-aside-below"),
    ],
)
def test_nonsense_is_refused_and_nothing_changes(folder, settings, words):
    if "like" in settings:
        settings = {**settings, "like": type(folder)(settings["like"])}
    with pytest.raises(ConfigError, match=words):
        run(folder, **settings)
    assert len(Faceset.open(folder)) == 10


def test_export_numbers_links_and_replaces_its_own(folder, tmp_path):
    place = tmp_path / "sorted"
    order = run(folder, by="time", reverse=True, export_order=place).order
    assert sorted(path.name for path in place.glob("*.jpg")) == [
        f"{number:05d}_{name}" for number, name in enumerate(order.names)
    ]
    assert (place / f"00000_{order.names[0]}").samefile(folder / order.names[0])
    result = run(folder, by="time", keep=4, export_order=place)
    assert sorted(path.name for path in place.glob("*.jpg")) == [f"{n:05d}_{n:06d}_0.jpg" for n in range(4)]
    assert "4 crops linked" in "\n".join(result.summary())
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_person_deleted_in_an_export_is_not_forgotten_by_the_next_one(folder, tmp_path):
    place = tmp_path / "in order"
    order = run(folder, by="time", export_order=place).order
    (place / f"00003_{order.names[3]}").unlink()
    with pytest.raises(ConfigError, match=r"1 crops were deleted .* trash .*anna --not-in '.*in order'"):
        run(folder, by="yaw", export_order=place)
    trash(TrashConfig(faceset=folder, not_in=place), Recorder())
    run(folder, by="yaw", export_order=place)
    assert len(list(place.glob("*.jpg"))) == 9 == len(Faceset.open(folder))


def test_crops_that_were_never_exported_are_not_taken_for_deleted(folder, tmp_path):
    place = tmp_path / "sorted"
    with Faceset.open(folder) as faceset:
        faceset.set_aside(["000007_0.jpg"], "too early")
    run(folder, by="time", export_order=place)
    next(place.glob("*_000002_0.jpg")).unlink()
    trash(TrashConfig(faceset=folder, restore="all"), Recorder())
    result = trash(TrashConfig(faceset=folder, not_in=place), recorder := Recorder())
    assert result.num_moved == 1 and "1 crops came to the faceset after" in recorder.notes[-1]
    assert "000007_0.jpg" in Faceset.open(folder).names()


def test_export_copies_where_links_are_not_possible(folder, tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(18, "another disk")

    monkeypatch.setattr(os, "link", no_links)
    result = run(folder, by="time", export_order=tmp_path / "sorted")
    assert "10 crops copied" in result.exported
    copy = tmp_path / "sorted" / "00002_000002_0.jpg"
    assert copy.read_bytes() == (folder / "000002_0.jpg").read_bytes()
    assert not copy.samefile(folder / "000002_0.jpg")


def test_a_full_disk_while_copying_is_told_and_nothing_is_left(folder, tmp_path, monkeypatch):
    def fails(number, filename):
        def fail(*_, **__):
            raise OSError(number, os.strerror(number), str(filename))

        return fail

    monkeypatch.setattr(os, "link", fails(errno.EXDEV, folder))
    monkeypatch.setattr(shutil, "copy2", fails(errno.ENOSPC, folder / "000000_0.jpg"))
    with pytest.raises(OutputError, match="no space is left"):
        run(folder, by="time", export_order=tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))


def test_export_refuses_a_folder_with_anything_else(folder, tmp_path):
    place = tmp_path / "sorted"
    run(folder, by="time", export_order=place)
    (place / "holiday.jpg").write_bytes(b"mine")
    for wrong in (place, folder, tmp_path, folder / "faceset.json"):
        with pytest.raises(ConfigError, match="--export-order"):
            run(folder, by="time", export_order=wrong)
    assert (place / "holiday.jpg").read_bytes() == b"mine"
    (place / "holiday.jpg").unlink()
    (place / "exported-order.json").write_text(json.dumps({"files": 3}))
    with pytest.raises(ConfigError, match="other things"):
        run(folder, by="time", export_order=place)


def test_an_export_that_is_stopped_leaves_the_last_one_whole(folder, tmp_path, monkeypatch):
    place = tmp_path / "sorted"
    run(folder, by="time", export_order=place)
    before = sorted(path.name for path in place.iterdir())

    def asked(_):
        raise Cancelled

    monkeypatch.setattr(_sort_export, "check", asked)
    with pytest.raises(Cancelled):
        run(folder, by="time", reverse=True, keep=3, export_order=place)
    assert sorted(path.name for path in place.iterdir()) == before
    assert len(Faceset.open(folder)) == 10
    assert sorted(path.name for path in tmp_path.iterdir()) == ["anna", "sorted"]


def test_the_sheet_shows_both_ends():
    assert places(5) == {"all": [0, 1, 2, 3, 4]}
    shown = places(1000)
    assert shown["first"] == list(range(12)) and shown["last"] == list(range(988, 1000))
    assert all(11 < place < 988 for place in shown["evenly from between"])
    assert len(shown["evenly from between"]) == 24


def test_from_the_command_line(folder, capsys):
    assert main(["sort", str(folder), "--by", "exposure", "--set-aside-last", "3"]) == 0
    assert "3 set aside" in capsys.readouterr().out
    assert main(["sort", str(folder), "--by", "shapness"]) == 2
    assert "sharpness" in capsys.readouterr().err
