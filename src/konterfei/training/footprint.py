"""How much memory a step of training takes, found out without taking it.

The step is done once with arrays that have shapes but no contents (PyTorch's device "meta"): the same networks, losses,
judges, gradients and optimiser, in the same order. A watcher adds up what is allocated and freed meanwhile. Nothing of
it depends on formulas about layers, so a new model or loss is counted as soon as it is there.
"""

from __future__ import annotations

import weakref
from contextlib import nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

from konterfei.geometry import FaceType
from konterfei.models.base import SwapModel
from konterfei.models.many import Many
from konterfei.nets.dims import Dims
from konterfei.nets.film import EMBEDDING
from konterfei.training.data import RawBatch, TrainingFaces
from konterfei.training.lesson import Lesson
from konterfei.training.losses import needs_parts
from konterfei.training.objectives import Objectives
from konterfei.training.thrift import WHOLE, Thrift, blocks
from konterfei.training.witnesses import Sitter

META = torch.device("meta")
_DROPOUT = 10  # bytes a weight: what it was, a random number, two verdicts on it (`Learner.step`)


class MemoryWatch(TorchDispatchMode):
    """Counts the bytes of the arrays that operations within it make.

    What a kernel takes for itself while it runs is not seen.

    Attributes:
        now: bytes that are held.
        peak: the most that were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakKeyDictionary[torch.UntypedStorage, int] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See TorchDispatchMode."""
        result = func(*args, **(kwargs or {}))
        for value in tree_iter(result):
            if isinstance(value, Tensor):
                self._see(value.untyped_storage())
        return result

    def _see(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, size)

    def _free(self, size: int) -> None:
        self.now -= size


_LOW = {torch.conv2d, torch.conv_transpose2d, torch.nn.functional.linear}
"""What autocast computes in the low format in our networks; losses have none of these."""


class _Autocast(TorchFunctionMode):
    """What autocast does, which PyTorch does not offer without contents: products of networks in bfloat16."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See TorchFunctionMode."""
        kwargs = kwargs or {}
        if func in _LOW:
            args, kwargs = tree_map(lambda x: x.bfloat16() if isinstance(x, Tensor) else x, (args, kwargs))
        return func(*args, **kwargs)


def _low(forward: Any, x: Tensor, *tints: Any) -> Tensor:
    """A block in bfloat16 whenever it is computed: modes are off where it is computed again."""
    with _Autocast():
        return forward(x, *tints)  # type: ignore[no-any-return]


@lru_cache(maxsize=256)
def footprint(
    model: type[SwapModel],
    dims: Dims,
    objectives: Objectives,
    optimizer: str,
    batch: int,
    precision: str,
    thrift: Thrift = WHOLE,
) -> int:
    """Bytes that a training takes at its peak: weights and all that follows from them, judges, a step of both.

    Args:
        model: which one.
        dims: its size.
        objectives: those in force.
        optimizer: name in `OPTIMIZERS`.
        batch: samples of each person.
        precision: of the networks.
        thrift: how a step is done.
    """
    with torch.random.fork_rng(devices=[]), MemoryWatch() as watch:
        with META:
            network = model(dims).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision == "bf16":
            for block in blocks(network):
                vars(block)["forward"] = partial(_low, block.forward)
        # what dropout takes is added below: random numbers are not drawn without contents
        sitter = Sitter(TrainingFaces(np.zeros((1, dims.resolution, dims.resolution, 4), np.uint8)), FaceType.FULL)
        lesson = Lesson(network, replace(objectives, lr_dropout="no"), optimizer, 0, META, "fp32", sitter=sitter)
        lesson.save_memory(thrift)
        side = dims.resolution
        pixels = np.zeros((2 * batch, side, side, 3), np.uint8)
        parts = pixels[..., 0] if needs_parts(network, objectives) else None
        who = np.zeros((2 * batch, 2, EMBEDDING), np.float32) if isinstance(network, Many) else None
        with _Autocast() if precision == "bf16" else nullcontext():
            lesson.step(RawBatch(pixels, pixels, pixels[..., 0], parts, who), 1e-5, 1, 0.9)
    if objectives.lr_dropout == "no":
        return watch.peak
    largest = max(learner.flat.weights.numel() for learner in lesson.learners)
    return max(watch.peak, watch.now + _DROPOUT * largest)
