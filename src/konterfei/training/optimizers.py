"""Optimisers over one flat buffer.

All parameters are views of one array: a step is one fused kernel, or a handful of passes over short pieces that stay
in the processor's cache, and saving, smoothing and checking take one pass each (docs/training.md has the figures).
"""

from __future__ import annotations

from itertools import accumulate
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

_PIECE = 1 << 18  # elements; 2^16 a tenth slower (docs/benchmarks.md)


class FlatParameters:
    """The parameters, gradients and smoothed weights of a model, each as one array.

    Attributes:
        weights, gradients, ema: [P] float32; the model's parameters and their gradients are views of the first two.
    """

    def __init__(self, model: nn.Module) -> None:
        self._named = dict(model.named_parameters())
        parameters = list(self._named.values())
        self._sizes = [p.numel() for p in parameters]
        device = parameters[0].device
        self.weights = torch.empty(sum(self._sizes), dtype=torch.float32, device=device)
        self.gradients = torch.zeros_like(self.weights)
        for p, weight, gradient in zip(parameters, self._views(self.weights), self._views(self.gradients), strict=True):
            weight.copy_(p.data)
            p.data, p.grad = weight, gradient
        self.ema = self.weights.clone()

    def _views(self, flat: Tensor) -> list[Tensor]:
        """One view per parameter; kernels of convolutions lie channels-last."""
        views = []
        for piece, p in zip(flat.split(self._sizes), self._named.values(), strict=True):
            if p.dim() == 4:
                o, i, h, w = p.shape
                views.append(piece.view(o, h, w, i).permute(0, 3, 1, 2))
            else:
                views.append(piece.view(p.shape))
        return views

    def range_of(self, child: str) -> slice:
        """Where the parameters of a sub-network lie in the arrays; they lie together."""
        names, ends = list(self._named), list(accumulate(self._sizes))
        own = [i for i, name in enumerate(names) if name.partition(".")[0] == child]
        return slice(ends[own[0]] - self._sizes[own[0]], ends[own[-1]]) if own else slice(0, 0)

    def by_name(self, flat: Tensor) -> dict[str, Tensor]:
        """The array `flat` [P] seen as the model's parameters."""
        return dict(zip(self._named, self._views(flat), strict=True))


class Optimizer:
    """One step = new moments, new weights, new smoothed weights, gradients back to zero.

    Attributes:
        state: name -> [P] float32: the moments, to be saved.
    """

    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, parameters: FlatParameters) -> None:
        self._flat = parameters
        self.state = {name: torch.zeros_like(parameters.weights) for name in self.state_names}
        self._piece = _PIECE if parameters.weights.device.type == "cpu" else parameters.weights.numel()

    def step(self, rate: float, count: int, ema_keep: float) -> None:
        """Apply the gradients.

        Args:
            rate: learning rate.
            count: of this step, from 1.
            ema_keep: share of the old smoothed weights that is kept.
        """
        flat = self._flat
        arrays = [flat.weights, flat.gradients, flat.ema, *self.state.values()]
        with torch.no_grad():
            for weights, gradients, ema, *state in zip(*(a.split(self._piece) for a in arrays), strict=True):
                self._update(weights, gradients, state, rate, count)
                ema.lerp_(weights, 1 - ema_keep)
                gradients.zero_()

    def _update(self, weights: Tensor, gradients: Tensor, state: list[Tensor], rate: float, count: int) -> None:
        raise NotImplementedError


class AdaBelief(Optimizer):
    """As DeepFaceLab has it: betas 0.9 and 0.999, eps 1e-6 outside the root, no bias correction (dfl-spec 7.9, A.7).

    On a CPU PyTorch's fused kernel of Adam does it, in two thirds of the time of separate operations. With
    d = 0.9 (g - mean), which is g less the *new* mean, the new mean is 8/9 (9/8 mean) + 1/9 d, and the belief averages
    d^2: Adam with beta1 8/9, on the gradient d and the mean 9/8 mean. Its bias corrections are 1 after a billion steps.
    """

    state_names = ("mean", "belief")

    def _update(self, weights: Tensor, gradients: Tensor, state: list[Tensor], rate: float, count: int) -> None:
        mean, belief = state
        if weights.device.type != "cpu":  # not tried there
            self._step_by_step(weights, gradients, mean, belief, rate)
            return
        gradients.sub_(mean)
        mean.mul_(9 / 8)
        adam(
            [weights],
            [gradients],
            [mean],
            [belief],
            [],
            [torch.full((), 1e9)],
            fused=True,
            grad_scale=torch.full((), 1 / 0.9),  # the kernel divides by it
            amsgrad=False,
            beta1=8 / 9,
            beta2=0.999,
            lr=rate,
            weight_decay=0.0,
            eps=1e-6,
            maximize=False,
        )

    @staticmethod
    def _step_by_step(weights: Tensor, gradients: Tensor, mean: Tensor, belief: Tensor, rate: float) -> None:
        mean.lerp_(gradients, 0.1)
        gradients.sub_(mean)
        belief.mul_(0.999).addcmul_(gradients, gradients, value=0.001)
        torch.sqrt(belief, out=gradients)
        weights.addcdiv_(mean, gradients.add_(1e-6), value=-rate)


class RMSprop(Optimizer):
    """As DeepFaceLab has it: rho 0.9, eps 1e-6 outside the root, no momentum (dfl-spec 7.9, A.7)."""

    state_names = ("square",)

    def __init__(self, parameters: FlatParameters) -> None:
        super().__init__(parameters)
        self._root = torch.empty_like(parameters.weights[: self._piece])  # now: no memory is taken amid a step

    def _update(self, weights: Tensor, gradients: Tensor, state: list[Tensor], rate: float, count: int) -> None:
        (square,) = state
        square.mul_(0.9).addcmul_(gradients, gradients, value=0.1)
        root = torch.sqrt(square, out=self._root[: square.numel()])
        weights.addcdiv_(gradients, root.add_(1e-6), value=-rate)


class Adam(Optimizer):
    """Kingma and Ba 2015, algorithm 1, with beta2 = 0.99: short memory, for short runs at a large rate.

    PyTorch's fused kernel over the whole array: a third of the time of separate operations.
    """

    state_names = ("mean", "square")

    def step(self, rate: float, count: int, ema_keep: float) -> None:
        """See Optimizer."""
        flat = self._flat
        before = torch.full((), count - 1.0, device=flat.weights.device)  # the kernel counts up by itself
        with torch.no_grad():
            adam(
                [flat.weights],
                [flat.gradients],
                [self.state["mean"]],
                [self.state["square"]],
                [],
                [before],
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=0.99,
                lr=rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
            flat.ema.lerp_(flat.weights, 1 - ema_keep)
            flat.gradients.zero_()


OPTIMIZERS: dict[str, type[Optimizer]] = {"adabelief": AdaBelief, "adam": Adam, "rmsprop": RMSprop}
"""Names that presets choose from."""
