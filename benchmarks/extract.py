"""How many frames a second does `konterfei extract` take in, end to end, and what does it lose by being quick?

    python benchmarks/extract.py
    python benchmarks/extract.py --media /path/to/clips --rounds 5

Each clip is extracted whole, from the file to a faceset of everybody on the disk, several times; the least of the times
is told, wall clock and processor time. The processor time is then told by part, from one more run, and set against
what DeepFaceLab spends on a face in a frame: S3FD, 2D-FAN, and both once more in its second pass. That was not run but
added up, from its networks timed one by one on a processor like this (TensorFlow, S3FD at 640 x 360): 5.0 s.

What is lost is told against the thorough mode (`--thorough`: detectors at every frame, a second opinion, the mean of
several looks at every face): the share of its crops, everybody's and the main person's, that the quick run has too,
and how far the landmarks lie apart, raw as found and smoothed, in % of the distance of the eyes.

The clip of 720p is lp_s18.mp4, that of 1080p the same enlarged, and the crowd crowd_facenet.mp4, from the folder given
(or KONTERFEI_MEDIA); where they are not, a rendered performer takes the place of both. The last line is extract fps X:
frames a second of the clip of 720p.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import numpy as np

from konterfei.detectors.yunet import YuNet
from konterfei.geometry import Crop
from konterfei.io import video_native
from konterfei.io.faceset import Faceset
from konterfei.io.video import VideoReader, VideoWriter
from konterfei.landmarkers import mesh478
from konterfei.performers import PerformerConfig, render_performer
from konterfei.recognizers.mobilefacenet import MobileFaceNet
from konterfei.reporting import Silent
from konterfei.stages.extract import ExtractConfig, ExtractResult, extract
from konterfei.tracking import finder
from konterfei.tracking.journal import Journal

DFL_SECONDS = 5.0
"""Processor seconds of DeepFaceLab's extraction for a frame with one face, second pass included; see above."""
PARTS = (
    (video_native, "rgb_from_frame", "YUV to RGB"),
    (finder, "signature", "cuts"),
    (YuNet, "detect", "detector"),
    (mesh478, "cut", "mesh: windows"),
    (mesh478.Mesh478, "_ask", "mesh: network"),
    (MobileFaceNet, "embed", "embedding"),
    (Journal, "add", "journal"),
    (Crop, "cut", "crops"),
    (Faceset, "add", "JPEG, record, file"),
    (Faceset, "sync", "fsync"),
)
"""What is timed by itself: where it lies, its name, what it is."""


@dataclass
class Run:
    """One extraction, timed."""

    result: ExtractResult
    wall: float
    cpu: float

    @property
    def frames(self) -> int:
        return self.result.num_frames


def timed(clip: Path, folder: Path, **settings: Any) -> Run:
    wall, cpu = time.perf_counter(), time.process_time()
    result = extract(ExtractConfig(video=clip, output=folder, person="all", **settings), Silent())
    return Run(result, time.perf_counter() - wall, time.process_time() - cpu)


class Parts:
    """Processor time of each of PARTS, without that of the others within it, while this context is open."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._local, self._lock = threading.local(), threading.Lock()

    def __enter__(self) -> Parts:
        self._kept = [getattr(place, name) for place, name, _ in PARTS]
        for (place, name, label), function in zip(PARTS, self._kept, strict=True):
            setattr(place, name, self._timing(function, label))
        return self

    def __exit__(self, *_: object) -> None:
        for (place, name, _), function in zip(PARTS, self._kept, strict=True):
            setattr(place, name, function)

    def _timing(self, function: Callable[..., Any], label: str) -> Callable[..., Any]:
        def called(*given: Any, **named: Any) -> Any:
            within = self._local.__dict__.setdefault("within", [])
            within.append(0.0)
            began = time.thread_time()
            try:
                return function(*given, **named)
            finally:
                took, inner = time.thread_time() - began, within.pop()
                if within:
                    within[-1] += took
                with self._lock:
                    self.seconds[label] += took - inner

        return called


def faces_of(folder: Path) -> dict[int, list[Any]]:
    """Frame -> records of its faces."""
    faces: dict[int, list[Any]] = {}
    with Faceset.open(folder) as faceset:
        for record in faceset.records():
            faces.setdefault(record.frame_index, []).append(record)
    return faces


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))


def compare(thorough: Path, quick: Path) -> str:
    """What the quick run has of the thorough one, in words."""
    wanted, there = faces_of(thorough), faces_of(quick)
    found, main, apart = [], [], {"raw": [], "smoothed": []}
    for index, records in wanted.items():
        others = list(there.get(index, []))
        for record in records:
            unit = eye_distance(record.raw_landmarks)
            away = [np.linalg.norm(o.raw_landmarks - record.raw_landmarks, axis=1).mean() / unit for o in others]
            is_there = bool(away) and min(away) < 0.5
            found.append(is_there)
            if record.face.person == 0:
                main.append(is_there)
            if is_there:
                other = others.pop(int(np.argmin(away)))
                apart["raw"].append(min(away))
                smoothed = np.linalg.norm(other.face.landmarks - record.face.landmarks, axis=1).mean() / unit
                apart["smoothed"].append(smoothed)
    extra = sum(len(records) for records in there.values()) - sum(found)
    points = ", ".join(
        f"{name} {100 * np.mean(values):.2f} % (95 of 100 below {100 * np.quantile(values, 0.95):.2f} %)"
        for name, values in apart.items()
    )
    return (
        f"recall {100 * np.mean(found):.2f} % of {len(found)} faces, main person {100 * np.mean(main):.2f} % of "
        f"{len(main)}; {extra} more; landmarks apart: {points}"
    )


def clips(media: Path | None, folder: Path) -> dict[str, Path]:
    """Name of each clip -> its file."""
    found: dict[str, Path] = {}
    if media is not None and (media / "lp_s18.mp4").exists():
        found["720p"] = media / "lp_s18.mp4"
    else:
        square = render_performer(
            PerformerConfig(person="P005", output=folder / "square.mp4", size=720, sound=False), Silent()
        )
        found["720p"] = folder / "720p.mp4"
        resized(square, found["720p"], 1280, 720)
    found["1080p"] = folder / "1080p.mp4"
    resized(found["720p"], found["1080p"], 1920, 1080)
    if media is not None and (media / "crowd_facenet.mp4").exists():
        found["crowd, 1080p"] = media / "crowd_facenet.mp4"
    return found


def resized(source: Path, target: Path, width: int, height: int) -> None:
    """The clip at another size, with a grey border where its shape is another."""
    with VideoReader(source) as reader, VideoWriter(target, width, height, crf=18, preset="veryfast") as writer:
        for frame in reader:
            scale = min(width / frame.image.shape[1], height / frame.image.shape[0])
            sides = (round(frame.image.shape[1] * scale), round(frame.image.shape[0] * scale))
            image = np.full((height, width, 3), 100, np.uint8)
            left, top = (width - sides[0]) // 2, (height - sides[1]) // 2
            image[top : top + sides[1], left : left + sides[0]] = cv2.resize(frame.image, sides)
            writer.write(image, frame.pts)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    media = os.environ.get("KONTERFEI_MEDIA")
    arguments.add_argument("--media", type=Path, default=Path(media) if media else None, help="folder of real clips")
    arguments.add_argument("--rounds", type=int, default=3)
    told = arguments.parse_args()
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for clip, path in clips(told.media, folder).items():
            runs = [timed(path, folder / f"{clip} {number}") for number in range(told.rounds)]
            wall, cpu = min(run.wall for run in runs), min(run.cpu for run in runs)
            frames, faces = runs[0].frames, runs[0].result.num_faces
            with Parts() as parts:
                whole = timed(path, folder / f"{clip} parts").cpu
            thorough = timed(path, folder / f"{clip} thorough", thorough=True)
            rates[clip] = frames / wall
            print(f"{clip}: {frames} frames, {faces} faces, {told.rounds} rounds, {os.cpu_count()} processors")
            print(f"  {frames / wall:.1f} frames a second; {1e3 * cpu / frames:.1f} ms of processor time a frame")
            print(f"  DeepFaceLab's networks / this, for a face in a frame: {DFL_SECONDS * faces / cpu:.0f}")
            print(f"  thorough: {1e3 * thorough.cpu / thorough.frames:.0f} ms a frame")
            print(f"  {compare(folder / f'{clip} thorough', folder / f'{clip} 0')}")
            rest = whole - sum(parts.seconds.values())
            for label, seconds in [*parts.seconds.most_common(), ("decoding (twice), the rest", rest)]:
                print(f"  {1e3 * seconds / frames:7.2f} ms a frame  {label}")
    print(f"extract fps {rates['720p']:.1f}")


if __name__ == "__main__":
    main()
