"""debug: pictures that show what is known; the faceset stays as it is."""

import numpy as np
import pytest
from labelled_material import labelled

from konterfei.errors import ConfigError
from konterfei.io.face_labels import FaceLabels
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.reporting import Recorder
from konterfei.stages.faceset_debug import FacesetDebugConfig, draw_face, faceset_debug


@pytest.fixture
def faces(tmp_path):
    return labelled(tmp_path / "anna")


def test_a_picture_of_each_face_and_a_sheet(faces, tmp_path):
    before = {path: path.read_bytes() for path in faces.glob("*.jpg")}
    reporter = Recorder()
    made = faceset_debug(FacesetDebugConfig(faceset=faces, output=tmp_path / "out", sheet=3), reporter)
    assert made.num_pictures == 6 and made.sheet == tmp_path / "out" / "sheet.jpg" == reporter.previews[0]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {p.name for p in before} | {"sheet.jpg"}
    assert read_image(made.sheet).shape == (512, 512, 3)  # three tiles in two rows
    assert read_image(tmp_path / "out" / "000000_0.jpg").shape == (576, 576, 3)
    assert {path: path.read_bytes() for path in before} == before
    few = faceset_debug(FacesetDebugConfig(faceset=faces, output=tmp_path / "few", most=2, sheet=0), reporter)
    assert few.num_pictures == 2 and few.sheet is None


def test_landmarks_labels_and_masks_are_drawn_where_they_are(faces):
    faceset = Faceset.open(faces)
    record = faceset.records()[1]
    grey = np.full((96, 96, 3), 128, np.uint8)
    plain = draw_face(grey, record, FaceLabels())
    points = record.crop.crop_from_frame @ record.face.landmarks
    for x, y in np.rint((points + 0.5) * 6 - 0.5).astype(int)[[0, 8, 36, 45]]:
        assert plain[y, x].min() > 150
    outlined = draw_face(grey, record, faceset.labels("000001_0.jpg"))
    changed = (outlined != plain).any(axis=-1)
    assert changed[int(25.5 * 6), (30 * 6)] and not changed[(33 * 6), (30 * 6)]  # its upper edge; its inside
    masked = (draw_face(grey, record, faceset.labels("000002_0.jpg")) != plain).any(axis=-1)
    rows, columns = np.nonzero(masked)
    assert np.hypot(rows - 288, columns - 288) == pytest.approx(np.full(len(rows), 576 / 3), abs=16)  # a circle


def test_a_damaged_mask_is_told_and_the_face_drawn_without(faces, tmp_path):
    with Faceset.open(faces) as faceset:
        faceset.relabel("000002_0.jpg", FaceLabels(mask_file=b"\x89PNG\r\n\x1a\nnothing"))
    reporter = Recorder()
    assert faceset_debug(FacesetDebugConfig(faceset=faces, output=tmp_path / "out"), reporter).num_pictures == 6
    assert "000002_0.jpg is drawn without its mask" in reporter.warnings[0]


def test_it_does_not_write_into_the_faceset(faces):
    with pytest.raises(ConfigError, match="itself"):
        FacesetDebugConfig(faceset=faces, output=faces / "debug")
