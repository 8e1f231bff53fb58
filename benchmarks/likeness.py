"""Do losses by other networks make swaps better? The same pair, seed and processor time, with them and without.

Some stretches of both people's frames are held out (`konterfei.training.held_out`); every candidate trains on the
rest for so many minutes of processor time, from its own start or all from the same run, and its learning rate falls to
its end. Then the swap of dst's held-out faces is measured: by konterfei's own figures, and by recognizers that nobody
was trained against. A network's word on what was made to please it proves nothing.

    python benchmarks/likeness.py --src src_faces --dst dst_faces --out out --minutes 2 [--start-from run] [names ...]

Judges, each optional: --judge FILE, an ONNX network of ArcFace's kind (112 px, BGR, (x - 127.5) / 128, channels first),
and --dlib FILE, the weights of dlib's face recognition (pip install dlib-bin face-recognition-models; CC0).
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from konterfei.detectors import DETECTORS
from konterfei.geometry import Similarity
from konterfei.io.faceset import Faceset
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics.observation import Eyes
from konterfei.models.swapper import load_swapper
from konterfei.recognizers import RECOGNIZERS
from konterfei.recognizers.aligned import TEMPLATE, five_points
from konterfei.reporting import Silent
from konterfei.stages.train import TrainConfig, train
from konterfei.training import loop
from konterfei.training.held_out import hold_out
from konterfei.training.validation import Validator, swapped

CANDIDATES: dict[str, dict] = {
    "none": {},
    "identity 0.1": {"identity_power": 0.1},
    "identity 0.3": {"identity_power": 0.3},
    "identity 1": {"identity_power": 1.0},
    "perceptual 3": {"perceptual_power": 3.0},
    "perceptual 10": {"perceptual_power": 10.0},
}

COLUMNS = ("identity", "leftover", "expression", "distance", "sharpness", "ssim_src", "ssim_dst")


class ArcFaceLike:
    """An ONNX network that takes aligned faces of 112 px."""

    def __init__(self, file: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options)
        self.input = self.session.get_inputs()[0].name

    def __call__(self, image, points):
        crop = cv2.warpAffine(image, Similarity.fit(five_points(points), TEMPLATE).matrix, (112, 112))
        batch = ((crop[..., ::-1].astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        return self.session.run(None, {self.input: np.ascontiguousarray(batch)})[0][0]


class Dlib:
    """dlib's network of 2017."""

    def __init__(self, file: Path) -> None:
        import dlib

        self.dlib, self.network = dlib, dlib.face_recognition_model_v1(str(file))

    def __call__(self, image, points):
        low, high = (int(v) for v in points.min(axis=0)), (int(v) for v in points.max(axis=0))
        shape = self.dlib.full_object_detection(
            self.dlib.rectangle(*low, *high), [self.dlib.point(int(x), int(y)) for x, y in np.rint(points)]
        )
        return np.asarray(self.network.compute_face_descriptor(image, shape))


class Jury:
    """Recognizers that nobody was trained against: cosine of swapped faces with the mean of src's real ones, and with
    dst's.
    """

    def __init__(self, judges: dict, src: Faceset, dst: Faceset, held_dst: list[str]) -> None:
        self.judges, self.faces = judges, [self._face(dst, name) for name in held_dst[::2]]
        some = [self._face(src, name) for name in src.names()[:: max(1, len(src) // 24)]]
        self.src = {name: self._mean([judge(*face) for face in some]) for name, judge in judges.items()}
        self.dst = {name: self._mean([judge(*face) for face in self.faces]) for name, judge in judges.items()}

    @staticmethod
    def _face(faceset, name):
        record = next(r for r in faceset.records() if r.name == name)
        return faceset.image(name), record.crop.crop_from_frame @ record.face.landmarks

    @staticmethod
    def _mean(vectors):
        mean = np.mean([v / np.linalg.norm(v) for v in vectors], axis=0)
        return mean / np.linalg.norm(mean)

    def __call__(self, drawer) -> tuple[dict, np.ndarray]:
        points = [p for _, p in self.faces]
        made = [swapped(image, SimpleNamespace(landmarks=p), drawer) for image, p in self.faces]
        figures = {}
        for name, judge in self.judges.items():
            seen = np.stack([judge(image, p) for image, p in zip(made, points, strict=True)])
            seen = seen / np.linalg.norm(seen, axis=1, keepdims=True)
            figures[f"{name} src"] = float((seen @ self.src[name]).mean())
            figures[f"{name} dst"] = float((seen @ self.dst[name]).mean())
        every = max(1, len(made) // 6)
        pairs = [np.vstack([image, out]) for (image, _), out in zip(self.faces, made, strict=True)]
        return figures, np.hstack(pairs[::every][:6])


def without(faceset: Faceset, names: list[str], folder: Path) -> Faceset:
    """A copy of a faceset without some of its faces."""
    if not folder.exists():
        left_out = set(names)
        shutil.copytree(faceset.folder, folder, ignore=lambda _, files: [f for f in files if f in left_out])
    return Faceset.open(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, required=True)
    parser.add_argument("--dst", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=2, help="processor minutes per candidate")
    parser.add_argument("--start-from", type=Path)
    parser.add_argument("--d-dims", type=int, help="where the run to start from has another width than the preset")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--held", type=float, default=0.15, help="share of the faces that is held out")
    parser.add_argument("--judge", type=Path, help="ONNX network of ArcFace's kind")
    parser.add_argument("--dlib", type=Path, help="weights of dlib's face recognition")
    parser.add_argument("names", nargs="*", help="candidates; none = all")
    args = parser.parse_args()
    loop.time = SimpleNamespace(monotonic=time.process_time)  # machines are shared
    src, dst = Faceset.open(args.src), Faceset.open(args.dst)
    held = {name: hold_out(faces.records(), args.held) for name, faces in (("src", src), ("dst", dst))}
    taught = {name: without(faces, held[name], args.out / name) for name, faces in (("src", src), ("dst", dst))}
    eyes = Eyes(
        DETECTORS.load("yunet")(threads=1),
        LANDMARKERS.load("mesh478")(threads=1),
        RECOGNIZERS.load("mobilefacenet")(threads=1),
    )
    validator = Validator(src, dst, held["src"], held["dst"], eyes)
    judges = {"judge": args.judge and ArcFaceLike(args.judge), "dlib": args.dlib and Dlib(args.dlib)}
    jury = Jury({name: judge for name, judge in judges.items() if judge}, src, dst, held["dst"])
    lines = []
    for name in args.names or CANDIDATES:
        run = args.out / name.replace(" ", "_")
        result = train(
            TrainConfig(
                src=taught["src"].folder,
                dst=taught["dst"].folder,
                output=run,
                preset=args.preset,
                minutes=args.minutes,
                base="none",
                start_from=args.start_from,
                d_dims=args.d_dims,
                rate=args.rate,
                seed=args.seed,
                threads=1,
                preview_seconds=1e6,
                checkpoint_seconds=1e6,
                held_out=0,
                **CANDIDATES[name],
            ),
            Silent(),
        )
        drawer = load_swapper(run)
        figures, sheet = jury(drawer)
        scores = validator.score(drawer).to_json()
        line = {"name": name, "steps": result.steps, "minutes": round(result.minutes, 2)}
        lines.append({**line, **scores, **{k: round(v, 4) for k, v in figures.items()}})
        cv2.imwrite(str(run / "swap.png"), sheet[..., ::-1])
        with (args.out / "scores.jsonl").open("a") as log:
            log.write(json.dumps(lines[-1]) + "\n")
    columns = ("steps", *COLUMNS, *(key for key in lines[0] if key.endswith((" src", " dst"))))
    print(" | ".join(("name", *columns)))
    for line in lines:
        print(" | ".join([line["name"], *("-" if line[c] is None else f"{line[c]:.4g}" for c in columns)]))


if __name__ == "__main__":
    main()
