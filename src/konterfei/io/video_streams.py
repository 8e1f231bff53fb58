"""What a file holds besides its picture: carried over while the picture is made anew.

Sound and subtitles go packet by packet; time code, chapters, title and the like as the container writes them. What the
new container cannot hold is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
from av.audio.resampler import AudioResampler
from av.container import OutputContainer

from konterfei.io.video_probe import open_input, packets

_BITS_PER_CHANNEL = 128_000
"""Bits per second for sound that the container cannot hold as it is: transparent for speech and music."""
_TOLD = ("title", "artist", "album", "date", "creation_time", "copyright", "genre", "description", "comment")
"""What is copied of a file's own description. (Of phones, it may hold the place of a home: that stays behind.)"""
_TECHNICAL = ("brand", "encoder", "handler", "minor_version", "vendor", "duration", "statistics", "timecode", "bps")
"""Words of keys that the new container writes for itself."""
_BIBLIOGRAPHIC = {
    "deu": "ger", "nld": "dut", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb", "hye": "arm", "kat": "geo",
    "bod": "tib", "mya": "bur", "msa": "may", "mkd": "mac",
}  # fmt: skip
"""Languages by ISO 639-2's other name, the only one that QuickTime's table knows; both mean the same everywhere."""


class _Track:
    """One stream of sound on its way into the output."""

    def __init__(self, source: Any, output: OutputContainer, note: Callable[[str], None]) -> None:
        self.source = source
        name = source.codec_context.codec.canonical_name
        self._encoder: Any = None
        self._last_dts: int | None = None
        if name in output.supported_codecs:
            self.stream: Any = output.add_stream_from_template(source)
        else:
            codec, rate = source.codec_context, source.codec_context.sample_rate
            encoder, said = "aac", "AAC"
            if "aac" not in output.supported_codecs:  # WebM
                encoder, said, rate = "libopus", "Opus", 48_000
            self.stream = output.add_stream(encoder, rate=rate, layout=codec.layout.name)
            self.stream.bit_rate = _BITS_PER_CHANNEL * (codec.channels or 2)
            sample = "fltp" if encoder == "aac" else "flt"
            self._encoder = AudioResampler(format=sample, layout=codec.layout.name, rate=rate)
            kind = output.format.name.split(",")[0]
            note(f"The sound was encoded again as {said}: {kind} cannot hold {name}. A .mkv keeps it untouched.")
        if source.language:
            self.stream.metadata["language"] = _BIBLIOGRAPHIC.get(source.language, source.language)

    def convert(self, packet: av.Packet) -> Iterator[av.Packet]:
        """Packets for the output; an empty packet is the end."""
        if self._encoder is None:
            if packet.dts is None and packet.pts is not None:
                packet.dts = packet.pts
            # a packet that steps back in time comes from a damaged place; containers refuse it
            if packet.size and packet.dts is not None and (self._last_dts is None or packet.dts > self._last_dts):
                self._last_dts = packet.dts
                packet.stream = self.stream
                yield packet
            return
        for frame in packet.decode():
            for piece in self._encoder.resample(frame):
                yield from self.stream.encode(piece)
        if not packet.size:
            for piece in self._encoder.resample(None):
                yield from self.stream.encode(piece)
            yield from self.stream.encode(None)


class StreamCopy:
    """All but the picture of `path` on its way into `output`, kept in step with the picture.

    Packets of sound are copied untouched where the output's container holds their codec, and encoded anew where it does
    not; subtitles are copied or left out.

    Args:
        path: file to take from.
        output: container that is being written; its picture has been added, its header must not be out yet.
        note: told what a person should know.
    """

    def __init__(self, path: Path, output: OutputContainer, note: Callable[[str], None]) -> None:
        self._stack = ExitStack()
        self._output = output
        self._note = note
        container = self._stack.enter_context(open_input(path))
        self._tracks: dict[int, _Track] = {}
        for source in container.streams.audio:
            if source.codec_context is None:
                note("A sound track in a codec that FFmpeg does not know was left out.")
            else:
                self._tracks[source.index] = _Track(source, output, note)
        for text in container.streams.subtitles:
            name = text.codec_context.codec.canonical_name if text.codec_context else "an unknown kind"
            if name in output.supported_codecs:
                self._tracks[text.index] = _Track(text, output, note)
            else:
                kind = output.format.name.split(",")[0]
                note(f"Subtitles ({name}) were left out: {kind} cannot hold them.")
        _copy_description(container, output, note)
        sources = [track.source for track in self._tracks.values()]
        self._packets = packets(container, *sources) if sources else iter(())
        self._held: av.Packet | None = None

    def until(self, time: Fraction | None) -> None:
        """Write packets that play before `time` (seconds); None = all that are left."""
        while True:
            packet = self._held or next(self._packets, None)
            self._held = None
            if packet is None:
                return
            if time is not None and packet.dts is not None and packet.dts * Fraction(packet.time_base) > time:
                self._held = packet
                return
            try:
                ready = list(self._tracks[packet.stream.index].convert(packet))
            except av.error.InvalidDataError:
                continue  # a damaged piece of sound that had to be decoded; the rest goes on
            for piece in ready:
                self._output.mux_one(piece)

    def close(self) -> None:
        """Let go of the file."""
        self._stack.close()


def _copy_description(container: Any, output: OutputContainer, note: Callable[[str], None]) -> None:
    """Time code, chapters and what the file says of itself."""
    timecode = timecode_of(container)
    pictures = output.streams.video
    rate = _whole_rate(container)
    if timecode and pictures and rate and "webm" not in output.format.name:
        pictures[0].metadata["timecode"] = timecode
        pictures[0].codec_context.framerate = rate  # QuickTime's time code counts frames by it
    elif timecode:
        why = "WebM cannot hold it" if rate else "it counts frames, and these do not come at an even pace"
        note(f"The time code ({timecode}) was left out: {why}.")
    chapters = container.chapters()
    if chapters:
        output.set_chapters(chapters)
    told = {key: value for key, value in container.metadata.items() if key.lower() in _TOLD}
    output.metadata.update(told)
    left = [
        key for key in container.metadata if key not in told and not any(word in key.lower() for word in _TECHNICAL)
    ]
    if left:
        note(f"Of the plate's description, {', '.join(sorted(left))} was not copied.")
    others = [*container.streams.video[1:], *container.streams.attachments]
    data = [stream for stream in container.streams.data if "timecode" not in stream.metadata]
    others += data[1:] if chapters and "mov" in container.format.name else data  # one of them holds the chapters
    if others:
        note(f"{len(others)} more streams of the plate (pictures, data, attachments) were left out.")


def _whole_rate(container: Any) -> Fraction | None:
    """Frames per second of the picture, where that is a whole number, or one slowed down by 1000/1001."""
    rates = [rate for stream in container.streams.video[:1] for rate in (stream.average_rate, stream.guessed_rate)]
    for rate in rates:
        for slowed in (Fraction(1), Fraction(1000, 1001)):
            near = round(Fraction(rate or 0) / slowed) * slowed
            if 1 <= near <= 240 and abs(rate - near) / near < Fraction(1, 5000):
                return near
    return None


def timecode_of(container: Any) -> str:
    """The time code of the first frame, HH:MM:SS:FF; "" where there is none."""
    for holder in (container, *container.streams):
        for key, value in holder.metadata.items():
            if key.lower() == "timecode":
                return str(value)
    return ""
