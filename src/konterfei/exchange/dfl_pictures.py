"""The crops of a faceset as DeepFaceLab is to have them, one after the other: file names, pictures, dicts."""

from __future__ import annotations

import re
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg

from konterfei.errors import DamagedFileError
from konterfei.exchange.base import WriteSettings
from konterfei.exchange.dfl_records import KEY, source_filename, values_for
from konterfei.exchange.frame_names import FrameNames
from konterfei.io.embedded import embed
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.legacy_faces import LegacyFaceError, has_restarts, joined, mask_within_limits
from konterfei.reporting import Reporter, check

_LONGEST = 200  # bytes; file systems take 255
_NO_NAME = re.compile(r'[\x00-\x1f<>:"/\\|?*]')


@dataclass(frozen=True)
class Outgoing:
    """One crop on its way out.

    Attributes:
        record: of the crop, with its name.
        file: name of its file there.
        person: name of the folder that it goes into; None = none.
        picture: the JPEG, with our own record unless it is to be bare.
        values: DeepFaceLab's dict of it.
    """

    record: FaceRecord
    file: str
    person: str | None
    picture: bytes
    values: dict[str, Any]

    def data(self) -> bytes:
        """The file."""
        return joined(self.picture, self.values)


def outgoing(faceset: Faceset, settings: WriteSettings, left_out: MutableMapping[str, str]) -> Iterator[Outgoing]:
    """Every crop of the faceset, in order.

    Args:
        faceset: to go out.
        settings: names, and whether pictures are bare.
        left_out: told, by crop, what was not written, or not whole, and why.
    """
    records = faceset.records()
    names = FrameNames(faceset)
    taken: set[tuple[str | None, str]] = set()
    for record in records:
        try:
            labels, picture = faceset.labels(record.name), faceset.jpeg(record.name)
        except DamagedFileError as error:
            left_out[record.name] = str(error)
            continue
        own = labels.foreign.get(KEY, {})
        frame_name = names.file(record) or source_filename(record, "" if names.is_one_film else names.film(record))
        values, remark = _fitting(record, labels, frame_name)
        person = _file_name(own.get("person_name"))
        file = _free(_file_name(own.get("file")) if settings.names == "kept" else None, values, person, taken)
        if has_restarts(picture):
            image = simplejpeg.decode_jpeg(picture, colorspace="RGB")
            picture = simplejpeg.encode_jpeg(image, quality=100, colorspace="RGB", colorsubsampling="444")
            remark = "its picture was encoded anew: it has restart markers, which DeepFaceLab cannot read"
        if not settings.bare:
            picture = embed(picture, record.encode(), FaceLabels(foreign=labels.foreign).encode())
        one = Outgoing(record, file, person, picture, values)
        try:
            one.data()
        except ValueError as error:  # too long, or a forged faceset's value of a kind that DeepFaceLab has not
            left_out[record.name] = str(error)
            continue
        if remark:
            left_out[record.name] = remark
        yield one


def told_of(faces: Iterator[Outgoing], faceset: Faceset, task: str, reporter: Reporter) -> Iterator[Outgoing]:
    """The same, while the reporter is told how far it is. Raises Cancelled when a person asked to stop."""
    reporter.start(task, len(faceset), unit="faces")
    for number, one in enumerate(faces, 1):
        check(reporter)
        yield one
        reporter.advance(number)
    reporter.finish()


def _fitting(record: FaceRecord, labels: FaceLabels, frame_name: str) -> tuple[dict[str, Any], str]:
    """The dict, small enough for DeepFaceLab, and what had to go for it, in words."""
    remark = ""
    try:
        smaller = mask_within_limits(labels.mask_file)
    except LegacyFaceError as error:
        smaller, remark = b"", f"{error}: the mask was not written"
    if smaller != labels.mask_file:
        remark = remark or "its mask had more than 50,000 bytes and was written as a JPEG, as DeepFaceLab does"
        labels = replace(labels, mask_file=smaller)
    values = values_for(record, labels, frame_name)
    for key, what in (("seg_ie_polys", "its polygons"), ("xseg_mask", "its mask")):
        try:
            joined(_ANY_PICTURE, values)
            break
        except LegacyFaceError:
            if key in values:
                values.pop(key)
                remark = f"{what} do not fit into the 65,533 bytes of DeepFaceLab's record: they were not written"
    return values, remark


def _file_name(name: Any) -> str | None:
    """A name that came from outside, as one that any system can give a file in one folder; None for nothing."""
    if not isinstance(name, str):
        return None
    plain = _NO_NAME.sub("_", name).strip(" .")
    return plain.encode("utf-8", "replace")[:_LONGEST].decode("utf-8", "ignore") or None


def _free(wanted: str | None, values: dict[str, Any], person: str | None, taken: set[tuple[str | None, str]]) -> str:
    """A file name that no other face has: the one wanted, or <stem of the frame's name>_<number>.jpg."""
    if wanted is not None and wanted.endswith(".jpg") and (person, wanted.lower()) not in taken:
        taken.add((person, wanted.lower()))
        return wanted
    stem, number = _file_name(Path(str(values.get("source_filename", "face"))).stem) or "face", 0
    while (person, f"{stem}_{number}.jpg".lower()) in taken:
        number += 1
    taken.add((person, f"{stem}_{number}.jpg".lower()))
    return f"{stem}_{number}.jpg"


_ANY_PICTURE: bytes = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
