"""Embeddings of faces that carry none (imported ones), measured once and kept in a file that may be deleted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.io.atomic import atomic_path
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.recognizers import Recognizer
from konterfei.reporting import Reporter, check

LOOKS_NAME = ".looks.npz"


class Looks:
    """Embeddings by the digest of a face.

    Args:
        folder: where they are kept.
        recognizer: makes the network; called when the first face is measured.
    """

    def __init__(self, folder: Path, recognizer: Callable[[], Recognizer]) -> None:
        self._path = folder / LOOKS_NAME
        self._make = recognizer
        self._network: Recognizer | None = None
        self._known = _load(self._path)
        self._is_new = False

    def measure(self, faceset: Faceset, faces: Mapping[str, FaceRecord], reporter: Reporter) -> bool:
        """Measures those of `faces` (digest -> record), crops of `faceset`, that are not known yet; whether any was.

        Raises:
            FacesetError, DamagedFileError: a picture cannot be read.
            Cancelled: a person asked to stop.
        """
        due = {digest: record for digest, record in faces.items() if digest not in self._known}
        if not due:
            return False
        self._network = self._network or self._make()
        self._is_new = True
        reporter.start(f"measuring faces of {faceset.folder.name}", len(due), unit="faces")
        for done, (digest, record) in enumerate(due.items(), 1):
            check(reporter)
            points = record.crop.crop_from_frame @ record.face.landmarks.astype(np.float64)
            self._known[digest] = self._network.embed(faceset.image(record.name), [points.astype(np.float32)])[0]
            reporter.advance(done)
        reporter.finish()
        return True

    def of(self, digest: str) -> NDArray[np.float32]:
        """The embedding of a face that was measured. [D], unit length"""
        return self._known[digest]

    def save(self) -> None:
        """Keeps what was measured. Raises OutputError."""
        if self._is_new:
            with atomic_path(self._path) as temporary:
                np.savez(temporary, digests=np.array(list(self._known)), vectors=np.array(list(self._known.values())))
            self._is_new = False


def _load(path: Path) -> dict[str, NDArray[np.float32]]:
    """What is there; nothing where it is damaged: it is measured again."""
    try:
        with np.load(path, allow_pickle=False) as file:
            vectors = file["vectors"].astype(np.float32)
            if vectors.ndim != 2 or not np.isfinite(vectors).all():
                return {}
            return dict(zip(map(str, file["digests"]), vectors, strict=True))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
