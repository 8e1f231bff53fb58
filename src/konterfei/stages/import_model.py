"""Import-dfl: a model folder of DeepFaceLab in, a run out, ready for merge, export and further training."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.errors import ConfigError
from konterfei.io.atomic import ensure_writable, sha256
from konterfei.io.legacy_model import LegacyModel, open_legacy_model
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.run import Run
from konterfei.nets.dims import architecture
from konterfei.reporting import Reporter
from konterfei.training.presets import PRESETS

if TYPE_CHECKING:
    from konterfei.models.dfl_layout import Imported

NEAREST_PRESET = {"SAEHD": "standard", "AMP": "amp", "Quick96": "quick96"}
"""Which preset trains each kind as DeepFaceLab does, and says from how many steps on it is no preview."""


@dataclass(frozen=True, kw_only=True)
class ImportDflModelConfig:
    """Take over a model that DeepFaceLab trained: SAEHD, AMP, Quick96 or XSeg.

    Its files are pickles; they are read by a reader that can only make plain arrays and numbers, nothing in them is
    executed. The optimiser's state and the discriminators are left behind.
    """

    model_dir: Path
    """DeepFaceLab's model folder, often workspace/model."""
    output: Path
    """Folder of the run to make."""
    name: str | None = None
    """Which model, where the folder holds several: what its files begin with, for example anna_SAEHD."""


@dataclass(frozen=True, kw_only=True)
class ImportDflModelResult:
    """What was taken over.

    Attributes:
        run: folder of the run.
        architecture: "liae-ud", "df-udt", "amp", "xseg".
        resolution: side of its faces, px.
        face_type: how much of the head they show.
        steps: that it was trained for in DeepFaceLab.
        was_done: whether it had been imported before.
    """

    run: Path
    architecture: str
    resolution: int
    face_type: str
    steps: int
    was_done: bool = False


def import_dfl_model(config: ImportDflModelConfig, reporter: Reporter) -> ImportDflModelResult:
    """Make a run of DeepFaceLab's model in `config.model_dir`.

    Raises:
        ConfigError: there is no model, several, or another run in the output folder.
        DamagedFileError: a file is missing, damaged, of another shape than its settings say, or no honest pickle.
    """
    legacy = open_legacy_model(config.model_dir, config.name)
    origin = _origin(legacy)
    if Run.exists(config.output):
        run = Run.open(config.output)
        there = run.config.get("imported")
        if there != origin and not (there and run.is_untrained):
            what = "another imported run" if there else "a run"
            raise ConfigError(f"'{config.output}' already holds {what}. Choose another folder.")
        if not run.is_untrained and Manifest.load(run.folder) is not None:
            reporter.note(f"'{legacy.name}' was already imported into '{config.output}'. Nothing was done.")
            return _result(run, was_done=True)
    from konterfei.models.dfl_layout import import_model  # here: torch is slow to load

    imported = import_model(legacy)
    for entry in imported.surplus[:5]:
        reporter.warn(f"Not taken over, the network has no place for it: {entry}")
    if len(imported.surplus) > 5:
        reporter.warn(f"... and {len(imported.surplus) - 5} more entries without a place.")
    run = _write(config, legacy, imported, origin)
    count = sum(array.size for array in imported.tensors.values())
    reporter.note(
        f"'{legacy.name}': {architecture(imported.model, imported.dims)}, {_resolution(run)} px, "
        f"{imported.face_type.value}, {count / 1e6:.1f} M weights, {legacy.iterations} steps."
    )
    if legacy.kind in NEAREST_PRESET:
        reporter.note(
            f"To go on: konterfei train --src SRC_FACES --dst DST_FACES -o {config.output} "
            f"--preset {NEAREST_PRESET[legacy.kind]}"
        )
    return _result(run)


def _origin(legacy: LegacyModel) -> dict[str, Any]:
    """What a run notes about where its weights come from."""
    files = sorted(legacy.folder.glob(f"{glob.escape(legacy.name)}_*.npy"))
    weights = [file for file in files if not file.stem.endswith("_opt")]
    return {
        "program": "DeepFaceLab",
        "name": legacy.name,
        "kind": legacy.kind,
        "steps": legacy.iterations,
        "files": {file.name: sha256(file) for file in (*weights, legacy.data_file)},
    }


def _write(config: ImportDflModelConfig, legacy: LegacyModel, imported: Imported, origin: dict[str, Any]) -> Run:
    """The run on disk, its snapshot last but for the manifest: without it, the run is begun anew."""
    size = sum(array.nbytes for array in imported.tensors.values())
    ensure_writable(config.output, size + (1 << 20))
    settings = {
        "model": imported.model,
        "dims": imported.dims,
        "face_type": imported.face_type.value,
        "preset": "imported",
        "imported": origin,
    }
    run = Run.open(config.output) if Run.exists(config.output) else Run.create(config.output, settings)
    with run.writing():
        run = run.replaced(settings)
        preset = NEAREST_PRESET.get(legacy.kind)
        is_preview = preset is not None and legacy.iterations < PRESETS[preset].usable_steps
        info = {"steps": legacy.iterations, "minutes": 0.0, "is_preview": is_preview}
        snapshot = run.save_snapshot(0, imported.tensors, info)
        manifest = Manifest(
            stage="import dfl-model",
            inputs={path.name: input_record(path) for path in imported.files},
            settings={"config": config},
            versions={"konterfei": version("konterfei")},
            output={"snapshot": snapshot.name, "sha256": sha256(snapshot)},
            results={"steps": legacy.iterations, "weights": sum(array.size for array in imported.tensors.values())},
            complete=True,
        )
        manifest.save(run.folder)
    return run


def _resolution(run: Run) -> int:
    return int(run.config["dims"].get("resolution", 256))  # XSeg's is fixed (dfl-spec 6.4)


def _result(run: Run, was_done: bool = False) -> ImportDflModelResult:
    config = run.config
    return ImportDflModelResult(
        run=run.folder,
        architecture=architecture(config["model"], config["dims"]),
        resolution=_resolution(run),
        face_type=config["face_type"],
        steps=config["imported"]["steps"],
        was_done=was_done,
    )
