"""What an evaluation leaves: the figures and the picture; and whether they lie there already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.io.atomic import write_json
from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.metrics import Measurement, People, Series
from konterfei.metrics.evaluation import Evaluated, from_json, lines, to_json
from konterfei.metrics.observation import Observer
from konterfei.reporting import Reporter
from konterfei.stages._evaluate_settings import EvaluateConfig

SHOWN = 7
"""Crops of the src person in the report picture."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What an evaluation found."""

    report: Path
    """JSON: every figure, by frame too, and how it was measured."""
    picture: Path
    """Contact sheet with figures and curves."""
    num_frames: int
    """Pairs of frames measured."""
    num_unmeasurable: int
    """Pairs left out, because the plate itself shows no clear face there."""
    num_unseen: int
    """Measured pairs in which the detector finds no face in the result."""
    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    """By name of the metric."""
    was_done: bool = False
    """Whether the same evaluation lay there already."""

    def summary(self) -> list[str]:
        """The figures, one line each."""
        unseen = f"; the detector misses the face in {self.num_unseen}" if self.num_unseen else ""
        return [f"measured    {self.num_frames} frames{unseen}", *lines(self.measurements)]


def done_before(config: EvaluateConfig, about: Mapping[str, Any]) -> Evaluation | None:
    """The evaluation that lies there, when it is the one asked for."""
    try:
        data = json.loads(config.report.read_text("utf-8"))
        figures = from_json(data)
        if not config.picture.exists() or any(data[key] != json.loads(json.dumps(about[key])) for key in about):
            return None
        return Evaluation(
            report=config.report,
            picture=config.picture,
            **figures.frames,
            measurements=figures.measurements,
            was_done=True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(
    config: EvaluateConfig,
    about: Mapping[str, Any],
    observer: Observer,
    measurements: Mapping[str, Measurement],
    src: Faceset,
    both: tuple[Series, Series],
    people: People,
    reporter: Reporter,
) -> Evaluation:
    from konterfei.metrics.sheet import draw  # matplotlib

    names = src.names()
    plate_name = Path(about["inputs"]["plate"]["path"]).name
    shown = [src.image(names[i]) for i in np.unique(np.linspace(0, len(names) - 1, SHOWN).round().astype(int))]
    title = f"{config.video.name}: the face of {src.header.source_name or src.folder.name} on {plate_name}"
    write_image(config.picture, draw(title, shown, *both, measurements))
    counts: dict[str, Any] = {
        "num_frames": len(observer),
        "num_unmeasurable": observer.num_unmeasurable,
        "num_unseen": observer.num_unseen[0],
    }
    evaluated = Evaluated(
        name=config.video.name,
        about=about,
        frames=counts,
        plate=both[0],
        result=both[1],
        people=people,
        measurements=measurements,
        src_faces=shown,
        fps=None,
        shots=np.zeros(len(both[0]), np.int64),
    )
    write_json(config.report, to_json(evaluated))
    reporter.preview(config.picture)
    return Evaluation(report=config.report, picture=config.picture, **counts, measurements=measurements)
