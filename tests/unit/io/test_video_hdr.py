"""HDR from the plate to the result: ten bits, tags, mastering display, content light."""

from fractions import Fraction

import av
import numpy as np
import pytest

from konterfei.io.video import ColorTags, VideoReader, VideoWriter, join, probe
from konterfei.io.video_hdr import Mastering, encoder_parameters
from konterfei.io.video_native import plane_of

PQ, HLG = ColorTags(9, 16, 9, 1), ColorTags(9, 18, 9, 1)
MASTER = "G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50):max-cll=1000,400"
SCREEN = Mastering(
    primaries=(
        (Fraction(35400, 50000), Fraction(14600, 50000)),
        (Fraction(8500, 50000), Fraction(39850, 50000)),
        (Fraction(6550, 50000), Fraction(2300, 50000)),
    ),
    white=(Fraction(15635, 50000), Fraction(16450, 50000)),
    luminance=(Fraction(50, 10000), Fraction(1000)),
    light=(1000, 400),
)


def hdr_plate(path, tags=PQ, count=4):
    """An HDR10 (or HLG) video whose samples are a ramp over the ten bits."""
    told = f"log-level=error:lossless=1:master-display={MASTER}" if tags == PQ else "log-level=error:lossless=1"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"x265-params": told, "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p10le"
        context = stream.codec_context
        context.color_primaries, context.color_trc, context.colorspace = tags.primaries, tags.transfer, tags.matrix
        context.color_range = tags.range
        for index in range(count):
            frame = av.VideoFrame(128, 64, "yuv420p10le")
            for number, plane in enumerate(frame.planes):
                samples = plane_of(plane, np.uint16)
                ramp = np.linspace(64, 940, samples.size).reshape(samples.shape) if number == 0 else 512 + 9 * index
                samples[:] = ramp
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_what_the_plate_says_is_read(tmp_path):
    info = probe(hdr_plate(tmp_path / "plate.mp4"))
    assert (info.bit_depth, info.color, info.mastering) == (10, PQ, SCREEN)
    assert probe(hdr_plate(tmp_path / "hlg.mp4", HLG)).mastering is None


@pytest.mark.parametrize("tags", [PQ, HLG], ids=["PQ", "HLG"])
@pytest.mark.parametrize(
    ("codec", "suffix"),
    [("hevc", ".mp4"), ("hevc", ".mkv"), ("av1", ".mp4"), ("av1", ".webm"), ("h264", ".mov"),
     ("prores-422", ".mov"), ("ffv1", ".mkv")],
)  # fmt: skip
def test_the_result_says_the_same(tmp_path, codec, suffix, tags):
    plate = hdr_plate(tmp_path / "plate.mp4", tags)
    reader = VideoReader(plate, deep=True, native=True)
    part = tmp_path / ("part.mov" if codec == "prores-422" else "part.mp4")
    preset = {"hevc": "ultrafast", "av1": "12", "h264": "ultrafast"}.get(codec)
    with VideoWriter.like(reader.info, part, codec=codec, preset=preset) as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts, plate=frame)
    result = tmp_path / f"result{suffix}"
    join([part], result)
    info = probe(result)
    assert (info.bit_depth, info.color) == (10, tags)
    if tags == PQ and codec in ("hevc", "av1", "h264"):
        assert info.mastering is not None and info.mastering.light == (1000, 400)
        for told, wanted in zip(info.mastering.primaries, SCREEN.primaries, strict=True):
            assert np.allclose(np.array(told, float), np.array(wanted, float), atol=2e-5)
        assert np.allclose(np.array(info.mastering.luminance, float), (0.005, 1000), atol=1e-4)
    else:
        assert info.mastering is None
    steps = {int(value) for frame in VideoReader(result, deep=True, stop=1) for value in frame.image[..., 1].ravel()}
    assert len(steps) > 256, "more grades than eight bits have"


def test_lossless_hdr_keeps_every_sample(tmp_path):
    plate = hdr_plate(tmp_path / "plate.mp4")
    reader = VideoReader(plate, deep=True, native=True)
    with VideoWriter.like(reader.info, tmp_path / "out.mkv", codec="ffv1") as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts, plate=frame)
    with av.open(str(plate)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        for a, b in zip(before.decode(video=0), after.decode(video=0), strict=True):
            for one, other in zip(a.planes, b.planes, strict=True):
                assert np.array_equal(plane_of(one, np.uint16), plane_of(other, np.uint16))


def test_encoders_are_told_in_their_own_units():
    assert encoder_parameters("libx265", SCREEN) == {"x265-params": f"master-display={MASTER}"}
    told = encoder_parameters("libsvtav1", SCREEN)["svtav1-params"]
    assert "R(0.708000,0.292000)" in told and "L(1000.000000,0.005000)" in told and "content-light=1000,400" in told
    assert encoder_parameters("libx265", Mastering(light=(600, 200))) == {"x265-params": "max-cll=600,200"}
    assert encoder_parameters("prores_ks", SCREEN) == {} == encoder_parameters("libx265", None)


@pytest.mark.parametrize("place", ["left", "topleft", "center"])
@pytest.mark.parametrize(("codec", "suffix"), [("h264", ".mp4"), ("hevc", ".mp4"), ("ffv1", ".mkv")])
def test_chroma_samples_stay_in_their_place(tmp_path, place, codec, suffix):
    from video_fixtures import make_clip

    plate = make_clip(tmp_path / "plate.mp4", count=2, crf=1, chroma_place=place)
    reader = VideoReader(plate, native=True)
    assert reader.info.chroma_place == place
    preset = "ultrafast" if codec != "ffv1" else None
    with VideoWriter.like(reader.info, tmp_path / f"out{suffix}", codec=codec, preset=preset) as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts, plate=frame)
    if codec == "ffv1" and place != "left":
        assert any(place in note for note in writer.notes)
    else:
        assert probe(tmp_path / f"out{suffix}").chroma_place == place
