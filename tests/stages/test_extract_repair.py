"""Frames looked at again, and faces put right by hand."""

import json

import numpy as np
import pytest
from extract_material import StopAt, crops, records, run

import drawn_vision
from drawn_vision import DrawnDetector, DrawnLandmarker, scene, two_people, where, write_clip
from konterfei.detectors import DETECTORS
from konterfei.errors import Cancelled, ConfigError
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.registry import Entry
from konterfei.reporting import Recorder

MISSED = {12, 20, 21, 22}
"""Frames whose faces the usual detector and landmarker do not see: a shade lies over the picture."""


def is_shaded(image):
    return bool(((image[..., 2] > 180) & (image[..., 0] < 80)).any())


class Shaded(DrawnDetector):
    def detect(self, image):
        return [] if is_shaded(image) else super().detect(image)


class ShadedPoints(DrawnLandmarker):
    def landmarks(self, image, starts):
        answers = super().landmarks(image, starts)
        if is_shaded(image) and not any(hasattr(start, "score") for start in starts):
            return [type(a)(a.points, None, 0.0, a.window) for a in answers]
        return answers


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)
    monkeypatch.setattr(drawn_vision, "Shaded", Shaded, raising=False)
    monkeypatch.setattr(drawn_vision, "DrawnLandmarker", ShadedPoints)
    monkeypatch.setitem(DETECTORS._own, "shaded", Entry("drawn_vision:Shaded", "blind in the shade"))
    for name in ("centerface", "yunet"):  # what --thorough asks
        monkeypatch.setitem(DETECTORS._own, name, Entry("drawn_vision:DrawnDetector", "drawn"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Anna in 40 frames, some with a blue mark in which the shaded detector sees nobody."""
    frames = scene(40)
    for index in MISSED:
        frames[index] = frames[index].copy()
        frames[index][:16, :16] = (20, 20, 220)
    return write_clip(tmp_path_factory.mktemp("clip") / "anna.mp4", frames)


@pytest.fixture
def faces(clip, tmp_path):
    run(clip, tmp_path / "faces", detector="shaded")
    assert {*range(40)} - {*Faceset.open(tmp_path / "faces").frame_indices()} == MISSED
    return tmp_path / "faces"


def by_frame(folder):
    return {record.frame_index: record for record in Faceset.open(folder).records()}


def write(path, frames, **more):
    path.write_text(json.dumps({"version": 1, "frames": frames, **more}))
    return path


def test_missed_frames_are_told_and_filled_and_all_else_stays_as_it_is(clip, faces):
    assert Manifest.load(faces).output["missed"] == {"anna.mp4": "12,20:23"}
    before = crops(faces)
    result = run(clip, faces, recorder := Recorder(), fill_missed=True, detector="shaded")
    after = crops(faces)
    assert {name: after[name] for name in before} == before and len(after) == 40 == result.num_faces
    assert any("4 frames of anna.mp4 were looked at again: faces in 4" in note for note in recorder.notes)
    found = by_frame(faces)
    for index in MISSED:
        record = found[index]
        assert np.abs(record.face.landmarks - where(index, 40)).max() < 2.5
        around = [max({*range(index)} - MISSED), min({*range(index + 1, 40)} - MISSED)]
        assert record.face.person == 0 and record.face.track in {found[n].face.track for n in around}
        assert record.face.embedding is not None and not record.corrected
    assert not Manifest.load(faces).output["missed"]
    assert run(clip, faces, detector="shaded").was_done
    again = run(clip, faces, recorder := Recorder(), fill_missed=True, detector="shaded")
    assert crops(faces) == after and again.num_faces == 40 and "looking again" not in recorder.tasks


def test_frames_named_are_looked_at_again_with_other_settings(clip, faces):
    before = crops(faces)
    run(clip, faces, redo="12,20:22", detector="drawn", threshold=0.5)
    after = crops(faces)
    assert {name: after[name] for name in before} == before
    assert {*after} - {*before} == {"000012_0.jpg", "000020_0.jpg", "000021_0.jpg"}
    assert Manifest.load(faces).settings["detector"] == "shaded", "the faceset is what it was"
    assert Manifest.load(faces).output["missed"] == {"anna.mp4": "22"}
    assert run(clip, faces, detector="shaded").was_done
    run(clip, faces, redo="5", smallest=300)
    assert 5 not in by_frame(faces), "so small a face is none any more"
    assert {name: data for name, data in crops(faces).items() if name != "000005_0.jpg"} == {
        name: data for name, data in after.items() if name != "000005_0.jpg"
    }
    assert [batch.why for batch in Faceset.open(faces).set_asides()] == ["frame 5 of anna.mp4 was extracted again"]


def test_a_frame_looked_at_again_is_smoothed_with_its_neighbours(clip, faces, monkeypatch):
    class Jumping(ShadedPoints):
        def _one(self, boxes, start):
            answer = super()._one(boxes, start)
            return type(answer)(answer.points + np.float32(0.06), answer.iris, answer.presence, answer.window)

    before = by_frame(faces)[10]
    monkeypatch.setattr(drawn_vision, "DrawnLandmarker", Jumping)
    run(clip, faces, redo="10", detector="drawn")
    after = by_frame(faces)[10]
    jump = np.abs(after.raw_landmarks - before.raw_landmarks).mean()
    assert 0.04 < jump < 0.08
    assert np.abs(after.face.landmarks - before.face.landmarks).mean() < 0.8 * jump


def test_frames_that_were_not_looked_at_and_other_settings_are_refused(clip, faces, tmp_path):
    old = crops(faces)
    with pytest.raises(ConfigError, match=r"frame 40, which anna\.mp4 does not have"):
        run(clip, faces, redo="39:41", detector="shaded")
    with pytest.raises(ConfigError, match=r"--face-type is full, but the faceset was made with whole"):
        run(clip, faces, redo="3", face_type="full")
    with pytest.raises(ConfigError, match="--redo names frames of one video; here are 2"):
        run([clip, write_clip(tmp_path / "b.mp4", scene(3))], tmp_path / "both", redo="1")
    assert crops(faces) == old and run(clip, faces, detector="shaded").was_done


def test_settings_of_the_faceset_hold_for_what_is_done_again(clip, tmp_path):
    run(clip, tmp_path / "faces", detector="shaded", face_type="head", quality=80)
    run(clip, tmp_path / "faces", redo="12", detector="drawn")
    assert {record.face_type for record in by_frame(tmp_path / "faces").values()} == {"head"}
    assert 12 in by_frame(tmp_path / "faces")


def test_stopped_while_looking_again_and_gone_on_with(clip, faces, tmp_path):
    run(clip, tmp_path / "whole", detector="shaded")
    run(clip, tmp_path / "whole", fill_missed=True, detector="shaded")
    for step in (2, 3, 8):
        with pytest.raises(Cancelled):
            run(clip, faces, StopAt(step), fill_missed=True, detector="shaded")
    run(clip, faces, fill_missed=True, detector="shaded")
    assert crops(faces) == crops(tmp_path / "whole")


def test_stopped_while_crops_are_replaced_the_plain_command_goes_on(clip, faces, tmp_path):
    run(clip, tmp_path / "whole", detector="shaded")
    run(clip, tmp_path / "whole", fill_missed=True, detector="shaded")
    with pytest.raises(Cancelled):
        run(clip, faces, StopAt(6), fill_missed=True, detector="shaded")
    assert Manifest.load(faces).output["amending"] and len(crops(faces)) < 40
    assert not run(clip, faces, detector="shaded").was_done
    assert crops(faces) == crops(tmp_path / "whole")


def test_what_was_looked_at_again_survives_force(clip, faces):
    run(clip, faces, fill_missed=True, detector="shaded")
    filled = records(faces)
    run(clip, faces, force=True, detector="shaded")
    assert records(faces) == filled


def test_points_given_by_hand_are_exact(clip, faces, tmp_path):
    before = crops(faces)
    points = (where(12, 40) + np.array([1.5, -0.5])).round(2)
    path = write(tmp_path / "c.json", [{"frame": 12, "faces": [{"landmarks": points.tolist(), "person": 0}]}])
    run(clip, faces, corrections=path, detector="shaded", smoothing=1.0)
    after = crops(faces)
    assert {name: after[name] for name in before} == before and {*after} - {*before} == {"000012_0.jpg"}
    record = by_frame(faces)[12]
    assert np.array_equal(record.face.landmarks, points.astype(np.float32)) and record.corrected
    assert np.array_equal(record.raw_landmarks, record.face.landmarks)
    assert record.face.person == 0 and record.face.track in (0, 1) and record.face.embedding is not None
    assert run(clip, faces, detector="shaded").was_done
    assert run(clip, faces, corrections=path, detector="shaded").was_done


def test_a_box_a_few_points_and_no_face(clip, faces, tmp_path):
    truth = {index: where(index, 40) for index in (5, 12, 20)}
    box = [*truth[12].min(axis=0), *truth[12].max(axis=0)]
    eyes = [truth[20][36:42].mean(axis=0).tolist(), truth[20][42:48].mean(axis=0).tolist()]
    entries = [
        {"frame": 12, "faces": [{"box": [float(side) for side in box]}]},
        {"frame": 20, "faces": [{"eyes": eyes, "mouth": truth[20][48:68].mean(axis=0).tolist()}]},
        {"frame": 5, "faces": [{"remove": True, "near": truth[5][30].tolist()}]},
        {"frame": 6, "faces": [{"remove": True, "near": [300, 230]}]},
        {"frame": 7, "faces": []},
    ]
    before = crops(faces)
    run(clip, faces, corrections=write(tmp_path / "c.json", entries), detector="shaded")
    found = by_frame(faces)
    assert {*found} == ({*range(40)} - MISSED - {5}) | {12, 20}
    assert np.abs(found[12].face.landmarks - truth[12]).max() < 2.5 and found[12].corrected
    assert np.abs(found[20].face.landmarks - truth[20]).max() < 4 and found[20].corrected
    after = crops(faces)
    assert all(after[name] == data for name, data in before.items() if name != "000005_0.jpg")
    run(clip, faces, corrections=write(tmp_path / "c.json", entries[1:2]), detector="shaded")
    assert {*by_frame(faces)} == ({*range(40)} - MISSED) | {20}, "what is taken back is as it was found"
    assert all(crops(faces)[name] == data for name, data in before.items())


def test_a_correction_takes_the_place_of_the_face_there(clip, faces, tmp_path):
    points = (where(10, 40) + 2).tolist()
    run(
        clip,
        faces,
        corrections=write(tmp_path / "c.json", [{"frame": 10, "faces": [{"landmarks": points}]}]),
        detector="shaded",
    )
    records_there = Faceset.open(faces).faces_at(10)
    assert len(records_there) == 1 and records_there[0].corrected
    assert records_there[0].face.track == by_frame(faces)[9].face.track == by_frame(faces)[11].face.track


def test_corrections_survive_force_and_a_fresh_start(clip, faces, tmp_path):
    points = where(12, 40).tolist()
    path = write(tmp_path / "c.json", [{"frame": 12, "faces": [{"landmarks": points}]}])
    run(clip, faces, corrections=path, detector="shaded")
    corrected = records(faces)
    path.unlink()
    run(clip, faces, force=True, detector="shaded")
    assert records(faces) == corrected
    run(clip, faces, redo="12", detector="drawn")
    assert by_frame(faces)[12].corrected, "what a person says counts for more"
    path = write(tmp_path / "c.json", [{"frame": 12, "faces": [{"landmarks": points}]}])
    run(clip, tmp_path / "fresh", corrections=path, detector="shaded")
    assert records(tmp_path / "fresh") == corrected
    run(clip, faces, force=True, detector="shaded", face_type="head")
    assert by_frame(faces)[12].corrected and by_frame(faces)[12].face_type == "head"


def test_people_are_told_apart_in_corrections(tmp_path):
    clip = write_clip(tmp_path / "two.mp4", two_people(20, gone_from=15))
    run(clip, tmp_path / "faces", person="all")
    found = {(r.frame_index, r.face.person): r for r in Faceset.open(tmp_path / "faces").records()}
    anna, bert = found[(10, 0)], found[(10, 1)]
    entry = {"frame": 10, "faces": [{"landmarks": (bert.face.landmarks + 1).tolist()}]}
    run(clip, tmp_path / "faces", person="all", corrections=write(tmp_path / "c.json", [entry]))
    now = {(r.frame_index, r.face.person): r for r in Faceset.open(tmp_path / "faces").records()}
    assert now[(10, 1)].corrected and now[(10, 1)].face.track == bert.face.track
    assert now[(10, 0)].encode() == anna.encode()
    run(clip, tmp_path / "one", corrections=tmp_path / "c.json")
    assert not any(record.corrected for record in Faceset.open(tmp_path / "one").records()), "Bert is not asked for"


def test_a_face_that_nobody_found_at_all(tmp_path):
    clip = write_clip(tmp_path / "nobody.mp4", scene(6, (70, 190, 90)))
    points = where(0, 2).tolist()
    path = write(tmp_path / "c.json", [{"frame": 3, "faces": [{"landmarks": points}]}])
    assert run(clip, tmp_path / "faces", corrections=path).num_faces == 1
    assert run(clip, tmp_path / "faces").was_done


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"frame": -1, "faces": []}, r"frames\[0\]\.frame is -1"),
        ({"frame": 99, "faces": [{"remove": True}]}, r"frame 99: anna\.mp4 has no such frame"),
        ({"frame": 3, "faces": "x"}, r"frame 3, faces: a list"),
        ({"frame": 3, "faces": [{}]}, r"frame 3, faces\[0\] has none of landmarks"),
        ({"frame": 3, "faces": [{"landmarks": [[1, 2]]}]}, r"frame 3, faces\[0\]\.landmarks: 68 x 2 numbers .* 1 x 2"),
        ({"frame": 3, "faces": [{"landmarks": [[1, 2]] * 68}]}, r"faces\[0\]\.landmarks: the points lie on one spot"),
        ({"frame": 3, "faces": [{"landmarks": [[1, "x"]] * 68}]}, r"faces\[0\]\.landmarks: 68 x 2 numbers"),
        ({"frame": 3, "faces": [{"box": [9, 9, 5, 5]}]}, r"faces\[0\]\.box is"),
        ({"frame": 3, "faces": [{"box": [0, 0, float("nan"), 50]}]}, r"faces\[0\]\.box: 4 numbers"),
        ({"frame": 3, "faces": [{"eyes": [[1, 1], [50, 1]]}]}, r"faces\[0\]\.mouth is missing"),
        ({"frame": 3, "faces": [{"eyes": [[1, 1], [1, 1]], "mouth": [2, 2]}]}, r"faces\[0\]\.eyes: the points"),
        ({"frame": 3, "faces": [{"remove": False}]}, r"faces\[0\]\.remove is False"),
        ({"frame": 3, "faces": [{"remove": True, "person": 5}]}, r"faces\[0\]\.person is 5; there are 1 people"),
        ({"frame": 3, "faces": [{"remove": True, "person": "x"}]}, r"faces\[0\]\.person is 'x'"),
        ({"frame": 3, "faces": [{"remove": True, "nearby": [1, 1]}]}, r"faces\[0\]\.nearby does not go with remove"),
        ({"frame": 3, "faces": [], "video": "b.mp4", "x": 1}, r"frames\[0\]: an entry is"),
        ({"frame": 3, "faces": [{"remove": True}], "video": "b.mp4"}, r"video is 'b\.mp4'"),
    ],
)
def test_bad_entries_are_told_by_file_frame_and_field(clip, faces, tmp_path, entry, told):
    old = crops(faces)
    with pytest.raises(ConfigError, match=r"c\.json.*" + told):
        run(clip, faces, corrections=write(tmp_path / "c.json", [entry]), detector="shaded")
    assert crops(faces) == old and run(clip, faces, detector="shaded").was_done


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 2, "frames": []}', '{"version": 1}', "[" * 100_000])
def test_files_that_are_no_corrections(clip, faces, tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(ConfigError, match=r"c\.json' (cannot be read as|is no file of) corrections"):
        run(clip, faces, corrections=tmp_path / "c.json", detector="shaded")


def test_a_template_names_the_missed_frames_and_can_be_given_as_it_is(clip, faces, tmp_path):
    path = tmp_path / "c.json"
    assert run(clip, faces, corrections_template=path, detector="shaded").was_done
    begun = json.loads(path.read_text())
    assert [entry["frame"] for entry in begun["frames"]] == sorted(MISSED) and begun["version"] == 1
    run(clip, faces, corrections=path, detector="shaded")
    begun["frames"][0]["faces"] = [{"landmarks": where(12, 40).tolist()}]
    path.write_text(json.dumps(begun))
    assert run(clip, faces, corrections=path, detector="shaded").num_faces == 37
    with pytest.raises(ConfigError, match=r"--corrections-template is .* which is there"):
        run(clip, faces, corrections_template=path, detector="shaded")


def test_corrections_of_one_of_several_videos(clip, tmp_path):
    other = write_clip(tmp_path / "b.mp4", scene(5))
    points = where(12, 40).tolist()
    entry = {"frame": 12, "faces": [{"landmarks": points}]}
    with pytest.raises(ConfigError, match="does not say of which video"):
        run([clip, other], tmp_path / "faces", corrections=write(tmp_path / "c.json", [entry]), detector="shaded")
    run(
        [clip, other],
        tmp_path / "faces",
        corrections=write(tmp_path / "c.json", [entry], video="anna.mp4"),
        detector="shaded",
    )
    found = [record for record in Faceset.open(tmp_path / "faces").records() if record.corrected]
    assert [(record.source, record.frame_index) for record in found] == [("anna.mp4", 12)]
    run([clip, other], tmp_path / "faces", fill_missed=True, detector="shaded")
    assert len(Faceset.open(tmp_path / "faces")) == 45


def test_facesets_of_before_are_repaired_too(clip, faces, tmp_path):
    """Their manifests tell neither missed frames nor what is cut."""
    path = faces / "manifest.json"
    old = json.loads(path.read_text())
    old["output"] = {}
    path.write_text(json.dumps(old))
    before = crops(faces)
    assert run(clip, faces, detector="shaded").was_done
    run(clip, faces, corrections_template=tmp_path / "c.json", detector="shaded")
    assert len(json.loads((tmp_path / "c.json").read_text())["frames"]) == 4 and crops(faces) == before
    path.write_text(json.dumps(old))
    (faces / "000003_0.jpg").unlink()
    run(clip, faces, fill_missed=True, detector="shaded")
    assert {*by_frame(faces)} == {*range(40)} - {3}, "what a person takes away stays away"
