"""One video frame: colour conversion both ways, orientation, and the tags that say what its numbers mean.

Colour: swscale is told matrix and range explicitly in both directions, because PyAV's defaults turn RGB into BT.601
whatever the stream says. Untagged video is read as BT.709 from 1280 x 720 on, as BT.601 below (what players do), and
its tags stay untagged on writing, so that plate and result look alike in every player.
With the flags below a second conversion changes 1 in 10 000 samples by 1 level: pixels outside a swapped face survive.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import av.filter
import cv2
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

UNSPECIFIED = 2
"""H.273 code point of primaries, transfer and matrix that nobody stated."""
LIMITED, FULL = 1, 2
"""FFmpeg's numbers for the range of YUV values (16..235 and 0..255 at 8 bit); 0 = nobody stated it."""

_BT709, _BT601, _BT2020 = 1, 6, 9
_SWSCALE_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""H.273 matrix -> swscale's number. Others (0 RGB, 8 YCgCo, ...) have no YUV meaning there."""
_FULL_CHROMA = Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_QUALITY = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | _FULL_CHROMA
_SWIFT = Interpolation.BILINEAR | Interpolation.BITEXACT
"""Ten times as fast: chroma samples are repeated, and values not rounded but cut."""
SWIFT_FROM = 1280 * 720
"""Pixels of a frame from which on that is worth while: in a smaller one, half a pixel of colour is more of a face."""


@dataclass(frozen=True)
class ColorTags:
    """What the numbers of a video mean, as H.273 code points (range as in FFmpeg: 0 unstated, 1 limited, 2 full)."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    range: int = 0

    def matrix_for(self, width: int, height: int) -> int:
        """The matrix to calculate with: the tagged one, or what players assume for this size."""
        if self.matrix in _SWSCALE_MATRICES:
            return self.matrix
        return _BT709 if max(width, height) >= 1280 or min(width, height) >= 720 else _BT601

    @property
    def is_hdr(self) -> bool:
        """Whether the transfer is PQ or HLG."""
        return self.transfer in (16, 18)


BT709 = ColorTags(1, 1, 1, LIMITED)
"""Ordinary HD video; what we write when there is no plate to be like."""


Region = tuple[slice, slice]
"""Rows and columns of a picture."""


class Samples(Protocol):
    """A frame's samples as they were decoded; `io.video_native.Native` is them."""

    @property
    def frame(self) -> av.VideoFrame:
        """As it came, not turned."""

    @property
    def color(self) -> ColorTags:
        """Tags of its stream."""

    @property
    def is_upright(self) -> bool:
        """Whether it is shown as it is stored."""

    def rgb(self) -> NDArray[Any]:
        """The whole picture, upright."""

    def rgb_within(self, regions: Sequence[Region]) -> NDArray[Any]:
        """The picture with pixels in `regions` only."""


class Frame:
    """One frame of a video, upright.

    Args:
        index: place in presentation order from 0. A frame that could not be decoded leaves a gap.
        pts: when it is shown, in seconds, on the clock of its file (which need not start at 0).
        image: RGB. [H, W, 3] uint8, or uint16 in 0..65535 when that was asked for; None = made of `native` when it is
            first asked for, and not to be written to.
        duration: how long it is shown, in seconds; None when the file does not say.
        is_damaged: the decoder says that parts of it are guessed.
        native: its samples as they came, where they were asked for.
        regions: where `image` holds pixels; None = everywhere.
    """

    __slots__ = ("_image", "duration", "index", "is_damaged", "native", "pts", "regions")

    def __init__(
        self,
        index: int,
        pts: Fraction,
        image: NDArray[Any] | None,
        duration: Fraction | None = None,
        is_damaged: bool = False,
        native: Samples | None = None,
        regions: tuple[Region, ...] | None = None,
    ) -> None:
        assert image is not None or native is not None, "a frame without a picture"
        self.index, self.pts, self.duration, self.is_damaged = index, pts, duration, is_damaged
        self.native, self.regions = native, regions
        self._image = image

    @property
    def image(self) -> NDArray[Any]:
        """RGB. [H, W, 3] uint8 or uint16"""
        if self._image is None:
            assert self.native is not None
            image = self.native.rgb() if self.regions is None else self.native.rgb_within(self.regions)
            image.flags.writeable = False
            self._image = image
        return self._image

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        if self._image is not None or self.native is None or not self.native.is_upright:
            return self.image.shape[1], self.image.shape[0]
        return self.native.frame.width, self.native.frame.height

    def within(self, regions: Sequence[Region]) -> Frame:
        """The frame for work in these regions only: its picture holds pixels there, 0 elsewhere, and costs as little.

        The frame itself where its samples are not at hand.
        """
        if self._image is not None or self.native is None or not self.native.is_upright:
            return self
        return Frame(
            self.index, self.pts, None, self.duration, self.is_damaged, native=self.native, regions=tuple(regions)
        )

    def whole(self) -> Frame:
        """The frame with all of its picture."""
        if self.regions is None:
            return self
        return Frame(self.index, self.pts, None, self.duration, self.is_damaged, native=self.native)

    def completed(self, image: NDArray[Any]) -> NDArray[Any]:
        """`image`, begun with the picture of `within`, with the plate's pixels all around. [H, W, 3]"""
        if self.regions is None or self.native is None:
            return image
        whole = self.native.rgb()
        for region in self.regions:
            whole[region] = image[region]
        return whole


def color_of(frame: av.VideoFrame) -> ColorTags:
    """The tags that a decoded frame carries."""
    span = FULL if frame.format.name.startswith("yuvj") else int(frame.color_range)
    return ColorTags(int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), span)


def rgb_from_frame(frame: av.VideoFrame, color: ColorTags, deep: bool = False, swift: bool = False) -> NDArray[Any]:
    """RGB of a decoded frame, not yet turned upright.

    Args:
        frame: any pixel format.
        color: tags of its stream.
        deep: give uint16 in 0..65535, not uint8.
        swift: good enough to look at, at a tenth of the cost: 1 level too dark on average, colours of the nearest
            chroma sample.

    Returns:
        [H, W, 3] uint8 or uint16
    """
    if frame.format.is_rgb:
        wanted = "rgb48le" if deep else "rgb24"
        return frame.reformat(format=wanted, interpolation=_QUALITY, threads=1).to_ndarray()
    matrix = color.matrix_for(frame.width, frame.height)
    frame.colorspace = matrix if matrix != 10 else _BT2020
    frame.color_range = color.range or LIMITED
    # swscale makes planes three times as fast as pixels, with the same values
    rgb = frame.reformat(
        format="gbrp16le" if deep else "gbrp",
        src_colorspace=_SWSCALE_MATRICES[matrix],
        dst_colorspace=_SWSCALE_MATRICES[matrix],
        src_color_range=color.range or LIMITED,
        dst_color_range=FULL,
        interpolation=_SWIFT if swift else _QUALITY,
        threads=1,
    )
    green, blue, red = (plane_of(plane, np.uint16 if deep else np.uint8) for plane in rgb.planes)
    return cv2.merge([red, green, blue])


def plane_of(plane: Any, item: type) -> NDArray[Any]:
    """The samples of a frame's plane, to be read and written. [h, w]"""
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return rows.view(item)[:, : plane.width]


class YuvMaker:
    """Makes YUV frames for an encoder out of RGB images of one size.

    Chroma samples are placed at the left, where players look for them, unless another place is tagged. (swscale takes
    the place from the frame's properties; those of a fresh frame are unset, which shifts colours by a quarter of a
    pixel in every generation.)

    Args:
        width, height: size of the images.
        color: tags of the stream to be written.
        pixel_format: FFmpeg name of a YUV format.
        deep: images are uint16, not uint8.
        place: of the chroma samples, FFmpeg's name.
    """

    def __init__(
        self, width: int, height: int, color: ColorTags, pixel_format: str, deep: bool, place: str = "left"
    ) -> None:
        self._color, self._pixel_format, self._place = color, pixel_format, place
        self._matrix = _SWSCALE_MATRICES[color.matrix_for(width, height)]
        self._rgb = "rgb48le" if deep else "rgb24"
        self._graph, self._size = self._placing(width, height), (width, height)

    def _placing(self, width: int, height: int) -> av.filter.Graph:
        graph = av.filter.Graph()
        graph.threads = 1  # starting threads would take longer than the work
        layout = av.VideoFormat(self._rgb, width, height)
        source = graph.add_buffer(width=width, height=height, format=layout, time_base=Fraction(1, 90_000))
        place, sink = graph.add("setparams", f"chroma_location={self._place}"), graph.add("buffersink")
        source.link_to(place)
        place.link_to(sink)
        graph.configure()
        return graph

    def __call__(self, image: NDArray[Any]) -> av.VideoFrame:
        """The tagged frame of an RGB image or a piece of one. [H, W, 3] uint8 or uint16, as the maker was made for"""
        fresh = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), self._rgb)
        if av.VideoFormat(self._pixel_format, 2, 2).is_rgb:
            return self.tag(fresh.reformat(format=self._pixel_format, interpolation=_QUALITY, threads=1))
        fresh.pts, fresh.color_range = 0, FULL
        graph = self._graph if (fresh.width, fresh.height) == self._size else self._placing(fresh.width, fresh.height)
        graph.push(fresh)
        placed: Any = graph.pull()
        frame = placed.reformat(
            format=self._pixel_format,
            src_colorspace=self._matrix,
            dst_colorspace=self._matrix,
            src_color_range=FULL,
            dst_color_range=self._color.range or LIMITED,
            interpolation=_QUALITY,
            threads=1,
        )
        return self.tag(frame)

    def tag(self, frame: av.VideoFrame) -> av.VideoFrame:
        """`frame` with the tags of the stream."""
        frame.colorspace, frame.color_range = self._color.matrix, self._color.range
        frame.color_primaries, frame.color_trc = self._color.primaries, self._color.transfer
        return frame


Orient = Callable[[NDArray[Any]], NDArray[Any]]

_UPRIGHT: dict[tuple[int, int, int, int], tuple[int, bool, Orient]] = {
    (1, 0, 0, 1): (0, False, lambda a: a),
    (0, 1, -1, 0): (90, False, lambda a: np.rot90(a, -1)),
    (-1, 0, 0, -1): (180, False, lambda a: np.rot90(a, 2)),
    (0, -1, 1, 0): (270, False, lambda a: np.rot90(a, 1)),
    (-1, 0, 0, 1): (0, True, lambda a: a[:, ::-1]),
    (1, 0, 0, -1): (180, True, lambda a: a[::-1]),
    (0, 1, 1, 0): (90, True, lambda a: a.swapaxes(0, 1)),
    (0, -1, -1, 0): (270, True, lambda a: np.rot90(a, 1)[:, ::-1]),
}
"""Signs of the display matrix (a, b, c, d), x' = a x + c y, y' = b x + d y (ISO 14496-12, 6.2.2), to: degrees
clockwise, mirrored, and how to turn the stored picture upright. The last two are the two diagonal transposes."""


@dataclass(frozen=True)
class Orientation:
    """How a stored picture is turned before it is shown."""

    degrees: int
    """Clockwise."""
    mirrored: bool
    upright: Orient
    """Turns a stored picture upright."""

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.degrees % 180 == 90


def orientation_of(frame: av.VideoFrame) -> Orientation | None:
    """How `frame` is to be turned; None when its display matrix is no multiple of a quarter turn."""
    signs = (1, 0, 0, 1)
    try:
        side_data: Any = frame.side_data
    except ValueError:  # side data of a kind that PyAV does not know (EXIF, say) hide the matrix; its angle is left
        return _turned(-frame.rotation)
    for data in side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = struct.unpack_from("<5i", bytes(data))
            largest = max(abs(a), abs(b), abs(c), abs(d), 1)
            parts = [value / largest for value in (a, b, c, d)]
            if any(0.01 < abs(part) < 0.99 for part in parts):
                return None
            signs = tuple(round(part) for part in parts)  # type: ignore[assignment]
    found = _UPRIGHT.get(signs)
    return None if found is None else Orientation(*found)


def _turned(degrees: int) -> Orientation | None:
    """The orientation without mirroring of that clockwise angle; None when it is no quarter turn."""
    found = (entry for entry in _UPRIGHT.values() if entry[0] == degrees % 360 and not entry[1])
    return next((Orientation(*entry) for entry in found), None)
