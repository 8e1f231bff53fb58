"""What does a merged 1080p frame cost beside the network and the encoder? Against DeepFaceLab's recipe.

Both get the same video and the same drawn faces, on one thread, in one process, in turns; time is processor time, from
the plate's file to the frame that an encoder is given.
- the recipe (`merge_recipe.py` between PNGs, as DeepFaceLab works): decodes the video and writes every frame as PNG;
  reads it, merges it, writes picture and mask as PNG; reads the picture again and converts it for the encoder. Its
  middle step, the merger, is also given by itself.
- konterfei: decodes the frame, cuts the face, makes mask and colours, steadies, matches sharpness and grain, lays it
  in, draws the label, and makes the frame that the encoder is given.

    python benchmarks/merge.py
    python benchmarks/merge.py --clip shot.mp4 --rounds 5 --frames 40

The plate is drawn and grainy unless a clip is given; its face is 376 px wide. `alike` does no more than the recipe does
(nothing smoothed or matched over time, no hands looked for); `no hands` does all but the last; `defaults` is what a
merge does, the networks that look for hands included. The last line is merge ratio X.XX: recipe over alike, by the
medians of all rounds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import merge_recipe
import numpy as np

from konterfei.compositing import Keys, MergeSettings
from konterfei.geometry import HEAD_68, Crop, Face, FaceType
from konterfei.io.faceset import FaceRecord
from konterfei.io.video import BT709, VideoReader, VideoWriter, open_frames
from konterfei.io.video_frames import YuvMaker
from konterfei.occluders import OCCLUDERS
from konterfei.provenance.label import draw_label, label_region
from konterfei.stages._merge_render import Reach
from konterfei.stages._merge_stream import Clock, composite, draw, steady

SIDE = 224
WIDTH, HEIGHT = 1920, 1080
NO_HANDS = {"mask": "learned_hull"}
CASES = {
    "alike": {**NO_HANDS, "steady": 0.0, "detail": 0.0, "grain": 0.0, "color_smoothing": 0.0},
    "no hands": NO_HANDS,
    "defaults": {},
}


class Given:
    """Draws nothing: gives, for each crop, the crop itself in other colours, with round masks."""

    resolution, face_type, info = SIDE, FaceType.WHOLE, {}

    def __init__(self) -> None:
        y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
        self.mask = np.clip((0.42 - np.hypot(x, y)) * 40, 0, 1).astype(np.float32)
        self.seconds = 0.0

    def draw(self, images):
        began = time.process_time()
        drawn = [cv2.GaussianBlur(image, (0, 0), 1.5).astype(np.float32) / 255 * 0.9 + 0.04 for image in images]
        masks = np.repeat(self.mask[None], len(images), axis=0)
        self.seconds += time.process_time() - began
        return np.stack(drawn), masks, masks

    def swapper_for(self, record):
        return self

    segmenter = None

    def occluder(self, name):
        return occluder_named(name)


@cache
def occluder_named(name: str):
    return OCCLUDERS.load(name)(1)


def face_at(index: int) -> Face:
    points = HEAD_68[:, :2].astype(np.float64) * 2.6 + [900 + 3 * index % 120, 520 + 10 * np.sin(index / 6)]
    return Face(box=[*points.min(axis=0), *points.max(axis=0)], landmarks=points, track=0)


def record_at(index: int) -> FaceRecord:
    face = face_at(index)
    crop = Crop.fit(face.landmarks, FaceType.WHOLE, SIDE)
    return FaceRecord(
        source="plate.mp4", frame_index=index, pts=Fraction(index, 25), face=face, face_type=FaceType.WHOLE, size=SIDE,
        crop_from_frame=crop.crop_from_frame.matrix, frame_size=(WIDTH, HEIGHT),
    )  # fmt: skip


def make_plate(path: Path, frames: int, clip: Path | None) -> None:
    """The frames at 1080p, from a clip or drawn, with grain."""
    chance = np.random.RandomState(0)
    grain = chance.normal(0, 3, (HEIGHT + 64, WIDTH + 64, 1)).astype(np.float32)
    coarse = cv2.resize(chance.randint(40, 220, (18, 32, 3)).astype(np.uint8), (WIDTH, HEIGHT),
                        interpolation=cv2.INTER_CUBIC)  # fmt: skip
    pictures = [frame.image for frame in islice(VideoReader(clip), frames)] if clip else [None] * frames
    with VideoWriter(path, WIDTH, HEIGHT, crf=18, preset="veryfast", fps_hint=25) as writer:
        for index, picture in enumerate(pictures):
            image = coarse.copy() if picture is None else cv2.resize(picture, (WIDTH, HEIGHT))
            if picture is None:
                hull = cv2.convexHull(np.rint(face_at(index).landmarks).astype(np.int32))
                cv2.fillConvexPoly(image, hull, (205, 160, 140))
            x, y = chance.randint(0, 64, 2)
            noisy = image + grain[y : y + HEIGHT, x : x + WIDTH]
            writer.write(np.clip(noisy, 0, 255).astype(np.uint8), Fraction(index, 25))


def recipe(plate: Path, folder: Path, frames: int, given: Given) -> tuple[float, float]:
    """Processor seconds per frame, whole way and of the merger; what the network gives is made before."""
    began = time.process_time()
    with VideoReader(plate) as reader:
        for frame in reader:
            cv2.imwrite(str(folder / f"{frame.index:06d}.png"), frame.image[..., ::-1])
    whole, merger = time.process_time() - began, 0.0
    to_yuv = YuvMaker(WIDTH, HEIGHT, BT709, "yuv420p", False)
    for index in range(frames):
        picture = folder / f"{index:06d}.png"
        crop = Crop.fit(face_at(index).landmarks, FaceType.WHOLE, SIDE)
        fine = Crop.fit(face_at(index).landmarks, FaceType.WHOLE, 4 * SIDE)
        image = cv2.imread(str(picture))
        drawn, masks, plate_masks = given.draw(cv2.warpAffine(image, crop.crop_from_frame.matrix, (SIDE, SIDE))[None])
        shown = merge_recipe.Shown(
            matrix=crop.crop_from_frame.matrix, fine_matrix=fine.crop_from_frame.matrix,
            landmarks=face_at(index).landmarks, image=drawn[0], mask=masks[0], plate_mask=plate_masks[0],
        )  # fmt: skip
        began = time.process_time()
        merge_recipe.merge_files(picture, shown, folder / "out.png", folder / "mask.png")
        merger += time.process_time() - began
        began = time.process_time()
        to_yuv(cv2.imread(str(folder / "out.png"))[..., ::-1])
        whole += time.process_time() - began
    return (whole + merger) / frames, merger / frames


def ours(plate: Path, frames: int, given: Given, settings: MergeSettings) -> float:
    """Processor seconds per frame, from the file to the frame that an encoder is given."""
    sign = label_region(WIDTH, HEIGHT, "corner", None)
    always = () if sign is None else (sign,)
    reach, clock, given.seconds = Reach.of(Keys(), settings, Fraction(25)), Clock(), 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        VideoReader(plate) as probe,
        VideoWriter.like(probe.info, Path(folder) / "out.mp4", preset="ultrafast") as writer,
        open_frames(plate, native=True) as reader,
    ):
        first = next(iter(probe))
        writer.write(first.image, first.pts)  # opens it
        began = time.process_time()
        items = draw(
            reader, lambda index: [record_at(index)], given, lambda index, record: settings,
            batch=8, reach=reach.faces, clock=clock, always=always,
        )  # fmt: skip
        for item in steady(items, reach.colors, range(frames)):
            merged, *_ = composite(item, (WIDTH, HEIGHT))
            writer._frame(draw_label(merged.image, "corner", None), item.frame, None)
        return (time.process_time() - began - given.seconds) / frames


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--frames", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--clip", type=Path, help="frames of this video, at 1080p; its face is not looked for")
    told = arguments.parse_args()
    cv2.setNumThreads(1)
    given = Given()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_plate(folder / "plate.mp4", told.frames, told.clip)
        taken: dict[str, list[float]] = {"recipe": [], "its merger": [], **{case: [] for case in CASES}}
        for _ in range(told.rounds):
            whole, merger = recipe(folder / "plate.mp4", folder, told.frames, given)
            taken["recipe"].append(whole)
            taken["its merger"].append(merger)
            for case, changes in CASES.items():
                taken[case].append(ours(folder / "plate.mp4", told.frames, given, MergeSettings(**changes)))
        size = statistics.mean(path.stat().st_size for path in folder.glob("0*.png"))
        rate = (folder / "plate.mp4").stat().st_size * 8 * 25 / told.frames
    print(f"{told.frames} frames of {WIDTH} x {HEIGHT}, {rate / 1e6:.0f} Mbit/s, {size / 1e6:.1f} MB each as PNG")
    print(f"model of {SIDE} px, one thread, {told.rounds} rounds\n")
    medians = {case: statistics.median(times) for case, times in taken.items()}
    for case, times in taken.items():
        spread = f"{1e3 * min(times):.0f} to {1e3 * max(times):.0f}"
        whole, merger = (medians[name] / medians[case] for name in ("recipe", "its merger"))
        ratios = f"recipe / this {whole:.2f}, its merger / this {merger:.2f}"
        print(f"{case:10} {1e3 * medians[case]:6.1f} ms a frame ({spread})" + (f"   {ratios}" if case in CASES else ""))
    print(f"merge ratio {medians['recipe'] / medians['alike']:.2f}")


if __name__ == "__main__":
    main()
