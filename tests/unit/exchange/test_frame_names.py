"""What faces, their frames and their folders are called in other programs, where that is not plain."""

import json
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest

from drawn_faces import faceset
from konterfei.errors import FacesetError
from konterfei.exchange import FACE_READERS, FACE_WRITERS, Material, WriteSettings
from konterfei.io.embedded import strip
from konterfei.io.face_labels import FaceLabels
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.legacy_faces import split, values_of
from konterfei.reporting import Silent
from legacy_reader_material import aligned, read_jpg, write_jpg


def written(faces, output, format="dfl", **settings):
    FACE_WRITERS.load(format)(Faceset.open(faces), output, WriteSettings(**settings), Silent())
    return output


def with_records(folder, change, source="", foreign=None, count=3):
    """A faceset whose records are `change`d, by number; gives the folder."""
    plain = Faceset.open(faceset(folder.with_name(f"{folder.name}-plain"), count=count))
    with Faceset.create(folder, replace(plain.header, source=source)) as made:
        for number, record in enumerate(plain.records()):
            labels = FaceLabels(foreign=foreign(number)) if foreign else None
            made.add(plain.image(record.name), change(number, record), labels)
    return folder


def frames_in(folder):
    return [read_jpg(path.read_bytes())[0]["source_filename"] for path in sorted(folder.rglob("*.jpg"))]


def test_two_films_of_one_name_stay_two(tmp_path):
    films = ["a/plate.mp4", "b/plate.mp4", "plate.mov"]
    folder = with_records(tmp_path / "faces", lambda n, record: replace(record, source=films[n], frame_index=0))
    assert len(set(frames_in(written(folder, tmp_path / "dfl")))) == 3
    names = json.loads((written(folder, tmp_path / "fs", "faceswap") / "alignments.json").read_text())["__data__"]
    assert len(names) == 3


def test_pictures_are_called_as_they_are(tmp_path):
    for number in (1001, 1002, 1003):
        write_image(tmp_path / "plate" / f"shot.{number}.png", np.zeros((8, 8, 3), np.uint8))
    source = str(tmp_path / "plate")
    folder = with_records(tmp_path / "faces", lambda n, record: replace(record, source="plate"), source)
    assert frames_in(written(folder, tmp_path / "dfl")) == ["shot.1001.png", "shot.1002.png", "shot.1003.png"]
    for each in (tmp_path / "plate").iterdir():
        each.unlink()
    assert frames_in(written(folder, tmp_path / "gone")) == ["00001.png", "00002.png", "00003.png"]


def test_loose_pictures_are_called_as_they_are(tmp_path):
    names = ["set/one.jpg", "set/two.png", "other/two.png"]
    folder = with_records(tmp_path / "faces", lambda n, record: replace(record, source=names[n]))
    assert set(frames_in(written(folder, tmp_path / "dfl"))) == {
        "one.jpg",
        "set_two.png_00002.png",
        "other_two.png_00003.png",
    }


def test_names_longer_than_a_file_system_takes_are_cut(tmp_path):
    words = {"file": "顔" * 190 + ".jpg", "person_name": "人" * 150}
    folder = with_records(tmp_path / "faces", lambda n, record: record, foreign=lambda n: {"dfl": words})
    out = written(folder, tmp_path / "dfl")
    assert len(list(out.rglob("*.jpg"))) == 3
    assert all(len(part.encode()) <= 255 for path in out.rglob("*") for part in path.parts)


def test_each_persons_records_are_in_a_meta_of_their_own(tmp_path):
    who = [{"dfl": {"file": "00000.jpg", "person_name": name}} for name in ("anna", "bert", "carl")]
    folder = with_records(tmp_path / "faces", lambda n, record: record, foreign=lambda n: who[n])
    made = FACE_WRITERS.load("dfl-meta")(Faceset.open(folder), tmp_path / "out", WriteSettings(), Silent())
    assert made.num_faces == len(made.files) == 3
    for number, name in enumerate(("anna", "bert", "carl")):
        entries = pickle.loads((tmp_path / "out" / name / "meta.dat").read_bytes())
        assert entries["00000.jpg"][1]["source_filename"] == f"{number + 1:05d}.png"


def test_a_meta_counts_for_its_own_folder_alone(tmp_path):
    from konterfei.io.legacy_faces import meta_bytes

    for number, name in enumerate(("anna", "bert")):
        jpeg, values = aligned(number)
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.jpg").write_bytes(jpeg)
        (tmp_path / name / "meta.dat").write_bytes(meta_bytes({"0.jpg": ((64, 64, 3), values)}))
    reader = FACE_READERS.load("dfl")(tmp_path, Material())
    assert [reader.read(place).record.frame_index for place in reader.places()] == [0, 1]


def test_a_pak_of_a_faceset_that_breaks_meanwhile_says_so(tmp_path):
    class Breaks(Silent):
        def start(self, task, total, unit="frames"):
            if task == "writing pictures":
                path = folder / "000001_0.jpg"
                path.write_bytes(path.read_bytes()[:-100])

    folder = faceset(tmp_path / "faces", count=3)
    with pytest.raises(FacesetError, match="changed while it was written"):
        FACE_WRITERS.load("dfl-pak")(Faceset.open(folder), tmp_path / "out", WriteSettings(), Breaks())
    assert not (tmp_path / "out" / "faceset.pak").exists()


def test_bare_pictures_hold_nothing_of_ours(tmp_path):
    folder = faceset(tmp_path / "faces", count=1)
    (path,) = written(folder, tmp_path / "dfl", bare=True).glob("*.jpg")
    data = path.read_bytes()
    assert strip(data) == data and b"konterfei" not in data
    assert set(values_of(split(data)[1])) == {
        "face_type",
        "landmarks",
        "source_filename",
        "source_rect",
        "source_landmarks",
        "image_to_face_mat",
    }
    embedding = Faceset.open(folder).records()[0].face.embedding
    assert struct.pack("<f", embedding[0]) not in data


def test_the_material_is_what_deepfacelab_wrote():
    assert read_jpg(write_jpg(*aligned(0)))[0]["source_filename"] == "00001.png"
