"""Does a training fit into memory, and how must a step be cut so that it does? Asked before the first step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from konterfei.models.base import SwapModel
from konterfei.nets.dims import Dims
from konterfei.training.objectives import Objectives
from konterfei.training.optimizers import OPTIMIZERS
from konterfei.training.thrift import WHOLE, Thrift

_ROOM, _ROOM_AVX2 = 1.25, 1.5
"""About the most that `benchmarks/memory.py` measured, elsewhere and on processors with AVX2 and nothing later
(docs/training.md)."""

_FILES = 32  # bytes a weight: a checkpoint as bytes and as arrays, when it is read on a CPU


def room(device: torch.device) -> float:
    """Memory taken there, as a multiple of that of the arrays: kernels need some, allocators round up."""
    is_old = device.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2"
    return _ROOM_AVX2 if is_old else _ROOM


@dataclass(frozen=True, kw_only=True)
class Training:
    """What decides over the memory of a training.

    Attributes:
        model: which one.
        dims: its size.
        objectives: in force in each phase.
        optimizer: its name.
        batch: samples of each person in a step.
        precision: of the networks.
        is_apart: whether moments and smoothed weights of the model are elsewhere.
    """

    model: type[SwapModel]
    dims: Dims
    objectives: tuple[Objectives, ...]
    optimizer: str
    batch: int
    precision: str
    is_apart: bool = False

    @property
    def _elsewhere(self) -> int:
        """Bytes that do not count: first and smoothed weights, moments."""
        if not self.is_apart:
            return 0
        with torch.device("meta"):
            model = self.model(self.dims)
        arrays = 2 + len(OPTIMIZERS[self.optimizer].state_names)
        return 4 * arrays * sum(parameter.numel() for parameter in model.parameters())

    @property
    def weights(self) -> int:
        """Weights of the model and of the judges of the phase that has most of them."""
        from konterfei.training.adversaries import parameters_of_judges

        with torch.device("meta"):
            model = self.model(self.dims)
        judges = max(parameters_of_judges(model, one) if one.is_judged else 0 for one in self.objectives)
        return judges + sum(parameter.numel() for parameter in model.parameters())

    def bytes_at_most(self) -> int:
        """More than it takes by any means: by the networks' widths, at once."""
        dims = self.dims
        decoder, mask = (18, 18) if dims.double else (75, 35)  # floats a pixel and width: the test has those counted
        floats = 6 * dims.encoder + decoder * dims.decoder + mask * dims.mask + 220
        is_styled = any(one.face_style_power or one.bg_style_power or one.identity_power for one in self.objectives)
        judge = max(24 * one.gan_dims + 60 if one.gan_power else 0 for one in self.objectives)
        pixels = self.batch * dims.resolution**2
        witnesses = 0.0
        if any(one.perceptual_power for one in self.objectives):
            witnesses += 1e6 + 520 * pixels
        if any(one.identity_power for one in self.objectives):
            witnesses += 4e6 * (self.batch + 2)  # its pictures are of one size
        each = floats * (2 if is_styled else 1) + judge
        return 44 * self.weights + 4 * (pixels * each + int(witnesses)) - self._elsewhere

    def bytes_with(self, thrift: Thrift) -> int:
        """What it takes with its steps cut in this way: the arrays of the phase that needs most."""
        from konterfei.training.footprint import footprint  # it loads much of PyTorch, and most trainings just fit

        most = max(
            footprint(self.model, self.dims, one, self.optimizer, self.batch, self.precision, thrift)  # type: ignore[arg-type]
            for one in set(self.objectives)
        )
        return most - self._elsewhere

    def ways(self, first: Thrift) -> Iterator[Thrift]:
        """Ever smaller ones, from `first` on."""
        way: Thrift | None = first
        while way is not None:
            yield way
            way = way.further(self.batch)


@dataclass(frozen=True)
class MemoryPlan:
    """How steps are to be done.

    Attributes:
        thrift: the way that fits.
        note: what was chosen and why; "" where everything fits as it is.
        fits: whether it does.
    """

    thrift: Thrift
    note: str = ""
    fits: bool = True


def plan_memory(
    training: Training,
    device: torch.device,
    free: int | None,
    also: int = 0,
    first: Thrift = WHOLE,
) -> MemoryPlan:
    """The first way to do steps that fits into memory; the smallest where none does.

    Args:
        training: what is to fit.
        device: where it runs.
        free: bytes that it may take there; None = unknown: nothing is planned.
        also: bytes of that which are taken by other things than networks: faces.
        first: the way to begin with.
    """
    if free is None:
        return MemoryPlan(first)
    on_cpu = device.type == "cpu"

    def needed(arrays: int) -> int:
        return round(room(device) * arrays) + also

    if needed(training.bytes_at_most()) <= free:
        return MemoryPlan(first)
    files = 28 * training.weights + _FILES * training.weights if on_cpu else 0  # no way to do steps makes these smaller
    whole = chosen = first
    for chosen in training.ways(first):
        if needed(training.bytes_with(chosen)) <= free:
            break
    takes, took = (needed(training.bytes_with(way)) for way in (chosen, whole))
    fits = max(takes, files + also) <= free
    if fits and chosen == first:
        return MemoryPlan(first)
    has = f"{free / 1e9:.1f} GB of '{device}' are free for it"
    wants = f"A step would take {took / 1e9:.1f} GB of memory, {has}"
    if chosen == first:
        wants = f"A step takes {takes / 1e9:.1f} GB of memory and reading checkpoints {(files + also) / 1e9:.1f}, {has}"
    note = f"{wants}. It is done {chosen.text(training.batch)}"
    if fits:
        return MemoryPlan(chosen, f"{note}, which takes {takes / 1e9:.1f} GB; what is learned is the same.")
    return MemoryPlan(
        chosen,
        f"{note}, which takes {max(takes, files + also) / 1e9:.1f} GB, and may not fit all the same. Close other "
        "programs, or choose a smaller --resolution or another --preset in another folder.",
        fits=False,
    )
