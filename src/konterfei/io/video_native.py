"""A decoded frame's own samples, and how a changed picture is laid into them.

A merge changes a face and a label. Everything else should leave as it came: not converted to RGB and back, which is
nearly exact but not quite, and dear (30 ms for a 1080p frame, of which a face needs a tenth). So the plate's samples
travel with its frame; RGB is made of the regions that somebody looks at, and of the changed picture only the samples
under changed pixels are converted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.filter
import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.io.video_frames import ColorTags, Frame, Orientation, Region, YuvMaker, plane_of, rgb_from_frame

_GRID = 16
"""Pixels by which regions are widened and aligned: chroma's cubic kernel reaches 8 of them, swscale's dither pattern
repeats after 8."""
_TILE = 16
"""Side in pixels of the tiles by which changed places are found."""


@dataclass(frozen=True, slots=True, eq=False)
class Native:
    """The samples of a frame as they were decoded.

    Attributes:
        frame: as it came, not turned.
        color: tags of its stream.
        orientation: how it is turned upright.
        deep: RGB is wanted as uint16.
        swift: `rgb` need only be good enough to look at.
    """

    frame: av.VideoFrame
    color: ColorTags
    orientation: Orientation
    deep: bool
    swift: bool = False

    @property
    def is_upright(self) -> bool:
        """Whether it is shown as it is stored."""
        return self.orientation.degrees == 0 and not self.orientation.mirrored

    def rgb(self) -> NDArray[Any]:
        """The whole picture, upright. [H, W, 3] uint8 or uint16"""
        image = rgb_from_frame(self.frame, self.color, self.deep, self.swift)
        return np.ascontiguousarray(self.orientation.upright(image))

    def rgb_within(self, regions: Sequence[Region]) -> NDArray[Any]:
        """The picture with pixels in `regions` only, equal to those of `rgb`; elsewhere 0. Only of upright frames."""
        height, width = self.frame.height, self.frame.width
        image = np.zeros((height, width, 3), np.uint16 if self.deep else np.uint8)
        matrix = ColorTags(
            self.color.primaries, self.color.transfer, self.color.matrix_for(width, height), self.color.range
        )
        for rows, columns in regions:
            top, left = max(rows.start - _GRID, 0) // _GRID * _GRID, max(columns.start - _GRID, 0) // _GRID * _GRID
            bottom, right = _rounded(rows.stop + _GRID, height), _rounded(columns.stop + _GRID, width)
            piece = rgb_from_frame(_cropped(self.frame, left, top, right - left, bottom - top), matrix, self.deep)
            image[rows, columns] = piece[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        return image


def _rounded(edge: int, most: int) -> int:
    return min(-(-edge // _GRID) * _GRID, most)


def _cropped(frame: av.VideoFrame, left: int, top: int, width: int, height: int) -> av.VideoFrame:
    """A window into `frame`, which keeps its properties (the place of chroma samples among them)."""
    graph = av.filter.Graph()
    graph.threads = 1  # starting threads would take longer than the work
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 90_000)
    )
    crop, sink = graph.add("crop", f"{width}:{height}:{left}:{top}:exact=1"), graph.add("buffersink")
    source.link_to(crop)
    crop.link_to(sink)
    graph.configure()
    graph.push(frame)
    cropped: Any = graph.pull()
    return cropped


class Patcher:
    """Lays changed pictures into the samples of the plate's frames.

    Args:
        width, height: of the picture.
        color: tags of the stream to be written.
        pixel_format: of the stream to be written, a planar YUV one.
        maker: makes frames of RGB images with these tags.
    """

    def __init__(self, width: int, height: int, color: ColorTags, pixel_format: str, maker: YuvMaker) -> None:
        self._size, self._color, self._format, self._maker = (width, height), color, pixel_format, maker
        layout = av.VideoFormat(pixel_format, width, height)
        self._item = np.uint16 if max(c.bits for c in layout.components) > 8 else np.uint8
        self._across = 2 if layout.chroma_width(64) == 32 else 1
        self._down = 2 if layout.chroma_height(64) == 32 else 1
        self._planes = len(layout.components)
        self._is_yuv = not layout.is_rgb

    def fits(self, plate: Frame | None) -> bool:
        """Whether `plate` holds samples that can be written as they are."""
        native = plate.native if plate is not None else None
        if native is None or not native.is_upright or not self._is_yuv:
            return False
        width, height = self._size
        return (
            native.frame.format.name.replace("yuvj", "yuv") == self._format
            and (native.frame.width, native.frame.height) == self._size
            and native.color.matrix_for(width, height) == self._color.matrix_for(width, height)
            and (native.color.range or 1) == (self._color.range or 1)
        )

    def __call__(self, image: NDArray[Any], plate: Frame) -> av.VideoFrame:
        """The plate's frame with `image` in it: samples under pixels that are as in the plate stay as they are.

        Args:
            image: RGB. [H, W, 3]; where `plate.regions` are given, only these are looked at.
            plate: that `fits`; its own picture was where `image` began.
        """
        native: Any = plate.native
        fresh = av.VideoFrame(*self._size, self._format)
        for target, source in zip(fresh.planes, native.frame.planes, strict=True):
            plane_of(target, self._item)[:] = plane_of(source, self._item)
        self._maker.tag(fresh)
        if image is plate.image:
            return fresh
        for rows, columns in _changed(image, plate):
            self._lay(image, plate.image, rows, columns, fresh)
        return fresh

    def _lay(self, image: NDArray[Any], before: NDArray[Any], rows: slice, columns: slice, target: Any) -> None:
        height, width = image.shape[:2]
        top, left = max(rows.start - _GRID, 0) // _GRID * _GRID, max(columns.start - _GRID, 0) // _GRID * _GRID
        bottom, right = _rounded(rows.stop + _GRID, height), _rounded(columns.stop + _GRID, width)
        wide = slice(top, bottom), slice(left, right)
        made = self._maker(image[wide])
        changed = _differ(image[rows, columns], before[rows, columns])
        for number in range(self._planes):
            across, down = (self._across, self._down) if number in (1, 2) else (1, 1)
            mask = _cells(changed, across, down)
            to = (
                slice(rows.start // down, rows.start // down + mask.shape[0]),
                slice(columns.start // across, columns.start // across + mask.shape[1]),
            )
            there = slice(to[0].start - top // down, to[0].stop - top // down)
            across_there = slice(to[1].start - left // across, to[1].stop - left // across)
            source = plane_of(made.planes[number], self._item)[there, across_there]
            np.copyto(plane_of(target.planes[number], self._item)[to], source, where=mask)


def _cells(changed: NDArray[Any], across: int, down: int) -> NDArray[Any]:
    """For every cell of so many pixels, whether one of them changed. `changed` begins with a cell."""
    if (across, down) == (1, 1):
        return changed
    height, width = changed.shape
    padded = np.pad(changed, ((0, -height % down), (0, -width % across)))
    lines = padded.reshape(-1, down, padded.shape[1]).any(axis=1)
    return np.asarray(lines.reshape(lines.shape[0], -1, across).any(axis=2))


def _differ(image: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    """For every pixel, whether one of its values differs. [h, w] bool"""
    away = image != before
    return np.asarray(away[..., 0] | away[..., 1] | away[..., 2])


def _changed(image: NDArray[Any], plate: Frame) -> Iterator[Region]:
    """Rectangles, begun at multiples of the tile, that hold every pixel in which `image` differs from the plate."""
    height, width = image.shape[:2]
    before = plate.image
    tiles = np.zeros((-(-height // _TILE), -(-width // _TILE)), np.uint8)
    for rows, columns in plate.regions or ((slice(0, height), slice(0, width)),):
        top, left = rows.start // _TILE * _TILE, columns.start // _TILE * _TILE
        part = slice(top, rows.stop), slice(left, columns.stop)
        found = _cells(_differ(image[part], before[part]), _TILE, _TILE)
        place = tiles[top // _TILE :, left // _TILE :][: found.shape[0], : found.shape[1]]
        place |= found.astype(np.uint8)
    count, _, boxes, _ = cv2.connectedComponentsWithStats(tiles, connectivity=8)
    for x, y, w, h, _ in boxes[1:count]:
        yield (
            slice(int(y) * _TILE, min(int(y + h) * _TILE, height)),
            slice(int(x) * _TILE, min(int(x + w) * _TILE, width)),
        )
