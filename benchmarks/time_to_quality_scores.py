"""What a mark of `time_to_quality.py` is worth: the swap of held-out faces, and of a clip whose true swap is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from konterfei.detectors import DETECTORS
from konterfei.errors import FacesetError
from konterfei.geometry import FaceType, eye_mask, mouth_mask
from konterfei.io.atomic import atomic_path, write_json
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.run import Run
from konterfei.io.run_files import read_snapshot, write_snapshot
from konterfei.io.video import open_frames
from konterfei.landmarkers import LANDMARKERS
from konterfei.metrics.evaluation import VERSION
from konterfei.metrics.ground_truth import TRUTHS, TrueSeries
from konterfei.metrics.observation import Eyes, Observer, crop_size
from konterfei.metrics.series import Series, mean
from konterfei.models.swapper import Drawing, load_model
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._evaluate_truth import TrueClip
from konterfei.training.held_out import hold_out
from konterfei.training.validation import Scores, Validator, swapped

HELD_OUT = 0.05
"""Share of each person's faces that no arm trains on: as usual in `konterfei train`."""
OURS = 1
"""Version of what is measured here; marks that were scored with another are scored anew."""
FRAMES = 75
"""Of the clip with the truth, about; in threes of neighbours, as `evaluate` takes them."""
SHOWN, SIDE = 4, 128
"""Faces of a mark in the sheets, and their size in pixels."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two people.

    Attributes:
        name: of its folder.
        src, dst: facesets to learn from.
        test: faceset of a clip of dst that nobody learns from.
        truth: that clip with src in dst's place.
    """

    name: str
    src: Path
    dst: Path
    test: Path | None = None
    truth: Path | None = None


class Seeing(Validator):
    """A validator that keeps what it saw last: `plate` and `result`, None where nothing could be measured."""

    plate: Series | None = None
    result: Series | None = None

    def _series(self, drawer: Any) -> Any:
        self.plate, self.result = found = super()._series(drawer)
        return found


class Judge:
    """Measures the marks of one pair. Networks are loaded when the first mark is measured."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.src, self.dst = Faceset.open(pair.src), Faceset.open(pair.dst)
        self.held = {name: hold_out(f.records(), HELD_OUT) for name, f in (("src", self.src), ("dst", self.dst))}
        if not all(self.held.values()):
            raise FacesetError(f"The pair '{pair.name}' has too few faces to hold some out.")

    @property
    def made_with(self) -> dict[str, Any]:
        """What the figures of a mark depend on, beside its weights."""
        truth = self.pair.truth and self.pair.truth.stat().st_size
        return {"ours": OURS, "metrics": VERSION, "held": self.held["dst"], "truth": truth}

    @cached_property
    def _eyes(self) -> Eyes:
        return Eyes(
            DETECTORS.load("yunet")(threads=1),
            LANDMARKERS.load("mesh478")(threads=1),
            RECOGNIZERS.load("mobilefacenet")(threads=1),
            RECOGNIZERS.load("faceres")(threads=1),
        )

    @cached_property
    def _validator(self) -> Seeing:
        return Seeing(self.src, self.dst, self.held["src"], self.held["dst"], self._eyes)

    def score(self, folder: Path, arm: Any, mark: float) -> str:
        """Measure the weights of a mark and write down what was found beside them; gives a line for people."""
        run = Run.open(folder)
        model, _ = load_model(run)
        drawer = Drawing(model, FaceType(run.config["face_type"]), torch.device("cpu"), "fp32")
        found = self._validator.score(drawer)
        line: dict[str, Any] = {
            **{name: getattr(arm, name) for name in ("arm", "preset", "seed", "base")},
            **{"pair": self.pair.name, "mark": mark, "made_with": self.made_with},
            **json.loads((folder / "trained.json").read_text("utf-8")),
            "figures": self._figures(found),
        }
        plate, result = self._validator.plate, self._validator.result
        if plate is not None and result is not None:
            with atomic_path(folder / "seen.npz") as path, path.open("wb") as file:
                np.savez(file, embeddings=result.embeddings, witness=result.witness)
            write_image(folder / "faces.jpg", _strip(result.crops), quality=90)
            write_image(folder.parent.parent / "plate.jpg", _strip(plate.crops), quality=90)
        if self.pair.truth is not None:
            line["figures"] |= self._against_truth(drawer, folder)
        write_json(folder / "score.json", line)
        halve(run)
        return found.text()

    def _figures(self, found: Scores) -> dict[str, float | None]:
        """The scores, and the second recognizer's view of who it is."""
        figures: dict[str, float | None] = dict(found.to_json())
        result = self._validator.result
        if result is not None:
            for name, person in (("second_src", self._witnessed["src"]), ("second_dst", self._witnessed["dst"])):
                figures[name] = _number(mean(result.witness @ person))
        return figures

    @cached_property
    def _witnessed(self) -> dict[str, np.ndarray]:
        """The mean of each person's held-out faces by the second recognizer, unit length."""
        found = {}
        for person, faceset in (("src", self.src), ("dst", self.dst)):
            wanted = set(self.held[person])
            vectors = [
                self._eyes.witness.embed(faceset.image(r.name), [r.crop.crop_from_frame @ r.face.landmarks])[0]
                for r in faceset.records()
                if r.name in wanted
            ]
            total = np.mean(vectors, axis=0)
            found[person] = total / np.linalg.norm(total)
        return found

    # --- against the truth

    def _against_truth(self, drawer: Drawing, folder: Path) -> dict[str, float | None]:
        """The table of truths for whole frames, blended by the model's mask alone."""
        assert self.pair.test is not None and self.pair.truth is not None
        test = Faceset.open(self.pair.test)
        clip = Path(test.header.source)
        true = TrueClip.open(self.pair.truth, clip)
        indices = test.frame_indices()
        every = max(1, 3 * len(indices) // FRAMES)
        faces = {i: test.faces_at(i)[0].face for i in indices if i % every < 3}
        size = crop_size(list(faces.values()))
        observer = Observer(self._eyes, size)
        with closing(true.watch(self._eyes, size, (0, max(faces) + 1), 2)) as watch:
            for frame in open_frames(clip):
                if frame.index in faces:
                    image = swapped(frame.image, faces[frame.index], drawer)
                    observer.add(frame.index, frame.image, [image], faces[frame.index])
                    watch.add(frame.index, [frame.image, image])
        plate, (result,) = observer.series()
        truth, (own, aligned) = watch.observer.series([plate, result])
        matched = replace(aligned, crops=np.stack(list(map(match, aligned.crops, truth.crops, truth.masks))))
        write_image(folder / "truth.jpg", _strip(aligned.crops), quality=90)
        for name, series in (("truth_plate", own), ("truth_true", truth)):
            write_image(folder.parent.parent / f"{name}.jpg", _strip(series.crops), quality=90)
        return truth_figures(truth, aligned, matched)


def truth_figures(truth: TrueSeries, result: Series, matched: Series) -> dict[str, float | None]:
    """How far a swap is from the true one; `matched`: the same with its colours moved to the truth's."""
    ssim = TRUTHS.load("truth_ssim")(truth, matched)
    who = TRUTHS.load("truth_identity")(truth, result)
    side = truth.masks.shape[1]
    eyes, mouth = (
        [_apart(*three, part(points, (side, side))) for *three, points in _rows(truth, matched)]
        for part in (eye_mask, mouth_mask)
    )
    figures = {
        "truth_ssim": ssim.value,
        "truth_ssim_eyes": ssim.parts["eyes"],
        "truth_ssim_mouth": ssim.parts["mouth"],
        "truth_l1_eyes": mean(np.array(eyes)),
        "truth_l1_mouth": mean(np.array(mouth)),
        "truth_l1_eyes_worst": float(np.nanquantile(eyes, 0.9)),
        "truth_identity": who.value,
        "truth_identity_second": who.parts.get("witness", float("nan")),
        "truth_expression": TRUTHS.load("truth_expression")(truth, result).value,
        "truth_landmarks": TRUTHS.load("truth_landmarks")(truth, result).value,
    }
    return {name: _number(value) for name, value in figures.items()}


def _rows(truth: TrueSeries, result: Series) -> Any:
    return zip(truth.crops, result.crops, truth.masks, truth.exact, strict=True)


def _apart(true: np.ndarray, own: np.ndarray, mask: np.ndarray, part: np.ndarray) -> float:
    """Mean difference of two crops within both masks, grey levels; NaN where these do not meet."""
    weight = mask * part.reshape(mask.shape)
    total = float(weight.sum())
    difference = np.abs(true.astype(np.float32) - own).mean(axis=-1)
    return float((difference * weight).sum() / total) if total >= 1 else float("nan")


def match(own: np.ndarray, true: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A crop with brightness and contrast of each channel moved to the truth's, as a merge does. [S, S, 3] uint8"""
    inside = mask > 0.5
    if not inside.any():
        return own
    ours, theirs = (image[inside].astype(np.float32) for image in (own, true))
    gain = theirs.std(axis=0) / (ours.std(axis=0) + 1e-6)
    moved = (own.astype(np.float32) - ours.mean(axis=0)) * gain + theirs.mean(axis=0)
    return moved.round().clip(0, 255).astype(np.uint8)


# --- files


def is_scored(folder: Path, judge: Judge) -> bool:
    """Whether the figures of a mark are there, made as they would be made now."""
    path = folder / "score.json"
    return path.exists() and json.loads(path.read_text("utf-8"))["made_with"] == judge.made_with


def halve(run: Run) -> None:
    """Keep the weights of a mark in half precision: a 2000th of each is lost, and half of the disk is won."""
    for path in run.snapshot_paths():
        snapshot = read_snapshot(path)
        tensors = {
            name: array.astype(np.float16) if array.dtype == np.float32 else array
            for name, array in snapshot.tensors.items()
        }
        write_snapshot(path, int(snapshot.info["steps"]), tensors, snapshot.info)


def _strip(crops: np.ndarray) -> np.ndarray:
    """A few of the faces beside one another, spread over the clip. [SIDE, SHOWN * SIDE, 3] uint8"""
    chosen: Sequence[int] = np.linspace(0, len(crops) - 1, SHOWN + 2).round().astype(int)[1:-1].tolist()
    return np.hstack([cv2.resize(crops[k], (SIDE, SIDE), interpolation=cv2.INTER_AREA) for k in chosen])


def _number(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
