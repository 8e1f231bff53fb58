"""Where the frames of a merge go: one video, or pictures in a folder.

Both kinds know how a part of theirs is written and how the finished parts become the result. A video is signed as a
whole, at the end. Pictures travel one by one, so each is signed by itself, as soon as it is drawn; the folder appears
when all of them are there.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from konterfei.compositing import Layer
from konterfei.errors import OutputError
from konterfei.io.atomic import make_folder, output_error, replace_folder, sha256
from konterfei.io.images import encode_image
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import folder_of, is_pattern, is_sequence, list_images, numbered, sequence_sha256
from konterfei.io.video import VideoInfo, VideoWriter, join
from konterfei.provenance.certificate import Identity
from konterfei.provenance.credentials import PICTURES, VIDEOS, Claim, Material, sign
from konterfei.reporting import Reporter
from konterfei.stages._merge_stream import SWAPPED


@dataclass(frozen=True)
class Drawn:
    """A finished frame.

    Attributes:
        index: in the plate.
        image: RGB [H, W, 3] uint8 or uint16
        pts, duration: in the result, seconds.
        reason: why it was swapped or not, see `_merge_stream`.
        plate: the frame as it came; None where no extra asks for it. [H, W, 3]
        bare: the finished frame before its label was drawn; None as above.
        layers: the faces in it, the lowest first.
    """

    index: int
    image: NDArray[Any]
    pts: Fraction
    duration: Fraction | None
    reason: str
    plate: NDArray[Any] | None = None
    bare: NDArray[Any] | None = None
    layers: tuple[Layer, ...] = ()


class PartWriter(Protocol):
    """Writes one part; a context manager. What it wants a person to read is in `notes`."""

    notes: list[str]

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def write(self, drawn: Drawn) -> None:
        """Add a frame."""
        ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the writers need to know of a merge."""

    plate: Path
    info: VideoInfo
    claim: Claim
    """What the credentials say, but for the frames' counts."""
    identity: Identity
    crf: float
    encoder_preset: str
    has_sound: bool
    """Whether the plate's sound goes into the result."""


def output_for(path: Path) -> VideoOutput | PictureOutput:
    """The kind of output that `path` asks for; see `provenance.credentials.ensure_signable` for what is refused."""
    return VideoOutput(path) if path.suffix.lower() in VIDEOS and not path.is_dir() else PictureOutput(path)


class VideoOutput:
    """One video file.

    Attributes:
        place: the file.
        part_suffix: of the files of parts.
        signs_parts: whether parts are signed already.
        holds_16_bits: whether a plate of more than 8 bits keeps more than 8.
    """

    part_suffix = ".mp4"
    signs_parts = False
    holds_16_bits = True

    def __init__(self, path: Path) -> None:
        self.place = path

    def settings(self, crf: float, encoder_preset: str) -> dict[str, Any]:
        """What the parts depend on, besides what every merge does."""
        return {"crf": crf, "encoder_preset": encoder_preset}

    def bytes_needed(self, plate: Path, info: VideoInfo) -> int:
        """Disk that the result will take about, and its parts before it. Pictures shrink when they become a video."""
        if is_sequence(plate):
            return sum(file.stat().st_size for file in list_images(plate)) // 2
        return 2 * plate.stat().st_size

    def content(self) -> str | None:
        """The hash of what is there; None = nothing."""
        return sha256(self.place) if self.place.is_file() else None

    def refuse_other_files(self) -> None:
        """A file holds nothing else."""

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        return _VideoPart(VideoWriter.like(job.info, path, crf=job.crf, preset=job.encoder_preset, faststart=False))

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], manifest: Manifest, reporter: Reporter) -> None:
        """Join the parts, sign, and only then let the result appear, and `manifest` beside it."""
        unsigned = parts[0].parent / f"unsigned{self.place.suffix}"
        for line in join(list(parts), unsigned, audio_from=job.plate if job.has_sound else None):
            reporter.note(line)
        sign(unsigned, self.place, claim, job.identity, reporter)
        manifest.output = {
            "path": str(self.place.absolute()),
            "sha256": sha256(self.place),
            "size": self.place.stat().st_size,
        }
        manifest.complete = True
        manifest.save(self.place)


class PictureOutput:
    """A folder of pictures, each signed by itself.

    Their names: those of the plate's own pictures with `.png`, or the pattern filled with the numbers in these names;
    of a video, the frames' indices.

    Attributes:
        place: the folder.
        part_suffix: "": parts are folders.
        signs_parts: they are.
        holds_16_bits: whether a plate of more than 8 bits keeps them all.
    """

    part_suffix = ""
    signs_parts = True

    def __init__(self, path: Path) -> None:
        folder = folder_of(path)
        self.place = folder if folder.name else folder.absolute()  # the folder that one is in
        self._pattern = path.name if is_pattern(path) else None
        self.suffix = path.suffix.lower() if self._pattern else ".png"
        self.holds_16_bits = PICTURES[self.suffix] != "image/jpeg"

    def settings(self, crf: float, encoder_preset: str) -> dict[str, Any]:
        """What the parts depend on, besides what every merge does. Pictures are not encoded as a video is."""
        return {"pictures": self._pattern or "*.png"}

    def bytes_needed(self, plate: Path, info: VideoInfo) -> int:
        """Disk that the result will take about (PNG at level 1 of grainy footage is hardly smaller than raw)."""
        raw = info.width * info.height * info.num_frames * (6 if info.bit_depth > 8 and self.holds_16_bits else 3)
        return raw if self.holds_16_bits else raw // 4

    def content(self) -> str | None:
        """The hash of the pictures there; None = there are none."""
        return sequence_sha256(self.place) if self._pictures() else None

    def refuse_other_files(self) -> None:
        """Raise OutputError where the folder holds anything else, since the result will replace the folder."""
        if self.place.is_dir() and self.place.samefile(Path.cwd()):
            raise OutputError(
                f"Cannot write into '{self.place}': the pictures replace their folder, and you are in it. Name a "
                "folder below it, for example out."
            )
        ours = {file.name for file in self._pictures()} | {Manifest.file_for(self.place).name}
        other = sorted(file.name for file in self.place.glob("[!.]*") if file.name not in ours)
        if other:
            raise OutputError(
                f"The folder '{self.place}' holds other files ('{other[0]}'), and the pictures would replace it as a "
                "whole. Choose a folder that is new or empty."
            )

    def _pictures(self) -> list[Path]:
        if not self.place.is_dir() or not any(self.place.glob(f"*{self.suffix}")):
            return []
        return [file for file in list_images(self.place) if file.suffix.lower() == self.suffix]

    def names(self, plate: Path) -> Callable[[int], str]:
        """Frame index -> file name."""
        pattern = self._pattern or "%06d.png"
        if not is_sequence(plate):
            return lambda index: numbered(pattern, index)
        files = list_images(plate)
        if self._pattern is None:
            names = [f"{file.stem}.png" for file in files]
        else:
            found = [re.findall(r"\d+", file.stem) for file in files]
            names = [numbered(pattern, int(digits[-1])) if digits else "" for digits in found]
        if len(set(names)) < len(names) or "" in names:  # no numbers, or a.jpg beside a.png
            return lambda index: numbered(pattern, index)
        return names.__getitem__

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        return _PicturePart(path, job, self.names(job.plate), self.suffix)

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], manifest: Manifest, reporter: Reporter) -> None:
        """Bring the pictures of all parts together, `manifest` among them, and let the folder appear."""
        whole = parts[0].parent / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        make_folder(whole)
        size = 0
        for part in parts:
            for file in list_images(part):
                size += file.stat().st_size
                _link(file, whole / file.name)
        if job.info.has_audio and job.has_sound:
            reporter.note(f"Pictures have no sound; the plate's stays in '{job.plate}'.")
        manifest.output = {"path": str(self.place.absolute()), "sha256": sequence_sha256(whole), "size": size}
        manifest.complete = True
        manifest.save(whole)
        replace_folder(whole, self.place)


def _link(file: Path, target: Path) -> None:
    """A second name for a file; a copy on disks without such names."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


class _VideoPart:
    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
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
        self._writer.write(drawn.image, drawn.pts, drawn.duration)


class _PicturePart:
    """Pictures of one part, each signed before the next is written."""

    def __init__(self, folder: Path, job: Job, name_of: Callable[[int], str], suffix: str) -> None:
        self._folder, self._job, self._name_of, self._suffix = folder, job, name_of, suffix
        self._plates = list_images(job.plate) if is_sequence(job.plate) else None
        # What it is made of is named by its hash, not opened again for each picture.
        self._claim = replace(
            job.claim,
            plate=replace(job.claim.plate, path=None),
            sources=tuple(replace(source, path=None) for source in job.claim.sources),
        )
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)  # torn by a kill
        make_folder(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._unsigned.unlink()

    @property
    def _unsigned(self) -> Path:
        return self._folder / f".unsigned{self._suffix}"

    def write(self, drawn: Drawn) -> None:
        try:
            self._unsigned.write_bytes(encode_image(drawn.image, self._suffix))
        except OSError as error:
            raise output_error(self._unsigned, error) from error
        is_swapped = drawn.reason == SWAPPED
        claim = replace(
            self._claim,
            plate=Material.of(self._plates[drawn.index]) if self._plates else self._claim.plate,
            frame=drawn.index,
            frames_swapped=int(is_swapped),
            frames_not_swapped={} if is_swapped else {drawn.reason: 1},
        )
        sign(self._unsigned, self._folder / self._name_of(drawn.index), claim, self._job.identity)
