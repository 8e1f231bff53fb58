import json
from pathlib import Path

import numpy as np
import pytest
from evaluate_material import DST, FRAMES, SRC, motion, write_faces, write_video

from konterfei.detectors import DETECTORS
from konterfei.errors import Cancelled, ConfigError, FacesetError, NoFacesError, UnknownNameError
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import METRICS
from konterfei.recognizers import RECOGNIZERS
from konterfei.registry import Entry
from konterfei.reporting import Recorder
from konterfei.stages.evaluate import EvaluateConfig, evaluate


@pytest.fixture
def case(tmp_path, monkeypatch):
    """A config for a swap that is perfect: the same motion in the src person's colour."""
    for table in (DETECTORS, LANDMARKERS, RECOGNIZERS):
        monkeypatch.setitem(table._own, "blob", Entry("blob_networks:Blob", "discs"))
    plate = write_video(tmp_path / "plate.mp4", DST)
    src_video = write_video(tmp_path / "anna.mp4", SRC)
    write_faces(tmp_path / "dst", plate, DST)
    write_faces(tmp_path / "src", src_video, SRC)
    write_video(tmp_path / "out.mp4", SRC)

    def config(**changes):
        values = {"renders": (tmp_path / "out.mp4",), "faces": tmp_path / "dst", "src": tmp_path / "src"}
        networks = {"detector": "blob", "landmarker": "blob", "recognizer": "blob", "witness": "none"}
        return EvaluateConfig(**{**values, **networks, **changes})

    return config


def test_a_perfect_swap(case):
    recorder = Recorder()
    found = evaluate(case(), recorder)
    assert set(found.measurements) == set(METRICS)
    assert found.num_frames == FRAMES
    assert (found.num_unseen, found.num_unmeasurable) == (0, 0)
    identity = found.measurements["identity"]
    assert identity.value > 0.99
    assert identity.parts["margin"] > 0.3
    assert identity.parts["plate_to_dst"] > 0.99
    assert found.measurements["landmark_distance"].value < 2
    assert found.measurements["expression"].value > 0.95
    assert abs(found.measurements["jitter"].value) < 1
    assert not recorder.warnings
    assert recorder.previews == [found.picture]
    assert any(line.startswith("identity") for line in found.summary())


def test_the_report_holds_every_figure_and_how_it_was_made(case, tmp_path):
    found = evaluate(case(), Recorder())
    assert found.report == tmp_path / "out.report.json"
    assert found.picture == tmp_path / "out.report.jpg"
    data = json.loads(found.report.read_text())
    assert data["inputs"]["plate"]["sha256"] == sha256(tmp_path / "plate.mp4")
    assert data["inputs"]["src"]["content"] == Faceset.open(tmp_path / "src").content_hash()
    assert data["settings"]["recognizer"] == {"name": "blob"}
    assert data["frame_indices"] == list(range(FRAMES))
    for name in METRICS:
        assert len(data["metrics"][name]["per_frame"]) == FRAMES
        assert data["metrics"][name]["about"]
    picture = read_image(found.picture)
    assert picture.shape[0] > 600
    assert picture.std() > 5


def test_again_nothing_is_measured_until_something_changed(case, tmp_path):
    first = evaluate(case(), Recorder())
    recorder = Recorder()
    again = evaluate(case(), recorder)
    assert again.was_done
    assert "up to date" in recorder.notes[0]
    assert recorder.tasks == []
    assert again.summary() == first.summary()
    assert not evaluate(case(every_nth=2), Recorder()).was_done
    next(iter((tmp_path / "dst").glob("*.jpg"))).unlink()
    assert evaluate(case(every_nth=2), Recorder()).num_frames == FRAMES - 1
    (tmp_path / "out.report.json").write_text("{")
    assert not evaluate(case(every_nth=2), Recorder()).was_done


def test_no_swap_at_all_shows(case, tmp_path):
    unswapped = write_video(tmp_path / "same.mp4", DST)
    found = evaluate(case(renders=(unswapped,)), Recorder())
    assert found.measurements["identity"].parts["margin"] < -0.3
    assert found.measurements["expression"].value > 0.95
    assert found.summary()[0].startswith("Nothing was swapped: the result shows the face of the plate")
    assert "Nothing was swapped; otherwise" in found.page.read_text()
    assert "Nothing was swapped" in json.loads(found.report.read_text())["unswapped"]
    again = evaluate(case(renders=(unswapped,)), Recorder())
    assert again.was_done
    assert "Nothing was swapped" in " ".join(again.summary())
    swapped = evaluate(case(), Recorder())
    assert "Nothing was swapped" not in " ".join(swapped.summary()) + swapped.page.read_text()


def test_a_face_in_another_place_that_does_not_talk_shows(case, tmp_path):
    poor = write_video(tmp_path / "poor.mp4", SRC, lambda i: (tuple(np.add(motion(i)[0], (9, 0))), 40.0, 0.3))
    found = evaluate(case(renders=(poor,)), Recorder())
    assert found.measurements["landmark_distance"].value > 10
    assert found.measurements["expression"].value < 0.6


def test_a_face_that_shakes_and_flickers_shows(case, tmp_path):
    def shake(index):
        centre, radius, mouth = motion(index)
        return (centre[0] + 3 * (index % 2), centre[1]), radius, mouth

    shaking = evaluate(case(renders=(write_video(tmp_path / "shaking.mp4", SRC, shake),)), Recorder())
    still = evaluate(case(), Recorder())
    assert shaking.measurements["jitter"].value > still.measurements["jitter"].value + 5
    assert shaking.measurements["flicker"].value > still.measurements["flicker"].value + 1


def test_a_result_without_a_face_is_measured_as_such(case, tmp_path):
    found = evaluate(case(renders=(write_video(tmp_path / "empty.mp4", None),)), Recorder())
    assert found.num_unseen == FRAMES
    assert np.isnan(found.measurements["identity"].value)
    assert json.loads(found.report.read_text())["metrics"]["identity"]["value"] is None
    assert any("not measurable" in line for line in found.summary())


def test_a_plate_without_faces_is_an_error(case, tmp_path):
    empty = write_video(tmp_path / "empty.mp4", None)
    faces = write_faces(tmp_path / "wrong", empty, DST)
    with pytest.raises(NoFacesError, match=r"None of 14 frames of .*empty\.mp4"):
        evaluate(case(faces=faces), Recorder())


def test_a_shorter_result_is_measured_as_far_as_it_goes(case, tmp_path):
    recorder = Recorder()
    found = evaluate(case(renders=(write_video(tmp_path / "short.mp4", SRC, frames=9),)), recorder)
    assert found.num_frames == 9
    assert "ends at frame 9" in recorder.warnings[0]
    assert "more were to be: a render ends before them" in found.page.read_text()


def test_what_does_not_belong_together_is_refused(case, tmp_path):
    with pytest.raises(ConfigError, match=r"320x240.*160x120.*--plate"):
        evaluate(case(renders=(write_video(tmp_path / "large.mp4", SRC, size=(320, 240)),)), Recorder())
    with pytest.raises(ConfigError, match=r"not in step"):
        evaluate(case(renders=(write_video(tmp_path / "slow.mp4", SRC, fps=10),)), Recorder())
    with pytest.raises(ConfigError, match="its content differs"):
        evaluate(case(plate=tmp_path / "anna.mp4"), Recorder())
    with pytest.raises(ConfigError, match="both the merged video and the plate"):
        evaluate(case(renders=(tmp_path / "plate.mp4",)), Recorder())
    with pytest.raises(ConfigError, match=r"--plate '.*nowhere\.mp4' does not exist"):
        evaluate(case(plate=tmp_path / "nowhere.mp4"), Recorder())
    with pytest.raises(ConfigError, match=r"no video '.*nowhere\.mp4'"):
        evaluate(case(renders=(tmp_path / "nowhere.mp4",)), Recorder())
    with pytest.raises(FacesetError, match="no folder"):
        evaluate(case(src=tmp_path / "nowhere"), Recorder())
    other = write_faces(tmp_path / "other", tmp_path / "anna.mp4", SRC, recognizer="arcface")
    with pytest.raises(ConfigError, match=r"recognised by arcface.*--recognizer arcface"):
        evaluate(case(src=other), Recorder())
    (tmp_path / "plate.mp4").rename(tmp_path / "moved.mp4")
    with pytest.raises(ConfigError, match=r"plate\.mp4', which is not there.*--plate"):
        evaluate(case(), Recorder())
    assert evaluate(case(plate=tmp_path / "moved.mp4"), Recorder()).num_frames == FRAMES
    assert list(tmp_path.glob("*.report.*")) != []


def test_a_faceset_that_names_its_video_by_a_relative_path_is_measured_from_there(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    faces = write_faces(tmp_path / "old", Path("plate.mp4"), DST)
    assert evaluate(case(faces=faces), Recorder()).num_frames == FRAMES
    monkeypatch.chdir(tmp_path / "old")
    with pytest.raises(ConfigError, match=r"made from 'plate\.mp4', which is not there.*--plate"):
        evaluate(case(faces=faces, output=tmp_path / "b.jpg"), Recorder())


def test_a_pooled_faceset_needs_to_be_told_the_plate(case, tmp_path):
    header = json.loads((tmp_path / "dst" / "faceset.json").read_text())
    (tmp_path / "dst" / "faceset.json").write_text(json.dumps({**header, "source": "", "source_sha256": ""}))
    with pytest.raises(ConfigError, match=r"pooled from several videos.*--plate"):
        evaluate(case(), Recorder())
    assert evaluate(case(plate=tmp_path / "plate.mp4"), Recorder()).num_frames == FRAMES


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"every_nth": 0}, "--every-nth"), ({"threads": -1}, "--threads"), ({"output": "a.mp4"}, "--output")],
)
def test_nonsense_settings_are_refused(case, change, reason):
    values = {name: Path(value) if name == "output" else value for name, value in change.items()}
    with pytest.raises(ConfigError, match=reason):
        case(**values)
    with pytest.raises(UnknownNameError, match="blob"):
        case(detector="blub")


def test_stopping_leaves_no_report(case, tmp_path):
    recorder = Recorder()
    recorder.stop = True
    with pytest.raises(Cancelled):
        evaluate(case(), recorder)
    assert list(tmp_path.glob("*.report.*")) == []
