"""The run that a training writes, and the one that it may start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.errors import CheckpointMismatchError, ConfigError, StoreError
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Checkpoint, Run
from konterfei.models import MODELS
from konterfei.nets.dims import Dims
from konterfei.reporting import Reporter
from konterfei.training.held_out import LEAST, hold_out
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    from konterfei.training.beginning import Start

SIZES = {
    "resolution": "resolution",
    "ae_dims": "ae",
    "e_dims": "encoder",
    "d_dims": "decoder",
    "d_mask_dims": "mask",
    "inter_dims": "inter",
    "morph_factor": "morph",
}
"""Settings of the network's size -> fields of `Dims`."""


@dataclass(frozen=True)
class Origin:
    """The run to start from: its newest checkpoint, whether it was pretraining, and what a manifest says of it."""

    checkpoint: Checkpoint
    was_pretraining: bool
    record: dict[str, Any]

    def start(self, forgotten: tuple[str, ...]) -> Start:
        """What the new run begins with: `forgotten` are the networks that pretraining leaves as they began."""
        from konterfei.training.beginning import Start  # here: torch is slow to load

        anew = forgotten if self.was_pretraining else ()
        path, step = self.record["path"], self.checkpoint.step
        end = f"; {' and '.join(anew)} begin anew" if anew else ""
        told = f"The weights are those of '{path}' at step {step}{end}."
        return Start(self.checkpoint.tensors, anew, f"--start-from '{path}'", told)


def origin_of(start_from: Path | None, output: Path) -> Origin | None:
    """What a new run begins with; None when it begins anew or has begun already.

    Raises:
        StoreError: no run there, or none with a whole checkpoint.
    """
    if start_from is None or (Run.exists(output) and not Run.open(output).is_untrained):
        return None
    other = Run.open(start_from)
    if "pair" in other.config:
        raise ConfigError(f"--start-from '{start_from}': it has learned many people. Write --base in its place.")
    checkpoint = other.newest_checkpoint() or _weights_of(other)
    record = {
        "path": str(start_from.absolute()),
        "steps": checkpoint.step,
        "sha256": checkpoint.state["sha256"],
    }
    return Origin(checkpoint, bool(other.config.get("pretrain")), record)


def _weights_of(run: Run) -> Checkpoint:
    """The newest snapshot as a checkpoint without moments: of a run that was imported, or handed on to be merged with.

    Raises:
        StoreError: there is none either.
    """
    try:
        snapshot = run.newest_snapshot()
    except StoreError as error:
        raise StoreError(f"--start-from '{run.folder}': no weights there can be read. Train it first.") from error
    tensors = {f"{kind}/{name}": array for kind in ("weights", "ema") for name, array in snapshot.tensors.items()}
    return Checkpoint(int(snapshot.info["steps"]), tensors, {"sha256": snapshot.sha256})


def has_begun(output: Path) -> bool:
    """Whether there is a run that has learned something here: weights that were only imported do not count."""
    if not Run.exists(output):
        return False
    run = Run.open(output)
    return not (run.is_untrained or run.is_only_imported)


def with_imported(chosen: Preset, config: Any) -> Preset:
    """The preset with the network of the run in place of its own, where that run's weights were imported, or those of
    the run that it starts from, or where it has begun with a network taken over so.

    Settings of the network that `config` gives nevertheless are kept; that they fit is checked with those of any run.
    """
    folders = [folder for folder in (config.output, config.start_from) if folder is not None and Run.exists(folder)]
    runs = [(folder, Run.open(folder)) for folder in folders]
    imported = [
        (folder, run.config)
        for folder, run in runs
        if "imported" in run.config or ("sizes_from" in run.config and not run.is_untrained)
    ]
    given = (getattr(config, name) for name in ("architecture", "face_type", *SIZES))
    if not imported or any(value is not None for value in given):
        return chosen
    folder, there = imported[0]
    if there["model"] not in MODELS:
        raise ConfigError(f"'{folder}' holds an imported {there['model']}, which cannot be trained here.")
    return replace(
        chosen,
        model=there["model"],
        dims=Dims(**there["dims"]),
        face_type=FaceType(there["face_type"]),
        sizes_from=there.get("sizes_from", "") if folder == config.output else str(folder.absolute()),
    )


def _held_out(src: Faceset, dst: Faceset, share: float, reporter: Reporter) -> dict[str, list[str]]:
    """Names of the faces of each person that a new run is never to see."""
    names = {person: hold_out(faceset.records(), share) for person, faceset in (("src", src), ("dst", dst))}
    if not all(names.values()):
        if share:
            reporter.note(f"No faces are held out to measure the swap by: that takes {LEAST} of each person.")
        return {}
    return names


def open_run(
    output: Path,
    name: str,
    seed: int,
    chosen: Preset,
    src: Faceset,
    dst: Faceset,
    held_out: float,
    base: Mapping[str, Any] | None,
    reporter: Reporter,
) -> Run:
    """The run in the output folder: a new one, or the one there when its settings are the same.

    `base`: what its config says of the base that a new one begins with.
    """
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
            "num_faces": len(faceset),
            "video": faceset.header.source_name,
            "video_sha256": faceset.header.source_sha256,
        }
        for person, faceset in (("src", src), ("dst", dst))
    }
    settings = {**fixed, "preset": name, **people}
    if chosen.sizes_from:
        settings["sizes_from"] = chosen.sizes_from
    if not has_begun(output):
        settings["held_out"] = _held_out(src, dst, 0.0 if chosen.objectives.pretrain else held_out, reporter)
    if not Run.exists(output) and not Run(output, {}).is_untrained:  # a config that was lost: the manifest knows
        made = Manifest.load(output)
        base = None if made is None else made.inputs.get("base")
    if base is not None:
        settings["base"] = dict(base)
    if not Run.exists(output):
        return Run.create(output, settings)
    run = Run.open(output)
    if run.is_untrained:
        with run.writing():
            return run.replaced(settings)
    if run.is_only_imported:
        fixed = {key: fixed[key] for key in ("model", "dims", "face_type")}  # the rest is decided now
    # Runs from before there was a choice do not name these.
    there = {"pretrain": False, **run.config, "dims": {"inter": 0, "morph": 0.5, **run.config["dims"]}}
    changed = [f"{k}: there {there.get(k)!r}, asked for {v!r}" for k, v in fixed.items() if there.get(k) != v]
    if changed:
        raise CheckpointMismatchError(
            f"'{output}' was made with other settings ({'; '.join(changed)}). "
            "Use its settings, or train in another folder."
        )
    if run.is_only_imported:
        with run.writing():
            return run.replaced({**settings, "imported": run.config["imported"]})
    for person in ("src", "dst"):
        if run.config[person]["hash"] != people[person]["hash"]:
            then = run.config[person].get("num_faces")  # runs from before it was noted have none
            counts = f": {people[person]['num_faces']} faces now, {then} then" if then else ""
            reporter.note(f"The {person} faceset has changed since this run began{counts}; what is there now is used.")
    return run
