"""How a step is cut where it does not fit into memory: in pieces, and without keeping what can be computed again.

Losses are sums over samples, so the gradients of the pieces add up to those of the whole batch, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from konterfei.nets.blocks import Downscale, Residual, Tint, Upscale

Samples = TypeVar("Samples")
"""A dataclass of tensors whose first axis holds src's samples and then as many of dst."""


@dataclass(frozen=True)
class Thrift:
    """A way to do a step with less memory.

    Attributes:
        samples: of each person at a time; 0 = the whole batch.
        repeats: results of layers are computed again for the gradients instead of kept.
    """

    samples: int = 0
    repeats: bool = False

    def further(self, batch: int) -> Thrift | None:
        """The next smaller one for a batch of so many samples of each person; None where there is none.

        Half the samples, down to two; then what is kept is computed again, which takes a third more time; then one
        sample at a time.
        """
        now = min(self.samples or batch, batch)
        if now > 2:
            return replace(self, samples=(now + 1) // 2)
        if not self.repeats:
            return Thrift(now, repeats=True)
        return Thrift(1, repeats=True) if now > 1 else None

    def figures(self, batch: int) -> dict[str, int]:
        """For the log of a training with such a batch; empty where nothing is saved."""
        now = min(self.samples or batch, batch)
        return {} if now == batch and not self.repeats else {"at_once": now, "repeats": int(self.repeats)}

    def text(self, batch: int) -> str:
        """In words, to be read after "it is done": "with 2 of 8 samples of each person at a time"."""
        now = min(self.samples or batch, batch)
        part = "with the whole batch at once" if now == batch else f"with {now} of {batch} samples at a time"
        return f"{part}, computing layers again instead of keeping them" if self.repeats else part


WHOLE = Thrift()
"""Nothing is saved."""


def pieces(whole: Samples, samples: int) -> list[Samples]:
    """The whole cut into pieces of at most so many samples of each person (0 = the whole itself)."""
    count = next(len(value) for value in _tensors(whole).values()) // 2
    if not 0 < samples < count:
        return [whole]
    return [_mapped(whole, partial(_cut, first=first, last=first + samples)) for first in range(0, count, samples)]


def joined(parts: list[Samples]) -> Samples:
    """The whole that `pieces` came from."""
    if len(parts) == 1:
        return parts[0]
    columns = [_tensors(part) for part in parts]
    return replace(
        parts[0],  # type: ignore[type-var]
        **{
            name: torch.cat([half for k in (0, 1) for half in (c[name].chunk(2)[k] for c in columns)])
            for name in columns[0]
        },
    )


def _tensors(whole: Any) -> dict[str, Tensor]:
    values = {item.name: getattr(whole, item.name) for item in fields(whole)}
    return {name: value for name, value in values.items() if value is not None}


def _mapped(whole: Any, change: Any) -> Any:
    return replace(whole, **{name: change(value) for name, value in _tensors(whole).items()})


def _cut(x: Tensor, first: int, last: int) -> Tensor:
    src, dst = x.chunk(2)
    return torch.cat([src[first:last], dst[first:last]])


def blocks(model: nn.Module) -> list[nn.Module]:
    """The parts of a network that can be computed again by themselves."""
    return [part for part in model.modules() if isinstance(part, Downscale | Upscale | Residual)]


def repeat_layers(model: nn.Module, repeats: bool) -> None:
    """Let the blocks of a network keep only what goes into them until the gradients are computed, or all (False)."""
    for block in blocks(model):
        own = vars(block).pop("forward", None)
        forward = (own.forward if isinstance(own, _Repeated) else own) or block.forward
        if repeats:
            vars(block)["forward"] = _Repeated(forward)
        elif forward != block.forward:  # somebody had put another in its place
            vars(block)["forward"] = forward


class _Repeated:
    """Calls `forward` and keeps nothing of it but what went in."""

    def __init__(self, forward: Callable[..., Tensor]) -> None:
        self.forward = forward

    def __call__(self, x: Tensor, *tints: Tint | None) -> Tensor:
        if not torch.is_grad_enabled():
            return self.forward(x, *tints)
        return checkpoint(self.forward, x, *tints, use_reentrant=False, preserve_rng_state=False)  # type: ignore[no-any-return]
