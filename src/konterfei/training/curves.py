"""The course of one or several runs, drawn from their metrics: losses, learning rate, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_KNOWN = ("step", "trained_s", "it/s", "rate", "at_once", "repeats")
"""Figures of a line of metrics that are no losses."""
_SPAN = 0.03
"""A trend follows this share of a curve: shorter shows noise, longer hides turns."""
_SPEED_LINES = 10
"""Speed is that of so many lines of metrics."""
_STYLES = {"src": "-", "dst": "--"}
_OTHER_STYLES = (":", "-.")
_PARTS = {"identity": "-", "expression": "--", "ssim_dst": ":", "ssim": "-."}
"""Of the held-out scores of two people, or of many."""
_COLORS = ("#2f6db5", "#c2553f", "#3d8a5f", "#8a5fb0", "#b08a2f", "#3f8fa8")


def loss_names(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """The losses that a run's metrics tell of, in the order in which they appear."""
    names = dict.fromkeys(name for line in metrics for name in line if name not in _KNOWN)
    return [name for name in names if all(isinstance(line.get(name, 0.0), int | float) for line in metrics)]


def column(metrics: Sequence[Mapping[str, Any]], name: str) -> Array:
    """One figure of every line; not a number where a line has none. [N] float64"""
    return np.array([line[name] if line.get(name) is not None else np.nan for line in metrics], np.float64)


def speed(metrics: Sequence[Mapping[str, Any]]) -> Array:
    """Steps a second of training around each line: over it and the ten before. [N] float64

    (`it/s` of a line is the mean since the training was started; it stands where there is nothing before.)
    """
    steps, seconds, told = (column(metrics, name) for name in ("step", "trained_s", "it/s"))
    before = np.maximum(np.arange(len(steps)) - _SPEED_LINES, 0)
    passed = seconds - seconds[before]
    return np.where(passed > 0, (steps - steps[before]) / np.where(passed > 0, passed, 1.0), told)


def trend(values: Array) -> Array:
    """A curve without its noise: a mean over the neighbours, weighted by nearness, that looks ahead as far as back.

    Args:
        values: evenly spaced. [N]; what is no number is left out.

    Returns:
        [N]
    """
    half = max(1, round(len(values) * _SPAN))
    weights = np.bartlett(2 * half + 3)[1:-1]
    is_known = np.isfinite(values)
    summed = np.convolve(np.where(is_known, values, 0.0), weights, mode="full")[half : half + len(values)]
    weight = np.convolve(is_known.astype(np.float64), weights, mode="full")[half : half + len(values)]
    return np.where(weight > 0, summed / np.maximum(weight, 1e-12), np.nan)


Figures = Mapping[str, Sequence[Mapping[str, Any]]]
"""Name of each run -> lines of its figures."""


def draw_curves(runs: Figures, validations: Figures | None = None) -> Array:
    """The picture: losses over steps and over time, learning rate, speed, held-out scores; a colour for each run.

    Args:
        runs: name -> its metrics, at least one line each.
        validations: name -> what was measured on its held-out faces; None or nothing in it: that row is left out.

    Returns:
        [H, W, 3] uint8 RGB
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second to import, needed here only
    from matplotlib.figure import Figure

    measured = {run: lines for run, lines in (validations or {}).items() if lines}
    heights = [1.6, 1, 1.2] if measured else [1.6, 1]
    figure = Figure(figsize=(13.0, 9.0 * sum(heights) / 2.6), dpi=100, facecolor="white", layout="constrained")
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights)
    by_step, by_time = figure.add_subplot(grid[0, 0]), figure.add_subplot(grid[0, 1])
    by_time.sharey(by_step)
    rates, speeds = figure.add_subplot(grid[1, 0]), figure.add_subplot(grid[1, 1])
    highest = []
    for number, (run, metrics) in enumerate(runs.items()):
        color = _COLORS[number % len(_COLORS)]
        steps, minutes = column(metrics, "step"), column(metrics, "trained_s") / 60
        others = iter(_OTHER_STYLES * 8)
        for name in loss_names(metrics):
            values = column(metrics, name)
            style = _STYLES.get(name) or next(others)
            smooth = trend(values)
            highest.append(np.nanmax(smooth[len(smooth) // 10 :], initial=0.0))
            label = name if len(runs) == 1 else f"{run}: {name}"
            for axes, x in ((by_step, steps), (by_time, minutes)):
                axes.plot(x, values, color=color, linewidth=0.6, alpha=0.25)
                axes.plot(x, smooth, color=color, linewidth=1.8, linestyle=style, label=label)
        rates.plot(steps, column(metrics, "rate"), color=color, linewidth=1.5, label=run)
        speeds.plot(steps, speed(metrics), color=color, linewidth=1.2, label=run)
    if highest and max(highest) > 0:
        by_step.set_ylim(0, 1.15 * max(highest))  # the first steps would press everything else flat
    for axes, below, beside in (
        (by_step, "steps", "loss per sample"),
        (by_time, "minutes of training", "loss per sample"),
        (rates, "steps", "learning rate"),
        (speeds, "steps", "steps a second"),
    ):
        axes.set_xlabel(below, fontsize=9)
        axes.set_ylabel(beside, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
    by_step.legend(fontsize=8, framealpha=0.8)
    if len(runs) > 1:
        rates.legend(fontsize=8, framealpha=0.8)
    if measured:
        _draw_scores(figure.add_subplot(grid[2, 0]), figure.add_subplot(grid[2, 1]), list(runs), measured)
    rates.set_ylim(bottom=0)
    speeds.set_ylim(bottom=0)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_scores(whole: Any, parts: Any, names: Sequence[str], measured: Figures) -> None:
    """Held-out scores over time: the one figure on the left, what it is made of on the right."""
    for run, lines in measured.items():
        color = _COLORS[names.index(run) % len(_COLORS)]
        minutes = column(lines, "trained_s") / 60
        whole.plot(minutes, column(lines, "total"), color=color, marker="o", markersize=3, linewidth=1.5, label=run)
        for part, style in _PARTS.items():
            if not any(part in line for line in lines):
                continue
            label = part if len(names) == 1 else f"{run}: {part}"
            values = column(lines, part)
            parts.plot(minutes, values, color=color, linestyle=style, marker="o", markersize=2.5, label=label)
    for axes, title in ((whole, "held-out score"), (parts, "held-out faces")):
        axes.set_xlabel("minutes of training", fontsize=9)
        axes.set_ylabel(title, fontsize=9)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8, framealpha=0.8)
