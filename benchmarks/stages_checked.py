"""Every stage between a frame and a merged frame, against the exact truth of performers; names the stage that broke.

Landmarks (as extract finds and smooths them), detectors (by size, turn, blur, cover, darkness, compression),
maskers, colour transfers, and laying a face into its frame. Prints one Markdown table for each stage. A figure beyond
its limit is marked and named at the end, and the exit status is 1. The limits are generous: they catch what is broken.
What became a little worse shows against the figures of an earlier run.

    python benchmarks/stages_checked.py --folder scratch --json now.json [--against before.json]
    python benchmarks/stages_checked.py --folder scratch --small --only landmarks masks
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from stages_checked_people import Figures, make_people
from stages_checked_pixels import colors, masks, round_trip
from stages_checked_seeing import detectors, landmarks

STAGES = {
    "landmarks": landmarks,
    "detectors": detectors,
    "masks": masks,
    "colors": colors,
    "round trip": round_trip,
}
WORSE_BY = 0.1
"""Share by which a figure must be worse than before to be named, and the least absolute change, in its last digit."""


def table(stage: str, found: Figures) -> list[str]:
    """Lines of Markdown: a row for each case, a column for each figure, "!" behind what is beyond its limit."""
    columns = list(dict.fromkeys(name for row in found.values() for name in row))
    lines = [f"### {stage}", "", f"| | {' | '.join(columns)} |", "|" + "---|" * (1 + len(columns))]
    for case, row in found.items():
        cells = [f"{row[name].value:.{row[name].digits}f}{row[name].mark}" if name in row else "" for name in columns]
        lines.append(f"| {case} | {' | '.join(cells)} |")
    return [*lines, ""]


def beyond(found: dict[str, Figures]) -> list[str]:
    """What is beyond its limit, by stage."""
    return [
        f"{stage}: {case}, {name} is {figure.value:.{figure.digits}f}, its limit {figure.limit:g}"
        for stage, cases in found.items()
        for case, row in cases.items()
        for name, figure in row.items()
        if figure.mark
    ]


def worse(found: dict[str, Figures], before: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """What is worse than in an earlier run, by stage."""
    lines = []
    for stage, cases in found.items():
        for case, row in cases.items():
            for name, figure in row.items():
                old = before.get(stage, {}).get(case, {}).get(name)
                if old is None:
                    continue
                loss = (figure.value - old) * (1 if figure.better == "lower" else -1)
                if loss > max(WORSE_BY * abs(old), 10.0**-figure.digits):
                    lines.append(
                        f"{stage}: {case}, {name} went from {old:.{figure.digits}f} to {figure.value:.{figure.digits}f}"
                    )
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for the clips of the performers")
    parser.add_argument("--small", action="store_true", help="few and small frames, coarse steps: about a minute")
    parser.add_argument("--only", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--against", type=Path, help="figures of an earlier run")
    options = parser.parse_args()
    people = make_people(options.folder, options.small)
    found = {}
    for stage in options.only:
        found[stage] = STAGES[stage](people, options.small)
        print("\n".join(table(stage, found[stage])), flush=True)
    if options.json:
        plain = {s: {c: {n: f.value for n, f in row.items()} for c, row in cs.items()} for s, cs in found.items()}
        options.json.write_text(json.dumps(plain, indent=1), "utf-8")
    if options.against:
        print(
            "\n".join(
                ["worse than before:", *(worse(found, json.loads(options.against.read_text("utf-8"))) or ["nothing"])]
            )
        )
    broken = beyond(found)
    print("\n".join(["beyond the limit:", *(broken or ["nothing"])]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
