"""The run that a training writes, and the one that it may start from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from konterfei.errors import CheckpointMismatchError, StoreError
from konterfei.io.faceset import Faceset
from konterfei.io.run import Checkpoint, Run
from konterfei.reporting import Reporter
from konterfei.training.presets import Preset


@dataclass(frozen=True)
class Origin:
    """The run to start from: its newest checkpoint, whether it was pretraining, and what a manifest says of it."""

    checkpoint: Checkpoint
    was_pretraining: bool
    record: dict[str, Any]


def origin_of(start_from: Path | None, output: Path) -> Origin | None:
    """What a new run begins with; None when it begins anew or has begun already.

    Raises:
        StoreError: no run there, or none with a whole checkpoint.
    """
    if start_from is None or (Run.exists(output) and not Run.open(output).is_untrained):
        return None
    other = Run.open(start_from)
    checkpoint = other.newest_checkpoint()
    if checkpoint is None:
        raise StoreError(f"--start-from '{start_from}': no checkpoint there can be read. Train it first.")
    record = {
        "path": str(start_from.absolute()),
        "steps": checkpoint.step,
        "sha256": checkpoint.state["sha256"],
    }
    return Origin(checkpoint, bool(other.config.get("pretrain")), record)


def open_run(output: Path, name: str, seed: int, chosen: Preset, src: Faceset, dst: Faceset, reporter: Reporter) -> Run:
    """The run in the output folder: a new one, or the one there when its settings are the same."""
    fixed: dict[str, Any] = {
        "model": chosen.model,
        "dims": asdict(chosen.dims),
        "face_type": str(chosen.face_type),
        "optimizer": chosen.optimizer,
        "seed": seed,
        "pretrain": chosen.objectives.pretrain,
    }
    people = {
        person: {
            "faces": str(faceset.folder),
            "hash": faceset.content_hash(),
            "video": faceset.header.source_name,
            "video_sha256": faceset.header.source_sha256,
        }
        for person, faceset in (("src", src), ("dst", dst))
    }
    settings = {**fixed, "preset": name, **people}
    if not Run.exists(output):
        return Run.create(output, settings)
    run = Run.open(output)
    if run.is_untrained:
        with run.writing():
            return run.replaced(settings)
    there = {"pretrain": False, **run.config}  # runs from before there was a choice
    changed = [f"{k}: there {there.get(k)!r}, asked for {v!r}" for k, v in fixed.items() if there.get(k) != v]
    if changed:
        raise CheckpointMismatchError(
            f"'{output}' was made with other settings ({'; '.join(changed)}). "
            "Use its settings, or train in another folder."
        )
    for person in ("src", "dst"):
        if run.config[person]["hash"] != people[person]["hash"]:
            reporter.note(f"The {person} faceset has changed since this run began; what is there now is used.")
    return run
