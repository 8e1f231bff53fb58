import json
import os
import shutil
import sqlite3
import sys

import numpy as np
import pytest
from faceset_fixtures import fill, header, picture, record

from konterfei.errors import DamagedFileError, FacesetError, OutputError
from konterfei.geometry import FaceType
from konterfei.io import faceset as faceset_module
from konterfei.io import locks
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder


@pytest.fixture
def folder(tmp_path):
    """A finished faceset of ten frames with two faces in frame 4."""
    path = tmp_path / "faces"
    with Faceset.create(path, header()) as faceset:
        fill(faceset, 10)
        faceset.add(picture(4, 1), record(4, 1))
    return path


def test_what_was_added_is_there_after_opening(folder):
    faceset = Faceset.open(folder)
    assert len(faceset) == 11
    assert faceset.names()[:2] == ["000000_0.jpg", "000001_0.jpg"]
    assert faceset.frame_indices() == list(range(10))
    assert [r.frame_index for r in faceset.records()] == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]
    assert [r.name for r in faceset.faces_at(4)] == ["000004_0.jpg", "000004_1.jpg"]
    assert faceset.faces_at(99) == []
    assert [r.to_json() for r in faceset.faces_at(4)] == [record(4).to_json(), record(4, 1).to_json()]
    difference = faceset.image("000004_1.jpg").astype(int) - picture(4, 1)
    assert np.abs(difference).mean() < 4
    assert faceset.header.source_name == "anna.mp4"
    assert not faceset.damaged
    assert not faceset.remarks()


def test_the_same_is_seen_without_an_index(folder):
    warm = Faceset.open(folder)
    shutil.copytree(folder, folder.with_name("copy"), ignore=shutil.ignore_patterns(".*"))
    cold = Faceset.open(folder.with_name("copy"))
    assert [r.to_json() for r in cold.records()] == [r.to_json() for r in warm.records()]
    assert cold.content_hash() == warm.content_hash()


def test_append_sees_and_keeps_what_is_there(folder):
    with Faceset.create(folder, header()) as faceset:
        assert len(faceset) == 11
        assert faceset.add(picture(10), record(10)) == "000010_0.jpg"
    assert len(Faceset.open(folder)) == 12


def test_a_record_already_there_is_not_written_again(folder):
    faceset = Faceset.open(folder)
    before = (folder / "000003_0.jpg").stat().st_mtime_ns
    assert faceset.add(picture(3), record(3)) == "000003_0.jpg"
    assert len(faceset) == 11
    assert (folder / "000003_0.jpg").stat().st_mtime_ns == before


def test_faces_added_are_seen_at_once(tmp_path):
    with Faceset.create(tmp_path, header()) as faceset:
        name = faceset.add(picture(2), record(2))
        faceset.add(picture(1), record(1))
        assert [r.name for r in faceset.faces_at(2)] == [name]
        assert faceset.frame_indices() == [1, 2]
        assert len(Faceset.open(tmp_path)) == 2


def test_a_stranger_in_the_way_is_not_overwritten(tmp_path):
    (tmp_path / "000001_0.jpg").write_bytes(b"mine")
    with Faceset.create(tmp_path, header()) as faceset:
        assert faceset.add(picture(1), record(1)) == "000001_1.jpg"
    assert (tmp_path / "000001_0.jpg").read_bytes() == b"mine"


# --- a person in a file manager


def test_deleting_all_but_a_few(folder):
    for path in sorted(folder.glob("*.jpg"))[3:]:
        path.unlink()
    faceset = Faceset.open(folder)
    assert faceset.names() == ["000000_0.jpg", "000001_0.jpg", "000002_0.jpg"]
    assert faceset.faces_at(5) == []
    assert not faceset.damaged


def test_renaming_keeps_the_face_at_its_frame(folder):
    (folder / "000004_1.jpg").rename(folder / "the best, ä.JPEG")
    faceset = Faceset.open(folder)
    assert [r.name for r in faceset.faces_at(4)] == ["000004_0.jpg", "the best, ä.JPEG"]
    assert len(faceset) == 11


def test_a_name_that_is_not_text(folder):
    try:
        os.rename(os.fsencode(folder / "000004_1.jpg"), os.fsencode(folder) + b"/\xff.jpg")  # noqa: PTH104
    except OSError:
        pytest.skip("this file system has only names that are text")
    for _ in range(2):
        assert len(Faceset.open(folder).faces_at(4)) == 2
    assert Faceset.open(folder).content_hash()


def test_a_copy_counts_once(folder):
    shutil.copy(folder / "000004_0.jpg", folder / "000004_0 (copy).jpg")
    faceset = Faceset.open(folder)
    assert len(faceset) == 11
    assert faceset.duplicates == {"000004_0 (copy).jpg": "000004_0.jpg"}
    recorder = Recorder()
    Faceset.open(folder, reporter=recorder)
    assert len(recorder.warnings) == 1
    assert "000004_0 (copy).jpg: same as 000004_0.jpg" in recorder.warnings[0]
    (folder / "000004_0.jpg").unlink()
    assert len(Faceset.open(folder)) == 11


def test_moved_into_a_sub_folder_is_removed_and_moved_back_is_there(folder):
    (folder / "rejected").mkdir()
    (folder / "000004_0.jpg").rename(folder / "rejected" / "000004_0.jpg")
    assert len(Faceset.open(folder)) == 10
    (folder / "rejected" / "000004_0.jpg").rename(folder / "000004_0.jpg")
    assert len(Faceset.open(folder)) == 11


def test_crops_moved_in_from_another_video_are_held_but_are_in_no_frame_of_this_one(folder, tmp_path):
    with Faceset.create(tmp_path / "other", header(source="ben.mp4")) as other:
        other.add(picture(4), record(4, source="ben.mp4"))
    (tmp_path / "other" / "000004_0.jpg").rename(folder / "ben4.jpg")
    faceset = Faceset.open(folder)
    assert len(faceset) == 12
    assert [r.source for r in faceset.faces_at(4)] == ["anna.mp4", "anna.mp4"]


def test_crops_of_another_size_or_kind_are_listed(folder, tmp_path):
    with Faceset.create(tmp_path / "head", header(face_type=FaceType.HEAD)) as other:
        other.add(picture(4), record(4, face_type=FaceType.HEAD))
    (tmp_path / "head" / "000004_0.jpg").rename(folder / "head.jpg")
    faceset = Faceset.open(folder)
    assert len(faceset) == 11
    assert "64 px 'head'" in faceset.damaged["head.jpg"]


# --- damage


def test_damaged_crops_are_left_out_and_listed_with_the_reason(folder):
    whole = (folder / "000000_0.jpg").read_bytes()
    (folder / "000000_0.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "000001_0.jpg").write_bytes(b"")
    flipped = bytearray((folder / "000002_0.jpg").read_bytes())
    flipped[flipped.index(b'"landmarks"') + 20] ^= 1
    (folder / "000002_0.jpg").write_bytes(flipped)
    grey = bytearray((folder / "000003_0.jpg").read_bytes())
    grey[-200] ^= 0x55
    (folder / "000003_0.jpg").write_bytes(grey)
    (folder / "photo.jpg").write_bytes(b"GIF89a no JPEG")
    recorder = Recorder()
    for _ in range(2):  # the second time with an index
        faceset = Faceset.open(folder, reporter=recorder)
        assert len(faceset) == 7
        assert set(faceset.damaged) == {f"00000{i}_0.jpg" for i in range(4)} | {"photo.jpg"}
    assert "cut short" in faceset.damaged["000000_0.jpg"]
    assert "empty" in faceset.damaged["000001_0.jpg"]
    assert "record does not fit its checksum" in faceset.damaged["000002_0.jpg"]
    assert "picture does not fit its checksum" in faceset.damaged["000003_0.jpg"]
    assert "not a JPEG" in faceset.damaged["photo.jpg"]
    assert "5 pictures cannot be used" in recorder.warnings[0]


def test_all_damaged_is_an_error_that_says_so(folder):
    for path in folder.glob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(FacesetError, match=r"holds no faces.*11 pictures cannot be used"):
        Faceset.open(folder)


def test_damage_behind_the_index_is_found_when_the_picture_is_read(folder):
    path = folder / "000005_0.jpg"
    faceset = Faceset.open(folder)
    data = bytearray(path.read_bytes())
    data[-100] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"000005_0\.jpg"):
        faceset.image("000005_0.jpg")
    path.unlink()
    with pytest.raises(FacesetError, match="gone"):
        faceset.image("000005_0.jpg")


def damage_index(folder, how):
    path = folder / ".index.sqlite"
    if how == "garbage":
        path.write_bytes(b"garbage" * 1000)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "removed":
        path.unlink()
    elif how == "other version":
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
    elif how == "rows":
        with sqlite3.connect(path) as db:
            db.execute("UPDATE crops SET arrays = zeroblob(10) WHERE frame_index < 5")
            db.execute("UPDATE crops SET record = 'x' WHERE frame_index = 5")
    elif how == "table":
        with sqlite3.connect(path) as db:
            db.execute("DROP TABLE crops")
            db.execute("CREATE TABLE crops (name)")
    elif how == "folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("how", ["garbage", "empty", "removed", "other version", "rows", "table", "folder"])
def test_a_damaged_index_costs_time_only(folder, how):
    expected = [r.to_json() for r in Faceset.open(folder).records()]
    damage_index(folder, how)
    for _ in range(2):
        faceset = Faceset.open(folder)
        assert [r.to_json() for r in faceset.records()] == expected
        assert not faceset.damaged
    with Faceset.create(folder, header()) as faceset:
        fill(faceset, 1, start=50)
    assert len(Faceset.open(folder)) == 12


def test_the_index_is_repaired_and_used(folder, monkeypatch):
    damage_index(folder, "rows")
    Faceset.open(folder)
    monkeypatch.setattr(faceset_module, "extract", lambda data: pytest.fail("read a file despite a warm index"))
    assert len(Faceset.open(folder).records()) == 11


def test_a_folder_that_cannot_be_written_can_be_read(folder):
    (folder / ".index.sqlite").unlink()
    folder.chmod(0o555)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        assert len(Faceset.open(folder)) == 11
        with pytest.raises(OutputError, match="permission"):
            Faceset.open(folder).add(picture(20), record(20))
    finally:
        folder.chmod(0o755)


# --- what is refused


def test_missing_folder(tmp_path):
    with pytest.raises(FacesetError, match=r"no folder '.*nowhere'.*konterfei extract"):
        Faceset.open(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"")
    with pytest.raises(FacesetError, match=r"a\.mp4' is a file"):
        Faceset.open(tmp_path / "a.mp4")


def test_a_folder_that_is_no_faceset(tmp_path):
    with pytest.raises(FacesetError, match=r"not a faceset.*konterfei extract"):
        Faceset.open(tmp_path)


def test_an_empty_faceset(tmp_path):
    Faceset.create(tmp_path, header()).close()
    with pytest.raises(FacesetError, match="holds no faces"):
        Faceset.open(tmp_path)
    assert len(Faceset.open(tmp_path, allow_empty=True)) == 0


def test_another_version(folder):
    data = json.loads((folder / "faceset.json").read_text())
    (folder / "faceset.json").write_text(json.dumps({**data, "version": 2}))
    with pytest.raises(FacesetError, match=r"faces' is of version 2.*reads version 1.*Extract again"):
        Faceset.open(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "konterfei faceset", "version": 1}', "\udcff"])
def test_a_damaged_header(folder, text):
    (folder / "faceset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FacesetError, match=r"faceset\.json' is damaged.*extract again"):
        Faceset.open(folder)


def test_creating_over_another_faceset(folder):
    with pytest.raises(FacesetError, match=r"size: there 64, wanted 96"):
        Faceset.create(folder, header(size=96))
    assert len(Faceset.open(folder)) == 11


def test_pictures_and_records_that_do_not_fit_the_header_are_bugs(tmp_path):
    faceset = Faceset.create(tmp_path, header())
    for image, face in [
        (picture(1)[:32], record(1)),
        (picture(1).astype(np.float32), record(1)),
        (picture(1), record(1, face_type=FaceType.HEAD)),
    ]:
        with pytest.raises(ValueError):
            faceset.add(image, face)
    assert list(tmp_path.glob("*.jpg")) == []


def test_a_face_of_another_film_is_held_but_in_no_frame(tmp_path):
    with Faceset.create(tmp_path, header()) as faceset:
        faceset.add(picture(1), record(1, source="ben.mp4"))
        assert (len(faceset), faceset.faces_at(1)) == (1, [])


def test_two_writers_at_once_are_refused(tmp_path):
    if locks.fcntl is None:
        pytest.skip("no advisory locks on this system")
    with Faceset.create(tmp_path, header()) as first:
        fill(first, 1)
        second = Faceset.open(tmp_path)
        with pytest.raises(FacesetError, match="Another process is writing"):
            second.add(picture(5), record(5))
    second.add(picture(5), record(5))
    second.close()
    assert len(Faceset.open(tmp_path)) == 2


def test_no_space_is_an_output_error_and_leaves_nothing(tmp_path, monkeypatch):
    faceset = Faceset.create(tmp_path, header())

    def full(self, data):
        raise OSError(28, "No space left on device", str(self))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(OutputError, match="space"):
        faceset.add(picture(1), record(1))
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".writer")] == ["faceset.json"]
    assert len(faceset) == 0


# --- who it is, what it holds


def test_identity_is_the_unit_mean(folder):
    faceset = Faceset.open(folder)
    mean = np.mean([r.face.embedding for r in faceset.records()], axis=0)
    assert np.allclose(faceset.identity(), mean / np.linalg.norm(mean), atol=1e-6)
    assert faceset.identity().dtype == np.float32


def test_identity_needs_embeddings_of_one_recognizer(tmp_path):
    with Faceset.create(tmp_path, header()) as faceset:
        faceset.add(picture(1), record(1, face=record(1).face.with_(embedding=None)))
        with pytest.raises(FacesetError, match="carry no embedding"):
            faceset.identity()
        faceset.add(picture(2), record(2))
        assert len(faceset.identity()) == 128
        faceset.add(picture(3), record(3, face=record(3).face.with_(embedding=np.eye(512)[0])))
        with pytest.raises(FacesetError, match="different recognizers"):
            faceset.identity()


def test_content_hash_follows_the_content(folder):
    first = Faceset.open(folder).content_hash()
    assert Faceset.open(folder).content_hash() == first
    (folder / "000001_0.jpg").rename(folder / "z.jpg")
    renamed = Faceset.open(folder).content_hash()
    (folder / "z.jpg").unlink()
    assert len({first, renamed, Faceset.open(folder).content_hash()}) == 3


def test_a_warm_open_reads_no_crops(tmp_path):
    with Faceset.create(tmp_path, header()) as faceset:
        fill(faceset, 20)
    opened, is_watching = [], True

    def watch(event, args):
        if is_watching and event == "open" and str(args[0]).endswith(".jpg"):
            opened.append(args[0])

    sys.addaudithook(watch)  # for ever: it is told to sleep
    try:
        with Faceset.open(tmp_path) as warm:
            assert len(warm) == 20
        assert opened == []
        (tmp_path / ".index.sqlite").unlink()
        with Faceset.open(tmp_path) as cold:
            assert len(cold) == 20
        assert len(opened) >= 20
    finally:
        is_watching = False
