"""Colours, bit depth, pixel shape and orientation survive writing and reading."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from video_fixtures import make_clip, picture, set_matrix

from konterfei.errors import UnreadableMediaError
from konterfei.io import video_frames
from konterfei.io.video import BT709, ColorTags, VideoReader, VideoWriter, probe

RED = (200, 30, 30)
UNTAGGED = ColorTags()
LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}  # Kr, Kb: BT.709, BT.601, BT.2020


def luma_of(matrix: int, full: bool) -> float:
    red, blue = LUMA[matrix]
    level = red * RED[0] + blue * RED[2] + (1 - red - blue) * RED[1]
    return level if full else 16 + level * 219 / 255


@pytest.mark.parametrize(
    ("size", "untagged_means"), [((320, 240), 6), ((1280, 720), 1), ((720, 1280), 1), ((720, 576), 6)]
)
@pytest.mark.parametrize(
    "color",
    [UNTAGGED, BT709, ColorTags(6, 6, 6, 1), ColorTags(9, 14, 9, 1), ColorTags(2, 2, 2, 2), ColorTags(6, 6, 6, 2)],
)
def test_a_flat_colour_survives_and_its_yuv_is_the_right_one(tmp_path, color, size, untagged_means):
    path = tmp_path / "a.mp4"
    image = np.full((size[1], size[0], 3), RED, np.uint8)
    with VideoWriter(path, *size, color=color, crf=10, preset="ultrafast") as writer:
        writer.write(image, Fraction(0))
    with av.open(str(path)) as container:
        raw = next(container.decode(video=0)).to_ndarray()
    expected = luma_of(untagged_means if color.matrix == 2 else color.matrix, color.range == 2)
    assert abs(float(raw[: size[1]].mean()) - expected) < 1.5
    reader = VideoReader(path)
    back = next(reader).image
    assert np.abs(back.astype(int) - image).max() <= 3
    got = reader.info.color
    assert (got.primaries, got.transfer, got.matrix) == (color.primaries, color.transfer, color.matrix)
    assert (got.range == 2) == (color.range == 2)


def test_generations_do_not_drift(tmp_path):
    """Lossless coding shows the conversion alone: doing it twice is the same as once, to a level here and there."""
    first, second = tmp_path / "1.mp4", tmp_path / "2.mp4"
    make_clip(first, count=3, width=320, height=180, crf=0)
    frames = [f.image for f in VideoReader(first)]
    with VideoWriter(second, 320, 180, crf=0, preset="ultrafast") as writer:
        for index, image in enumerate(frames):
            writer.write(image, Fraction(index, 25))
    for before, after in zip(frames, VideoReader(second), strict=True):
        difference = np.abs(before.astype(int) - after.image)
        assert difference.max() <= 3 and difference.mean() < 0.01


def test_ten_bits_in_and_out(tmp_path):
    path = tmp_path / "a.mp4"
    ramp = np.linspace(8000, 56000, 640, dtype=np.uint16)
    image = np.repeat(np.repeat(ramp[None, :, None], 64, 0), 3, 2)
    with VideoWriter(path, 640, 64, color=BT709, crf=0, preset="ultrafast") as writer:
        for index in range(3):
            writer.write(image, Fraction(index, 25))
    info = probe(path)
    assert info.bit_depth == 10 and info.pixel_format == "yuv420p10le"
    deep = next(VideoReader(path, deep=True)).image
    assert deep.dtype == np.uint16 and np.abs(deep.astype(int) - image).max() <= 3 * 64
    assert len(np.unique(deep[0, :, 1])) > 450  # 8 bits could show 188 levels of this ramp
    plain = next(VideoReader(path)).image
    assert plain.dtype == np.uint8 and np.abs(plain.astype(int) - image / 257).max() <= 3


@pytest.mark.parametrize("size", [(101, 64), (96, 75), (101, 75)])
def test_odd_sizes_keep_every_pixel(tmp_path, size):
    path = tmp_path / "a.mp4"
    with VideoWriter(path, *size, crf=6, preset="ultrafast") as writer:
        for index in range(3):
            writer.write(picture(index, *size), Fraction(index, 25))
    assert "4:4:4" in writer.notes[0]
    frames = list(VideoReader(path))
    assert len(frames) == 3
    for frame in frames:
        assert frame.image.shape == (size[1], size[0], 3)
        assert np.abs(frame.image.astype(int) - picture(frame.index, *size)).mean() < 1.5


def test_pixel_shape_is_kept(tmp_path):
    make_clip(tmp_path / "a.mp4", count=2, sample_aspect=Fraction(16, 15))
    assert probe(tmp_path / "a.mp4").sample_aspect == Fraction(16, 15)
    set_matrix(tmp_path / "a.mp4", (0, 1, -1, 0))
    assert probe(tmp_path / "a.mp4").sample_aspect == Fraction(15, 16)


QUARTERS = [
    ((1, 0, 0, 1), 0, False),
    ((0, 1, -1, 0), 90, False),
    ((-1, 0, 0, -1), 180, False),
    ((0, -1, 1, 0), 270, False),
    ((-1, 0, 0, 1), 0, True),
    ((1, 0, 0, -1), 180, True),
    ((0, 1, 1, 0), 90, True),
    ((0, -1, -1, 0), 270, True),
]


@pytest.mark.parametrize(("matrix", "degrees", "mirrored"), QUARTERS)
def test_pictures_are_turned_as_the_display_matrix_says(tmp_path, matrix, degrees, mirrored):
    """Each corner's colour must be found where x' = a x + c y, y' = b x + d y puts that corner."""
    path = tmp_path / "a.mp4"
    corners = {(-1, -1): (220, 40, 40), (1, -1): (40, 200, 40), (-1, 1): (40, 40, 220), (1, 1): (210, 210, 60)}
    image = np.zeros((64, 96, 3), np.uint8)
    for (x, y), color in corners.items():
        image[slice(0, 32) if y < 0 else slice(32, 64), slice(0, 48) if x < 0 else slice(48, 96)] = color
    with VideoWriter(path, 96, 64, crf=10, preset="ultrafast") as writer:
        writer.write(image, Fraction(0))
    set_matrix(path, matrix)
    reader = VideoReader(path)
    assert (reader.info.rotation, reader.info.mirrored) == (degrees, mirrored)
    shown = next(reader).image
    height, width = shown.shape[:2]
    assert (width, height) == (reader.info.width, reader.info.height) == ((64, 96) if degrees % 180 else (96, 64))
    a, b, c, d = matrix
    for (x, y), color in corners.items():
        right, down = a * x + c * y, b * x + d * y
        got = shown[8 if down < 0 else height - 8, 8 if right < 0 else width - 8]
        assert np.abs(got.astype(int) - color).max() <= 4, (x, y)


def test_other_angles_are_refused(tmp_path):
    make_clip(tmp_path / "a.mp4", count=2)
    set_matrix(tmp_path / "a.mp4", (0.9659, 0.2588, -0.2588, 0.9659))
    with pytest.raises(UnreadableMediaError, match=r"a\.mp4.*turned by -?1[45] degrees.*upright"):
        probe(tmp_path / "a.mp4")


def test_interlaced_and_hdr_material_is_pointed_out(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": "interlaced=1:tff=1"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for index in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index))))
        container.mux(stream.encode(None))
    assert any("interlaced" in line for line in probe(path).warnings)
    assert [f.index for f in VideoReader(path)] == [0, 1, 2, 3]
    make_clip(tmp_path / "hdr.mp4", count=2, color=ColorTags(9, 16, 9, 1))
    assert any("HDR" in line for line in probe(tmp_path / "hdr.mp4").warnings)
    assert probe(make_clip(tmp_path / "plain.mp4", count=2)).warnings == ()


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", ["yuv420p", "yuv422p", "yuv444p", "nv12", "yuv420p10le", "yuv422p10le", "yuv444p12le"])
@pytest.mark.parametrize("tags", [ColorTags(1, 1, 1, 1), ColorTags(6, 6, 6, 2), ColorTags(9, 16, 9, 1)])
def test_planes_are_what_swscale_makes_of_pixels(name, deep, tags):
    """RGB comes by way of planes, since that is faster; the values are the same."""
    chance = np.random.RandomState(3)
    coarse = cv2.resize(chance.randint(0, 256, (9, 13, 3)).astype(np.uint8), (102, 70), interpolation=cv2.INTER_CUBIC)
    frame = av.VideoFrame.from_ndarray(coarse, "rgb24").reformat(format=name)
    matrix = {1: 1, 6: 5, 9: 9}[tags.matrix]
    pixels = frame.reformat(
        format="rgb48le" if deep else "rgb24", src_colorspace=matrix, dst_colorspace=matrix, src_color_range=tags.range,
        dst_color_range=2, interpolation=video_frames._QUALITY, threads=1,
    )  # fmt: skip
    assert np.array_equal(video_frames.rgb_from_frame(frame, tags, deep), pixels.to_ndarray())
