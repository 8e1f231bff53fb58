"""Backups of a run: states to go back to, each a run by itself.

    run/backups/00012000/            config.json, manifest.json, metrics.jsonl up to then,
                                     checkpoints/, snapshots/, previews/ with one of each, best/ if there is one

Checkpoint and snapshot are never changed once they are written, so a backup shares them with the run (hard links) and
costs disk only when the run has thrown its own away. A backup can be merged with as it lies there; to train it by
itself, copy it first.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from konterfei.errors import ConfigError, StoreError
from konterfei.io.atomic import make_folder, remove_folder, replace_folder, sha256, sync, translated
from konterfei.io.history import to_thin_out
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run

KEPT = 24
"""Backups without a name that are kept."""
NEWEST = 12
"""So many of them are the newest; the others are spread evenly over the time before."""

_TEMPORARY = ".tmp-"


@dataclass(frozen=True)
class Backup:
    """One state that was kept.

    Attributes:
        path: its folder, a run.
        step: optimiser steps done.
        minutes: trained until then.
        loss: mean of the last report; 0 = none yet.
        name: given by a person; "" for those that are thinned out by themselves.
    """

    path: Path
    step: int
    minutes: float
    loss: float
    name: str


def generations(run: Run) -> list[int]:
    """Steps of which the run itself keeps an older whole state, rising: a checkpoint and its snapshot."""
    snapshots = {_step(path) for path in run.snapshot_paths()}
    return [step for path in run.checkpoint_paths()[:-1] if (step := _step(path)) in snapshots]


def make_backup(run: Run, name: str = "", keep: int = KEPT, step: int | None = None) -> Backup:
    """Keep the newest checkpoint and snapshot. Only for the process that may write the run.

    Args:
        run: with at least one checkpoint.
        name: keeps the backup from being thinned out; letters, digits, hyphens and underscores.
        keep: backups without a name that stay.
        step: of an older state that is in `generations`, to be kept instead.

    Raises:
        ConfigError: the name has other letters.
        StoreError: there is no checkpoint.
        OutputError: the disk is full.
    """
    check_name(name)
    checkpoints, snapshots = run.checkpoint_paths(), run.snapshot_paths()
    if step is not None:
        checkpoints, snapshots = ([path for path in paths if _step(path) == step] for paths in (checkpoints, snapshots))
    if not checkpoints or not snapshots:
        raise StoreError(f"'{run.folder}' has nothing to back up yet. Train it first: konterfei train.")
    place = run.folder / "backups" / "-".join(filter(None, (checkpoints[-1].name[:8], name)))
    make_folder(place.parent)
    for torn in place.parent.glob(f"{_TEMPORARY}*"):
        shutil.rmtree(torn, ignore_errors=True)
    new = place.with_name(f"{_TEMPORARY}{place.name}")
    with translated(place, new):
        target = make_folder(new / "checkpoints" / checkpoints[-1].name)
        _share(checkpoints[-1].iterdir(), target)
        _share(snapshots[-1:], make_folder(new / "snapshots"))
        if best := [path for path in run.best_paths() if step is None or _step(path) <= step]:
            _share(best[-1:], make_folder(new / "best"))
        for name_of in ("config.json", "manifest.json", "metrics.jsonl", "validation.jsonl"):
            if (file := run.folder / name_of).is_file():
                shutil.copyfile(file, new / file.name)
        make_folder(new / "previews")
        if run.preview_path().is_file():
            shutil.copyfile(run.preview_path(), new / "previews" / "preview.jpg")
    replace_folder(new, place)
    _thin_out(run, keep)
    return _read(place)


def check_name(name: str) -> None:
    """Raise ConfigError unless a backup may be called that."""
    if name and not re.fullmatch(r"[A-Za-z0-9_-]{1,60}", name):
        raise ConfigError(f"'{name}' is no name for a backup: use up to 60 letters, digits, hyphens and underscores.")


def backups(run: Run) -> list[Backup]:
    """Those of a run, oldest first."""
    folders = (run.folder / "backups").glob("[0-9]*")
    found = [_read(path) for path in folders if Run.exists(path)]
    return sorted(found, key=lambda backup: (backup.step, backup.name))


def own_bytes(run: Run) -> int:
    """Disk that only the backups of a run take: what they share with the run is not counted."""
    seen: set[tuple[int, int]] = set()
    total = 0
    theirs = {_identity(p) for part in ("checkpoints", "snapshots", "best") for p in (run.folder / part).rglob("*")}
    for path in (run.folder / "backups").rglob("*"):
        with suppress(FileNotFoundError):
            if path.is_file() and (key := _identity(path)) not in seen | theirs:
                seen.add(key)
                total += path.stat().st_size
    return total


def go_back(run: Run, backup: Backup) -> Backup | None:
    """Make the state of a backup the newest of its run. Only for the process that may write the run.

    What the run has learned since is kept as a backup of its own, with the previews of that time; when something
    fails on the way, the run still has a whole state.

    Returns:
        The backup of what was left behind; None when there was nothing newer.

    Raises:
        StoreError: the backup is damaged.
        OutputError: the disk is full.
    """
    kept = Run.open(backup.path)
    if kept.newest_checkpoint() is None:
        raise StoreError(f"The backup '{backup.path}' is damaged: {'; '.join(kept.passed_over.values()) or 'empty'}.")
    kept.newest_snapshot()  # raises when it is damaged
    checkpoint, snapshot = kept.checkpoint_paths()[-1], kept.snapshot_paths()[-1]
    same = [path for path in run.checkpoint_paths() if _step(path) == backup.step]
    is_there = bool(same) and _state(same[-1]) == _state(checkpoint)
    there = (*run.checkpoint_paths(), *run.snapshot_paths(), *run.best_paths())
    newer = [path for path in there if _step(path) > backup.step]
    has_other = run.checkpoint_paths() and run.snapshot_paths() and (newer or not is_there)
    left = make_backup(run, f"until-back-to-{backup.step}") if has_other else None
    with translated(run.folder):
        if not is_there:  # another one of this step is not touched: the higher repetition counts
            again = f".{_repetition(same[-1]) + 1}" if same else ""
            target = run.folder / "checkpoints" / f"{backup.step:08d}{again}"
            temporary = make_folder(target.with_name(f"{_TEMPORARY}{target.name}"))
            _share(checkpoint.iterdir(), temporary)
            temporary.replace(target)
        _bring(snapshot, run.folder / "snapshots")
        for path in newer:
            remove_folder(path) if path.is_dir() else path.unlink()
        best = [path for path in kept.best_paths() if _step(path) <= backup.step]
        if best and not run.best_paths():
            _bring(best[-1], make_folder(run.folder / "best"))
        for step, path in run.preview_history():
            if step > backup.step and left is not None:
                path.replace(left.path / "previews" / path.name)
        if (kept.folder / "previews" / "preview.jpg").is_file():
            shutil.copyfile(kept.folder / "previews" / "preview.jpg", run.preview_path())
    manifest = Manifest.load(run.folder)
    if manifest is not None:
        newest = run.snapshot_paths()[-1]
        manifest.output = {"snapshot": newest.name, "sha256": sha256(newest)}
        manifest.results = {**manifest.results, "steps": backup.step, "minutes": backup.minutes, "loss": backup.loss}
        manifest.complete = False
        manifest.save(run.folder)
    return left


def _thin_out(run: Run, keep: int) -> None:
    unnamed = [(backup.step, backup.path) for backup in backups(run) if not backup.name]
    for _, path in to_thin_out(unnamed, keep, newest=min(NEWEST, keep - 1)):
        remove_folder(path)


def _share(files: Iterable[Path], folder: Path) -> None:
    """A second name for each file in `folder`; a copy on disks without such names."""
    for file in files:
        try:
            os.link(file, folder / file.name)
        except FileExistsError:
            pass
        except OSError:
            shutil.copyfile(file, folder / file.name)
            sync(folder / file.name)


def _bring(file: Path, folder: Path) -> None:
    """Let a file be in `folder`, too, in place of what has its name there."""
    temporary = folder / f"{_TEMPORARY}{file.name}"
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    _share([file], make_folder(temporary))
    (temporary / file.name).replace(folder / file.name)
    shutil.rmtree(temporary)


def _read(path: Path) -> Backup:
    number, _, name = path.name.partition("-")
    try:
        (state,) = path.glob("checkpoints/*/state.json")
        progress = json.loads(state.read_text(encoding="utf-8"))["progress"]
        minutes, loss = float(progress["trained_s"]) / 60, float(progress["loss"])
    except (OSError, ValueError, KeyError, TypeError):  # that it is damaged is said when it is wanted
        minutes, loss = 0.0, 0.0
    return Backup(path, int(number), round(minutes, 2), round(loss, 5), name)


def _step(path: Path) -> int:
    number = path.name.partition(".")[0]
    return int(number) if number.isdigit() else -1


def _repetition(path: Path) -> int:
    again = path.name.partition(".")[2]
    return int(again) if again.isdigit() else 0


def _state(checkpoint: Path) -> bytes:
    """What tells one checkpoint from another: it holds the checksum of its tensors."""
    path = checkpoint / "state.json"
    return path.read_bytes() if path.is_file() else b""


def _identity(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_dev, found.st_ino
