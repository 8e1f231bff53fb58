"""The figures of a report as plain JSON values; docs/facesets.md lists the keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from konterfei import __version__
from konterfei.curation.duplicates import DOUBLE_LIMIT
from konterfei.curation.lacking import KINDS, TOLERANCES, Gap
from konterfei.curation.poses import PITCH_AHEAD, PoseMap
from konterfei.curation.study import AXES, Comparison, Study, bars, told, values_of
from konterfei.curation.suspicion import Suspicion
from konterfei.curation.traits import Traits
from konterfei.curation.verdict import Criterion, overall
from konterfei.io.faceset import Faceset

FORMAT = "konterfei faceset report"
VERSION = 1
"""Raised when a key changes its meaning or goes; new keys do not raise it."""

_NETWORKS = ("detector", "landmarker", "recognizer")


def figures_of(faceset: Faceset, judged: Study, shot: Faceset | None, comparison: Comparison | None) -> dict[str, Any]:
    """All of it. Numbers that are not known are null."""
    criteria = [*judged.criteria, *([] if comparison is None else comparison.criteria)]
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "konterfei": __version__,
        "faceset": _about(faceset),
        "verdict": {"level": str(overall(criteria)), "criteria": [_criterion(item) for item in criteria]},
        "poses": _poses(judged.poses, judged.traits.names),
        "axes": {name: _axis(judged.traits, name) for name in AXES},
        "suspicious": {name: suspicion_figures(item, judged.traits) for name, item in judged.found.items()},
        "duplicates": {
            "faces": judged.num_doubles,
            "limit": DOUBLE_LIMIT,
            "groups": [
                {
                    "best": judged.traits.names[group.best],
                    "others": [judged.traits.names[row] for row in group.rows[1:]],
                    "distances": list(group.distances[1:]),
                }
                for group in judged.groups
            ],
        },
    }
    if shot is not None and comparison is not None:
        data["shot"] = _shot(shot, judged.traits, comparison)
    return _plain(data)


def suspicion_figures(item: Suspicion, traits: Traits) -> dict[str, Any]:
    """What one reason found."""
    return {
        "title": item.reason.title,
        "limit": item.limit.value,
        "is_most": item.limit.is_most,
        "limit_source": item.limit.source,
        "known": int(np.isfinite(item.values).sum()),
        "faces": [
            {"name": traits.names[row], "value": float(item.values[row]), "told": item.told(row)} for row in item.rows
        ],
    }


def _about(faceset: Faceset) -> dict[str, Any]:
    header, records = faceset.header, faceset.records()
    return {
        "name": faceset.folder.absolute().name,
        "faces": len(faceset),
        "not_used": len(faceset.damaged),
        "copies": len(faceset.duplicates),
        "face_type": str(header.face_type),
        "size": header.size,
        "sources": sorted({record.source for record in records}),
        "content": faceset.content_hash(),
        "networks": {name: header.settings[name] for name in _NETWORKS if name in header.settings},
    }


def _criterion(item: Criterion) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "value": item.value,
        "unit": item.unit,
        "level": str(item.level),
        "good": item.good,
        "usable": item.usable,
        "is_most": item.is_most,
    }


def _poses(poses: PoseMap, names: list[str]) -> dict[str, Any]:
    return {
        "yaw_edges": list(poses.yaw_edges),
        "pitch_edges": list(poses.pitch_edges),
        "pitch_ahead": PITCH_AHEAD,
        "counts": poses.counts.tolist(),
        "best": [[names[row] if row >= 0 else None for row in rows] for rows in poses.best],
    }


def _axis(traits: Traits, name: str) -> dict[str, Any]:
    values = values_of(traits, name)
    edges, counts, _ = bars(values)
    known = values[np.isfinite(values)]
    quantiles = np.quantile(known, [0.01, 0.05, 0.5, 0.95, 0.99]).tolist() if len(known) else [float("nan")] * 5
    return {
        "title": AXES[name],
        "quantiles": dict(zip(("1%", "5%", "50%", "95%", "99%"), quantiles, strict=True)),
        "usual": traits.usual.get(name, float("nan")),
        "edges": edges,
        "counts": counts,
    }


def _shot(shot: Faceset, source: Traits, comparison: Comparison) -> dict[str, Any]:
    near, theirs = comparison.near, comparison.shot
    return {
        **_about(shot),
        "coverage": {"all": comparison.covered, **{kind: near.covered(kind) for kind in KINDS}},
        "tolerances": TOLERANCES,
        "poses": _poses(comparison.poses, theirs.names),
        "lacking": [_gap(gap, source, theirs) for gap in comparison.gaps],
    }


def _gap(gap: Gap, source: Traits, shot: Traits) -> dict[str, Any]:
    first, last = (shot.records[gap.rows[end]] for end in (0, -1))
    return {
        "kind": gap.kind,
        "told": told(gap, source, shot),
        "faces": len(gap.rows),
        "source": first.source,
        "from_frame": first.frame_index,
        "to_frame": last.frame_index,
        "from_seconds": float(first.pts),
        "to_seconds": float(last.pts),
        "distance": gap.distance,
        "worst": shot.names[gap.worst],
        "nearest": source.names[gap.nearest],
    }


def _plain(value: Any) -> Any:
    """`value` with what JSON has no number for as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.6g}") if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    return value
