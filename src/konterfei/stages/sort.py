"""sort: put a faceset's crops in an order, look at it, and set its end aside if asked.

The order is data (`order.json` and a picture of it in the faceset's folder); no file is renamed. What is set aside goes
to the faceset's trash and can be taken back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import numpy as np

from konterfei.curation.measuring import measure
from konterfei.curation.shapes import EXPRESSIONS, expressions, frontal_shapes
from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError, DamagedFileError
from konterfei.io.atomic import ensure_writable
from konterfei.io.embedded import EmbeddedError, extract
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import SHEET_NAME, FacesetOrder
from konterfei.io.images import write_image
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.sorters import SORTERS, Example, Order, Wish, parts_for
from konterfei.stages._settings import allow
from konterfei.stages._sort_export import export, refuse_foreign
from konterfei.stages._sort_sheet import sheet, value_text
from konterfei.tracking.reference import face_in_picture

_SELECTIONS = ("best", "final", "final-fast")
_ALIKE = ("identity", "expression")
_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class SortConfig:
    """Put the crops of a faceset in an order, look at it, and set its end aside if asked.

    The order is written beside the crops, with a picture of it; no file is renamed, and what is set aside can be taken
    back. All of a faceset is measured once, so the next order comes at once.
    """

    faceset: Path
    """Folder of the faceset."""
    by: Annotated[str, SORTERS] = "time"
    """What to sort by."""
    reverse: bool = False
    """Turns the order round: last first."""
    like: Path | None = None
    """A picture of a face, or a crop: with --by identity how much it is that person, with --by expression how near the
    face is to what that one does."""
    count: int | None = None
    """How many faces --by best, final and final-fast are to choose. Default: 2000."""
    set_aside_rest: bool = False
    """Sets aside what the method leaves out: with best and final what was not chosen, with oneface every face of frames
    with several, with blur and motion-blur crops in which nothing can be measured."""
    keep: int | None = None
    """Sets aside all but so many from the beginning of the order; with best and final it is --count too."""
    set_aside_last: int | None = None
    """Sets so many from the end of the order aside."""
    set_aside_below: float | None = None
    """Sets aside what lies below this value; of orders that begin with the smallest (occlusion), what lies above it."""
    export_order: Path | None = None
    """Folder to be filled with the crops under numbered names, for a file manager: hard links where the disk can, else
    copies. It must be empty, or exported before. Delete there what you do not want, then konterfei trash --not-in."""
    processes: int = 0
    """How many measure at once; 0 = one per core."""

    def __post_init__(self) -> None:
        SORTERS[self.by]  # raises with the nearest names
        for flag, value in (("--count", self.count), ("--keep", self.keep)):
            allow(flag, value, value is None or value >= 1, "1 or more")
        last, below = self.set_aside_last, self.set_aside_below
        allow("--set-aside-last", last, last is None or last >= 1, "1 or more")
        allow("--set-aside-below", below, below is None or math.isfinite(below), "a number")
        allow("--processes", self.processes, self.processes >= 0, "0 or more")
        asked = {"--set-aside-rest": self.set_aside_rest, "--keep": self.keep, "--set-aside-last": last}
        asked["--set-aside-below"] = below is not None
        given = [flag for flag, value in asked.items() if value]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} exclude each other. Give one of them.")
        if self.count is not None and self.by not in _SELECTIONS:
            raise ConfigError(f"--count goes with --by {', '.join(_SELECTIONS)}. To keep the first ones, use --keep.")
        if self.like is not None and self.by not in _ALIKE:
            raise ConfigError(f"--like goes with --by {' and '.join(_ALIKE)}.")
        if self.reverse and (self.set_aside_rest or self.by in _SELECTIONS):
            raise ConfigError("--reverse would set the chosen faces aside, not the others. Leave it away.")


@dataclass(frozen=True, kw_only=True)
class SortResult:
    """What came of it."""

    faceset: Path
    """Folder."""
    order: FacesetOrder
    """Of the crops that stayed."""
    told: tuple[str, ...]
    """How it came to be."""
    num_set_aside: int = 0
    """Crops that were moved to the trash."""
    batch: int = 0
    """Their number in the trash, to take them back; 0 = none were moved."""
    exported: str = ""
    """What was exported where, in words."""

    def summary(self) -> list[str]:
        """Its ends, and what was set aside."""
        ends = [f"{name} {value_text(value)}" for name, value in zip(self.order.names, self.order.values, strict=True)]
        lines = [*self.told, f"{self.faceset}: {len(ends)} faces by {self.order.by}: {self.order.about}"]
        if len(ends) > 2 * _SHOWN:
            ends = [*ends[:_SHOWN], "...", *ends[-_SHOWN:]]
        lines += [f"  {', '.join(ends)}", f"look at it: {self.faceset / SHEET_NAME}"]
        if self.exported:
            lines.append(self.exported)
        if self.batch:
            lines.append(
                f"{self.num_set_aside} set aside in '{self.faceset / 'trash'}'; they come back with: "
                f"konterfei trash {quote(str(self.faceset))} --restore {self.batch}"
            )
        return lines


def sort(config: SortConfig, reporter: Reporter) -> SortResult:
    """Measure what was not measured yet, order, draw; export and set aside if asked.

    Raises:
        FacesetError: no faceset, no faces, or another process writes into it.
        ConfigError: the faces cannot be ordered so; says why.
        NoFacesError, UnreadableMediaError: the example picture cannot be used.
        OutputError: no permission, no space.
    """
    with Faceset.open(config.faceset, reporter=reporter) as faceset:
        ensure_writable(faceset.folder / SHEET_NAME)
        if config.export_order is not None:
            refuse_foreign(config.export_order, faceset.folder)
        like = None if config.like is None else _example(config.like)
        faces = measure(faceset, reporter, config.processes or None, parts_for(config.by))
        sorter = SORTERS.load(config.by)
        wanted = config.count or (config.keep if config.by in _SELECTIONS else None)
        found: Order = sorter(faces, Wish(like=like, count=wanted), reporter)
        rows = found.rows[::-1] if config.reverse else found.rows
        leaving = _leaving(config, found, rows)
        order = FacesetOrder(
            by=config.by,
            names=tuple(faces.names[row] for row in rows),
            values=tuple(_plain(found.values[row]) for row in rows),
            about=_first_line(sorter),
        )
        write_image(faceset.folder / SHEET_NAME, _drawn(faceset, order, config, leaving or _left_out(config, found)))
        exported = ""
        stays = order.over(order.names[: len(order.names) - leaving])
        if config.export_order is not None:
            how = export(config.export_order, faceset, stays.names, config.by, reporter)
            exported = f"{len(stays.names)} crops {how} under numbered names in {config.export_order}"
        away = order.names[len(stays.names) :]
        batch = faceset.set_aside(away, _why(config, found)) if away else 0
        stays.save(faceset.folder)
    told = found.told if leaving or not found.rest else (*found.told, _offer(config, found))
    return SortResult(
        faceset=config.faceset, order=stays, told=told, num_set_aside=len(away), batch=batch, exported=exported
    )


def _leaving(config: SortConfig, found: Order, rows: np.ndarray[Any, Any]) -> int:
    """How many from the end of the order are to be set aside."""
    count = len(rows)
    if config.set_aside_rest:
        leaving = found.rest
    elif config.keep is not None:
        leaving = max(count - config.keep, found.rest if config.by in _SELECTIONS else 0)
    elif config.set_aside_last is not None:
        leaving = config.set_aside_last
    elif config.set_aside_below is not None:
        return _beyond(config.set_aside_below, found, rows, config.reverse)
    else:
        return 0
    if leaving >= count:
        raise ConfigError(f"That would set all {count} faces of '{config.faceset}' aside. Leave some.")
    return leaving


def _beyond(limit: float, found: Order, rows: np.ndarray[Any, Any], is_reversed: bool) -> int:
    """How many at the end have values beyond the limit; those without a value stay."""
    values = found.values[rows]
    known = values[np.isfinite(values)]
    is_rising = found.is_rising != is_reversed
    if not len(known) or (np.diff(known) * (1 if is_rising else -1) < 0).any():
        raise ConfigError("--set-aside-below: this order is not by one figure, so there is no end beyond a value.")
    beyond = int(((values > limit) if is_rising else (values < limit)).sum())
    if beyond == len(rows):
        raise ConfigError(f"--set-aside-below is {limit}: that is all faces; they go from {known[0]} to {known[-1]}.")
    if beyond and not np.isfinite(values[-1]):
        raise ConfigError("--set-aside-below: some faces have no such figure. Set them aside first: --set-aside-last.")
    return beyond


def _left_out(config: SortConfig, found: Order) -> int:
    return 0 if config.reverse else found.rest


def _why(config: SortConfig, found: Order) -> str:
    if config.set_aside_rest or (config.keep is not None and config.by in _SELECTIONS):
        return f"sort by {config.by}: {found.why_rest}"
    if config.keep is not None:
        return f"sort by {config.by}{' reversed' if config.reverse else ''}: not among the first {config.keep}"
    if config.set_aside_last is not None:
        return f"sort by {config.by}{' reversed' if config.reverse else ''}: the last {config.set_aside_last}"
    return f"sort by {config.by}: beyond {config.set_aside_below}"


def _offer(config: SortConfig, found: Order) -> str:
    return f"{found.rest} are left out ({found.why_rest}) and come last; --set-aside-rest sets them aside"


def _first_line(sorter: Any) -> str:
    return (sorter.__doc__ or "").strip().splitlines()[0].rstrip(".")


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _drawn(faceset: Faceset, order: FacesetOrder, config: SortConfig, rest: int) -> np.ndarray[Any, Any]:
    """The sheet; a crop whose picture was damaged meanwhile is grey."""
    size = faceset.header.size

    def picture(place: int) -> np.ndarray[Any, Any]:
        try:
            return faceset.image(order.names[place])
        except DamagedFileError:
            return np.full((size, size, 3), 128, np.uint8)

    title = f"{len(order.names)} faces by {order.by}{', reversed' if config.reverse else ''}: {order.about}"
    return sheet(title, order.values, rest, picture)


def _example(path: Path) -> Example:
    """The face of a crop, by its record, or of any picture, by the networks."""
    if not path.is_file():
        raise ConfigError(f"--like is '{path}', which is no picture that exists.")
    try:
        record = FaceRecord.decode(extract(path.read_bytes()).text)
        points, embedding = record.face.landmarks, record.face.embedding
    except (EmbeddedError, ValueError):
        points, embedding = face_in_picture(
            path,
            DETECTORS.load("yunet")(),
            LANDMARKERS.load("mesh478")(),
            RECOGNIZERS.load("mobilefacenet")(),
        )
    axes = expressions(frontal_shapes(points[None]))
    return Example(embedding=embedding, expression=np.array([axes[name][0] for name in EXPRESSIONS]))
