"""How soon is a swap usable? Candidates of networks and schedules, score against processor time.

Each candidate trains on the same two facesets in slices of equal processor time (not wall time: machines are shared),
and after each slice the swap of dst faces is measured: identity (cosine to src), expression (correlation of the mouth's
and eyes' openings with dst's), landmark distance, sharpness. Prints a table, writes a plot.

    python benchmarks/time_to_swap.py --src src_faces --dst dst_faces --out out --minutes 10 [names ...]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np

from konterfei.geometry import Crop
from konterfei.io.faceset import Faceset
from konterfei.landmarkers import LANDMARKERS, Window
from konterfei.metrics.expression import signals
from konterfei.metrics.sharpness import detail
from konterfei.models.swapper import load_swapper
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Silent
from konterfei.stages.train import TrainConfig, train
from konterfei.training.augment import AugmentSettings

GENTLE = {"gentle": True, "straight": 1 / 3}
LIAE = {"rate": 1e-3, "architecture": "liae-ud", "ae_dims": 64}
WIDE = {"resolution": 128, "d_dims": 32, "e_dims": 48}
FIRST_TRIED = {
    "rate": 3e-4,
    "architecture": "liae-ud",
    "ae_dims": 128,
    "d_dims": 48,
    "e_dims": 48,
    "d_mask_dims": 16,
    "batch": 8,
}

CANDIDATES: dict[str, dict] = {
    "df-ud 96 d24 adam 1e-3": {"rate": 1e-3},
    "df-ud 96 d24 adam 5e-4": {"rate": 5e-4},
    "df-ud 96 d24 adabelief 2e-4": {"rate": 2e-4, "optimizer": "adabelief"},
    "df-ud 64 d32 adam 1e-3": {"rate": 1e-3, "resolution": 64, "d_dims": 32, "batch": 8},
    "df-ud 96 d16 adam 1e-3 b8": {"rate": 1e-3, "d_dims": 16, "batch": 8},
    "df-ud 128 d32 adam 1e-3": {"rate": 1e-3, **WIDE},
    "liae-ud 96 d24 adam 1e-3": LIAE,
    "liae-ud 96 28M adam 3e-4 b8": FIRST_TRIED,
    "df-ud 96 d24 adam 1e-3, third straight": {"rate": 1e-3, "straight": 1 / 3},
    "df-ud 96 d24 adam 1e-3, gentle": {"rate": 1e-3, "gentle": True},
    "df-ud 96 d24 adam 2e-3, gentle": {"rate": 2e-3, "gentle": True},
    "df-ud 96 d24 adam 1e-3, gentle, third straight": {"rate": 1e-3, **GENTLE},
    "df-ud 96 d24 adabelief 2e-4, gentle, third straight": {"rate": 2e-4, "optimizer": "adabelief", **GENTLE},
    "df-ud 96 d16 adam 1e-3 b8, gentle, third straight": {"rate": 1e-3, "d_dims": 16, "batch": 8, **GENTLE},
    "df-ud 64 d32 adam 1e-3, gentle, third straight": {"rate": 1e-3, "resolution": 64, "d_dims": 32, **GENTLE},
    "df-ud 128 d32 adam 1e-3, gentle, third straight": {"rate": 1e-3, **WIDE, **GENTLE},
    "liae-ud 96 d24 adam 1e-3, gentle, third straight": {**LIAE, **GENTLE},
    "liae-ud 96 28M adam 3e-4 b8, gentle, third straight": {**FIRST_TRIED, **GENTLE},
}


class Clock(Silent):
    """Asks training to stop when so much processor time is used."""

    def __init__(self, seconds: float) -> None:
        self.end = time.process_time() + seconds

    def take_stop(self) -> bool:
        return time.process_time() >= self.end


class Judge:
    """Measures a run on dst faces."""

    def __init__(self, src: Faceset, dst: Faceset, count: int = 48) -> None:
        self.landmarker = LANDMARKERS.load("mesh478")(threads=1)
        self.recognizer = RECOGNIZERS.load("mobilefacenet")(threads=1)
        records = dst.records()
        self.records = [records[i] for i in np.linspace(0, len(records) - 1, count).round().astype(int)]
        self.images = [dst.image(r.name) for r in self.records]
        self.landmarks = [r.crop.crop_from_frame @ r.face.landmarks for r in self.records]
        self.src, self.dst = src.identity(), dst.identity()
        self.plate = np.stack([self.look(i, p) for i, p in zip(self.images, self.landmarks, strict=True)])

    def look(self, image, points):
        centre, side = points.mean(axis=0), 1.5 * np.ptp(points, axis=0).max()
        return self.landmarker.landmarks(image, [Window(float(centre[0]), float(centre[1]), float(side), 0.0)])[
            0
        ].points

    def __call__(self, run: Path) -> tuple[dict, np.ndarray]:
        swapper = load_swapper(run)
        merged, seen, sharp = [], [], []
        for image, points in zip(self.images, self.landmarks, strict=True):
            crop = Crop.fit(points, swapper.face_type, swapper.resolution)
            faces, masks = swapper.swap(crop.cut(image)[None])
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            size = image.shape[1::-1]
            face = cv2.warpAffine(faces[0], crop.crop_from_frame.matrix, size, flags=flags)
            mask = cv2.warpAffine(
                masks[0], crop.crop_from_frame.matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            )
            out = (face * 255).clip(0, 255) * mask[..., None] + image * (1 - mask[..., None])
            out = out.round().astype(np.uint8)
            merged.append(out)
            seen.append(self.look(out, points))
            sharp.append(detail(out, mask) / max(1e-6, detail(image, mask)))
        seen = np.stack(seen)
        embeddings = np.concatenate([self.recognizer.embed(m, [p]) for m, p in zip(merged, seen, strict=True)])
        eyes = np.linalg.norm(self.plate[:, 36] - self.plate[:, 45], axis=1)
        ours, theirs = signals(seen), signals(self.plate)
        figures = {
            "to_src": float((embeddings @ self.src).mean()),
            "to_dst": float((embeddings @ self.dst).mean()),
            "mouth": float(np.corrcoef(ours["mouth_open"], theirs["mouth_open"])[0, 1]),
            "mouth_range": float(ours["mouth_open"].std() / theirs["mouth_open"].std()),
            "eyes": float(np.corrcoef(ours["eyes_open"], theirs["eyes_open"])[0, 1]),
            "distance": float((np.linalg.norm(seen[:, 17:] - self.plate[:, 17:], axis=2).mean(axis=1) / eyes).mean()),
            "sharpness": float(np.median(sharp)),
        }
        return figures, np.hstack(
            [np.vstack(pair) for pair in list(zip(self.images, merged, strict=True))[:: len(merged) // 8][:8]]
        )


def config_of(name: str, args: argparse.Namespace) -> TrainConfig:
    from dataclasses import replace

    import konterfei.training.presets as presets

    settings = dict(CANDIDATES[name])
    base = presets.PRESETS["quick"]
    augment = AugmentSettings(straight=settings.pop("straight", 0.0))  # SAEHD's, whatever quick uses now
    if settings.pop("gentle", False):
        augment = replace(presets.GENTLE, straight=augment.straight)
    presets.PRESETS["bench"] = replace(
        base, optimizer=settings.pop("optimizer", "adam"), augment=augment, schedule=replace(base.schedule, hold=1.0)
    )
    folder = args.out / name.replace(" ", "_").replace(",", "").replace("/", "-")
    return TrainConfig(
        src=args.src,
        dst=args.dst,
        output=folder,
        preset="bench",
        steps=10**7,
        base="none",
        threads=1,
        preview_seconds=1e6,
        checkpoint_seconds=1e6,
        **settings,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, required=True)
    parser.add_argument("--dst", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10, help="processor minutes per candidate")
    parser.add_argument("--slice", type=float, default=2, help="processor minutes between two measurements")
    parser.add_argument("names", nargs="*", help="candidates; none = all")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    judge = Judge(Faceset.open(args.src), Faceset.open(args.dst))
    log = args.out / "scores.jsonl"
    for name in args.names or CANDIDATES:
        used = 0.0
        while used < args.minutes:
            config = config_of(name, args)
            result = train(config, Clock(60 * args.slice))
            used += args.slice
            figures, sheet = judge(config.output)
            line = {
                "name": name,
                "cpu_minutes": used,
                "steps": result.steps,
                **{k: round(v, 4) for k, v in figures.items()},
            }
            print(json.dumps(line), flush=True)
            with log.open("a") as file:
                file.write(json.dumps(line) + "\n")
            cv2.imwrite(str(config.output / f"swap_{used:05.1f}.png"), sheet[..., ::-1])
    plot(log, args.out / "time_to_swap.png")


def plot(log: Path, target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    panels = ("to_src", "mouth", "eyes", "distance", "sharpness")
    figure, axes = pyplot.subplots(1, len(panels), figsize=(4 * len(panels), 4))
    for name in dict.fromkeys(line["name"] for line in lines):
        own = [line for line in lines if line["name"] == name]
        for axis, panel in zip(axes, panels, strict=True):
            axis.plot([line["cpu_minutes"] for line in own], [line[panel] for line in own], label=name, marker=".")
            axis.set_title(panel)
            axis.set_xlabel("processor minutes (1 thread)")
    axes[0].legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(target, dpi=100)


if __name__ == "__main__":
    main()
