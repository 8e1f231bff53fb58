"""A base: what a network of many people has learned, as a file, and how a model of two people begins with it.

One safetensors file in half precision: weights of a `models.many` network, and in its header what it is and what it
learned from. A base may be narrower than the model that begins with it; see `models.growing`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor

from konterfei.errors import CheckpointMismatchError, DamagedFileError
from konterfei.geometry import FaceType
from konterfei.io.run_files import Snapshot, read_snapshot, write_snapshot
from konterfei.models.growing import grown
from konterfei.models.many import MANY, Many
from konterfei.nets.dims import LETTERS, Dims, architecture

BASE_VERSION = 1
"""Of the file."""

_WIDTHS = ("ae", "encoder", "decoder", "mask")


@dataclass(frozen=True)
class Base:
    """A base, read.

    Attributes:
        path: the file.
        sha256: of the file.
        model: name of the model of two people that begins with it.
        dims: of its own networks.
        face_type: how much of the head it has seen.
        steps: that it learned.
        info: what it learned from and how, plain JSON values.
        weights: of the network of many people, half precision.
    """

    path: Path
    sha256: str
    model: str
    dims: Dims
    face_type: FaceType
    steps: int
    info: Mapping[str, Any]
    weights: Mapping[str, np.ndarray[Any, Any]]

    def differs_from(self, model: str, dims: Dims, face_type: FaceType) -> str:
        """In words why a model cannot begin with it; empty when it can."""
        if (model, face_type) != (self.model, self.face_type):
            return f"it is for {self.model} and {self.face_type} faces, not {model} and {face_type}"
        if dims.resolution != self.dims.resolution:
            return f"it draws {self.dims.resolution} px, not {dims.resolution}"
        if any(getattr(dims, letter) != getattr(self.dims, letter) for letter in LETTERS):
            return f"it is {architecture(model, asdict(self.dims))}, not {architecture(model, asdict(dims))}"
        narrow = [f"{w} {getattr(dims, w)} below {getattr(self.dims, w)}" for w in _WIDTHS if
                  getattr(dims, w) < getattr(self.dims, w)]  # fmt: skip
        if narrow:
            return f"its networks are wider ({', '.join(narrow)})"
        if dims.encoder % self.dims.encoder:
            return f"its encoder of width {self.dims.encoder} grows to multiples of that only, not to {dims.encoder}"
        return ""

    def many(self) -> Many:
        """The network of many people itself."""
        network = MANY[self.model](self.dims)
        network.load_state_dict({name: torch.from_numpy(array).float() for name, array in self.weights.items()})
        return network.eval()

    def for_pair(self, dims: Dims, src: Tensor, dst: Tensor) -> dict[str, Tensor]:
        """Weights that a model of these two people begins with, float32, as the model names them.

        Args:
            dims: of that model; at least as wide as the base.
            src, dst: numbers that tell them from others, unit length. [192]

        Raises:
            CheckpointMismatchError: the base is for other models.
        """
        if reason := self.differs_from(self.model, dims, self.face_type):
            raise CheckpointMismatchError(f"'{self.path}' does not fit: {reason}.")
        network = self.many()
        return (network if dims == self.dims else grown(network, dims)).for_pair(src, dst)


def read_base(path: Path) -> Base:
    """The base in that file.

    Raises:
        DamagedFileError: there is none, or it is damaged.
    """
    try:
        snapshot: Snapshot = read_snapshot(path)
        info = dict(snapshot.info)
        if info.pop("kind") != "base" or info.pop("version") != BASE_VERSION:
            raise ValueError("it is no base that this konterfei can read")
        base = Base(
            path=path,
            sha256=snapshot.sha256,
            model=info.pop("model"),
            dims=Dims(**info.pop("dims")),
            face_type=FaceType(info.pop("face_type")),
            steps=int(info.pop("step")),
            info=info,
            weights=snapshot.tensors,
        )
        with torch.device("meta"):
            wanted = {name: tuple(value.shape) for name, value in MANY[base.model](base.dims).state_dict().items()}
        if wanted != {name: tuple(array.shape) for name, array in base.weights.items()}:
            raise ValueError("its weights are not those of its networks")
        if not all(np.isfinite(array).all() for array in base.weights.values()):
            raise ValueError("some of its weights are no numbers")
        _check_told(base.steps, base.info)
    except (
        OSError, ValueError, KeyError, TypeError, OverflowError, RuntimeError, SafetensorError,
    ) as error:  # fmt: skip
        raise DamagedFileError(
            f"'{path}' is no base that can be read ({error}). A base is what konterfei pretrain writes: "
            "base.safetensors in its run. --base none begins from scratch."
        ) from error
    return base


def _check_told(steps: int, info: Mapping[str, Any]) -> None:
    """Raises ValueError unless what a base says of its history is of the kinds that `stages._pretrain_run` writes."""
    before = info.get("base", {})
    named = info.get("facesets", [])
    is_history = (
        steps >= 0
        and _is_time(info.get("minutes", 0.0))
        and isinstance(named, list)
        and all(isinstance(one, Mapping) and isinstance(one.get("sha256", ""), str) for one in named)
        and isinstance(before, Mapping)
        and _is_time(before.get("steps", 0))
        and all(isinstance(before.get(name, ""), str) for name in ("name", "sha256", "trained_on"))
        and isinstance(before.get("facesets", []), list)
        and all(isinstance(one, str) for one in before.get("facesets", []))
    )
    if not is_history:
        raise ValueError("what it says of its history makes no sense")


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and value >= 0 and math.isfinite(value)


def write_base(path: Path, network: Many, face_type: FaceType, steps: int, info: Mapping[str, Any]) -> None:
    """Write a base in half precision, whole or not at all.

    Args:
        path: .safetensors
        network: smoothed weights.
        face_type: of the faces that it learned from.
        steps: that it learned.
        info: what it learned from and how; plain JSON values.
    """
    about = {
        **info,
        "kind": "base",
        "version": BASE_VERSION,
        "model": network.pair,
        "dims": asdict(network.dims),
        "face_type": str(face_type),
    }
    weights = {name: value.detach().cpu().numpy().astype(np.float16) for name, value in network.state_dict().items()}
    write_snapshot(path, steps, weights, about)
