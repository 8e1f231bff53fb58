"""What a report says of the networks that looked: whose they are, what they learned from, where they fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from konterfei.detectors import DETECTORS
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.weights import WEIGHTS

_ROLES: Final = {
    "detector": (DETECTORS, "says whether the result shows a face at all"),
    "landmarker": (LANDMARKERS, "finds the points of the face: shape, expression, pose, gaze, jitter"),
    "recognizer": (RECOGNIZERS, "tells whose face it is: identity"),
    "witness": (RECOGNIZERS, "tells the same, and no training learns from it"),
}
"""Setting that names a network -> its family, and what it is used for."""


def networks_of(settings: Mapping[str, Any]) -> list[dict[str, str]]:
    """Each network that the settings of an evaluation name, as plain JSON values.

    Args:
        settings: `about["settings"]`; a network is {"name": ..., "sha256": ...}.
    """
    found = []
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
    return found
