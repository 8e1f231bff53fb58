"""Equally encoded parts to one file, without encoding again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error

from konterfei.errors import DamagedFileError, EncodeError
from konterfei.io.atomic import atomic_path
from konterfei.io.video_codecs import CODECS
from konterfei.io.video_container import check_video_output, decoding_times, encode_failure, open_output
from konterfei.io.video_probe import open_input, packets, video_stream
from konterfei.io.video_streams import StreamCopy

_TAGS = {name: codec.tag for name, codec in CODECS.items() if codec.tag}


class _Part:
    """What must fit together, and the times of one part's packets."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_input(path) as container:
            stream = video_stream(container, path)
            context = stream.codec_context
            self.time_base = Fraction(stream.time_base or 0)
            self.coding = (context.codec.canonical_name, context.width, context.height, context.pix_fmt)
            self.header = bytes(context.extradata or b"")
            self.times: list[int] = []
            self.is_sound = True
            for packet in packets(container, stream):
                if packet.size:
                    self.is_sound &= packet.pts is not None and (bool(self.times) or packet.is_keyframe)
                    self.times.append(packet.pts or 0)
            self.delay = context.reorder_depth if context.has_b_frames else 0


def _checked(parts: Sequence[Path]) -> list[_Part]:
    looked = [_Part(path) for path in parts]
    first = looked[0]
    latest: int | None = None
    for part in looked:
        if part.coding != first.coding or part.header != first.header or part.time_base != first.time_base:
            raise EncodeError(
                f"Cannot join '{part.path}' to '{first.path}': they were encoded with other settings or another "
                "version of the encoder. Make the parts again."
            )
        if not part.is_sound or not part.times:
            raise DamagedFileError(f"'{part.path}' is empty, starts without a key frame or lacks times. Make it again.")
        if latest is not None and min(part.times) <= latest:
            raise EncodeError(f"Cannot join '{part.path}': it starts before the part before it ends.")
        latest = max(part.times)
    return looked


def _needed_delay(times: Sequence[int]) -> int:
    """Smallest reordering delay with which nothing is shown before it is decoded."""
    rank = {time: index for index, time in enumerate(sorted(times))}
    return max((place - rank[time] for place, time in enumerate(times)), default=0)


def join(
    parts: Sequence[Path],
    output: Path | str,
    audio_from: Path | None = None,
    *,
    faststart: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> list[str]:
    """Write the video of `parts`, one after the other, as one file, packets untouched.

    The parts must have been written by `VideoWriter` with the same settings, with ascending times on one clock (their
    frames keep the times they have), in a container that holds times exactly. Decoding times are made anew, so that
    they ascend over the joints.

    Args:
        parts: in order.
        output: a container that holds their codec; appears when complete.
        audio_from: file whose sound, subtitles, chapters and so on are copied, see `io.video_streams`.
        faststart: put the index first.
        metadata: what the file says of itself, besides.

    Returns:
        Lines that a person should read.

    Raises:
        UnreadableMediaError, DamagedFileError: a part is missing or broken.
        EncodeError: parts do not fit together.
        OutputError: the output cannot be written.
    """
    if not parts:
        raise ValueError("join needs at least one part")
    output = Path(output)
    check_video_output(output, audio_from, *parts)
    looked = _checked(parts)
    times = [time for part in looked for time in part.times]
    dts = iter(decoding_times(times, max(max(part.delay for part in looked), _needed_delay(times))))
    notes: list[str] = []
    with atomic_path(output) as temporary, open_input(looked[0].path) as template:
        container = open_output(temporary, looked[0].time_base, faststart, metadata)
        audio: StreamCopy | None = None
        try:
            source = video_stream(template, looked[0].path)
            # by the decoder's entry: FFmpeg has no encoder of the decoder's name for AV1
            stream: Any = container.add_stream_from_template(source, opaque=True)
            stream.time_base = looked[0].time_base
            stream.codec_context.sample_aspect_ratio = source.sample_aspect_ratio or Fraction(1)
            _note_aspect(output, source, looked[0].coding[0], notes)
            if (tag := _TAGS.get(looked[0].coding[0])) and output.suffix.lower() in (".mp4", ".m4v", ".mov"):
                stream.codec_context.codec_tag = tag
            audio = StreamCopy(audio_from, container, notes.append) if audio_from is not None else None
            for part in looked:
                _append(part, container, stream, audio, dts)
            if audio is not None:
                audio.until(None)
            container.close()
        except BaseException as error:
            with suppress(Exception):  # the first error is the one to tell
                container.close()
            if not isinstance(error, av.error.FFmpegError):
                raise
            raise encode_failure(output, error) from error
        finally:
            if audio is not None:
                audio.close()
    return notes


def _note_aspect(output: Path, source: Any, codec: str, notes: list[str]) -> None:
    """Say where the shape of pixels is lost: PyAV cannot tell Matroska of it, and not every codec says it itself."""
    aspect = source.sample_aspect_ratio
    if output.suffix.lower() in (".mkv", ".webm") and aspect not in (None, 0, 1) and codec not in ("h264", "hevc"):
        notes.append(
            f"The shape of pixels, {aspect}, cannot be written into {output.suffix} with this codec: the picture will "
            "look squeezed. A .mov or .mp4 keeps it."
        )


def _append(part: _Part, container: Any, stream: Any, audio: StreamCopy | None, dts: Any) -> None:
    with open_input(part.path) as opened:
        for packet in packets(opened, video_stream(opened, part.path)):
            if not packet.size:
                continue
            packet.dts = next(dts)
            if audio is not None:
                audio.until(packet.dts * Fraction(packet.time_base))
            packet.stream = stream
            container.mux_one(packet)
