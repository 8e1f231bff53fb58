"""Frames of a video, one after the other, exact in time, past damaged places.

How frames get their numbers: every packet of the video stream has a presentation time; the number of a frame is the
rank of its time among them. A frame that cannot be decoded leaves a gap in the numbers and is counted in `lost`, so
numbers do not shift when a file is read from the middle. Streams in which packets and frames do not match one to one
(no times in the packets, field pictures, hidden frames of VP8) are counted frame by frame; what is lost is then known
from decoding errors only, and starting in the middle decodes from the beginning.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from konterfei.errors import UnreadableMediaError
from konterfei.io.video_chroma import at_the_left, is_untold
from konterfei.io.video_deinterlace import Numbered, deinterlaced
from konterfei.io.video_frames import SWIFT_FROM, Frame
from konterfei.io.video_native import Native
from konterfei.io.video_probe import VideoInfo, open_input, orientation_or_error, packets, probe, video_stream

_UNRANKED = {"vp8", "theora", "rv40"}
"""Codecs with packets that show no frame of their own."""


@dataclass(frozen=True)
class _Index:
    """Every packet of a stream, known without decoding."""

    rank: dict[int, int]
    """Presentation time to frame number."""
    keys: list[tuple[int, int]]
    """Key frames: presentation time, seek time; ascending."""


def _is_ranked(stream: VideoStream) -> bool:
    context = stream.codec_context
    return context.codec.canonical_name not in _UNRANKED and int(context.field_order) <= 1  # 0 unknown, 1 progressive


def _index(container: InputContainer, stream: VideoStream) -> _Index | None:
    times, keys = [], []
    for packet in packets(container, stream):
        if not packet.size or packet.is_discard:
            continue
        if packet.pts is None:
            return None
        times.append(packet.pts)
        if packet.is_keyframe:
            keys.append((packet.pts, packet.dts if packet.dts is not None else packet.pts))
    times.sort()
    rank = {time: index for index, time in enumerate(times)}
    return _Index(rank, sorted(keys)) if len(rank) == len(times) else None


class _Ranks:
    """Gives frames their numbers while packets stream by."""

    def __init__(self, ranked: bool, index: _Index | None) -> None:
        self.ranked = ranked
        self._index = index
        self._waiting: list[int] = []
        self._next = 0

    def packet(self, packet: av.Packet) -> None:
        """A packet goes into the decoder."""
        if not self.ranked or not packet.size or packet.is_discard:
            return
        if packet.pts is None:
            self.ranked = False
        else:
            heapq.heappush(self._waiting, packet.pts)

    def _take(self) -> int:
        time = heapq.heappop(self._waiting)
        if self._index is not None:
            return self._index.rank.get(time, -1)
        self._next += 1
        return self._next - 1

    def frame(self, time: int | None) -> tuple[int | None, list[int]]:
        """Number of the frame shown at `time`, and the numbers of lost frames before it.

        The number is None when `time` belongs to no packet: the stream is not ranked after all.
        """
        if self.ranked:
            lost = []
            while time is not None and self._waiting and self._waiting[0] < time:
                lost.append(self._take())
            if time is not None and self._waiting and self._waiting[0] == time:
                return self._take(), lost
            if self._index is not None:
                return None, []
            self.ranked = False
        self._next += 1
        return self._next - 1, []

    def rest(self) -> list[int]:
        """Numbers of the packets that never became frames."""
        return [self._take() for _ in range(len(self._waiting))] if self.ranked else []


class _SeekFailed(Exception):
    """The container did not go where its packets said."""


class VideoReader:
    """Frames of a video as RGB, upright, in order. A context manager and an iterator that runs once.

    Args:
        path: the video.
        start: first frame wanted. Goes to a key frame where the file allows that safely, and gives the same frames with
            the same numbers as a full read.
        stop: frame before which to stop; None = to the end.
        deep: give uint16 in 0..65535 (for 10-bit and 16-bit material), not uint8.
        native: frames keep their samples as they came, and make RGB when it is asked for.
        swift: make RGB of frames from 720p on at a tenth of the cost, good enough to look at (see `rgb_from_frame`).
        deinterlace: make whole pictures of fields (FFmpeg's bwdif), one for each frame.

    Attributes:
        info: what the video is.
        lost: frames (so far) between `start` and `stop` that could not be decoded, or that the container announces but
            no longer holds.
        lost_is_estimate: whether `lost` is partly a guess from the announced length.
        damaged: frames given whose content the decoder had to guess in part.

    Raises:
        UnreadableMediaError: see `probe`; also while reading, when nothing at all can be decoded or the size of the
            picture changes.
    """

    def __init__(
        self,
        path: Path | str,
        start: int = 0,
        stop: int | None = None,
        *,
        deep: bool = False,
        native: bool = False,
        swift: bool = False,
        deinterlace: bool = False,
    ) -> None:
        self.path = Path(path)
        self.info: VideoInfo = probe(self.path)
        self.lost = 0
        self.lost_is_estimate = False
        self.damaged = 0
        self._start, self._stop, self._deep = max(start, 0), stop, deep
        self._native, self._deinterlace = native, deinterlace
        self._swift = swift and self.info.width * self.info.height >= SWIFT_FROM
        self._errors = 0
        self._frames: Iterator[Frame] | None = None
        self._last_pts: Fraction | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Happens by itself at the end of the video."""
        if isinstance(self._frames, Generator):  # closing twice is harmless
            self._frames.close()
        self._frames = iter(())

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._frames is None:
            self._frames = self._read()
        return next(self._frames)

    def _read(self) -> Iterator[Frame]:
        index = None
        if self._start:
            with open_input(self.path) as container:
                stream = video_stream(container, self.path)
                index = _index(container, stream) if _is_ranked(stream) else None
        if index is not None:
            before = [k for k in index.keys if index.rank[k[0]] <= self._start]
            if len(before) >= 3:  # one key frame more than needed: some only start a gradual refresh
                try:
                    yield from self._decode(index, before[-2])
                    return
                except _SeekFailed:  # raised before the first frame is given
                    self.lost = self.damaged = self._errors = 0
        yield from self._decode(None, None)

    def _decode(self, index: _Index | None, key: tuple[int, int] | None) -> Iterator[Frame]:
        with ExitStack() as stack:
            container = stack.enter_context(open_input(self.path))
            stream = video_stream(container, self.path)
            ranks = _Ranks(_is_ranked(stream), index)
            if key is not None:
                container.seek(key[1], stream=stream, backward=True)
            tally = _Tally(stream)
            given = 0
            numbered: Iterator[Numbered] = self._numbered(container, stream, ranks, tally, key)
            if self._deinterlace:
                numbered = deinterlaced(numbered, self._start)
            for number, decoded, pts in numbered:
                if number < self._start:
                    continue
                if self._stop is not None and number >= self._stop:
                    return
                given += 1
                yield self._frame(number, decoded, pts)
            self._note_lost(ranks.rest() if ranks.ranked else [self._start] * self._errors)
            if key is None or self._stop is None:
                self._add_missing_end(container, stream, tally, whole=key is None)
            if not given and not self._start:
                raise UnreadableMediaError(f"'{self.path}' has no frame that can be decoded. Copy or export it again.")

    def _numbered(
        self,
        container: InputContainer,
        stream: VideoStream,
        ranks: _Ranks,
        tally: _Tally,
        key: tuple[int, int] | None,
    ) -> Iterator[Numbered]:
        time_base = Fraction(stream.time_base or self.info.time_base)
        first = True
        for packet in packets(container, stream, *container.streams.audio):
            tally.packet(packet)
            if packet.stream.index != stream.index:
                continue
            if key is not None and first:
                first = False
                if packet.pts is None or packet.pts > key[0] or not packet.is_keyframe:
                    raise _SeekFailed
            ranks.packet(packet)
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                self._errors += 1
                continue
            for decoded in frames:
                number, lost = ranks.frame(decoded.pts)
                if number is None or number < 0:
                    raise _SeekFailed
                self._note_lost(lost)
                if number >= self._start:
                    tally.frame(decoded.pts)
                yield number, decoded, self._time(decoded, time_base)

    def _time(self, decoded: av.VideoFrame, time_base: Fraction) -> Fraction:
        """Presentation time; where the file has none, or not a later one, the last frame's and one tick or frame."""
        pts = None if decoded.pts is None else decoded.pts * time_base
        if pts is None:
            pts = Fraction(0) if self._last_pts is None else self._last_pts + 1 / self.info.fps
        elif self._last_pts is not None and pts <= self._last_pts:
            pts = self._last_pts + time_base
        self._last_pts = pts
        return pts

    def _frame(self, number: int, decoded: av.VideoFrame, pts: Fraction) -> Frame:
        orientation = orientation_or_error(decoded, self.path)
        width, height = decoded.width, decoded.height
        if orientation.swaps_sides:
            width, height = height, width
        if (width, height) != (self.info.width, self.info.height):
            raise UnreadableMediaError(
                f"'{self.path}' changes its picture size at frame {number}, from {self.info.width} x "
                f"{self.info.height} to {width} x {height}. Convert it to one size first."
            )
        if decoded.is_corrupt:
            self.damaged += 1
        time_base = Fraction(decoded.time_base or self.info.time_base)
        duration = decoded.duration * time_base if decoded.duration else None
        if is_untold(self.info.codec):
            decoded = at_the_left(decoded)
        native = Native(decoded, self.info.color, orientation, self._deep, self._swift)
        if self._native:
            return Frame(number, pts, None, duration, bool(decoded.is_corrupt), native)
        return Frame(number, pts, native.rgb(), duration, bool(decoded.is_corrupt))

    def _note_lost(self, numbers: list[int]) -> None:
        stop = self._stop if self._stop is not None else float("inf")
        self.lost += sum(self._start <= number < stop for number in numbers)

    def _add_missing_end(self, container: InputContainer, stream: VideoStream, tally: _Tally, whole: bool) -> None:
        """Count frames that the container announces, or its pace lets expect, but that its data does not hold."""
        missing, estimate = tally.missing(container, self.info.fps, whole)
        if self._stop is not None:
            missing = min(missing, max(0, self._stop - max(self._start, tally.packets)))
        holes = max(0, tally.holes(container) - self.lost)
        self.lost += missing + holes
        self.lost_is_estimate |= (estimate and missing > 0) or holes > 0


class _Tally:
    """Counts packets, to tell a file that was cut off from one that ends."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self.packets = 0
        self._steps: list[int] = []
        self._shown: int | None = None
        self._video_end = self._end = Fraction(0)

    def packet(self, packet: av.Packet) -> None:
        if not packet.size or packet.time_base is None:
            return
        is_video = packet.stream.index == self._stream.index
        self.packets += is_video
        if packet.pts is not None:
            end = (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base)
            self._end = max(self._end, end)
            if is_video:
                self._video_end = max(self._video_end, end)

    def frame(self, time: int | None) -> None:
        """A frame was decoded."""
        if time is not None:
            if self._shown is not None:
                self._steps.append(time - self._shown)
            self._shown = time

    def holes(self, container: InputContainer) -> int:
        """Frames that seem to be missing inside, by the gaps between frames at an otherwise even pace.

        Containers with an index (MP4, MOV) lose no packets unseen; others skip damaged bytes without a word.
        """
        if "mp4" in container.format.name or len(self._steps) < 10:
            return 0
        usual = sorted(self._steps)[len(self._steps) // 2]
        even = sum(abs(step - usual) <= max(1, usual // 20) for step in self._steps)
        if usual <= 0 or even < 0.9 * len(self._steps):
            return 0
        return sum(round(step / usual) - 1 for step in self._steps if step > 1.5 * usual)

    def missing(self, container: InputContainer, fps: Fraction, whole: bool) -> tuple[int, bool]:
        """Frames missing at the end, and whether that is an estimate.

        MP4 and MOV list their frames; elsewhere a file counts as cut off when all its streams end half a second or more
        before the announced length.
        """
        if "mp4" in container.format.name and self._stream.frames:
            return (max(0, self._stream.frames - self.packets), False) if whole else (0, False)
        if not container.duration:
            return 0, False
        begin = max(0, container.start_time or 0)
        announced = Fraction(container.duration + begin, av.time_base)
        if announced - self._end < Fraction(1, 2):
            return 0, False
        return max(0, round((announced - self._video_end) * fps)), True
