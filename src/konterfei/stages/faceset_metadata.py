"""faceset save-metadata, restore-metadata: other programs change the pictures, records and labels come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from konterfei.errors import ConfigError, FacesetError, OutputError, StoreError, UnreadableMediaError
from konterfei.geometry import Similarity
from konterfei.imaging import sharpness
from konterfei.io.atomic import write_json
from konterfei.io.embedded import EmbeddedError, embed, extract, strip
from konterfei.io.face_labels import FaceLabels, Polygon
from konterfei.io.face_metadata import Kept, read_crops, read_head, save
from konterfei.io.face_record import FaceRecord, FacesetHeader
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import HEADER_NAME, put, read_header, writer_lock
from konterfei.io.images import READABLE, encode_image, read_image
from konterfei.io.label_moves import mask_from_crop
from konterfei.reporting import Reporter, check
from konterfei.stages._faceset_tools import few, place_of


@dataclass(frozen=True, kw_only=True)
class SaveMetadataConfig:
    """Keep the records and labels of a faceset in a file, before an image editor or an enhancer changes its pictures.

    Such programs drop what konterfei keeps in a picture. konterfei faceset restore-metadata puts it back.
    """

    faceset: Path
    """Folder of the faceset. It stays as it is."""
    output: Path
    """The file; text, some kilobytes for each face."""
    force: bool = False
    """Writes over a file that is there."""


@dataclass(frozen=True, kw_only=True)
class SaveMetadataResult:
    """What was kept."""

    file: Path
    num_faces: int
    was_done: bool

    def summary(self) -> list[str]:
        """One line."""
        if self.was_done:
            return [f"Nothing to do: {self.file} holds the records of this faceset as it is."]
        return [f"{self.file}: records of {self.num_faces} faces."]


def save_metadata(config: SaveMetadataConfig, reporter: Reporter) -> SaveMetadataResult:
    """The file, whole or not at all.

    Raises:
        FacesetError: no faceset.
        OutputError: another file is there, no space, no permission.
        Cancelled: a person asked to stop; nothing is left behind.
    """
    faceset = Faceset.open(config.faceset, reporter=reporter)
    if config.output.exists() and not config.force:
        try:
            is_same = read_head(config.output)[1] == faceset.content_hash()
        except StoreError:
            is_same = False
        if not is_same:
            raise OutputError(f"'{config.output}' is there already. Choose another name, or --force to replace it.")
        return SaveMetadataResult(file=config.output, num_faces=len(faceset), was_done=True)
    reporter.start("keeping records", len(faceset), "faces")

    def told(number: int) -> None:
        check(reporter)
        reporter.advance(number)

    num_faces = save(faceset, config.output, told)
    reporter.finish()
    return SaveMetadataResult(file=config.output, num_faces=num_faces, was_done=False)


@dataclass(frozen=True, kw_only=True)
class RestoreMetadataConfig:
    """Put records and labels back into pictures that another program has changed: those of the same name or stem.

    Pictures that are all larger or smaller by the same make a faceset of that size; of different sizes, they are
    brought to the size that they had. What was turned, cut or is not square is listed and left as it is.
    """

    faceset: Path
    """Folder with the pictures: the faceset's own, or where the other program has written them."""
    records: Path
    """The file of konterfei faceset save-metadata."""


@dataclass(frozen=True, kw_only=True)
class RestoreMetadataResult:
    """What was put back."""

    faceset: Path
    num_restored: int
    num_as_before: int
    size: int
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Crop -> why it has no record now."""

    def summary(self) -> list[str]:
        """What there is, and what was left out."""
        if not self.num_restored and not self.left_out:
            return [f"Nothing to do: all {self.num_as_before} faces in {self.faceset} have their records."]
        told = f"{self.num_restored} faces in {self.faceset} have their records again, {self.num_as_before} had them"
        left_out = [f"{len(self.left_out)} are left out:", *few(self.left_out)] if self.left_out else []
        return [f"{told}; crops of {self.size} px.", *left_out]


def restore_metadata(config: RestoreMetadataConfig, reporter: Reporter) -> RestoreMetadataResult:
    """Records in the pictures again. Stopped in between, the same command goes on.

    Raises:
        FacesetError: no such folder or file, or a faceset of another face type.
        DamagedFileError: the file of records is damaged.
        OutputError: no space, no permission.
        Cancelled: a person asked to stop.
    """
    header, _ = read_head(config.records)
    if not config.faceset.is_dir():
        raise FacesetError(f"There is no folder '{config.faceset}'. Check the path.")
    if (config.faceset / HEADER_NAME).exists():
        there = read_header(config.faceset)
        if there.face_type != header.face_type:
            raise ConfigError(
                f"'{config.faceset}' holds crops '{there.face_type}', the records are of '{header.face_type}'. "
                "Give the records that were kept of this faceset."
            )
    lock = writer_lock(config.faceset)
    try:
        return _restored(config, header, reporter)
    finally:
        lock.close()


def _restored(config: RestoreMetadataConfig, header: FacesetHeader, reporter: Reporter) -> RestoreMetadataResult:
    left_out: dict[str, str] = {}
    pictures, sides = _pictures(config, left_out, reporter)
    size = sides.pop() if len(sides) == 1 else header.size
    num_restored = num_as_before = 0
    reporter.start("putting records back", len(pictures), "faces")
    for done, kept in enumerate(read_crops(config.records, {}), 1):
        check(reporter)
        path = pictures.get(kept.record.name)
        if path is None:
            continue
        target = config.faceset / (kept.record.name if path.suffix.lower() not in _JPEG else path.name)
        try:
            data = _with_record(path, kept, size)
        except (UnreadableMediaError, ValueError) as error:
            left_out[path.name] = str(error)
            continue
        if data is None:
            num_as_before += 1
        else:
            put(target, data)
            num_restored += 1
        reporter.advance(done)
    reporter.finish()
    changed = replace(header, size=size)
    if not (config.faceset / HEADER_NAME).exists() or read_header(config.faceset) != changed:
        write_json(config.faceset / HEADER_NAME, changed.to_json())
    faceset = Faceset.open(config.faceset, reporter=reporter, allow_empty=True)
    return RestoreMetadataResult(
        faceset=faceset.folder,
        num_restored=num_restored,
        num_as_before=num_as_before,
        size=size,
        left_out=left_out,
    )


_JPEG = (".jpg", ".jpeg")


def _pictures(
    config: RestoreMetadataConfig, left_out: dict[str, str], reporter: Reporter
) -> tuple[dict[str, Path], set[int]]:
    """Name of a crop -> the picture that is meant by it; and the sides that these have."""
    by_stem: dict[str, list[Path]] = {}
    for path in config.faceset.iterdir():
        if path.suffix.lower() in READABLE and not path.name.startswith(".") and path.is_file():
            by_stem.setdefault(path.stem, []).append(path)
    found: dict[str, Path] = {}
    sides: set[int] = set()
    reporter.start("looking at pictures", None, "faces")
    for number, kept in enumerate(read_crops(config.records, left_out), 1):
        check(reporter)
        name = kept.record.name
        if not (candidates := by_stem.get(Path(name).stem)):
            left_out[name] = "there is no picture of that name any more"
            continue
        # the crop's own file, unless the other program wrote its picture beside it later
        path = max(candidates, key=lambda each: (each.stat().st_mtime_ns, each.name == name))
        try:
            with Image.open(path) as picture:
                wide, high = picture.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            left_out[path.name] = f"it cannot be read as a picture ({error})"
            continue
        if wide != high or not 16 <= wide <= 8192:
            left_out[path.name] = f"it is {wide}x{high}: the face cannot be found in what is no square crop any more"
            continue
        found[name] = path
        sides.add(wide)
        reporter.advance(number)
    reporter.finish()
    return found, sides


def _with_record(path: Path, kept: Kept, size: int) -> bytes | None:
    """The bytes of the crop with its record; None where it carries that already. Raises ValueError."""
    data = path.read_bytes()
    try:
        embedded = extract(data)
        there = FaceRecord.decode(embedded.text)
        wanted = _resized_record(kept.record, size)
        if there.size == size and place_of(there) == place_of(wanted) and embedded.width == size:
            return None
    except EmbeddedError:
        pass
    labels = _resized_labels(FaceLabels.decode(kept.labels), kept.record.size, size).encode()
    image = read_image(path)
    if image.shape[0] != size:
        flags = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, (size, size), interpolation=flags), np.uint8)
        jpeg = encode_image(image, ".jpg")
    else:
        jpeg = strip(data) if _is_as_shown(data, image) else encode_image(image, ".jpg")
    record = replace(_resized_record(kept.record, size), sharpness=sharpness(image))
    return embed(jpeg, record.encode(), labels)


def _is_as_shown(data: bytes, image: NDArray[np.uint8]) -> bool:
    """Whether a file is a JPEG whose pixels, as a faceset reads them, are what a person sees of it."""
    if not data.startswith(b"\xff\xd8"):
        return False
    try:
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    except ValueError:
        return False
    return pixels.shape == image.shape and float(np.abs(pixels.astype(int) - image.astype(int)).mean()) < 1.0


def _resized_record(record: FaceRecord, size: int) -> FaceRecord:
    """The record of the picture when another program has made it larger or smaller."""
    if size == record.size:
        return record
    matrix = mask_from_crop(size, record.size) @ Similarity(np.asarray(record.crop_from_frame, np.float64))
    return replace(record, size=size, crop_from_frame=matrix.matrix)


def _resized_labels(labels: FaceLabels, size_then: int, size: int) -> FaceLabels:
    if size == size_then:
        return labels
    map_ = mask_from_crop(size, size_then)
    return replace(labels, polygons=tuple(Polygon(map_ @ p.points, p.include) for p in labels.polygons))
