from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from video_fixtures import picture

from konterfei.errors import UnreadableMediaError
from konterfei.io.images import write_image
from konterfei.io.sequence import folder_of, numbered
from konterfei.io.video import ImageSequenceReader, VideoReader, VideoWriter, open_frames


@pytest.mark.parametrize("name", ["frames", "frames/shot_v2.%04d.png"])
def test_pictures_are_read_as_frames(tmp_path, name):
    target = tmp_path / name
    for index in range(12):
        write_image(tmp_path / "frames" / f"shot_v2.{index:04d}.png", picture(index))
    with open_frames(target, fps=Fraction(24000, 1001)) as reader:
        frames = list(reader)
    assert [f.index for f in frames] == list(range(12)) and reader.lost == 0
    assert frames[3].pts == Fraction(3 * 1001, 24000) and frames[3].duration == Fraction(1001, 24000)
    assert all(np.array_equal(f.image, picture(f.index)) for f in frames)
    assert reader.info.num_frames == 12 and (reader.info.width, reader.info.height) == (96, 64)
    assert [f.index for f in open_frames(target, 3, 5)] == [3, 4]


def test_order_follows_numbers_not_letters(tmp_path):
    for number in (10, 9, 100, 2):
        write_image(tmp_path / f"f{number}.png", np.full((4, 4, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    assert [int(f.image[0, 0, 0]) for f in open_frames(tmp_path)] == [2, 9, 10, 100]


def test_a_damaged_picture_is_counted_and_leaves_a_gap(tmp_path):
    for index in range(4):
        write_image(tmp_path / f"{index}.jpg", picture(index))
    (tmp_path / "2.jpg").write_bytes((tmp_path / "2.jpg").read_bytes()[:400])
    reader = ImageSequenceReader(tmp_path)
    assert [f.index for f in reader] == [0, 1, 3]
    assert reader.lost == 1 and [p.name for p in reader.lost_files] == ["2.jpg"]


def test_what_cannot_be_a_sequence(tmp_path):
    with pytest.raises(UnreadableMediaError, match="no pictures"):
        open_frames(tmp_path)
    with pytest.raises(UnreadableMediaError, match="no folder"):
        open_frames(tmp_path / "none" / "a.%d.png")
    write_image(tmp_path / "0.png", picture(0))
    write_image(tmp_path / "1.png", picture(0, 80, 64))
    with pytest.raises(UnreadableMediaError, match=r"1\.png.*80 x 64"):
        list(open_frames(tmp_path))
    for name in ("0.png", "1.png"):
        (tmp_path / name).write_bytes(b"rubbish")
    with pytest.raises(UnreadableMediaError, match="Not one of the 2"):
        open_frames(tmp_path)


def test_a_sequence_becomes_a_video(tmp_path):
    for index in range(5):
        write_image(tmp_path / "in" / f"{index}.png", picture(index))
    reader = open_frames(tmp_path / "in", fps=24)
    with VideoWriter.like(reader.info, tmp_path / "out.mp4", preset="ultrafast", crf=5) as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts, frame.duration)
    back = list(VideoReader(tmp_path / "out.mp4"))
    assert [f.pts for f in back] == [Fraction(i, 24) for i in range(5)]
    assert all(np.abs(f.image.astype(int) - picture(f.index)).mean() < 3 for f in back)


@pytest.mark.parametrize(
    ("pattern", "name"), [("a.%06d.png", "a.000007.png"), ("%d.tif", "7.tif"), ("x%03d_%s.png", "x007_%s.png")]
)
def test_a_pattern_with_its_number_filled_in(tmp_path, pattern, name):
    assert numbered(pattern, 7) == name
    assert folder_of(tmp_path / pattern) == tmp_path and folder_of(tmp_path) == tmp_path
