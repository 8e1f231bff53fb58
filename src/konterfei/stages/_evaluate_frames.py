"""Which frames are measured."""

from __future__ import annotations

from pathlib import Path

from konterfei.io.manifest import Manifest
from konterfei.io.sequence import folder_of
from konterfei.stages._settings import parse_range

ENOUGH = 240
"""Frames that give steady figures: more are thinned out unless asked for."""
GROUP = 3
"""Neighbouring frames that are always measured together: jitter needs three, flicker two."""


def chosen_frames(indices: list[int], every_nth: int | None) -> list[int]:
    """Which of `indices` (ascending) to measure: groups of `GROUP` neighbours, the groups' starts `every_nth` apart."""
    step = every_nth or max(1, round(len(indices) * GROUP / ENOUGH))
    if step <= GROUP or (every_nth is None and len(indices) <= ENOUGH):
        return indices
    present = set(indices)
    wanted = {start + k for start in indices[::step] for k in range(GROUP)}
    return sorted(wanted & present)


def span_of(result: Path) -> tuple[int, int | None]:
    """The frames of the plate that the result is of: those of the merge's --range, as its manifest tells."""
    made = Manifest.load(folder_of(result))
    return parse_range(made.settings.get("range") if made is not None and made.stage == "merge" else None)
