"""What a run was made from, as credentials name it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from konterfei.provenance.credentials import Material


def material_of_run(config: Mapping[str, Any], person: str) -> Material:
    """The footage of src or dst by what a run's config says: the video, or the faceset where it is of several.

    Args:
        config: of the run.
        person: "src" or "dst".
    """
    told = config.get(person) or {}
    if told.get("video") and told.get("video_sha256"):
        return Material(name=str(told["video"]), sha256=str(told["video_sha256"]))
    name = f"{person} faceset {Path(str(told.get('faces', ''))).name}".strip()
    return Material(name=name, sha256=str(told.get("hash", "")))
