"""Pictures of `time_to_quality.py`: curves of every pair, and a sheet of its faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from learning_pictures import COLORS, MARKERS

from konterfei.io.images import read_image, write_image

if TYPE_CHECKING:
    from time_to_quality_report import Course, Figure

PANELS = ("total", "identity", "second_src", "expression", "distance", "sharpness", "truth_ssim", "truth_ssim_eyes")
ZERO = 0.25
"""Where minute 0 stands on the logarithmic axis."""


def draw_curves(courses: Sequence[Course], figures: Mapping[str, Figure], target: Path) -> None:
    """A row for each pair, a panel for each of PANELS: every training a curve, dotted where scratch ends."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    pairs, arms = (list(dict.fromkeys(getattr(c, name) for c in courses)) for name in ("pair", "arm"))
    panels = [name for name in PANELS if any(c.points(name) for c in courses)]
    canvas = Canvas(
        figsize=(2.6 * len(panels), 2.3 * len(pairs) + 0.5), dpi=80, facecolor="white", layout="constrained"
    )
    axes = canvas.subplots(len(pairs), len(panels), squeeze=False)
    for (row, column), axis in np.ndenumerate(axes):
        name = panels[column]
        own = [course for course in courses if course.pair == pairs[row] and course.points(name)]
        if not own:
            axis.set_visible(False)
            continue
        for course in own:
            number = arms.index(course.arm)
            is_first = course.seed == min(c.seed for c in own if c.arm == course.arm)
            points = [(max(ZERO, minutes), value) for minutes, value in course.points(name)]
            axis.plot(
                *zip(*points, strict=True), color=COLORS[number % len(COLORS)], marker=MARKERS[number % len(MARKERS)],
                markersize=3, linewidth=1.5 if is_first else 0.8, label=course.arm if is_first else None,
            )  # fmt: skip
            if course.arm == "none" and is_first:
                axis.axhline(points[-1][1], color=COLORS[number % len(COLORS)], linestyle=":", linewidth=1)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(FixedLocator([ZERO, 1, 5, 20, 60]))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: "0" if x <= ZERO else f"{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.tick_params(labelsize=7)
        axis.grid(alpha=0.25)
        if row == 0 or not axes[row - 1, column].get_visible():
            better = "higher" if figures[name].is_high else "lower"
            axis.set_title(f"{figures[name].title} ({better} is better)", fontsize=7)
        if column == 0:
            axis.set_ylabel(pairs[row], fontsize=9)
    axes[0, 0].legend(fontsize=8)
    canvas.supxlabel("processor minutes, one thread", fontsize=9)
    FigureCanvasAgg(canvas).print_png(target)


def draw_sheets(courses: Sequence[Course], out: Path) -> None:
    """For each pair PAIR.jpg of held-out faces, and PAIR_truth.jpg beside the true swap where it is known."""
    for pair in dict.fromkeys(course.pair for course in courses):
        own = [course for course in courses if course.pair == pair]
        first = min(course.seed for course in own)
        shown = [course for course in own if course.seed == first]
        folder = out / pair
        _sheet(shown, "faces.jpg", {"plate": folder / "plate.jpg"}, out / f"{pair}.jpg")
        left = {"plate": folder / "truth_plate.jpg", "true swap": folder / "truth_true.jpg"}
        if left["plate"].exists():
            _sheet(shown, "truth.jpg", left, out / f"{pair}_truth.jpg")


def _sheet(courses: Sequence[Course], name: str, left: Mapping[str, Path], target: Path) -> None:
    """Marks beside one another; for each face the arms below one another."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    marks = sorted({line["mark"] for course in courses for line in course.lines})
    strips: dict[Any, np.ndarray] = {key: read_image(path) for key, path in left.items() if path.exists()}
    for number, course in enumerate(courses):
        for line, folder in zip(course.lines, course.folders, strict=True):
            if (folder / name).exists():
                strips[number, line["mark"]] = read_image(folder / name)
    if not strips:
        return
    side = next(iter(strips.values())).shape[0]
    count = next(iter(strips.values())).shape[1] // side
    columns = [*left, *marks]
    sheet = np.full((count * len(courses) * side, len(columns) * side, 3), 255, np.uint8)
    for place, column in enumerate(columns):
        for face in range(count):
            for number in range(len(courses)):
                strip = strips.get(column if column in left else (number, column))
                if strip is not None:
                    top = (face * len(courses) + number) * side
                    sheet[top : top + side, place * side : (place + 1) * side] = strip[
                        :, face * side : (face + 1) * side
                    ]
    left_of = 0.15 + 0.08 * max(len(course.arm) for course in courses)  # inches, for their names
    canvas = Canvas(figsize=(sheet.shape[1] / 100 + left_of, sheet.shape[0] / 100 + 0.3), dpi=100, facecolor="white")
    axis = canvas.add_axes((left_of / canvas.get_figwidth(), 0.0, sheet.shape[1] / 100 / canvas.get_figwidth(),
                            sheet.shape[0] / 100 / canvas.get_figheight()))  # fmt: skip
    axis.imshow(sheet, interpolation="nearest", aspect="auto")
    titles = [column if isinstance(column, str) else f"{column:g} min" for column in columns]
    axis.set_xticks([(k + 0.5) * side for k in range(len(columns))], titles, fontsize=9)
    names = [course.arm for _ in range(count) for course in courses]
    axis.set_yticks([(k + 0.5) * side for k in range(len(names))], names, fontsize=9)
    axis.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    drawn = FigureCanvasAgg(canvas)
    drawn.draw()
    write_image(target, np.asarray(drawn.buffer_rgba())[..., :3].copy(), quality=85)
