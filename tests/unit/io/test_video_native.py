"""What nobody touches leaves as it came: samples, not colours, are compared."""

import av
import numpy as np
import pytest
from video_fixtures import make_clip, set_matrix

from konterfei.io.video import ColorTags, VideoReader, VideoWriter
from konterfei.io.video_native import plane_of

SIZE = (200, 120)
FACE = (slice(33, 71), slice(51, 103))  # odd borders: chroma cells are cut
SIGN = (slice(4, 13), slice(150, 190))


def noisy_plate(path, pixel_format, tags=None, count=3):
    """Samples without any order, the hardest to bring through RGB and back; lossless."""
    rng = np.random.default_rng(5)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=25, options={"crf": "0"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, pixel_format
        context = stream.codec_context
        tags = tags or ColorTags(1, 1, 1, 1)
        context.color_primaries, context.color_trc = tags.primaries, tags.transfer
        context.colorspace, context.color_range = tags.matrix, tags.range
        for index in range(count):
            frame = av.VideoFrame(*SIZE, pixel_format)
            bits = frame.format.components[0].bits
            for number, plane in enumerate(frame.planes):
                low, high = (16, 235) if number == 0 else (64, 192)  # mostly colours that RGB can hold
                shape = plane_of(plane, np.uint8 if bits == 8 else np.uint16).shape
                samples = rng.integers(low << (bits - 8), high << (bits - 8), shape)
                plane_of(plane, np.uint8 if bits == 8 else np.uint16)[:] = samples
            frame.pts = index
            frame.color_range, frame.colorspace = tags.range, tags.matrix
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def samples_of(path):
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            item = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
            yield [plane_of(plane, item).copy() for plane in frame.planes]


def changed_picture(frame, regions):
    image = frame.image.copy()
    for number, region in enumerate(regions):
        image[region] = image[region] // 2 + (60, 20, 40)[number]
    return image


FORMATS = ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv420p12le"]


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("tags", [ColorTags(1, 1, 1, 1), ColorTags(9, 16, 9, 1), ColorTags(1, 1, 1, 2)], ids=str)
def test_samples_outside_what_was_drawn_are_those_of_the_plate(tmp_path, pixel_format, tags):
    plate = noisy_plate(tmp_path / "plate.mkv", pixel_format, tags)
    result = tmp_path / "result.mkv"
    reader = VideoReader(plate, deep=not pixel_format.endswith("p"), native=True)
    with VideoWriter.like(reader.info, result, codec="ffv1") as writer:
        for frame in reader:
            image = frame.image if frame.index == 0 else changed_picture(frame, [FACE, SIGN][: frame.index])
            writer.write(image, frame.pts, plate=frame)
    for index, (before, after) in enumerate(zip(samples_of(plate), samples_of(result), strict=True)):
        for plane, (a, b) in enumerate(zip(before, after, strict=True)):
            across, down = SIZE[0] // a.shape[1], SIZE[1] // a.shape[0]
            touched = np.zeros((SIZE[1], SIZE[0]), bool)
            for region in [FACE, SIGN][:index]:
                touched[region] = True
            cells = touched.reshape(a.shape[0], down, a.shape[1], across).any(axis=(1, 3))
            assert np.array_equal(a[~cells], b[~cells])
            if index and plane == 0:
                assert (a[cells] != b[cells]).mean() > 0.9


def test_drawn_pixels_look_as_when_the_whole_picture_is_converted(tmp_path):
    plate = noisy_plate(tmp_path / "plate.mkv", "yuv420p")
    for name, kept in (("kept.mkv", True), ("converted.mkv", False)):
        reader = VideoReader(plate, native=kept)
        with VideoWriter.like(reader.info, tmp_path / name, codec="ffv1") as writer:
            for frame in reader:
                writer.write(changed_picture(frame, [FACE]), frame.pts, plate=frame if kept else None)
    kept, converted = (list(samples_of(tmp_path / name)) for name in ("kept.mkv", "converted.mkv"))
    for a, b in zip(kept, converted, strict=True):
        assert np.array_equal(a[0][FACE], b[0][FACE])
        inside = slice(18, 35), slice(27, 51)  # chroma cells that lie wholly in the face
        for plane in (1, 2):
            assert np.abs(a[plane][inside].astype(int) - b[plane][inside]).max() <= 1


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize("deep", [False, True])
def test_a_region_converted_alone_is_equal_to_the_whole(tmp_path, pixel_format, deep):
    plate = noisy_plate(tmp_path / "plate.mkv", pixel_format, count=1)
    whole = next(VideoReader(plate, deep=deep)).image
    frame = next(VideoReader(plate, deep=deep, native=True))
    corner, edge = (slice(0, 9), slice(0, 5)), (slice(100, 120), slice(180, 200))
    piece = frame.within([FACE, corner, edge])
    for region in (FACE, corner, edge):
        assert np.array_equal(piece.image[region], whole[region])
    outside = np.ones(whole.shape[:2], bool)
    for region in (FACE, corner, edge):
        outside[region] = False
    assert not piece.image[outside].any()
    drawn = piece.image.copy()
    drawn[FACE] = 7
    expected = whole.copy()
    expected[FACE] = 7
    assert np.array_equal(piece.completed(drawn), expected)


def test_a_picture_of_regions_only_is_written_with_the_plate_around_it(tmp_path):
    plate = noisy_plate(tmp_path / "plate.mkv", "yuv420p")
    reader = VideoReader(plate, native=True)
    for name, settings in (("same.mkv", {"codec": "ffv1"}), ("other.mkv", {"codec": "ffv1", "chroma": "444"})):
        reader = VideoReader(plate, native=True)
        with VideoWriter.like(reader.info, tmp_path / name, **settings) as writer:
            for frame in reader:
                piece = frame.within([FACE])
                writer.write(changed_picture(piece, [FACE]), frame.pts, plate=piece)
    for name in ("same.mkv", "other.mkv"):
        for before, after in zip(VideoReader(plate), VideoReader(tmp_path / name), strict=True):
            away = np.abs(before.image.astype(int) - after.image)
            away[25:80, 43:111] = 0
            assert away.max() <= (0 if name == "same.mkv" else 2)
            assert np.abs(after.image[FACE].astype(int) - (before.image[FACE] // 2 + 60)).mean() < 25


def test_a_made_picture_cannot_be_drawn_upon_by_mistake(tmp_path):
    frame = next(VideoReader(noisy_plate(tmp_path / "plate.mkv", "yuv420p"), native=True))
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 0


def test_a_turned_plate_is_converted_as_a_whole(tmp_path):
    plate = make_clip(tmp_path / "plate.mp4", count=3, width=SIZE[0], height=SIZE[1], crf=2)
    set_matrix(plate, (0, 1, -1, 0))
    reader = VideoReader(plate, native=True)
    assert (reader.info.width, reader.info.height) == SIZE[::-1]
    with VideoWriter.like(reader.info, tmp_path / "out.mkv", codec="ffv1") as writer:
        for frame in reader:
            piece = frame.within([(slice(0, 10), slice(0, 10))])
            assert piece.regions is None and piece.image.shape == (200, 120, 3)
            writer.write(frame.image, frame.pts, plate=frame)
    for before, after in zip(VideoReader(plate), VideoReader(tmp_path / "out.mkv"), strict=True):
        assert np.abs(before.image.astype(int) - after.image).mean() < 1


def test_a_way_through_rgb_and_back_would_change_samples(tmp_path):
    plate = noisy_plate(tmp_path / "plate.mkv", "yuv420p", count=1)
    for name, kept in (("kept.mkv", True), ("converted.mkv", False)):
        reader = VideoReader(plate, native=True)
        with VideoWriter.like(reader.info, tmp_path / name, codec="ffv1") as writer:
            for frame in reader:
                writer.write(frame.image, frame.pts, plate=frame if kept else None)
    names = ("plate.mkv", "kept.mkv", "converted.mkv")
    before, kept, converted = (next(samples_of(tmp_path / name)) for name in names)
    assert all(np.array_equal(a, b) for a, b in zip(before, kept, strict=True))
    assert all((a != b).mean() > 0.05 for a, b in zip(before[1:], converted[1:], strict=True))
