"""import faces and faceset export: what becomes a faceset, what is listed, and that the same command goes on."""

from fractions import Fraction

import numpy as np
import pytest
from merge_material import make_plate, times

from konterfei.cli import main
from konterfei.errors import Cancelled, ConfigError, NoFacesError, OutputError
from konterfei.geometry import FaceType
from konterfei.imaging import sharpness
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.io.images import write_image
from konterfei.io.manifest import Manifest
from konterfei.reporting import Recorder
from konterfei.stages.faceset_export import FacesetExportConfig, faceset_export
from konterfei.stages.import_faces import ImportFacesConfig, import_faces
from legacy_reader_material import aligned, read_jpg, write_aligned, write_jpg, write_pak


def imported(path, output, reporter=None, **changes):
    reporter = reporter or Recorder()
    config = {"path": path, "output": output, "recognize": False, "threads": 1, **changes}
    return import_faces(ImportFacesConfig(**config), reporter), reporter


def test_a_folder_becomes_a_faceset(tmp_path):
    result, reporter = imported(write_aligned(tmp_path / "data_src" / "aligned"), tmp_path / "faces")
    assert (result.num_faces, result.not_taken, result.facesets) == (4, {}, (tmp_path / "faces",))
    assert reporter.warnings == []
    faces = Faceset.open(tmp_path / "faces")
    assert (faces.header.face_type, faces.header.size, faces.header.source) == (FaceType.WHOLE, 64, "")
    assert [record.frame_index for record in faces.records()] == [0, 1, 2, 3]
    for record in faces.records():
        assert (record.source, record.pts) == ("data_src", Fraction(record.frame_index, 25))
        assert record.sharpness == sharpness(faces.image(record.name)) > 0
        assert record.pose != (0, 0, 0)
        assert record.face.embedding is None
        assert record.frame_size == (0, 0)
    manifest = Manifest.load(tmp_path / "faces")
    assert (manifest.stage, manifest.complete, manifest.results["num_faces"]) == ("import faces", True, 4)
    assert not (tmp_path / "faces" / "import.jsonl").exists()


def test_who_it_is_is_found_in_the_crop(tmp_path):
    imported(write_aligned(tmp_path / "aligned", 2, size=128), tmp_path / "faces", recognize=True)
    vectors = [record.face.embedding for record in Faceset.open(tmp_path / "faces").records()]
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-4) for vector in vectors)
    assert float(vectors[0] @ vectors[1]) > 0.5  # the same drawn person


def test_a_film_that_is_not_there_is_told_and_faces_do_not_go_into_their_own_folder(tmp_path):
    folder = write_aligned(tmp_path / "aligned", 1)
    with pytest.raises(ConfigError, match=r"There is no '.*gone.mp4'"):
        imported(folder, tmp_path / "faces", frames=tmp_path / "gone.mp4")
    with pytest.raises(ConfigError, match="lies in it"):
        imported(folder, folder / "faces")


def test_a_pak_is_found_in_its_folder_and_comes_before_the_pictures(tmp_path):
    folder = write_aligned(tmp_path / "aligned", 2)
    write_pak(folder / "faceset.pak", [("x.jpg", write_jpg(*aligned(5)))])
    result, reporter = imported(folder, tmp_path / "faces")
    assert [record.frame_index for record in Faceset.open(tmp_path / "faces").records()] == [5]
    assert "2 pictures lie beside" in reporter.warnings[0]
    assert result.num_faces == 1
    assert imported(folder, tmp_path / "loose", format="dfl")[0].num_faces == 2


def test_all_that_is_not_taken_is_listed_with_the_reason(tmp_path):
    folder = write_aligned(tmp_path / "aligned", 3)
    whole = (folder / "00001_0.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "plain.jpg").write_bytes(aligned(0)[0])
    (folder / "copy.jpg").write_bytes(whole)
    (folder / "mark.jpg").write_bytes(write_jpg(aligned(0)[0], {**aligned(0)[1], "face_type": "mark_only"}))
    broken = bytearray(whole)
    place = broken.rindex(b"\xff\xda")
    broken[place + 2 : place + 4] = b"\x00\x05"
    (folder / "picture_broken.jpg").write_bytes(bytes(broken))
    (folder / "notes.txt").write_text("no picture")
    result, reporter = imported(folder, tmp_path / "faces")
    assert result.num_faces == 3
    listed = {"cut.jpg": "cut short", "empty.jpg": "empty", "picture.png": "no JPEG", "plain.jpg": "no record",
              "mark.jpg": "mark_only", "copy.jpg": "copy of 00001_0.jpg"}  # fmt: skip
    for name, why in listed.items():
        assert why in result.not_taken[name]
    assert "files were not taken over" in reporter.warnings[-1] and "manifest.json" in reporter.warnings[-1]
    assert set(Manifest.load(tmp_path / "faces").results["not_taken"]) == set(result.not_taken)
    assert any("plain.jpg" in line for line in result.summary())


def test_what_strangers_wrote_is_shown_in_plain_characters(tmp_path, capsys):
    folder = write_aligned(tmp_path / "aligned", 1)
    evil = "\x1b[2J\ud800"
    for name, changes in (("a", {"face_type": evil}), ("b", {evil: 10**30}), ("c\x1b[2J", None)):
        jpeg, values = aligned(3)
        data = write_jpg(jpeg, {**values, **changes}) if changes else b"none"
        (folder / f"{name}.jpg").write_bytes(data)
    assert main(["import", "faces", str(folder), "-o", str(tmp_path / "faces"), "--no-recognize"]) == 0
    told = capsys.readouterr().out
    assert "face type is '?[2J?'" in told and "its field '?[2J?'" in told and "c?[2J.jpg" in told
    assert "\x1b[2J" not in told


def test_several_kinds_get_a_folder_each(tmp_path):
    folder = write_aligned(tmp_path / "aligned", 3)
    (folder / "a.jpg").write_bytes(write_jpg(*aligned(4, face_type=FaceType.FULL)))
    (folder / "b.jpg").write_bytes(write_jpg(*aligned(5, size=96)))
    result, reporter = imported(folder, tmp_path / "faces")
    assert [path.name for path in result.facesets] == ["whole-64", "full-64", "whole-96"]
    assert [len(Faceset.open(path)) for path in result.facesets] == [3, 1, 1]
    assert "3 of whole at 64 px, 1 of full at 64 px, 1 of whole at 96 px" in reporter.warnings[0]
    assert imported(folder, tmp_path / "faces")[0].was_done


def test_people_in_folders_are_people(tmp_path):
    write_aligned(tmp_path / "set" / "anna", 1)
    write_aligned(tmp_path / "set" / "bert", 2, skin=(120, 90, 170), source_rect=None)
    imported(tmp_path / "set", tmp_path / "faces")
    assert sorted(record.face.person for record in Faceset.open(tmp_path / "faces").records()) == [0, 0, 1]


def test_the_order_of_the_files_is_kept_beside(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for index, name in enumerate(["00002.jpg", "00000.jpg", "00001.jpg"]):
        (folder / name).write_bytes(write_jpg(*aligned(index)))
    imported(folder, tmp_path / "faces")
    faces, order = Faceset.open(tmp_path / "faces"), FacesetOrder.load(tmp_path / "faces")
    frames = {record.name: record.frame_index for record in faces.records()}
    assert [frames[name] for name in order.names] == [1, 2, 0]
    imported(write_aligned(tmp_path / "straight"), tmp_path / "others")
    assert FacesetOrder.load(tmp_path / "others") is None


# --- the film


def test_a_film_tells_times_and_sizes(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4", frames=6, vfr=True, sound=False)
    imported(write_aligned(tmp_path / "aligned", 6), tmp_path / "faces", frames=plate)
    faces = Faceset.open(tmp_path / "faces")
    assert faces.header.source == str(plate) and len(faces.header.source_sha256) == 64
    assert [record.pts for record in faces.records()] == times(6, vfr=True)
    assert {record.frame_size for record in faces.records()} == {(160, 128)}


def test_faces_of_frames_that_the_film_has_not_are_listed(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4", frames=2, sound=False)
    folder = write_aligned(tmp_path / "aligned", 3)
    (folder / "z.jpg").write_bytes(write_jpg(*aligned(4, source_filename="portrait.png")))
    result, _ = imported(folder, tmp_path / "faces", frames=plate)
    assert result.num_faces == 2
    assert "is not in 'plate.mp4', which has 2 frames" in result.not_taken["00003_0.jpg"]
    assert "has no number" in result.not_taken["z.jpg"]


def test_a_folder_of_frames_counts_by_place(tmp_path):
    frames = tmp_path / "data_dst"
    for name in ("00003", "00007", "portrait"):
        frames.mkdir(exist_ok=True)
        write_image(frames / f"{name}.png", np.zeros((48, 64, 3), np.uint8))
    folder = tmp_path / "aligned"
    folder.mkdir()
    for index, name in enumerate(("00003", "00007", "portrait", "00008")):
        (folder / f"{index}.jpg").write_bytes(write_jpg(*aligned(index, source_filename=f"{name}.png")))
    result, _ = imported(folder, tmp_path / "faces", frames=frames, fps="24")
    faces = Faceset.open(tmp_path / "faces")
    assert [(r.frame_index, r.pts) for r in faces.records()] == [(n, Fraction(n, 24)) for n in range(3)]
    assert faces.header.settings["fps"] == "24"
    assert "not among the pictures" in result.not_taken["3.jpg"]


@pytest.mark.parametrize(
    ("name", "source", "index"),
    [("00123.png", "aligned_of", 122), ("anna_00012.jpg", "anna", 11), ("IMG-2.JPG", "IMG", 1),
     ("00000.png", "aligned_of", 0), ("portrait.png", "aligned_of", 0),
     ("", "aligned_of", 0), ("a.99999999999.png", "aligned_of", 0)],
)  # fmt: skip
def test_names_without_a_film(name, source, index, tmp_path):
    folder = tmp_path / "aligned_of"
    folder.mkdir()
    (folder / "x.jpg").write_bytes(write_jpg(*aligned(0, source_filename=name or None)))
    imported(folder, tmp_path / "faces")
    (record,) = Faceset.open(tmp_path / "faces").records()
    if name.startswith("a.9"):  # more digits than any count of frames: the last nine are the number
        assert record.frame_index == 999999998
    elif source == "aligned_of":
        assert (record.source, record.frame_index) == (tmp_path.name, index)
    else:
        assert (record.source, record.frame_index) == (source, index)


def test_faces_of_a_film_are_followed(tmp_path):
    """Two people side by side, one of whom goes after three frames: two tracks; later another one comes: a third."""
    plate = make_plate(tmp_path / "plate.mp4", frames=6, sound=False)
    folder = tmp_path / "aligned"
    folder.mkdir()
    for index in range(6):
        for who, shift in (("a", 0), ("b", 400)):
            if who == "a" or index < 3 or index == 5:
                jpeg, values = aligned(index)
                points = (np.array(values["source_landmarks"]) + np.array([shift, 0])).tolist()
                matrix = values["image_to_face_mat"].copy()
                matrix[:, 2] -= matrix[:, :2] @ [shift, 0]
                changed = {**values, "source_landmarks": points, "image_to_face_mat": matrix}
                (folder / f"{index}{who}.jpg").write_bytes(write_jpg(jpeg, changed))
    imported(folder, tmp_path / "faces", frames=plate)
    records = Faceset.open(tmp_path / "faces").records()
    tracks = {(r.frame_index, r.face.landmarks[0, 0] > 300): r.face.track for r in records}
    assert [tracks[index, False] for index in range(6)] == [0] * 6
    assert [tracks[index, True] for index in range(3)] == [1] * 3
    assert tracks[5, True] == 2


# --- again


def test_twice_does_nothing(tmp_path):
    folder = write_aligned(tmp_path / "aligned")
    imported(folder, tmp_path / "faces")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "faces").iterdir()}
    result, reporter = imported(folder, tmp_path / "faces")
    assert result.was_done and result.num_faces == 4 and "Nothing to do" in reporter.notes[0]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "faces").iterdir()} == before


class Stopping(Recorder):
    """Asks to stop after so many faces of the second task."""

    def __init__(self, faces):
        super().__init__()
        self.faces = faces

    def advance(self, done, **figures):
        if self.tasks[-1] == "taking over faces" and done >= self.faces:
            self.stop = True


def test_a_stopped_import_goes_on(tmp_path, monkeypatch):
    folder = write_aligned(tmp_path / "aligned", 6)
    imported(folder, tmp_path / "straight")
    with pytest.raises(Cancelled):
        imported(folder, tmp_path / "faces", Stopping(2))
    assert len(Faceset.open(tmp_path / "faces")) == 2
    with (tmp_path / "faces" / "import.jsonl").open("a") as file:
        file.write('["half a li')  # as a kill leaves it
    looked = []
    monkeypatch.setattr("konterfei.stages.import_faces.sharpness", lambda image: looked.append(1) or sharpness(image))
    result, reporter = imported(folder, tmp_path / "faces")
    assert "Going on: 2 faces" in reporter.notes[0]
    assert (result.num_faces, len(looked), result.not_taken) == (6, 4, {})
    assert Faceset.open(tmp_path / "faces").content_hash() == Faceset.open(tmp_path / "straight").content_hash()


def test_an_output_that_holds_something_else_is_left_alone(tmp_path):
    folder = write_aligned(tmp_path / "aligned")
    imported(folder, tmp_path / "faces")
    (folder / "more.jpg").write_bytes(write_jpg(*aligned(7)))
    with pytest.raises(OutputError, match="holds other faces: the content of faces"):
        imported(folder, tmp_path / "faces")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="is not empty"):
        imported(folder, tmp_path / "mine")
    with pytest.raises(ConfigError, match="is the folder of faces itself"):
        imported(folder, folder)


def test_nothing_to_take_over_says_why(tmp_path):
    with pytest.raises(ConfigError, match="There is no"):
        imported(tmp_path / "nothing", tmp_path / "faces")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no faces in a format"):
        imported(tmp_path / "empty", tmp_path / "faces")
    folder = tmp_path / "plain"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.jpg").write_bytes(aligned(0)[0])
    with pytest.raises(NoFacesError, match="2 x it carries no record of DeepFaceLab"):
        imported(folder, tmp_path / "faces")


# --- out again


def test_out_again_by_the_command_line(tmp_path, capsys):
    folder = write_aligned(tmp_path / "aligned", 3, eyebrows_expand_mod=1.5)
    assert main(["import", "faces", str(folder), "-o", str(tmp_path / "faces"), "--no-recognize"]) == 0
    assert main(["faceset", "export", str(tmp_path / "faces"), "-o", str(tmp_path / "out"), "--bare"]) == 0
    assert f"3 faces in {tmp_path / 'out'}" in capsys.readouterr().out
    for path in folder.iterdir():
        there, back = read_jpg(path.read_bytes())[0], read_jpg((tmp_path / "out" / path.name).read_bytes())[0]
        assert back["eyebrows_expand_mod"] == 1.5 and back["landmarks"] == there["landmarks"]


def test_an_export_goes_on_and_is_done_once(tmp_path):
    imported(write_aligned(tmp_path / "aligned", 5), tmp_path / "faces")
    config = FacesetExportConfig(faces=tmp_path / "faces", output=tmp_path / "out")

    class Stop(Recorder):
        def advance(self, done, **figures):
            self.stop = done >= 2

    with pytest.raises(Cancelled):
        faceset_export(config, Stop())
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2
    assert faceset_export(config, Recorder()).num_faces == 5
    reporter = Recorder()
    assert faceset_export(config, reporter).num_faces == 5
    assert "Nothing to do" in reporter.notes[0]
    with pytest.raises(OutputError, match="was written otherwise: bare is true"):
        faceset_export(FacesetExportConfig(faces=tmp_path / "faces", output=tmp_path / "out", bare=True), Recorder())
    with pytest.raises(OutputError, match="no export of konterfei's"):
        faceset_export(FacesetExportConfig(faces=tmp_path / "faces", output=tmp_path / "aligned"), Recorder())
    with pytest.raises(ConfigError, match="is the faceset itself"):
        faceset_export(FacesetExportConfig(faces=tmp_path / "faces", output=tmp_path / "faces"), Recorder())


def test_what_was_refused_does_not_stand_in_the_way_of_the_next_try(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    (folder / "plain.jpg").write_bytes(aligned(0)[0])
    with pytest.raises(NoFacesError):
        imported(folder, tmp_path / "faces")
    write_aligned(folder, 2)
    assert imported(folder, tmp_path / "faces")[0].num_faces == 2
    masks = FacesetExportConfig(faces=tmp_path / "faces", output=tmp_path / "out", format="masks")
    with pytest.raises(NoFacesError):
        faceset_export(masks, Recorder())
    plain = FacesetExportConfig(faces=tmp_path / "faces", output=tmp_path / "out")
    assert faceset_export(plain, Recorder()).num_faces == 2
    with pytest.raises(OutputError, match="written otherwise"):
        faceset_export(masks, Recorder())


def test_a_long_list_of_what_was_left_out_is_not_told_to_its_end():
    from pathlib import Path

    from konterfei.stages.faceset_export import FacesetExportResult

    left_out = {f"{number}.jpg": "nothing is drawn onto it" for number in range(5000)}
    lines = FacesetExportResult(output=Path("out"), num_faces=1, left_out=left_out).summary()
    assert len(lines) == 22 and lines[-1] == "... and 4980 more, listed in manifest.json"
