"""Bad input to merge: a clear error, exit code 2, nothing written."""

import dataclasses
import re

import pytest
from merge_material import Painter, config_for, left_behind, make_faces, make_plate

from konterfei.errors import ConfigError, ConsentError, FacesetError, KonterfeiError, NoFacesError, OutputError
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.reporting import Recorder, Silent
from konterfei.stages._merge_parts import Parts
from konterfei.stages.merge import merge


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mp4", place / "faces")


def refused(config, error, match, swapper=None):
    before = sorted(path for path in config.consent.parent.rglob("*"))
    with pytest.raises(error, match=match) as caught:
        merge(config, Silent(), swapper or Painter())
    assert caught.value.exit_code == 2
    assert sorted(path for path in config.consent.parent.rglob("*")) == before


def test_without_consent_nothing_is_even_looked_at(config):
    nowhere = dataclasses.replace(
        config, consent=config.consent.with_name("nobody.toml"), video=config.model / "no.mp4"
    )
    with pytest.raises(ConsentError, match=re.escape("nobody.toml")):
        merge(nowhere, Silent(), Painter())


def test_consent_for_something_else(config):
    text = config.consent.read_text().replace('"any"', '"lakeside"')
    config.consent.write_text(text)
    refused(config, ConsentError, "--use")
    refused(dataclasses.replace(config, use="mountain"), ConsentError, "mountain")


@pytest.mark.parametrize(
    "changes,error,match",
    [
        ({"video": "nothing.mp4"}, KonterfeiError, "nothing.mp4"),
        ({"video": "faces"}, FacesetError, "made from"),
        ({"faces": "nothing"}, FacesetError, "nothing"),
        ({"faces": "plate.mp4"}, FacesetError, "file"),
        ({"output": "out.avi"}, OutputError, "out.mp4"),
        ({"output": "frames.exr"}, OutputError, "Content Credentials"),
        ({"output": "consent.toml/out.mp4"}, OutputError, "consent.toml"),
        ({"certificate": "consent.toml"}, ConfigError, "--key"),
        ({"range": "100:120"}, NoFacesError, "frames 100 to 119"),
    ],
)
def test_bad_places(place, config, changes, error, match):
    paths = {key: place / value if key != "range" else value for key, value in changes.items()}
    refused(dataclasses.replace(config, **paths), error, match)


def test_the_output_may_not_be_an_input(place, config):
    with pytest.raises(ConfigError, match="plate"):
        dataclasses.replace(config, output=config.video)
    link = place / "link.mp4"
    link.symlink_to(config.video)
    refused(dataclasses.replace(config, output=link), OutputError, "VIDEO")
    src = make_plate(place / "src.mp4", frames=3, sound=False)
    refused(dataclasses.replace(config, output=src, src_videos=(src,)), OutputError, "--src-videos")


@pytest.mark.parametrize(
    "changes,match",
    [({"mask": "lerned"}, "learned"), ({"color": "rtc"}, "rct"), ({"label": "cornr"}, "corner"),
     ({"crf": 99}, "--crf"), ({"batch": 0}, "--batch"), ({"threads": -1}, "--threads"),
     ({"encoder_preset": "swift"}, "veryfast"), ({"range": "five"}, "--range"), ({"range": "9:3"}, "--range"),
     ({"part_frames": 0}, "--part-frames"), ({"feather": 2.0}, "--feather")],
)  # fmt: skip
def test_bad_settings_are_refused_before_anything(config, changes, match):
    with pytest.raises(KonterfeiError, match=match) as caught:
        dataclasses.replace(config, **changes)
    assert caught.value.exit_code == 2


def test_no_run(place, config):
    def without_swapper(match):
        with pytest.raises(ConfigError, match=match) as caught:
            merge(config, Silent())
        assert caught.value.exit_code == 2
        assert "out.mp4.parts" not in left_behind(place)

    without_swapper("there is no folder")
    config.model.mkdir()
    without_swapper("holds no run")
    dims = {"resolution": 64}
    Run.create(config.model, {"model": "df", "dims": dims, "face_type": "whole", "preset": "quick"})
    without_swapper("no snapshot yet")


def test_a_file_that_is_not_ours_is_not_replaced(place, config):
    config.output.write_bytes(b"my holiday")
    refused(config, OutputError, "was not made by this merge")
    assert config.output.read_bytes() == b"my holiday"
    merge(dataclasses.replace(config, force=True), Silent(), Painter())
    assert config.output.stat().st_size > 1000


def test_a_result_that_was_edited_is_not_replaced(place, config):
    merge(config, Silent(), Painter())
    with config.output.open("ab") as file:
        file.write(b"edited")
    refused(config, OutputError, "was changed since it was merged")


def test_a_faceset_of_another_video(place, config):
    other = make_plate(place / "other.mp4", frames=12)
    refused(dataclasses.replace(config, video=other), FacesetError, "made from .*plate.mp4.*frame 39.*about 12 frames")
    graded = make_plate(place / "graded.mp4", sound=False)
    config = dataclasses.replace(config, video=graded)
    refused(config, FacesetError, "--force if it is the same shot")
    reporter = Recorder()
    assert merge(dataclasses.replace(config, force=True), reporter, Painter()).swapped == 40
    assert any("--force" in line for line in reporter.warnings)


def test_another_picture_size_is_refused_even_with_force(place, config):
    small = make_plate(place / "small.mp4", size=(80, 64))
    config = dataclasses.replace(config, video=small, force=True)
    refused(config, FacesetError, "160 x 128, those of the plate 80 x 64")


def test_a_faceset_without_faces_left(place, config):
    for name in Faceset.open(config.faces).names():
        (config.faces / name).unlink()
    with pytest.raises(FacesetError, match="holds no faces"):
        merge(config, Silent(), Painter())
    assert left_behind(place) == set()


def test_damaged_crops_are_told_and_left_out(place, config):
    name = Faceset.open(config.faces).names()[3]
    (config.faces / name).write_bytes(b"\xff\xd8 no picture")
    reporter = Recorder()
    result = merge(config, reporter, Painter())
    assert result.not_swapped == {"no face in the faceset": 1}
    assert any(name in line for line in reporter.warnings)


def test_a_faceset_of_every_second_frame_is_remarked(place, config):
    faces = make_faces(place / "sparse", config.video, range(0, 40, 2), settings={"every_nth": 2})
    reporter = Recorder()
    assert merge(dataclasses.replace(config, faces=faces), reporter, Painter()).swapped == 20
    assert any("one frame in 2" in line for line in reporter.warnings)


def test_a_damaged_manifest_is_named(place, config):
    merge(config, Silent(), Painter())
    Manifest.file_for(config.output).write_text("{")
    with pytest.raises(KonterfeiError, match=re.escape("out.mp4.manifest.json")):
        merge(config, Silent(), Painter())


def test_two_merges_into_one_output(place, config):
    with Parts(config.parts_folder).locked(), pytest.raises(OutputError, match="Another merge"):
        merge(config, Silent(), Painter())
    assert merge(config, Silent(), Painter()).swapped == 40


def test_removed_crops_are_noted(place, config):
    Manifest(stage="extract", results={"num_faces": 40}, complete=True).save(config.faces)
    for name in Faceset.open(config.faces).names()[:4]:
        (config.faces / name).unlink()
    reporter = Recorder()
    merge(config, reporter, Painter())
    assert any(line.startswith("4 crops were removed") for line in reporter.notes)
