"""What learning curves are measured on, and by what: clips and facesets, `konterfei merge` and `konterfei evaluate`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from konterfei.io.atomic import sha256
from konterfei.io.manifest import Manifest
from konterfei.metrics import METRICS, Measurement
from konterfei.metrics.evaluation import VERSION
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.reporting import Reporter

SRC, DST, TEST_SEED = ("P006", 1), ("P005", 2), 3
"""Performers that are rendered, with the seeds of their motion; the seed of the motion that is judged."""
SECONDS, TEST_SECONDS, SIZE = 24, 12, 512


@dataclass(frozen=True)
class Material:
    """What is learned from, and what is judged.

    Attributes:
        src, dst: facesets.
        test: clip of dst.
        test_faces: its faceset.
        consent: record of src.
        truth: the test clip with src in dst's place; None where nobody knows it.
    """

    src: Path
    dst: Path
    test: Path
    test_faces: Path
    consent: Path
    truth: Path | None = None


def rendered(folder: Path, reporter: Reporter) -> Material:
    """Clips of performers and their facesets; what is there stays."""
    from konterfei.performers import PerformerConfig, render_performer
    from konterfei.provenance.consent import Consent
    from konterfei.stages.extract import ExtractConfig, extract

    clips, facesets = {}, {}
    for role, (person, seed), seconds in (
        ("src", SRC, SECONDS),
        ("dst", DST, SECONDS),
        ("test", (DST[0], TEST_SEED), TEST_SECONDS),
    ):
        clip = folder / f"{role}_{person}_s{seed}.mp4"
        config = PerformerConfig(person=person, output=clip, seconds=seconds, size=SIZE, seed=seed)
        clips[role] = render_performer(config, reporter)
        facesets[role] = clip.with_suffix(".faces")
        extract(ExtractConfig(video=clip, output=facesets[role], threads=1), reporter)
    truth = folder / f"truth_{SRC[0]}_on_{DST[0]}_s{TEST_SEED}.mp4"
    config = PerformerConfig(
        person=SRC[0], output=truth, seconds=TEST_SECONDS, size=SIZE, seed=TEST_SEED, set_of=DST[0]
    )  # fmt: skip
    render_performer(config, reporter)
    consent = folder / "consent.toml"
    if not consent.exists():
        reason = "Made by an image model and rendered by konterfei; shows nobody who exists."
        Consent(
            person=f"Synthetic performer {SRC[0]}", basis="synthetic", scope=("any",), reason=reason,
            created=date.today(),
        ).save(consent)  # fmt: skip
    return Material(facesets["src"], facesets["dst"], clips["test"], facesets["test"], consent, truth)


def given(args: argparse.Namespace, reporter: Reporter) -> Material:
    """The material that was named; the test clip's faces are found where they are not given."""
    from konterfei.stages.extract import ExtractConfig, extract

    faces = args.test_faces or args.out / "data" / "test.faces"
    if args.test_faces is None:
        extract(ExtractConfig(video=args.test, output=faces, threads=1), reporter)
    return Material(args.src, args.dst, args.test, faces, args.consent, args.truth)


@dataclass(frozen=True)
class RealScorer:
    """`konterfei merge` with nothing but defaults, and `konterfei evaluate`."""

    material: Material
    out: Path
    reporter: Reporter
    device: str = "auto"
    every_nth: int | None = None

    def made_with(self, run: Path | None) -> dict[str, Any]:
        """What the figures depend on."""
        manifest = None if run is None else Manifest.load(run)
        weights = sorted(run.glob("snapshots/*.safetensors"))[-1] if run is not None else None
        known = (manifest.output if manifest else {}).get("sha256")
        return {
            "weights": known or (weights and sha256(weights)),
            "test": sha256(self.material.test),
            "truth": self.material.truth and sha256(self.material.truth),
            "every_nth": self.every_nth,
            "metrics": [VERSION, *METRICS, *(TRUTHS if self.material.truth else ())],
        }

    def merged(self, name: str, run: Path) -> Path:
        """The test clip with the run's face."""
        from konterfei.stages.merge import MergeConfig, merge

        video = self.out / "scores" / f"{name}.mp4"
        threads = 1 if self.device in ("auto", "cpu") else 0
        config = MergeConfig(
            video=self.material.test, faces=self.material.test_faces, model=run, output=video,
            consent=self.material.consent, threads=threads, device=self.device,
        )  # fmt: skip
        merge(config, self.reporter)
        return video

    def __call__(self, runs: Mapping[str, Path | None]) -> dict[str, dict[str, Any]]:
        from konterfei.stages.evaluate import EvaluateConfig, evaluate

        truth = self.material.truth
        videos = {name: truth if run is None else self.merged(name, run) for name, run in runs.items()}
        config = EvaluateConfig(
            renders=tuple(videos.values()), plate=self.material.test, faces=self.material.test_faces,
            src=self.material.src, truth=truth, every_nth=self.every_nth, threads=1,
            output=self.out / "scores" / f"{next(iter(runs))}.report.html",
        )  # fmt: skip
        found = evaluate(config, self.reporter).found
        return {
            name: {
                "frames": figures.num_frames,
                "unseen": figures.num_unseen,
                "metrics": {
                    metric: _parts(item)
                    for metric, item in figures.measurements.items()
                    if runs[name] is not None
                    or not metric.startswith("truth_")  # itself it lies elsewhere in the frame
                },
            }
            for name, figures in zip(runs, found, strict=True)
        }


def _parts(found: Measurement) -> dict[str, float | None]:
    """Value and parts of a measurement; what is not measurable as None."""
    told = {**found.parts, "value": found.value}
    return {part: round(float(value), 6) if math.isfinite(value) else None for part, value in told.items()}
