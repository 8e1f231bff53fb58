"""What can be said of a run without reading its weights: for lists of runs, and for one in full."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from konterfei.errors import KonterfeiError, StoreError
from konterfei.io.backups import Backup, backups
from konterfei.io.manifest import Manifest
from konterfei.io.run import VALIDATION, Run


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """Where a run stands.

    Attributes:
        folder: where it lies.
        problem: why it cannot be used; "" = it can. The rest is then empty.
        config: what is trained.
        steps: done in all, other programs' included.
        minutes: trained.
        losses: of the last report, by name.
        best_score: of its validations; None = none.
        rollbacks: times it fell apart.
        changed: seconds since 1970 of its last step that was saved.
        is_trained_now: whether a process is training it; None where that cannot be known.
        size: bytes of its folder, backups included.
        checkpoints, snapshots: steps that are kept, rising.
        kept: its backups.
        preview: newest picture; None = none yet.
        progress: counters of the newest checkpoint.
        manifest: what it was made from; None = nothing was finished or saved yet.
    """

    folder: Path
    problem: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0
    minutes: float = 0.0
    losses: Mapping[str, float] = field(default_factory=dict)
    best_score: float | None = None
    rollbacks: int = 0
    changed: float = 0.0
    is_trained_now: bool | None = None
    size: int = 0
    checkpoints: tuple[int, ...] = ()
    snapshots: tuple[int, ...] = ()
    kept: tuple[Backup, ...] = ()
    preview: Path | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    manifest: Manifest | None = None


def runs_in(folder: Path, deep: int = 4) -> list[Path]:
    """The folders of all runs in `folder`, itself included, down to so many floors; backups of runs do not count.

    Raises:
        StoreError: there is no such folder.
    """
    if not folder.is_dir():
        raise StoreError(f"There is no folder '{folder}'.")
    if Run.exists(folder):
        return [folder]
    if not deep:
        return []
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [run for path in inside for run in runs_in(path, deep - 1)]


def summary_of(folder: Path) -> RunSummary:
    """What there is to say of the run in `folder`; of one that cannot be read, why."""
    try:
        return _summary(Run.open(folder))
    except KonterfeiError as error:
        return RunSummary(folder=folder, problem=str(error), changed=_changed([folder]), size=_bytes(folder))


def _summary(run: Run) -> RunSummary:
    figures, scores = run.metrics(), run.metrics(VALIDATION)
    checkpoints, snapshots = run.checkpoint_paths(), run.snapshot_paths()
    progress = _progress(checkpoints)
    totals = [entry["total"] for entry in scores if isinstance(entry.get("total"), float)]
    last = figures[-1] if figures else {}
    losses: dict[str, float] = {name: last[name] for name in ("src", "dst", "loss") if name in last}
    try:
        manifest = Manifest.load(run.folder)
    except KonterfeiError:
        manifest = None  # the run can be used without; training says that it is damaged
    imported = int((run.config.get("imported") or {}).get("steps", 0))
    return RunSummary(
        folder=run.folder,
        config=run.config,
        steps=int(progress.get("step", 0)) + int(progress.get("earlier", imported)),
        minutes=float(progress.get("trained_s", 0.0)) / 60,
        losses=losses,
        best_score=max(totals) if totals else None,
        rollbacks=int(progress.get("salt", 0)),
        changed=_changed([*checkpoints[-1:], *snapshots[-1:]] or [run.folder / "config.json"]),
        is_trained_now=run.is_being_written(),
        size=_bytes(run.folder),
        checkpoints=tuple(_step(path) for path in checkpoints),
        snapshots=tuple(_step(path) for path in snapshots),
        kept=tuple(backups(run)),
        preview=path if (path := run.folder / "previews" / "preview.jpg").is_file() else None,
        progress=progress,
        manifest=manifest,
    )


def _progress(checkpoints: list[Path]) -> dict[str, Any]:
    """The counters of the newest checkpoint that has any."""
    for folder in reversed(checkpoints):
        try:
            return dict(json.loads((folder / "state.json").read_text("utf-8"))["progress"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}


def _step(path: Path) -> int:
    number = path.name.partition(".")[0]
    return int(number) if number.isdigit() else -1


def _changed(paths: list[Path]) -> float:
    return max((path.stat().st_mtime for path in paths if path.exists()), default=time.time())


def _bytes(folder: Path) -> int:
    """Disk that a folder takes; a file of several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        try:
            told = path.stat()
        except OSError:  # somebody is training there
            continue
        if path.is_file():
            seen[told.st_dev, told.st_ino] = told.st_size
    return sum(seen.values())
