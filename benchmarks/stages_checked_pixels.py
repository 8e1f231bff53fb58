"""Masks, colours and laying a face into its frame against the truth; see `stages_checked.py`."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from stages_checked_people import Figure, Figures, Filmed, People, region_mask

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.compositing import MergeSettings, Swapped, cut_face, merge_frame
from konterfei.geometry import Crop, Face, FaceType, smooth_hull_mask
from konterfei.imaging import delta_e_2000, rgb_to_lab, to_float
from konterfei.landmarkers import LANDMARKERS
from konterfei.maskers import MASKERS, Masks
from konterfei.metrics.observation import start_of
from konterfei.occluders import OCCLUDERS, View

Array = NDArray[Any]
SIDE = 256
"""Of the crops, px."""


def _some(film: Filmed, small: bool) -> list[int]:
    return [int(i) for i in np.linspace(0, len(film.frames) - 1, 3 if small else 24)]


# --- masks

_LIMITS = {"hull": 0.75, "learned_hull": 0.8, "visible": 0.8, "full": 0.2}
"""Least intersection over union. `learned_hull` and `visible` are given the truth for what the model would draw, so
what is left is the hull's, and in `visible` the hand detector's. The other maskers are products of the same masks."""


def masks(people: People, small: bool) -> Figures:
    """Intersection over union with the true face, from the middle of the forehead to the chin.

    With exact landmarks and with those that the landmarker finds. `missed` is the share of the face that is left out,
    `spilled` what is added, by the face's area.
    """
    landmarker, hands = LANDMARKERS.load("mesh478")(threads=1), OCCLUDERS.load("hands")(threads=1)
    sums: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for film in people.own.values():
        for index in _some(film, small):
            exact = film.face(index)
            (answer,) = landmarker.landmarks(film.frames[index], [start_of(exact)])
            for kind, face in (("exact", exact), ("found", exact.with_(landmarks=answer.points))):
                crop, aligned = cut_face(film.frames[index], face, FaceType.FULL, SIDE)
                truth = region_mask(crop.crop_from_frame @ film.outline(index), SIDE)
                view = View(frame=film.frames[index], face=face, crop=crop, aligned=aligned)
                known = Masks(drawn=truth, plate=truth, hands=hands.find(view))
                for name in _LIMITS:
                    made = MASKERS.load(name)(face, crop, known)
                    sums.setdefault((name, kind), []).append(_compared(made, truth))
    return {
        f"{name}, {kind} landmarks": {
            "IoU": Figure(float(np.mean([row[0] for row in rows])), "higher", _LIMITS[name], 3),
            "missed": Figure(float(np.mean([row[1] for row in rows])), digits=3),
            "spilled": Figure(float(np.mean([row[2] for row in rows])), digits=3),
        }
        for (name, kind), rows in sums.items()
    }


def _compared(made: Array, truth: Array) -> tuple[float, float, float]:
    shared, area = float(np.minimum(made, truth).sum()), float(truth.sum())
    return (
        shared / float(np.maximum(made, truth).sum()),
        (area - shared) / area,
        (float(made.sum()) - shared) / area,
    )


# --- colours


def colors(people: People, small: bool) -> Figures:
    """Mean CIEDE2000 from the true colours, after a face was brought from one set's light into another's.

    The face on its own set is given, the same face on the other's set is the truth. `own` takes the wanted colours from
    that same person (another frame): the method alone. `other` takes them from the person whose set it is, as a swap
    must: their skin counts for light.
    """
    sums: dict[str, dict[str, list[float]]] = {}
    for (name, place), truth in people.visiting.items():
        given, host = people.own[name], people.own[place]
        for index in _some(truth, small):
            later = (index + len(truth.frames) // 2) % len(truth.frames)
            image, mask = _crop(given, index)
            right, _ = _crop(truth, index)
            for kind, reference in (("own", _crop(truth, later)), ("other", _crop(host, index))):
                for method in COLOR_TRANSFERS:
                    moved = COLOR_TRANSFERS.load(method)(image, reference[0], mask, reference[1])
                    off = float((delta_e_2000(rgb_to_lab(moved), rgb_to_lab(right)) * mask).sum() / mask.sum())
                    sums.setdefault(method, {}).setdefault(kind, []).append(off)
    return {
        method: {
            kind: Figure(float(np.mean(values)), limit=None if method == "none" else {"own": 6.0, "other": 12.0}[kind])
            for kind, values in row.items()
        }
        for method, row in sums.items()
    }


def _crop(film: Filmed, index: int) -> tuple[Array, Array]:
    """Face and its hull, in a crop of 128 px."""
    crop = Crop.fit(film.truth.landmarks[index], FaceType.FULL, 128)
    mask = smooth_hull_mask(crop.crop_from_frame @ film.truth.landmarks[index], (128, 128))
    return to_float(crop.cut(film.frames[index])), mask


# --- there and back


def round_trip(people: People, small: bool) -> Figures:
    """Every face is cut out, drawn by a model that gives back what it is shown, and laid into its frame again.

    PSNR of what the mask covers, dB, and how many pixels outside of the hull's surroundings changed. The model's
    resolution by the size of the crop in the frame is the only loss that must be.
    """
    found: Figures = {}
    for name, film in people.own.items():
        across = 1 / Crop.fit(film.truth.landmarks[0], FaceType.FULL, 1).crop_from_frame.scale
        for share in (0.5, 1.0) if small else (0.5, 1.0, 2.0):
            size = 16 * max(round(share * across / 16), 4)
            for kind, settings in (("bare", None), ("merge", MergeSettings(mask="learned_hull"))):
                rows = [_there_and_back(film, i, size, settings) for i in _some(film, small)[:: 1 if small else 3]]
                least = {0.5: 27.0, 1.0: 33.0, 2.0: 36.0}[share]
                found[f"{name}, model of {share:g} times the pixels, {kind}"] = {
                    "PSNR of the face": Figure(float(np.mean([row[0] for row in rows])), "higher", least, 1),
                    "pixels changed outside": Figure(float(np.max([row[1] for row in rows])), limit=0.0, digits=0),
                }
    return found


def _there_and_back(film: Filmed, index: int, size: int, settings: MergeSettings | None) -> tuple[float, float]:
    frame, face = film.frames[index], film.face(index)
    crop, aligned = cut_face(frame, face, FaceType.FULL, size)
    hull = smooth_hull_mask(face.landmarks, frame.shape[:2])
    if settings is None:
        laid = crop.paste(aligned, smooth_hull_mask(crop.crop_from_frame @ face.landmarks, (size, size)), frame)
    else:
        laid = _merged(frame, face, crop, aligned, settings)
    squared = (laid.astype(np.float64) - frame) ** 2
    inside = float((squared * hull[..., None]).sum() / (3 * hull.sum()))
    around = smooth_hull_mask(face.landmarks, frame.shape[:2]) > 0
    reach = max(4, round(2 / crop.crop_from_frame.scale))
    near = _grown(around, reach)
    return 10 * np.log10(255**2 / max(inside, 1e-9)), float((squared.max(axis=-1) > 0)[~near].sum())


def _merged(frame: Array, face: Face, crop: Crop, aligned: Array, settings: MergeSettings) -> Array:
    whole = np.ones((crop.size, crop.size), np.float32)
    swapped = Swapped(crop=crop, image=to_float(aligned), mask=whole, plate_mask=whole, aligned=aligned)
    return merge_frame(frame, [face], [swapped], settings)


def _grown(mask: Array, pixels: int) -> Array:
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0
