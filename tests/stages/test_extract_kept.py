"""What a person made in a faceset outlasts an extraction anew, or is in the trash, and all of it is told."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from extract_material import run
from labelled_material import MASKED, OUTLINED

import drawn_vision
from drawn_vision import scene, write_clip
from konterfei.io.face_labels import FaceLabels, Polygon
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.io.manifest import Manifest
from konterfei.reporting import Recorder


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "anna.mp4", scene(24))


@pytest.fixture
def faces(clip, tmp_path):
    run(clip, tmp_path / "faces")
    return tmp_path / "faces"


def draw(folder, **labels):
    """Labels onto the crops of these frames: f3=OUTLINED."""
    with Faceset.open(folder) as faceset:
        for frame, one in labels.items():
            faceset.relabel(f"{int(frame[1:]):06d}_0.jpg", one)


def drawn(folder):
    """Frame -> the first outline in frame pixels, of the crops that carry one."""
    faceset = Faceset.open(folder)
    return {
        record.frame_index: record.crop.crop_from_frame.inverse() @ labels.polygons[0].points
        for record in faceset.records()
        if (labels := faceset.labels(record.name)).polygons
    }


def in_trash(folder):
    return [(batch.why, len(batch.names)) for batch in Faceset.open(folder, allow_empty=True).set_asides()]


def told(recorder, part):
    return [text for text in (*recorder.notes, *recorder.warnings) if part in text]


def test_outlines_and_masks_go_over_to_the_crops_of_a_forced_extraction(clip, faces):
    draw(faces, f3=OUTLINED, f5=MASKED, f20=OUTLINED)
    before = drawn(faces)
    run(clip, faces, recorder := Recorder(), force=True, size=160, range="0:12")
    after = drawn(faces)
    assert set(after) == {3} and np.allclose(after[3], before[3], atol=0.01)
    mask = Faceset.open(faces).labels("000005_0.jpg").mask(64, 160)
    assert np.abs(mask.astype(float) - MASKED.mask(64, 64)).mean() < 10  # about the same square of the frame
    assert told(recorder, "drawn on 2 crops went over")
    assert told(recorder, "1 crops that were drawn on have no new one")
    assert in_trash(faces) == [("drawn on by hand; extract --force found no such face", 1)]


def test_outlines_go_over_to_frames_that_are_looked_at_again(clip, faces, tmp_path):
    draw(faces, f3=OUTLINED, f4=OUTLINED, f7=OUTLINED)
    before = drawn(faces)
    record = next(one for one in Faceset.open(faces).records() if one.frame_index == 3)
    points = (record.face.landmarks + 1.5).tolist()
    said = [{"frame": 3, "faces": [{"landmarks": points}]}, {"frame": 7, "faces": [{"remove": True}]}]
    file = tmp_path / "said.json"
    file.write_text(json.dumps({"version": 1, "frames": said}))
    run(clip, faces, recorder := Recorder(), corrections=file)
    after = drawn(faces)
    assert set(after) == {3, 4} and np.allclose(after[3], before[3], atol=0.01)
    assert told(recorder, "drawn on 1 crops went over") and told(recorder, "1 crops that were drawn on have no")


def test_nothing_of_the_labels_is_lost_where_the_film_is_another_one(clip, faces, tmp_path):
    draw(faces, f3=OUTLINED)
    other = write_clip(tmp_path / "other" / "anna.mp4", scene(20))
    run(other, faces, Recorder(), force=True)
    assert drawn(faces) == {} and in_trash(faces)[0][1] == 1


def test_crops_that_no_extraction_made_go_to_the_trash(clip, faces, tmp_path):
    film = write_clip(tmp_path / "bert.mp4", scene(6))
    run(film, tmp_path / "bert")
    for name in ("000001_0.jpg", "000002_0.jpg"):
        shutil.copy(tmp_path / "bert" / name, faces / f"bert_{name}")
    run(clip, faces, recorder := Recorder(), force=True, smoothing=0.5)
    assert {record.source for record in Faceset.open(faces).records()} == {"anna.mp4"}
    assert [count for _, count in in_trash(faces)] == [2] and told(recorder, "2 crops that came from elsewhere")


def test_what_is_undone_by_force_is_told_and_an_old_order_goes(clip, faces):
    names = Faceset.open(faces).names()
    FacesetOrder(by="blur", names=tuple(names), values=(1.0,) * len(names)).save(faces)
    with Faceset.open(faces) as faceset:
        faceset.set_aside(names[:2], "bad")
    (faces / names[5]).unlink()
    run(clip, faces, recorder := Recorder(), force=True, smoothing=0.5)
    assert len(Faceset.open(faces)) == 24 and in_trash(faces) == [("bad", 2)]
    assert told(recorder, "3 of them were deleted or set aside") and told(recorder, "konterfei sort")
    assert FacesetOrder.load(faces) is None


def test_corrections_in_a_faceset_outlast_a_shorter_range_and_another_input(clip, faces, tmp_path):
    file = tmp_path / "said.json"
    file.write_text(json.dumps({"version": 1, "frames": [{"frame": 7, "faces": [{"remove": True}]}]}))
    run(clip, faces, corrections=file)
    run(clip, faces, recorder := Recorder(), force=True, range="10:20")
    assert told(recorder, "1 corrections are of frames that are not looked at")
    run(clip, faces, recorder := Recorder(), force=True)
    assert 7 not in Faceset.open(faces).frame_indices() and not told(recorder, "No face in frames")
    other = write_clip(tmp_path / "bert.mp4", scene(10))
    run([clip, other], faces)
    there = {(record.source, record.frame_index) for record in Faceset.open(faces).records()}
    assert ("bert.mp4", 7) in there and ("anna.mp4", 7) not in there and len(there) == 33
    run(other, faces, recorder := Recorder(), force=True)
    assert len(Faceset.open(faces)) == 10 and told(recorder, "is of anna.mp4, which is not among the inputs")


def test_a_larger_outline_than_the_crop_is_kept_whole(clip, faces):
    far = Polygon(np.array([[-40, -40], [200, -40], [90, 210]], np.float32))
    draw(faces, f2=FaceLabels(polygons=(far,)))
    before = drawn(faces)
    run(clip, faces, force=True, face_type="full")
    assert np.allclose(drawn(faces)[2], before[2], atol=0.05)


def test_what_was_set_aside_while_an_extraction_was_stopped_stays_aside(clip, faces):
    with Faceset.open(faces) as faceset:
        faceset.set_aside(faceset.names()[3:6], "bad")
    for name in Faceset.open(faces).names()[10:]:
        (faces / name).unlink()
    manifest = Manifest.load(faces)  # as a kill while the crops were cut leaves it
    manifest.complete, manifest.output["finished"] = False, {}
    manifest.save(faces)
    run(clip, faces, recorder := Recorder())
    assert set(Faceset.open(faces).frame_indices()) == {*range(24)} - {3, 4, 5}
    assert told(recorder, "3 faces of anna.mp4 lie in the trash")


def test_of_two_outlined_crops_of_one_face_one_goes_over_and_the_other_to_the_trash(clip, faces):
    draw(faces, f3=OUTLINED)
    with Faceset.open(faces) as faceset:
        record = next(one for one in faceset.records() if one.frame_index == 3)
        faceset.add(faceset.image(record.name), replace(record, sharpness=record.sharpness + 1), MASKED)
    run(clip, faces, recorder := Recorder(), force=True)
    assert [count for _, count in in_trash(faces)] == [1] and len(Faceset.open(faces).labelled()) == 1
    assert told(recorder, "drawn on 1 crops went over")
