"""The overlay that shows what was found."""

import av
import numpy as np
import pytest
from extract_material import StopAt, crops, run

import drawn_vision
from drawn_vision import empty, scene, two_people, write_clip
from konterfei.errors import Cancelled, ConfigError, OutputError
from konterfei.io.images import read_image, write_image
from konterfei.io.video import VideoReader
from konterfei.reporting import Recorder
from konterfei.stages._extract_overlay import MISSED, _axes


@pytest.fixture(autouse=True)
def _drawn(monkeypatch):
    drawn_vision.install(monkeypatch.setitem)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Nobody, then Anna and Bert."""
    frames = [*empty(11), *two_people(12, gone_from=12)]
    return write_clip(tmp_path_factory.mktemp("clip") / "plate.mp4", frames)


def images(path):
    with VideoReader(path) as reader:
        return [frame.image for frame in reader]


def near(image, color, share=0.0005):
    """Whether so much of the picture has about this colour."""
    return (np.abs(image.astype(int) - color).max(axis=2) < 60).mean() > share


def test_a_video_of_what_was_found_with_every_frame_in_it(clip, tmp_path):
    path = tmp_path / "debug.mp4"
    run(clip, tmp_path / "faces", debug=path)
    plain, drawn = images(clip), images(path)
    assert len(drawn) == len(plain) == 23
    for index, image in enumerate(drawn):
        border = np.concatenate([image[1], image[-2]]).astype(int)
        is_missed = np.abs(border - MISSED).max(axis=1).mean() < 70
        assert is_missed == (index < 11), index
        assert np.abs(image.astype(int) - plain[index]).mean() > 0.3
    with av.open(str(path)) as container:
        assert (
            container.metadata["title"] == "konterfei debug"
            and "nothing in it was swapped" in container.metadata["comment"]
        )
    assert near(drawn[15], (80, 220, 120)) and near(drawn[15], (150, 150, 150)), "person 0, and Bert who is not kept"


def test_the_overlay_follows_the_faces_and_is_made_once(clip, tmp_path):
    path = tmp_path / "debug.mp4"
    run(clip, tmp_path / "faces")
    assert not path.exists()
    result = run(clip, tmp_path / "faces", recorder := Recorder(), debug=path)
    assert result.was_done and path.exists() and recorder.tasks == ["drawing what was found"]
    assert not run(clip, tmp_path / "faces", recorder := Recorder(), debug=path).num_lost and not recorder.tasks
    first = path.read_bytes()
    (tmp_path / "faces" / "000015_0.jpg").unlink()
    run(clip, tmp_path / "faces", recorder := Recorder(), debug=path)
    assert recorder.tasks and path.read_bytes() != first, "the crop is gone, and so is the face in the overlay"


def test_a_folder_of_pictures_gone_on_with(clip, tmp_path):
    run(clip, tmp_path / "faces")
    with pytest.raises(Cancelled):
        run(clip, tmp_path / "faces", StopAt(8), debug=tmp_path / "debug")
    run(clip, tmp_path / "faces", debug=tmp_path / "debug")
    pictures = sorted((tmp_path / "debug").glob("*.jpg"))
    assert [path.stem for path in pictures] == [f"{index:06d}" for index in range(23)]
    assert b"konterfei debug" in pictures[0].read_bytes()[:200]
    assert read_image(pictures[0]).shape == (240, 320, 3)
    assert (
        run(clip, tmp_path / "faces", recorder := Recorder(), debug=tmp_path / "debug").was_done and not recorder.tasks
    )


def test_several_inputs_and_loose_pictures(clip, tmp_path):
    (tmp_path / "photos").mkdir()
    write_image(tmp_path / "photos" / "anna.png", scene(1)[0])
    (tmp_path / "photos" / "torn.jpg").write_bytes(b"torn")
    given = [clip, tmp_path / "photos"]
    run(given, tmp_path / "faces", debug=tmp_path / "debug")
    assert (tmp_path / "debug" / "photos" / "anna.png.jpg").exists()
    assert len(list((tmp_path / "debug" / "plate.mp4").glob("*.jpg"))) == 23
    with pytest.raises(ConfigError, match=r"--debug is the video .*Name a folder"):
        run(given, tmp_path / "faces", debug=tmp_path / "debug.mp4")


def test_places_that_are_none_are_refused_before_the_work(clip, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "holiday.jpg").write_bytes(b"x")
    (tmp_path / "mine.mp4").write_bytes(b"x")
    for place, told in (("mine", "no debug overlay"), ("mine.mp4", "no debug overlay")):
        with pytest.raises(OutputError, match=told):
            run(clip, tmp_path / "faces", debug=tmp_path / place)
    for place in (clip, tmp_path / "faces", tmp_path / "a.gif"):
        with pytest.raises(ConfigError, match="--debug is"):
            run(clip, tmp_path / "faces", debug=place)
    assert not (tmp_path / "faces").exists()


def test_drawing_changes_no_crop(clip, tmp_path):
    run(clip, tmp_path / "faces")
    before = crops(tmp_path / "faces")
    run(clip, tmp_path / "faces", debug=tmp_path / "debug.mkv", person=None)
    assert crops(tmp_path / "faces") == before


def test_axes_point_where_the_head_does():
    assert np.allclose(_axes((0.0, 0.0, 0.0)), [[1, 0], [0, -1], [0, 0]])
    assert _axes((0.0, 0.5, 0.0))[2][0] < -0.4, "yaw: the nose to the image's left"
    assert _axes((0.5, 0.0, 0.0))[2][1] < -0.4, "pitch: up"
    assert np.allclose(_axes((0.0, 0.0, np.pi / 2))[1], [1, 0], atol=1e-9), "roll: the top clockwise"
