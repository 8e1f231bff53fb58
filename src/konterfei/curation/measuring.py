"""Measure every crop of a faceset once: all figures in one look at its picture, kept beside it for the next time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from konterfei.curation import dfl_measures
from konterfei.curation.clarity import sharpness
from konterfei.curation.light import light
from konterfei.curation.shapes import EXPRESSIONS, expressions, frontal_shapes
from konterfei.curation.skin import occlusion
from konterfei.errors import DamagedFileError
from konterfei.executors import LocalExecutor, Voice
from konterfei.geometry import ALIGNED, TEMPLATE, Similarity, hull_mask, pose
from konterfei.io.embedded import EmbeddedError, extract
from konterfei.io.face_measures import PARTS, ROW, THUMB, FaceMeasures, as_part, load, store
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check

Array = NDArray[Any]

_AT_ONCE: Final = 64
"""Crops that are kept together: what a kill costs each process at most."""
_FEW: Final = 400
"""Crops for which no process is started."""
_BLACK, _BURNT = 8, 250
"""Brightest grey level that counts as black, darkest channel value that counts as burnt out."""


def measure(
    faceset: Faceset, reporter: Reporter, processes: int | None = None, parts: Sequence[str] = tuple(PARTS)
) -> FaceMeasures:
    """The measures of every crop. What was measured before, and is unchanged, is not measured again.

    Args:
        faceset: whose crops; its folder gets the figures, where it can be written.
        reporter: is told the progress, and of crops that cannot be read; they are left out.
        processes: that work at it; None = as many as there are processor cores.
        parts: of `io.face_measures.PARTS`: what is asked for.

    Raises:
        Cancelled: asked to stop; what was measured is kept, and the next call goes on.
        DamagedFileError: no crop at all could be read.
    """
    names, records = faceset.names(), faceset.records()
    keys = faceset.checksums()
    rows, known = {}, {}
    for part in parts:
        rows[part], known[part] = load(faceset.folder, keys, part)
    place = {name: row for row, name in enumerate(names)}
    left = [
        _Crop(
            names[row],
            records[row].crop.crop_from_frame @ records[row].face.landmarks,
            tuple(part for part in parts if not known[part][row]),
        )
        for row in np.flatnonzero(~np.all([known[part] for part in parts], axis=0))
    ]
    done, failed = 0, {}

    def heard(batch: _Batch) -> None:
        nonlocal done
        for part, (found, measured) in batch.found.items():
            where = [place[name] for name in found]
            rows[part][where], known[part][where] = measured, True
            store(faceset.folder, [keys[row] for row in where], measured, part)
        failed.update(batch.failed)
        done += batch.count
        reporter.advance(done)

    if left:
        reporter.start("measuring faces", len(left), "faces")
        count = min(processes or os.cpu_count() or 1, len(left) // _FEW + 1)
        batches = [_Task(faceset.folder, tuple(left[at : at + _AT_ONCE])) for at in range(0, len(left), _AT_ONCE)]
        if count == 1:
            for task in batches:
                heard(_measured(task))
                check(reporter)
        else:
            LocalExecutor(count).map(_measure_aside, batches, heard, reporter.take_stop)
        reporter.finish()
    for name, why in failed.items():
        reporter.warn(f"'{faceset.folder / name}' cannot be measured and is left out: {why}")
    whole = np.all([known[part] for part in parts], axis=0)
    if not whole.any():
        raise DamagedFileError(f"No crop in '{faceset.folder}' can be read. Extract again.")
    kept = np.flatnonzero(whole)
    if not whole.all():
        rows = {part: rows[part][kept] for part in parts}
    return _together([names[row] for row in kept], [records[row] for row in kept], rows)


@dataclass(frozen=True)
class _Crop:
    """A crop to look at: its file, its landmarks in it [68, 2], the parts to measure."""

    name: str
    points: Array
    parts: tuple[str, ...]


@dataclass(frozen=True)
class _Task:
    folder: Path
    crops: tuple[_Crop, ...]


@dataclass(frozen=True)
class _Batch:
    """What was found in `count` crops: of each part names and rows of `PARTS`; why others could not be read."""

    found: dict[str, tuple[list[str], Array]]
    failed: dict[str, str]
    count: int


def _measure_aside(task: _Task, voice: Voice) -> None:
    """In a process of its own."""
    voice.check()
    cv2.setNumThreads(1)  # the processes are as many as the cores
    voice.say(_measured(task))


def _measured(task: _Task) -> _Batch:
    found: dict[str, dict[str, Array]] = {}
    failed = {}
    for crop in task.crops:
        try:
            data = (task.folder / crop.name).read_bytes()
            extract(data)
            image = simplejpeg.decode_jpeg(data, colorspace="RGB")
        except (EmbeddedError, ValueError, OSError) as error:
            failed[crop.name] = str(error)
            continue
        row = measure_crop(image, crop.points, crop.parts)
        for part in crop.parts:
            found.setdefault(part, {})[crop.name] = as_part(row, part)
    joined = {part: (list(rows), np.concatenate([*rows.values()])) for part, rows in found.items()}
    return _Batch(joined, failed, len(task.crops))


def measure_crop(image: Array, points: Array, parts: Sequence[str] = tuple(PARTS)) -> Array:
    """All figures of one crop.

    Args:
        image: RGB. [S, S, 3] uint8
        points: landmarks in the crop. [68, 2]
        parts: of `io.face_measures.PARTS`; figures of others are zeros.

    Returns:
        [1] of `ROW`
    """
    measured = np.zeros(1, ROW)
    hull = hull_mask(points, image.shape[:2])
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    if "ours" in parts:
        _measure_ours(measured[0], image, grey, hull, points)
    if "dfl" in parts:
        _measure_dfl(measured[0], image, grey, hull, points)
    return measured


def _measure_ours(row: Any, image: Array, grey: Array, hull: Array, points: Array) -> None:
    row["sharpness"] = row["occlusion"] = np.nan
    with suppress(ValueError):  # landmarks that fall together: such a face has no scale
        unit_from_crop = Similarity.fit(points[ALIGNED], TEMPLATE)
        row["sharpness"] = sharpness(grey, points, unit_from_crop)
        row["occlusion"] = occlusion(image, points, unit_from_crop)
    row["exposure"], row["contrast"], row["dark"], row["bright"] = _exposure(image, grey, hull.astype(np.uint8))
    row["light"] = light(image, points)
    row["fingerprint"] = _fingerprint(grey)
    row["thumb"] = cv2.resize(image, (THUMB, THUMB), interpolation=cv2.INTER_AREA)


def _measure_dfl(row: Any, image: Array, grey: Array, hull: Array, points: Array) -> None:
    face = dfl_measures.masked(image, hull)
    grey_face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    row["blur"], row["motion_blur"] = dfl_measures.blur(grey_face), dfl_measures.motion_blur(face)
    row["brightness"], row["hue"] = dfl_measures.brightness_and_hue(image)
    row["black"] = dfl_measures.black(image)
    row["dfl_pose"] = pose(points, image.shape[0])
    row["histograms"] = [dfl_measures.histogram_roots(channel) for channel in cv2.split(image)]
    row["grey_histogram"] = dfl_measures.histogram_roots(grey)
    row["masked_histogram"] = dfl_measures.histogram_roots(grey_face)


def _exposure(image: Array, grey: Array, hull: Array) -> tuple[float, float, float, float]:
    """Mean and deviation of the face's brightness, shares that are black and burnt out."""
    count = cv2.countNonZero(hull)
    if not count:
        return (float("nan"),) * 4
    mean, deviation = cv2.meanStdDev(grey, mask=hull)
    black = cv2.countNonZero(cv2.bitwise_and((grey <= _BLACK).view(np.uint8), hull))
    brightest = cv2.max(cv2.max(image[..., 0], image[..., 1]), image[..., 2])
    burnt = cv2.countNonZero(cv2.bitwise_and((brightest >= _BURNT).view(np.uint8), hull))
    return float(mean[0, 0]) / 255, float(deviation[0, 0]) / 255, black / count, burnt / count


def _fingerprint(grey: Array) -> Array:
    """Which of the 256 coarsest cosine coefficients lie above their median. [32] uint8"""
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    coarse = cv2.dct(small)[:16, :16].reshape(-1)
    return np.packbits(coarse > np.median(coarse[1:]))


def _together(names: Sequence[str], records: Sequence[FaceRecord], rows: Mapping[str, Array]) -> FaceMeasures:
    faces = [record.face for record in records]
    boxes = np.array([face.box for face in faces], np.float64)
    axes = expressions(frontal_shapes(np.array([face.landmarks for face in faces])))
    return FaceMeasures(
        names=tuple(names),
        sources=tuple(record.source for record in records),
        frames=np.array([record.frame_index for record in records], np.int64),
        tracks=np.array([-1 if face.track is None else face.track for face in faces], np.int64),
        pose=np.array([record.pose for record in records], np.float32),
        resolution=np.array([_resolution(record) for record in records], np.float32),
        area=(np.maximum(boxes[:, 2] - boxes[:, 0], 0) * np.maximum(boxes[:, 3] - boxes[:, 1], 0)).astype(np.float32),
        presence=np.array([face.presence for face in faces], np.float32),
        expression=np.stack([axes[name] for name in EXPRESSIONS], axis=1).astype(np.float32),
        embeddings=_embeddings([face.embedding for face in faces]),
        **{
            name: rows[part][name] if part in rows else _nothing(kind[name], len(names))
            for part, kind in PARTS.items()
            for name in kind.names or ()
        },
    )


def _nothing(kind: np.dtype[Any], count: int) -> Array:
    """Figures that were not asked for: NaN, or zeros where there is no NaN; one is kept in the place of all."""
    blank = np.full(kind.shape, np.nan if kind.base.kind == "f" else 0, kind.base)
    return np.broadcast_to(blank, (count, *kind.shape))


def _resolution(record: FaceRecord) -> float:
    """Frame pixels across the mean face's square, by how the crop was cut."""
    scale = record.crop.crop_from_frame.scale
    return record.size / (record.face_type.side * scale) if scale > 0 else 0.0


def _embeddings(vectors: Sequence[Array | None]) -> Array:
    """[N, D] float32, NaN where there is none of the usual length."""
    lengths = [len(vector) for vector in vectors if vector is not None]
    usual = max(set(lengths), key=lengths.count) if lengths else 0
    found = np.full((len(vectors), usual), np.nan, np.float32)
    for row, vector in enumerate(vectors):
        if vector is not None and len(vector) == usual:
            found[row] = vector
    return found
