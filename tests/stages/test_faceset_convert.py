"""convert: other sizes and face types, from crops and from the video; labels and order follow."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from labelled_material import OUTLINED, SQUARE, labelled

from drawn_faces import ANNA, landmarks, picture
from konterfei.errors import Cancelled, ConfigError, OutputError
from konterfei.geometry import FaceType
from konterfei.geometry.recut import known
from konterfei.io.face_labels import FaceLabels
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.io.images import write_image
from konterfei.io.sequence import sequence_sha256
from konterfei.reporting import Recorder
from konterfei.stages.faceset_convert import FacesetConvertConfig, faceset_convert


def convert(folder, output, reporter=None, **settings):
    return faceset_convert(FacesetConvertConfig(faceset=folder, output=output, **settings), reporter or Recorder())


@pytest.fixture
def faces(tmp_path):
    return labelled(tmp_path / "anna")


def frames(folder, count=6):
    """The frames that the faces were cut from, as pictures."""
    for index in range(count):
        write_image(folder / f"{index:04d}.png", picture(landmarks(index, count), ANNA))
    return folder


def test_another_size_keeps_what_is_known_of_each_face(faces, tmp_path):
    made = convert(faces, tmp_path / "big", size=192)
    assert (made.num_faces, made.num_from_crops, made.was_done) == (6, 6, False)
    old, new = Faceset.open(faces), Faceset.open(tmp_path / "big")
    assert (new.header.size, new.header.face_type, new.header.source) == (192, FaceType.WHOLE, old.header.source)
    for before, after in zip(old.records(), new.records(), strict=True):
        assert after.crop.corners() == pytest.approx(before.crop.corners(), abs=1e-4)
        assert after.face == before.face and after.pts == before.pts and after.sharpness != before.sharpness
        shown = new.image(after.name)[::2, ::2].astype(int)
        assert np.abs(shown - old.image(before.name)).mean() < 3
    assert new.labels("000001_0.jpg").polygons[0].points == pytest.approx(2 * SQUARE)
    assert new.labels("000001_0.jpg").foreign == OUTLINED.foreign
    assert new.labels("000002_0.jpg").mask_file == old.labels("000002_0.jpg").mask_file
    assert new.labelled() == {"000001_0.jpg", "000002_0.jpg"}


@pytest.mark.parametrize("name", ["000001_0.jpg", "000002_0.jpg"])
def test_masks_of_another_face_type_lie_on_the_same_skin(faces, tmp_path, name):
    """The new mask is the old one seen through both crops, and comes back within a pixel."""
    convert(faces, tmp_path / "full", face_type="full", size=96)
    convert(tmp_path / "full", tmp_path / "back", face_type="whole", size=96)
    old, full, back = (Faceset.open(folder) for folder in (faces, tmp_path / "full", tmp_path / "back"))
    records = {each: {r.name: r for r in each.records()}[name] for each in (old, full, back)}
    before = old.labels(name).mask(96, 96)
    seen = full.labels(name).mask(96, 96)
    wanted = cv2.warpAffine(
        before,
        (records[full].crop.crop_from_frame @ records[old].crop.frame_from_crop).matrix,
        (96, 96),
        flags=cv2.INTER_LINEAR,
    )
    assert (np.abs(seen.astype(int) - wanted) > 127).mean() < 0.02
    again = back.labels(name).mask(96, 96) > 127
    pixel = np.ones((3, 3), np.uint8)
    assert (again <= (cv2.dilate(before, pixel) > 0)).all()
    shown = cv2.erode(known(records[full].crop, records[back].crop).astype(np.uint8), pixel) > 0
    assert (again >= (cv2.erode(before, pixel) == 255))[shown].all()
    if name == "000001_0.jpg":  # outlines are kept whole; a mask ends where the smaller crop ended
        assert back.labels(name).polygons[0].points == pytest.approx(SQUARE, abs=0.1)


def test_a_wider_type_without_the_video_is_black_outside_and_says_so(faces, tmp_path):
    reporter = Recorder()
    convert(faces, tmp_path / "head", reporter, face_type="head")
    assert any("black" in line and "--source" in line for line in reporter.warnings)
    new = Faceset.open(tmp_path / "head")
    assert (new.image("000000_0.jpg").max(axis=-1) < 8).mean() > 0.3
    quiet = Recorder()
    convert(faces, tmp_path / "half", quiet, face_type="half")
    assert not quiet.warnings


def test_with_the_frames_the_crops_are_as_good_as_extracted(faces, tmp_path):
    pictures = frames(tmp_path / "anna.mp4")
    made = convert(faces, tmp_path / "head", face_type="head", source=(pictures,))
    assert (made.num_from_video, made.num_from_crops) == (6, 0)
    new = Faceset.open(tmp_path / "head")
    for record in new.records():
        wanted = record.crop.cut(picture(landmarks(record.frame_index, 6), ANNA)).astype(int)
        assert np.abs(new.image(record.name) - wanted).mean() < 2


def test_frames_that_are_missing_come_from_crops(faces, tmp_path):
    pictures = frames(tmp_path / "anna.mp4")
    (pictures / "0003.png").write_bytes(b"not a picture")
    reporter = Recorder()
    made = convert(faces, tmp_path / "big", reporter, size=128, source=(pictures,))
    assert (made.num_faces, made.num_from_video, made.num_from_crops) == (6, 5, 1)
    assert any("could not be read" in line for line in reporter.warnings)


def test_stopped_and_given_again_it_ends_as_if_never_stopped(faces, tmp_path):
    class Stops(Recorder):
        def advance(self, done, **figures):
            self.stop = done == 3

    with pytest.raises(Cancelled):
        convert(faces, tmp_path / "big", Stops(), size=128)
    assert 0 < len(Faceset.open(tmp_path / "big")) < 6
    assert convert(faces, tmp_path / "big", size=128).num_faces == 6
    convert(faces, tmp_path / "once", size=128)
    assert Faceset.open(tmp_path / "big").content_hash() == Faceset.open(tmp_path / "once").content_hash()
    assert convert(faces, tmp_path / "big", size=128).was_done


def test_the_order_follows(faces, tmp_path):
    (faces / "000004_0.jpg").rename(faces / "best.jpg")
    names = ["best.jpg", *(f"00000{i}_0.jpg" for i in (5, 3, 2, 1, 0))]
    FacesetOrder(by="yaw", names=tuple(names), values=(1.0, 2.0, None, 3.0, 4.0, 5.0)).save(faces)
    convert(faces, tmp_path / "big", size=128)
    order = FacesetOrder.load(tmp_path / "big")
    assert order.names == tuple(f"00000{i}_0.jpg" for i in (4, 5, 3, 2, 1, 0))
    assert order.values == (1.0, 2.0, None, 3.0, 4.0, 5.0)


def test_a_mask_that_cannot_be_read_is_told_and_left_out(faces, tmp_path):
    with Faceset.open(faces) as old:
        old.relabel("000003_0.jpg", FaceLabels(mask_file=b"broken"))
    reporter = Recorder()
    convert(faces, tmp_path / "full", reporter, face_type="full")
    assert any("000003_0.jpg" in line for line in reporter.warnings)
    assert Faceset.open(tmp_path / "full").labelled() == {"000001_0.jpg", "000002_0.jpg"}


def test_what_makes_no_sense_is_refused(faces, tmp_path):
    with pytest.raises(ConfigError, match="--size"):
        convert(faces, tmp_path / "x")
    with pytest.raises(ConfigError, match="already"):
        convert(faces, tmp_path / "x", size=96)
    with pytest.raises(ConfigError, match="faceset itself"):
        convert(faces, faces / "x", size=64)
    with pytest.raises(ConfigError, match=r"come from: anna\.mp4"):
        convert(faces, tmp_path / "x", size=64, source=(frames(tmp_path / "bert.mp4"),))
    convert(faces, tmp_path / "x", size=64)
    with pytest.raises(OutputError, match="size is 48, was 64"):
        convert(faces, tmp_path / "x", size=48)
    small = tmp_path / "anna.mp4"
    write_image(small / "0000.png", np.zeros((24, 32, 3), np.uint8))
    with pytest.raises(ConfigError, match="32x24"):
        convert(faces, tmp_path / "y", size=64, source=(small,))


def test_pooled_films_and_loose_pictures_are_each_cut_from_their_own(tmp_path):
    """Records of loose pictures are called folder/picture, those of films by the film."""
    folder = tmp_path / "pooled"
    plain = Faceset.open(labelled(tmp_path / "anna"))
    with Faceset.create(folder, replace(plain.header, source="", source_sha256="")) as pooled:
        for record in plain.records():
            index = record.frame_index
            source = "anna.mp4" if index < 4 else f"photos/{index:04d}.png"
            face = record.face.with_(track=0 if index < 4 else None)
            pooled.add(plain.image(record.name), replace(record, source=source, face=face))
    film, photos = frames(tmp_path / "anna.mp4", 4), frames(tmp_path / "photos")
    made = convert(folder, tmp_path / "head", face_type="head", source=(film, photos))
    assert (made.num_faces, made.num_from_video) == (6, 6)
    new = Faceset.open(tmp_path / "head")
    for record in new.records():
        index = record.frame_index
        wanted = record.crop.cut(picture(landmarks(index, 6 if index > 3 else 4), ANNA)).astype(int)
        assert np.abs(new.image(record.name) - wanted).mean() < 2
    reporter = Recorder()
    made = convert(folder, tmp_path / "half", reporter, face_type="half")
    assert made.num_from_crops == 6 and any("anna.mp4, photos" in note for note in reporter.notes)


def test_films_of_one_name_are_each_cut_from_their_own(tmp_path):
    """The second one has its folder before its name in the records, as extract does it."""
    folder = tmp_path / "pooled"
    plain = Faceset.open(labelled(tmp_path / "anna"))
    with Faceset.create(folder, replace(plain.header, source="", source_sha256="")) as pooled:
        for record in plain.records():
            source = "clip" if record.frame_index < 4 else "b/clip"
            face = record.face.with_(track=0)
            pooled.add(plain.image(record.name), replace(record, source=source, face=face))
    one, other = frames(tmp_path / "a" / "clip", 4), frames(tmp_path / "b" / "clip")
    made = convert(folder, tmp_path / "head", face_type="head", source=(other, one))
    assert (made.num_faces, made.num_from_video, made.num_from_crops) == (6, 6, 0)


def test_the_video_that_the_faceset_names_is_taken_only_while_it_is_the_same(tmp_path):
    film = frames(tmp_path / "films" / "anna.mp4")
    plain = Faceset.open(labelled(tmp_path / "anna"))
    known = {"source": str(film), "source_sha256": sequence_sha256(film)}
    with Faceset.create(tmp_path / "faces", replace(plain.header, **known)) as made:
        for record in plain.records():
            made.add(plain.image(record.name), record)
    assert convert(tmp_path / "faces", tmp_path / "a", size=64).num_from_video == 6
    assert convert(tmp_path / "faces", tmp_path / "b", size=64, from_crops=True).num_from_video == 0
    write_image(film / "0000.png", np.zeros((240, 320, 3), np.uint8))
    assert convert(tmp_path / "faces", tmp_path / "c", size=64).num_from_video == 0
    reporter = Recorder()
    convert(tmp_path / "faces", tmp_path / "d", reporter, size=64, source=(film,))
    assert any("not the file" in line for line in reporter.warnings)


def test_a_crop_moved_in_from_another_film_is_converted_with_the_others(faces, tmp_path):
    other = Faceset.open(labelled(tmp_path / "bert", count=3))
    record = other.records()[0]
    with Faceset.create(tmp_path / "one", replace(other.header, source="bert.mp4")) as one:
        name = one.add(other.image(record.name), replace(record, source="bert.mp4"))
    (tmp_path / "one" / name).rename(faces / "guest.jpg")
    header = json.loads((faces / "faceset.json").read_text())
    (faces / "faceset.json").write_text(json.dumps({**header, "source": "anna.mp4"}))
    made = convert(faces, tmp_path / "small", size=64)
    assert made.num_faces == 7
    assert {record.source for record in Faceset.open(tmp_path / "small").records()} == {"anna.mp4", "bert.mp4"}
