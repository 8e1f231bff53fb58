"""What an evaluation is of: the plate, the facesets, who is who; refused where they do not belong together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from konterfei.errors import ConfigError
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import input_record
from konterfei.io.video import is_sequence
from konterfei.metrics import People
from konterfei.stages._evaluate_settings import EvaluateConfig
from konterfei.weights import WEIGHTS


def plate_of(config: EvaluateConfig, dst: Faceset) -> Path:
    if config.plate is None and not dst.header.source:
        raise ConfigError(
            f"The faceset '{config.faces}' is pooled from several videos. Give the unchanged video with --plate."
        )
    path = config.plate or Path(dst.header.source)
    if not (path.exists() or is_sequence(path)):
        if config.plate is None:
            raise ConfigError(
                f"The faceset '{config.faces}' was made from '{dst.header.source}', which is not there. "
                "Give the unchanged video with --plate."
            )
        raise ConfigError(f"--plate '{path}' does not exist.")
    if not (config.video.exists() or is_sequence(config.video)):
        raise ConfigError(f"There is no video '{config.video}' to measure.")
    if path.resolve() == config.video.resolve():
        raise ConfigError(f"'{path}' is both the merged video and the plate: there is nothing to compare.")
    return path


def check_plate(record: Mapping[str, Any], path: Path, dst: Faceset) -> None:
    known, now = dst.header.source_sha256, record.get("sha256")
    if known and now and known != now:
        raise ConfigError(
            f"'{path}' is not the video that the faces in '{dst.folder}' come from ('{dst.header.source}'): "
            "its content differs. Give that video with --plate, or extract the faces again."
        )


def people_of(config: EvaluateConfig, src: Faceset, dst: Faceset) -> People:
    for faceset in (src, dst):
        made_with = faceset.header.settings.get("recognizer", config.recognizer)
        if made_with != config.recognizer:
            raise ConfigError(
                f"The faces in '{faceset.folder}' were recognised by {made_with}, not by {config.recognizer}: their "
                f"embeddings do not compare. Use --recognizer {made_with} or extract again."
            )
    return People(src=src.identity(), dst=dst.identity())


def file_record(path: Path) -> dict[str, Any]:
    record = input_record(path)
    return {name: record[name] for name in ("path", "sha256", "size")}


def network_record(name: str) -> dict[str, str]:
    record = WEIGHTS.get(name)
    return {"name": name} if record is None else {"name": name, "sha256": record.sha256}
