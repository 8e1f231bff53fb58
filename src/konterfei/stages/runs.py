"""`konterfei runs`: which runs there are, and everything about one of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from konterfei.errors import StoreError
from konterfei.io.atomic import size_text
from konterfei.io.run_summary import RunSummary, runs_in, summary_of
from konterfei.nets.dims import architecture
from konterfei.reporting import Reporter


@dataclass(frozen=True, kw_only=True)
class RunsConfig:
    """List the runs in a folder, the last trained first; of a single run, say everything.

    A run is a folder: rename, copy, move or delete it in a file manager, while nobody trains it.
    """

    folder: Path = Path()
    """Folder with runs in it, or in folders of it; or that of one run."""


@dataclass(frozen=True, kw_only=True)
class RunsResult:
    """What there is.

    Attributes:
        runs: the last trained first.
        is_one: whether the folder that was asked for is a run itself.
    """

    runs: tuple[RunSummary, ...]
    is_one: bool = False

    def summary(self) -> list[str]:
        """A row for each run, or everything about the one."""
        if self.is_one:
            return _in_full(self.runs[0])
        rows = [_row(run) for run in self.runs]
        head = ("run", "model", "px", "face", "steps", "minutes", "loss src", "dst", "disk", "last trained")
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        problems = [f"'{run.folder}': {run.problem}" for run in self.runs if run.problem]
        return [*(line.rstrip() for line in lines), *problems]


def runs(config: RunsConfig, reporter: Reporter) -> RunsResult:
    """Look at every run in `config.folder`; nothing is changed.

    Raises:
        StoreError: there is no such folder, or no run in it.
    """
    found = runs_in(config.folder)
    if not found:
        raise StoreError(f"There is no run in '{config.folder}'. Train one: konterfei train.")
    told = sorted((summary_of(folder) for folder in found), key=lambda run: -run.changed)
    is_one = [path.absolute() for path in found] == [config.folder.absolute()]
    if is_one and told[0].problem:
        raise StoreError(told[0].problem)
    return RunsResult(runs=tuple(told), is_one=is_one)


def _row(run: RunSummary) -> tuple[str, ...]:
    if run.problem:
        return (str(run.folder), "damaged", *[""] * 6, size_text(run.size), _when(run))
    losses = [f"{value:.3f}" for value in run.losses.values()]  # of src and of dst; one where many people are learned
    src, dst = (*losses, "", "")[:2]
    return (
        str(run.folder),
        _kind(run),
        str(_dims(run).get("resolution", "")),
        str(run.config.get("face_type", "")),
        str(run.steps),
        f"{run.minutes:.1f}",
        src,
        dst,
        size_text(run.size),
        _when(run),
    )


def _kind(run: RunSummary) -> str:
    return architecture(str(run.config.get("model")), _dims(run))


def _dims(run: RunSummary) -> dict[str, Any]:
    return run.config.get("dims") or {}


def _when(run: RunSummary) -> str:
    return "now" if run.is_trained_now else time.strftime("%Y-%m-%d %H:%M", time.localtime(run.changed))


def _began_with(run: RunSummary) -> str:
    """The weights that it began with, in words."""
    base, other = run.config.get("base"), (run.manifest.inputs if run.manifest else {}).get("start_from")
    if base:
        learned_from = f", learned from {base['trained_on']}" if base.get("trained_on") else ""
        return f"the base '{base['name']}', {base['steps']} steps{learned_from}"
    if other:
        return f"the weights of '{other['path']}' at step {other['steps']}"
    return "imported weights" if "imported" in run.config else "chance"


def _in_full(run: RunSummary) -> list[str]:
    config, progress = run.config, run.progress
    manifest, elsewhere = run.manifest, run.steps - progress.get("step", 0)
    losses = ", ".join(f"{name} {value:.4f}" for name, value in run.losses.items()) or "none reported yet"
    told: list[tuple[str, Any]] = [
        ("run", run.folder),
        ("model", f"{_kind(run)}, {', '.join(f'{name} {value}' for name, value in _dims(run).items())}"),
        ("face type", config.get("face_type")),
        ("preset", config.get("preset")),
        ("optimiser", config.get("optimizer")),
        ("seed", config.get("seed")),
        ("began with", _began_with(run)),
        ("steps", f"{run.steps}{f' ({elsewhere} of them elsewhere)' if elsewhere else ''}"),
        ("minutes", f"{run.minutes:.1f}"),
        ("losses", losses),
        ("best held-out score", "none" if run.best_score is None else f"{run.best_score:.3f}"),
        ("fell apart", f"{run.rollbacks} times, rate now {progress.get('rate_scale', 1):.3g} of the plan's"),
        ("last trained", _when(run)),
    ]
    for faces in config.get("facesets") or ():
        told.append(("learned from", f"{faces.get('faces', '?')}: {faces.get('num_faces')} faces"))
    for person in () if "facesets" in config else ("src", "dst"):
        faces = config.get(person) or {}
        now = (manifest.inputs if manifest else {}).get(person, {})
        count = now.get("num_faces", faces.get("num_faces"))
        told.append((person, f"{faces.get('faces', '?')}: {count} faces of {faces.get('video') or 'several videos'}"))
    changed = {k: v for k, v in (progress.get("objectives") or {}).items() if v not in (None, False, 0, "no", "none")}
    told.append(("objectives", ", ".join(f"{name} {value}" for name, value in changed.items()) or "none yet"))
    settings = (manifest.settings if manifest else {}).get("config") or {}
    resolved = (manifest.settings if manifest else {}).get("resolved") or {}
    phases = [str(phase.get("name") or number) for number, phase in enumerate(resolved.get("phases") or [], 1)]
    if len(phases) > 1:
        told.append(("phases", f"{', '.join(phases)}; now in the {progress.get('phase', 0) + 1}."))
    told += [(f"--{name.replace('_', '-')}", value) for name, value in settings.items() if value is not None]
    told += [
        ("checkpoints of steps", ", ".join(map(str, run.checkpoints)) or "none"),
        ("snapshots of steps", ", ".join(map(str, run.snapshots)) or "none"),
        ("backups", ", ".join(backup.path.name for backup in run.kept) or "none"),
        ("disk", size_text(run.size)),
        ("preview", run.preview or "none yet"),
    ]
    if manifest:
        told.append(("made with", ", ".join(f"{name} {value}" for name, value in manifest.versions.items())))
    width = max(len(name) for name, _ in told)
    return [f"{name:<{width}}  {value}" for name, value in told]
