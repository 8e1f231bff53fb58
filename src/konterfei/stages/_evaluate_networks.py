"""What a report says of the networks that looked, and of the base that a model began with: whose they are, what they
learned from, where they fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from konterfei.detectors import DETECTORS
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.weights import WEIGHTS
from konterfei.weights.bases import BASES

_ROLES: Final = {
    "detector": (DETECTORS, "says whether the result shows a face at all"),
    "landmarker": (LANDMARKERS, "finds the points of the face: shape, expression, pose, gaze, jitter"),
    "recognizer": (RECOGNIZERS, "tells whose face it is: identity"),
    "witness": (RECOGNIZERS, "tells the same, and no training learns from it"),
}
"""Setting that names a network -> its family, and what it is used for."""


def networks_of(about: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each network that an evaluation names, as plain JSON values.

    Args:
        about: of a result. In its settings a network is {"name": ..., "sha256": ...}; the model among its inputs may
            name the base that it began with.
    """
    found, settings = [], about.get("settings", {})
    for role, (table, used) in _ROLES.items():
        asked = settings.get(role)
        name = asked.get("name") if isinstance(asked, Mapping) else asked
        if not isinstance(name, str) or not name:
            continue
        told = {"role": role, "name": name, "used_for": used}
        if isinstance(asked, Mapping) and "sha256" in asked:
            told["sha256"] = str(asked["sha256"])
        if (record := WEIGHTS.get(name)) is not None:
            told |= {
                "sha256": told.get("sha256", record.sha256),
                "made_by": record.upstream,
                "version": record.version,
                "origin": record.origin,
                "licence": record.licence,
                "trained_on": record.trained_on,
                "changed": record.changed,
                "note": record.note,
            }
        told["limits"] = getattr(table.load(name), "limits", "") if name in table else ""
        found.append({key: value for key, value in told.items() if value})
    base = about.get("inputs", {}).get("model", {}).get("base")
    return [*found, _base(base)] if base else found


def _base(base: Mapping[str, Any]) -> dict[str, str]:
    """What is known of the base that a model began with (`_train_base.record_of`)."""
    carried = next((record for record in BASES.values() if record.sha256 == base["sha256"]), None)
    told = {
        "role": "base",
        "name": str(base["name"]),
        "used_for": "the model that drew the faces began its training with it",
        "sha256": str(base["sha256"]),
        "steps": str(base["steps"]),
        "trained_on": str(base["trained_on"]) or "not known",
    }
    if carried is not None:
        told |= {
            "made_by": "konterfei",
            "version": carried.version,
            "licence": carried.licence,
            "note": carried.note,
            "card": f"docs/bases.md, {carried.card}",
        }
    return told
