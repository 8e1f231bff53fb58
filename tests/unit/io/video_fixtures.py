"""Small clips made on the spot."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from konterfei.io.video import VideoWriter


def picture(index: int, width: int = 96, height: int = 64) -> np.ndarray:
    """A smooth picture that is different for every index, and whose brightness grows with it."""
    y, x = np.mgrid[0:height, 0:width]
    red = 60 + 2 * index + 40 * np.sin((x + 5 * index) / 17)
    green = 60 + 2 * index + 40 * np.cos((y - 3 * index) / 13)
    blue = 90 + 40 * np.sin((x + y + index) / 23)
    return np.clip(np.stack([red, green, blue], -1), 0, 255).astype(np.uint8)


def make_clip(path: Path, times=None, count: int = 20, width: int = 96, height: int = 64, **settings) -> Path:
    """A clip of `picture`s at `times` (default: 25 per second)."""
    times = [Fraction(i, 25) for i in range(count)] if times is None else times
    settings = {"preset": "ultrafast", "time_base": Fraction(1, 12800), **settings}
    with VideoWriter(path, width, height, **settings) as writer:
        for index, time in enumerate(times):
            writer.write(picture(index, width, height), time)
    return path


def add_sound(path: Path, output: Path, codec: str = "aac", seconds: float = 1.0, rate: int = 44100) -> Path:
    """`path` with a tone beside it."""
    with av.open(str(path)) as source, av.open(str(output), "w") as sink:
        video = source.streams.video[0]
        copy = sink.add_stream_from_template(video)
        sound = sink.add_stream(codec, rate=rate, layout="mono")
        packets = []
        kind = sound.codec_context.format.name
        for start in range(0, int(seconds * rate), 1024):
            tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(start, start + 1024) / rate)
            if kind.startswith(("s", "u8")):
                bits = int(kind[1:3].rstrip("p"))
                tone = (tone * (2 ** (bits - 1) - 1)).astype(f"int{bits}")
                tone = (tone.astype(int) + 128).astype(np.uint8) if kind.startswith("u8") else tone
            tone = tone.astype(np.float32) if kind.startswith("f") else tone
            frame = av.AudioFrame.from_ndarray(tone[None], format=kind, layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            packets += sound.encode(frame)
        packets += sound.encode(None)
        for packet in source.demux(video):
            if packet.size:
                packet.stream = copy
                sink.mux(packet)
        sink.mux(packets)
    return output


def sound_of(path: Path) -> list[tuple[Fraction, bytes]]:
    """Times and bytes of the packets of the first sound track."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return []
        stream = container.streams.audio[0]
        return [(p.pts * Fraction(p.time_base), bytes(p)) for p in container.demux(stream) if p.size]


def set_matrix(path: Path, matrix: tuple[float, float, float, float]) -> None:
    """Write a, b, c, d of the display matrix into the track header of an .mp4."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    for place, value in zip((0, 1, 3, 4), matrix, strict=True):
        data[at + 4 * place : at + 4 * place + 4] = int(value * 65536).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
