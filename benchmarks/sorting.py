"""What sorting a large faceset costs: seconds of measuring and of every sorter, and the memory that it takes.

Draws a faceset in a folder of its own (left there; the same command uses it again), measures it, opens it again with
the measures kept, and runs every sorter. Beside those that compare each face with each stands the plain formula,
picture by picture, timed on a few faces and scaled by the square of the number.

    python benchmarks/sorting.py FOLDER [--count 20000] [--only hist absdiff]

Prints a table; the last lines say the longest of each kind.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import simplejpeg

from konterfei.curation.measuring import measure
from konterfei.geometry import HEAD_68, Crop, Face, FaceType, head_pose
from konterfei.io.face_measures import MEASURES_NAME, PARTS
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.reporting import Recorder
from konterfei.sorters import SORTERS, Wish, parts_for

SIZE, FRAME = 256, (1280, 720)
PICTURES = 1500
"""Different pictures; records differ in all crops, so all are measured."""
EACH_WITH_EACH = ("hist", "hist-dissim", "absdiff", "absdiff-dissim", "final", "final-fast")
SAMPLE = 120


def turned(pitch: float, yaw: float, mouth: float) -> np.ndarray:
    """Landmarks of a head that looks there, in a frame. [68, 2]"""
    head = HEAD_68.astype(np.float64) - HEAD_68.mean(axis=0)
    head[48:68, 1] += mouth * np.ptp(head[:, 1]) * 0.05 * (head[48:68, 1] > head[48:68, 1].mean())
    cos, sin = np.cos([pitch, yaw]), np.sin([pitch, yaw])
    about_x = np.array([[1, 0, 0], [0, cos[0], -sin[0]], [0, sin[0], cos[0]]])
    about_y = np.array([[cos[1], 0, sin[1]], [0, 1, 0], [-sin[1], 0, cos[1]]])
    seen = (head @ (about_y @ about_x).T)[:, :2]
    return (seen / np.ptp(seen[:, 1]) * 300 + [640, 360]).astype(np.float32)


def picture(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop with texture everywhere, so that pictures weigh and cost what real ones do. [S, S, 3] uint8"""
    skin = np.array([205, 160, 135]) * rng.uniform(0.5, 1.15)
    image = np.empty((SIZE, SIZE, 3), np.float32)
    image[:] = rng.integers(30, 150, 3)
    cv2.fillConvexPoly(image, cv2.convexHull(np.rint(points).astype(np.int32)), skin.tolist(), cv2.LINE_AA)
    for part in (slice(36, 42), slice(42, 48), slice(17, 22), slice(22, 27), slice(48, 60)):
        cv2.fillPoly(image, [np.rint(points[part]).astype(np.int32)], (60, 40, 45), cv2.LINE_AA)
    image *= np.linspace(rng.uniform(0.6, 1), 1.1, SIZE)[None, :, None]
    image += cv2.resize(rng.normal(0, 9, (SIZE // 2, SIZE // 2, 3)), (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    image += rng.normal(0, 3, image.shape)
    blurred = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 2.5))
    return np.clip(blurred, 0, 255).astype(np.uint8)


def make(folder: Path, count: int) -> None:
    """The faceset; kept for the next time."""
    rng = np.random.default_rng(5)
    header = FacesetHeader(face_type=FaceType.WHOLE, size=SIZE, source="drawn.mp4")
    with Faceset.create(folder, header) as faceset:
        jpegs = []
        for index in range(len(faceset), count):
            if len(jpegs) < PICTURES:
                points = turned(rng.normal(0, 0.2), rng.normal(0, 0.5), rng.uniform(0, 3))
                crop = Crop.fit(points, FaceType.WHOLE, SIZE)
                image = picture(crop.crop_from_frame @ points, rng)
                jpegs.append((points, crop, simplejpeg.encode_jpeg(image, 95, "RGB", "444")))
            points, crop, jpeg = jpegs[index % len(jpegs)]
            vector = rng.normal(0, 0.05, 192) + np.sin(np.arange(192))
            face = Face(
                box=np.array([*points.min(0), *points.max(0)]),
                landmarks=points,
                embedding=vector / np.linalg.norm(vector),
            )
            record = FaceRecord(
                source="drawn.mp4",
                frame_index=index,
                pts=Fraction(index, 25),
                face=face,
                pose=head_pose(points, FRAME),
                face_type=FaceType.WHOLE,
                size=SIZE,
                crop_from_frame=crop.crop_from_frame.matrix,
                frame_size=FRAME,
            )
            faceset.add_jpeg(jpeg, record)


def plain(name: str, images: list[np.ndarray]) -> float:
    """Seconds that one pair takes by the published formula on whole pictures."""
    histograms = [[cv2.calcHist([i], [c], None, [256], [0, 256]) for c in range(3)] for i in images]
    grey = [cv2.calcHist([cv2.cvtColor(i, cv2.COLOR_RGB2GRAY)], [0], None, [256], [0, 256]) for i in images]
    begin, pairs = time.perf_counter(), 0
    for one, row in enumerate(images):
        for other in range(one + 1, len(images)):
            pairs += 1
            if name == "hist":
                sum(
                    cv2.compareHist(a, b, cv2.HISTCMP_BHATTACHARYYA)
                    for a, b in zip(histograms[one], histograms[other], strict=True)
                )
            elif name.startswith("absdiff"):
                cv2.norm(row, images[other], cv2.NORM_L1)
            else:
                cv2.compareHist(grey[one], grey[other], cv2.HISTCMP_BHATTACHARYYA)
    return (time.perf_counter() - begin) / pairs


def busy() -> float:
    """Seconds of processor time that this process and those it started have taken so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak() -> float:
    """MB that this process and the largest of those it started have taken so far."""
    own, theirs = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + theirs) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.count)
    for file in arguments.folder.glob(f"{MEASURES_NAME}*"):
        file.unlink()

    cold = {}
    for part in PARTS:
        begin, used = time.perf_counter(), busy()
        faceset = Faceset.open(arguments.folder)
        faces = measure(faceset, Recorder(), arguments.processes or None, (part,))
        cold[part], used = time.perf_counter() - begin, busy() - used
        print(
            f"{len(faces)} crops of {SIZE} px, part '{part}' measured in {cold[part]:.1f} s; {used:.1f} s of processor "
            f"time, {used / (os.cpu_count() or 1):.1f} s where nothing else runs",
            flush=True,
        )
    begin = time.perf_counter()
    faces = measure(Faceset.open(arguments.folder), Recorder())
    kept = time.perf_counter() - begin
    print(f"measures read again in {kept:.1f} s; {peak():.0f} MB at most so far")

    images = [faceset.image(name) for name in faces.names[:SAMPLE]]
    longest = {True: 0.0, False: 0.0}
    slowest = {True: 0.0, False: 0.0}
    for name in arguments.only or SORTERS:
        begin = time.perf_counter()
        order = SORTERS.load(name)(faces, Wish(), Recorder())
        took = time.perf_counter() - begin
        assert sorted(order.rows.tolist()) == list(range(len(faces)))
        is_each = name in EACH_WITH_EACH
        first = sum(cold[part] for part in parts_for(name))
        longest[is_each], slowest[is_each] = max(longest[is_each], took), max(slowest[is_each], first + took)
        beside = ""
        if is_each and not name.startswith("final"):
            per_pair = plain(name, images)
            formula = per_pair * len(faces) ** 2 / (1 if name == "hist-dissim" else 2)
            beside = f"   plain formula {formula:.0f} s, {formula / took:.0f} times that"
        print(f"{name:<22} {took:7.2f} s, cold {first + took:6.1f} s, {peak():6.0f} MB{beside}", flush=True)
    print(f"by one figure: at most {slowest[False]:.1f} s cold, {kept + longest[False]:.1f} s when measured")
    print(f"each with each: at most {slowest[True]:.1f} s cold, {kept + longest[True]:.1f} s when measured")


if __name__ == "__main__":
    main()
