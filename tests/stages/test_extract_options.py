"""What each option of extract changes."""

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from extract_material import crops, records, run

import drawn_vision
from drawn_faces import ANNA, BERT, picture
from drawn_vision import DrawnDetector, DrawnLandmarker, scene, two_people, where, write_clip
from konterfei.detectors import DETECTORS
from konterfei.detectors.second_opinion import SecondOpinion
from konterfei.errors import ConfigError, NoFacesError, OutputError
from konterfei.geometry import Similarity
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.manifest import Manifest
from konterfei.landmarkers import Landmarked, Window
from konterfei.landmarkers.averaged import SHIFTS, Averaged
from konterfei.registry import Entry
from konterfei.reporting import Recorder
from konterfei.stages.extract import ExtractConfig


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "anna.mp4", scene(40))


@pytest.fixture(scope="module")
def couple(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clip") / "couple.mp4", two_people(40, gone_from=25))


def frames_of(folder):
    return [record.frame_index for record in Faceset.open(folder).records()]


@pytest.mark.parametrize(
    ("text", "frames"), [("10:20", range(10, 20)), ("0.4s:0.8s", range(10, 20)), ("0:01-", range(25, 40))]
)
def test_a_range_looks_at_no_other_frame(clip, tmp_path, text, frames):
    result = run(clip, tmp_path / "faces", range=text)
    assert frames_of(tmp_path / "faces") == list(frames) and result.num_frames == len(frames)
    assert run(clip, tmp_path / "faces", range=text).was_done
    with pytest.raises(OutputError, match="range"):
        run(clip, tmp_path / "faces")
    run(clip, tmp_path / "whole")
    whole = {record.frame_index: record for record in Faceset.open(tmp_path / "whole").records()}
    for record in Faceset.open(tmp_path / "faces").records():
        assert record.pts == whole[record.frame_index].pts
        assert np.array_equal(record.raw_landmarks, whole[record.frame_index].raw_landmarks)


def test_a_range_beyond_the_end_finds_nobody_and_says_so(clip, tmp_path):
    with pytest.raises(NoFacesError, match="0 frames were looked at"):
        run(clip, tmp_path / "faces", range="100:200")


def test_every_so_many_seconds(clip, tmp_path):
    run(clip, tmp_path / "faces", every=0.2)
    assert frames_of(tmp_path / "faces") == list(range(0, 40, 5))
    run(clip, tmp_path / "part", every=0.2, range="7:30")
    assert frames_of(tmp_path / "part") == [10, 15, 20, 25]
    with pytest.raises(ConfigError, match="--every and --every-nth"):
        ExtractConfig(video=clip, output=tmp_path, every=1.0, every_nth=2)


def test_so_many_faces_in_each_frame_the_largest_first(tmp_path):
    frames = []
    for index in range(12):  # Bert is larger
        image = picture(where(index, 12) * 0.6, ANNA)
        image[:, 160:] = picture(where(index, 12) + np.array([75, 0], np.float32), BERT)[:, 160:]
        frames.append(image)
    clip = write_clip(tmp_path / "two.mp4", frames)
    run(clip, tmp_path / "all", person="all")
    recorder = Recorder()
    assert run(clip, tmp_path / "one", recorder, person="all", max_faces=1).num_faces == 12
    assert any("12 faces were left out" in note for note in recorder.notes)
    areas = {}
    for record in Faceset.open(tmp_path / "all").records():
        areas.setdefault(record.frame_index, []).append(float(np.prod(np.ptp(record.raw_landmarks, axis=0))))
    for record in Faceset.open(tmp_path / "one").records():
        assert len(areas[record.frame_index]) == 2
        assert float(np.prod(np.ptp(record.raw_landmarks, axis=0))) == max(areas[record.frame_index])


class Unsure(DrawnDetector):
    """Sees faces in the left half with a low score."""

    def detect(self, image):
        found = super().detect(image)
        return [type(d)(d.box, 0.75 if d.box[0] < 70 else d.score, d.points) for d in found]


def test_the_least_score(couple, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_vision, "Unsure", Unsure, raising=False)
    monkeypatch.setitem(DETECTORS._own, "unsure", Entry("drawn_vision:Unsure", "of Anna"))
    run(couple, tmp_path / "all", person="all", detector="unsure")
    scores = [record.face.score for record in Faceset.open(tmp_path / "all").records()]
    assert {*scores} == {0.75, 0.95}
    run(couple, tmp_path / "sure", person="all", detector="unsure", min_score=0.8)
    kept = Faceset.open(tmp_path / "sure").records()
    assert len(kept) == scores.count(0.95) and {record.face.score for record in kept} == {0.95}


def test_like_a_picture_whatever_the_groups(couple, tmp_path):
    write_image(tmp_path / "bert.png", scene(1, BERT)[0])
    write_image(tmp_path / "anna.png", scene(1, ANNA)[0])
    assert run(couple, tmp_path / "bert", like=tmp_path / "bert.png").num_faces == 25
    assert {record.face.person for record in Faceset.open(tmp_path / "bert").records()} == {1}
    assert run(couple, tmp_path / "bert", like=tmp_path / "bert.png").was_done
    assert run(couple, tmp_path / "anna", like=tmp_path / "anna.png", similarity=0.9).num_faces == 40
    write_image(tmp_path / "stranger.png", scene(1, (150, 140, 150))[0])
    with pytest.raises(NoFacesError, match=r"No face in the reference picture|Nobody in .* resembles .*--similarity"):
        run(couple, tmp_path / "none", like=tmp_path / "stranger.png", similarity=0.99)
    with pytest.raises(ConfigError, match="--like and --person"):
        ExtractConfig(video=couple, output=tmp_path, like=tmp_path / "bert.png", person="1")
    with pytest.raises(ConfigError, match="--similarity goes with --like"):
        ExtractConfig(video=couple, output=tmp_path, similarity=0.5)


def test_more_likeness_keeps_fewer_tracks(couple, tmp_path):
    write_image(tmp_path / "sister.png", scene(1, (205, 170, 165))[0])
    assert run(couple, tmp_path / "low", like=tmp_path / "sister.png", similarity=0.5).num_faces == 40
    with pytest.raises(NoFacesError, match=r"the nearest of 2 tracks does by 0\.\d+.*--similarity 0\."):
        run(couple, tmp_path / "high", like=tmp_path / "sister.png", similarity=0.9999)


def test_quality_of_the_crops(clip, tmp_path):
    sizes = {}
    for quality in (40, 95, 100):
        run(clip, tmp_path / str(quality), quality=quality)
        sizes[quality] = sum(map(len, crops(tmp_path / str(quality)).values()))
    assert sizes[40] < 0.95 * sizes[95] and sizes[95] < 0.95 * sizes[100]
    faceset = Faceset.open(tmp_path / "40")
    assert not faceset.damaged and simplejpeg.decode_jpeg_header(faceset.jpeg(faceset.names()[0]))[3] == "444"
    assert records(tmp_path / "40") == records(tmp_path / "95"), "quality changes the picture only"


def test_size_as_the_faces_have(clip, tmp_path):
    recorder = Recorder()
    run(clip, tmp_path / "faces", recorder, size=0)
    faceset = Faceset.open(tmp_path / "faces")
    sides = [64 / Similarity(record.crop_from_frame).scale * 1.0 for record in faceset.records()]
    extents = [faceset.header.size / Similarity(record.crop_from_frame).scale for record in faceset.records()]
    assert faceset.header.size == 256 and 128 < np.quantile(extents, 0.9) <= 256, sides
    assert any("256 px" in note for note in recorder.notes)
    assert run(clip, tmp_path / "faces", size=0).was_done
    half = write_clip(tmp_path / "small.mp4", [image[::2, ::2] for image in scene(10)])
    run(half, tmp_path / "small", size=0, smallest=8)
    assert Faceset.open(tmp_path / "small").header.size == 128


class Collapsed(DrawnLandmarker):
    """Takes everybody's points together towards a line."""

    def _one(self, boxes, start):
        answer = super()._one(boxes, start)
        middle = answer.points.mean(axis=0)
        points = (answer.points - middle) * np.array([0.15, 1.0], np.float32) + middle
        return Landmarked(points.astype(np.float32), None, answer.presence, answer.window)


@pytest.mark.parametrize(("face_type", "is_tested"), [("full", True), ("whole", False)])
def test_faces_whose_points_have_collapsed(clip, tmp_path, monkeypatch, face_type, is_tested):
    run(clip, tmp_path / "good", face_type=face_type, area_limit=4.0)
    assert len(frames_of(tmp_path / "good")) == 40
    monkeypatch.setattr(drawn_vision, "DrawnLandmarker", Collapsed)
    run(clip, tmp_path / "bad", face_type=face_type)
    assert len(frames_of(tmp_path / "bad")) == 40
    result = run(clip, tmp_path / "tested", face_type=face_type, area_limit=4.0)
    assert result.num_faces == (0 if is_tested else 40)


class Lying(DrawnDetector):
    """Counts its looks."""

    looks = 0

    def detect(self, image):
        type(self).looks += 1
        return super().detect(image)


def test_upright_people_only_costs_fewer_looks_and_misses_who_hangs(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_vision, "DrawnDetector", Lying)
    looks = {}
    for attitudes in ("any", "upright"):
        Lying.looks = 0
        run(clip, tmp_path / attitudes, attitudes=attitudes)
        looks[attitudes] = Lying.looks
    assert looks["upright"] < looks["any"]
    assert len(frames_of(tmp_path / "upright")) == 40
    hanging = write_clip(tmp_path / "hanging.mp4", [np.ascontiguousarray(image[::-1, ::-1]) for image in scene(10)])
    assert run(hanging, tmp_path / "found").num_faces == 10
    with pytest.raises(NoFacesError):
        run(hanging, tmp_path / "missed", attitudes="upright")


class Noisy(DrawnLandmarker):
    """Its points are wrong by how far its window is from the middle of the face."""

    def _one(self, boxes, start):
        answer = super()._one(boxes, start)
        if not isinstance(start, Window):
            return answer
        error = 2 * (np.array([start.x, start.y], np.float32) - (answer.window.x, answer.window.y))
        return Landmarked(answer.points + error, answer.iris, answer.presence, answer.window)


def test_a_second_pass_averages_over_shifted_windows(clip, tmp_path, monkeypatch):
    image, window = scene(1)[0], Window(145.0, 115.0, 180.0, 0.3)
    inner = Noisy()
    (answer,) = Averaged(inner).landmarks(image, [window])
    truth = DrawnLandmarker().landmarks(image, [window])[0].points
    first = inner.landmarks(image, [window])[0]
    assert len(SHIFTS) == 5 and answer.presence == 1.0 and answer.window == first.window
    windows = [Window(145.0 + n, 115.0, 180.0, 0.3) for n in range(9)]
    alone = [np.abs(answer.points - truth).mean() for answer in inner.landmarks(image, windows)]
    both = [np.abs(answer.points - truth).mean() for answer in Averaged(inner).landmarks(image, windows)]
    assert max(both) < 1e-3 and np.mean(alone) > 1
    monkeypatch.setattr(drawn_vision, "DrawnLandmarker", Noisy)
    run(clip, tmp_path / "one", smoothing=0.0)
    run(clip, tmp_path / "two", smoothing=0.0, passes=2)
    one, two = (Faceset.open(tmp_path / name).records() for name in ("one", "two"))
    errors = [
        np.mean([np.abs(r.raw_landmarks - where(r.frame_index, 40)).mean() for r in found]) for found in (one, two)
    ]
    assert errors[1] < errors[0]
    assert Manifest.load(tmp_path / "two").settings["passes"] == 2


class Blind(DrawnDetector):
    def detect(self, image):
        return []


class Scaled(DrawnDetector):
    usual_threshold = 0.5


def test_thorough_asks_a_second_detector_where_the_first_sees_nobody(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_vision, "DrawnDetector", Blind)
    monkeypatch.setattr(drawn_vision, "Scaled", Scaled, raising=False)
    monkeypatch.setitem(DETECTORS._own, "centerface", Entry("drawn_vision:Scaled", "sees"))
    with pytest.raises(NoFacesError):
        run(clip, tmp_path / "faces")
    assert run(clip, tmp_path / "faces", thorough=True).num_faces == 40
    settings = Manifest.load(tmp_path / "faces").settings
    assert settings["thorough"] and settings["detect_every"] == 1
    assert run(clip, tmp_path / "faces", thorough=True).was_done


def test_scores_of_the_second_detector_are_told_on_the_scale_of_the_first():
    both = SecondOpinion(Blind(), Scaled(threshold=0.1), 0.7)
    (seen,) = both.detect(scene(1)[0])
    assert seen.score == pytest.approx(0.7 + 0.45 * 0.3 / 0.5)
    assert both._told(0.5) == pytest.approx(0.7) and both._told(1.0) == pytest.approx(1.0) and both._told(0.0) == 0.0
    assert SecondOpinion(DrawnDetector(), Blind(), 0.7).detect(scene(1)[0])[0].score == 0.95


@pytest.mark.parametrize(
    ("setting", "flag"),
    [
        ({"range": "x"}, "--range"),
        ({"every": 0.0}, "--every"),
        ({"quality": 0}, "--quality"),
        ({"quality": 101}, "--quality"),
        ({"max_faces": -1}, "--max-faces"),
        ({"min_score": 1.0}, "--min-score"),
        ({"area_limit": 0.5}, "--area-limit"),
        ({"passes": 3}, "--passes"),
        ({"attitudes": "lying"}, "--attitudes"),
        ({"pictures": "some"}, "--pictures"),
        ({"similarity": 2.0}, "--similarity"),
        ({"like": Path("missing.png")}, "--like"),
        ({"redo": "1:"}, "--redo"),
        ({"corrections": Path("missing.json")}, "--corrections"),
    ],
)
def test_nonsense_is_refused_by_the_name_of_its_flag(setting, flag):
    with pytest.raises(ConfigError, match=flag):
        ExtractConfig(video=Path("a.mp4"), output=Path("b"), **setting)
