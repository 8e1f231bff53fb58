"""Facesets of other programs, in and out. A new format is one file here and one line in the table of its way.

Readers find faces in what another program left (`FaceReader`); `konterfei import faces` turns them into facesets.
Writers make of a faceset what another program reads (`FaceWriter`); `konterfei faceset export` calls them.
Label readers find masks and outlines for crops that are there; `konterfei import labels` calls them.
`tests/contracts/test_exchange.py` runs over the tables.
"""

from konterfei.exchange.base import (
    FaceReader,
    FaceWriter,
    FoundFace,
    LabelReader,
    Material,
    NotTakenError,
    WriteSettings,
    Written,
)
from konterfei.registry import Entry, Registry

FACE_READERS = Registry(
    "format of faces",
    {
        "dfl": Entry("konterfei.exchange.dfl:DflFolder", "DeepFaceLab's folder of aligned pictures"),
        "dfl-pak": Entry("konterfei.exchange.dfl_pak:DflPak", "DeepFaceLab's faceset.pak"),
        "faceswap": Entry("konterfei.exchange.faceswap:FaceswapAlignments", "faceswap's alignments as JSON"),
    },
)
"""Every format that faces are taken over from, each a `FaceReader`; `auto` takes the first that recognises a path."""

FACE_WRITERS = Registry(
    "format of facesets",
    {
        "dfl": Entry("konterfei.exchange.dfl:write_folder", "a folder of aligned pictures for DeepFaceLab"),
        "dfl-pak": Entry("konterfei.exchange.dfl_pak:write_pak_file", "a faceset.pak for DeepFaceLab"),
        "faceswap": Entry("konterfei.exchange.faceswap:write_alignments", "faceswap's alignments as JSON"),
        "coco": Entry("konterfei.exchange.coco:write_coco", "outlines for labelling programs, COCO's JSON"),
        "masks": Entry("konterfei.exchange.masks:write_masks", "a picture of each crop's mask"),
        "dfl-meta": Entry("konterfei.exchange.dfl:write_meta_file", "DeepFaceLab's meta.dat, without the pictures"),
    },
)
"""Every format that facesets are written in; each is a `FaceWriter`."""

LABEL_READERS = Registry(
    "format of labels",
    {
        "coco": Entry("konterfei.exchange.coco:read_coco", "outlines of labelling programs, COCO's JSON"),
        "masks": Entry("konterfei.exchange.masks:read_masks", "a folder with a picture of each crop's mask"),
    },
)
"""Every format that masks and outlines are taken over from; each is a `LabelReader`."""

__all__ = [
    "FACE_READERS",
    "FACE_WRITERS",
    "LABEL_READERS",
    "FaceReader",
    "FaceWriter",
    "FoundFace",
    "LabelReader",
    "Material",
    "NotTakenError",
    "WriteSettings",
    "Written",
]
