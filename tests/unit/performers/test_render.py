import sys
from types import SimpleNamespace

import av
import numpy as np
import pytest

from konterfei.errors import Cancelled, ConfigError, DamagedFileError, OutputError, UnknownNameError
from konterfei.io.images import write_image
from konterfei.io.video import VideoReader, probe
from konterfei.performers import PERFORMERS, PerformerConfig, read_truth, render_performer
from konterfei.performers.cast import load_pictures
from konterfei.performers.motion import Motion
from konterfei.performers.render import truth_path
from konterfei.reporting import Recorder, Silent

from .conftest import SECONDS, SEED, SIZE

FRAMES = round(SECONDS * 25)


def images(clip):
    with VideoReader(clip) as frames:
        return [frame.image for frame in frames]


def tiny(output, **changes):
    return PerformerConfig(**{"person": "P006", "output": output, "seconds": 0.12, "size": 64, **changes})


def test_the_clip_is_what_was_asked_for(clips):
    for clip in clips.values():
        info = probe(clip)
        assert (info.width, info.height, info.fps, info.has_audio) == (SIZE, SIZE, 25, True)
        assert len(images(clip)) == FRAMES


def test_the_voice_is_quiet_but_there_and_as_long_as_the_picture(clips):
    with av.open(str(clips["P005"])) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        assert len(sound) / 48_000 == pytest.approx(SECONDS, abs=0.05)
    assert 0.001 < sound.std() < 0.1 and np.abs(sound).max() < 0.35


def test_the_landmarker_agrees_with_the_truth(clips, measure):
    for person, most in {"P005": 0.05, "P006": 0.035}.items():  # a beard hides the jaw from any landmarker
        truth = read_truth(clips[person])
        errors, iris = [], []
        for index, image in enumerate(images(clips[person])):
            if index % 4 == 0:
                points = truth.landmarks[index]
                unit = np.linalg.norm(points[45] - points[36])
                seen = measure(image, points)
                assert seen.presence > 0.9
                errors.append(np.linalg.norm(seen.points - points, axis=1).mean() / unit)
                iris.append(np.linalg.norm(seen.iris - truth.iris[index], axis=1).mean() / unit)
        assert max(errors) < most, person
        assert np.mean(iris) < 0.03, person


def test_two_people_do_the_same_and_are_not_the_same(clips):
    one, other = (read_truth(clips[person]) for person in clips)
    assert one.poses == other.poses == tuple(Motion(SEED).at(k / 25) for k in range(FRAMES))
    assert np.array_equal(one.times, np.arange(FRAMES) / 25)
    corners = np.abs(one.landmarks[:, [36, 45]] - other.landmarks[:, [36, 45]])
    assert corners.max() < 0.03 * SIZE, "their eyes are at the same place"
    assert np.abs(one.landmarks - other.landmarks).max() > 0.02 * SIZE, "their faces have not the same shape"
    first, second = (images(clip)[0].astype(int) for clip in clips.values())
    assert np.abs(first - second).mean() > 20


def test_on_anothers_set_the_surroundings_are_the_others_and_the_face_is_not(clips, tmp_path):
    config = PerformerConfig(
        person="P005", output=tmp_path / "a.mp4", seconds=0.2, size=SIZE, seed=SEED, set_of="P006", sound=False
    )
    guest = render_performer(config, Silent())
    own, host, there = (images(clip)[2].astype(float) for clip in (clips["P005"], clips["P006"], guest))
    corner, face = np.s_[: SIZE // 6, : SIZE // 6], np.s_[SIZE // 2 : SIZE // 2 + 20, SIZE // 2 - 20 : SIZE // 2 + 20]
    assert np.abs(there - host)[corner].mean() < 3 < np.abs(own - host)[corner].mean()
    assert np.abs(there - host)[face].mean() > 10
    assert np.array_equal(read_truth(guest).landmarks, read_truth(clips["P005"]).landmarks[:5])


def test_a_shut_eye_looks_shut(plates, measure):
    from konterfei.landmarkers.mesh478 import MESH_TO_68
    from konterfei.performers.drawing import Artist
    from konterfei.performers.motion import Pose

    def opening(points):
        return (points[[41, 40, 47, 46], 1] - points[[37, 38, 43, 44], 1]).mean()

    for person, plate in plates.items():
        artist = Artist(plate, SIZE, PERFORMERS.load(person).look)
        seen = {}
        for blink in (0.0, 1.0):
            drawing = artist.draw(Pose(blink=blink))
            picture = drawing.colour * drawing.alpha[..., None] + 0.5 * (1 - drawing.alpha[..., None])
            image = (picture * 255).astype(np.uint8)
            seen[blink] = opening(measure(image, drawing.points[MESH_TO_68]).points)
        assert seen[1.0] < 0.45 * seen[0.0], person


def test_frames_change_smoothly(clips):
    for clip in clips.values():
        steps = np.diff(read_truth(clip).landmarks[:, :36], axis=0)
        assert np.abs(steps).max() < 0.02 * SIZE
        pictures = np.stack(images(clip)).astype(np.float32)
        changes = np.abs(np.diff(pictures, axis=0)).mean(axis=(1, 2, 3))
        assert changes.max() < 3 * np.median(changes) + 1


def test_the_same_settings_give_the_same_bytes_and_are_not_rendered_twice(people, tmp_path):
    first = render_performer(tiny(tmp_path / "a.mp4"), Silent())
    second = render_performer(tiny(tmp_path / "b.mp4"), Silent())
    assert np.array_equal(np.stack(images(first)), np.stack(images(second)))
    stamp = first.stat().st_mtime_ns
    reporter = Recorder()
    render_performer(tiny(first), reporter)
    assert first.stat().st_mtime_ns == stamp and reporter.tasks == []
    assert "already" in reporter.notes[0]


def test_other_settings_or_damage_are_rendered_anew_and_said(people, tmp_path):
    clip = render_performer(tiny(tmp_path / "a.mp4"), Silent())
    reporter = Recorder()
    render_performer(tiny(clip, seed=9), reporter)
    assert "seed is 9, was 1" in reporter.notes[0]
    truth_path(clip).write_bytes(b"no truth")
    with pytest.raises(DamagedFileError, match="render the performer again"):
        read_truth(clip)
    reporter = Recorder()
    render_performer(tiny(clip, seed=9), reporter)
    assert "incomplete" in reporter.notes[0]
    assert read_truth(clip).landmarks.shape == (3, 68, 2)


def test_a_rendering_that_was_killed_is_done_again(people, tmp_path, monkeypatch):
    monkeypatch.setattr("konterfei.performers.render.write_bytes", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):  # the video is there, the truth and the slip are not
        render_performer(tiny(tmp_path / "a.mp4"), Silent())
    monkeypatch.undo()
    assert (tmp_path / "a.mp4").exists()
    render_performer(tiny(tmp_path / "a.mp4"), Silent())
    assert read_truth(tmp_path / "a.mp4").times.shape == (3,)


def test_stopping_leaves_nothing_behind_and_an_earlier_clip_as_it_was(people, tmp_path):
    class StopsSoon(Recorder):
        def advance(self, done, **figures):
            self.stop = True

    with pytest.raises(Cancelled):
        render_performer(tiny(tmp_path / "a.mp4"), StopsSoon())
    assert list(tmp_path.iterdir()) == []
    clip = render_performer(tiny(tmp_path / "a.mp4"), Silent())
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(Cancelled):
        render_performer(tiny(clip, seed=9), StopsSoon())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_is_not_ours_is_not_overwritten(tmp_path):
    (tmp_path / "holiday.mp4").write_bytes(b"precious")
    with pytest.raises(OutputError, match="not a rendered performer"):
        render_performer(tiny(tmp_path / "holiday.mp4"), Silent())
    assert (tmp_path / "holiday.mp4").read_bytes() == b"precious"


def test_missing_pictures_are_named_with_their_remedy(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openpeople", None)
    with pytest.raises(ConfigError, match=r"pip install konterfei\[demo\]"):
        render_performer(tiny(tmp_path / "a.mp4", person="P007"), Silent())  # not yet in this process's memory
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.5, None], ids=["empty", "cut-off", "missing"])
def test_pictures_that_cannot_be_read_are_named_with_their_remedy(tmp_path, monkeypatch, share):
    package = tmp_path / "openpeople" / "__init__.py"
    sheet = package.parent / "data" / "curated" / "P007" / "assets" / "emotions_sheet.jpg"
    write_image(sheet, np.zeros((40, 40, 3), np.uint8))
    if share is None:
        sheet.unlink()
    else:
        sheet.write_bytes(sheet.read_bytes()[: int(share * sheet.stat().st_size)])
    monkeypatch.setitem(sys.modules, "openpeople", SimpleNamespace(__file__=str(package)))
    with pytest.raises(
        ConfigError, match=r"emotions_sheet\.jpg' is missing or unreadable.*--force-reinstall openpeople"
    ):
        load_pictures("P007")


@pytest.mark.parametrize(
    ("setting", "value"),
    [("seconds", 0), ("seconds", float("nan")), ("fps", 0), ("size", 63), ("size", 101), ("size", 4096), ("seed", -1)],
)
def test_nonsense_is_refused_by_the_name_of_its_flag(setting, value, tmp_path):
    with pytest.raises(ConfigError, match=f"--{setting}"):
        tiny(tmp_path / "a.mp4", **{setting: value})


def test_unknown_people_are_refused_and_the_one_left_out_is_not_there(tmp_path):
    assert "P003" not in PERFORMERS
    with pytest.raises(UnknownNameError, match="P005"):
        tiny(tmp_path / "a.mp4", person="P05")


def test_every_person_in_the_table_can_be_cast():
    from konterfei.performers.scenery import SCENES, scene

    for name in PERFORMERS:
        performer = PERFORMERS.load(name)
        assert performer.name == name and performer.look.scene in SCENES
        picture = scene(performer.look.scene, 80)
        assert picture.shape == (80, 80, 3) and picture.min() >= 0 and picture.max() <= 1 and picture.std() > 0.01
