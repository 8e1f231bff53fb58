"""Scores of several results against one true swap, for `ground_truth.py`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.detectors import DETECTORS
from konterfei.io.faceset import Faceset
from konterfei.io.video import open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import Measurement, People
from konterfei.metrics.evaluation import measure
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._evaluate_truth import TrueClip

SHOWN = 5
"""Frames in the picture: spread over the model's structural likeness, best to worst."""


def score(material: Any, videos: Mapping[str, Path], every: int) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Figures of the plate as it is and of each result, and a picture of their faces.

    Args:
        material: clips and facesets of the case.
        videos: results by the name of their row; one is "model".
        every: three neighbouring frames out of so many are measured.
    """
    true = TrueClip.open(material.truth, material.plate)
    src, dst = Faceset.open(material.src), Faceset.open(material.plate_faces)
    faces = {i: dst.faces_at(i)[0].face for i in dst.frame_indices() if i % every < 3}
    size = crop_size(list(faces.values()))
    eyes = Eyes(
        DETECTORS.load("yunet")(threads=1), LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1),
    )  # fmt: skip
    observer = Observer(eyes, size, num_results=len(videos))
    with closing(true.watch(eyes, size, (0, max(faces) + 1), 1 + len(videos))) as watch:
        for plate, *results in zip(open_frames(material.plate), *map(open_frames, videos.values()), strict=True):
            if plate.index in faces:
                images = [result.image for result in results]
                observer.add(plate.index, plate.image, images, faces[plate.index])
                watch.add(plate.index, [plate.image, *images])
    own, looks = observer.series()
    people = People(src=src.identity(), dst=dst.identity())
    truth, aligned = watch.observer.series([own, *looks])
    rows = []
    for name, series, look in zip(["plate", *videos], aligned, [own, *looks], strict=True):
        measured = {truth_name: TRUTHS.load(truth_name)(truth, series) for truth_name in TRUTHS}
        measured |= dict(measure(own, look, people))
        figures = {key: _figure(found) for key, found in measured.items()}
        rows.append({"row": name, "frames": len(truth), "figures": figures})
        if name == "model":
            order = np.argsort(-measured["truth_ssim"].per_frame)
    chosen = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
    strips = [np.concatenate([series.crops[k] for k in chosen], axis=1) for series in (*aligned, truth)]
    return rows, np.concatenate(strips, axis=0)


def _figure(found: Measurement) -> dict[str, Any]:
    return {
        "value": _number(found.value),
        "unit": found.unit,
        "better": found.better,
        "perfect": found.perfect,
        "parts": {name: _number(value) for name, value in found.parts.items()},
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
