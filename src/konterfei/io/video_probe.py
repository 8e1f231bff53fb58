"""What a video is, before it is read, and clear words when it cannot be."""

from __future__ import annotations

import errno
import itertools
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from konterfei.errors import UnreadableMediaError
from konterfei.io.video_chroma import chroma_place, is_untold
from konterfei.io.video_frames import ColorTags, Orientation, color_of, orientation_of
from konterfei.io.video_hdr import Mastering, mastering_of

_LOOK_AT = 600
"""Packets that `probe` looks at to tell constant from variable frame rate: 20 s of ordinary video."""
_NOT_VIDEO = {"tty", "concat", "hls", "dash", "sdp", "ffmetadata", "rtsp", "imf"}
"""Formats that FFmpeg makes of text files and play lists; a play list may name other people's files, or a server for
which FFmpeg waits minutes."""


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What a video, or a folder of images, is."""

    path: Path
    width: int
    """Pixels, after rotation."""
    height: int
    """Pixels, after rotation."""
    rotation: int = 0
    """Degrees clockwise by which the stored picture is turned; readers have done it already."""
    mirrored: bool = False
    """Whether it is flipped left to right as well; readers have done it already."""
    fps: Fraction
    """Average frames per second."""
    is_vfr: bool = False
    """Whether the time between frames varies (judged from the first 600 packets)."""
    num_frames: int
    """From the container or the length; exact for short clips, an estimate where containers do not count."""
    duration: Fraction | None = None
    """Seconds of video; None when unknown."""
    time_base: Fraction
    """Unit of the file's clock in seconds."""
    codec: str
    pixel_format: str
    bit_depth: int = 8
    color: ColorTags = field(default_factory=ColorTags)
    sample_aspect: Fraction = Fraction(1)
    """Width of a pixel by its height, after rotation."""
    chroma_place: str = "left"
    """Where chroma samples lie, one of `io.video_chroma.PLACES`."""
    mastering: Mastering | None = None
    """HDR metadata, where it is HDR and says."""
    is_interlaced: bool = False
    """Whether its pictures are two fields, of two moments."""
    is_deinterlaced: bool = False
    """Whether it is to be read as whole pictures made of them."""
    audio_codecs: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    """Lines that a person should read: interlaced, HDR, ..."""

    @property
    def has_audio(self) -> bool:
        """Whether there is sound."""
        return bool(self.audio_codecs)


@cache
def _formats() -> str:
    """FFmpeg's formats that are files of video, for its option `format_whitelist`."""
    return ",".join(sorted(av.formats_available - _NOT_VIDEO))


@contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """The opened container.

    Raises:
        UnreadableMediaError: missing, a folder, empty, or in no format that FFmpeg knows.
    """
    if not path.exists():
        raise UnreadableMediaError(f"There is no file '{path}'. Check the path.")
    if path.is_dir():
        raise UnreadableMediaError(f"'{path}' is a folder, not a video. Name a video file.")
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableMediaError(f"'{path}' is empty (0 bytes). Copy or export it again.")
    try:
        container = av.open(
            f"file:{path.absolute()}",
            container_options={"protocol_whitelist": "file", "format_whitelist": _formats()},
            metadata_errors="replace",
        )
    except av.error.FFmpegError as error:
        raise _unreadable(path, error) from error
    try:
        yield container
    finally:
        container.close()


def _lacks_index(path: Path) -> bool:
    """Whether this is an MP4 or MOV file without its whole `moov` box, which cameras write last."""
    with path.open("rb") as file:
        size = path.stat().st_size
        at = 0
        kinds: list[bytes] = []
        while at + 8 <= size and len(kinds) < 100:
            file.seek(at)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            if length < 8 or (kind == b"moov" and at + length > size):
                break
            kinds.append(kind)
            at += length
    return bool(kinds) and kinds[0] in (b"ftyp", b"wide", b"mdat") and b"moov" not in kinds


def _cut_off(path: Path) -> UnreadableMediaError:
    return UnreadableMediaError(
        f"'{path}' has no index (MP4 'moov' box): the recording or the copy was cut off before its end. "
        "Copy it again, or repair it with a tool that rebuilds MP4 indexes."
    )


def _unreadable(path: Path, error: av.error.FFmpegError) -> UnreadableMediaError:
    said = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return UnreadableMediaError(f"'{path}' may not be read: permission denied. Change its permissions.")
    if _lacks_index(path):
        return _cut_off(path)
    return UnreadableMediaError(
        f"'{path}' cannot be opened as video: {said}. If other players open it, convert it to .mp4 (H.264) first."
    )


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream to read: the first that is not a cover picture.

    Raises:
        UnreadableMediaError: there is none, or no decoder for it.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        if not len(container.streams) and _lacks_index(path):
            raise _cut_off(path)
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise UnreadableMediaError(f"'{path}' has no video stream, only {kinds}. Name a video.")
    stream = streams[0]
    if stream.codec_context is None:
        raise UnreadableMediaError(
            f"'{path}' holds video in a codec that FFmpeg cannot decode. "
            "Convert it to H.264 with the program that made it."
        )
    stream.thread_type = "AUTO"
    return stream


def packets(container: InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet]:
    """Packets of `streams`, over damaged places where the format can find its way again; the last ones are empty."""
    failures = 0
    while failures < 50:  # every failure skips some bytes; a format that cannot resync fails for ever
        try:
            yield from container.demux(*streams)
            return
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            failures += 1


@dataclass
class _Look:
    """The first frame and the first packets of a stream."""

    first: av.VideoFrame | None = None
    times: list[int] = field(default_factory=list)
    count: int = 0
    at_end: bool = True


def _even_steps(look: _Look, time_base: Fraction) -> bool:
    times = sorted(look.times)
    if not look.at_end:
        times = times[:-32]  # packets come in decoding order: the latest times may still have holes
    steps = [b - a for a, b in itertools.pairwise(times)]
    if not steps:
        return True
    slack = max(1, round(Fraction(2, 1000) / time_base), round(statistics.median(steps) / 20))
    return max(steps) - min(steps) <= slack  # containers that count milliseconds give 33 and 34


def _look(container: InputContainer, stream: VideoStream) -> _Look:
    look = _Look()
    for packet in packets(container, stream):
        if packet.size and not packet.is_discard:
            look.count += 1
            if packet.pts is not None:
                look.times.append(packet.pts)
        if look.first is None:
            try:
                look.first = next(iter(packet.decode()), None)
            except av.error.FFmpegError:
                continue
        if look.first is not None and look.count >= _LOOK_AT:
            look.at_end = False
            break
    return look


def orientation_or_error(frame: av.VideoFrame, path: Path) -> Orientation:
    """How to turn `frame` upright. Raises UnreadableMediaError for anything but quarter turns."""
    orientation = orientation_of(frame)
    if orientation is None:
        raise UnreadableMediaError(
            f"'{path}' asks to be shown turned by {frame.rotation} degrees; only quarter turns are supported. "
            "Export it upright from an editor."
        )
    return orientation


def probe(path: Path | str) -> VideoInfo:
    """What the video at `path` is. Decodes one frame and looks at the first 600 packets.

    Raises:
        UnreadableMediaError: missing, not a video, no video stream, no decoder, not one decodable frame.
    """
    path = Path(path)
    with open_input(path) as container:
        stream = video_stream(container, path)
        audio = tuple(s.codec_context.name if s.codec_context else "unknown" for s in container.streams.audio)
        look = _look(container, stream)
        if look.first is None:
            raise UnreadableMediaError(
                f"'{path}' has no frame that can be decoded ({stream.codec_context.name}, {look.count} packets). "
                "Copy or export it again."
            )
        orientation = orientation_or_error(look.first, path)
        width, height = look.first.width, look.first.height
        aspect = Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1) or Fraction(1)
        if orientation.swaps_sides:
            width, height, aspect = height, width, 1 / aspect
        time_base = Fraction(stream.time_base or Fraction(1, 90000))
        fps = Fraction(stream.average_rate or stream.guessed_rate or 25)
        duration: Fraction | None
        if stream.duration:
            duration = stream.duration * time_base
        else:
            duration = Fraction(container.duration, av.time_base) if container.duration else None
        count = look.count if look.at_end else stream.frames or (round(duration * fps) if duration else look.count)
        color, codec = color_of(look.first), stream.codec_context.codec.canonical_name
        return VideoInfo(
            path=path,
            width=width,
            height=height,
            rotation=orientation.degrees,
            mirrored=orientation.mirrored,
            fps=fps,
            is_vfr=not _even_steps(look, time_base),
            num_frames=count,
            duration=duration,
            time_base=time_base,
            codec=codec,
            pixel_format=look.first.format.name,
            bit_depth=max((c.bits for c in look.first.format.components), default=8),
            color=color,
            chroma_place="left" if is_untold(codec) else chroma_place(look.first),
            mastering=mastering_of(look.first),
            is_interlaced=bool(look.first.interlaced_frame),
            sample_aspect=aspect,
            audio_codecs=audio,
            warnings=_warnings(look.first, color),
        )


def _warnings(frame: av.VideoFrame, color: ColorTags) -> tuple[str, ...]:
    lines = []
    if frame.interlaced_frame:
        lines.append("The video is interlaced: frames are two pictures of two moments; moving edges look like combs.")
    if color.is_hdr:
        lines.append(
            "The video is HDR (PQ or HLG): networks see its faces as ordinary video; the frames keep their own values."
        )
    return tuple(lines)
