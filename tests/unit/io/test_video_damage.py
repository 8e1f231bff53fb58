"""Broken, cut off and wrong files; full disks."""

from __future__ import annotations

import errno
import os
import resource
import signal
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from video_fixtures import add_sound, make_clip, picture

from konterfei.errors import OutputError, UnreadableMediaError
from konterfei.io.video import VideoReader, VideoWriter, open_frames, probe


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """120 frames in which every byte counts; a key frame every 12, index first. Also as .mkv."""
    folder = tmp_path_factory.mktemp("noise")
    for suffix in ("mp4", "mkv", "mpg"):
        with av.open(
            str(folder / f"a.{suffix}"), "w", container_options={"movflags": "faststart"} if suffix == "mp4" else {}
        ) as out:
            codec = "mpeg1video" if suffix == "mpg" else "libx264"
            stream = out.add_stream(
                codec, rate=25, options={"g": "12", "preset": "fast"} if suffix != "mpg" else {"g": "12"}
            )
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
            if suffix == "mpg":
                stream.bit_rate = 2_000_000
            rng = np.random.default_rng(0)
            for index in range(120):
                image = np.clip(picture(index % 60).astype(int) + rng.integers(-20, 20, (64, 96, 3)), 0, 255)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image.astype(np.uint8))))
            out.mux(stream.encode(None))
    return folder


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("part", [0.3, 0.5, 0.85])  # what Matroska lacks shows when it is half a second, 12 frames
def test_cut_off_files_give_what_is_there_and_say_how_much_is_lost(noise, tmp_path, suffix, part):
    whole = [(f.pts, f.image) for f in VideoReader(noise / f"a.{suffix}")]
    assert len(whole) == 120
    data = (noise / f"a.{suffix}").read_bytes()
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data[: int(len(data) * part)])
    reader = VideoReader(path)
    frames = list(reader)
    assert 0.6 * part * 120 < len(frames) < 120
    assert len(frames) + reader.lost == pytest.approx(120, abs=1)
    assert reader.lost_is_estimate == (suffix == "mkv")
    exact = sum(np.array_equal(f.image, whole[f.index][1]) for f in frames)
    assert exact >= len(frames) - 3 and all(f.pts == whole[f.index][0] for f in frames)


def test_a_cut_off_mpeg_file_is_read_to_its_end(noise, tmp_path):
    data = (noise / "a.mpg").read_bytes()
    (tmp_path / "a.mpg").write_bytes(data[: len(data) // 2])
    frames = list(VideoReader(tmp_path / "a.mpg"))
    assert 50 <= len(frames) <= 70  # the format announces no length: nobody can know that more was meant to come


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_damage_in_the_middle_costs_frames_but_shifts_no_numbers(noise, tmp_path, suffix):
    whole = [(f.pts, f.image) for f in VideoReader(noise / f"a.{suffix}")]
    data = bytearray((noise / f"a.{suffix}").read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 12] = np.random.default_rng(3).bytes(len(data) // 12)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(data)
    reader = VideoReader(path)
    frames = list(reader)
    assert 85 <= len(frames) <= 120 and reader.lost + len(frames) == pytest.approx(120, abs=1 if suffix == "mkv" else 0)
    assert all(f.pts == whole[f.index][0] for f in frames if suffix == "mp4")
    same = [f.index for f in frames if np.array_equal(f.image, whole[f.index][1])] if suffix == "mp4" else range(119)
    assert {*range(40), *range(100, 119)} <= set(same)
    if suffix == "mp4":
        later = VideoReader(path, 90)
        assert [(f.index, f.pts) for f in later] == [(f.index, f.pts) for f in frames if f.index >= 90]
        assert later.lost == 120 - 90 - sum(f.index >= 90 for f in frames)


def test_files_that_are_no_videos(tmp_path):
    def bad(name: str, content: bytes | None, match: str):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        for call in (probe, VideoReader, open_frames):
            with pytest.raises(UnreadableMediaError, match=match) as caught:
                call(path)
            assert str(path) in str(caught.value)

    bad("missing.mp4", None, "no file")
    bad("empty.mp4", b"", "0 bytes")
    bad("text.mp4", b"This is a letter, not a film.\n" * 50, "cannot be opened|not a video")
    bad("text.txt", b"This is a letter, not a film.\n" * 50, "cannot be opened|not a video")
    bad("noise.mov", np.random.default_rng(0).bytes(5000), "cannot be opened|no video")
    bad(
        "list.m3u8",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://example.org/a.ts\n",
        "cannot be opened|not a video",
    )
    bad("list.ffconcat", b"ffconcat version 1.0\nfile 'missing.mp4'\n", "cannot be opened|not a video")
    with pytest.raises(UnreadableMediaError, match="is a folder"):
        probe(tmp_path)
    (tmp_path / "void").mkdir()
    with pytest.raises(UnreadableMediaError, match="no pictures"):
        open_frames(tmp_path / "void")


def test_sound_alone_is_no_video(tmp_path):
    both = add_sound(make_clip(tmp_path / "v.mp4", count=3), tmp_path / "s.mp4")
    with av.open(str(both)) as source, av.open(str(tmp_path / "a.m4a"), "w") as sink:
        copy = sink.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = copy
                sink.mux(packet)
    with pytest.raises(UnreadableMediaError, match=r"a\.m4a.*no video stream, only audio"):
        probe(tmp_path / "a.m4a")


def test_a_video_without_its_index(tmp_path):
    path = make_clip(tmp_path / "a.mp4", faststart=False)
    path.write_bytes(path.read_bytes()[:-800])
    with pytest.raises(UnreadableMediaError, match=r"a\.mp4.*no index.*cut off"):
        probe(path)


def test_a_video_without_one_good_frame(tmp_path):
    path = make_clip(tmp_path / "a.mp4", count=5)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    with pytest.raises(UnreadableMediaError, match="no frame that can be decoded"):
        probe(path)


def test_an_unknown_codec(tmp_path):
    path = make_clip(tmp_path / "a.mp4", count=3)
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz9").replace(b"avcC", b"zzzC"))
    with pytest.raises(UnreadableMediaError, match=r"codec|no frame"):
        probe(path)


def full_disk(*args):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_at_the_end_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OutputError, match=r"a\.mp4.*no space"):
        make_clip(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_real_refusal_while_encoding_is_an_output_error(tmp_path):
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    rng = np.random.default_rng(0)
    try:
        with pytest.raises(OutputError, match=r"a\.mp4"), VideoWriter(tmp_path / "a.mp4", 96, 64, crf=1) as writer:
            for index in range(200):
                writer.write(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), Fraction(index, 25))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_outputs_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="not a folder"):
        VideoWriter(tmp_path / "file" / "a.mp4", 96, 64)
    plate = make_clip(tmp_path / "plate.mp4", count=3)
    with pytest.raises(OutputError, match="also an input"):
        VideoWriter(plate, 96, 64, audio_from=plate)


def test_an_error_in_the_work_leaves_the_old_video(tmp_path):
    path = make_clip(tmp_path / "a.mp4", count=3)
    old = path.read_bytes()
    with pytest.raises(ZeroDivisionError), VideoWriter(path, 96, 64) as writer:
        writer.write(picture(0), Fraction(0))
        1 / 0  # noqa: B018
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_change_of_size_is_an_error_that_says_where(tmp_path, monkeypatch):
    path = make_clip(tmp_path / "a.mp4", count=5)
    reader = VideoReader(path)
    object.__setattr__(reader.info, "height", 32)
    with pytest.raises(UnreadableMediaError, match="changes its picture size at frame 0"):
        next(reader)


def test_closing_early_lets_go(tmp_path):
    path = make_clip(tmp_path / "a.mp4")
    with VideoReader(path) as reader:
        assert next(reader).index == 0
    assert list(reader) == []
    held = [str(entry.resolve()) for entry in Path("/proc/self/fd").iterdir()]
    assert str(path) not in held
