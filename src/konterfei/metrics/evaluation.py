"""All metrics of one swap together: calculated, as JSON, in a few lines for a person."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from importlib.metadata import version
from typing import Any

import numpy as np

from konterfei.metrics import METRICS, Fault, Measurement, confidence
from konterfei.metrics.confidence import Difference, Interval
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.metrics.series import Array, People, Series, quantile
from konterfei.metrics.worst import worst_frames

FORMAT = "konterfei evaluation"
VERSION = 2
WORST = 10
"""Frames that a report names as the worst."""
_LEAST_APART = 0.3
"""By how much the plate must be more like dst than like src, cosine, for anyone to tell whether it was swapped."""
_LEAST_OF_WAY = 0.1
"""Share of the way from dst to src (as far again on the other side) below which nobody was swapped."""
_REDRAWN = 0.25
"""Of the face that differs from the plate by more than an encoder changes; `mask_stability` counts no less either."""
_TOOLS = ("konterfei", "numpy", "scipy", "opencv-python-headless", "onnxruntime")


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
        truth: the swap as it should be, where that is known (synthetic performers); same frames as the others.
        definitions: what a metric measures, of those that are in no table, by name.
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
    truth: Series | None = None
    definitions: Mapping[str, str] = field(default_factory=dict)
    _differences: dict[int, tuple[Evaluated, dict[str, Difference]]] = field(
        default_factory=dict, init=False, repr=False
    )

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """How far chance in the frames may move each figure."""
        return {name: confidence.interval(found, self.shots) for name, found in self.measurements.items()}

    def definition(self, name: str) -> str:
        """What a metric measures: first a line that says it in short, then the rest, in paragraphs."""
        if name in self.definitions:
            return self.definitions[name]
        table = next((table for table in (METRICS, TRUTHS) if name in table), None)
        return "" if table is None else inspect.getdoc(table.load(name)) or ""

    def seconds(self, row: int) -> float | None:
        """When a row of the series is shown; None for pictures."""
        return None if self.fps is None else float(int(self.plate.indices[row]) / self.fps)

    def against(self, other: Evaluated) -> dict[str, Difference]:
        """Each figure minus the other result's, by name.

        Raises:
            ValueError: they were not measured over the same frames.
        """
        if not np.array_equal(self.plate.indices, other.plate.indices):
            raise ValueError(f"'{self.name}' and '{other.name}' were not measured over the same frames.")
        if id(other) not in self._differences:
            found = confidence.differences(self.measurements, other.measurements, self.shots)
            self._differences[id(other)] = other, found  # held, so that nobody else gets its id
        return self._differences[id(other)][1]


@dataclass(frozen=True, kw_only=True, eq=False)
class Figures:
    """What can be read back of a report.

    Attributes:
        name, frames: of `Evaluated`.
        indices: number of each frame that was measured. [N] int64
        measurements: by name; without `of_rows` and `faults`.
        intervals: by name.
    """

    name: str
    frames: Mapping[str, int]
    indices: Array
    measurements: Mapping[str, Measurement]
    intervals: Mapping[str, Interval]


def measure(plate: Series, result: Series, people: People) -> Iterator[tuple[str, Measurement]]:
    """Every metric of the table, by name."""
    for name in METRICS:
        yield name, METRICS.load(name)(plate, result, people)


def to_json(evaluated: Evaluated) -> dict[str, Any]:
    """The whole report as plain JSON values, NaN as null. What `about` names lies beside the rest."""
    return {
        **evaluated.about,
        "format": FORMAT,
        "version": VERSION,
        "name": evaluated.name,
        "made_by": {"python": platform.python_version(), **{tool: version(tool) for tool in _TOOLS}},
        "frames": dict(evaluated.frames),
        "fps": None if evaluated.fps is None else str(evaluated.fps),
        "frame_indices": evaluated.plate.indices.tolist(),
        "shots": evaluated.shots.tolist(),
        "confidence": confidence.about(),
        "unswapped": unswapped(evaluated.measurements),
        "metrics": {name: _metric(evaluated, name) for name in evaluated.measurements},
        "worst_frames": [
            {
                "frame": int(evaluated.plate.indices[worst.row]),
                "seconds": evaluated.seconds(worst.row),
                "score": _number(worst.score),
                "reasons": list(worst.reasons),
            }
            for worst in worst_frames(evaluated.measurements, WORST, evaluated.plate.indices)
        ],
    }


def differences_to_json(one: Evaluated, other: Evaluated) -> dict[str, Any]:
    """How `one` differs from the `other` result, as plain JSON values.

    Raises:
        ValueError: they were not measured over the same frames.
    """
    return {
        "from": other.name,
        "metrics": {name: _difference(found) for name, found in one.against(other).items()},
    }


def from_json(data: Mapping[str, Any]) -> Figures:
    """The figures of `to_json`. Raises KeyError, TypeError or ValueError when it is none, or of another version."""
    if not isinstance(data["metrics"], Mapping) or (data["format"], data["version"]) != (FORMAT, VERSION):
        raise ValueError(f"{data['format']!r} of version {data['version']!r} is not {FORMAT!r} of version {VERSION}")
    indices = np.array(data["frame_indices"], np.int64)
    measurements, intervals = {}, {}
    for name, found in data["metrics"].items():
        per_frame = np.array([_float(value) for value in found["per_frame"]], np.float64)
        if per_frame.shape != indices.shape or found["better"] not in ("higher", "lower", "near"):
            raise ValueError(f"the figures of {name!r} do not fit the report")
        measurements[name] = Measurement(
            value=_float(found["value"]),
            unit=found["unit"],
            better=found["better"],
            perfect=float(found["perfect"]),
            parts={part: _float(value) for part, value in found["parts"].items()},
            per_frame=per_frame,
            per_frame_is=found["per_frame_is"],
        )
        told = found["interval"]
        low, high = (_float(told[end]) for end in ("low", "high"))
        intervals[name] = Interval(low=low, high=high, count=int(told["count"]), block=int(told["block"]))
    return Figures(
        name=data["name"],
        frames={name: int(count) for name, count in data["frames"].items()},
        indices=indices,
        measurements=measurements,
        intervals=intervals,
    )


def fault_share(fault: Fault) -> float:
    """Share of the frames in which it is plainly seen, of those that can tell, 0 to 1; NaN where none can."""
    known = fault.amount[np.isfinite(fault.amount)]
    return float((known >= fault.bad).mean()) if known.size else float("nan")


def unswapped(measurements: Mapping[str, Measurement]) -> str:
    """What is said first where nobody was swapped: a few sentences; empty where somebody was, or none can tell.

    By the first recognizer: of the way from the plate's likeness (to src minus to dst) to the opposite, less than a
    tenth was gone. Where src and dst are too much alike to tell, nothing is said.
    """
    found = measurements.get("identity")
    if found is None:
        return ""
    parts = found.parts
    plate, result = parts["plate_to_dst"] - parts["plate_to_src"], parts["to_dst"] - found.value
    if not (plate >= _LEAST_APART and result >= (1 - 2 * _LEAST_OF_WAY) * plate):
        return ""
    pasted = measurements["mask_stability"].parts["area_ratio"] if "mask_stability" in measurements else float("nan")
    what = "the face is redrawn, and still is dst's" if pasted >= _REDRAWN else "the result shows the face of the plate"
    return (
        f"Nothing was swapped: {what} (cosine with dst {parts['to_dst']:.2f}, the plate's own "
        f"{parts['plate_to_dst']:.2f}; with src {found.value:.2f}, the plate's {parts['plate_to_src']:.2f}). Figures "
        "that compare with the plate are good for that reason alone. Is this the video that the merge wrote, and are "
        "src, dst and model the right ones? The merge's manifest says which frames were left as they were."
    )


def lines(measurements: Mapping[str, Measurement]) -> list[str]:
    """One line per metric: its figure, what perfect would be, and its parts."""
    shown = []
    width = max((len(name) for name in measurements), default=0)
    for name, found in measurements.items():
        parts = ", ".join(f"{part.replace('_', ' ')} {_text(value, part)}" for part, value in found.parts.items())
        figure = f"{_text(found.value)} {found.unit} (perfect {found.perfect:g})"
        figure = figure if np.isfinite(found.value) else _text(found.value)
        shown.append(f"{name.replace('_', ' '):<{width}}  {figure}; {parts}".rstrip("; "))
    return shown


def _metric(evaluated: Evaluated, name: str) -> dict[str, Any]:
    found, definition = evaluated.measurements[name], evaluated.definition(name)
    return {
        "about": (definition.splitlines() or [""])[0],
        "definition": definition,
        "value": _number(found.value),
        "unit": found.unit,
        "better": found.better,
        "perfect": found.perfect,
        "interval": _interval(evaluated.intervals[name]),
        "parts": {part: _number(value) for part, value in found.parts.items()},
        "faults": {
            words: {"plainly_seen_from": fault.bad, "share_of_frames": _number(fault_share(fault))}
            for words, fault in found.faults.items()
        },
        "per_frame_is": found.per_frame_is,
        "distribution": {
            word: _number(quantile(found.per_frame, share))
            for word, share in (("p5", 0.05), ("median", 0.5), ("p95", 0.95))
        },
        "per_frame": [_number(value) for value in found.per_frame.tolist()],
    }


def _interval(found: Interval) -> dict[str, Any]:
    return {"low": _number(found.low), "high": _number(found.high), "count": found.count, "block": found.block}


def _difference(found: Difference) -> dict[str, Any]:
    return {
        "value": _number(found.value),
        "interval": _interval(found.interval),
        "gain": _number(found.gain),
        "gain_interval": _interval(found.gain_interval),
        "is_better": found.is_better,
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _text(value: float, name: str = "") -> str:
    if not np.isfinite(value):
        return "not measurable"
    return f"{value:.0f}" if name.startswith("num_") else f"{value:z.2f}"
