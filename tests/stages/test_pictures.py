"""Folders and patterns of pictures in place of videos: extract, merge, evaluate and swap agree on what they are."""

import dataclasses
import json
import os
from fractions import Fraction

import numpy as np
import pytest
from merge_material import Painter, config_for, decode, make_consent

import drawn_vision
from drawn_vision import SETTINGS, scene
from konterfei.cli import main
from konterfei.errors import Cancelled, ConfigError, FacesetError, OutputError, UnreadableMediaError
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image, write_image
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.sequence import frame_rate, sequence_sha256
from konterfei.io.video import is_sequence, look
from konterfei.provenance.credentials import Material
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder, Silent
from konterfei.stages.evaluate import EvaluateConfig, evaluate
from konterfei.stages.extract import ExtractConfig, extract
from konterfei.stages.merge import merge

FRAMES = 12
NTSC = Fraction(30000, 1001)


class Mirror(Painter):
    """A model that draws what it is shown."""

    def draw(self, images):
        return images.astype(np.float32) / 255, *super().draw(images)[1:]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Pictures `shot/take_8.png` ... `take_19.png`, their faces at 29.97 a second, a consent record."""
    drawn_vision.install(monkeypatch.setitem)
    for index, image in enumerate(scene(FRAMES)):
        write_image(tmp_path / "shot" / f"take_{index + 8}.png", image)
    (tmp_path / "shot" / "notes.txt").write_text("take 8 is the best")
    extract(extraction(tmp_path, fps="29.97"), Silent())
    make_consent(tmp_path / "consent.toml")
    return tmp_path


def extraction(place, **changes):
    given = {"video": place / "shot", "output": place / "faces", **SETTINGS}
    return ExtractConfig(**{**given, **changes})


@pytest.fixture
def config(place):
    return config_for(place, place / "shot", place / "faces")


def test_pictures_become_a_video_at_the_rate_of_their_faceset(place, config):
    reporter = Recorder()
    src = place / "anna"
    write_image(src / "a.png", scene(1)[0])
    config = dataclasses.replace(config, src_videos=(src,))
    result = merge(config, reporter, Mirror())
    assert (result.frames, result.swapped, result.lost) == (FRAMES, FRAMES, 0)
    images, times = decode(config.output)
    assert times == [index / NTSC for index in range(FRAMES)]
    assert [record.pts for record in Faceset.open(place / "faces").records()] == times
    plate = np.stack([read_image(place / "shot" / f"take_{index + 8}.png") for index in range(FRAMES)])
    assert np.abs(images.astype(int) - plate).mean() < 3, "in order, in the right colours"
    assert any("12 pictures" in line and "29.97" in line for line in reporter.notes)

    checked = verify(config.output)
    assert checked.marked and checked.untouched
    plate_hash = sequence_sha256(place / "shot")
    assert [(found.name, found.sha256) for found in checked.ingredients][:2] == [
        ("shot", plate_hash),
        ("anna", sequence_sha256(src)),
    ]
    assert Faceset.open(place / "faces").header.source_sha256 == plate_hash
    made = Manifest.load(config.output)
    assert (made.inputs["video"]["sha256"], made.settings["fps"]) == (plate_hash, "30000/1001")
    assert merge(config, Silent(), Mirror()).was_done


def test_a_merge_of_pictures_goes_on_where_it_was_stopped(place, config):
    class Stopping(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 10  # the encoder is five frames behind at most: a part of three is whole

    config = dataclasses.replace(config, part_frames=3)

    with pytest.raises(Cancelled):
        merge(config, Stopping(), Mirror())
    assert (config.parts_folder / "part_000000.json").exists()
    reporter = Recorder()
    assert merge(config, reporter, Mirror()).swapped == FRAMES
    assert any("Going on: " in line for line in reporter.notes)
    assert decode(config.output)[1] == [index / NTSC for index in range(FRAMES)]


def test_a_pattern_is_a_plate_too_and_16_bits_are_kept(place, config):
    for index, image in enumerate(scene(FRAMES)):
        write_image(place / "deep" / f"d.{index:04d}.png", image.astype(np.uint16) * 257)
    pattern = place / "deep" / "d.%04d.png"
    extract(extraction(place, video=pattern, output=place / "deep_faces"), Silent())
    config = dataclasses.replace(config, video=pattern, faces=place / "deep_faces")
    assert merge(config, Silent(), Mirror()).swapped == FRAMES
    info = look(config.output)
    assert (info.bit_depth, info.fps, info.has_audio) == (10, 25, False)
    assert verify(config.output).ingredients[0].name == "d.%04d.png"


def test_a_picture_that_cannot_be_read_is_counted_and_leaves_a_gap(place, config):
    (place / "shot" / "take_13.png").write_bytes(b"torn")
    extract(extraction(place, force=True), Silent())
    result = merge(config, Silent(), Mirror())
    assert (result.frames, result.lost) == (FRAMES - 1, 1)
    assert decode(config.output)[1] == [Fraction(index, 25) for index in range(FRAMES) if index != 5]


def test_pictures_are_measured_as_a_video_is(place, config):
    merge(config, Silent(), Mirror())
    networks = {name: "drawn" for name in ("detector", "landmarker", "recognizer")} | {"witness": "none"}
    asked = EvaluateConfig(renders=(config.output,), faces=place / "faces", src=place / "faces", **networks)
    found = evaluate(asked, Silent())
    assert (found.num_frames, found.num_unseen) == (FRAMES, 0)
    assert found.measurements["identity"].value > 0.9
    told = json.loads(found.report.read_text())["inputs"]["plate"]
    assert told["sha256"] == sequence_sha256(place / "shot")
    assert evaluate(asked, Silent()).was_done
    with pytest.raises(OutputError, match="would be a frame"):
        evaluate(dataclasses.replace(asked, output=place / "shot" / "report.png"), Silent())
    write_image(place / "shot" / "take_9.png", scene(1)[0])
    with pytest.raises(ConfigError, match="its content differs"):
        evaluate(asked, Silent())


def test_pictures_that_were_merged_into_pictures_are_measured(place, config):
    config = dataclasses.replace(config, output=place / "out")
    merge(config, Silent(), Mirror())
    networks = {name: "drawn" for name in ("detector", "landmarker", "recognizer")} | {"witness": "none"}
    asked = EvaluateConfig(renders=(place / "out",), faces=place / "faces", src=place / "faces", **networks)
    found = evaluate(asked, Silent())
    assert (found.num_frames, found.num_unseen) == (FRAMES, 0)
    assert found.measurements["identity"].value > 0.9
    assert found.picture.parent == place, "not among the pictures"


@pytest.mark.parametrize("output", ["part.mp4", "part"])
def test_a_trial_is_measured_against_the_frames_that_it_is_of(place, config, output):
    write_image(place / "shot" / "take_8.png", np.zeros_like(scene(1)[0]))  # not in the trial; would be no face
    extract(extraction(place, fps="29.97", force=True), Silent())
    config = dataclasses.replace(config, output=place / output, range="2:9")
    merge(config, Silent(), Mirror())
    networks = {name: "drawn" for name in ("detector", "landmarker", "recognizer")} | {"witness": "none"}
    asked = EvaluateConfig(renders=(place / output,), faces=place / "faces", src=place / "faces", **networks)
    found = evaluate(asked, Silent())
    assert json.loads(found.report.read_text())["frame_indices"] == list(range(2, 9))
    assert found.measurements["landmark_distance"].value < 0.02, "they are the same frames"


def test_another_rate_than_that_of_the_faces_is_refused(place, config):
    with pytest.raises(ConfigError, match=r"--fps is 24.*--fps 30000/1001"):
        merge(dataclasses.replace(config, fps="24"), Silent(), Mirror())
    assert merge(dataclasses.replace(config, fps="29.97"), Silent(), Mirror()).swapped == FRAMES
    with pytest.raises(OutputError, match="fps is 25, was 30000/1001"):
        extract(extraction(place), Silent())
    extract(extraction(place, force=True), Silent())
    assert Faceset.open(place / "faces").records()[3].pts == Fraction(3, 25)


def test_changed_pictures_are_another_plate(place, config):
    write_image(place / "shot" / "take_20.png", scene(1)[0])
    with pytest.raises(FacesetError, match="made from"):
        merge(config, Silent(), Mirror())


def test_no_output_among_the_pictures(place, config):
    with pytest.raises(OutputError, match=r"VIDEO.*taken for a frame"):
        merge(dataclasses.replace(config, output=place / "shot" / "out.mp4"), Silent(), Mirror())
    with pytest.raises(ConfigError, match="Choose another folder"):
        extraction(place, output=place / "shot")
    said = main(["swap", "--src", str(place / "shot"), "--dst", str(place / "shot"), "--consent",
                 str(place / "consent.toml"), "-o", str(place / "shot" / "out.mp4")])  # fmt: skip
    assert said == 2 and not (place / "shot" / "out.konterfei").exists()


def test_src_material_that_is_not_there_is_refused_at_once(place, config):
    for path, match in ((place / "no.mp4", "--src-videos"), (place / "run", "no pictures")):
        (place / "run").mkdir(exist_ok=True)
        with pytest.raises(UnreadableMediaError, match=match):
            merge(dataclasses.replace(config, src_videos=(path,)), Silent(), Mirror())
    assert not config.parts_folder.exists()


def test_the_hash_of_pictures_is_taken_over_while_nothing_changed(place):
    first = input_record(place / "shot")
    assert first["sha256"] == sequence_sha256(place / "shot") == Material.of(place / "shot").sha256
    assert (first["files"], first["path"]) == (FRAMES, str(place / "shot"))
    assert input_record(place / "shot", {**first, "sha256": "known"})["sha256"] == "known"
    picture = place / "shot" / "take_9.png"
    when = picture.stat().st_mtime_ns
    os.utime(picture, ns=(when - 10**9, when - 10**9))  # older, as a copy may be, and of the same size
    assert input_record(place / "shot", {**first, "sha256": "known"})["sha256"] == first["sha256"]
    picture.rename(place / "shot" / "take_99.png")
    assert input_record(place / "shot")["sha256"] != first["sha256"], "names are the order"


@pytest.mark.parametrize(
    ("text", "rate"),
    [("25", 25), ("23.976", Fraction(24000, 1001)), ("29.97", NTSC), ("30000/1001", NTSC), ("12.5", Fraction(25, 2)),
     ("59.94", Fraction(60000, 1001)), (50, 50)],
)  # fmt: skip
def test_frame_rates_as_people_write_them(text, rate):
    assert frame_rate(text) == rate


@pytest.mark.parametrize("text", ["0", "-25", "fast", "25/0", "1e9", "nan"])
def test_no_frame_rate(text):
    with pytest.raises(ConfigError, match="--fps"):
        frame_rate(text)


def test_a_file_with_a_percent_sign_in_its_name_is_a_file(tmp_path):
    (tmp_path / "take%02d.mp4").write_bytes(b"x")
    assert not is_sequence(tmp_path / "take%02d.mp4") and is_sequence(tmp_path / "shot%02d.png")
