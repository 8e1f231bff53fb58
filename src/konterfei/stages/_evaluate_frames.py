"""Which frames are measured: groups of neighbours, spread over all shots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.stages._extract_inputs import JOURNAL_NAME
from konterfei.stages._settings import parse_range
from konterfei.tracking.cuts import find_cuts
from konterfei.tracking.journal import peek

ENOUGH = 240
"""Frames that give steady figures: more are thinned out unless asked for."""
GROUP = 3
"""Neighbouring frames that are always measured together: jitter needs three, flicker two."""

Span = tuple[int, int | None]
"""First frame, and the one after the last; None = to the end."""


def chosen_frames(indices: Sequence[int], shots: Mapping[int, int], every_nth: int | None) -> list[int]:
    """Which of `indices` to measure: groups of `GROUP` neighbours, spread over the shots.

    Args:
        indices: of the frames that show the face, ascending.
        shots: number of the shot of each.
        every_nth: the groups' starts are so many of `indices` apart, and each shot has one at least; None = so many
            that there are about `ENOUGH` frames: each shot has its share, and one group at least while they last.
    """
    if (every_nth is None and len(indices) <= ENOUGH) or (every_nth is not None and every_nth <= GROUP):
        return list(indices)
    by_shot: dict[int, list[int]] = {}
    for index in indices:
        by_shot.setdefault(shots[index], []).append(index)
    present, wanted = set(indices), set()
    for own, starts in zip(by_shot.values(), _starts(list(by_shot.values()), every_nth), strict=True):
        inside = present.intersection(own)
        wanted |= {own[start] + k for start in starts for k in range(GROUP)} & inside
    return sorted(wanted)


def _starts(shots: list[list[int]], every_nth: int | None) -> list[list[int]]:
    """Where groups begin, as places in the frames of each shot."""
    if every_nth is not None:
        return [list(range(0, len(own), every_nth)) for own in shots]
    groups, total = ENOUGH // GROUP, sum(len(own) for own in shots)
    if len(shots) > groups:  # one in the middle of as many shots as there are groups
        there = set(np.linspace(0, len(shots) - 1, groups).round().astype(int).tolist())
        return [[max(0, (len(own) - GROUP) // 2)] if n in there else [] for n, own in enumerate(shots)]
    starts = []
    for own in shots:
        count = max(1, round(groups * len(own) / total))
        last = max(0, len(own) - GROUP)
        places = np.linspace(0, last, count) if count > 1 else [last // 2]
        starts.append(sorted({round(float(place)) for place in places}))
    return starts


def span_of(made: Manifest | None) -> Span:
    """The frames of the plate that a result is of: those of the merge's --range, as its manifest tells."""
    return parse_range(made.settings.get("range") if made is not None else None)


def shared(spans: Sequence[Span]) -> Span:
    """The frames that all of them have; the end is the start where there is none."""
    start = max(first for first, _ in spans)
    stops = [stop for _, stop in spans if stop is not None]
    return start, (max(start, min(stops)) if stops else None)


def shots_of(dst: Faceset) -> dict[int, int]:
    """Number of the shot, from 0, of each frame that has a face.

    The cuts are those that extract found, by its journal in the faceset. Without one, where all tracks end and others
    begin: no track goes over a cut.
    """
    indices = dst.frame_indices()
    cuts = _cuts_of_analysis(dst)
    if cuts is None:
        cuts = []
        tracks = [{record.face.track for record in dst.faces_at(index)} for index in indices]
        for place in range(1, len(indices)):
            before, now = tracks[place - 1], tracks[place]
            if None not in before | now and not before & now:
                cuts.append(indices[place])
    numbers = np.searchsorted(np.array(cuts, np.int64), np.array(indices, np.int64), side="right")
    _, numbers = np.unique(numbers, return_inverse=True)
    return dict(zip(indices, numbers.tolist(), strict=True))


def _cuts_of_analysis(dst: Faceset) -> list[int] | None:
    """Frames that begin a scene; None where extract left no journal of this one video."""
    analysis = peek(dst.folder / JOURNAL_NAME) if dst.header.source else None
    if analysis is None or not analysis.indices or analysis.names:
        return None
    return [analysis.indices[place] for place in find_cuts([frame.change for frame in analysis.frames])]
