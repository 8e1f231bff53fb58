"""Figures of merged clips, for `learning_curves.py`: those of `konterfei evaluate`, and beside the true swap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.detectors import DETECTORS
from konterfei.io.faceset import Faceset
from konterfei.io.video import open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import People
from konterfei.metrics.evaluation import measure
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.metrics.truth_observation import measure_truths
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.stages._evaluate_truth import TrueClip
from konterfei.stages.evaluate import chosen_frames

WITNESS = "faceres"
"""The second recognizer."""
SHOWN_TO_WITNESS = 32
"""Faces of each person by which the second recognizer knows them."""


def scores(
    material: Any, videos: Mapping[str, Path], reporter: Reporter, every_nth: int | None = None
) -> dict[str, dict[str, Any]]:
    """Figures of each video, by name; frames of the test clip are looked at once for all of them.

    Args:
        material: facesets `src` and `test_faces`, clips `test` and `truth` (None where nobody knows it).
        videos: merged from the test clip; the true swap itself is measured as they are, but not against itself.
        reporter: told the progress; may stop it.
        every_nth: three frames out of every n are measured; None = about 240 in all.
    """
    src, dst = Faceset.open(material.src), Faceset.open(material.test_faces)
    eyes = Eyes(
        DETECTORS.load("yunet")(threads=1), LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1), RECOGNIZERS.load(WITNESS)(threads=1),
    )  # fmt: skip
    people = People(
        src=src.identity(), dst=dst.identity(), witness_src=_known(eyes, src), witness_dst=_known(eyes, dst)
    )
    frames = chosen_frames(dst.frame_indices(), every_nth)
    faces = {i: max((record.face for record in dst.faces_at(i)), key=lambda face: face.size) for i in frames}
    size = crop_size(list(faces.values()))
    observer = Observer(eyes, size, num_results=len(videos))
    reporter.start(f"looking at {len(videos)} results and the plate", len(frames))
    with ExitStack() as stack:
        watch = None
        if material.truth is not None:
            true = TrueClip.open(material.truth, material.test)
            watch = stack.enter_context(closing(true.watch(eyes, size, (0, max(faces) + 1), 1 + len(videos))))
        readers = [iter(open_frames(path)) for path in (material.test, *videos.values())]
        done = 0
        for plate, *results in zip(*readers, strict=True):
            check(reporter)
            if plate.index in faces:
                images = [result.image for result in results]
                observer.add(plate.index, plate.image, images, faces[plate.index])
                if watch is not None:
                    watch.add(plate.index, [plate.image, *images])
                done += 1
                reporter.advance(done)
    reporter.finish()
    own, looks = observer.series()
    truth, aligned = (None, []) if watch is None else watch.observer.series([own, *looks])
    found: dict[str, dict[str, Any]] = {}
    reporter.start("measuring", len(videos), "results")
    for number, (name, look) in enumerate(zip(videos, looks, strict=True)):
        check(reporter)
        measured = dict(measure(own, look, people))
        if truth is not None and videos[name] != material.truth:
            measured |= dict(measure_truths(truth, aligned[1 + number], aligned[0]))
        metrics = {
            key: {part: _number(value) for part, value in {**item.parts, "value": item.value}.items()}
            for key, item in measured.items()
        }
        found[name] = {"frames": len(observer), "unseen": observer.num_unseen[number], "metrics": metrics}
        reporter.advance(number + 1)
    reporter.finish()
    return found


def _known(eyes: Eyes, faceset: Faceset) -> np.ndarray:
    """The second recognizer's mean vector of a person. [E] float32"""
    records = faceset.records()
    chosen = [records[i] for i in np.unique(np.linspace(0, len(records) - 1, SHOWN_TO_WITNESS).round().astype(int))]
    vectors = [
        eyes.witness.embed(faceset.image(r.name), [r.crop.crop_from_frame @ r.face.landmarks])[0] for r in chosen
    ]
    mean = np.mean(vectors, axis=0)
    return (mean / np.linalg.norm(mean)).astype(np.float32)


def _number(value: float) -> float | None:
    return round(float(value), 6) if math.isfinite(value) else None
