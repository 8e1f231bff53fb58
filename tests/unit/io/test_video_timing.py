"""Times, sound, seeking and joining are exact."""

from __future__ import annotations

import threading
import time
from fractions import Fraction

import numpy as np
import pytest
from video_fixtures import add_sound, make_clip, picture, sound_of

from konterfei.errors import ConfigError, DamagedFileError, EncodeError, OutputError, UnknownNameError
from konterfei.io.video import VideoReader, VideoWriter, join, probe, read_ahead

UNEVEN = [Fraction(t, 12800) for t in (512, 1024, 1500, 4000, 4001, 9000, 9512, 20000, 20512, 21024, 30000, 30001)]
FILM = [Fraction(1001 * i, 24000) for i in range(12)]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
@pytest.mark.parametrize(
    "times", [UNEVEN, FILM, [Fraction(10**6 + i, 30) for i in range(12)]], ids=["vfr", "film", "late"]
)
def test_times_are_exact(tmp_path, times, suffix):
    path = make_clip(
        tmp_path / f"a{suffix}",
        times,
        preset="medium",
        time_base=None if times is FILM else Fraction(1, 38400),
        fps_hint=Fraction(24000, 1001) if times is FILM else 30,
    )
    frames = list(VideoReader(path))
    assert [f.pts for f in frames] == times
    assert [f.index for f in frames] == list(range(len(times)))
    assert probe(path).is_vfr == (times is UNEVEN) and probe(path).num_frames == len(times)


def test_matroska_rounds_to_milliseconds(tmp_path):
    frames = list(VideoReader(make_clip(tmp_path / "a.mkv", UNEVEN[:4] + UNEVEN[5:-1])))
    assert max(abs(f.pts - t) for f, t in zip(frames, UNEVEN[:4] + UNEVEN[5:-1], strict=True)) <= Fraction(1, 2000)


def test_the_last_frame_keeps_its_length(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 96, 64, preset="medium", time_base=Fraction(1, 12800)) as writer:
        for index in range(5):
            writer.write(picture(index), Fraction(index, 25), Fraction(2) if index == 4 else None)
    assert list(VideoReader(tmp_path / "a.mp4"))[-1].duration == 2


@pytest.mark.parametrize(("codec", "source", "target"), [
    ("aac", "s.mp4", "o.mp4"), ("aac", "s.mp4", "o.mov"), ("aac", "s.mp4", "o.mkv"), ("aac", "s.mkv", "o.mp4"),
    ("pcm_s16le", "s.mov", "o.mov"), ("libmp3lame", "s.mkv", "o.mp4"), ("mp2", "s.mkv", "o.mp4"),
    ("libopus", "s.mkv", "o.mp4"),
])  # fmt: skip
def test_sound_is_copied_untouched(tmp_path, codec, source, target):
    silent = make_clip(tmp_path / "v.mp4", count=25)
    plate = add_sound(silent, tmp_path / source, codec, rate=48000)
    reader = VideoReader(plate)
    with VideoWriter.like(reader.info, tmp_path / target, audio_from=plate, preset="ultrafast") as writer:
        pts = [(writer.write(f.image, f.pts, f.duration), f.pts)[1] for f in reader]
    before, after = sound_of(plate), sound_of(tmp_path / target)
    assert len(before) > 20 and [data for _, data in before] == [data for _, data in after]
    assert writer.notes == []
    shown = [f.pts for f in VideoReader(tmp_path / target)]
    shift = {(b - a) for (a, _), (b, _) in zip(before, after, strict=True)}
    picture_shift = {b - a for a, b in zip(pts, shown, strict=True)}
    if target.endswith(".mkv"):  # milliseconds, and moved together
        assert max(shift | picture_shift) - min(shift | picture_shift) <= Fraction(2, 1000)
    else:
        assert picture_shift == {0} and max(map(abs, shift)) <= Fraction(1, 48000)


def test_sound_that_the_container_cannot_hold_becomes_aac_and_that_is_said(tmp_path):
    plate = add_sound(make_clip(tmp_path / "v.mp4", count=25), tmp_path / "s.mkv", "wavpack")
    make_clip(tmp_path / "o.mp4", count=25, audio_from=plate)
    assert probe(tmp_path / "o.mp4").audio_codecs == ("aac",)
    with VideoWriter(tmp_path / "p.mp4", 96, 64, audio_from=plate, preset="ultrafast") as writer:
        for index in range(25):
            writer.write(picture(index), Fraction(index, 25))
    assert "encoded again as AAC" in writer.notes[0] and "wavpack" in writer.notes[0]
    length = sound_of(tmp_path / "p.mp4")[-1][0]
    assert 0.9 < length < 1.1
    make_clip(tmp_path / "o.mkv", count=25, audio_from=plate)
    assert [d for _, d in sound_of(tmp_path / "o.mkv")] == [d for _, d in sound_of(plate)]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_starting_in_the_middle_gives_the_same_frames(tmp_path, suffix, monkeypatch):
    times = [Fraction(i * 40 + 13 * (i % 3), 1000) for i in range(700)]  # x264 sets a key frame every 250
    path = make_clip(
        tmp_path / f"a{suffix}", times, width=48, height=32, preset="veryfast", time_base=Fraction(1, 1000)
    )
    full = [(f.index, f.pts, f.image.tobytes()) for f in VideoReader(path)]
    assert [f[1] for f in full] == times
    for start in (0, 1, 249, 250, 251, 499, 500, 640, 699, 700):
        assert [(f.index, f.pts, f.image.tobytes()) for f in VideoReader(path, start, start + 3)] == full[
            start : start + 3
        ]
    decoded = []
    real = VideoReader._time
    monkeypatch.setattr(VideoReader, "_time", lambda *args: (decoded.append(1), real(*args))[1])
    reader = VideoReader(path, 690)
    assert len(list(reader)) == 10 and reader.lost == 0
    assert len(decoded) < 500  # went to a key frame, not through the whole clip


def test_parts_are_joined_exactly(tmp_path):
    times = [
        Fraction(t, 12800) for t in np.cumsum(np.random.default_rng(1).choice([256, 512, 3000, 7000], 60)).tolist()
    ]
    plate = add_sound(make_clip(tmp_path / "v.mp4", times), tmp_path / "s.mp4", seconds=5)
    parts, pictures = [], []
    for first in range(0, 60, 13):
        parts.append(tmp_path / f"part{first}.mp4")
        with VideoWriter(parts[-1], 96, 64, time_base=Fraction(1, 12800), preset="medium", faststart=False) as writer:
            for index in range(first, min(first + 13, 60)):
                writer.write(picture(index), times[index])
        pictures += [f.image for f in VideoReader(parts[-1])]
    assert join(parts, tmp_path / "all.mp4", plate) == []
    frames = list(VideoReader(tmp_path / "all.mp4"))
    assert [f.pts for f in frames] == times
    assert all(np.array_equal(f.image, p) for f, p in zip(frames, pictures, strict=True))
    assert sound_of(tmp_path / "all.mp4") == sound_of(plate)
    assert [f.index for f in VideoReader(tmp_path / "all.mp4", 40)] == list(range(40, 60))


def test_parts_that_do_not_fit_are_refused(tmp_path):
    first = make_clip(tmp_path / "1.mp4", [Fraction(i, 25) for i in range(5)])
    later = [Fraction(i, 25) for i in range(5, 10)]
    with pytest.raises(EncodeError, match=r"2\.mp4.*other settings"):
        join([first, make_clip(tmp_path / "2.mp4", later, width=64)], tmp_path / "o.mp4")
    with pytest.raises(EncodeError, match="before the part before it ends"):
        join([first, first], tmp_path / "o.mp4")
    (tmp_path / "3.mp4").write_bytes(first.read_bytes()[:-200])
    with pytest.raises(OutputError, match="also an input"):
        join([first], first)
    assert not (tmp_path / "o.mp4").exists()


def test_a_part_without_key_frame_is_damaged(tmp_path, monkeypatch):
    part = make_clip(tmp_path / "1.mp4")
    import konterfei.io.video_join as module

    real = module.packets
    monkeypatch.setattr(module, "packets", lambda *args: (p for i, p in enumerate(real(*args)) if i))
    with pytest.raises(DamagedFileError, match="key frame"):
        join([part], tmp_path / "o.mp4")


def test_writer_refuses_nonsense(tmp_path):
    with pytest.raises(OutputError, match=r"\.avi"):
        VideoWriter(tmp_path / "a.avi", 96, 64)
    with pytest.raises(UnknownNameError, match="h264"):
        VideoWriter(tmp_path / "a.mp4", 96, 64, codec="h265")
    with pytest.raises(EncodeError, match="not one frame"), VideoWriter(tmp_path / "a.mp4", 96, 64):
        pass
    with pytest.raises(EncodeError, match="does not come after"), VideoWriter(tmp_path / "a.mp4", 96, 64) as writer:
        writer.write(picture(0), Fraction(1))
        writer.write(picture(0), Fraction(1))
    with pytest.raises(ValueError, match="expected"), VideoWriter(tmp_path / "a.mp4", 96, 64) as writer:
        writer.write(picture(0)[:-1], Fraction(1))
    with pytest.raises(ConfigError, match="veryfast"):
        VideoWriter(tmp_path / "a.mp4", 96, 64, preset="warp9")
    assert list(tmp_path.iterdir()) == []


def test_read_ahead_is_bounded_ordered_and_ends():
    made = []

    def source():
        for number in range(100):
            made.append(number)
            yield number

    before = set(threading.enumerate())
    stream = read_ahead(source(), size=3)
    assert [next(stream) for _ in range(5)] == list(range(5))
    time.sleep(0.2)
    assert len(made) <= 5 + 3 + 1
    (worker,) = set(threading.enumerate()) - before
    stream.close()
    assert not worker.is_alive()
    assert list(read_ahead(range(50), size=2)) == list(range(50))


def test_read_ahead_raises_what_went_wrong_in_its_place():
    closed = []

    def source():
        try:
            yield 1
            raise OutputError("the disk is full")
        finally:
            closed.append(True)

    stream = read_ahead(source())
    assert next(stream) == 1
    with pytest.raises(OutputError, match="full"):
        next(stream)
    assert closed == [True]
    with pytest.raises(ZeroDivisionError):
        for _ in read_ahead(iter(range(9))):
            1 / 0  # noqa: B018
