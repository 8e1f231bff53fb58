"""merge writes pictures: named as the plate's, each labelled and signed by itself, a folder that appears when whole."""

import dataclasses
import json
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from merge_material import FRAMES, Painter, config_for, decode, make_consent, make_faces, make_plate, picture

from konterfei.cli import main
from konterfei.errors import Cancelled, OutputError
from konterfei.io.atomic import sha256
from konterfei.io.images import bit_depth, read_image, write_image
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import sequence_sha256
from konterfei.provenance.certificate import config_folder
from konterfei.provenance.verification import State, verify, verify_pictures
from konterfei.reporting import Recorder, Silent
from konterfei.stages.merge import merge
from konterfei.stages.swap import SwapConfig
from konterfei.stages.verify import VerifyConfig
from konterfei.stages.verify import verify as verify_stage

SHOT = 10
BARE = 4
"""Frame without a face in the faceset."""


@pytest.fixture
def place(tmp_path):
    """A plate of video, `plate.mp4`; its faces but for one; a consent record."""
    plate = make_plate(tmp_path / "plate.mp4", frames=SHOT)
    make_faces(tmp_path / "faces", plate, [i for i in range(SHOT) if i != BARE])
    make_consent(tmp_path / "consent.toml")
    return tmp_path


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mp4", place / "faces", output=place / "out", part_frames=4)


def pictures_of_the_plate(place, write, name="shot/take.{}.png", first=1001):
    """Write the plate's frames as pictures; gives their folder."""
    for index in range(SHOT):
        path = place / name.format(first + index)
        write(path, index)
    make_faces(place / "shot_faces", path.parent, range(SHOT), settings={"fps": "25"})
    return path.parent


def shot_config(place, config, write, **changes):
    folder = pictures_of_the_plate(place, write)
    return dataclasses.replace(config, **{"video": folder, "faces": place / "shot_faces", **changes})


def eight_bits(path, index):
    write_image(path, picture(index))


def test_a_video_becomes_pictures(place, config):
    reporter = Recorder()
    result = merge(config, reporter, Painter())
    assert (result.frames, result.swapped, result.video) == (SHOT, SHOT - 1, place / "out")
    names = sorted(path.name for path in config.output.iterdir())
    assert names == [*(f"{i:06d}.png" for i in range(SHOT)), "manifest.json"]
    assert any("no sound" in line for line in reporter.notes)
    assert not config.parts_folder.exists()

    plate, _ = decode(place / "plate.mp4")
    video = dataclasses.replace(config, output=place / "out.mp4")
    merge(video, Silent(), Painter())
    same, _ = decode(video.output)
    ours = np.stack([read_image(config.output / f"{i:06d}.png") for i in range(SHOT)])
    assert (ours[BARE] == plate[BARE]).all(), "not a bit lost where nothing was done"
    assert np.abs(ours.astype(int) - same).mean() < 2, "the frames of the video"
    assert np.abs(ours[0].astype(int) - plate[0]).max() > 30, "the face is another"


def test_each_picture_says_what_was_done_to_it(place, config):
    merge(config, Silent(), Painter(is_preview=True))
    found = [verify(config.output / f"{i:06d}.png") for i in range(SHOT)]
    assert all(f.untouched and f.vouched_by == "this computer" for f in found)
    assert [f.swap["frame"] for f in found] == list(range(SHOT))
    assert [f.swap["frames_swapped"] for f in found] == [int(i != BARE) for i in range(SHOT)]
    assert found[BARE].swap["frames_not_swapped"] == {"no face in the faceset": 1}
    assert {f.ingredients[0].sha256 for f in found} == {sha256(place / "plate.mp4")}
    assert all(f.swap["is_preview"] and f.consent["basis"] == "synthetic" for f in found)
    together = verify_pictures(config.output)
    assert together.exit_code == 0 and together.gaps == ()
    text = "\n".join(together.summary())
    for word in ("all 10 pictures", "9 of 10 pictures", "PREVIEW", "plate.mp4", "basis synthetic"):
        assert word in text, word


def test_every_picture_wears_the_label(config):
    merge(config, Silent(), Painter())
    bare = read_image(config.output / f"{BARE:06d}.png")
    merge(dataclasses.replace(config, label="corner"), Silent(), Painter())
    assert np.abs(read_image(config.output / f"{BARE:06d}.png").astype(int) - bare).max() > 50
    assert verify(config.output / f"{BARE:06d}.png").swap["label"] == "corner"


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("out", [f"take.{1001 + i}.png" for i in range(SHOT)]),
        ("out/swap_%05d.tif", [f"swap_{1001 + i:05d}.tif" for i in range(SHOT)]),
        ("out/swap.%d.jpg", [f"swap.{1001 + i}.jpg" for i in range(SHOT)]),
    ],
)
def test_pictures_keep_the_numbers_of_the_plates(place, config, output, names):
    config = shot_config(place, config, eight_bits, output=place / output)
    merge(config, Silent(), Painter())
    assert sorted(p.name for p in (place / "out").iterdir() if p.suffix != ".json") == sorted(names)
    found = verify_pictures(place / output)
    assert found.untouched and len(found.pictures) == SHOT
    plates = [sha256(place / "shot" / f"take.{1001 + i}.png") for i in range(SHOT)]
    assert [p.ingredients[0].sha256 for p in found.pictures] == plates, "each names the very picture"
    assert found.pictures[3].ingredients[0].name == "take.1004.png"
    assert Manifest.load(place / "out").inputs["video"]["sha256"] == sequence_sha256(place / "shot")
    assert merge(config, Silent(), Painter()).was_done


def test_names_that_would_fall_together_become_numbers(place, config):
    config = shot_config(place, config, eight_bits)
    write_image(place / "shot" / "take.1001.jpg", picture(0))
    make_faces(place / "shot_faces_2", place / "shot", range(SHOT), settings={"fps": "25"})
    merge(dataclasses.replace(config, faces=place / "shot_faces_2"), Silent(), Painter())
    assert sorted(p.name for p in config.output.glob("*.png")) == [f"{i:06d}.png" for i in range(SHOT + 1)]


def test_16_bits_are_kept_and_jpeg_has_8(place, config):
    def deep(path, index):
        image = picture(index).astype(np.uint16) * 257
        image[:20] += 100  # no multiple of 257
        write_image(path, image)

    config = shot_config(place, config, deep)
    merge(config, Silent(), Painter())
    path = config.output / "take.1003.png"
    assert bit_depth(path) == 16
    plate = read_image(place / "shot" / "take.1003.png", deep=True)
    assert (read_image(path, deep=True)[:10] == plate[:10]).all()
    config = dataclasses.replace(config, output=place / "jpg" / "%04d.jpg")
    merge(config, Silent(), Painter())
    assert np.abs(read_image(place / "jpg" / "1003.jpg").astype(int) - (plate >> 8))[:10].mean() < 2


def test_a_range_keeps_the_numbers(config):
    merge(dataclasses.replace(config, range="3:6"), Silent(), Painter())
    assert sorted(p.name for p in config.output.glob("*.png")) == ["000003.png", "000004.png", "000005.png"]


def test_stopped_it_goes_on_with_the_parts_that_are_whole(config):
    class Stopping(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 9  # the encoder is five frames behind at most: a part of four is whole

    with pytest.raises(Cancelled):
        merge(config, Stopping(), Painter())
    assert not config.output.exists()
    assert (config.parts_folder / "part_000000.json").exists()
    first = {path.name: sha256(path) for path in (config.parts_folder / "part_000000").iterdir()}
    reporter = Recorder()
    assert merge(config, reporter, Painter()).frames == SHOT
    assert any("Going on: " in line for line in reporter.notes)
    assert len(first) == 4 and all(sha256(config.output / name) == digest for name, digest in first.items())


def test_a_torn_part_is_made_again(config):
    class Stopping(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 9

    with pytest.raises(Cancelled):
        merge(config, Stopping(), Painter())
    (config.parts_folder / "part_000000" / "000002.png").unlink()
    merge(config, Silent(), Painter())
    assert verify_pictures(config.output).untouched and len(list(config.output.glob("*.png"))) == SHOT


def test_pictures_signed_by_another_are_made_again(config, monkeypatch, tmp_path):
    class Stopping(Recorder):
        def advance(self, done, **figures):
            self.stop |= done == 9

    with pytest.raises(Cancelled):
        merge(config, Stopping(), Painter())
    assert config_folder().exists()
    monkeypatch.setenv("KONTERFEI_CONFIG", str(tmp_path / "someone else"))
    reporter = Recorder()
    merge(config, reporter, Painter())
    assert any("signer is" in line for line in reporter.notes)
    assert len({p.signer for p in verify_pictures(config.output).pictures}) == 1


def test_what_is_there_is_replaced_only_where_it_is_ours(place, config):
    merge(config, Silent(), Painter())
    assert merge(config, Silent(), Painter()).was_done
    before = sha256(config.output / "000003.png")
    merge(dataclasses.replace(config, erode=0.1), Silent(), Painter())  # its own result, with other settings
    assert sha256(config.output / "000003.png") != before
    write_image(config.output / "000003.png", picture(0))  # painted over by a person
    with pytest.raises(OutputError, match="changed since it was merged"):
        merge(config, Silent(), Painter())
    merge(dataclasses.replace(config, force=True), Silent(), Painter())
    assert verify_pictures(config.output).untouched
    (config.output / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"notes\.txt"):
        merge(dataclasses.replace(config, force=True), Silent(), Painter())
    assert (config.output / "notes.txt").read_text() == "mine"
    assert not list(place.glob(".*konterfei-tmp*"))


def test_a_folder_of_other_pictures_is_left_alone(place, config):
    write_image(config.output / "000000.png", picture(0))
    with pytest.raises(OutputError, match="not made by this merge"):
        merge(config, Silent(), Painter())
    shutil.rmtree(config.output)
    config.output.mkdir()  # an empty one will do
    assert merge(config, Silent(), Painter()).frames == SHOT


@pytest.mark.parametrize(
    ("output", "word"),
    [("out.png", "one picture"), ("out/%04d.exr", "tif"), ("out/%04d.webp", "tif"), ("plate.mp4", "plate"),
     ("consent.toml/%d.png", "the file")],
)  # fmt: skip
def test_outputs_that_cannot_be(place, config, output, word, capsys):
    told = ["merge", str(config.video), "--faces", str(config.faces), "--model", str(config.model), "--consent",
            str(config.consent), "-o", str(place / output)]  # fmt: skip
    before = sorted(place.rglob("*"))
    assert main(told) == 2
    assert word in capsys.readouterr().err
    assert sorted(place.rglob("*")) == before


def test_the_folder_that_one_is_in(place, config, monkeypatch):
    (place / "empty").mkdir()
    monkeypatch.chdir(place / "empty")
    with pytest.raises(OutputError, match="you are in"):
        merge(dataclasses.replace(config, output=Path("%06d.png")), Silent(), Painter())
    assert not list(place.glob("*.parts"))
    swap = SwapConfig(src=place / "a.mp4", dst=config.video, output=Path("%06d.png"), consent=config.consent)
    assert swap.layout.project == place / "empty.konterfei"


def test_pictures_do_not_go_where_the_plates_lie(place, config):
    config = shot_config(place, config, eight_bits, output=place / "shot" / "swap.%04d.png")
    with pytest.raises(OutputError, match="folder given with VIDEO"):
        merge(config, Silent(), Painter())


def test_verify_names_what_was_done_to_a_folder(place, config, capsys):
    merge(config, Silent(), Painter())
    data = bytearray((config.output / "000003.png").read_bytes())
    data[-40] ^= 1
    (config.output / "000003.png").write_bytes(data)
    (config.output / "000005.png").unlink()
    (config.output / "000006.png").unlink()
    write_image(config.output / "000007.png", picture(7))
    assert main(["verify", str(config.output)]) == 1
    text = capsys.readouterr().out
    for word in (
        "NOT all",
        "1 ALTERED, 1 UNMARKED, 6 untouched",
        "000003.png: ALTERED",
        "000007.png: UNMARKED",
        "5 to 7",
    ):
        assert word in text, word
    found = verify_pictures(config.output / "%06d.png")
    assert (found.state, found.exit_code, found.gaps) == (State.ALTERED, 1, ((5, 7),))


def test_verify_compares_the_consent_of_each_picture(place, config):
    merge(config, Silent(), Painter())
    reporter = Recorder()
    found = verify_stage(VerifyConfig(video=config.output, consent=config.consent), reporter)
    assert found.exit_code == 0 and found.consent_fits and any("named there" in line for line in reporter.notes)
    other = make_consent(place / "other.toml")
    other.write_text(other.read_text().replace("Painter's model", "Somebody else"))
    found = verify_stage(VerifyConfig(video=config.output, consent=other), Silent())
    assert found.exit_code == 1 and found.consent_fits is False
    assert "not the consent record" in "\n".join(found.summary())


def test_pictures_of_two_merges_are_told(place, config):
    merge(config, Silent(), Painter())
    other = dataclasses.replace(config, output=place / "other", erode=0.2)
    merge(other, Silent(), Painter())
    shutil.copy(other.output / "000002.png", config.output / "000002.png")
    found = verify_pictures(config.output)
    assert found.untouched and any("more than one merge" in line for line in found.summary())


def test_the_manifest_tells_of_the_pictures(config):
    merge(config, Silent(), Painter())
    made = json.loads((config.output / "manifest.json").read_text())
    assert made["complete"] and made["results"]["swapped"] == SHOT - 1
    assert made["output"]["sha256"] == sequence_sha256(config.output)
    assert made["settings"]["pictures"] == "*.png" and "crf" not in made["settings"]
    assert FRAMES > SHOT and Fraction(made["results"]["frames"]) == SHOT
