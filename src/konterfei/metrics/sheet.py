"""The report picture: src, plate and swapped faces side by side, the figures, and how they go over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.metrics import Measurement
from konterfei.metrics.evaluation import lines
from konterfei.metrics.series import Series

Array = NDArray[Any]

_COLUMNS = 7
_LONGEST = 165  # characters of a line of figures
_ABOVE, _LINE = 10.44, 0.145  # inches: pictures and curves together, and a line of figures
_WORST = 2  # of the columns show the frames least like src
_ABOUT_COLOR, _SRC_COLOR, _DST_COLOR, _SHAPE_COLOR = "#555555", "#2f6db5", "#c2553f", "#3d8a5f"


def columns(result: Series, measurements: Mapping[str, Measurement]) -> list[tuple[int, str]]:
    """Rows of the series worth showing, with a word about each: spread over time, then the worst."""
    count = len(result)
    spread = np.unique(np.linspace(0, count - 1, min(_COLUMNS - _WORST, count)).round().astype(int))
    chosen = [(int(row), "") for row in spread]
    likeness = measurements["identity"].per_frame if "identity" in measurements else np.full(count, np.nan)
    for row in (int(row) for row in np.argsort(likeness)):
        apart = min(abs(row - other) for other, _ in chosen)
        if np.isfinite(likeness[row]) and apart >= max(1, count // 20) and len(chosen) < len(spread) + _WORST:
            chosen.append((row, "least like src"))
    return chosen


def draw(
    title: str,
    src: Sequence[Array],
    plate: Series,
    result: Series,
    measurements: Mapping[str, Measurement],
) -> Array:
    """The picture.

    Args:
        title: what was measured.
        src: some crops of the src person. Each [S, S, 3] uint8 RGB
        plate, result: as measured.
        measurements: by name.

    Returns:
        [H, W, 3] uint8 RGB
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second to import, needed here only
    from matplotlib.figure import Figure

    figures = [line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…" for line in lines(measurements)]
    below = 0.2 + _LINE * len(figures)  # inches, for the figures
    height = _ABOVE + below
    figure = Figure(figsize=(13.0, height), dpi=100, facecolor="white")
    figure.text(0.03, 1 - 0.3 / height, title, fontsize=13, weight="bold", va="top", parse_math=False)
    grid = figure.add_gridspec(
        5,
        _COLUMNS,
        height_ratios=[1, 1, 1, 0.7, 0.7],
        left=0.06,
        right=0.985,
        top=1 - 0.77 / height,
        bottom=(below + 0.53) / height,
        wspace=0.06,
    )
    chosen = columns(result, measurements)
    likeness = measurements["identity"].per_frame if "identity" in measurements else None
    for column in range(_COLUMNS):
        axes = [figure.add_subplot(grid[row, column]) for row in range(3)]
        for ax in axes:
            ax.set(xticks=[], yticks=[])
            ax.set_frame_on(False)
        if column < len(src):
            axes[0].imshow(src[column])
        if column < len(chosen):
            row, word = chosen[column]
            axes[1].imshow(plate.crops[row])
            axes[2].imshow(result.crops[row])
            axes[1].set_title(" · ".join(filter(None, (f"frame {plate.indices[row]}", word))), fontsize=9)
            if likeness is not None and np.isfinite(likeness[row]):
                axes[2].set_title(f"to src {likeness[row]:.2f}", fontsize=9)
        if column == 0:
            for ax, name in zip(axes, ("src", "plate", "swapped"), strict=True):
                ax.set_ylabel(name, fontsize=11)
    _curves(figure, grid, result, measurements)
    style: dict[str, Any] = {"fontsize": 8.5, "family": "monospace", "va": "top", "color": _ABOUT_COLOR}
    figure.text(0.03, below / height, "\n".join(figures), parse_math=False, **style)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _curves(figure: Any, grid: Any, result: Series, measurements: Mapping[str, Measurement]) -> None:
    """Two plots over time: who it looks like, and how far shape and pixels are from the plate's."""
    x = result.indices.astype(np.float64)
    # A break in the frames is a break in the line.
    breaks = np.flatnonzero(~result.neighbours)[1:]
    x = np.insert(x, breaks, np.nan)

    def line(ax: Any, name: str, color: str, label: str) -> None:
        if name in measurements:
            y = np.insert(measurements[name].per_frame, breaks, np.nan)
            ax.plot(x, y, color=color, linewidth=1.2, marker=".", markersize=3, label=label)

    top = figure.add_subplot(grid[3, :])
    line(top, "identity", _SRC_COLOR, "result to src")
    if "identity" in measurements:
        for part, style in (("to_dst", "--"), ("plate_to_src", ":")):
            level = measurements["identity"].parts.get(part, np.nan)
            if np.isfinite(level):
                top.axhline(
                    level, color=_DST_COLOR, linestyle=style, linewidth=1, label=f"{part} (mean)".replace("_", " ")
                )
    top.set_ylabel("likeness (cosine)", fontsize=9)
    below = figure.add_subplot(grid[4, :])
    line(below, "landmark_distance", _SHAPE_COLOR, "landmark distance, % of eye distance")
    line(below, "flicker", _DST_COLOR, "flicker beyond the plate's, grey levels")
    below.set_xlabel("frame", fontsize=9)
    for ax in (top, below):
        ax.tick_params(labelsize=8)
        ax.grid(alpha=0.25)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=8, loc="best", framealpha=0.8)
