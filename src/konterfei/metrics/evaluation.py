"""All metrics of one swap together: calculated, as JSON, in a few lines for a person."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from konterfei.metrics import METRICS, Measurement
from konterfei.metrics.series import Array, People, Series

FORMAT = "konterfei evaluation"
VERSION = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluated:
    """One result that was measured: all that reports are made of.

    Attributes:
        name: of the result, for people.
        about: inputs with checksums, settings, networks: what the report names, plain JSON values.
        frames: how many frames were measured, left out, without a face (`num_frames`, `num_unmeasurable`,
            `num_unseen`).
        plate, result: as seen.
        people: who src and dst are.
        measurements: by name of the metric.
        src_faces: some crops of the src person, RGB. Each [S, S, 3] uint8
        fps: frames per second of the plate; None where it has none (pictures).
        shots: number of the shot that each frame of the series belongs to. [N] int64
    """

    name: str
    about: Mapping[str, Any]
    frames: Mapping[str, int]
    plate: Series
    result: Series
    people: People
    measurements: Mapping[str, Measurement]
    src_faces: Sequence[Array]
    fps: Fraction | None
    shots: Array


def measure(plate: Series, result: Series, people: People) -> Iterator[tuple[str, Measurement]]:
    """Every metric of the table, by name."""
    for name in METRICS:
        yield name, METRICS.load(name)(plate, result, people)


def to_json(measurements: Mapping[str, Measurement]) -> dict[str, Any]:
    """Plain JSON values, NaN as null, with each metric's own words about what it is."""
    return {
        name: {
            "about": (inspect.getdoc(METRICS.load(name)) or "").splitlines()[0],
            "value": _number(found.value),
            "unit": found.unit,
            "better": found.better,
            "perfect": found.perfect,
            "parts": {part: _number(value) for part, value in found.parts.items()},
            "per_frame": [_number(value) for value in found.per_frame.tolist()],
        }
        for name, found in measurements.items()
    }


def from_json(data: Mapping[str, Any]) -> dict[str, Measurement]:
    """The measurements of `to_json`. Raises KeyError, TypeError or ValueError when they are not."""
    return {
        name: Measurement(
            value=_float(found["value"]),
            unit=found["unit"],
            better=found["better"],
            perfect=found["perfect"],
            parts={part: _float(value) for part, value in found["parts"].items()},
            per_frame=np.array([_float(value) for value in found["per_frame"]], np.float64),
        )
        for name, found in data.items()
    }


def lines(measurements: Mapping[str, Measurement]) -> list[str]:
    """One line per metric: its figure, what perfect would be, and its parts."""
    shown = []
    width = max((len(name) for name in measurements), default=0)
    for name, found in measurements.items():
        parts = ", ".join(f"{part.replace('_', ' ')} {_text(value)}" for part, value in found.parts.items())
        figure = f"{_text(found.value)} {found.unit} (perfect {found.perfect:g})"
        figure = figure if np.isfinite(found.value) else _text(found.value)
        shown.append(f"{name.replace('_', ' '):<{width}}  {figure}; {parts}".rstrip("; "))
    return shown


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _text(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "not measurable"
