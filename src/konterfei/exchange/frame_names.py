"""What other programs call the frames of a faceset: a picture by its own file, a frame of a film by its number."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from konterfei.errors import UnreadableMediaError
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.images import READABLE
from konterfei.io.sequence import is_sequence, list_images


class FrameNames:
    """Names of the frames of one faceset.

    Attributes:
        is_one_film: whether all faces are of one film.
    """

    def __init__(self, faceset: Faceset) -> None:
        sources = {record.source for record in faceset.records()}
        self.is_one_film = len(sources) == 1
        stems = Counter(_plain(Path(source).stem) for source in sources)
        files = Counter(Path(source).name for source in sources)
        self._films = {
            source: stem if stems[stem := _plain(Path(source).stem)] == 1 else _plain(source) for source in sources
        }
        self._loose = {
            source
            for source in sources
            if "/" in source and Path(source).suffix.lower() in READABLE and files[Path(source).name] == 1
        }
        self._plate = faceset.header.source_name
        self._pictures = _pictures_of(faceset.header.source)

    def film(self, record: FaceRecord) -> str:
        """The film of a face, without its ending; with folders and ending where two films would be called the same."""
        return self._films[record.source]

    def file(self, record: FaceRecord) -> str | None:
        """The file of the picture that a face is in; None of a frame of a video, or where the pictures are gone."""
        if record.source in self._loose:
            return Path(record.source).name
        if record.source == self._plate and record.frame_index < len(self._pictures):
            return self._pictures[record.frame_index]
        return None


def _plain(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)


def _pictures_of(source: str) -> list[str]:
    try:
        return [file.name for file in list_images(Path(source))] if source and is_sequence(Path(source)) else []
    except (OSError, UnreadableMediaError):
        return []
