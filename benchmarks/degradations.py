"""How the metrics of `evaluate` react to known degradations of a swap that is right by construction.

Two performers do the same in every frame; the face of one is laid over the other by the exact landmarks of both. That
swap is made worse in known ways, in three steps each, and measured as `konterfei evaluate` measures. Prints one row for
each degradation and one column for each metric: its value at the three steps, **bold** where the metric must get worse
at every step, in brackets where it may react, plain where it must stay as it is. `tests/contracts/test_degradations.py`
checks that table on a shorter and smaller clip.

    python benchmarks/degradations.py --folder scratch [--size 256 --fps 25 --seconds 6] [--json figures.json]
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "contracts"))

from degradations_material import DEGRADATIONS, eyes, make_scene, observe, people
from degradations_table import MAY, MOVES, STILL

from konterfei.metrics import METRICS


def figures(options) -> dict[str, dict[str, list[float]]]:
    """Degradation -> metric -> value at each step; "the true swap" has one step."""
    scene = make_scene(options.folder, options.size, options.fps, options.seconds)
    who = people(scene, eyes())
    plate, seen = observe(scene, eyes())
    found: dict[str, dict[str, list[float]]] = {}
    for (name, _), series in seen.items():
        row = found.setdefault(name or "the true swap", {})
        for metric in METRICS:
            row.setdefault(metric, []).append(float(METRICS.load(metric)(plate, series, who).value))
    return found


def cell(name: str, metric: str, values: list[float]) -> str:
    """The figures, marked by what is expected of them."""
    digits = 3 if STILL[metric] < 0.1 else 2
    text = " ".join(f"{value:.{digits}f}" for value in values)
    return f"**{text}**" if metric in MOVES.get(name, ()) else f"({text})" if metric in MAY.get(name, ()) else text


def table(found: dict[str, dict[str, list[float]]]) -> list[str]:
    """Lines of Markdown."""
    lines = [f"| degradation | steps | {' | '.join(METRICS)} |", "|" + "---|" * (2 + len(METRICS))]
    for name, row in found.items():
        amounts, unit = DEGRADATIONS[name][1:] if name in DEGRADATIONS else ((), "")
        steps = f"{', '.join(f'{amount:g}' for amount in amounts)} {unit}"
        cells = [cell(name, metric, values) for metric, values in row.items()]
        lines.append(f"| {name} | {steps.strip()} | {' | '.join(cells)} |")
    lines.append(f"| *may wander by* | | {' | '.join(f'{STILL[metric]:g}' for metric in METRICS)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for the clips of the performers")
    parser.add_argument("--size", type=int, default=256, help="width and height of the frames, px")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    found = figures(options)
    print("\n".join(table(found)))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
