"""A run: one training on disk.

    run/
      config.json        what is trained: model, dims, face type, preset, seed, both facesets
      metrics.jsonl      one line per report: step, losses, speed
      checkpoints/       00012000/ holds tensors.safetensors and state.json (checksum, counters): full state to resume
      snapshots/         00012000.safetensors: smoothed weights with their description, for use
      previews/          preview.jpg (newest) and preview_00012000.jpg (history)

A checkpoint or snapshot is written under a temporary name, flushed and renamed: it is there whole or not at all.
Several are kept; a damaged one is passed over and named. No torch here: tensors are numpy arrays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as pack_tensors

from konterfei.errors import DamagedFileError, StoreError
from konterfei.io.atomic import make_folder, sha256, sync, translated, write_bytes, write_json

RUN_VERSION = 1
"""Version of the folder's layout and of config.json."""

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to go on as if nothing had happened.

    Attributes:
        step: optimiser steps done.
        tensors: name -> array.
        state: counters and figures, plain JSON values.
    """

    step: int
    tensors: Tensors
    state: dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """Weights for use.

    Attributes:
        path: the file.
        tensors: name -> array, names of the model's state.
        info: steps, minutes, whether it is a preview...
        sha256: of the file.
    """

    path: Path
    tensors: Tensors
    info: dict[str, Any]
    sha256: str


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
            StoreError: none is there, or it is of another version.
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
                f"'{path}' cannot be read ({error}). Restore it from a backup or train anew."
            ) from error
        if version != RUN_VERSION:
            raise StoreError(f"'{folder}' is a run of version {version}; this konterfei reads version {RUN_VERSION}.")
        return cls(folder, config)

    # --- checkpoints

    def save_checkpoint(self, checkpoint: Checkpoint, keep: int = 3) -> Path:
        """Write a checkpoint and remove all but the newest `keep`. Raises OutputError when the disk is full."""
        target = self.folder / "checkpoints" / f"{checkpoint.step:08d}"
        temporary = target.with_name(f".tmp-{target.name}-{os.getpid()}")
        shutil.rmtree(temporary, ignore_errors=True)
        make_folder(temporary)
        try:
            with translated(target, temporary, temporary / "tensors.safetensors"):
                tensors = temporary / "tensors.safetensors"
                tensors.write_bytes(pack_tensors(_contiguous(checkpoint.tensors)))
                sync(tensors)
                digest = sha256(tensors)
                write_json(temporary / "state.json", {**checkpoint.state, "step": checkpoint.step, "sha256": digest})
                shutil.rmtree(target, ignore_errors=True)  # a damaged one of the same step
                temporary.replace(target)
                sync(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        for old in self._checkpoint_folders()[:-keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def newest_checkpoint(self) -> Checkpoint | None:
        """The newest whole checkpoint; None when there is none. Damaged ones are listed in `passed_over`."""
        for folder in reversed(self._checkpoint_folders()):
            try:
                return _read_checkpoint(folder)
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                self.passed_over[folder.name] = str(error)
        return None

    def _checkpoint_folders(self) -> list[Path]:
        there = (self.folder / "checkpoints").glob("[0-9]*")
        return sorted(path for path in there if path.is_dir())

    # --- snapshots

    def save_snapshot(self, step: int, tensors: Tensors, info: Mapping[str, Any], keep: int = 5) -> Path:
        """Write weights for use and remove all but the newest `keep`."""
        target = self.folder / "snapshots" / f"{step:08d}.safetensors"
        make_folder(target.parent)
        arrays = _contiguous(tensors)
        digest = hashlib.sha256(_split(pack_tensors(arrays))[1]).hexdigest()
        about = {**info, "step": step, "data_sha256": digest}
        write_bytes(target, pack_tensors(arrays, metadata={"konterfei": json.dumps(about)}))
        for old in self.snapshot_paths()[:-keep]:
            old.unlink(missing_ok=True)
        return target

    def snapshot_paths(self) -> list[Path]:
        """All snapshots, oldest first."""
        return sorted((self.folder / "snapshots").glob("[0-9]*.safetensors"))

    def newest_snapshot(self) -> Snapshot:
        """The newest whole snapshot. Raises StoreError when there is none."""
        for path in reversed(self.snapshot_paths()):
            try:
                data = path.read_bytes()
                header, body = _split(data)
                info = json.loads(header["__metadata__"]["konterfei"])
                if hashlib.sha256(body).hexdigest() != info.pop("data_sha256"):
                    raise ValueError("the checksum does not fit")
                return Snapshot(path, parse_tensors(data), info, sha256(path))
            except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
                self.passed_over[path.name] = str(error)
        damaged = f" ({len(self.passed_over)} damaged)" if self.passed_over else ""
        raise StoreError(f"'{self.folder}' holds no snapshot yet{damaged}. Train it first: konterfei train.")

    # --- figures and pictures

    def log(self, figures: Mapping[str, Any]) -> None:
        """Append one line to metrics.jsonl."""
        path = self.folder / "metrics.jsonl"
        with translated(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(figures) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All lines of metrics.jsonl; a torn last line is left out."""
        path = self.folder / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        figures = []
        for line in lines:
            try:
                figures.append(json.loads(line))
            except ValueError:
                continue
        return figures

    def preview_path(self, step: int | None = None) -> Path:
        """Where the preview of `step` goes; None = the newest one."""
        name = "preview.jpg" if step is None else f"preview_{step:08d}.jpg"
        return make_folder(self.folder / "previews") / name


def _contiguous(tensors: Tensors) -> dict[str, NDArray[Any]]:
    return {name: np.ascontiguousarray(array) for name, array in tensors.items()}


def _read_checkpoint(folder: Path) -> Checkpoint:
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    path = folder / "tensors.safetensors"
    if sha256(path) != state["sha256"]:
        raise ValueError("the checksum does not fit")
    return Checkpoint(int(state["step"]), parse_tensors(path.read_bytes()), state)


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensor bytes of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]
