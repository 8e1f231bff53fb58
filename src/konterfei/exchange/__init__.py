"""Facesets of other programs, in and out. A new format is one file here and one line in the table of its way.

Readers find faces in what another program left (`FaceReader`); `konterfei import faces` turns them into facesets.
Writers make of a faceset what another program reads (`FaceWriter`); `konterfei faceset export` calls them.
`tests/contracts/test_exchange.py` runs over both tables.
"""

from konterfei.exchange.base import FaceReader, FaceWriter, FoundFace, Material, NotTakenError, WriteSettings, Written
from konterfei.registry import Entry, Registry

FACE_READERS = Registry(
    "format of faces",
    {
        "dfl": Entry("konterfei.exchange.dfl:DflFolder", "DeepFaceLab's folder of aligned pictures"),
        "dfl-pak": Entry("konterfei.exchange.dfl_pak:DflPak", "DeepFaceLab's faceset.pak"),
    },
)
"""Every format that faces are taken over from, each a `FaceReader`; `auto` takes the first that recognises a path."""

FACE_WRITERS = Registry(
    "format of facesets",
    {
        "dfl": Entry("konterfei.exchange.dfl:write_folder", "a folder of aligned pictures for DeepFaceLab"),
        "dfl-pak": Entry("konterfei.exchange.dfl_pak:write_pak_file", "a faceset.pak for DeepFaceLab"),
        "dfl-meta": Entry("konterfei.exchange.dfl:write_meta_file", "DeepFaceLab's meta.dat, without the pictures"),
    },
)
"""Every format that facesets are written in; each is a `FaceWriter`."""

__all__ = [
    "FACE_READERS",
    "FACE_WRITERS",
    "FaceReader",
    "FaceWriter",
    "FoundFace",
    "Material",
    "NotTakenError",
    "WriteSettings",
    "Written",
]
