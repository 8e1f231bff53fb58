"""Finds and reads DeepFaceLab's model folders: settings and weights as they lie there (dfl-spec 3.3, appendix C)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.io.legacy_pickle import load_pickle

KINDS = ("SAEHD", "AMP", "Quick96", "XSeg")
"""Classes of models, as their file names end."""

_DATA = "_data.dat"


@dataclass(frozen=True)
class LegacyModel:
    """One model in a folder of DeepFaceLab.

    Attributes:
        folder: where its files lie.
        name: what they begin with: "anna_SAEHD", "XSeg".
        kind: one of `KINDS`.
        iterations: steps that it was trained for.
        options: settings by DeepFaceLab's names; plain values.
    """

    folder: Path
    name: str
    kind: str
    iterations: int
    options: dict[str, bool | int | float | str | None]

    @property
    def data_file(self) -> Path:
        """The file of its settings."""
        return self.folder / f"{self.name}{_DATA}"

    def weight_file(self, part: str) -> Path:
        """The file of one of its networks: "encoder" -> anna_SAEHD_encoder.npy. XSeg has a single one."""
        return self.folder / f"{self.name}_{part}.npy"


def legacy_models(folder: Path) -> list[str]:
    """Names of the models in `folder`, none where there is no such folder."""
    found = sorted(path.name.removesuffix(_DATA) for path in folder.glob(f"*{_DATA}"))
    return [each for each in found if each.rpartition("_")[2] in KINDS]


def open_legacy_model(folder: Path, name: str | None = None) -> LegacyModel:
    """The model in `folder`, or the one called `name` where it holds several.

    Raises:
        ConfigError: there is none, or several and no `name`.
        DamagedFileError: its data file cannot be read.
    """
    if not folder.is_dir():
        raise ConfigError(f"There is no folder '{folder}'. Name the folder with DeepFaceLab's *_data.dat files.")
    known = legacy_models(folder)
    if not known:
        raise ConfigError(
            f"'{folder}' holds no model of DeepFaceLab: no file NAME_KIND{_DATA} where KIND is one of "
            f"{', '.join(KINDS)}. Name the folder with these files, often workspace/model."
        )
    if name is None and len(known) > 1:
        raise ConfigError(f"'{folder}' holds several models. Choose one: --name {' or --name '.join(known)}.")
    if name is not None and name not in known:
        raise ConfigError(f"--name {name}: '{folder}' holds {', '.join(known)}.")
    name = name or known[0]
    return _read(folder, name)


def _read(folder: Path, name: str) -> LegacyModel:
    path = folder / f"{name}{_DATA}"
    data = load_pickle(path)
    options = data.get("options") if isinstance(data, dict) else None
    steps = data.get("iter") if isinstance(data, dict) else None
    if not isinstance(options, dict) or not isinstance(steps, int) or not 0 <= steps < 1 << 40:
        raise DamagedFileError(
            f"'{path}' holds no settings and steps of a model. Take the {_DATA} file from a backup of the model."
        )
    plain = {key: value for key, value in options.items() if isinstance(key, str) and _is_plain(value)}
    return LegacyModel(folder, name, name.rpartition("_")[2], steps, plain)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, float | str) or (isinstance(value, int) and abs(value) < 1 << 40)


def load_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Arrays of one weight file by their keys, in TensorFlow's order of axes (dfl-spec 3.3.2).

    Raises:
        DamagedFileError: it is missing, cannot be read, or holds something else; names the entry.
    """
    if not path.is_file():
        raise DamagedFileError(
            f"The model has no file '{path}'. Copy all of its files, or take the folder from a backup (_autobackups)."
        )
    data = load_pickle(path)
    if not isinstance(data, dict) or not data or not all(isinstance(key, str) for key in data):
        raise DamagedFileError(f"'{path}' holds no weights by name. Take the file from a backup of the model.")
    return {key: _numbers(path, key, value) for key, value in data.items()}


def _numbers(path: Path, key: str, value: Any) -> NDArray[np.float32]:
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise DamagedFileError(
            f"'{path}': '{key}' is no array of weights. Take the file from a backup of the model (_autobackups)."
        )
    with np.errstate(over="ignore"):
        numbers = value.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise DamagedFileError(
            f"'{path}': '{key}' holds values that are no numbers: the training had diverged. Take an earlier backup "
            "of the model (_autobackups)."
        )
    return numbers
