"""How the result of a merge is written: the settings for it, and what of them holds for one plate and output."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from konterfei.errors import ConfigError
from konterfei.io.video import VideoInfo
from konterfei.io.video_codecs import (
    CHROMAS,
    PREVIEWS,
    VIDEO_SUFFIXES,
    check_container,
    codec_named,
    pixel_format,
    sampling,
    usual_codec,
)
from konterfei.stages._settings import allow


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Settings of the encoder. Pictures have none of them but `alpha`."""

    heading: ClassVar[str] = "The video file"

    codec: str | None = None
    """Codec of the video: h264, hevc, av1, vp9, prores-422, prores-4444, dnxhr or ffv1. Default: h264; hevc where the
    plate has more than 8 bits or is HDR; for .webm vp9 or av1."""
    crf: float | None = None
    """Quality in the codec's own scale, 0 = best; h264 and hevc to 51, av1 and vp9 to 63. Default: visually lossless
    (16 or 18). ProRes, DNxHR and FFV1 have none."""
    encoder_preset: str | None = None
    """Effort: h264 and hevc ultrafast (large file) ... veryslow (small file), av1 and vp9 0 (slow) to 13 and 8; or
    profile: ProRes 422 proxy, lt, standard, hq, 4444 standard, xq, DNxHR lb, sq, hq."""
    chroma: str = "plate"
    """How finely colour is sampled: plate (as the plate, where the codec can), or 420 (plays everywhere), 422, 444."""
    alpha: bool = False
    """Write what was swapped as transparency: opaque where the new face is, clear elsewhere. Only with prores-4444."""

    def check_encoding(self, output: Path) -> None:
        """Raise ConfigError, UnknownNameError or OutputError where settings do not fit each other or the output."""
        allow("--chroma", self.chroma, self.chroma in CHROMAS, ", ".join(CHROMAS))
        suffix = output.suffix.lower()
        if self.codec is not None:
            codec_named(self.codec).check(self.codec, self.crf, self.encoder_preset)
            if suffix in VIDEO_SUFFIXES:
                check_container(self.codec, output)
            else:
                kind = "an animated preview" if suffix in PREVIEWS else "pictures"
                raise ConfigError(f"--codec is {self.codec}, but the output '{output}' is {kind}. Leave --codec out.")
        elif self.crf is not None or self.encoder_preset is not None:
            guess = "vp9" if suffix == ".webm" else "h264"
            codec_named(guess).check(guess, self.crf, self.encoder_preset)
        if self.alpha and self.codec != "prores-4444":
            raise ConfigError("--alpha needs a codec with transparency: add --codec prores-4444 and write a .mov.")

    def chosen(self, output: Path, info: VideoInfo) -> Encoding:
        """The same with the codec that the plate asks for, where none was given.

        Raises:
            ConfigError, OutputError: settings or the plate's size do not fit it.
        """
        own = Encoding(**{item.name: getattr(self, item.name) for item in fields(Encoding)})
        suffix = output.suffix.lower()
        if suffix in PREVIEWS:
            return replace(own, codec="h264")  # what the preview is made of
        if suffix not in VIDEO_SUFFIXES:
            return own
        name = own.codec or usual_codec(output, info.bit_depth, info.color.is_hdr)
        codec_named(name).check(name, own.crf, own.encoder_preset)
        pixel_format(name, sampling(info.pixel_format), info.width, info.height, chroma=own.chroma)
        return replace(own, codec=name)

    def told(self) -> dict[str, Any]:
        """What manifests and credentials say of a video."""
        told: dict[str, Any] = {"codec": self.codec, "crf": self.crf, "encoder_preset": self.encoder_preset}
        told |= {"chroma": self.chroma} if self.chroma != "plate" else {}
        return told | ({"alpha": True} if self.alpha else {})
