import json
import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from extract_material import StopAt, kill_at, records, run

import drawn_vision
from drawn_faces import ANNA, BERT
from drawn_vision import empty, scene, two_people, where, write_clip
from konterfei.errors import Cancelled, ConfigError, FacesetError, NoFacesError, OutputError, UnreadableMediaError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import bytes_for
from konterfei.io.images import write_image
from konterfei.io.manifest import Manifest
from konterfei.reporting import Recorder
from konterfei.stages.extract import ExtractConfig


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "anna.mp4", scene(40))


def test_one_face_in_every_frame_with_what_is_known_of_it(clip, tmp_path):
    result = run(clip, tmp_path / "faces")
    found = Faceset.open(tmp_path / "faces").records()
    assert (result.num_faces, result.num_frames, result.num_people, result.was_done) == (40, 40, 1, False)
    assert [record.frame_index for record in found] == list(range(40))
    assert [record.pts for record in found] == [Fraction(index, 25) for index in range(40)]
    for record in found:
        truth = where(record.frame_index, 40)
        assert np.abs(record.face.landmarks - truth).max() < 2.5
        assert record.face.embedding is not None and record.face.iris is not None
        assert record.raw_landmarks.shape == (68, 2) and record.sharpness > 0
        assert np.abs(record.crop_from_frame @ np.array([*truth[30], 1]) - 32).max() < 16  # nose well inside 64 px


def test_run_again_it_does_nothing_and_says_so(clip, tmp_path):
    first = run(clip, tmp_path / "faces")
    (tmp_path / "faces" / "000003_0.jpg").unlink()  # what a person takes away stays away
    recorder = Recorder()
    second = run(clip, tmp_path / "faces", recorder)
    assert second.was_done and second.num_faces == first.num_faces and not recorder.tasks
    assert any("Nothing to do" in note for note in recorder.notes)
    assert not (tmp_path / "faces" / "000003_0.jpg").exists()


def test_too_little_space_is_noticed_before_the_work(clip, tmp_path, monkeypatch):
    free = [1000]
    monkeypatch.setattr("konterfei.io.atomic.free_space", lambda path: free[0])
    with pytest.raises(OutputError, match=r"faces': about 1 MB are needed, 0 MB are free"):
        run(clip, tmp_path / "faces")
    assert not (tmp_path / "faces").exists()
    free[0] = bytes_for(40, 64)
    with pytest.raises(Cancelled):
        run(clip, tmp_path / "faces", StopAt(60))
    left = 40 - len(list((tmp_path / "faces").glob("*.jpg")))
    assert 0 < left < 40
    free[0] = bytes_for(left, 64) - 1
    with pytest.raises(OutputError, match="are needed"):
        run(clip, tmp_path / "faces")
    free[0] = bytes_for(left, 64)
    assert run(clip, tmp_path / "faces").num_faces == 40
    free[0] = 0
    assert run(clip, tmp_path / "faces").was_done
    with pytest.raises(OutputError, match="are needed"):
        run(clip, tmp_path / "faces", force=True)
    assert not (tmp_path / "faces" / ".new").exists()


@pytest.mark.parametrize("size", [64, 256, 512])
def test_crops_take_no_more_space_than_is_asked_for(clip, tmp_path, size):
    run(clip, tmp_path / "faces", size=size)
    crops = list((tmp_path / "faces").glob("*.jpg"))
    assert sum(crop.stat().st_size for crop in crops) < bytes_for(len(crops), size)


def test_other_settings_are_refused_by_name_and_forced(clip, tmp_path):
    run(clip, tmp_path / "faces")
    with pytest.raises(OutputError, match=r"face_type is full, was whole.*--force"):
        run(clip, tmp_path / "faces", face_type="full")
    recorder = Recorder()
    run(clip, tmp_path / "faces", recorder, face_type="full", force=True)
    assert {record.face_type for record in Faceset.open(tmp_path / "faces").records()} == {"full"}
    assert recorder.tasks == ["cutting crops"], "what was found holds for every face type"


@pytest.mark.parametrize("change", [lambda text: text.replace('"version": 1', '"version": 99'), lambda text: text[:40]])
def test_a_header_that_cannot_be_read_is_said_and_replaced_by_force(clip, tmp_path, change):
    run(clip, tmp_path / "faces")
    header = tmp_path / "faces" / "faceset.json"
    whole = header.read_text()
    header.write_text(change(whole))
    assert header.read_text() != whole
    with pytest.raises(FacesetError, match="--force"):
        run(clip, tmp_path / "faces")
    assert run(clip, tmp_path / "faces", force=True).num_faces == 40 == len(Faceset.open(tmp_path / "faces"))


def test_a_header_that_is_gone_is_written_again(clip, tmp_path):
    run(clip, tmp_path / "faces")
    (tmp_path / "faces" / "faceset.json").unlink()
    assert run(clip, tmp_path / "faces").num_faces == 40 == len(Faceset.open(tmp_path / "faces"))


def test_another_video_is_refused(clip, tmp_path):
    run(clip, tmp_path / "faces")
    other = write_clip(tmp_path / "other.mp4", scene(5, BERT))
    with pytest.raises(OutputError, match=r"video is .*other\.mp4, was .*anna\.mp4"):
        run(other, tmp_path / "faces")


def test_face_that_comes_between_two_looks_is_known_from_its_first_frame(tmp_path):
    frames = [*empty(11), *scene(30)]  # looks at 0, 7, 15: found at 15, seen since 11
    run(write_clip(tmp_path / "late.mp4", frames), tmp_path / "faces")
    assert [r.frame_index for r in Faceset.open(tmp_path / "faces").records()] == list(range(11, 41))


def test_face_in_the_very_last_frames_is_found(tmp_path):
    frames = [*empty(67), *scene(3)]
    run(write_clip(tmp_path / "end.mp4", frames), tmp_path / "faces")
    assert [r.frame_index for r in Faceset.open(tmp_path / "faces").records()] == [67, 68, 69]


def test_landmarks_do_not_bleed_across_a_cut(tmp_path):
    clip = write_clip(tmp_path / "cut.mp4", [*scene(20), *_brighter_scene(20)])
    result = run(clip, tmp_path / "faces")
    found = Faceset.open(tmp_path / "faces").records()
    assert result.num_cuts == 1 and len({record.face.track for record in found}) == 2
    for record in found:
        assert np.abs(record.face.landmarks - record.raw_landmarks).max() < 1.5, record.frame_index


def _brighter_scene(count):
    frames = []
    for image in scene(count):
        image = np.roll(image, 60, axis=1)
        image[(image == 60).all(axis=2)] = (20, 200, 60)
        frames.append(image)
    return frames


def test_most_present_person_is_taken_and_others_are_told(tmp_path):
    clip = write_clip(tmp_path / "two.mp4", two_people(40, gone_from=25))
    recorder = Recorder()
    result = run(clip, tmp_path / "faces", recorder)
    assert (result.num_people, result.person, result.num_faces) == (2, 0, 40)
    told = next(note for note in recorder.notes if "2 people" in note)
    assert "seen most is taken" in told and "40 frames" in told and "25 frames" in told and "--person" in told


def test_person_by_number_by_picture_and_none_such(tmp_path):
    clip = write_clip(tmp_path / "two.mp4", two_people(40, gone_from=25))
    assert run(clip, tmp_path / "one", person="1").num_faces == 25
    write_image(tmp_path / "bert.png", scene(1, BERT)[0])
    assert run(clip, tmp_path / "bert", person=str(tmp_path / "bert.png")).num_faces == 25
    write_image(tmp_path / "stranger.png", empty(1)[0])
    with pytest.raises(NoFacesError, match=r"No face in the reference picture"):
        run(clip, tmp_path / "none", person=str(tmp_path / "stranger.png"))
    with pytest.raises(NoFacesError, match=r"no person 7 .* 0: 40 frames .* 1: 25 frames"):
        run(clip, tmp_path / "none", person="7")
    assert run(clip, tmp_path / "none", person="0").num_faces == 40, "a failed try does not ask for --force"
    everybody = run(clip, tmp_path / "all", recorder := Recorder(), person="all")
    assert (everybody.num_faces, everybody.person) == (65, None)
    found = Faceset.open(tmp_path / "all").records()
    assert {(r.face.track, r.face.person) for r in found} == {(0, 0), (1, 1)}
    assert sum(r.face.person == 1 for r in found) == 25
    assert any("everybody is taken" in note for note in recorder.notes)
    alone = {r.frame_index: r.face.landmarks for r in Faceset.open(tmp_path / "one").records()}
    for record in found:
        assert record.face.person == 0 or np.array_equal(record.face.landmarks, alone[record.frame_index])
    assert run(clip, tmp_path / "both", person="1, 0").num_faces == 65
    with pytest.raises(ConfigError, match="neither a number, nor all, nor a picture"):
        ExtractConfig(video=clip, output=tmp_path, person="anna")


def test_nobody_is_an_error_that_says_what_was_looked_at(tmp_path):
    clip = write_clip(tmp_path / "nobody.mp4", empty(20))
    with pytest.raises(NoFacesError, match=r"20 frames.*detector drawn.*threshold 0\.7.*best score.*Try"):
        run(clip, tmp_path / "faces")
    assert not (tmp_path / "faces").exists(), "nothing half-written"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_videos(count, tmp_path):
    result = run(write_clip(tmp_path / "short.mp4", scene(count, total=40)), tmp_path / "faces")
    assert result.num_faces == count


def test_every_nth(clip, tmp_path):
    run(clip, tmp_path / "faces", every_nth=3)
    found = Faceset.open(tmp_path / "faces").records()
    assert [record.frame_index for record in found] == list(range(0, 40, 3))
    assert len({record.face.track for record in found}) == 1, "frames left out on purpose are no gap"


def test_folder_of_images(tmp_path):
    for index, image in enumerate(scene(6, total=40)):
        write_image(tmp_path / "shot" / f"{index:04d}.png", image)
    assert run(tmp_path / "shot", tmp_path / "faces").num_faces == 6
    assert run(tmp_path / "shot", tmp_path / "faces").was_done


def test_where_the_video_lies_is_kept_wherever_one_stands(clip, tmp_path, monkeypatch):
    monkeypatch.chdir(clip.parent)
    run(Path(clip.name), tmp_path / "faces")
    faceset = Faceset.open(tmp_path / "faces")
    assert faceset.header.source == str(clip)
    assert {record.source for record in faceset.records()} == {clip.name}
    monkeypatch.chdir(tmp_path)
    assert run(clip, tmp_path / "faces").was_done


def test_a_faceset_begun_with_a_relative_path_is_gone_on_with(clip, tmp_path):
    with pytest.raises(Cancelled):
        run(clip, tmp_path / "faces", StopAt(60))
    header = tmp_path / "faces" / "faceset.json"
    header.write_text(header.read_text().replace(json.dumps(str(clip)), json.dumps(clip.name)))
    assert Faceset.open(tmp_path / "faces").header.source == clip.name
    assert run(clip, tmp_path / "faces").num_faces == 40 == len(Faceset.open(tmp_path / "faces"))


def test_pictures_of_the_folder_that_one_is_in(tmp_path, monkeypatch):
    for index, image in enumerate(scene(3, total=40)):
        write_image(tmp_path / "shot" / f"{index:04d}.png", image)
    monkeypatch.chdir(tmp_path / "shot")
    run(Path(), tmp_path / "faces")
    assert Faceset.open(tmp_path / "faces").frame_indices() == [0, 1, 2]
    assert {record.source for record in Faceset.open(tmp_path / "faces").records()} == {"shot"}


def test_bad_paths(clip, tmp_path):
    with pytest.raises(UnreadableMediaError, match="no file"):
        run(tmp_path / "missing.mp4", tmp_path / "faces")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="is a file"):
        run(clip, tmp_path / "file")
    assert not (tmp_path / "faces").exists()


@pytest.mark.parametrize(
    ("setting", "flag"),
    [
        ({"size": 8}, "--size"),
        ({"every_nth": 0}, "--every-nth"),
        ({"threshold": 1.5}, "--threshold"),
        ({"detect_every": 0}, "--detect-every"),
        ({"smoothing": -1.0}, "--smoothing"),
        ({"smallest": 2}, "--smallest"),
        ({"threads": -1}, "--threads"),
        ({"face_type": "hole"}, "--face-type"),
        ({"detector": "yumet"}, "yunet"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_flag(setting, flag):
    with pytest.raises(Exception, match=flag) as caught:
        ExtractConfig(video=Path("a.mp4"), output=Path("b"), **setting)
    assert caught.value.exit_code == 2


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """Two blocks of the journal and a bit; nobody for a while."""
    return write_clip(tmp_path_factory.mktemp("long") / "long.mp4", [*scene(60), *empty(10), *scene(70)])


@pytest.fixture
def whole(long_clip, tmp_path):
    """Records of the uninterrupted run."""
    run(long_clip, tmp_path / "whole")
    return records(tmp_path / "whole")


def test_stopped_and_resumed_equals_uninterrupted(long_clip, whole, tmp_path):
    for step in (30, 100, 170):
        with pytest.raises(Cancelled):
            run(long_clip, tmp_path / "faces", StopAt(step))
        assert not Manifest.load(tmp_path / "faces").complete
    (tmp_path / "faces" / ".manifest.konterfei-tmp-1-a.json").write_text("{")  # as a kill leaves it
    run(long_clip, tmp_path / "faces")
    assert records(tmp_path / "faces") == whole
    assert not list((tmp_path / "faces").glob(".*konterfei-tmp*"))


@pytest.mark.parametrize("flipped", [-5, 700])
def test_damaged_journal(long_clip, whole, flipped, tmp_path):
    with pytest.raises(Cancelled):
        run(long_clip, tmp_path / "faces", StopAt(138))
    journal = tmp_path / "faces" / "analysis.jsonl"
    data = bytearray(journal.read_bytes())
    data[flipped] ^= 1  # one flipped bit: this line and all after it are done anew
    journal.write_bytes(data)
    run(long_clip, tmp_path / "faces")
    assert records(tmp_path / "faces") == whole


@pytest.mark.timeout(900)
def test_killed_at_any_point_and_resumed_equals_uninterrupted(long_clip, whole, tmp_path):
    output = tmp_path / "faces"
    # as soon as: the journal begins, one block, the last block, some crops, most crops
    for kind, enough in [("blocks", 1), ("blocks", 2), ("blocks", 4), ("crops", 20), ("crops", 100)]:
        kill_at(long_clip, output, output, kind, enough)
    run(long_clip, output)
    assert records(output) == whole
    assert json.loads((output / "manifest.json").read_text())["complete"]
    assert not [file.name for file in output.iterdir() if file.suffix == ".part" or "tmp" in file.name]


# --- force: the old faces stay until the new ones are all there

OTHER = {"smallest": 25, "face_type": "full"}
"""Other settings for both passes."""


@pytest.fixture
def replaced(long_clip, tmp_path):
    """Records of the extraction with OTHER settings that replaced nothing."""
    run(long_clip, tmp_path / "replaced", **OTHER)
    return records(tmp_path / "replaced")


def assert_untouched(folder, expected):
    assert records(folder) == expected
    assert Manifest.load(folder).complete


def test_forced_and_stopped_the_old_faces_are_whole(long_clip, whole, replaced, tmp_path):
    output = tmp_path / "whole"
    (output / "notes.txt").write_text("mine")
    (output / "rejected").mkdir()
    shutil.move(output / "000003_0.jpg", output / "rejected")
    (output / "000004_0.jpg").rename(output / "smiling.jpg")
    shutil.copy(output / "000005_0.jpg", output / "000005_0 copy.jpg")
    old = records(output)
    for step in (30, 100, 170):  # in both passes
        with pytest.raises(Cancelled):
            run(long_clip, output, StopAt(step), force=True, **OTHER)
        assert_untouched(output, old)
    assert run(long_clip, output).was_done, "without --force, the old ones are what was asked for"
    recorder = Recorder()
    run(long_clip, output, recorder, force=True, **OTHER)
    assert recorder.tasks == ["cutting crops"], "the first pass was done before"
    assert records(output) == replaced
    assert (output / "notes.txt").read_text() == "mine" and (output / "rejected" / "000003_0.jpg").exists()
    assert not (output / ".new").exists() and not (output / "smiling.jpg").exists()
    assert len(list(output.glob("*.jpg"))) == len(replaced)


@pytest.mark.timeout(900)
def test_forced_and_killed_the_old_faces_are_whole(long_clip, whole, replaced, tmp_path):
    output = tmp_path / "whole"
    for kind, enough in [("blocks", 2), ("crops", 20)]:
        kill_at(long_clip, output, output / ".new", kind, enough, force=True, **OTHER)
        assert_untouched(output, whole)
    recorder = Recorder()
    run(long_clip, output, recorder, force=True, **OTHER)
    assert recorder.tasks == ["cutting crops"]
    assert records(output) == replaced
    assert run(long_clip, output, **OTHER).was_done


@pytest.mark.parametrize("enough", [0, 1, 20, 39, 40, 41, 42])  # 40 crops, the journal, the manifest, the header
def test_killed_while_the_new_faces_take_their_place_goes_on_with_that(clip, tmp_path, monkeypatch, enough):
    output, left = tmp_path / "faces", [enough]
    run(clip, output)
    run(clip, tmp_path / "other", **OTHER)
    move = os.replace

    class Killed(BaseException):
        pass

    def move_some(source, target):
        if (source.parent, target.parent) == (output / ".new", output):
            if not left[0]:
                raise Killed
            left[0] -= 1
        move(source, target)

    monkeypatch.setattr(os, "replace", move_some)
    with pytest.raises(Killed):
        run(clip, output, force=True, **OTHER)
    monkeypatch.undo()
    drawn_vision.install(monkeypatch.setitem)
    with pytest.raises(FacesetError, match="Give the same 'konterfei extract' again"):
        Faceset.open(output)
    recorder = Recorder()
    assert run(clip, output, recorder, **OTHER).was_done and not recorder.tasks
    assert records(output) == records(tmp_path / "other")
    assert not (output / ".new").exists()


def test_a_forced_extraction_that_finds_nobody_leaves_the_old_faces(clip, tmp_path):
    run(clip, tmp_path / "faces")
    old = records(tmp_path / "faces")
    nobody = write_clip(tmp_path / "nobody.mp4", empty(20))
    with pytest.raises(NoFacesError):
        run(nobody, tmp_path / "faces", force=True)
    assert_untouched(tmp_path / "faces", old)
    with pytest.raises(NoFacesError, match="no person 7"):
        run(clip, tmp_path / "faces", force=True, person="7")
    assert_untouched(tmp_path / "faces", old)
    assert run(clip, tmp_path / "faces").was_done


def test_force_again_with_yet_other_settings_begins_anew(clip, tmp_path):
    run(clip, tmp_path / "faces")
    with pytest.raises(Cancelled):
        run(clip, tmp_path / "faces", StopAt(20), force=True, face_type="full")
    assert list((tmp_path / "faces" / ".new").glob("*.jpg"))
    run(clip, tmp_path / "faces", force=True, face_type="head")
    assert {record.face_type for record in Faceset.open(tmp_path / "faces").records()} == {"head"}


def test_lost_frames_part_a_track(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "holes.mp4", scene(30))
    import konterfei.stages._extract_plate as stage

    whole = stage.plate_reader

    class Holed:
        def __init__(self, *args, **kwargs):
            self.reader = whole(*args, **kwargs)
            self.info, self.lost = self.reader.info, 2
            self.frames = (frame for frame in self.reader if frame.index not in (10, 11))

        def __iter__(self):
            return self.frames

        def close(self):
            self.reader.close()

    monkeypatch.setattr(stage, "plate_reader", Holed)
    recorder = Recorder()
    result = run(clip, tmp_path / "faces", recorder)
    assert (result.num_faces, result.num_lost) == (28, 2)
    assert any("2 frames" in warning for warning in recorder.warnings)
    found = Faceset.open(tmp_path / "faces").records()
    assert {r.face.track for r in found if r.frame_index < 10} != {r.face.track for r in found if r.frame_index > 11}


def test_two_skins_are_told_apart():
    """The drawn recognizer itself: else the tests above test nothing."""
    recognizer = drawn_vision.DrawnRecognizer()
    anna, bert = (recognizer.embed(scene(1, skin)[0], [where(0, 2)])[0] for skin in (ANNA, BERT))
    assert anna @ bert < 0.1 < 0.9 < anna @ anna
