"""Masks as pictures, one for each crop, named as the crop: for and from image editors and segmenters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from konterfei.errors import ConfigError, NoFacesError, StoreError, UnreadableMediaError
from konterfei.exchange.base import WriteSettings, Written
from konterfei.io.atomic import make_folder
from konterfei.io.face_labels import FaceLabels, decode_mask, encode_mask
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import put
from konterfei.io.images import READABLE, read_image
from konterfei.reporting import Reporter, check

_TAILS = ("", "_mask")
"""After the name of the crop: DeepFaceLab's own export adds the second."""
_SIDES = (8, 4096)


def write_masks(faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
    """One PNG of 8 bits for each labelled crop, of the crop's size, 255 = face. See `FaceWriter`."""
    labelled = faceset.labelled()
    records = [record for record in faceset.records() if record.name in labelled]
    left_out = {name: "nothing is drawn onto it" for name in faceset.names() if name not in labelled}
    make_folder(output)
    count = 0
    reporter.start("writing masks", len(records), "faces")
    for number, record in enumerate(records, 1):
        check(reporter)
        try:
            mask = faceset.labels(record.name).mask(record.size, record.size)
        except (StoreError, ValueError) as error:
            left_out[record.name] = str(error)
            continue
        if mask is None:
            left_out[record.name] = "its labels say nothing of where the face is"
            continue
        path, data = output / f"{Path(record.name).stem}.png", encode_mask(mask)
        if not path.is_file() or path.read_bytes() != data:
            put(path, data)
        count += 1
        reporter.advance(number)
    reporter.finish()
    if not count:
        raise NoFacesError(
            f"No crop of '{faceset.folder}' carries a mask or an outline. 'konterfei import labels' brings some in."
        )
    return Written(num_faces=count, files=(output,), left_out=left_out)


def read_masks(path: Path, faceset: Faceset, not_taken: dict[str, str]) -> Iterator[tuple[str, FaceLabels]]:
    """The masks in a folder. See `LabelReader`. A square PNG or JPEG of one channel is kept byte for byte."""
    by_stem = {Path(name).stem: name for name in faceset.names()}
    if not path.is_dir():
        raise ConfigError(f"There is no folder '{path}'. Name the one with the masks, a picture for each crop.")
    for file in sorted(path.iterdir()):
        if file.suffix.lower() not in READABLE or file.name.startswith(".") or not file.is_file():
            continue
        names = [by_stem[stem] for tail in _TAILS if (stem := file.stem.removesuffix(tail)) in by_stem]
        if not names:
            not_taken[file.name] = "there is no crop of that name"
            continue
        try:
            yield names[0], FaceLabels(mask_file=_one_channel(file))
        except (ValueError, OSError, UnreadableMediaError) as error:
            not_taken[file.name] = str(error)


def _one_channel(file: Path) -> bytes:
    """The mask in a picture's file, as labels keep it. Raises ValueError, UnreadableMediaError."""
    data = file.read_bytes()
    if data.startswith((b"\x89PNG", b"\xff\xd8")):
        kept = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if kept is not None and kept.ndim == 2 and kept.dtype == np.uint8 and kept.shape[0] == kept.shape[1]:
            decode_mask(data)
            return data
    mask = read_image(file).max(axis=-1)
    high, wide = mask.shape
    if high != wide or not _SIDES[0] <= high <= _SIDES[1]:
        raise ValueError(f"it is {wide} x {high}; masks are square like the crops, of {_SIDES[0]} to {_SIDES[1]} px")
    return encode_mask(np.ascontiguousarray(mask))
