"""What the writers of a merge's result are given: the frames, one by one, and what holds for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from numpy.typing import NDArray

from konterfei.compositing import Layer
from konterfei.io.video import Frame, VideoInfo
from konterfei.provenance.certificate import Identity
from konterfei.provenance.credentials import Claim
from konterfei.provenance.label import wording
from konterfei.stages._merge_encoding import Encoding

PART: Final = {"comment": f"{wording('caption')}. A part of an unfinished result, not signed: not to be handed on"}
"""What the video files of parts say of themselves, for whoever comes upon them in a folder that was kept."""


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
        frame: of the plate, that `image` was begun with; where it has `regions`, `image` holds pixels there only.
    """

    index: int
    image: NDArray[Any]
    pts: Fraction
    duration: Fraction | None
    reason: str
    plate: NDArray[Any] | None = None
    bare: NDArray[Any] | None = None
    layers: tuple[Layer, ...] = ()
    frame: Frame | None = None


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
    encoding: Encoding
    """With a codec, where a video is written."""
    has_sound: bool
    """Whether the plate's sound goes into the result."""

    @property
    def crf(self) -> float | None:
        """The quality of H.264 videos beside the result: the same where that is H.264."""
        return self.encoding.crf if self.encoding.codec == "h264" else None

    @property
    def encoder_preset(self) -> str | None:
        """Their preset."""
        return self.encoding.encoder_preset if self.encoding.codec == "h264" else None
