"""What `learning_curves.py` tells: a table, curves with their names at the ends, and a sheet of faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.io.faceset import Faceset
from konterfei.io.images import write_image
from konterfei.io.video import open_frames

TRUE_SWAP, NO_SWAP = "true swap", "no swap"
"""In the place of a preset: the true swap itself, measured like a render; the plate as it is."""


@dataclass(frozen=True)
class Column:
    """One figure: what it is called, where a line has it, how it is written, which way is good."""

    title: str
    path: str
    text: str
    good: str


COLUMNS = (
    Column("identity margin", "identity.margin", ".3f", "higher is better"),
    Column("second opinion", "second_opinion.margin", ".3f", "higher is better"),
    Column("expression", "expression.value", ".2f", "1 is as the plate"),
    Column("landmarks, %", "landmark_distance.value", ".1f", "from the plate's"),
    Column("flicker", "flicker.value", ".2f", "0 is as the plate"),
    Column("sharpness", "sharpness.value", ".2f", "1 is as the plate"),
    Column("SSIM, truth", "truth_ssim.value", ".3f", "higher is better"),
    Column("PSNR, truth, dB", "truth_psnr.value", ".1f", "higher is better"),
    Column("landmarks, truth, %", "truth_landmarks.value", ".1f", "lower is better"),
)
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's: told apart by all kinds of colour vision."""
MARKERS = "os^DvPX"
CELL = 132  # px of a face in the sheet


def figure_of(line: Mapping[str, Any], path: str) -> float | None:
    """A figure of a line, by metric and part; None where it has none."""
    metric, part = path.split(".")
    value = line["metrics"].get(metric, {}).get(part)
    return None if value is None else float(value)


def shown_columns(lines: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Those that any line has."""
    return [column for column in COLUMNS if any(figure_of(line, column.path) is not None for line in lines)]


def no_swap(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """What the plate itself would get, by what the figures of the others say of it: a line, or none."""
    told = next((line["metrics"] for line in lines if line["mark"]), None)
    if told is None:
        return []
    metrics = {}
    for name, parts in told.items():
        if name.startswith("truth_") and "plate" in parts:
            metrics[name] = {"value": parts["plate"]}
        elif parts.get("plate_to_src") is not None:
            metrics[name] = {"margin": parts["plate_to_src"] - parts["plate_to_dst"]}
    return [{"preset": NO_SWAP, "seed": 1, "mark": 0.0, "minutes": 0.0, "steps": 0, "metrics": metrics}]


def in_order(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The true swap first; then by preset as they came, seed and mark."""
    presets = list(dict.fromkeys(line["preset"] for line in lines))
    return sorted(lines, key=lambda line: (line["mark"] > 0, presets.index(line["preset"]), line["seed"], line["mark"]))


def table(lines: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: a row for each preset, seed and mark. Seeds are named where there are several."""
    columns = shown_columns(lines)
    rows = [["preset", "minutes", "steps", *(column.title for column in columns)]]
    rows.append(["---"] * len(rows[0]))
    several = {line["preset"] for line in lines if line["seed"] != 1}
    for line in in_order([*no_swap(lines), *lines]):
        name = line["preset"] + (f", seed {line['seed']}" if line["preset"] in several else "")
        when = [f"{line['minutes']:.1f}", str(line["steps"])] if line["mark"] else ["", ""]
        figures = [figure_of(line, column.path) for column in columns]
        told = ["" if f is None else format(f, c.text) for f, c in zip(figures, columns, strict=True)]
        rows.append([name, *when, *told])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def apart(places: Sequence[float], gap: float) -> list[float]:
    """The places, moved so that neighbours are at least `gap` apart, as little as possible: for labels."""
    order = np.argsort(places, kind="stable")
    groups: list[tuple[float, int]] = []  # sum of (place - rank * gap) and count: each group moves as one
    for rank, index in enumerate(order):
        groups.append((places[index] - rank * gap, 1))
        while len(groups) > 1 and groups[-2][0] / groups[-2][1] > groups[-1][0] / groups[-1][1]:
            (total, count), (more, others) = groups[-2:]
            groups[-2:] = [(total + more, count + others)]
    bases = [total / count for total, count in groups for _ in range(count)]
    moved = [0.0] * len(places)
    for rank, (index, base) in enumerate(zip(order, bases, strict=True)):
        moved[index] = base + rank * gap
    return moved


def draw_curves(lines: Sequence[Mapping[str, Any]], target: Path, unit: str) -> None:
    """A panel for each figure: it against the minutes, every preset a curve with its name at the end."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    columns = shown_columns(lines)
    marked = [line for line in lines if line["mark"]]
    if not columns or not marked:
        return
    marks = sorted({line["mark"] for line in marked})
    presets = list(dict.fromkeys(line["preset"] for line in marked))
    num_rows = -(-len(columns) // 3)
    figure = Figure(figsize=(13.0, 3.5 * num_rows), dpi=80, facecolor="white", layout="constrained")
    axes = figure.subplots(num_rows, 3, squeeze=False).ravel()
    for axis in axes[len(columns) :]:
        axis.set_visible(False)
    for axis, column in zip(axes, columns, strict=False):
        ends: dict[str, tuple[float, float]] = {}
        for number, preset in enumerate(presets):
            color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
            own = in_order([line for line in marked if line["preset"] == preset])
            for seed in dict.fromkeys(line["seed"] for line in own):
                points = [
                    (line["minutes"], value)
                    for line in own
                    if line["seed"] == seed and (value := figure_of(line, column.path)) is not None
                ]
                is_first = seed == own[0]["seed"]
                style = {"linewidth": 1.8, "markersize": 5} if is_first else {"linewidth": 0.9, "markersize": 3}
                if points:
                    dashes = "-" if is_first else "--"
                    axis.plot(*zip(*points, strict=True), color=color, marker=marker, linestyle=dashes, **style)
                    ends.setdefault(preset, points[-1])
        near = no_swap(lines) if column.path.startswith("truth_") else []  # elsewhere it is far from all curves
        for line in [*near, *(line for line in lines if line["preset"] == TRUE_SWAP)]:
            level = figure_of(line, column.path)
            if level is None:
                continue
            axis.axhline(level, color="#777777", linestyle=":", linewidth=1.2)
            across = axis.get_yaxis_transform()
            axis.text(0.01, level, line["preset"], transform=across, fontsize=8, color="#555555", va="bottom")
        axis.set_title(f"{column.title} ({column.good})", fontsize=10)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator(marks))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xlim(marks[0] * 0.85, marks[-1] * (marks[-1] / marks[0]) ** 0.3 if len(marks) > 1 else marks[0] * 2)
        axis.set_xlabel(unit, fontsize=9)
        axis.grid(alpha=0.25)
        _name(axis, ends, {preset: COLORS[i % len(COLORS)] for i, preset in enumerate(presets)})
    FigureCanvasAgg(figure).print_png(target)


def _name(axis: Any, ends: Mapping[str, tuple[float, float]], colors: Mapping[str, str]) -> None:
    """Write the names beside the ends of the curves, none over another."""
    low, high = axis.get_ylim()
    axis.set_ylim(low, high)
    heights = apart([(y - low) / (high - low) for _, y in ends.values()], 0.075)
    for (preset, (x, y)), height in zip(ends.items(), heights, strict=True):
        axis.annotate(
            preset, (x, y), xytext=(x * 1.08, low + height * (high - low)), textcoords="data", fontsize=8.5,
            color=colors[preset], va="center", arrowprops={"arrowstyle": "-", "color": colors[preset], "lw": 0.5},
        )  # fmt: skip


def draw_sheet(
    left: Mapping[str, Path], videos: Mapping[tuple[str, float], Path], faces: Faceset, frame: int, target: Path
) -> None:
    """The same face of the same frame: presets below one another, marks beside one another, `left` before them.

    Args:
        left: clips that do not depend on preset and mark, by name.
        videos: merged clips by preset and mark.
        faces: of the test clip.
        frame: which.
        target: JPEG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not videos:
        return
    presets = list(dict.fromkeys(preset for preset, _ in videos))
    marks = sorted({mark for _, mark in videos})
    points = max((record.face for record in faces.faces_at(frame)), key=lambda face: face.size).landmarks
    rows, columns = len(presets), 1 + len(marks)
    rows = max(rows, len(left))
    figure = Figure(figsize=(columns * CELL / 90 + 0.3, rows * (CELL / 90 + 0.16) + 0.1), dpi=150, facecolor="white")
    grid = figure.add_gridspec(rows, columns, left=0.0, right=1.0, bottom=0.0, top=0.97, wspace=0.03, hspace=0.12)
    cells = {(row, 0): (name, path) for row, (name, path) in enumerate(left.items())}
    for (preset, mark), path in videos.items():
        cells[presets.index(preset), 1 + marks.index(mark)] = (f"{preset}, {mark:g} min", path)
    for place, (title, path) in cells.items():
        axis = figure.add_subplot(grid[place])
        axis.imshow(_face(path, frame, points))
        axis.set_axis_off()
        axis.set_title(title, fontsize=6.5, pad=2)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    write_image(target, np.asarray(canvas.buffer_rgba())[..., :3].copy(), quality=85)


def _face(path: Path, frame: int, points: np.ndarray) -> np.ndarray:
    """The square around the face in a frame of a clip. RGB uint8"""
    image = next(iter(open_frames(path, frame, frame + 1))).image
    centre, half = (points.min(axis=0) + points.max(axis=0)) / 2, 0.72 * np.ptp(points, axis=0).max()
    low = np.maximum(0, np.floor(centre - half)).astype(int)
    high = np.ceil(centre + half).astype(int)
    return image[low[1] : high[1], low[0] : high[0]]
