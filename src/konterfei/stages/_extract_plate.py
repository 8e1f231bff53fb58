"""How extract reads its video: ahead of the work, and with whole pictures where it is interlaced."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.imaging import SdrLook, sdr_look
from konterfei.io.sequence import ImageSequenceReader, frame_rate, is_sequence
from konterfei.io.video import Frame, VideoInfo, VideoReader, open_frames, probe, read_ahead
from konterfei.reporting import Reporter, check

SEEK = 300
"""Frames between two that are wanted from which on the video is opened anew: to decode them would take longer."""
DEINTERLACE = ("bwdif", "off")
"""Whole pictures made of fields by FFmpeg's bwdif; or the fields as they are, woven."""


@dataclass(frozen=True, kw_only=True)
class Plate:
    """One input of an extraction that is read as a film, and which of its frames are looked at.

    Attributes:
        path: a video, or a folder or pattern of numbered pictures.
        fps: frames per second of pictures.
        deinterlace: one of DEINTERLACE; None = it is not interlaced.
        wanted: indices of the frames that are looked at. Its stop may lie beyond the end: nobody counts for it.
    """

    path: Path
    fps: str
    deinterlace: str | None = None
    wanted: range = range(sys.maxsize)

    def open(
        self, start: int = 0, stop: int | None = None, *, deep: bool = False, native: bool = False, swift: bool = False
    ) -> VideoReader | ImageSequenceReader:
        """Its frames from `start` (or the first that is wanted) to `stop`, those left out on purpose among them."""
        start, end = max(start, self.wanted.start), self.wanted.stop if stop is None else stop
        stop = None if end >= sys.maxsize else end
        return plate_reader(self.path, self.fps, self.deinterlace, start, stop, deep=deep, native=native, swift=swift)

    def frames(self, indices: Sequence[int], *, deep: bool = False, native: bool = False) -> Iterator[Frame]:
        """The frames with these indices, ascending, decoded on another thread; those that are damaged are left out."""
        wanted = set(indices)
        for first, last in _runs(indices):
            with closing(ahead(self.open(first, last + 1, deep=deep, native=native))) as frames:
                yield from (frame for frame in frames if frame.index in wanted)


def _runs(indices: Sequence[int]) -> Iterable[tuple[int, int]]:
    """First and last of each run of indices (ascending) that lie close enough to be read in one go."""
    first = last = indices[0]
    for index in indices[1:]:
        if index - last > SEEK:
            yield first, last
            first = index
        last = index
    yield first, last


def plate_reader(
    video: Path,
    fps: str,
    deinterlace: str | None,
    start: int = 0,
    stop: int | None = None,
    *,
    deep: bool = False,
    native: bool = False,
    swift: bool = False,
) -> VideoReader | ImageSequenceReader:
    """The frames that faces are found in and cut from.

    Args:
        video: or folder or pattern of pictures.
        fps: of pictures.
        deinterlace: one of DEINTERLACE; None = it is not interlaced.
        start, stop: frames wanted.
        deep: give uint16, not uint8.
        native: frames make RGB when it is asked for, and of the regions that are asked for.
        swift: make RGB at a tenth of the cost, good enough to find faces in.
    """
    return open_frames(
        video, start, stop,
        deep=deep, fps=frame_rate(fps), native=native, swift=swift, deinterlace=deinterlace == "bwdif",
    )  # fmt: skip


def look_of(video: Path) -> SdrLook | None:
    """How crops of an HDR video are made ordinary pictures; None of all else."""
    if is_sequence(video):
        return None
    color = probe(video).color
    return sdr_look(color.transfer, color.primaries)


def refuse_interlaced(video: Path, deinterlace: str | None) -> None:
    """Raise ConfigError where nobody has said what to do with an interlaced video."""
    if deinterlace is not None or is_sequence(video):
        return
    info: VideoInfo = probe(video)
    if info.is_interlaced:
        raise ConfigError(
            f"'{video}' is interlaced: each frame is two pictures woven together, of two moments. Add --deinterlace "
            "bwdif, and faces are found and merged in whole pictures, as many as there are frames; or --deinterlace "
            "off, if it is only marked so and no edge looks like a comb."
        )


def ahead(frames: Iterable[Frame]) -> Generator[Frame]:
    """The frames, decoded on another thread."""
    yield from read_ahead(frames)


def images_of(
    frames: Iterator[Frame], indices: list[int], pts: list[Fraction], reporter: Reporter
) -> Iterator[NDArray[np.uint8]]:
    """The images of a block; notes down which frames they are."""
    for frame in frames:
        check(reporter)
        indices.append(frame.index)
        pts.append(frame.pts)
        yield frame.image
        reporter.advance(frame.index + 1)
