"""Every codec in every container: frames, times, colours, bits and joints, as a player would find them."""

import hashlib
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from konterfei.errors import ConfigError, EncodeError, OutputError, UnknownNameError
from konterfei.io.video import ColorTags, VideoReader, VideoWriter, join, probe
from konterfei.io.video_codecs import CODECS, Sampling, pixel_format, sampling, usual_codec

SIZE = (256, 128)
TIMES = [Fraction(n * 512 + n % 3, 12_800) for n in range(10)]  # slightly uneven: only an exact clock keeps them
TAGS = ColorTags(9, 16, 9, 1)
FASTEST = {"h264": "ultrafast", "hevc": "ultrafast", "av1": "13", "vp9": "8"}
LEAST_PSNR = 33.0
PLACES = [(name, suffix) for name, codec in CODECS.items() for suffix in codec.containers]


def scene(index, deep=False):
    """Smooth colours that move, with an edge."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(np.float64)
    waves = [np.sin((x + 3 * index) / 17 + c) * 0.2 + np.cos(y / 13 - c) * 0.2 + 0.5 for c in range(3)]
    image = np.stack(waves, axis=-1)
    image[40:80, 20 + 4 * index : 60 + 4 * index] = (0.8, 0.3, 0.2)
    return np.rint(image * 65535).astype(np.uint16) if deep else np.rint(image * 255).astype(np.uint8)


def written(path, codec, indices, **settings):
    deep = settings.pop("deep", True)
    usual = {"color": TAGS, "time_base": Fraction(1, 12_800), "like_format": "yuv420p10le", "faststart": False}
    usual |= {"preset": FASTEST.get(codec), "sample_aspect": Fraction(4, 3)}
    with VideoWriter(path, *SIZE, codec=codec, **{**usual, **settings}) as writer:
        for index in indices:
            writer.write(scene(index, deep), TIMES[index])
    return writer


def packets_of(path, kind="video"):
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(p.pts * p.time_base, p.is_keyframe, bytes(p)) for p in container.demux(stream) if p.size]


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Codec -> two parts of 5 frames, made once."""
    made = {}

    def of(codec):
        if codec not in made:
            folder = tmp_path_factory.mktemp(codec)
            made[codec] = [folder / f"{n}{CODECS[codec].part}" for n in range(2)]
            for number, path in enumerate(made[codec]):
                written(path, codec, range(5 * number, 5 * number + 5))
        return made[codec]

    return of


@pytest.fixture(scope="module")
def sounding(tmp_path_factory):
    """A video with two tracks of sound in two languages."""
    path = tmp_path_factory.mktemp("sound") / "sound.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        tracks = [container.add_stream("aac", rate=48_000, layout="mono") for _ in range(2)]
        for track, language in zip(tracks, ("deu", "fra"), strict=True):
            track.metadata["language"] = language
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * index, np.uint8), "rgb24")
            frame.pts = index
            container.mux(picture.encode(frame))
        for number, track in enumerate(tracks):
            tone = np.sin(np.arange(19_200) * 0.05 * (number + 1)).astype(np.float32)[None] * 0.5
            sound = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            sound.sample_rate, sound.pts = 48_000, 0
            container.mux(track.encode(sound))
            container.mux(track.encode(None))
        container.mux(picture.encode(None))
    return path


@pytest.mark.parametrize(("codec", "suffix"), PLACES)
def test_a_joined_result_is_what_was_asked_for(tmp_path, parts, sounding, codec, suffix):
    path = tmp_path / f"whole{suffix}"
    notes = join(parts(codec), path, audio_from=sounding)
    packets = packets_of(path)
    exact = suffix in (".mp4", ".m4v", ".mov")
    start = 0 if exact else min(time for time, _, _ in packets)  # Matroska may move picture and sound together
    error = max(abs(time - start - wanted) for (time, _, _), wanted in zip(sorted(packets), TIMES, strict=True))
    assert error == 0 if exact else error <= Fraction(1, 1000)
    keys = [time for time, is_key, _ in sorted(packets) if is_key]
    assert len(keys) == 10 if CODECS[codec].is_intra else len(keys) >= 2
    assert any(abs(key - start - TIMES[5]) <= Fraction(1, 1000) for key in keys), "no key frame at the joint"

    info = probe(path)
    assert info.num_frames == 10
    if suffix in (".mkv", ".webm") and codec not in ("h264", "hevc"):
        assert any("shape of pixels" in note for note in notes)
    else:
        assert info.sample_aspect == Fraction(4, 3)
    assert info.color == TAGS
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.codec.canonical_name == codec) or codec[:6] in ("prores", "dnxhr")
        if codec == "hevc" and exact:
            assert stream.codec_context.codec_tag == "hvc1"
    wanted, _ = pixel_format(codec, Sampling("420", 10), *SIZE)
    assert info.pixel_format == wanted
    assert info.bit_depth == (8 if codec == "vp9" else 10)

    frames = list(VideoReader(path))
    assert [frame.index for frame in frames] == list(range(10))
    for frame in frames:
        noise = (frame.image.astype(float) - scene(frame.index)) ** 2
        assert 10 * np.log10(255**2 / noise.mean()) > LEAST_PSNR, frame.index

    with av.open(str(path)) as container:
        assert [stream.language for stream in container.streams.audio] == ["ger", "fra"]
    if suffix != ".webm":
        for number in range(2):
            assert sound_hash(path, number) == sound_hash(sounding, number)


def sound_hash(path, number):
    with av.open(str(path)) as container:
        stream = container.streams.audio[number]
        data = b"".join(bytes(p) for p in container.demux(stream) if p.size)
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_part_of_very_few_frames_can_be_written_and_read(tmp_path, codec, count):
    path = tmp_path / f"short{CODECS[codec].part}"
    written(path, codec, range(count), preset=None)
    assert [frame.pts for frame in VideoReader(path)] == TIMES[:count]
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            assert not packet.size or packet.dts <= packet.pts


def test_parts_of_another_setting_are_not_joined(tmp_path, parts):
    other = tmp_path / "other.mp4"
    written(other, "hevc", range(5, 10), like_format="yuv420p", deep=False)
    with pytest.raises(EncodeError, match="Cannot join"):
        join([parts("hevc")[0], other], tmp_path / "whole.mp4")


@pytest.mark.parametrize(
    ("codec", "plate", "kept"),
    [
        ("h264", "yuv420p", "yuv420p"), ("h264", "yuv422p10le", "yuv422p10le"), ("h264", "yuv444p12le", "yuv444p10le"),
        ("hevc", "yuv444p12le", "yuv444p12le"), ("hevc", "yuv420p12le", "yuv420p12le"),
        ("av1", "yuv422p10le", "yuv420p10le"), ("dnxhr", "yuv420p10le", "yuv422p10le"),
        ("vp9", "yuv444p", "yuv444p"), ("vp9", "yuv422p10le", "yuv422p"), ("prores-422", "yuv420p", "yuv422p10le"),
        ("prores-4444", "yuv422p10le", "yuv444p10le"), ("dnxhr", "yuv420p", "yuv422p"),
        ("dnxhr", "yuv444p12le", "yuv444p10le"), ("ffv1", "yuv422p12le", "yuv422p12le"), ("ffv1", "rgb24", "bgr0"),
        ("ffv1", "rgb48le", "gbrp16le"), ("h264", "rgb48le", "yuv420p10le"), ("prores-4444", "rgb24", "yuv444p10le"),
    ],
)  # fmt: skip
def test_the_pixel_format_keeps_what_the_codec_can_hold(codec, plate, kept):
    assert pixel_format(codec, sampling(plate), *SIZE)[0] == kept


def test_what_is_lost_is_told():
    assert "4:2:0 only; the plate has 4:2:2" in pixel_format("av1", sampling("yuv422p10le"), *SIZE)[1][0]
    assert "8 bits, the plate has 10" in pixel_format("vp9", sampling("yuv420p10le"), *SIZE)[1][0]
    assert pixel_format("hevc", sampling("yuv420p10le"), *SIZE)[1] == []
    assert pixel_format("hevc", sampling("yuv422p10le"), *SIZE, chroma="420") == ("yuv420p10le", [])


def test_transparency_is_written_as_asked(tmp_path):
    path = tmp_path / "cut.mov"
    alpha = np.zeros((SIZE[1], SIZE[0]), np.float32)
    alpha[30:90, 50:200] = 1.0
    with VideoWriter(path, *SIZE, codec="prores-4444", has_alpha=True) as writer:
        writer.write(scene(0), Fraction(0), alpha=alpha)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert sampling(frame.format.name).has_alpha
    plane = frame.planes[3]
    read = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size).view("<u2")[:, : plane.width]
    most = (1 << sampling(frame.format.name).depth) - 1
    assert np.abs(read / most - alpha).max() < 0.01


@pytest.mark.parametrize(
    ("codec", "suffix", "settings", "told"),
    [
        ("prores-422", ".mp4", {}, ".mov"), ("ffv1", ".mov", {}, ".mkv"), ("vp9", ".mov", {}, ".webm"),
        ("hevc", ".webm", {}, "--codec"), ("dnxhr", ".mkv", {}, ".mov"), ("h264", ".avi", {}, ".avi"),
        ("prores-422", ".mov", {"crf": 12}, "proxy, lt, standard, hq"), ("ffv1", ".mkv", {"crf": 1}, "lossless"),
        ("av1", ".mp4", {"crf": 64}, "to 63"), ("h264", ".mp4", {"crf": 52}, "to 51"),
        ("av1", ".mp4", {"preset": "medium"}, "13"), ("dnxhr", ".mov", {"preset": "hqq"}, "lb, sq, hq"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_remedy(tmp_path, codec, suffix, settings, told):
    with pytest.raises((ConfigError, OutputError)) as refusal:
        VideoWriter(tmp_path / f"a{suffix}", *SIZE, codec=codec, **settings)
    assert told in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_too_small_a_picture_and_an_unknown_codec_are_refused(tmp_path):
    with (
        pytest.raises(OutputError, match="256 x 120"),
        VideoWriter(tmp_path / "a.mov", 96, 64, codec="dnxhr") as writer,
    ):
        writer.write(np.zeros((64, 96, 3), np.uint8), Fraction(0))
    with pytest.raises(UnknownNameError, match="prores-422"):
        VideoWriter(tmp_path / "a.mov", 96, 64, codec="prores")


def test_the_usual_codec_keeps_the_bits_and_plays(tmp_path):
    assert usual_codec(tmp_path / "a.mp4", 8, False) == "h264"
    assert usual_codec(tmp_path / "a.mp4", 10, False) == "hevc"
    assert usual_codec(tmp_path / "a.mov", 8, True) == "hevc"
    assert usual_codec(tmp_path / "a.webm", 8, False) == "vp9"
    assert usual_codec(tmp_path / "a.webm", 10, False) == "av1"


@pytest.mark.parametrize("codec", ["hevc", "av1"])
def test_encoders_do_not_write_to_the_terminal(tmp_path, codec):
    code = (
        "from fractions import Fraction; import numpy as np; from konterfei.io.video import VideoWriter\n"
        f"with VideoWriter({str(tmp_path / 'a.mp4')!r}, 128, 128, codec={codec!r}) as w:\n"
        "    w.write(np.zeros((128, 128, 3), np.uint8), Fraction(0))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout + done.stderr).strip() == ""
