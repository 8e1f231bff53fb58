"""Embeddings of faces that carry none (imported ones), measured once and kept in a file that may be deleted."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.io.atomic import atomic_path
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.recognizers import Recognizer

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

    def of(self, digest: str, faceset: Faceset, record: FaceRecord) -> NDArray[np.float32]:
        """The embedding of one crop of `faceset`. [D], unit length

        Raises:
            FacesetError, DamagedFileError: its picture cannot be read.
        """
        if digest not in self._known:
            self._network = self._network or self._make()
            points = record.crop.crop_from_frame @ record.face.landmarks.astype(np.float64)
            self._known[digest] = self._network.embed(faceset.image(record.name), [points.astype(np.float32)])[0]
            self._is_new = True
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
