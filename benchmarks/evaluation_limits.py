"""What do the metrics say of a video that was only encoded anew? Where `evaluate` says "good", it leans on this.

Each plate is written anew by x264 and measured as if it were a swap of itself: the same person, the same face, nothing
moved. What a metric shows then is what any delivery copy shows, and a swap that shows no more is as good as one can be
in that respect. Faces of the clips' own facesets, the first so many frames.

    python benchmarks/evaluation_limits.py FACESET [FACESET ...] [--frames 60]

For each quality a table: the median over the clips, and the worst clip.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from konterfei.detectors import DETECTORS
from konterfei.geometry import Face
from konterfei.io.faceset import Faceset
from konterfei.io.video import VideoWriter, open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import People
from konterfei.metrics.evaluation import measure
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.recognizers import RECOGNIZERS

QUALITIES = (18, 23, 28)
"""CRF of x264: hardly to be told from the plate, its usual one, plainly compressed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("facesets", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=60)
    asked = parser.parse_args()
    eyes = Eyes(
        DETECTORS.load("yunet")(threads=1), LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1), RECOGNIZERS.load("faceres")(threads=1),
    )  # fmt: skip
    found: dict[int, list[dict[str, float]]] = {quality: [] for quality in QUALITIES}
    for folder in asked.facesets:
        for quality, figures in of_clip(Faceset.open(folder), eyes, asked.frames):
            found[quality].append(figures)
    print(f"{len(asked.facesets)} clips, {asked.frames} frames each\n")
    for quality in QUALITIES:
        print(f"crf {quality:<14} median   least    most")
        for name in found[quality][0]:
            values = np.array([figures[name] for figures in found[quality]])
            if np.isfinite(values).any():
                print(f"{name:<18} {np.nanmedian(values):8.3f} {np.nanmin(values):8.3f} {np.nanmax(values):8.3f}")
        print()


def of_clip(faceset: Faceset, eyes: Eyes, count: int) -> Iterator[tuple[int, dict[str, float]]]:
    """For each quality the value of each metric."""
    there = faceset.frame_indices()[:count]
    faces: dict[int, Face] = {
        index: max((record.face for record in faceset.faces_at(index)), key=lambda face: face.size) for index in there
    }
    person = faceset.identity()
    observer = Observer(eyes, crop_size(list(faces.values())), len(QUALITIES))
    with tempfile.TemporaryDirectory() as place:
        copies = [Path(place) / f"{quality}.mp4" for quality in QUALITIES]
        for copy, quality in zip(copies, QUALITIES, strict=True):
            plate = open_frames(Path(faceset.header.source), 0, there[-1] + 1)
            with VideoWriter(copy, plate.info.width, plate.info.height, fps_hint=plate.info.fps, crf=quality) as writer:
                for frame in plate:
                    writer.write(frame.image, frame.pts)
        plate = open_frames(Path(faceset.header.source), 0, there[-1] + 1)
        for frame, *others in zip(plate, *(open_frames(copy) for copy in copies), strict=False):
            if frame.index in faces:
                observer.add(frame.index, frame.image, [other.image for other in others], faces[frame.index])
    theirs, ours = observer.series()
    own = theirs.witness.mean(axis=0)
    own /= np.linalg.norm(own)
    people = People(src=person, dst=person, witness_src=own, witness_dst=own)
    for quality, result in zip(QUALITIES, ours, strict=True):
        yield quality, {name: found.value for name, found in measure(theirs, result, people)}


if __name__ == "__main__":
    main()
