"""Frames to a video file: exact times, right colours, sound copied, whole or not there at all."""

from __future__ import annotations

import math
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from konterfei.errors import EncodeError, OutputError, UnknownNameError
from konterfei.io.atomic import atomic_path, ensure_writable, output_error
from konterfei.io.video_audio import AudioCopy
from konterfei.io.video_frames import BT709, ColorTags, YuvMaker
from konterfei.io.video_probe import VideoInfo

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv")
"""Containers that we write. Only the first three can carry Content Credentials."""

_CODECS = {"h264": "libx264"}
"""Name to FFmpeg's encoder. (x265 fails now and then when it writes MP4 headers here; not offered.)"""


def check_video_output(path: Path, *inputs: Path | None) -> None:
    """Refuse an output of unknown kind, one that is an input, and one that cannot be written.

    Raises:
        OutputError: which of these it is.
    """
    if path.suffix.lower() not in VIDEO_SUFFIXES:
        raise OutputError(
            f"Cannot write '{path}': '{path.suffix}' is no container that konterfei writes. "
            f"Use {', '.join(VIDEO_SUFFIXES)}."
        )
    for source in inputs:
        if source is not None and path.exists() and source.exists() and path.samefile(source):
            raise OutputError(f"Cannot write '{path}': it is also an input. Choose another output.")
    ensure_writable(path)


def open_output(temporary: Path, time_base: Fraction, faststart: bool) -> OutputContainer:
    """An empty container at `temporary`, whose edit lists are as fine as the picture's clock."""
    options = {}
    if temporary.suffix.lower() != ".mkv":
        # FFmpeg counts offsets in the movie's time scale, 1/1000 s by default: too coarse for 1/15360 s
        options = {"movie_timescale": str(time_base.denominator), "video_track_timescale": str(time_base.denominator)}
        if faststart:
            options["movflags"] = "faststart"
    return av.open(f"file:{temporary.absolute()}", "w", container_options=options)


def encode_failure(path: Path, error: av.error.FFmpegError) -> Exception:
    """`OutputError` for what the system refused, `EncodeError` for the rest."""
    translated = output_error(path, OSError(error.errno, error.strerror))
    if isinstance(error, OSError) or "Choose another output path" not in str(translated):
        return translated
    return EncodeError(f"Cannot encode '{path}': {error.strerror}. Try other settings or another container.")


class VideoWriter:
    """Writes RGB frames as video. A context manager: `path` appears, complete, when the block ends well.

    Constant rates, variable rates and offsets are all written as the times say. The picture is 4:2:0, or 4:4:4 when
    a side is odd (H.264 cannot crop 4:2:0 to odd sizes; padding would add pixels that are not there). Groups of
    pictures are closed and headers depend on the settings only, so that parts can be joined (`join`).
    The clock: .mp4 and .mov hold every time exactly; .mkv rounds to milliseconds, and when its sound starts before 0
    (AAC priming) moves sound and picture later together.

    Args:
        path: .mp4, .mov, .m4v or .mkv.
        width, height: size of the frames.
        color: tags of the plate; kept as they are, also where they are unstated. Default: BT.709, for new material.
        fps_hint: typical frames per second; for rate control, and for the clock when `time_base` is not given.
        time_base: the clock's unit in seconds. Give the plate's: then its times are written exactly.
        crf: quality, 0 = lossless ... 51 = worst; 16 is visually lossless for x264.
        preset: x264's preset, "ultrafast" ... "veryslow".
        codec: "h264". uint16 frames are written with 10 bits.
        audio_from: file whose sound is copied, untouched where the container can hold it, else as AAC (see `notes`).
        sample_aspect: width of a pixel by its height.
        faststart: put the index first, for playing over the network; costs one more copy of the file.

    Attributes:
        notes: lines that a person should read, complete after the block.
        num_frames: frames written so far.

    Raises:
        OutputError: not writable, no space, the output is `audio_from`.
        EncodeError: times that do not ascend, no frame at all, a setting that the encoder refuses.
        UnknownNameError: codec.
    """

    def __init__(
        self,
        path: Path | str,
        width: int,
        height: int,
        *,
        color: ColorTags | None = None,
        fps_hint: Fraction | int = 25,
        time_base: Fraction | None = None,
        crf: float = 16,
        preset: str = "medium",
        codec: str = "h264",
        audio_from: Path | None = None,
        sample_aspect: Fraction = Fraction(1),
        faststart: bool = True,
    ) -> None:
        if codec not in _CODECS:
            raise UnknownNameError("video codec", codec, _CODECS)
        self.path, self.width, self.height = Path(path), width, height
        check_video_output(self.path, audio_from)
        self.notes: list[str] = []
        self.num_frames = 0
        self._fps = Fraction(fps_hint)
        self._time_base = time_base or Fraction(1, self._fps.numerator * math.ceil(10_000 / self._fps.numerator))
        self._color = _writable_tags(color or BT709)
        self._options = {"crf": str(crf), "preset": preset}
        self._codec, self._sample_aspect = codec, sample_aspect
        self._audio_from, self._faststart = audio_from, faststart
        self._stack = ExitStack()
        self._temporary: Path | None = None
        self._container: OutputContainer | None = None
        self._stream: Any = None
        self._yuv: Any = None
        self._audio: AudioCopy | None = None
        self._last: int | None = None
        self._deep: bool | None = None

    @classmethod
    def like(
        cls, info: VideoInfo, path: Path | str, *, size: tuple[int, int] | None = None, **settings: Any
    ) -> VideoWriter:
        """A writer of frames that look and last as those of `info` (colour, clock, pixel shape, size if not given)."""
        plate: dict[str, Any] = {
            "color": info.color,
            "fps_hint": info.fps,
            "time_base": info.time_base,
            "sample_aspect": info.sample_aspect,
        }
        width, height = size or (info.width, info.height)
        return cls(path, width, height, **{**plate, **settings})

    def __enter__(self) -> Self:
        self._temporary = self._stack.enter_context(atomic_path(self.path))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._finish()
            except BaseException as failure:
                self._abandon(failure)
                raise
            self._stack.close()
        else:
            self._abandon(error)

    def write(self, image: NDArray[Any], pts: Fraction, duration: Fraction | None = None) -> None:
        """Add a frame.

        Args:
            image: RGB. [H, W, 3] uint8, or uint16 in 0..65535
            pts: when it is shown, in seconds; rounded to the clock's unit.
            duration: how long, in seconds; matters for the last frame only.
        """
        if image.shape != (self.height, self.width, 3) or image.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                f"expected [{self.height}, {self.width}, 3] uint8 or uint16, got {image.shape} {image.dtype}"
            )
        if self._deep is None:
            self._deep = image.dtype == np.uint16
        if self._deep != (image.dtype == np.uint16):
            raise ValueError("frames of one video must have one bit depth")
        ticks = round(pts / self._time_base)
        if self._last is not None and ticks <= self._last:
            raise EncodeError(
                f"Cannot encode '{self.path}': frame {self.num_frames} at {float(pts):.6f} s does not come after "
                f"the one before it (clock unit {self._time_base} s). Give a finer time base."
            )
        self._last = ticks
        try:
            if self._container is None:
                self._open()
            frame = self._yuv(image)
            frame.pts, frame.time_base = ticks, self._time_base
            frame.duration = round((duration or 1 / self._fps) / self._time_base)
            self._mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise encode_failure(self.path, error) from error
        self.num_frames += 1

    @property
    def _pixel_format(self) -> str:
        chroma = "444" if self.width % 2 or self.height % 2 else "420"
        return f"yuv{chroma}p10le" if self._deep else f"yuv{chroma}p"

    def _open(self) -> None:
        assert self._temporary is not None, "use VideoWriter as a context manager"
        self._container = open_output(self._temporary, self._time_base, self._faststart)
        stream: Any = self._container.add_stream(_CODECS[self._codec], rate=self._fps, options=self._options)
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, self._pixel_format
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = self._sample_aspect
        context.color_primaries, context.color_trc = self._color.primaries, self._color.transfer
        context.colorspace, context.color_range = self._color.matrix, self._color.range
        context.flags |= av.codec.context.Flags.frame_duration
        self._stream = stream
        self._yuv = YuvMaker(self.width, self.height, self._color, self._pixel_format, bool(self._deep))
        if self._pixel_format.startswith("yuv444"):
            self.notes.append(
                f"{self.width} x {self.height} has an odd side: written as 4:4:4, which some players cannot show."
            )
        if self._audio_from is not None:
            self._audio = AudioCopy(self._audio_from, self._container, self.notes.append)

    def _mux(self, ready: list[av.Packet]) -> None:
        assert self._container is not None
        for packet in ready:
            if self._audio is not None and packet.dts is not None:
                self._audio.until(packet.dts * Fraction(packet.time_base))
            self._container.mux_one(packet)

    def _finish(self) -> None:
        if self._container is None:
            raise EncodeError(f"Cannot write '{self.path}': not one frame was given.")
        try:
            self._mux(self._stream.encode(None))
            if self._audio is not None:
                self._audio.until(None)
            self._container.close()
        except av.error.FFmpegError as error:
            raise encode_failure(self.path, error) from error
        finally:
            if self._audio is not None:
                self._audio.close()

    def _abandon(self, error: BaseException) -> None:
        if self._audio is not None:
            self._audio.close()
        if self._container is not None:
            with suppress(Exception):  # the first error is the one to tell
                self._container.close()
        with suppress(type(error)):
            self._stack.__exit__(type(error), error, error.__traceback__)


def _writable_tags(color: ColorTags) -> ColorTags:
    """`color`, with a matrix that YUV can be made with: RGB material (0) and rare ones become BT.709."""
    if color.matrix in (1, 2, 4, 5, 6, 7, 9):
        return color
    return ColorTags(color.primaries, color.transfer, 9 if color.matrix == 10 else 1, 1)
