"""A run: one training on disk.

    run/
      config.json        what is trained: model, dims, face type, preset, seed, both facesets, the base it began with
      metrics.jsonl      one line per report: step, losses, speed
      checkpoints/       00012000/ holds tensors.safetensors and state.json (checksum, counters): full state to resume
      snapshots/         00012000.safetensors: smoothed weights with their description, for use
      previews/          preview.jpg (newest) and preview_00012000.jpg (history, thinned evenly)
      backups/           00012000/: runs by themselves, kept to go back to (io.backups)
      commands/          wishes of other processes to the one that trains (io.mailbox)

A checkpoint or snapshot is written under a temporary name, flushed and renamed: it is there whole or not at all.
Several are kept; a damaged one is passed over and named. One process at a time may write (`Run.writing`); any number
may read meanwhile. No torch here: tensors are numpy arrays.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError

from konterfei.errors import CheckpointMismatchError, ConfigError, DamagedFileError, OutputError, StoreError
from konterfei.io.atomic import (
    make_folder,
    remove_folder,
    remove_leftovers,
    sync_folder,
    translated,
    write_json,
)
from konterfei.io.history import to_outgrow, to_thin_out
from konterfei.io.locks import exclusive, is_held
from konterfei.io.preview_file import PreviewLayout, write_preview
from konterfei.io.run_files import (
    Checkpoint,
    Snapshot,
    Tensors,
    read_checkpoint,
    read_snapshot,
    write_checkpoint,
    write_snapshot,
)

RUN_VERSION = 1
"""Version of the folder's layout and of config.json."""

PREVIEWS = 60
"""Pictures of the history that are kept: a film of the training, at 0.4 MB each (up to 128 px) some 25 MB."""

METRICS, VALIDATION = "metrics", "validation"
"""Kinds of figures that a run keeps: of its steps, and of what was measured on faces that it never saw."""

_TEMPORARY = ".tmp-"


class Run:
    """One training on disk. Made by `create` or `open`.

    Attributes:
        folder: where it lies.
        config: what is trained; never changes after `create`.
        passed_over: damaged files that were found and not used, with the reason.
    """

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder, self.config = folder, config
        self.passed_over: dict[str, str] = {}

    @classmethod
    def create(cls, folder: Path, config: Mapping[str, Any]) -> Run:
        """A new run. Raises StoreError where one is already."""
        if cls.exists(folder):
            raise StoreError(f"'{folder}' already holds a run. Open it to go on, or choose another folder.")
        remove_leftovers(make_folder(folder))  # of a run that was killed while it was made
        for part in ("checkpoints", "snapshots", "previews"):
            make_folder(folder / part)
        data = {"run_version": RUN_VERSION, **config}
        write_json(folder / "config.json", data)
        return cls(folder, data)

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a run in `folder`."""
        return (folder / "config.json").is_file()

    @classmethod
    def open(cls, folder: Path) -> Run:
        """A run that is there.

        Raises:
            StoreError: none is there.
            CheckpointMismatchError: it is of another version.
            DamagedFileError: its config cannot be read.
        """
        path = folder / "config.json"
        if not path.is_file():
            raise StoreError(f"'{folder}' holds no run (no config.json). Train one: konterfei train -o '{folder}' ...")
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            version = config["run_version"]
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFileError(
                f"'{path}' cannot be read ({error}). Copy that of a backup over it, if there is one (in "
                f"'{folder / 'backups'}'), or delete it and give the same konterfei train again: it writes it anew and "
                "goes on from the checkpoints, but may hold out other faces than before. If its weights were imported, "
                "import them again, into another folder: that they were is not known without it."
            ) from error
        if version != RUN_VERSION:
            raise CheckpointMismatchError(
                f"'{folder}' is a run of version {version}; this konterfei reads version {RUN_VERSION}. "
                "Train in another folder, or use the konterfei that made it."
            )
        return cls(folder, config)

    @property
    def is_untrained(self) -> bool:
        """Whether nothing was learned yet: no checkpoint and no snapshot, whole or damaged."""
        return not self._checkpoint_folders() and not self.snapshot_paths()

    @property
    def is_only_imported(self) -> bool:
        """Whether its weights come from another program and nothing was learned here yet."""
        return "imported" in self.config and not self._checkpoint_folders()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The right to write, held until the block ends or the process does, however it ends.

        Removes what a killed writer left unfinished.

        Raises:
            OutputError: another process is training this run, or the folder cannot be written.
        """
        busy = OutputError(
            f"'{self.folder}' is being trained by another process. Wait for it, stop it (konterfei tell "
            f"'{self.folder}' stop), or choose another folder."
        )
        with exclusive(self.folder / ".writer.lock", busy):
            remove_leftovers(self.folder)
            for part in ("checkpoints", "snapshots", "previews", "best"):
                remove_leftovers(make_folder(self.folder / part))
            if (self.folder / "faces").is_dir():  # there only where faces do not fit into memory
                remove_leftovers(self.folder / "faces")
            for unfinished in (self.folder / "checkpoints").glob(f"{_TEMPORARY}*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            yield

    def is_being_written(self) -> bool | None:
        """Whether a process holds the right to write now; None where the disk or system has no locks."""
        return is_held(self.folder / ".writer.lock")

    def replaced(self, config: Mapping[str, Any]) -> Run:
        """This run with another config: only while nothing was learned here."""
        assert self.is_untrained or self.is_only_imported
        data = {"run_version": RUN_VERSION, **config}
        write_json(self.folder / "config.json", data)
        return Run(self.folder, data)

    # --- checkpoints

    def save_checkpoint(self, checkpoint: Checkpoint, keep: int = 3) -> Path:
        """Write a checkpoint and keep `keep`: see `to_outgrow`. Raises OutputError when the disk is full."""
        folders = self._checkpoint_folders()
        same = [folder for folder in folders if _order(folder)[0] == checkpoint.step]
        # A checkpoint of this step is not touched until the new one is there: nothing is ever overwritten.
        suffix = f".{_order(same[-1])[1] + 1}" if same else ""
        target = self.folder / "checkpoints" / f"{checkpoint.step:08d}{suffix}"
        temporary = target.with_name(f"{_TEMPORARY}{target.name}-{os.getpid()}")
        make_folder(temporary)
        try:
            with translated(target, temporary, temporary / "tensors.safetensors"):
                write_checkpoint(temporary, checkpoint)
                temporary.replace(target)
                sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        for old in (*same, *_surplus([f for f in folders if f not in same], target, keep)):
            remove_folder(old)
        return target

    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest whole checkpoint; None when there is none. Damaged ones are listed in `passed_over`."""
        for folder in reversed(self._checkpoint_folders()):
            try:
                return read_checkpoint(folder)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                self.passed_over[folder.name] = str(error)
        return None

    def forget(self, step: int = 0) -> None:
        """Remove the checkpoints and snapshots from `step` on, and best weights beyond the one that is the newest then.

        Imported weights stay.
        """
        kept = [number for folder in self._checkpoint_folders() if (number := _order(folder)[0]) < step]
        later = [path for path in self.best_paths() if _order(path)[0] > max(kept, default=0)]
        for path in (*later, *self.snapshot_paths(), *reversed(self._checkpoint_folders())):
            if path in later or (_order(path)[0] >= step and not self._is_import(path)):
                remove_folder(path) if path.is_dir() else path.unlink()

    def has_checkpoint_before(self, step: int) -> bool:
        """Whether there is one of an earlier step."""
        return any(_order(folder)[0] < step for folder in self._checkpoint_folders())

    def checkpoint_paths(self) -> list[Path]:
        """The folders of all checkpoints, oldest first."""
        return self._checkpoint_folders()

    def _checkpoint_folders(self) -> list[Path]:
        there = (self.folder / "checkpoints").glob("[0-9]*")
        return sorted((path for path in there if path.is_dir()), key=_order)

    # --- snapshots

    def save_snapshot(self, step: int, tensors: Tensors, info: Mapping[str, Any], keep: int = 5) -> Path:
        """Write weights for use and keep `keep`: those of the checkpoints, and others of growing age."""
        target = self.folder / "snapshots" / f"{step:08d}.safetensors"
        make_folder(target.parent)
        write_snapshot(target, step, tensors, info)
        whole = {_order(folder)[0] for folder in self._checkpoint_folders()}
        others = [path for path in self.snapshot_paths() if path != target and _order(path)[0] not in whole]
        others = [path for path in others if not self._is_import(path)]
        left = keep - (len(self.snapshot_paths()) - len(others)) + 1
        for old in _surplus(others, target, max(1, left), newest=1):
            old.unlink(missing_ok=True)
        return target

    def snapshot_paths(self) -> list[Path]:
        """All snapshots, oldest first."""
        return sorted((self.folder / "snapshots").glob("[0-9]*.safetensors"), key=_order)

    def _is_import(self, path: Path) -> bool:
        """Whether a file holds the weights that another program made: nothing here could make them again."""
        return "imported" in self.config and path.is_file() and _order(path)[0] == 0

    def has_snapshot(self, step: int) -> bool:
        """Whether weights of that step lie ready for use."""
        return any(_order(path)[0] == step for path in self.snapshot_paths())

    def newest_snapshot(self) -> Snapshot:
        """The newest whole snapshot. Raises StoreError when there is none. Damaged ones are listed in `passed_over`."""
        found = self._newest_of(self.snapshot_paths())
        if found is None:
            raise StoreError(f"'{self.folder}' holds no snapshot yet{self._damage()}. Train it first: konterfei train.")
        return found

    def save_best(self, step: int, tensors: Tensors, info: Mapping[str, Any]) -> Path:
        """Keep weights as the best so far, in place of those before."""
        target = make_folder(self.folder / "best") / f"{step:08d}.safetensors"
        write_snapshot(target, step, tensors, info)
        for old in self.best_paths():
            if old != target:
                old.unlink(missing_ok=True)
        return target

    def best_snapshot(self) -> Snapshot | None:
        """The weights kept as the best; None when there are none. Damaged ones are listed in `passed_over`."""
        return self._newest_of(self.best_paths())

    def best_paths(self) -> list[Path]:
        """Files of the best weights: one, or two when a writer was killed between them."""
        return sorted((self.folder / "best").glob("[0-9]*.safetensors"), key=_order)

    def snapshot(self, which: str = "newest") -> Snapshot:
        """Weights for use: the "newest", the "best" of the validations, or those of a step.

        Raises:
            ConfigError: a word that means none of these, or a step of which no snapshot is kept.
            StoreError: there are none, or they are damaged.
        """
        if which == "newest":
            return self.newest_snapshot()
        if which == "best":
            found = self.best_snapshot()
            if found is None:
                raise StoreError(
                    f"'{self.folder}' holds no best snapshot{self._damage()}: no validation was made (konterfei train "
                    "--held-out). Use the newest."
                )
            return found
        kept = [*self.snapshot_paths(), *self.best_paths()]
        same = [path for path in kept if which.isdecimal() and _order(path)[0] == int(which)]
        if not same:
            steps = ", ".join(str(step) for step in sorted({_order(path)[0] for path in kept})) or "none"
            raise ConfigError(f"'{self.folder}' has no snapshot '{which}'. It has newest, best, and of steps: {steps}.")
        found = self._newest_of(same)
        if found is None:
            raise StoreError(f"The snapshot of step {which} of '{self.folder}' is damaged. Use the newest.")
        return found

    def _newest_of(self, paths: list[Path]) -> Snapshot | None:
        for path in reversed(paths):
            try:
                return read_snapshot(path)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                self.passed_over[path.name] = str(error)
        return None

    def _damage(self) -> str:
        return f" ({len(self.passed_over)} damaged)" if self.passed_over else ""

    # --- figures and pictures

    def log(self, figures: Mapping[str, Any], kind: str = METRICS) -> None:
        """Append one line to metrics.jsonl, or to the file of another kind of figures."""
        path = self.folder / f"{kind}.jsonl"
        with translated(path), path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a killed writer left half a line
                    file.write(b"\n")
            file.write(json.dumps(figures).encode() + b"\n")

    def metrics(self, kind: str = METRICS) -> list[dict[str, Any]]:
        """The course of the run from metrics.jsonl (or that of another kind of figures), steps rising.

        Torn lines are left out, and so are steps that were trained again after a kill or a rollback.
        """
        path = self.folder / f"{kind}.jsonl"
        lines = path.read_bytes().splitlines() if path.is_file() else []
        figures: list[dict[str, Any]] = []
        for line in lines:
            try:
                entry = json.loads(line)
                step = entry["step"]
            except (ValueError, KeyError, TypeError):
                continue
            while figures and figures[-1]["step"] >= step:
                figures.pop()
            figures.append(entry)
        return figures

    def preview_path(self, step: int | None = None) -> Path:
        """Where the preview of `step` goes; None = the newest one."""
        name = "preview.jpg" if step is None else f"preview_{step:08d}.jpg"
        return make_folder(self.folder / "previews") / name

    def preview_history(self) -> list[tuple[int, Path]]:
        """Step and file of each preview that is kept, oldest first."""
        paths = (self.folder / "previews").glob("preview_[0-9]*.jpg")
        return [(_order(path)[0], path) for path in sorted(paths, key=_order)]

    def save_preview(
        self, step: int, image: NDArray[Any], layout: PreviewLayout | None = None, keep: int = PREVIEWS
    ) -> Path:
        """Write the preview of `step`, as the newest one too; thin the history evenly to at most `keep` pictures.

        Args:
            step: optimiser steps done.
            image: RGB. [H, W, 3] uint8
            layout: where its faces are; kept inside the file.
            keep: at least 2; the first and the last are always among them.
        """
        write_preview(self.preview_path(), image, layout)
        write_preview(self.preview_path(step), image, layout)
        for _, path in to_thin_out(self.preview_history(), keep):
            path.unlink(missing_ok=True)
        return self.preview_path()


def _order(path: Path) -> tuple[int, int]:
    """Step and repetition in a name: 00012000 -> (12000, 0), 00012000.2 -> (12000, 2), preview_00012000.jpg."""
    step, _, again = path.name.removeprefix("preview_").partition(".")
    return (int(step) if step.isdigit() else -1, int(again) if again.isdigit() else 0)


def _surplus(paths: list[Path], new: Path, keep: int, newest: int = 2) -> list[Path]:
    """Which of `paths` to remove now that `new` is there, so that `keep` stay with it: first those beyond its step,
    which were passed over as damaged, then what `to_outgrow` says.
    """
    step = _order(new)[0]
    beyond = [path for path in paths if _order(path)[0] > step]
    removed = beyond[: max(0, len(paths) + 1 - keep)]
    older = [(_order(path)[0], path) for path in paths if path not in beyond]
    left = keep - len(beyond) + len(removed)
    return removed + [path for _, path in to_outgrow([*older, (step, new)], left, newest)]
