"""The files that video is written into: opened, named, and their refusals in clear words."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import OutputContainer

from konterfei.errors import EncodeError, OutputError
from konterfei.io.atomic import ensure_writable, output_error
from konterfei.io.video_codecs import VIDEO_SUFFIXES


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


def open_output(
    temporary: Path, time_base: Fraction, faststart: bool, metadata: Mapping[str, str] | None = None
) -> OutputContainer:
    """An empty container at `temporary`, whose edit lists are as fine as the picture's clock."""
    options = {}
    if temporary.suffix.lower() in (".mp4", ".m4v", ".mov"):
        # FFmpeg counts offsets in the movie's time scale, 1/1000 s by default: too coarse for 1/15360 s
        options = {"movie_timescale": str(time_base.denominator), "video_track_timescale": str(time_base.denominator)}
        if faststart:
            options["movflags"] = "faststart"
    # by its suffix .m4v would be what Apple's first players took: H.264 only
    kind = "mp4" if temporary.suffix.lower() == ".m4v" else None
    container = av.open(f"file:{temporary.absolute()}", "w", format=kind, container_options=options)
    container.metadata.update(metadata or {})
    return container


def encode_failure(path: Path, error: av.error.FFmpegError) -> Exception:
    """`OutputError` for what the system refused, `EncodeError` for the rest."""
    translated = output_error(path, OSError(error.errno, error.strerror))
    if isinstance(error, OSError) or "Choose another output path" not in str(translated):
        return translated
    return EncodeError(f"Cannot encode '{path}': {error.strerror}. Try other settings or another container.")


def decoding_times(times: list[int], delay: int) -> list[int]:
    """Decoding times for packets with presentation `times` (both in decoding order), `delay` frames of reordering.

    The n-th packet is decoded when the (n - delay)-th frame in order is shown; the first ones earlier, in even steps.
    """
    shown = sorted(times)
    return [decoding_time(shown, place, min(delay, len(shown) - 1)) for place in range(len(shown))]


def decoding_time(shown: list[int], place: int, delay: int) -> int:
    """The same of one packet, where the frames up to this one are `shown`, ascending; there are more than `delay`."""
    return shown[place] - (shown[delay] - shown[0]) if place < delay else shown[place - delay]
