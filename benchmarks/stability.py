"""Is a merge as calm as its plate? The same frames merged with the whole chain over time, and with none of it.

Without: landmarks as the landmarker gave them (`FaceRecord.raw_landmarks`), each frame's colours and drawn face alone.
With: smoothed landmarks, steadied faces and masks, smoothed colours, as `konterfei merge` does by default. Both are
looked at by the same landmarker, from the same places. Nothing is encoded.

    python benchmarks/stability.py plate.mp4 plate_faces run [--range 30:120] [--steady 1] [--more]

Printed for each: flicker and jitter as `konterfei evaluate` defines them (the plate's own subtracted: 0 = as calm as
the plate, below 0 = calmer), in brackets what is in the result before that; sharpness by the plate's; the spread over
time of how far eyes and mouth are open and brows are up, by that without the chain, and its lag in frames. Only those
that move in the plate are judged. A ratio to a merge that is calmer than its plate to begin with says nothing; then
only the ratio of what is in the result tells something.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from konterfei.compositing import Keys, MergeSettings, Swapped, cut_face, steady_face
from konterfei.geometry import Crop, FaceType, smooth_hull_mask
from konterfei.io.faceset import Faceset
from konterfei.io.video import open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics import METRICS, People, Series
from konterfei.metrics.expression import _LEAST_MOTION, signals
from konterfei.metrics.observation import crop_size, start_of
from konterfei.models.swapper import load_swapper
from konterfei.occluders import OCCLUDERS
from konterfei.stages._merge_render import Reach
from konterfei.stages._merge_stream import Clock, composite, draw, steady
from konterfei.stages._settings import parse_range

NONE = {"steady": 0.0, "color_smoothing": 0.0}
MOST_LAG = 4


def merged(frames, records, swapper, settings) -> list[np.ndarray]:
    """The frames with their face swapped, as a merge does it."""
    at = dict(zip((frame.index for frame in frames), records, strict=True))
    reach = Reach.of(Keys(), settings, Fraction(30))
    looked_for = cache(lambda name: OCCLUDERS.load(name)(1))
    cast = SimpleNamespace(swapper_for=lambda record: swapper, segmenter=None, occluder=looked_for)
    items = draw(
        iter(frames),
        lambda index: [at[index]] if index in at else [],
        cast,
        lambda index, record: settings,
        batch=8,
        reach=reach.faces,
        clock=Clock(),
    )
    calm = steady(items, reach.colors, range(frames[0].index, frames[-1].index + 1))
    height, width = frames[0].image.shape[:2]
    return [composite(item, (width, height))[0].image for item in calm]


def cost(frames, records, swapper) -> float:
    """Milliseconds of processor time that it takes to steady one face."""
    drawn = []
    for frame, record in zip(frames[:7], records[:7], strict=True):
        crop, aligned = cut_face(frame.image, record.face, swapper.face_type, swapper.resolution)
        image, mask, plate_mask = (values[0] for values in swapper.draw(aligned[None]))
        drawn.append(Swapped(crop=crop, aligned=aligned, image=image, mask=mask, plate_mask=plate_mask))
    around, began = {k: drawn[3 + k] for k in (-3, -2, -1, 1, 2, 3)}, time.process_time()
    for _ in range(20):
        steady_face(drawn[3], around)
    return 1000 * (time.process_time() - began) / 20


class Looker:
    """Sees plate and results alike."""

    def __init__(self, frames, records) -> None:
        self.landmarker = LANDMARKERS.load("mesh478")(threads=1)
        self.records = records
        size = crop_size([record.face for record in records])
        self.crops = [Crop.fit(record.face.landmarks, FaceType.FULL, size) for record in records]
        hulls = [crop.crop_from_frame @ r.face.landmarks for crop, r in zip(self.crops, records, strict=True)]
        self.masks = np.stack([smooth_hull_mask(hull, (size, size)) for hull in hulls]).astype(np.float32)
        self.plate = self.see([frame.image for frame in frames])

    def see(self, images) -> Series:
        points = []
        for image, record in zip(images, self.records, strict=True):
            (found,) = self.landmarker.landmarks(image, [start_of(record.face)])
            points.append(found.points)
        return Series(
            indices=np.array([record.frame_index for record in self.records]),
            landmarks=np.stack(points).astype(np.float32),
            embeddings=np.ones((len(images), 1), np.float32),
            crops=np.stack([crop.cut(image) for crop, image in zip(self.crops, images, strict=True)]),
            masks=self.masks,
        )

    def measure(self, images) -> SimpleNamespace:
        result, people = self.see(images), People(src=np.ones(1), dst=np.ones(1))
        found = {name: METRICS.load(name)(self.plate, result, people) for name in ("flicker", "jitter", "sharpness")}
        return SimpleNamespace(
            **{name: measurement.value for name, measurement in found.items()},
            flicker_result=found["flicker"].parts["result"],
            jitter_result=found["jitter"].parts["result"],
            signals=signals(result.landmarks),
        )


def lag(values: np.ndarray, reference: np.ndarray) -> int:
    """By how many frames `values` come later than `reference`: where their correlation is greatest."""
    a, b, n = values - values.mean(), reference - reference.mean(), len(values)
    found = {}
    for k in range(-MOST_LAG, MOST_LAG + 1):
        x, y = a[max(k, 0) : n + min(k, 0)], b[max(-k, 0) : n + min(-k, 0)]
        found[k] = float((x * y).sum() / max(float(np.sqrt((x**2).sum() * (y**2).sum())), 1e-12))
    return max(found, key=lambda k: found[k])


def ratio(name: str, chain, without) -> str:
    before = getattr(without, name)
    totals = getattr(chain, f"{name}_result") / getattr(without, f"{name}_result")
    told = f"{getattr(chain, name) / before:.2f}" if before > 0 else "calmer than the plate without it"
    return f"{name} ratio {told} (of what is in the result {totals:.2f})"


def report(label: str, seen) -> None:
    print(
        f"{label:24}  flicker {seen.flicker:6.3f} ({seen.flicker_result:.3f})  jitter {seen.jitter:6.3f} "
        f"({seen.jitter_result:.3f})  sharpness {seen.sharpness:.3f}"
    )


def compare(looker: Looker, chain, without) -> None:
    moving = {name: values.std() >= _LEAST_MOTION[name] for name, values in signals(looker.plate.landmarks).items()}
    spreads = {name: chain.signals[name].std() / without.signals[name].std() for name in moving}
    lags = {name: lag(chain.signals[name], without.signals[name]) for name in moving}
    told = [f"{name} {spreads[name]:.3f}{'' if moving[name] else ' (still)'}, lag {lags[name]}" for name in moving]
    print("    " + "; ".join(told))
    print("    " + ratio("flicker", chain, without))
    print("    " + ratio("jitter", chain, without))
    judged = [spreads[name] for name in moving if moving[name]]
    if judged:
        print(f"    expression {np.mean(judged):.2f} (least {min(judged):.2f})")
    print(f"    sharpness {chain.sharpness / without.sharpness:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--range", default="0:120")
    parser.add_argument("--steady", type=float, default=1.0)
    parser.add_argument("--more", action="store_true", help="also each part of the chain alone")
    options = parser.parse_args()
    cv2.setNumThreads(1)

    start, stop = parse_range(options.range)
    faceset = Faceset.open(options.faces)
    frames = [frame for frame in open_frames(options.clip, start, stop) if faceset.faces_at(frame.index)]
    records = [max(faceset.faces_at(f.index), key=lambda r: r.face.size) for f in frames]
    raw = [r if r.raw_landmarks is None else replace(r, face=r.face.with_(landmarks=r.raw_landmarks)) for r in records]
    swapper, looker = load_swapper(options.model, "cpu"), Looker(frames, records)
    whole = MergeSettings(steady=options.steady)
    variants = {"chain": (records, whole)}
    if options.more:
        variants |= {
            "smoothed landmarks only": (records, replace(whole, **NONE)),
            "smoothed colours only": (raw, replace(whole, steady=0.0)),
            "steadied faces only": (raw, replace(whole, color_smoothing=0.0)),
            "chain, steady 0": (records, replace(whole, steady=0.0)),
            "chain, steady 0.5": (records, replace(whole, steady=0.5)),
            "chain, steady 2": (records, replace(whole, steady=2.0)),
            "chain, steady 3": (records, replace(whole, steady=3.0)),
        }
    without = looker.measure(merged(frames, raw, swapper, replace(whole, **NONE)))
    report("without", without)
    for label, (faces, settings) in variants.items():
        seen = looker.measure(merged(frames, faces, swapper, settings))
        report(label, seen)
        compare(looker, seen, without)
    print(f"steadying a face takes {cost(frames, records, swapper):.1f} ms of one processor")


if __name__ == "__main__":
    main()
