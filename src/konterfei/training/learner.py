"""A network that learns: its weights as one array, its optimiser, and what holds updates back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from konterfei.errors import CheckpointMismatchError
from konterfei.training.dealing import seed_of
from konterfei.training.objectives import UpdateDropout
from konterfei.training.optimizers import OPTIMIZERS, FlatParameters

Tensors = Mapping[str, NDArray[Any]]

_CHANGED = 0.3  # share of the weights that a step with dropout changes (dfl-spec 7.9)
_SWING = 500  # steps in which the rate goes down to 0 and up again, with dropout (dfl-spec 7.9)


@dataclass(frozen=True, kw_only=True)
class Restraint:
    """What holds updates back (dfl-spec 7.9).

    Attributes:
        clips: gradients of a norm above 1 are shortened to 1.
        dropout: each step changes a random 30 % of the weights, at a rate that swings.
        seed: of the choice of these weights.
        resting: names of sub-networks that do not learn at all.
    """

    clips: bool = False
    dropout: UpdateDropout = "no"
    seed: int = 0
    resting: tuple[str, ...] = ()


class Learner:
    """A network in training.

    Args:
        name: of its own in checkpoints; empty for the model itself.
        module: the network; its parameters move into one array.
        optimizer: name in `OPTIMIZERS`.
        restraint: what holds its updates back.
    """

    def __init__(self, name: str, module: nn.Module, optimizer: str, restraint: Restraint) -> None:
        self.name, self.module, self.restraint = name, module, restraint
        self.flat = FlatParameters(module)
        self.optimizer = OPTIMIZERS[optimizer](self.flat)
        self._first = self.flat.weights.clone()

    def step(self, rate: float, count: int, ema_keep: float = 0.0) -> None:
        """Apply the gradients and set them to zero. Arguments as of `Optimizer.step`.

        From the first change of a weight on it takes no memory, so where memory is full the step is as good as not
        begun (tests/unit/training/test_thrift.py).
        """
        flat, restraint = self.flat, self.restraint
        if restraint.clips:
            norm = flat.gradients.norm()
            flat.gradients.mul_(torch.where(norm >= 1, 1 / norm, torch.ones_like(norm)))
        drops = restraint.dropout != "no"
        if not drops and not restraint.resting:
            self.optimizer.step(rate, count, ema_keep)
            return
        with torch.no_grad():
            ranges = [flat.range_of(name) for name in restraint.resting]
            held = [(a[r], a[r].clone()) for r in ranges for a in (flat.weights, *self.optimizer.state.values())]
            before, changed = (flat.weights.clone(), self.changed(count)) if drops else (None, None)
            self.optimizer.step(rate * self.swing(count) if drops else rate, count, ema_keep=1.0)
            if before is not None and changed is not None:
                torch.where(changed, flat.weights, before, out=flat.weights)
            for view, value in held:
                view.copy_(value)
            flat.ema.lerp_(flat.weights, 1 - ema_keep)

    @staticmethod
    def swing(count: int) -> float:
        """Share of the rate that a step with dropout has: 1 at the first step, 0 after 250, 1 after 500."""
        return (math.cos(2 * math.pi * (count - 1) / _SWING) + 1) / 2

    def changed(self, count: int) -> Tensor:
        """Which weights step `count` (from 1) changes; follows from seed, name and step alone. [P] bool"""
        device = self.flat.weights.device
        drawn_on = torch.device("cpu") if self.restraint.dropout == "cpu" else device
        generator = torch.Generator(drawn_on)
        generator.manual_seed(seed_of(self.restraint.seed, 5, count, *self.name.encode()))
        drawn = torch.rand(self.flat.weights.numel(), generator=generator, device=drawn_on)
        return (drawn < _CHANGED).to(device)

    # --- state

    @property
    def arrays(self) -> dict[str, Tensor]:
        """Everything to be saved: kind -> [P]. Smoothed weights are kept of the model alone."""
        smoothed = {} if self.name else {"ema": self.flat.ema}
        return {"weights": self.flat.weights, **smoothed, **self.optimizer.state}

    def _key(self, kind: str, name: str) -> str:
        return f"{self.name}.{kind}/{name}" if self.name else f"{kind}/{name}"

    def tensors(self) -> dict[str, NDArray[Any]]:
        """The arrays cut into named tensors, as checkpoints hold them."""
        return {
            self._key(kind, name): view.detach().cpu().numpy()
            for kind, array in self.arrays.items()
            for name, view in self.flat.by_name(array).items()
        }

    def load(self, tensors: Tensors) -> None:
        """Take over everything from a checkpoint.

        Raises:
            CheckpointMismatchError: a tensor is missing or of another shape; nothing is changed then.
        """
        views = [
            (self._key(kind, name), view)
            for kind, array in self.arrays.items()
            for name, view in self.flat.by_name(array).items()
        ]
        for key, view in views:
            self._fit(key, tensors, view)
        self._copy(views, tensors)

    def begin_from(self, tensors: Tensors, forgotten: Iterable[str]) -> None:
        """Begin with the weights of another run, and its moments if it had the same optimiser (dfl-spec 7.11).

        Args:
            tensors: of its checkpoint.
            forgotten: names of sub-networks that keep their own beginnings.

        Raises:
            CheckpointMismatchError: its networks have other shapes.
        """
        kinds = {kind for kind in (key.split("/")[0] for key in tensors) if "." not in kind}  # judges' have a dot
        is_same_optimizer = kinds == set(self.arrays)
        arrays = self.arrays if is_same_optimizer else {"weights": self.flat.weights, "ema": self.flat.ema}
        views = [
            (self._key(kind, name), view)
            for kind, array in arrays.items()
            for name, view in self.flat.by_name(array).items()
            if name.split(".")[0] not in forgotten
        ]
        for key, view in views:
            self._fit(key, tensors, view)
        self._copy(views, tensors)
        self._first = self.flat.weights.clone()

    @staticmethod
    def _fit(key: str, tensors: Tensors, view: Tensor) -> None:
        tensor = tensors.get(key)
        if tensor is None or tuple(tensor.shape) != tuple(view.shape):
            there = "missing" if tensor is None else list(tensor.shape)
            raise CheckpointMismatchError(f"{key} is {there}, expected {list(view.shape)}")

    def _copy(self, views: Iterable[tuple[str, Tensor]], tensors: Tensors) -> None:
        with torch.no_grad():
            for key, view in views:
                view.copy_(torch.from_numpy(np.array(tensors[key])))
        self.flat.gradients.zero_()

    def begin_anew(self) -> None:
        """Back to the first weights, without moments."""
        with torch.no_grad():
            self.flat.weights.copy_(self._first)
            self.flat.ema.copy_(self._first)
            self.flat.gradients.zero_()
            for array in self.optimizer.state.values():
                array.zero_()

    def has_sizes_of(self, module: nn.Module) -> bool:
        """Whether another network has the same parameters, but for their values."""
        ours, theirs = ({name: p.shape for name, p in m.named_parameters()} for m in (self.module, module))
        return ours == theirs

    def is_sound(self) -> bool:
        """Whether all weights are numbers."""
        return bool(torch.isfinite(self.flat.weights.sum()))
