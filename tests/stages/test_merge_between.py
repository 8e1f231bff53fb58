"""merge where two of its features meet: each did well by itself."""

import dataclasses
import shutil
from fractions import Fraction

import numpy as np
import pytest
from merge_material import (
    HEIGHT,
    WIDTH,
    Painter,
    config_for,
    decode,
    face,
    make_consent,
    make_faces,
    make_plate,
    picture,
)

from konterfei.compositing import Keys
from konterfei.errors import ConfigError, OutputError
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.io.manifest import Manifest
from konterfei.io.video import VideoWriter
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder, Silent
from konterfei.stages import _merge_checks, _merge_render
from konterfei.stages._merge_cast import Role, cast_for
from konterfei.stages._merge_render import Reach
from konterfei.stages.merge import merge

NUM = 10


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("between")
    plate = folder / "plate.mkv"
    noise = np.random.default_rng(0).integers(-25, 25, (NUM, HEIGHT, WIDTH, 3))
    with VideoWriter(plate, WIDTH, HEIGHT, codec="ffv1", fps_hint=25) as writer:
        for index in range(NUM):
            writer.write(np.clip(picture(index) + noise[index], 0, 255).astype(np.uint8), Fraction(index, 25))
    make_faces(folder / "faces", plate, range(NUM))
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mkv", place / "faces", part_frames=5)


def keyed(config, text, **changes):
    path = config.video.with_name("merge.toml")
    path.write_text(text)
    return dataclasses.replace(config, keys=path, **changes)


HALF = '[[shots]]\nfrom = 0\nto = 5\nmode = "original"'


def test_where_the_plate_is_left_as_it_is_no_mask_says_otherwise(config):
    result = merge(keyed(config, HALF, extras="mask"), Silent(), Painter())
    assert result.swapped == 5
    white = decode(config.output.with_name("out.mask.mp4"))[0].reshape(NUM, -1).max(axis=1)
    assert (white[:5] < 10).all() and (white[5:] > 240).all()


def test_a_face_that_is_left_beside_one_outside_is_no_swap(place, config):
    outside = [(i, face(i, x=-300, track=1)) for i in range(4)]
    make_faces(place / "two", config.video, range(NUM), more=outside)
    key = '[[faces.keys]]\nframe = {}\nmode = "{}"\n'
    left = keyed(config, "[[faces]]\ntrack = 0\n" + key.format(0, "original") + key.format(9, "overlay"))
    result = merge(dataclasses.replace(left, faces=place / "two"), Silent(), Painter())
    assert result.swapped == 1 and result.not_swapped["face outside the frame"] == 4


def test_as_deepfacelab_does_it_a_face_outside_is_no_swap_either(place, config):
    shutil.rmtree(place / "faces")
    make_faces(place / "faces", config.video, range(6), more=[(i, face(i, x=-400)) for i in range(6, NUM)])
    result = merge(dataclasses.replace(config, dfl_exact="defaults"), Silent(), Painter())
    assert (result.swapped, dict(result.not_swapped)) == (6, {"face outside the frame": 4})


@pytest.mark.parametrize("wanted", [{"extras": "mask"}, {"alpha": True, "codec": "prores-4444"}])
def test_what_lies_over_the_plate_is_not_made_of_the_models_square(place, config, wanted):
    if "alpha" in wanted:
        wanted |= {"output": place / "out.mov", "crf": None, "encoder_preset": None}
    with pytest.raises(ConfigError, match="raw-predict"):
        dataclasses.replace(config, mode="raw-predict", **wanted)
    with pytest.raises(ConfigError, match="raw-predict"):
        merge(keyed(config, '[settings]\nmode = "raw-predict"', **wanted), Silent(), Painter())


def test_a_worse_plate_is_the_same_whatever_is_looked_at(place, config, monkeypatch):
    plate, size = place / "large.mkv", (480, 384)
    grain = np.random.default_rng(0).integers(0, 255, (384, 480, 3), np.uint8)
    with VideoWriter(plate, *size, codec="ffv1", fps_hint=25) as writer:
        for index in range(3):
            writer.write(grain, Fraction(index, 25))
    moved = [(i, face(i).with_(landmarks=np.add(face(i).landmarks, [180, 124]))) for i in range(3)]
    make_faces(place / "small", plate, frames=(), more=moved, size=size)
    config = dataclasses.replace(config, video=plate, faces=place / "small", codec="ffv1", crf=None,
                                 encoder_preset=None, output=place / "a.mkv", plate_resolution=0.02)  # fmt: skip
    merge(config, Silent(), Painter())
    monkeypatch.setattr(_merge_render, "seen_always", lambda job, only_regions: None)
    merge(dataclasses.replace(config, output=place / "b.mkv"), Silent(), Painter())
    assert (decode(place / "a.mkv")[0] == decode(place / "b.mkv")[0]).all()


def test_an_edited_result_is_not_replaced_where_parts_are_kept(config):
    config = dataclasses.replace(config, keep_parts=True)
    merge(config, Silent(), Painter())
    config.output.write_bytes(b"days of grading")
    for changes in ({}, {"erode": 0.1}):
        with pytest.raises(OutputError, match="was changed since"):
            merge(dataclasses.replace(config, **changes), Silent(), Painter())
    assert config.output.read_bytes() == b"days of grading"
    merge(dataclasses.replace(config, force=True), Silent(), Painter())
    assert len(decode(config.output)[0]) == NUM


def test_other_src_videos_are_told_in_the_credentials(place, config):
    for name in ("one.mp4", "two.mp4"):
        make_plate(place / name, frames=2 if name == "one.mp4" else 3, sound=False)
    merge(config, Silent(), Painter())
    for name in ("one.mp4", "two.mp4"):
        named = dataclasses.replace(config, src_videos=(place / name,))
        assert not merge(named, Silent(), Painter()).was_done
        assert name in str(verify(config.output).ingredients)
        assert merge(named, Silent(), Painter()).was_done


def test_a_snapshot_that_came_since_the_merge_began_draws_nothing(place, config, monkeypatch):
    class Trained(Painter):
        steps = 0

        def __init__(self):
            super().__init__()
            Trained.steps += 1
            self.info = {**self.info, "snapshot_sha256": str(Trained.steps)}

    monkeypatch.setattr(_merge_checks, "open_swapper", lambda *args: Trained())
    main = Role(model=place / "run", consent=config.consent)
    opener = cast_for(main, Keys(), Faceset.open(config.faces))
    known = opener(Silent()).hashes()
    record = Faceset.open(config.faces).faces_at(0)[0]
    assert opener(Silent()).swapper_for(record) is not None
    with pytest.raises(ConfigError, match="newer snapshot"):
        dataclasses.replace(opener, known=known)(Silent()).swapper_for(record)


def test_a_faceset_read_otherwise_makes_every_part_anew(place, config, monkeypatch):
    config = dataclasses.replace(config, keep_parts=True)
    merge(config, Silent(), Painter())
    usual = _merge_checks.plate_info

    def fields_apart(*args):
        return dataclasses.replace(usual(*args), is_deinterlaced=True)

    monkeypatch.setattr(_merge_checks, "plate_info", fields_apart)
    recorder = Recorder()
    assert not merge(config, recorder, Painter()).was_done
    assert any("deinterlace" in line for line in recorder.notes)


def test_faces_are_steadied_in_shots_that_do_without_deepfacelabs_way(config):
    exact = dataclasses.replace(config, dfl_exact="defaults")
    keys = Keys.load(keyed(exact, '[[shots]]\nfrom = 0\nto = 5\ndfl_exact = ""').keys)
    assert Reach.of(keys, exact, Fraction(25)).faces == Reach.of(Keys(), config, Fraction(25)).faces > 0
    assert Reach.of(Keys(), exact, Fraction(25)).faces == 0


def test_of_two_faces_on_one_track_none_is_taken_for_the_other(place, config):
    """Their own look alone counts: neighbours cannot say which of the two they are."""
    config = dataclasses.replace(config, motion_blur=1.0, color_smoothing=0.2)
    twin = [(4, face(4, x=25, track=0))]
    make_faces(place / "twins", config.video, range(NUM), more=twin)
    make_faces(place / "alone", config.video, [4], more=twin)
    pictures = []
    for name in ("twins", "alone"):
        merge(dataclasses.replace(config, faces=place / name, output=place / f"{name}_out"), Silent(), Painter())
        pictures.append(read_image(place / f"{name}_out" / "000004.png"))
    assert (pictures[0] == pictures[1]).all()


def test_a_part_may_be_said_to_be_endless(config):
    result = merge(dataclasses.replace(config, part_frames=10**15, range=f"0:{10**15}"), Silent(), Painter())
    assert result.frames == NUM
    merge(keyed(config, HALF, range=f"0:{10**15}", output=config.output.with_name("b.mp4")), Silent(), Painter())


def test_kept_parts_belong_to_a_finished_result(config):
    merge(dataclasses.replace(config, keep_parts=True), Silent(), Painter())
    assert not Manifest.load(config.parts_folder).complete
