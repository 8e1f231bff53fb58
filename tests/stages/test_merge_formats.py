"""A merge into every kind of file: what was touched and what was not, and what the file says of itself."""

import dataclasses
import shutil

import av
import numpy as np
import pytest
from merge_material import HEIGHT, WIDTH, Painter, config_for, decode, make_consent, make_faces, make_plate

from konterfei.errors import ConfigError, OutputError, UnknownNameError
from konterfei.io.exr import Exr, read_exr, write_exr
from konterfei.io.exr_frames import TRANSFER_KEY
from konterfei.io.images import read_image
from konterfei.io.manifest import Manifest
from konterfei.io.video import VideoReader, probe
from konterfei.io.video_native import plane_of
from konterfei.provenance.seal import seal_of
from konterfei.provenance.verdict import State
from konterfei.provenance.verification import verify, verify_pictures
from konterfei.reporting import Recorder, Silent
from konterfei.stages._merge_output import VideoOutput
from konterfei.stages.merge import MergeConfig, merge

SHOT, BARE = 9, 4
FREE = {"encoder_preset": None, "crf": None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A short plate and its faceset; frame BARE has no face."""
    folder = tmp_path_factory.mktemp("formats")
    plate = make_plate(folder / "plate.mp4", SHOT)
    make_faces(folder / "faces", plate, [i for i in range(SHOT) if i != BARE])
    make_consent(folder / "consent.toml")
    return folder


@pytest.fixture
def config(made, tmp_path):
    config = config_for(tmp_path, made / "plate.mp4", made / "faces", consent=made / "consent.toml", part_frames=4)
    return dataclasses.replace(config, **FREE)


def into(config, name, **changes) -> MergeConfig:
    return dataclasses.replace(config, output=config.output.parent / name, **changes)


def samples(path, index):
    with av.open(str(path)) as container:
        frame = list(container.decode(video=0))[index]
    item = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    return [plane_of(plane, item).copy() for plane in frame.planes]


def test_of_an_untouched_frame_every_sample_is_the_plates(config):
    result = into(config, "out.mkv", codec="ffv1")
    reporter = Recorder()
    merge(result, reporter, Painter())
    plate = config.video
    for a, b in zip(samples(plate, BARE), samples(result.output, BARE), strict=True):
        assert np.array_equal(a, b)
    before, after = samples(plate, 0), samples(result.output, 0)
    changed = before[0] != after[0]
    assert 0.05 < changed.mean() < 0.5, "the face, and only it"
    rows, columns = np.nonzero(changed)
    assert changed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].mean() > 0.4
    assert any("seal" in line for line in reporter.notes)


def test_rgb_of_some_regions_gives_what_rgb_of_all_gives(config, monkeypatch):
    few = into(config, "few.mkv", codec="ffv1", label="corner")
    merge(few, Silent(), Painter())
    monkeypatch.setattr(VideoOutput, "takes_regions", False)
    all_of_it = into(config, "all.mkv", codec="ffv1", label="corner")
    merge(all_of_it, Silent(), Painter())
    for index in range(SHOT):
        for a, b in zip(samples(few.output, index), samples(all_of_it.output, index), strict=True):
            assert np.array_equal(a, b), index


def test_a_face_that_reaches_further_than_it_promised_has_its_whole_frame(config, monkeypatch):
    monkeypatch.setattr("konterfei.stages._merge_regions._AROUND", -0.45)
    monkeypatch.setattr("konterfei.stages._merge_regions._MARGIN", 0)
    narrow = into(config, "narrow.mkv", codec="ffv1")
    merge(narrow, Silent(), Painter())
    monkeypatch.undo()
    usual = into(config, "usual.mkv", codec="ffv1")
    merge(usual, Silent(), Painter())
    # what the model is shown is cut from too little there; but nowhere is the picture black
    ours, theirs = decode(narrow.output)[0].astype(int), decode(usual.output)[0]
    away = np.abs(ours - theirs)
    assert away[BARE].max() == 0 and away[:, :20].max() == 0


@pytest.mark.parametrize(
    ("name", "codec", "depth"),
    [("a.mp4", None, 8), ("a.mp4", "hevc", 8), ("a.mp4", "av1", 8), ("a.webm", None, 8), ("a.mov", "prores-422", 10),
     ("a.mov", "prores-4444", 10), ("a.mkv", "h264", 8)],
)  # fmt: skip
def test_every_codec_makes_a_marked_result(config, name, codec, depth):
    config = into(config, name, codec=codec, label="corner")
    result = merge(config, Silent(), Painter())
    assert (result.frames, result.swapped) == (SHOT, SHOT - 1)
    found = verify(config.output)
    assert found.state is State.UNTOUCHED and found.swap["frames_swapped"] == SHOT - 1
    told = found.swap["settings"]
    assert told["codec"] == (codec or ("vp9" if name.endswith("webm") else "h264"))
    info = probe(config.output)
    assert (info.num_frames, info.bit_depth, info.width, info.height) == (SHOT, depth, WIDTH, HEIGHT)
    ours, plate = decode(config.output)[0].astype(int), decode(config.video)[0]
    assert np.abs(ours[BARE, 64:] - plate[BARE, 64:]).mean() < 3, "below the label"
    assert merge(config, Silent(), Painter()).was_done


def test_more_than_eight_bits_go_into_hevc(made, config, tmp_path):
    plate = make_plate(tmp_path / "deep.mp4", 6, deep=True, sound=False)
    assert probe(plate).bit_depth == 10
    make_faces(tmp_path / "deep_faces", plate, range(6))
    deep = dataclasses.replace(config, video=plate, faces=tmp_path / "deep_faces")
    merge(deep, Silent(), Painter())
    info = probe(deep.output)
    assert (info.codec, info.bit_depth, info.pixel_format) == ("hevc", 10, "yuv420p10le")


def test_alpha_is_what_was_swapped(config):
    config = into(config, "cut.mov", codec="prores-4444", alpha=True)
    merge(config, Silent(), Painter())
    assert not samples(config.output, BARE)[3].any(), "nothing swapped: nothing opaque"
    alpha = samples(config.output, 0)[3]
    most = alpha.max()
    plate, ours = decode(config.video)[0][0].astype(int), decode(config.output)[0][0]
    swapped = np.abs(plate - ours).max(axis=2) > 25
    labelled = dataclasses.replace(config, label="corner", force=True)
    merge(labelled, Silent(), Painter())
    assert 0 < (samples(labelled.output, BARE)[3] > most // 2).mean() < 0.2, "the label is opaque, too"
    assert (alpha > most // 2)[swapped].mean() > 0.95 and 0.05 < (alpha > most // 2).mean() < 0.5


@pytest.mark.parametrize("name", ["look.gif", "look.webp"])
def test_a_preview_moves_is_small_and_signed(config, name):
    from PIL import Image

    config = into(config, name, label="corner")
    merge(config, Silent(), Painter())
    assert verify(config.output).untouched
    with Image.open(config.output) as picture:
        assert 2 <= picture.n_frames <= SHOT and max(picture.size) <= 480
        total = 0
        for index in range(picture.n_frames):
            picture.seek(index)
            picture.load()
            total += picture.info["duration"]
    assert abs(total - SHOT * 40) <= 80


# --- seals


def test_a_seal_speaks_for_its_file_and_no_other(config):
    first, second = into(config, "first.mkv", codec="h264"), into(config, "second.mkv", codec="h264", crf=30)
    merge(first, Silent(), Painter())
    merge(second, Silent(), Painter())
    assert verify(first.output).exit_code == 0 and verify(seal_of(first.output)).untouched
    with av.open(str(first.output)) as container:
        told = {key.lower(): value for key, value in container.metadata.items()}
    assert "AI MODIFIED" in told["comment"] and "first.mkv.seal.png" in told["comment"]

    shutil.copy(seal_of(second.output), seal_of(first.output))
    found = verify(first.output)
    assert found.state is State.ALTERED and any("another file" in problem for problem in found.problems)


def test_an_altered_file_a_damaged_seal_and_none(config):
    config = into(config, "out.mkv", codec="h264")
    merge(config, Silent(), Painter())
    whole, card = config.output.read_bytes(), seal_of(config.output)
    config.output.write_bytes(whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:])
    assert verify(config.output).state is State.ALTERED
    config.output.write_bytes(whole)
    assert verify(config.output).state is State.UNTOUCHED
    data = bytearray(card.read_bytes())
    data[-2000] ^= 1
    card.write_bytes(data)
    assert verify(config.output).state is State.ALTERED
    card.unlink()
    assert verify(config.output).state is State.UNMARKED
    reporter = Recorder()
    assert not merge(dataclasses.replace(config, force=True), reporter, Painter()).was_done
    assert verify(config.output).untouched


# --- OpenEXR


def test_exr_holds_light_and_reads_back_as_it_was(config):
    config = into(config, "light/shot.%03d.exr")
    merge(config, Silent(), Painter())
    folder = config.output.parent
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["light.seal.png", "manifest.json", *(f"shot.{i:03d}.exr" for i in range(SHOT))]
    exr = read_exr(folder / f"shot.{BARE:03d}.exr")
    assert exr.attributes[TRANSFER_KEY] == "bt709" and exr.attributes["konterfei.frame"] == str(BARE)
    plate, _ = decode(config.video)
    assert np.array_equal(read_image(folder / f"shot.{BARE:03d}.exr"), plate[BARE]), "to light and back"
    light = exr.channels["R"].astype(float)
    value = plate[BARE][..., 0] / 255
    expected = np.where(value < 0.0812, value / 4.5, ((value + 0.0993) / 1.0993) ** (1 / 0.45))
    assert np.abs(light - expected).max() < 0.002

    found = verify_pictures(folder)
    assert found.exit_code == 0 and len(found.pictures) == SHOT
    assert [picture.swap["frame"] for picture in found.pictures] == list(range(SHOT))
    assert [picture.swap["frames_swapped"] for picture in found.pictures] == [int(i != BARE) for i in range(SHOT)]
    shutil.copy(folder / "shot.000.exr", folder / "shot.001.exr")
    assert [picture.state for picture in verify_pictures(folder).pictures][:2] == [State.UNTOUCHED, State.ALTERED]


def test_a_plate_of_exr_keeps_its_own_light_and_channels(made, config, tmp_path):
    shot = tmp_path / "shot"
    shot.mkdir()
    plate, _ = decode(config.video)
    for index in range(3):
        value = plate[index] / 255
        light = np.where(value < 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
        light[:8] = 7.5  # brighter than white: lamps, which no picture of 16 bits holds
        depth = np.full(light.shape[:2], 3.25, np.float32)
        channels = {name: light[..., n] for n, name in enumerate("RGB")} | {"Z": depth}
        write_exr(shot / f"take.{1001 + index}.exr", Exr(channels=channels))
    make_faces(tmp_path / "light_faces", shot, range(3))
    config = dataclasses.replace(
        config, video=shot, faces=tmp_path / "light_faces", output=tmp_path / "out" / "take.%04d.exr"
    )
    merge(config, Silent(), Painter())
    for index in range(3):
        before, after = (read_exr(folder / f"take.{1001 + index}.exr") for folder in (shot, tmp_path / "out"))
        assert np.array_equal(before.channels["Z"], after.channels["Z"])
        assert (after.channels["R"][:8] == 7.5).all()
        changed = before.channels["R"] != after.channels["R"]
        assert 0.05 < changed.mean() < 0.5
    assert Manifest.load(tmp_path / "out").complete


# --- interlaced plates


@pytest.fixture
def fields(made, tmp_path):
    path = tmp_path / "fields.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"b": "9M"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        for frame in VideoReader(made / "plate.mp4"):
            new = av.VideoFrame.from_ndarray(frame.image, "rgb24").reformat(format="yuv420p")
            new.pts = frame.index
            container.mux(stream.encode(new))
        container.mux(stream.encode(None))
    assert probe(path).is_interlaced
    return path


def test_an_interlaced_plate_is_read_as_its_faces_were(config, fields, tmp_path):
    plain = dataclasses.replace(config, video=fields, faces=make_faces(tmp_path / "combed", fields, range(SHOT)))
    with pytest.raises(ConfigError, match=r"interlaced.*--deinterlace bwdif"):
        merge(plain, Silent(), Painter())
    faces = make_faces(tmp_path / "whole", fields, range(SHOT), settings={"deinterlace": "bwdif"})
    merge(dataclasses.replace(config, video=fields, faces=faces), Silent(), Painter())
    info = probe(config.output)
    assert info.num_frames == SHOT and not info.is_interlaced
    theirs = np.stack([frame.image for frame in VideoReader(fields, deinterlace=True)]).astype(int)
    assert np.abs(decode(config.output)[0][:, :, :20] - theirs[:, :, :20]).mean() < 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "a.mp4", "codec": "prores-422"}, "prores-422 goes into .mov"),
        ({"name": "a.mov", "codec": "prores-422", "crf": 3}, "proxy, lt, standard, hq"),
        ({"name": "a.mp4", "codec": "av1", "encoder_preset": "slow"}, "0, 1, 2"),
        ({"name": "a.mov", "codec": "dnxhr"}, "256 x 120"),
        ({"name": "a.mp4", "alpha": True}, "--codec prores-4444"),
        ({"name": "frames", "codec": "h264"}, "is pictures"),
        ({"name": "a.gif", "codec": "h264"}, "animated preview"),
        ({"name": "a.mp4", "chroma": "411"}, "plate, 420, 422, 444"),
        ({"name": "a.mp4", "codec": "h265"}, "hevc"),
    ],
)
def test_what_does_not_go_together_is_refused_at_once(config, changes, told):
    changes = dict(changes)
    name = changes.pop("name")
    with pytest.raises((ConfigError, OutputError, UnknownNameError)) as refusal:
        merge(into(config, name, **changes), Silent(), Painter())
    assert told in str(refusal.value)
    assert not (config.output.parent / name).exists()
