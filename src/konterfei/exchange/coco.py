"""Outlines as COCO's JSON for instances (cocodataset.org, "Data format"), which most labelling programs read and write.

Categories: `face`, and `exclude` for what is cut out. COCO measures places from the upper left corner of the picture,
konterfei from the middle of its first pixel: half a pixel lies between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.errors import DamagedFileError, NoFacesError, StoreError
from konterfei.exchange.base import WriteSettings, Written, load_json
from konterfei.exchange.coco_rle import mask_of, runs_of
from konterfei.io.atomic import make_folder, write_json
from konterfei.io.face_labels import FaceLabels, Polygon, encode_mask
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check

FILE_NAME = "instances.json"
FACE, EXCLUDE = "face", "exclude"
_NUMBERS = {FACE: 1, EXCLUDE: 2}
_AS_DRAWN = "konterfei: annotations of a picture in the order in which they are drawn, later over earlier"


def write_coco(faceset: Faceset, output: Path, settings: WriteSettings, reporter: Reporter) -> Written:
    """`instances.json` with the outlines of all crops; a mask without outlines as runs. See `FaceWriter`."""
    left_out: dict[str, str] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    records, labelled, count = faceset.records(), faceset.labelled(), 0
    reporter.start("collecting outlines", len(records), "faces")
    for number, record in enumerate(records, 1):
        check(reporter)
        side = record.size
        images.append({"id": number, "file_name": record.name, "width": side, "height": side})
        if record.name in labelled:
            try:
                found = _annotations(faceset.labels(record.name), side)
            except (StoreError, ValueError) as error:
                left_out[record.name] = str(error)
                continue
            count += bool(found)
            for one in found:
                annotations.append({"id": len(annotations) + 1, "image_id": number, **one})
        reporter.advance(number)
    reporter.finish()
    if not annotations:
        raise NoFacesError(
            f"No crop of '{faceset.folder}' carries a mask or an outline. 'konterfei import labels' brings some in."
        )
    data = {
        "info": {"description": _AS_DRAWN, "version": "1"},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in _NUMBERS.items()],
    }
    path = make_folder(output) / FILE_NAME
    write_json(path, data)
    return Written(num_faces=count, files=(path,), left_out=left_out)


def _annotations(labels: FaceLabels, side: int) -> list[dict[str, Any]]:
    made = []
    for polygon in labels.polygons:
        if len(polygon.points) > 2:
            points = polygon.points.astype(np.float64) + 0.5
            made.append(
                {
                    "category_id": _NUMBERS[FACE if polygon.include else EXCLUDE],
                    "segmentation": [points.reshape(-1).tolist()],
                    "bbox": [*points.min(0).tolist(), *np.ptp(points, axis=0).tolist()],
                    "area": _area(points),
                    "iscrowd": 0,
                }
            )
    if not made and (mask := labels.mask(side, side)) is not None:
        rows, columns = np.nonzero(mask > 127)
        if len(rows):
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            made.append(
                {
                    "category_id": _NUMBERS[FACE],
                    "segmentation": runs_of(mask),
                    "bbox": [float(value) for value in box],
                    "area": float(len(rows)),
                    "iscrowd": 1,
                }
            )
    return made


def _area(points: np.ndarray[Any, Any]) -> float:
    x, y = points.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def read_coco(path: Path, faceset: Faceset, not_taken: dict[str, str]) -> Iterator[tuple[str, FaceLabels]]:
    """The outlines and masks of a COCO file. See `LabelReader`. What cuts out counts over all that includes."""
    data = _loaded(path)
    names = {Path(name).stem: name for name in faceset.names()}
    size = faceset.header.size
    kinds = _kinds(data, not_taken)
    images = _images(data, names, not_taken)
    by_image: dict[Any, list[tuple[str, Any]]] = {}
    for number, one in enumerate(data["annotations"]):
        place = f"annotation {one.get('id', number)}" if isinstance(one, Mapping) else f"annotation {number}"
        if not isinstance(one, Mapping) or not isinstance(one.get("image_id"), int | str):
            not_taken[place] = "it names no picture"
        elif one["image_id"] in images:
            by_image.setdefault(one["image_id"], []).append((place, one))
        else:
            not_taken[place] = "its picture is not in the list, or there is no such crop"
    is_as_drawn = isinstance(data.get("info"), Mapping) and data["info"].get("description") == _AS_DRAWN
    for image_id, found in by_image.items():
        name, scale = images[image_id]
        polygons: list[Polygon] = []
        masks: list[tuple[bool, Any]] = []
        for place, one in found:
            try:
                include = kinds[one.get("category_id")]
                _add(one.get("segmentation"), include, scale(size), polygons, masks)
            except KeyError:
                not_taken[place] = f"its category {one.get('category_id')!r} is neither {FACE} nor {EXCLUDE}"
            except (ValueError, TypeError, OverflowError) as error:
                not_taken[place] = str(error)
        if not is_as_drawn:
            polygons.sort(key=lambda polygon: not polygon.include)
        if labels := _labels(polygons, masks, size, name, not_taken):
            yield name, labels


def _loaded(path: Path) -> dict[str, Any]:
    data = load_json(path)
    parts = ("images", "annotations", "categories")
    if not isinstance(data, dict) or not all(isinstance(data.get(part), list) for part in parts):
        raise DamagedFileError(f"'{path}' is no COCO file: it needs lists of {', '.join(parts)}. Export it again.")
    return data


def _kinds(data: Mapping[str, Any], not_taken: dict[str, str]) -> dict[Any, bool]:
    """Number of a category -> whether it includes. A single category is the face, whatever it is called."""
    found = {}
    for one in data["categories"]:
        if isinstance(one, Mapping) and isinstance(one.get("id"), int | str):
            name = str(one.get("name", "")).strip().lower()
            if name in _NUMBERS or len(data["categories"]) == 1:
                found[one["id"]] = name != EXCLUDE
            else:
                not_taken[f"category '{one.get('name')}'"] = f"it is neither {FACE} nor {EXCLUDE}"
    return found


def _images(data: Mapping[str, Any], names: Mapping[str, str], not_taken: dict[str, str]) -> dict[Any, tuple[str, Any]]:
    """Number of a picture -> the crop that it is, and how a side of the crop compares with it."""
    found = {}
    for number, one in enumerate(data["images"]):
        if not isinstance(one, Mapping) or not isinstance(one.get("id"), int | str):
            not_taken[f"image {number}"] = "it has no number"
            continue
        file = str(one.get("file_name", "")).replace("\\", "/").rpartition("/")[2]
        name = names.get(Path(file).stem)
        wide, high = one.get("width"), one.get("height")
        if name is None:
            not_taken[file or f"image {number}"] = "there is no crop of that name"
        elif not isinstance(wide, int) or wide != high or wide < 1:
            not_taken[file] = f"it is {wide} x {high}; crops are square"
        else:
            found[one["id"]] = name, lambda size, side=wide: size / side
    return found


def _add(
    segmentation: Any, include: bool, scale: float, polygons: list[Polygon], masks: list[tuple[bool, Any]]
) -> None:
    """One annotation's shapes; raises ValueError or TypeError where it is none."""
    if isinstance(segmentation, Mapping):
        mask = mask_of(segmentation)
        if mask.shape[0] != mask.shape[1]:
            raise ValueError("its mask is not square")
        masks.append((include, mask))
        return
    if not isinstance(segmentation, list) or not segmentation:
        raise ValueError("it has no outline")
    for outline in segmentation:
        points = np.asarray(outline, np.float64).reshape(-1, 2)
        if len(points) < 3:
            raise ValueError("its outline has fewer than three points")
        polygons.append(Polygon((points * scale - 0.5).astype(np.float32), include))


def _labels(
    polygons: list[Polygon], masks: list[tuple[bool, Any]], size: int, name: str, not_taken: dict[str, str]
) -> FaceLabels | None:
    """The outlines; or, where there are masks, one mask of all of it."""
    if not masks:
        return FaceLabels(polygons=tuple(polygons)) if polygons else None
    side = max(max(mask.shape[0] for _, mask in masks), size if polygons else 1)
    drawn = FaceLabels(polygons=tuple(polygons)).mask(side, size)
    whole = np.zeros((side, side), np.uint8) if drawn is None else drawn
    for include, mask in sorted(masks, key=lambda one: not one[0]):
        there = FaceLabels(mask_file=encode_mask(mask)).mask(side, side)
        assert there is not None
        whole = np.maximum(whole, there) if include else np.minimum(whole, 255 - there)
    for polygon in polygons:
        if not polygon.include:
            hole = FaceLabels(polygons=(Polygon(polygon.points),)).mask(side, size)
            whole = whole if hole is None else np.minimum(whole, 255 - hole)
    if not whole.any():
        not_taken[name] = "nothing of it is face"
        return None
    return FaceLabels(mask_file=encode_mask(whole))
