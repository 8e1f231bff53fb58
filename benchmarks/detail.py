"""Is the swapped face as sharp and as grainy as the plate? Before encoding, per shot, --detail and --grain off and on.

    python benchmarks/detail.py CLIP FACES MODEL [--range 0:60] [--enhancer span] [--out FOLDER] [--every 20]

Everything is measured in the frame's pixels, inside the mask's core, on luma, in the result over the plate:

    laplacian   variance of the Laplacian, all of the face. Strong features rule it: a plate's glasses, a beard
    calm        the same without the fifth of the face that has the strongest structure in either picture
    octaves     mean square of structures with periods of 2, 4, 8, 16 px and up
    skin        the same on plain skin (median of blocks): pores, grain, codec
    flicker     warping error, motion taken from the plate; levels of 255, result and plate

Each is the median over the shot's frames. --out writes pictures: plate, off, on, side by side, at 200 %.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from konterfei.compositing import STEADY_REACH, MergeSettings, merge_frame, reach_frames, touched
from konterfei.compositing.detail import OCTAVES, measure_detail
from konterfei.enhancers import ENHANCERS
from konterfei.geometry import Crop, Similarity
from konterfei.imaging import to_float
from konterfei.io.faceset import Faceset
from konterfei.io.video import look, open_frames
from konterfei.models.swapper import load_swapper
from konterfei.occluders import OCCLUDERS
from konterfei.stages._merge_stream import Clock, draw, steady


def core_of(swapped, shape, settings):
    """The rectangle that the face changes, how much it covers there, and where it covers all. bool"""
    region = touched(swapped, shape, settings)
    size = swapped.alpha.shape[0]
    zoom = Similarity.of(size / swapped.crop.size)
    crop = Crop(swapped.crop.face_type, size, zoom @ swapped.crop.crop_from_frame)
    alpha = crop.project(swapped.alpha, region, "linear")
    solid = (alpha > 0.98).astype(np.uint8)
    return region, alpha, cv2.erode(solid, np.ones((9, 9), np.uint8), borderType=cv2.BORDER_CONSTANT) > 0


def grey(image):
    return cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)  # not rounded: that would add noise to it


def compared(plate, result, alpha, core):
    """Figures of one face: result over plate."""
    edges = [cv2.Laplacian(grey(picture), cv2.CV_32F) for picture in (plate, result)]
    strongest = np.maximum(*(cv2.blur(np.square(e), (9, 9)) for e in edges))
    calm = core & (strongest <= np.quantile(strongest[core], 0.8))
    found = [measure_detail(to_float(picture), alpha) for picture in (plate, result)]
    return {
        "laplacian": [edges[1][core].var() / edges[0][core].var()],
        "calm": [edges[1][calm].var() / edges[0][calm].var()],
        "octaves": found[1].energy / found[0].energy,
        "skin": found[1].grain / np.maximum(found[0].grain, 1e-9),
    }


def warping_error(before, now, back, core):
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in core.shape[::-1])), axis=-1).astype(np.float32) + back
    moved = cv2.remap(before.astype(np.float32), grid, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(now - moved).mean(axis=2)[core].mean())


class Cast:
    """One model for every face."""

    segmenter = None

    def __init__(self, swapper):
        self.swapper, self.opened = swapper, {}

    def swapper_for(self, record):
        return self.swapper

    def enhancer(self, name):
        return self.opened.setdefault(name, ENHANCERS.load(name)(1))

    def occluder(self, name):
        return self.opened.setdefault(name, OCCLUDERS.load(name)(1))


def walk(args, settings, swapper):
    """Frame index -> plate, result, faces."""
    info = look(args.clip)
    start, stop = (int(n) for n in args.range.split(":"))
    reach = max(reach_frames(settings.color_smoothing, float(info.fps)), 1)
    faceset, clock = Faceset.open(args.faces), Clock()
    around = reach + STEADY_REACH
    with open_frames(args.clip, max(start - around, 0), stop + around) as reader:
        items = draw(
            reader, faceset.faces_at, Cast(swapper), lambda *_: settings, batch=1, reach=STEADY_REACH, clock=clock
        )
        for item in steady(items, reach, range(start, stop)):
            if start <= item.frame.index < stop and item.swapped:
                with clock("composite"):
                    faces = [record.face for record in item.records]
                    image = merge_frame(item.frame.image, faces, item.swapped, settings)
                yield item, image
    print("   seconds:", {step: round(s, 2) for step, s in clock.take().items()})


def shots(args, settings, swapper, keep):
    """Track -> name of a figure -> one row per frame."""
    rows = defaultdict(lambda: defaultdict(list))
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    last = None
    for item, image in walk(args, settings, swapper):
        swapped = item.swapped[0]
        if touched(swapped, image.shape, settings) is None:
            continue
        region, alpha, core = core_of(swapped, image.shape, settings)
        if core.sum() < 500:
            continue
        plate, track = item.frame.image, item.records[0].face.track
        for name, value in compared(plate[region], image[region], alpha, core).items():
            rows[track][name].append(value)
        if last is not None and last[0] == item.frame.index - 1:
            back = dis.calc(grey(plate[region]).astype(np.uint8), grey(last[1][region]).astype(np.uint8), None)
            errors = [warping_error(last[2][region], image[region], back, core)]
            errors += [warping_error(last[1][region], plate[region], back, core)]
            rows[track]["flicker"].append(errors)
        last = item.frame.index, plate, image
        if args.out and item.frame.index % args.every == 0:
            keep[item.frame.index].append((region, plate, image))
    return {track: {k: np.median(np.array(v), axis=0) for k, v in figures.items()} for track, figures in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("clip", "faces", "model"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--range", default="0:60")
    parser.add_argument("--enhancer", default="none", help="for the second pass")
    parser.add_argument("--detail", type=float, default=MergeSettings.detail)
    parser.add_argument("--grain", type=float, default=MergeSettings.grain)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--every", type=int, default=20)
    args = parser.parse_args()
    swapper, keep, ratios = load_swapper(args.model), defaultdict(list), {}
    off = MergeSettings(detail=0.0, grain=0.0)
    on = replace(off, detail=args.detail, grain=args.grain, enhancer=args.enhancer)
    for word, settings in (("off", off), ("on", on)):
        found = shots(args, settings, swapper, keep)
        for track, figures in found.items():
            told = ", ".join(f"{name} {' '.join(f'{v:.2f}' for v in value)}" for name, value in figures.items())
            print(f"shot {track} {word:3}: {told}")
        ratios[word] = [np.median([f[name][0] for f in found.values()]) for name in ("laplacian", "calm")]
    for index, seen in keep.items():
        rows, columns = seen[0][0]
        pictures = np.hstack([seen[0][1][rows, columns], *(image[rows, columns] for _, _, image in seen)])
        args.out.mkdir(parents=True, exist_ok=True)
        large = cv2.resize(pictures, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(args.out / f"{index:06}.png"), large[..., ::-1])
    print(f"octaves measured: {OCTAVES}; calm ratio off {ratios['off'][1]:.2f} on {ratios['on'][1]:.2f}")
    print(f"sharpness ratio off {ratios['off'][0]:.2f} on {ratios['on'][0]:.2f}")


if __name__ == "__main__":
    main()
