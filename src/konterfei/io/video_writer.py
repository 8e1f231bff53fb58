"""Frames to a video file: exact times, right colours, sound copied, whole or not there at all."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import av.error
import cv2
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from konterfei.errors import EncodeError
from konterfei.io import video_chroma
from konterfei.io.atomic import atomic_path
from konterfei.io.video_codecs import Sampling, check_container, codec_named, pixel_format, sampling
from konterfei.io.video_container import check_video_output, decoding_time, encode_failure, open_output
from konterfei.io.video_frames import BT709, ColorTags, Frame, YuvMaker, plane_of
from konterfei.io.video_hdr import Mastering, encoder_parameters
from konterfei.io.video_native import Patcher
from konterfei.io.video_probe import VideoInfo
from konterfei.io.video_streams import StreamCopy

_QUIET = {
    "libx265": {"x265-params": "log-level=error:open-gop=0"},
}
"""x265 writes to the terminal, and by default groups of pictures that lean on the one before."""
_AVX512 = 13
"""OpenCV's number of that kind of processor (CPU_AVX_512F, which its Python names do not hold)."""


def _repeatable(encoder: str) -> dict[str, str]:
    """What makes the same frames the same file every time.

    On processors with AVX-512, x264 weighs macroblocks by memory that it never wrote (its tree of macroblocks; with
    --asm avx2 it does not): files of the same frames differ, by up to 22 grey levels at single pixels. 5 % slower.
    """
    is_concerned = encoder == "libx264" and cv2.checkHardwareSupport(_AVX512)
    return {"x264-params": "asm=avx2"} if is_concerned else {}


class VideoWriter:
    """Writes RGB frames as video. A context manager: `path` appears, complete, when the block ends well.

    Constant rates, variable rates and offsets are all written as the times say. Groups of pictures are closed and
    headers depend on the settings only, so that parts can be joined (`join`).
    The clock: .mp4 and .mov hold every time exactly; .mkv and .webm round to milliseconds, and when their sound starts
    before 0 (AAC priming) move sound and picture later together.

    Args:
        path: a container that holds the codec, see `io.video_codecs`.
        width, height: size of the frames.
        color: tags of the plate; kept as they are, also where they are unstated. Default: BT.709, for new material.
        fps_hint: typical frames per second; for rate control, and for the clock when `time_base` is not given.
        time_base: the clock's unit in seconds. Give the plate's: then its times are written exactly.
        crf: quality in the codec's scale, 0 = best; None = the codec's usual one.
        preset: one of the codec's; None = the usual one.
        codec: a name of `io.video_codecs.CODECS`.
        chroma: one of `io.video_codecs.CHROMAS`.
        like_format: pixel format of the plate, to be kept where the codec can; None = 4:2:0, 10 bits of uint16 frames.
        mastering: HDR metadata to be written into the stream.
        chroma_place: where chroma samples lie, one of `io.video_chroma.PLACES`.
        has_alpha: frames come with a mask, which is written as transparency. Only prores-4444 holds it.
        audio_from: file whose sound is copied, untouched where the container can hold it, else as AAC (see `notes`).
        sample_aspect: width of a pixel by its height.
        metadata: what the file says of itself.
        faststart: put the index first, for playing over the network; costs one more copy of the file.

    Attributes:
        notes: lines that a person should read, complete after the block.
        num_frames: frames written so far.

    Raises:
        OutputError: not writable, no space, the output is `audio_from`, the codec does not go there.
        EncodeError: times that do not ascend, no frame at all, a setting that the encoder refuses.
        UnknownNameError: codec.
        ConfigError: a quality or preset that the codec does not have.
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
        crf: float | None = None,
        preset: str | None = None,
        codec: str = "h264",
        chroma: str = "plate",
        like_format: str | None = None,
        mastering: Mastering | None = None,
        chroma_place: str = "left",
        has_alpha: bool = False,
        audio_from: Path | None = None,
        sample_aspect: Fraction = Fraction(1),
        faststart: bool = True,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._codec = codec_named(codec)
        self._codec.check(codec, crf, preset)
        self._name = codec
        self.path, self.width, self.height = Path(path), width, height
        check_video_output(self.path, audio_from)
        if self.path.suffix.lower() != self._codec.part:
            check_container(codec, self.path)
        self.notes: list[str] = []
        self.num_frames = 0
        self._fps = Fraction(fps_hint)
        self._time_base = time_base or Fraction(1, self._fps.numerator * math.ceil(10_000 / self._fps.numerator))
        self._color = _writable_tags(color or BT709)
        self._crf, self._preset, self._mastering, self._place = crf, preset, mastering, chroma_place
        self._chroma, self._like, self._has_alpha = chroma, like_format, has_alpha
        self._sample_aspect = sample_aspect
        self._audio_from, self._faststart = audio_from, faststart
        self._metadata = metadata
        self._stack = ExitStack()
        self._temporary: Path | None = None
        self._container: OutputContainer | None = None
        self._stream: Any = None
        self._yuv: Any = None
        self._patch: Any = None
        self._alpha_format = ""
        self._streams: StreamCopy | None = None
        self._shown: list[int] = []
        self._written = 0
        self._deep: bool | None = None

    @classmethod
    def like(
        cls, info: VideoInfo, path: Path | str, *, size: tuple[int, int] | None = None, **settings: Any
    ) -> VideoWriter:
        """A writer of frames that look and last as those of `info`: colour, clock, pixels, size if not given."""
        plate: dict[str, Any] = {
            "color": info.color,
            "fps_hint": info.fps,
            "time_base": info.time_base,
            "sample_aspect": info.sample_aspect,
            "like_format": info.pixel_format,
            "mastering": info.mastering,
            "chroma_place": info.chroma_place,
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

    def write(
        self,
        image: NDArray[Any],
        pts: Fraction,
        duration: Fraction | None = None,
        *,
        plate: Frame | None = None,
        alpha: NDArray[Any] | None = None,
    ) -> None:
        """Add a frame.

        Args:
            image: RGB. [H, W, 3] uint8, or uint16 in 0..65535
            pts: when it is shown, in seconds; rounded to the clock's unit.
            duration: how long, in seconds; matters for the last frame only.
            plate: what the image was made of: where both have equal pixels, its own samples are written, where it has
                them (`Frame.native`) and the pixel format is the same.
            alpha: how much of each pixel is opaque. [H, W] float32 in [0, 1]; None = all of it
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
        if self._shown and ticks <= self._shown[-1]:
            raise EncodeError(
                f"Cannot encode '{self.path}': frame {self.num_frames} at {float(pts):.6f} s does not come after "
                f"the one before it (clock unit {self._time_base} s). Give a finer time base."
            )
        self._shown.append(ticks)
        try:
            if self._container is None:
                self._open()
            frame = self._frame(image, plate, alpha)
            frame.pts, frame.time_base = ticks, self._time_base
            frame.duration = round((duration or 1 / self._fps) / self._time_base)
            self._mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise encode_failure(self.path, error) from error
        self.num_frames += 1

    def _frame(self, image: NDArray[Any], plate: Frame | None, alpha: NDArray[Any] | None) -> av.VideoFrame:
        if self._alpha_format:
            return self._with_alpha(self._yuv(_whole(image, plate)), alpha)
        if plate is not None and self._patch.fits(plate):
            return self._patch(image, plate)
        return self._yuv(_whole(image, plate))

    def _with_alpha(self, opaque: av.VideoFrame, alpha: NDArray[Any] | None) -> av.VideoFrame:
        frame = av.VideoFrame(self.width, self.height, self._alpha_format)
        for target, source in zip(frame.planes, opaque.planes, strict=False):
            plane_of(target, np.uint16)[:] = plane_of(source, np.uint16)
        most = (1 << sampling(self._alpha_format).depth) - 1
        plane_of(frame.planes[3], np.uint16)[:] = most if alpha is None else np.rint(alpha * most).astype(np.uint16)
        return self._yuv.tag(frame)

    def _open(self) -> None:
        assert self._temporary is not None, "use VideoWriter as a context manager"
        shape = sampling(self._like) if self._like else Sampling("420", 10 if self._deep else 8)
        wanted = Sampling(shape.chroma, shape.depth, self._has_alpha)
        deepest = 16 if self._deep else 8
        chosen, said = pixel_format(self._name, wanted, self.width, self.height, chroma=self._chroma, deepest=deepest)
        self.notes += said
        if self._codec.encoder == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")  # its own way to be silent but for errors
        self._container = open_output(self._temporary, self._time_base, self._faststart, self._metadata)
        stream: Any = self._container.add_stream(self._codec.encoder, rate=self._fps, options=self._options(chosen))
        stream.width, stream.height, stream.pix_fmt = self.width, self.height, chosen
        stream.time_base = self._time_base
        context = stream.codec_context
        context.time_base = self._time_base
        context.sample_aspect_ratio = self._sample_aspect
        context.color_primaries, context.color_trc = self._color.primaries, self._color.transfer
        context.colorspace, context.color_range = self._color.matrix, self._color.range
        if sampling(chosen).chroma == "rgb":
            context.colorspace, context.color_range = 0, 2
        if self._codec.tag and self.path.suffix.lower() in (".mp4", ".m4v", ".mov"):
            context.codec_tag = self._codec.tag
        context.flags |= av.codec.context.Flags.frame_duration
        self._stream = stream
        self._alpha_format = chosen if sampling(chosen).has_alpha else ""
        opaque = chosen.replace("yuva", "yuv")
        self._yuv = YuvMaker(self.width, self.height, self._color, opaque, bool(self._deep), self._place)
        self._patch = Patcher(self.width, self.height, self._color, opaque, self._yuv)
        if self._audio_from is not None:
            self._streams = StreamCopy(self._audio_from, self._container, self.notes.append)

    def _options(self, chosen: str) -> dict[str, str]:
        options = self._codec.encoder_options(self._crf, self._preset, chosen)
        told = encoder_parameters(self._codec.encoder, self._mastering)
        place = video_chroma.encoder_parameters(self._codec.encoder, self._place)
        if place is None and sampling(chosen).chroma in ("420", "422"):
            self.notes.append(f"{self._name} cannot say that colour samples lie at the {self._place}, as in the plate.")
        for more in (_QUIET.get(self._codec.encoder, {}), _repeatable(self._codec.encoder), place or {}):
            told |= {name: ":".join(filter(None, (value, told.get(name)))) for name, value in more.items()}
        return options | told

    def _mux(self, ready: list[av.Packet]) -> None:
        assert self._container is not None
        for packet in ready:
            if delay := min(self._codec.delay, len(self._shown) - 1):
                packet.dts = decoding_time(self._shown, self._written, delay)
                packet.time_base = self._time_base
            elif self._codec.delay:
                packet.dts = packet.pts
            if self._codec.encoder == "dnxhd" and self._color.matrix == 9:
                _say_bt2020(packet)
            self._written += 1
            if self._streams is not None and packet.dts is not None:
                self._streams.until(packet.dts * Fraction(packet.time_base))
            self._container.mux_one(packet)

    def _finish(self) -> None:
        if self._container is None:
            raise EncodeError(f"Cannot write '{self.path}': not one frame was given.")
        try:
            self._mux(self._stream.encode(None))
            if self._streams is not None:
                self._streams.until(None)
            self._container.close()
        except av.error.FFmpegError as error:
            raise encode_failure(self.path, error) from error
        finally:
            if self._streams is not None:
                self._streams.close()

    def _abandon(self, error: BaseException) -> None:
        if self._streams is not None:
            self._streams.close()
        if self._container is not None:
            with suppress(Exception):  # the first error is the one to tell
                self._container.close()
        with suppress(type(error)):
            self._stack.__exit__(type(error), error, error.__traceback__)


def _say_bt2020(packet: av.Packet) -> None:
    """Tell DNxHR's own header of the matrix, which FFmpeg's encoder leaves at BT.709 (SMPTE ST 2019-1)."""
    data = bytearray(bytes(packet))
    data[0x2C] = data[0x2C] & ~0x06 | 0x02
    packet.update(bytes(data))


def _whole(image: NDArray[Any], plate: Frame | None) -> NDArray[Any]:
    """`image` with the plate around it, where it was begun in some regions only; as it is where it has another size."""
    return image if plate is None or plate.size != (image.shape[1], image.shape[0]) else plate.completed(image)


def _writable_tags(color: ColorTags) -> ColorTags:
    """`color`, with a matrix that YUV can be made with: RGB material (0) and rare ones become BT.709."""
    if color.matrix in (1, 2, 4, 5, 6, 7, 9):
        return color
    return ColorTags(color.primaries, color.transfer, 9 if color.matrix == 10 else 1, 1)
