"""Where the frames of a merge go: one video, an animated preview, or pictures in a folder.

All kinds know how a part of theirs is written and how the finished parts become the result. A video is signed as a
whole, at the end: inside where its container can carry credentials, on a seal beside it where not.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Region
from konterfei.io.atomic import sha256, translated
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import is_sequence, list_images
from konterfei.io.video import VideoInfo, VideoWriter, join
from konterfei.io.video_codecs import CODECS, PREVIEWS, VIDEO_SUFFIXES
from konterfei.io.video_preview import write_preview
from konterfei.provenance.credentials import SEALED_VIDEOS, Claim, sign
from konterfei.provenance.label import label_region
from konterfei.provenance.seal import metadata, seal, seal_of
from konterfei.reporting import Reporter
from konterfei.stages._merge_encoding import Encoding
from konterfei.stages._merge_job import PART, Drawn, Job, PartWriter
from konterfei.stages._merge_pictures import PictureOutput

__all__ = ["Drawn", "Job", "PartWriter", "PictureOutput", "PreviewOutput", "VideoOutput", "output_for"]


def output_for(path: Path, encoding: Encoding | None = None) -> VideoOutput | PreviewOutput | PictureOutput:
    """The kind of output that `path` asks for; see `provenance.credentials.ensure_signable` for what is refused.

    Args:
        path: as a person named it.
        encoding: says the codec of a video; only what concerns parts needs it.
    """
    if path.is_dir() or path.suffix.lower() not in (*VIDEO_SUFFIXES, *PREVIEWS):
        return PictureOutput(path)
    return (PreviewOutput if path.suffix.lower() in PREVIEWS else VideoOutput)(path, encoding)


class VideoOutput:
    """One video file.

    Attributes:
        place: the file.
        part_suffix: of the files of parts.
        signs_parts: whether parts are signed already.
        holds_16_bits: whether a plate of more than 8 bits keeps more than 8.
        takes_regions: whether it wants of a frame only what was looked at.
    """

    signs_parts = False
    holds_16_bits = True
    takes_regions = True

    def __init__(self, path: Path, encoding: Encoding | None = None) -> None:
        self.place = path
        codec = encoding.codec if encoding is not None else None
        self.part_suffix = CODECS[codec or "h264"].part

    def settings(self, encoding: Encoding) -> dict[str, Any]:
        """What the parts depend on, besides what every merge does."""
        return encoding.told()

    def bytes_needed(self, plate: Path, info: VideoInfo, encoding: Encoding) -> int:
        """Disk that the result will take about, and its parts before it. Pictures shrink when they become a video."""
        codec = CODECS[encoding.codec or "h264"]
        if codec.is_intra:
            return 2 * round(info.width * info.height * info.num_frames * codec.bits_per_pixel / 8)
        if is_sequence(plate):
            return sum(file.stat().st_size for file in list_images(plate)) // 2
        return 2 * plate.stat().st_size

    def content(self) -> str | None:
        """The hash of what is there; None = nothing, or without the seal that it needs."""
        if self.place.suffix.lower() in SEALED_VIDEOS and self.place.is_file() and not seal_of(self.place).is_file():
            return f"without its seal: {sha256(self.place)}"
        return sha256(self.place) if self.place.is_file() else None

    def refuse_other_files(self) -> None:
        """A file holds nothing else."""

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        encoding = job.encoding
        assert encoding.codec is not None, "a video has a codec"
        writer = VideoWriter.like(
            job.info,
            path,
            codec=encoding.codec,
            crf=encoding.crf,
            preset=encoding.encoder_preset,
            chroma=encoding.chroma,
            has_alpha=encoding.alpha,
            faststart=False,
            metadata=PART,
        )
        sign = label_region(job.info.width, job.info.height, job.claim.label, job.claim.label_text)
        return _VideoPart(writer, encoding.alpha, sign)

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], manifest: Manifest, reporter: Reporter) -> None:
        """Join the parts, sign, and only then let the result appear, and `manifest` beside it."""
        unsigned = parts[0].parent / f"unsigned{self.place.suffix}"
        is_sealed = self.place.suffix.lower() in SEALED_VIDEOS
        card = seal_of(self.place)
        told = metadata(card.name) if is_sealed else None
        for line in join(list(parts), unsigned, audio_from=job.plate if job.has_sound else None, metadata=told):
            reporter.note(line)
        if is_sealed:
            _seal(unsigned, self.place, claim, job, reporter)
        else:
            sign(unsigned, self.place, claim, job.identity, reporter)
        _finish(self.place, manifest)


class PreviewOutput(VideoOutput):
    """An animated GIF or WebP: small, short, without sound. Its parts are ordinary video."""

    def settings(self, encoding: Encoding) -> dict[str, Any]:
        """Of the video that it is made of."""
        return {**encoding.told(), "preview": self.place.suffix.lower()}

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], manifest: Manifest, reporter: Reporter) -> None:
        """Make the preview of the parts, sign, and only then let the result appear, and `manifest` beside it."""
        unsigned = parts[0].parent / f"unsigned{self.place.suffix}"
        for line in write_preview(parts, unsigned):
            reporter.note(line)
        sign(unsigned, self.place, claim, job.identity, reporter)
        _finish(self.place, manifest)


def _seal(unsigned: Path, place: Path, claim: Claim, job: Job, reporter: Reporter) -> None:
    """Let `unsigned` appear under the name of the result, after its seal."""
    named = unsigned.parent / "sealed" / place.name
    with translated(place, named):
        named.parent.mkdir(exist_ok=True)
        os.replace(unsigned, named)  # noqa: PTH105  (the seal names what it is for)
        card = seal_of(place)
        seal(card, [(named, {})], claim, job.identity, reporter)
        os.replace(named, place)  # noqa: PTH105
    reporter.note(f"{place.suffix} cannot carry credentials: '{card.name}' holds them. Keep it beside '{place.name}'.")


def _finish(place: Path, manifest: Manifest) -> None:
    manifest.output = {"path": str(place.absolute()), "sha256": sha256(place), "size": place.stat().st_size}
    manifest.complete = True
    manifest.save(place)


class _VideoPart:
    def __init__(self, writer: VideoWriter, has_alpha: bool, sign: Region | None) -> None:
        self._writer, self._has_alpha, self._sign = writer, has_alpha, sign
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)
        self.notes = self._writer.notes

    def write(self, drawn: Drawn) -> None:
        alpha = _coverage(drawn, self._sign) if self._has_alpha else None
        self._writer.write(drawn.image, drawn.pts, drawn.duration, plate=drawn.frame, alpha=alpha)


def _coverage(drawn: Drawn, sign: Region | None) -> NDArray[Any]:
    """How much of each pixel is swapped face; the label, too, is to be seen over what lies below. [H, W] float32"""
    through = np.ones(drawn.image.shape[:2], np.float32)
    for layer in drawn.layers:
        through[layer.region] *= 1 - layer.alpha
    if sign is not None:
        through[sign] = 0
    return 1 - through
