"""faceset debug: what is known of each face, drawn over its crop."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from konterfei.errors import NoFacesError, StoreError
from konterfei.geometry import smooth_hull_mask
from konterfei.geometry.drawing import (
    BLUE,
    RED,
    WHITE,
    YELLOW,
    draw_landmarks,
    draw_lines,
    draw_mask_edge,
    draw_points,
    draw_pose,
)
from konterfei.io.atomic import make_folder
from konterfei.io.face_labels import FaceLabels
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.reporting import Reporter, check
from konterfei.stages._faceset_tools import refuse_itself
from konterfei.stages._settings import allow

Array = NDArray[Any]

SHEET_NAME: Final = "sheet.jpg"
_LEAST_SIDE: Final = 512
"""Pictures are drawn at least as large as this, px, so that lines do not hide small faces."""
_TILE: Final = 256
_TEXT: Final = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, kw_only=True)
class FacesetDebugConfig:
    """Draw what is known of each face over its crop, and a sheet of many of them.

    White points and green lines: landmarks. Yellow: the hull that training and merging use, and the detector's box.
    Blue: irises. Axes at the nose: the head's side (red), down (green), where it looks (blue). Red: the mask that was
    applied. Thick white: outlines that count as face; thick red: those that cut out.
    """

    faceset: Path
    """Folder of the faceset. It stays as it is."""
    output: Path
    """Folder for the pictures, named as the crops; and for sheet.jpg."""
    most: int | None = None
    """Draws so many at most, spread evenly over the faceset. Default: all."""
    sheet: int = 64
    """Faces on the sheet, spread evenly; 0 = no sheet."""

    def __post_init__(self) -> None:
        refuse_itself(self.faceset, self.output)
        allow("--most", self.most, self.most is None or self.most >= 1, "1 or more")
        allow("--sheet", self.sheet, 0 <= self.sheet <= 400, "0 to 400")


@dataclass(frozen=True, kw_only=True)
class FacesetDebugResult:
    """What was drawn."""

    folder: Path
    num_pictures: int
    sheet: Path | None = None

    def summary(self) -> list[str]:
        """One line."""
        where = f"; the sheet is {self.sheet}" if self.sheet else ""
        return [f"{self.num_pictures} pictures in {self.folder}{where}."]


def faceset_debug(config: FacesetDebugConfig, reporter: Reporter) -> FacesetDebugResult:
    """Pictures to look at; those that are there are drawn anew.

    Raises:
        FacesetError: no faceset.
        NoFacesError: no crop can be read.
        OutputError: no space, no permission.
        Cancelled: a person asked to stop.
    """
    faceset = Faceset.open(config.faceset, reporter=reporter)
    records = _spread(faceset.records(), config.most or len(faceset))
    on_sheet = {record.name for record in _spread(records, config.sheet)}
    tiles: list[Array] = []
    num_pictures = 0
    make_folder(config.output)
    reporter.start("drawing", len(records), "faces")
    for number, record in enumerate(records, 1):
        check(reporter)
        try:
            image, labels = faceset.image(record.name), faceset.labels(record.name)
        except StoreError as error:
            reporter.warn(str(error))
            continue
        try:
            drawn = draw_face(image, record, labels)
        except ValueError as error:
            reporter.warn(f"{record.name} is drawn without its mask: {error}.")
            drawn = draw_face(image, record, replace(labels, mask_file=b""))
        write_image(config.output / f"{Path(record.name).stem}.jpg", drawn, quality=90)
        num_pictures += 1
        if record.name in on_sheet:
            tiles.append(cv2.resize(drawn, (_TILE, _TILE), interpolation=cv2.INTER_AREA))
        reporter.advance(number)
    reporter.finish()
    if not num_pictures:
        raise NoFacesError(f"No crop of '{config.faceset}' can be read, so there is nothing to draw. Extract it again.")
    sheet = config.output / SHEET_NAME if tiles else None
    if sheet is not None:
        write_image(sheet, sheet_of(tiles), quality=90)
        reporter.preview(sheet)
    return FacesetDebugResult(folder=config.output, num_pictures=num_pictures, sheet=sheet)


def draw_face(image: Array, record: FaceRecord, labels: FaceLabels) -> Array:
    """A crop with all that is known of its face.

    Args:
        image: the crop. [S, S, 3] uint8 RGB
        record: its record.
        labels: its labels.

    Returns:
        [N, N, 3] uint8, N a multiple of S and at least 512
    """
    larger = max(1, math.ceil(_LEAST_SIDE / record.size))
    side = record.size * larger
    crop = record.crop.crop_from_frame
    drawn = np.asarray(cv2.resize(image, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)

    def placed(points: Array) -> Array:
        return (np.asarray(points, np.float64) + 0.5) * larger - 0.5

    def in_crop(points: Array) -> Array:
        return placed(crop @ np.asarray(points, np.float64))

    points = in_crop(record.face.landmarks)
    left, top, right, bottom = record.face.box
    box = in_crop(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))
    drawn = draw_lines(drawn, box, YELLOW, closed=True)
    hull = (smooth_hull_mask(points, (side, side)) * 255).astype(np.uint8)
    drawn = draw_mask_edge(drawn, hull, YELLOW)
    for line in _labels_drawn(labels, record.size, side, placed):
        drawn = line(drawn)
    drawn = draw_landmarks(drawn, points)
    if record.face.iris is not None:
        drawn = draw_points(drawn, in_crop(record.face.iris), BLUE, 3)
    drawn = draw_pose(drawn, record.pose, points[30], side / 5, crop.rotation)
    return _written(drawn, record)


def _labels_drawn(labels: FaceLabels, size: int, side: int, placed: Any) -> Iterator[Any]:
    if labels.mask_file:
        applied = FaceLabels(mask_file=labels.mask_file).mask(side, size)
        if applied is not None:
            yield lambda drawn: draw_mask_edge(drawn, applied, RED)
    for polygon in labels.polygons:
        color = WHITE if polygon.include else RED
        if len(polygon.points):
            yield lambda drawn, p=polygon, c=color: draw_lines(drawn, placed(p.points), c, closed=True, thick=3)


def _written(drawn: Array, record: FaceRecord) -> Array:
    """With a line of figures at the lower edge."""
    pitch, yaw, roll = (round(math.degrees(angle)) for angle in record.pose)
    who = "" if record.face.person is None else f"  person {record.face.person}"
    text = f"frame {record.frame_index}  pitch {pitch} yaw {yaw} roll {roll}  sharp {record.sharpness:.3g}{who}"
    side = drawn.shape[0]
    written = drawn.copy()
    for color, shift in (((0, 0, 0), 1), (WHITE, 0)):
        cv2.putText(written, text, (6 + shift, side - 8 + shift), _TEXT, side / 1100, color, 1, cv2.LINE_AA)
    return written


def sheet_of(tiles: list[Array]) -> Array:
    """Pictures of one size side by side, in rows about as many as columns. [H, W, 3] uint8"""
    columns = math.ceil(math.sqrt(len(tiles)))
    empty = np.zeros_like(tiles[0])
    rows = [tiles[at : at + columns] for at in range(0, len(tiles), columns)]
    return np.concatenate([np.concatenate([*row, *[empty] * (columns - len(row))], axis=1) for row in rows])


def _spread(records: list[FaceRecord], most: int) -> list[FaceRecord]:
    """At most so many of them, evenly."""
    if most >= len(records):
        return records
    return [records[i] for i in np.linspace(0, len(records) - 1, most).round().astype(int)] if most else []
