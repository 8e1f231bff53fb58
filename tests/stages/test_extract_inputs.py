"""Several videos, and loose pictures, in one faceset."""

import numpy as np
import pytest
from extract_material import StopAt, crops, kill_at, records, run
from PIL import Image

import drawn_vision
from drawn_faces import ANNA, BERT
from drawn_vision import empty, scene, write_clip
from konterfei.errors import Cancelled, ConfigError, OutputError, UnreadableMediaError
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.manifest import Manifest
from konterfei.reporting import Recorder
from konterfei.stages._extract_inputs import is_film, list_pictures


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Anna, Anna again, Bert for longer."""
    folder = tmp_path_factory.mktemp("clips")
    return [
        write_clip(folder / "a.mp4", scene(12)),
        write_clip(folder / "b.mp4", [image[:, ::-1].copy() for image in scene(10)]),
        write_clip(folder / "bert.mp4", scene(30, BERT)),
    ]


def photographs(folder, count=3, first=0):
    """Anna in pictures of several sizes, kinds and attitudes."""
    folder.mkdir(exist_ok=True)
    for index in range(first, first + count):
        image = scene(8)[index % 8]
        image = [image, image[:200], image[20:, 30:]][index % 3]
        if index % 3 == 2:  # turned as cameras do it
            exif = Image.Exif()
            exif[274] = 6
            Image.fromarray(np.ascontiguousarray(np.rot90(image))).save(folder / f"p{index}.jpg", exif=exif, quality=98)
        else:
            write_image(folder / f"{'xy'[index % 3]}{index}.{('png', 'webp')[index % 3]}", image)
    return folder


def counts(folder):
    found = {}
    for record in Faceset.open(folder).records():
        found[record.source] = found.get(record.source, 0) + 1
    return found


def test_the_same_person_in_several_videos(clips, tmp_path):
    result = run(clips, tmp_path / "faces", recorder := Recorder(), person="all")
    assert (result.num_frames, result.num_faces, result.num_people) == (52, 52, 2)
    faceset = Faceset.open(tmp_path / "faces")
    assert faceset.header.source == faceset.header.source_sha256 == ""
    assert counts(tmp_path / "faces") == {"a.mp4": 12, "b.mp4": 10, "bert.mp4": 30}
    people = {(record.source, record.face.person) for record in faceset.records()}
    assert people == {("a.mp4", 1), ("b.mp4", 1), ("bert.mp4", 0)}, "Bert is seen most"
    assert any("2 people" in note for note in recorder.notes)
    assert run(clips, tmp_path / "faces", person="all").was_done
    assert run(clips[::-1], tmp_path / "faces", person="all").was_done, "their order is not a difference"


def test_faces_are_those_of_each_video_alone(clips, tmp_path):
    run(clips[:2], tmp_path / "both")
    both = records(tmp_path / "both")
    for clip, own in ((clips[0], both[:12]), (clips[1], both[12:])):
        run(clip, tmp_path / clip.stem)
        assert records(tmp_path / clip.stem) == own


def test_a_video_that_comes_later_changes_nothing_of_those_before(clips, tmp_path):
    run(clips[0], tmp_path / "faces")
    (tmp_path / "faces" / "000003_0.jpg").unlink()
    before = crops(tmp_path / "faces")
    recorder = Recorder()
    result = run(clips, tmp_path / "faces", recorder)
    after = crops(tmp_path / "faces")
    assert {name: after[name] for name in before} == before and "000003_1.jpg" not in after
    assert result.person == 0 and counts(tmp_path / "faces") == {"a.mp4": 11, "b.mp4": 10}, "person 0 stays Anna"
    assert not (tmp_path / "faces" / "analysis.jsonl").exists()
    assert len(list((tmp_path / "faces").glob("analysis.*.jsonl"))) == 3
    assert run(clips, tmp_path / "faces").was_done
    with pytest.raises(OutputError, match=r"input bert\.mp4 is no longer given"):
        run(clips[:2], tmp_path / "faces")
    with pytest.raises(OutputError, match="face_type is full"):
        run(clips, tmp_path / "faces", face_type="full")


def test_force_begins_with_who_is_seen_most_of_all(clips, tmp_path):
    run(clips[0], tmp_path / "faces")
    run(clips, tmp_path / "faces", force=True)
    assert counts(tmp_path / "faces") == {"bert.mp4": 30}
    run(clips[0], tmp_path / "faces", force=True)
    assert counts(tmp_path / "faces") == {"a.mp4": 12}
    assert [path.name for path in (tmp_path / "faces").glob("analysis*")] == ["analysis.jsonl"]


@pytest.mark.parametrize("steps", [(5, 20), (30, 12), (40, 5)])
def test_stopped_and_resumed_with_more_inputs_equals_uninterrupted(clips, tmp_path, steps):
    photos = photographs(tmp_path / "photos")
    given = [clips[0], photos, clips[1]]
    run(given, tmp_path / "whole")
    for step in steps:
        with pytest.raises(Cancelled):
            run(given, tmp_path / "faces", StopAt(step))
        assert not Manifest.load(tmp_path / "faces").complete
    run(given, tmp_path / "faces")
    assert records(tmp_path / "faces") == records(tmp_path / "whole")
    assert crops(tmp_path / "faces") == crops(tmp_path / "whole")


@pytest.mark.timeout(900)
def test_killed_at_any_point_with_several_inputs_equals_uninterrupted(clips, tmp_path):
    given = [clips[0], photographs(tmp_path / "photos", 5), clips[1]]
    run(given, tmp_path / "whole")
    output = tmp_path / "faces"
    for kind, enough in [("blocks", 2), ("blocks", 4), ("crops", 3), ("crops", 14)]:
        kill_at(given, output, output, kind, enough)
    run(given, output)
    assert crops(output) == crops(tmp_path / "whole")
    assert not [file.name for file in output.iterdir() if file.suffix == ".part" or "tmp" in file.name]


def test_stopped_while_a_video_is_added(clips, tmp_path):
    run(clips[0], tmp_path / "faces")
    for step in (4, 14):
        with pytest.raises(Cancelled):
            run(clips[:2], tmp_path / "faces", StopAt(step))
    run(clips[:2], tmp_path / "faces")
    assert counts(tmp_path / "faces") == {"a.mp4": 12, "b.mp4": 10}


def test_videos_of_one_name_are_told_apart(clips, tmp_path):
    other = write_clip(tmp_path / "other" / "a.mp4", scene(5, BERT)) if (tmp_path / "other").mkdir() is None else None
    run([clips[0], other], tmp_path / "faces", person="all")
    assert counts(tmp_path / "faces") == {"a.mp4": 12, "other/a.mp4": 5}
    assert run([other, clips[0]], tmp_path / "faces", person="all").was_done
    with pytest.raises(ConfigError, match="given twice"):
        run([other, other], tmp_path / "faces")
    with pytest.raises(ConfigError, match="given twice"):
        run([other, tmp_path / "other" / ".." / "other" / "a.mp4"], tmp_path / "more")


def test_photographs_of_all_sizes_and_kinds(tmp_path):
    photos = photographs(tmp_path / "photos", 6)
    write_image(photos / "nobody.png", empty(1)[0])
    write_image(photos / "tiny.png", empty(1)[0][:8, :8])
    (photos / "torn.jpg").write_bytes((photos / "p2.jpg").read_bytes()[:200])
    (photos / "notes.txt").write_text("no picture")
    recorder = Recorder()
    result = run(photos, tmp_path / "faces", recorder)
    assert (result.num_faces, result.num_frames, result.num_people) == (6, 7, 1)
    assert sum("torn.jpg" in warning for warning in recorder.warnings) == 1
    assert any("tiny.png" in warning and "too small" in warning for warning in recorder.warnings)
    found = Faceset.open(tmp_path / "faces").records()
    assert {record.source for record in found} >= {"photos/x0.png", "photos/y1.webp", "photos/p2.jpg"}
    assert all(record.face.track is None and record.pts == 0 for record in found)
    for record in found:
        assert np.array_equal(record.face.landmarks, record.raw_landmarks), "nothing is smoothed between pictures"
        left, _, right, _ = record.face.box
        assert abs((right - left) - (found[0].face.box[2] - found[0].face.box[0])) < 12, "upright in all of them"
    assert run(photos, tmp_path / "faces").was_done


def test_deep_pictures_are_scaled_right(tmp_path):
    (tmp_path / "photos").mkdir()
    write_image(tmp_path / "photos" / "b.png", scene(1)[0].astype(np.uint16) * 257)
    write_image(tmp_path / "photos" / "a.tif", scene(1)[0].astype(np.uint16) * 257)
    write_image(tmp_path / "photos" / "c.jpg", scene(1)[0])
    assert run(tmp_path / "photos", tmp_path / "faces").num_faces == 3
    faceset = Faceset.open(tmp_path / "faces")
    images = [faceset.image(name).astype(int) for name in faceset.names()]
    assert np.abs(images[0] - images[2]).mean() < 3 and np.abs(images[1] - images[2]).mean() < 3


def test_pictures_that_come_later_are_added(tmp_path):
    photos = photographs(tmp_path / "photos", 3)
    run(photos, tmp_path / "faces")
    gone = next((tmp_path / "faces").glob("*.jpg"))
    gone.unlink()
    before = crops(tmp_path / "faces")
    photographs(photos, 2, first=3)
    result = run(photos, tmp_path / "faces", recorder := Recorder())
    assert result.num_faces == 4 and any("Going on with 2 pictures" in note for note in recorder.notes)
    after = crops(tmp_path / "faces")
    assert {name: after[name] for name in before} == before and gone.name not in after
    (photos / "x0.png").unlink()
    with pytest.raises(OutputError, match="the content of input photos"):
        run(photos, tmp_path / "faces")
    assert run(photos, tmp_path / "faces", force=True).num_faces == 4
    assert "photos/x0.png" not in counts(tmp_path / "faces")


def test_single_pictures_beside_a_video(clips, tmp_path):
    photos = photographs(tmp_path / "photos")
    run([photos / "x0.png", clips[0], photos / "p2.jpg"], tmp_path / "faces")
    assert counts(tmp_path / "faces") == {"a.mp4": 12, "photos/x0.png": 1, "photos/p2.jpg": 1}


def test_what_a_folder_of_pictures_is(tmp_path):
    frames, photos = tmp_path / "frames", photographs(tmp_path / "photos")
    for index in range(4):
        write_image(frames / f"shot.{index:04d}.jpg", scene(4)[index])
    assert is_film(list_pictures(frames), False) and not is_film(list_pictures(photos), True)
    exif = Image.Exif()
    exif[271] = "a camera"
    for index in range(4):
        (tmp_path / "taken").mkdir(exist_ok=True)
        Image.fromarray(scene(4)[index]).save(tmp_path / "taken" / f"IMG_{index:04d}.jpg", exif=exif)
    assert not is_film(list_pictures(tmp_path / "taken"), False) and is_film(list_pictures(tmp_path / "taken"), True)
    run(frames, tmp_path / "film")
    assert Faceset.open(tmp_path / "film").header.source_name == "frames"
    run(frames, tmp_path / "loose", pictures="loose")
    assert counts(tmp_path / "loose")["frames/shot.0002.jpg"] == 1
    with pytest.raises(UnreadableMediaError, match="must have one size"):
        run(photos, tmp_path / "forced", pictures="film")
    (tmp_path / "none").mkdir()
    with pytest.raises(UnreadableMediaError, match="holds no pictures"):
        run(tmp_path / "none", tmp_path / "faces")


def test_two_people_in_one_picture_are_two_people(tmp_path):
    (tmp_path / "photos").mkdir()
    image = scene(1)[0].copy()
    image = np.concatenate([image, scene(1, BERT)[0]], axis=1)
    for number in range(2):
        write_image(tmp_path / "photos" / f"{'ab'[number]}.png", image)
    write_image(tmp_path / "photos" / "alone.png", scene(1, ANNA)[0])
    result = run(tmp_path / "photos", tmp_path / "faces", person="all")
    assert (result.num_people, result.num_faces) == (2, 5)
    assert {r.face.person for r in Faceset.open(tmp_path / "faces").records() if "alone" in r.source} == {0}
