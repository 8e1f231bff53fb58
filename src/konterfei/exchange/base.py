"""What the formats of other programs have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.exchange.film import Film
from konterfei.geometry import FaceType
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, Silent

_MOST_JSON = 2 << 30
"""Bytes of a JSON file that is read, at most."""


class NotTakenError(ValueError):
    """A face, or a file that should hold one, cannot be taken over; the message is the reason, in words."""


@dataclass(frozen=True, kw_only=True)
class FoundFace:
    """A face as another program recorded it.

    Attributes:
        place: where it was found, as `FaceReader.places` names it.
        picture: its crop: a JPEG, to be kept byte for byte, or what was cut just now. [S, S, 3] uint8 RGB
        record: what is known of it. The import adds an embedding where there is none.
        labels: its polygons, its mask, and what our records have no place for.
        lost: what of it could not be taken over, in words.
        is_measured: whether the record's sharpness is that of the picture already; otherwise the import measures it.
    """

    place: str
    picture: bytes | NDArray[np.uint8]
    record: FaceRecord
    labels: FaceLabels
    lost: tuple[str, ...] = ()
    is_measured: bool = False


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a person tells of the faces beside the files.

    Attributes:
        film: the video or the pictures that the faces were found in; None = not at hand.
        face_type, size: of the crops to cut, for formats that hold points and no crops.
        reporter: told how far a long list of faces is read when a reader is made; a person may stop it.
    """

    film: Film | None = None
    face_type: FaceType = FaceType.WHOLE
    size: int = 256
    reporter: Reporter = field(default_factory=Silent)


class FaceReader(Protocol):
    """Contract of `FACE_READERS`: a path, opened. Nothing in a file is ever executed."""

    cuts: ClassVar[bool]
    """Whether it cuts the crops itself, as `Material` says, from the film, which it needs; else they are there."""

    def __init__(self, path: Path, material: Material) -> None:
        """Look at `path`. Raises UsageError or StoreError where nothing at all can be read there."""

    @staticmethod
    def recognises(path: Path) -> bool:
        """Whether `path` looks like this format. Never raises."""

    @property
    def source(self) -> str:
        """Name of the film that faces without a film are filed under."""

    @property
    def remarks(self) -> Sequence[str]:
        """What a person should know of the whole: folders that were not looked into, say."""

    def places(self) -> Sequence[str]:
        """Where there may be a face, in order, each once: file names as a rule. To resume is to skip some."""

    def record(self, place: str) -> FaceRecord:
        """The record of `read`, but for what is measured on the picture. Raises NotTakenError where it can tell."""

    def read(self, place: str) -> FoundFace:
        """The face there. Raises NotTakenError: damaged, foreign, or of a kind that konterfei has not."""

    def close(self) -> None:
        """Let go of files."""


class LabelReader(Protocol):
    """Contract of `LABEL_READERS`: a function."""

    def __call__(self, path: Path, faceset: Faceset, not_taken: dict[str, str]) -> Iterator[tuple[str, FaceLabels]]:
        """What was drawn onto crops of `faceset`, one crop after the other: file name, labels without `foreign`.

        What cannot be used is put into `not_taken`: where it is, and why.

        Raises:
            ConfigError, DamagedFileError: nothing at all can be read there.
        """


@dataclass(frozen=True, kw_only=True)
class WriteSettings:
    """How a faceset is written.

    Attributes:
        names: "kept" gives a file the name that it came with from the same program, "source" that of its frame.
        bare: leave out what only konterfei reads (its own record in each picture), and any measure of who a face is.
    """

    names: Literal["kept", "source"] = "kept"
    bare: bool = False


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a writer made.

    Attributes:
        num_faces: written.
        files: made; the folder, where there is one file for each face.
        left_out: name of a crop -> why it, or a part of what is known of it, was not written.
    """

    num_faces: int
    files: tuple[Path, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)


class FaceWriter(Protocol):
    """Contract of `FACE_WRITERS`: a function."""

    def __call__(self, faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
        """Write `faceset` to the folder `output`; what is there already and the same is left as it is.

        Raises:
            OutputError: it cannot be written.
            Cancelled: a person asked to stop; each file is there whole or not at all.
        """


def load_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ConfigError: it cannot be read.
        DamagedFileError: it is too large, or no whole JSON file.
    """
    try:
        if path.stat().st_size > _MOST_JSON:
            raise DamagedFileError(f"'{path}' has more than {_MOST_JSON >> 20} MB. Split it.")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be read: {error.strerror}. Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(f"'{path}' is no whole JSON file ({error}). Export it again.") from error
