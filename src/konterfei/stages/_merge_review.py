"""Videos for review, made beside the result of a merge: masks, plate and result side by side, a line between them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.imaging import to_uint8
from konterfei.imaging.pixels import top
from konterfei.io.atomic import sha256
from konterfei.io.video import VideoInfo, VideoWriter, join
from konterfei.provenance.credentials import Claim, sign
from konterfei.provenance.label import draw_label
from konterfei.reporting import Reporter
from konterfei.stages._merge_extras import beside, plate_of
from konterfei.stages._merge_job import PART
from konterfei.stages._merge_output import Drawn, Job, PartWriter

Array = NDArray[Any]

_WIDEST: Final = 4096
"""Pixels that decoders of H.264 in hardware take across; a wider pair is shown at half its size or less."""
_WIPE_S: Final = 4.0
"""Seconds that the line of a wipe takes to and fro."""


@dataclass(frozen=True)
class _ReviewVideo:
    """A video of pictures made from each frame: MP4, H.264, 4:2:0, 8 bits (10 of an HDR plate), for every player.

    Attributes:
        output: place of the result.
        name: in EXTRAS.
        wipe: see `asked_for`.
    """

    output: Path
    name: str
    wipe: float | None = None
    part_suffix = ".mp4"
    has_sound = True

    @property
    def place(self) -> Path:
        """Beside the result."""
        return beside(self.output, f".{self.name}.mp4")

    def fingerprint(self, job: Job) -> str:
        """The encoder's settings, and the line's place."""
        return f"{job.crf}, {job.encoder_preset}, {self.wipe}"

    def size(self, info: VideoInfo) -> tuple[int, int]:
        """Width and height of its pictures."""
        return info.width, info.height

    def picture(self, drawn: Drawn, job: Job) -> Array:
        """What is shown of a frame. RGB [h, w, 3]"""
        raise NotImplementedError

    def part(self, path: Path, job: Job) -> PartWriter:
        """The writer of a part."""
        writer = VideoWriter.like(
            job.info,
            path,
            size=self.size(job.info),
            crf=job.crf,
            preset=job.encoder_preset,
            like_format=None,
            faststart=False,
            metadata=PART,
        )
        is_hdr = job.info.color.is_hdr
        return _ReviewPart(writer, lambda drawn: _playable(self.picture(drawn, job), is_hdr))

    def digest(self, path: Path) -> str:
        """Of the file."""
        return sha256(path)

    def content(self) -> str | None:
        """Of the file that is there."""
        return sha256(self.place) if self.place.is_file() else None

    def bytes_needed(self, info: VideoInfo, frames: int) -> int:
        """A tenth of a byte for each pixel, and once more for the parts."""
        width, height = self.size(info)
        return width * height * frames // 5

    def deliver(self, job: Job, claim: Claim, parts: Sequence[Path], reporter: Reporter) -> None:
        """Join the parts, sign."""
        unsigned = parts[0].parent / f"unsigned.{self.name}.mp4"
        sound = job.plate if job.has_sound and self.has_sound else None
        join(list(parts), unsigned, audio_from=sound)  # what it says about the sound, the result says too
        sign(unsigned, self.place, claim, job.identity, reporter)
        unsigned.unlink()


class Mask(_ReviewVideo):
    """How much of the swapped faces is seen: white = nothing of the plate."""

    has_sound = False

    def picture(self, drawn: Drawn, job: Job) -> Array:
        """Grey, 8 bits."""
        through = np.ones((job.info.height, job.info.width), np.float32)
        for layer in drawn.layers:
            through[layer.region] *= 1 - layer.alpha
        return cv2.cvtColor(np.rint(255 * (1 - through)).astype(np.uint8), cv2.COLOR_GRAY2RGB)


class SideBySide(_ReviewVideo):
    """The plate, and on its right the result; smaller by a whole number where that would be too wide."""

    def size(self, info: VideoInfo) -> tuple[int, int]:
        """Twice as wide as one, even sides."""
        times = math.ceil(2 * info.width / _WIDEST)
        return 2 * (info.width // times // 2 * 2), info.height // times // 2 * 2

    def picture(self, drawn: Drawn, job: Job) -> Array:
        """Both, as large as one another."""
        width, height = self.size(job.info)
        pair = [_fitted(image, width // 2, height) for image in (plate_of(drawn), drawn.image)]
        return np.concatenate(pair, axis=1)


class Wipe(_ReviewVideo):
    """The plate on the left of a line, the result on its right; the line moves, or stands."""

    def picture(self, drawn: Drawn, job: Job) -> Array:
        """With the result's label on both sides: the line must not wipe it away."""
        claim = job.claim
        plate = draw_label(plate_of(drawn).copy(), claim.label, claim.label_text)
        width = plate.shape[1]
        place = self.wipe
        if place is None:
            place = 0.5 - 0.5 * math.cos(2 * math.pi * float(drawn.pts) / _WIPE_S)
        column, half = round(place * width), max(width // 960, 1)
        picture = np.concatenate([plate[:, :column], drawn.image[:, column:]], axis=1)
        picture[:, max(column - half, 0) : column + half] = int(top(picture.dtype))
        return picture


class _ReviewPart:
    def __init__(self, writer: VideoWriter, picture: Callable[[Drawn], Array]) -> None:
        self._writer, self._picture = writer, picture
        self.notes: list[str] = []

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, drawn: Drawn) -> None:
        self._writer.write(self._picture(drawn), drawn.pts, drawn.duration)


def _playable(image: Array, is_hdr: bool) -> Array:
    """As many bits as are needed to judge it, and no more: few players show H.264 with 10."""
    return image if is_hdr else to_uint8(image)


def _fitted(image: Array, width: int, height: int) -> Array:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
