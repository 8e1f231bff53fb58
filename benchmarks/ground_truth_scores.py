"""Scores of several results against one true swap, for `ground_truth.py`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.io.faceset import Faceset
from konterfei.io.video import open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import METRICS, Measurement, People
from konterfei.metrics.confidence import interval
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._evaluate_truth import TrueClip

RECOGNIZER, WITNESS = "mobilefacenet", "faceres"
SHOWN = 5
"""Frames in the picture: spread over the model's structural likeness, best to worst."""


class _Unasked:
    """Whether a face is detected in the result does not matter here."""

    def detect(self, image):
        return []


def score(
    material: Any, videos: Mapping[str, Path], every: int
) -> tuple[list[dict[str, Any]], dict[str, list[np.ndarray]]]:
    """Figures of the plate as it is and of each result; and some faces of each and of the truth.

    The faces go from the frame in which the model is most like the truth to the one in which it is least so.

    Args:
        material: clips and facesets of the case.
        videos: results by the name of their row; one is "model".
        every: three neighbouring frames out of so many are measured.
    """
    true = TrueClip.open(material.truth, material.plate)
    src, dst = Faceset.open(material.src), Faceset.open(material.plate_faces)
    faces = {i: dst.faces_at(i)[0].face for i in dst.frame_indices() if i % every < 3}
    size = crop_size(list(faces.values()))
    witness = RECOGNIZERS.load(WITNESS)(threads=1)
    eyes = Eyes(_Unasked(), LANDMARKERS.load("mesh478")(threads=1), RECOGNIZERS.load(RECOGNIZER)(threads=1), witness)
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
        measured["identity"] = METRICS.load("identity")(own, look, people)
        shots = np.zeros(len(truth), np.int64)
        figures = {key: _figure(found, shots) for key, found in measured.items()}
        rows.append({"row": name, "frames": len(truth), "figures": figures})
        if name == "model":
            order = np.argsort(-measured["truth_ssim"].per_frame)
    chosen = order[np.linspace(0, len(order) - 1, min(SHOWN, len(order))).round().astype(int)]
    named = dict(zip(["plate", *videos, "truth"], [*aligned, truth], strict=True))
    return rows, {name: [series.crops[k] for k in chosen] for name, series in named.items()}


def _figure(found: Measurement, shots: np.ndarray) -> dict[str, Any]:
    ends = interval(found, shots)
    return {
        "value": _number(found.value),
        "interval": [_number(ends.low), _number(ends.high)],
        "unit": found.unit,
        "better": found.better,
        "perfect": found.perfect,
        "parts": {name: _number(value) for name, value in found.parts.items()},
    }


def _number(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None
