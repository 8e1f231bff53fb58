"""Records kept in a file, pictures changed by other programs, records put back."""

import cv2
import numpy as np
import pytest
from labelled_material import OUTLINED, SQUARE, labelled
from PIL import Image

from konterfei.errors import Cancelled, ConfigError, DamagedFileError, FacesetError, OutputError
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image, write_image
from konterfei.reporting import Recorder
from konterfei.stages.faceset_convert import FacesetConvertConfig, faceset_convert
from konterfei.stages.faceset_metadata import (
    RestoreMetadataConfig,
    SaveMetadataConfig,
    restore_metadata,
    save_metadata,
)


def keep(folder, file, **settings):
    return save_metadata(SaveMetadataConfig(faceset=folder, output=file, **settings), Recorder())


def put_back(folder, file, reporter=None):
    return restore_metadata(RestoreMetadataConfig(faceset=folder, records=file), reporter or Recorder())


@pytest.fixture
def faces(tmp_path):
    folder = labelled(tmp_path / "anna")
    keep(folder, tmp_path / "anna.records")
    return folder


def edited(path, side=96, suffix=".jpg", to=None):
    """As an editor saves it: brighter, perhaps larger, without what konterfei keeps in it."""
    image = cv2.resize(read_image(path), (side, side), interpolation=cv2.INTER_CUBIC)
    target = (to or path.parent) / f"{path.stem}{suffix}"
    Image.fromarray(np.clip(image.astype(int) + 20, 0, 255).astype(np.uint8)).save(target, quality=92)
    return target


def test_records_come_back_to_pictures_that_were_saved_anew(faces, tmp_path):
    before = {record.name: record for record in Faceset.open(faces).records()}
    for path in list(faces.glob("*.jpg"))[:3]:
        edited(path)
    names = sorted(path.name for path in faces.glob("*.jpg"))
    assert len(Faceset.open(faces)) == 3
    pictures = {path.name: read_image(path) for path in faces.glob("*.jpg")}
    made = put_back(faces, tmp_path / "anna.records")
    assert (made.num_restored, made.num_as_before, made.left_out, made.size) == (3, 3, {}, 96)
    faceset = Faceset.open(faces)
    assert faceset.names() == names and not faceset.damaged
    assert faceset.labels("000001_0.jpg") == OUTLINED
    for record in faceset.records():
        assert record.face == before[record.name].face and record.crop == before[record.name].crop
        assert (faceset.image(record.name) == pictures[record.name]).all()  # the editor's bytes are kept
    assert "Nothing to do" in put_back(faces, tmp_path / "anna.records").summary()[0]


def test_untouched_crops_stay_byte_for_byte(faces, tmp_path):
    before = {path.name: path.read_bytes() for path in faces.glob("*.jpg")}
    put_back(faces, tmp_path / "anna.records")
    assert {path.name: path.read_bytes() for path in faces.glob("*.jpg")} == before


def test_an_outside_enhancer_that_makes_all_larger_makes_a_larger_faceset(faces, tmp_path):
    out = tmp_path / "outside"
    out.mkdir()
    for path in faces.glob("*.jpg"):
        edited(path, 192, ".png", out)
    made = put_back(out, tmp_path / "anna.records")
    assert (made.num_restored, made.size) == (6, 192)
    new, old = Faceset.open(out), Faceset.open(faces)
    assert new.header.size == 192 and new.header.source == old.header.source
    for before, after in zip(old.records(), new.records(), strict=True):
        assert after.face == before.face and after.size == 192
        place = before.crop.crop_from_frame @ before.face.landmarks
        assert after.crop.crop_from_frame @ after.face.landmarks == pytest.approx(2 * place + 0.5, abs=1e-3)
    assert new.labels("000001_0.jpg").polygons[0].points == pytest.approx(2 * SQUARE + 0.5)
    assert new.labels("000002_0.jpg").mask_file == old.labels("000002_0.jpg").mask_file
    assert "Nothing to do" in put_back(out, tmp_path / "anna.records").summary()[0]


def test_pictures_of_different_sizes_are_brought_to_the_old_one(faces, tmp_path):
    edited(faces / "000000_0.jpg", 200)
    edited(faces / "000001_0.jpg", 64)
    made = put_back(faces, tmp_path / "anna.records")
    assert (made.num_restored, made.size) == (2, 96)
    assert len(Faceset.open(faces)) == 6


def test_a_png_beside_the_crop_takes_its_place(faces, tmp_path):
    mean = read_image(faces / "000004_0.jpg").mean()
    edited(faces / "000004_0.jpg", suffix=".png")
    assert put_back(faces, tmp_path / "anna.records").num_restored == 1
    faceset = Faceset.open(faces)
    assert len(faceset) == 6 and faceset.image("000004_0.jpg").mean() > mean + 10
    assert put_back(faces, tmp_path / "anna.records").num_restored == 0


def test_what_cannot_be_placed_is_listed(faces, tmp_path):
    (faces / "000000_0.jpg").unlink()
    write_image(faces / "000001_0.jpg", read_image(faces / "000001_0.jpg")[:50])
    (faces / "000002_0.jpg").write_bytes(b"broken")
    lines = (tmp_path / "anna.records").read_text().splitlines(keepends=True)
    lines[4] = lines[4][:100] + "\n"
    (tmp_path / "anna.records").write_text("".join(lines))
    made = put_back(faces, tmp_path / "anna.records")
    assert made.left_out.keys() == {"000000_0.jpg", "000001_0.jpg", "000002_0.jpg", "line 5"}
    assert "96x50" in made.left_out["000001_0.jpg"] and made.num_as_before == 2
    assert any("4 are left out" in line for line in made.summary())


def test_a_turned_picture_is_shown_as_a_person_sees_it(faces, tmp_path):
    """A JPEG that says "turn me" is stored turned: facesets do not look at EXIF."""
    seen = read_image(faces / "000000_0.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it
    Image.fromarray(np.rot90(seen).copy()).save(faces / "000000_0.jpg", quality=95, exif=exif)
    put_back(faces, tmp_path / "anna.records")
    assert np.abs(Faceset.open(faces).image("000000_0.jpg").astype(int) - seen).mean() < 3


def test_stopped_and_given_again(faces, tmp_path):
    for path in faces.glob("*.jpg"):
        edited(path, 192)

    class Stops(Recorder):
        def advance(self, done, **figures):
            self.stop = self.tasks[-1] == "putting records back" and done == 2

    with pytest.raises(Cancelled):
        put_back(faces, tmp_path / "anna.records", Stops())
    made = put_back(faces, tmp_path / "anna.records")
    assert (made.num_restored, made.num_as_before) == (4, 2) and len(Faceset.open(faces)) == 6


def test_keeping_again_and_over(faces, tmp_path):
    assert keep(faces, tmp_path / "anna.records").was_done
    (faces / "000003_0.jpg").unlink()
    with pytest.raises(OutputError, match="--force"):
        keep(faces, tmp_path / "anna.records")
    assert keep(faces, tmp_path / "anna.records", force=True).num_faces == 5
    (tmp_path / "text").write_text("hello")
    with pytest.raises(OutputError, match="--force"):
        keep(faces, tmp_path / "text")


def test_other_files_are_refused(faces, tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(DamagedFileError, match="no records"):
        put_back(faces, tmp_path / "text")
    with pytest.raises(FacesetError, match="no file"):
        put_back(faces, tmp_path / "nothing")
    with pytest.raises(FacesetError, match="no folder"):
        put_back(tmp_path / "nowhere", tmp_path / "anna.records")
    faceset_convert(FacesetConvertConfig(faceset=faces, output=tmp_path / "full", face_type="full"), Recorder())
    with pytest.raises(ConfigError, match="'full'"):
        put_back(tmp_path / "full", tmp_path / "anna.records")


def test_a_name_that_is_a_path_is_not_followed(faces, tmp_path):
    text = (tmp_path / "anna.records").read_text()
    (tmp_path / "anna.records").write_text(text.replace('"name":"000000_0.jpg"', '"name":"../000000_0.jpg"'))
    made = put_back(faces, tmp_path / "anna.records")
    assert list(made.left_out) == ["line 2"] and "no file name" in made.left_out["line 2"]
