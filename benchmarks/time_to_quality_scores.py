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

RECOGNIZER, WITNESS = "mobilefacenet", "faceres"
HELD_OUT = 0.05
"""Share of each person's faces that no arm trains on: as usual in `konterfei train`."""
OURS = 2
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
            RECOGNIZERS.load(RECOGNIZER)(threads=1),
            RECOGNIZERS.load(WITNESS)(threads=1),
        )

    @cached_property
    def _validator(self) -> Seeing:
        return Seeing(self.src, self.dst, self.held["src"], self.held["dst"], self._eyes)

    def score(self, folder: Path, arm: Any, mark: float) -> str:
        """Measure the weights of a mark and write down what was found beside them; gives a line for people."""
        run = Run.open(folder)
        halve(run)  # first: scored again, they are the same
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
            shown = unlike(plate.landmarks)
            write_image(folder / "faces.jpg", _strip(result.crops[shown]), quality=90)
            write_image(folder.parent.parent / "plate.jpg", _strip(plate.crops[shown]), quality=90)
        if self.pair.truth is not None:
            line["figures"] |= self._against_truth(drawer, folder)
        write_json(folder / "score.json", line)
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
        facesets = {"src": self.src, "dst": self.dst}
        return {name: witnessed(faceset, self.held[name], self._eyes.witness) for name, faceset in facesets.items()}

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
        shown = unlike(truth.exact)
        write_image(folder / "truth.jpg", _strip(aligned.crops[shown]), quality=90)
        for name, series in (("truth_plate", own), ("truth_true", truth)):
            write_image(folder.parent.parent / f"{name}.jpg", _strip(series.crops[shown]), quality=90)
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


def witnessed(faceset: Faceset, names: Sequence[str], witness: Any) -> np.ndarray:
    """The mean embedding of these faces by another recognizer than the faceset's, unit length. [E]"""
    wanted = set(names)
    vectors = [
        witness.embed(faceset.image(record.name), [record.crop.crop_from_frame @ record.face.landmarks])[0]
        for record in faceset.records()
        if record.name in wanted
    ]
    total = np.mean(vectors, axis=0)
    return np.asarray(total / np.linalg.norm(total))


def means_of(folder: Path) -> dict[tuple[str, str], np.ndarray]:
    """Who src and dst of a pair's folder are, by person and recognizer, unit length."""
    about = json.loads((folder / "pair.json").read_text("utf-8"))
    witness = RECOGNIZERS.load(WITNESS)(threads=1)
    found = {}
    for person in ("src", "dst"):
        faceset = Faceset.open(Path(about[person]))
        found[person, RECOGNIZER] = faceset.identity()
        found[person, WITNESS] = witnessed(faceset, hold_out(faceset.records(), HELD_OUT), witness)
    return found


# --- files


def is_scored(folder: Path, judge: Judge) -> bool:
    """Whether the figures of a mark are there, made as they would be made now."""
    path = folder / "score.json"
    return path.exists() and json.loads(path.read_text("utf-8"))["made_with"] == judge.made_with


def halve(run: Run) -> None:
    """Keep the weights of a mark in half precision: a 2000th of each is lost, and half of the disk is won."""
    for path in run.snapshot_paths():
        snapshot = read_snapshot(path)
        full = [name for name, array in snapshot.tensors.items() if array.dtype == np.float32]
        if not full:
            continue
        tensors = {**snapshot.tensors, **{name: snapshot.tensors[name].astype(np.float16) for name in full}}
        write_snapshot(path, int(snapshot.info["steps"]), tensors, snapshot.info)


def unlike(landmarks: np.ndarray) -> list[int]:
    """The most usual face, and others that are least like those before: looks, blinks, open mouths. [N, 68, 2]"""
    shapes = landmarks - landmarks.mean(axis=1, keepdims=True)
    shapes = (shapes / np.linalg.norm(shapes, axis=(1, 2), keepdims=True)).reshape(len(shapes), -1)
    chosen = [int(np.linalg.norm(shapes - np.median(shapes, axis=0), axis=1).argmin())]
    while len(chosen) < min(SHOWN, len(shapes)):
        apart = np.min([np.linalg.norm(shapes - shapes[k], axis=1) for k in chosen], axis=0)
        chosen.append(int(apart.argmax()))
    return chosen


def _strip(crops: np.ndarray) -> np.ndarray:
    """Faces beside one another. [SIDE, N * SIDE, 3] uint8"""
    return np.hstack([cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in crops])


def _number(value: float) -> float | None:
    return round(float(value), 5) if np.isfinite(value) else None
