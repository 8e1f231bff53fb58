"""Sound, carried over packet by packet while the picture is made anew."""

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

_AAC_BITS_PER_CHANNEL = 128_000
"""Bits per second for sound that the container cannot hold as it is: transparent for speech and music."""


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
            rate = source.codec_context.sample_rate
            channels = source.codec_context.channels or 2
            self.stream = output.add_stream("aac", rate=rate, layout=source.codec_context.layout.name)
            self.stream.bit_rate = _AAC_BITS_PER_CHANNEL * channels
            self._encoder = AudioResampler(format="fltp", layout=source.codec_context.layout.name, rate=rate)
            kind = output.format.name.split(",")[0]
            note(f"The sound was encoded again as AAC: {kind} cannot hold {name}. Write a .mkv to keep it untouched.")
        if source.language:
            self.stream.metadata["language"] = source.language

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


class AudioCopy:
    """The sound of `path` on its way into `output`, kept in step with the picture.

    Packets are copied untouched where the output's container holds their codec, and encoded as AAC where it does not.

    Args:
        path: file whose sound to take.
        output: container that is being written; its header must not be out yet.
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
