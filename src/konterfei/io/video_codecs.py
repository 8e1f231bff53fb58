"""The codecs that a video can be written in: one entry each, and how one is chosen for a plate.

Sources: FFmpeg's encoders as PyAV 18.1 carries them; containers and tags as its muxers take them (RFC 9559 for
Matroska, ISO/IEC 14496-15 for H.264 and HEVC, Apple's ProRes white paper, SMPTE ST 2019-1 for DNxHR). Parts
are written in a container that holds times exactly; Matroska rounds them to milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import av

from konterfei.errors import ConfigError, OutputError, UnknownNameError

CHROMAS = ("plate", "420", "422", "444")
"""How finely colour is sampled: as in the plate, or at most so."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The scale of an encoder's constant quality, 0 = best."""

    worst: float
    usual: float


@dataclass(frozen=True, kw_only=True)
class VideoCodec:
    """One codec."""

    encoder: str
    """FFmpeg's name."""
    formats: tuple[str, ...]
    """Pixel formats that are written, FFmpeg's names."""
    containers: tuple[str, ...]
    """Suffixes of the files that hold it; the first is the usual one."""
    part: str = ".mp4"
    """Suffix of parts."""
    quality: Quality | None = None
    """None: its presets say how good it is."""
    presets: Mapping[str, Mapping[str, str]]
    """Name -> options of the encoder."""
    preset: str
    """The usual one."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Always given to the encoder."""
    by_format: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Pixel format -> options that it needs, whatever the preset says."""
    tag: str = ""
    """Four letters that MP4 and MOV name it by, where FFmpeg's choice does not play everywhere."""
    delay: int = 0
    """Frames of reordering, where the encoder's own decoding times cannot be trusted."""
    is_intra: bool = False
    """Every picture is a key frame."""
    holds_odd_sides: bool = False
    """4:2:0 and 4:2:2 with an odd width or height."""
    least: tuple[int, int] = (2, 2)
    """Smallest width and height."""
    bits_per_pixel: float = 1.0
    """About what it takes at its usual quality, for the estimate of disk; of real footage."""
    is_lossless: bool = False

    def check(self, name: str, crf: float | None, preset: str | None) -> None:
        """Raise ConfigError where a setting does not fit the codec."""
        if crf is not None and self.quality is None:
            other = ", ".join(self.presets)
            raise ConfigError(
                f"--crf is {crf:g}, but {name} has no such scale"
                + (": it is lossless." if self.is_lossless else f"; its quality is --encoder-preset: {other}.")
            )
        if crf is not None and self.quality is not None and not 0 <= crf <= self.quality.worst:
            raise ConfigError(f"--crf is {crf:g}; allowed with {name}: 0 (best) to {self.quality.worst:g}.")
        if preset is not None and preset not in self.presets:
            raise ConfigError(f"--encoder-preset is '{preset}'; allowed with {name}: {', '.join(self.presets)}.")

    def encoder_options(self, crf: float | None, preset: str | None, pixel_format: str) -> dict[str, str]:
        """What the encoder is told."""
        options = {**self.options, **self.presets[preset or self.preset], **self.by_format.get(pixel_format, {})}
        if self.quality is not None:
            options["crf"] = f"{self.quality.usual if crf is None else crf:g}"
        return options


def _x26(names: str) -> dict[str, Mapping[str, str]]:
    return {name: {"preset": name} for name in names.split()}


_SPEEDS = "ultrafast superfast veryfast faster fast medium slow slower veryslow"
_YUV_8 = ("yuv420p", "yuv422p", "yuv444p")
_YUV_10 = ("yuv420p10le", "yuv422p10le", "yuv444p10le")
_YUV_12 = ("yuv420p12le", "yuv422p12le", "yuv444p12le")
_YUV_16 = ("yuv420p16le", "yuv422p16le", "yuv444p16le")

CODECS: Mapping[str, VideoCodec] = {
    "h264": VideoCodec(
        encoder="libx264",
        formats=(*_YUV_8, *_YUV_10),
        containers=(".mp4", ".mov", ".m4v", ".mkv"),
        quality=Quality(worst=51, usual=16),
        presets=_x26(_SPEEDS),
        preset="medium",
        bits_per_pixel=0.5,
    ),
    "hevc": VideoCodec(
        encoder="libx265",
        formats=(*_YUV_8, *_YUV_10, *_YUV_12),
        containers=(".mp4", ".mov", ".m4v", ".mkv"),
        quality=Quality(worst=51, usual=16),
        presets=_x26(_SPEEDS),
        preset="fast",
        delay=2,  # with B-pyramid; x265 leaves times unset where a video has no more frames than that
        tag="hvc1",  # parameter sets in the header only: QuickTime plays no other HEVC
        bits_per_pixel=0.4,
    ),
    "av1": VideoCodec(
        encoder="libsvtav1",
        formats=("yuv420p", "yuv420p10le"),
        containers=(".mp4", ".mkv", ".webm"),
        quality=Quality(worst=63, usual=18),
        presets={str(number): {"preset": str(number)} for number in range(14)},
        preset="8",
        least=(64, 64),
        bits_per_pixel=0.4,
    ),
    "vp9": VideoCodec(
        encoder="libvpx-vp9",
        formats=_YUV_8,
        containers=(".webm", ".mp4", ".mkv"),
        quality=Quality(worst=63, usual=18),
        presets={str(number): {"cpu-used": str(number)} for number in range(9)},
        preset="4",
        options={"b": "0", "row-mt": "1"},
        holds_odd_sides=True,
        bits_per_pixel=0.4,
    ),
    "prores-422": VideoCodec(
        encoder="prores_ks",
        formats=("yuv422p10le",),
        containers=(".mov", ".mkv"),
        part=".mov",
        presets={name: {"profile": str(n)} for n, name in enumerate(("proxy", "lt", "standard", "hq"))},
        preset="hq",
        options={"vendor": "apl0"},
        is_intra=True,
        holds_odd_sides=True,
        bits_per_pixel=4.5,
    ),
    "prores-4444": VideoCodec(
        encoder="prores_ks",
        formats=("yuv444p10le", "yuva444p10le"),
        containers=(".mov", ".mkv"),
        part=".mov",
        presets={"standard": {"profile": "4"}, "xq": {"profile": "5"}},
        preset="standard",
        options={"vendor": "apl0", "alpha_bits": "16"},
        is_intra=True,
        holds_odd_sides=True,
        bits_per_pixel=7.0,
    ),
    "dnxhr": VideoCodec(
        encoder="dnxhd",
        formats=("yuv422p", "yuv422p10le", "yuv444p10le"),
        containers=(".mov",),
        part=".mov",
        presets={name: {"profile": f"dnxhr_{name}"} for name in ("lb", "sq", "hq")},
        by_format={"yuv422p10le": {"profile": "dnxhr_hqx"}, "yuv444p10le": {"profile": "dnxhr_444"}},
        preset="hq",
        is_intra=True,
        least=(256, 120),
        bits_per_pixel=4.5,
    ),
    "ffv1": VideoCodec(
        encoder="ffv1",
        formats=(*_YUV_8, *_YUV_10, *_YUV_12, *_YUV_16, "bgr0", "gbrp16le"),
        containers=(".mkv",),
        presets={"usual": {}},
        preset="usual",
        options={"level": "3", "g": "1", "slicecrc": "1", "slices": "4", "context": "1", "coder": "1"},
        is_intra=True,
        holds_odd_sides=True,
        bits_per_pixel=12.0,
        is_lossless=True,
    ),
}
"""Name -> codec."""

PREVIEWS: Mapping[str, str] = {".gif": "gif", ".webp": "webp"}
"""Suffixes of animated previews, which `io.video_preview` makes of finished parts."""

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm")
"""Containers that we write."""


@dataclass(frozen=True)
class Sampling:
    """What a pixel format holds: chroma "420", "422", "444" or "rgb"; bits of a sample; transparency or not."""

    chroma: str
    depth: int
    has_alpha: bool = False


@cache
def sampling(pixel_format: str) -> Sampling:
    """What FFmpeg's `pixel_format` holds; rare chroma layouts count as the next finer of ours."""
    layout = av.VideoFormat(pixel_format, 64, 64)
    depth = max((component.bits for component in layout.components), default=8)
    has_alpha = any(component.is_alpha for component in layout.components)
    if layout.is_rgb or pixel_format == "pal8":
        return Sampling("rgb", depth, has_alpha)
    if len(layout.components) < 3:  # grey
        return Sampling("420", depth, has_alpha)
    wide, high = layout.chroma_width(64) > 32, layout.chroma_height(64) > 32
    return Sampling("444" if wide and high else "422" if high else "420" if not wide else "444", depth, has_alpha)


def codec_named(name: str) -> VideoCodec:
    """The codec of that name. Raises UnknownNameError."""
    if name not in CODECS:
        raise UnknownNameError("video codec", name, CODECS)
    return CODECS[name]


def usual_codec(path: Path, depth: int, is_hdr: bool) -> str:
    """The codec for a result of that name, where none is asked for.

    H.264 plays everywhere with 8 bits; with more bits, and for HDR, HEVC is what players and televisions know.
    """
    if path.suffix.lower() == ".webm":
        return "av1" if depth > 8 or is_hdr else "vp9"
    return "hevc" if depth > 8 or is_hdr else "h264"


def check_container(name: str, path: Path) -> None:
    """Raise OutputError unless a file of that suffix can hold the codec."""
    codec = codec_named(name)
    if path.suffix.lower() not in codec.containers:
        raise OutputError(
            f"Cannot write '{path}': {name} goes into {', '.join(codec.containers)}. "
            f"Name the output {path.stem or 'out'}{codec.containers[0]}, or choose another --codec."
        )


_FINENESS = {"420": 0, "422": 1, "444": 2, "rgb": 3}


def pixel_format(
    name: str,
    wanted: Sampling,
    width: int,
    height: int,
    *,
    chroma: str = "plate",
    deepest: int = 16,
) -> tuple[str, list[str]]:
    """The codec's pixel format that keeps most of a plate, and what a person should know of it.

    Args:
        name: codec.
        wanted: what the plate holds, and whether transparency is asked for.
        width, height: of the picture.
        chroma: one of CHROMAS.
        deepest: bits that the frames have at most.

    Raises:
        OutputError: the codec cannot hold a picture of this size.
    """
    codec, depth = codec_named(name), min(wanted.depth, deepest)
    if width < codec.least[0] or height < codec.least[1]:
        raise OutputError(
            f"Cannot write {width} x {height} as {name}: it begins at {codec.least[0]} x {codec.least[1]}. "
            "Choose another --codec."
        )
    asked = chroma if chroma != "plate" else wanted.chroma
    if asked == "rgb" and not codec.is_lossless:
        asked = "420" if not codec.is_intra else "444"  # pictures become a video for everyday players, or a master
        depth = min(depth, 10)
    best = min(
        codec.formats, key=lambda each: _loss(sampling(each), asked, depth, wanted.has_alpha, codec, width, height)
    )
    got, notes = sampling(best), []
    odd = (width % 2 or height % 2) and asked in ("420", "422") and got.chroma == "444"
    if odd:
        notes.append(f"{width} x {height} has an odd side: written as 4:4:4, which some players cannot show.")
    elif _FINENESS[got.chroma] < _FINENESS[asked]:
        notes.append(f"{name} holds colour as {_said(got.chroma)} only; the plate has {_said(asked)}.")
    elif got.chroma in ("422", "444") and not codec.is_intra and chroma == "plate":
        notes.append(f"Colour is kept as {_said(got.chroma)}, which some players cannot show (--chroma 420 if so).")
    if got.depth < depth:
        notes.append(f"{name} holds {got.depth} bits, the plate has {depth}: written with {got.depth}.")
    return best, notes


def _said(chroma: str) -> str:
    return "RGB" if chroma == "rgb" else ":".join(chroma)


def _loss(
    got: Sampling, chroma: str, depth: int, has_alpha: bool, codec: VideoCodec, width: int, height: int
) -> tuple[bool, bool, int, int, int, int]:
    """What would be lost, the worst first; then what would be carried for nothing."""
    halved = got.chroma in ("420", "422") and (width % 2 or height % 2)
    finer = _FINENESS[got.chroma] - _FINENESS[chroma]
    return (
        bool(halved) and not codec.holds_odd_sides,
        got.has_alpha != has_alpha,
        max(depth - got.depth, 0),
        max(-finer, 0),
        max(got.depth - depth, 0),
        max(finer, 0),
    )
