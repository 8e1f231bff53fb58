"""Every kind of real clip in the shared folder: read, written, read again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from konterfei.errors import UnreadableMediaError
from konterfei.io.video import VideoReader, VideoWriter, join, probe, read_ahead

pytestmark = pytest.mark.media

CLIPS = {
    "asl_again.mkv": (77, 640, 480, False),
    "clm_cap13.mp4": (765, 400, 300, False),
    "crowd_facenet.mp4": (105, 1920, 1080, False),
    "echomimic_a.mp4": (288, 512, 512, False),
    "faceswap_test_henry8.mp4": (91, 426, 240, False),
    "grid_bbaf2n.mpg": (75, 360, 288, False),
    "lp_d6.mp4": (1008, 480, 480, False),
    "lp_d9.mp4": (587, 512, 480, False),
    "pyfeat_face_noface.mov": (169, 960, 540, True),
    "pyfeat_no_face.mp4": (95, 960, 540, False),
    "pyfeat_noface_face.mov": (169, 960, 540, True),
    "pyfeat_single_face.mp4": (72, 640, 360, False),
    "retalk_1_vfr.mp4": (135, 700, 700, True),
    "xportrait_driving.mp4": (60, 512, 512, False),
}
"""Name: frames, width, height, variable frame rate; counted in listings of the packets."""


def sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        streams = container.streams.audio
        return (
            [(p.pts * Fraction(p.time_base), bytes(p)) for p in container.demux(streams[0]) if p.size]
            if streams
            else []
        )


@pytest.mark.parametrize("name", CLIPS)
def test_probe(media, name):
    info = probe(media(name))
    assert (info.num_frames, info.width, info.height, info.is_vfr) == CLIPS[name]


def test_tags_and_pixel_shape(media):
    info = probe(media("lp_d9.mp4"))
    assert (info.color.primaries, info.color.transfer, info.color.matrix) == (1, 1, 1)
    assert info.sample_aspect == Fraction(15, 16)
    assert probe(media("asl_again.mkv")).color.range == 2


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("retalk_1_vfr.mp4", ".mp4"),
        ("pyfeat_face_noface.mov", ".mov"),
        ("pyfeat_no_face.mp4", ".mp4"),
        ("grid_bbaf2n.mpg", ".mp4"),
        ("asl_again.mkv", ".mov"),
        ("lp_d18.mp4", ".mp4"),
    ],
)
def test_there_and_back(media, tmp_path, name, suffix):
    """Same frames, same times, same last length; sound untouched and in step; picture close."""
    plate, path = media(name), tmp_path / f"out{suffix}"
    reader = VideoReader(plate)
    times, last, sample = [], None, {}
    with VideoWriter.like(reader.info, path, audio_from=plate, preset="ultrafast", crf=12) as writer:
        for frame in read_ahead(reader):
            times.append(frame.pts)
            last = frame.duration
            writer.write(frame.image, frame.pts, frame.duration)
            if frame.index % 25 == 0:
                sample[frame.index] = frame.image
    assert writer.notes == [] and reader.lost == reader.damaged == 0
    back = VideoReader(path)
    seen, duration = [], None
    for frame in back:
        seen.append(frame.pts)
        duration = frame.duration
        if frame.index in sample:
            assert np.abs(frame.image.astype(int) - sample[frame.index]).mean() < 2
    assert seen == times and duration == last and back.lost == 0
    before, after = sound_of(plate), sound_of(path)
    assert [d for _, d in before] == [d for _, d in after]
    assert all(abs(a - b) < Fraction(1, 10_000) for (a, _), (b, _) in zip(before, after, strict=True))
    assert back.info.sample_aspect == reader.info.sample_aspect
    assert (back.info.color.matrix, back.info.color.range == 2) == (
        reader.info.color.matrix,
        reader.info.color.range == 2,
    )


@pytest.mark.parametrize(
    "name", ["faceswap_test_henry8.mp4", "retalk_1_vfr.mp4", "pyfeat_noface_face.mov", "grid_bbaf2n.mpg"]
)
def test_starting_in_the_middle(media, name):
    path = media(name)
    full = {f.index: (f.pts, f.image[::8, ::8].tobytes()) for f in VideoReader(path)}
    count = len(full)
    assert list(full) == list(range(count))
    for start in (1, count // 2, count - 3):
        got = [(f.index, f.pts, f.image[::8, ::8].tobytes()) for f in VideoReader(path, start, start + 3)]
        assert got == [(i, *full[i]) for i in range(start, min(start + 3, count))]


@pytest.mark.parametrize("name", ["asl_bird.mkv", "xportrait_driving.mp4", "lp_s18.mp4"])
def test_half_a_file_gives_about_half_the_frames(media, tmp_path, name):
    plate = media(name)
    whole = probe(plate).num_frames
    path = tmp_path / plate.name
    path.write_bytes(plate.read_bytes()[: plate.stat().st_size // 2])
    reader = VideoReader(path)
    given = sum(1 for _ in reader)
    assert 0.3 * whole < given < 0.7 * whole
    assert given + reader.lost == pytest.approx(whole, abs=2)


def test_half_a_file_whose_index_is_at_the_end(media, tmp_path):
    plate = media("lp_d18.mp4")
    (tmp_path / "a.mp4").write_bytes(plate.read_bytes()[: plate.stat().st_size // 2])
    with pytest.raises(UnreadableMediaError, match="no index"):
        probe(tmp_path / "a.mp4")


def test_segments_of_a_variable_rate_clip_are_joined(media, tmp_path):
    plate = media("retalk_1_vfr.mp4")
    parts = []
    for start in range(0, 135, 48):
        reader = VideoReader(plate, start, start + 48)
        parts.append(tmp_path / f"{start}.mp4")
        with VideoWriter.like(reader.info, parts[-1], preset="veryfast", faststart=False) as writer:
            for frame in reader:
                writer.write(frame.image, frame.pts, frame.duration)
    assert join(parts, tmp_path / "out.mp4", plate) == []
    assert [f.pts for f in VideoReader(tmp_path / "out.mp4")] == [f.pts for f in VideoReader(plate)]
    assert sound_of(tmp_path / "out.mp4") == sound_of(plate)
