"""Whole pictures out of fields: as many as frames, under the same numbers."""

from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from konterfei.io.video import VideoReader, probe

SIZE = (96, 64)
SPEED = 6  # pixels from one field to the next


def at(field):
    """A bar that moves from field to field."""
    image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    left = 8 + SPEED * field
    image[16:48, left : left + 20] = 200
    return image


def woven(index):
    image = at(2 * index)
    image[1::2] = at(2 * index + 1)[1::2]
    return image


@pytest.fixture
def fields(tmp_path):
    path = tmp_path / "fields.mkv"
    graph = av.filter.Graph()  # the only way to say which field comes first
    source = graph.add_buffer(None, *SIZE, av.VideoFormat("yuv422p", *SIZE), None, Fraction(1, 25))
    order, sink = graph.add("setfield", "tff"), graph.add("buffersink")
    source.link_to(order)
    order.link_to(sink)
    graph.configure()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options={"b": "20M", "g": "3", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv422p"
        stream.codec_context.flags |= av.codec.context.Flags.interlaced_dct
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(woven(index), "rgb24").reformat(format="yuv422p")
            frame.pts = index
            graph.push(frame)
            container.mux(stream.encode(graph.pull()))
        container.mux(stream.encode(None))
    return path


def combs(image):
    """How much neighbouring lines differ, less than those two apart: high where fields of two moments are woven."""
    lines = image[16:48].astype(float)
    return np.abs(lines[1:-1] - lines[2:]).mean() - np.abs(lines[2:] - lines[:-2]).mean()


def test_pictures_are_whole_and_of_the_first_field(fields):
    assert probe(fields).is_interlaced
    raw, whole = list(VideoReader(fields)), list(VideoReader(fields, deinterlace=True))
    assert [(f.index, f.pts) for f in raw] == [(f.index, f.pts) for f in whole]
    assert len(whole) == 6
    for frame, before in zip(whole[1:-1], raw[1:-1], strict=True):
        assert combs(before.image) > 10 > abs(combs(frame.image))
        away = np.abs(frame.image.astype(int) - at(2 * frame.index))
        assert away.mean() < 4


@pytest.mark.parametrize("start", [1, 3, 5])
def test_reading_from_the_middle_gives_the_same_pictures(fields, start):
    whole = list(VideoReader(fields, deinterlace=True))
    later = list(VideoReader(fields, start=start, stop=start + 1, deinterlace=True))
    assert [frame.index for frame in later] == [start]
    assert np.array_equal(later[0].image, whole[start].image)
