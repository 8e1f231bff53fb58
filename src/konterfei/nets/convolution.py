"""Convolutions that are fast on small maps.

oneDNN's convolution reaches a third of a processor's bfloat16 speed, its weight gradient a tenth, on the wide and small
maps around the code (docs/benchmarks.md). There the same sums are made here as matrix products over patches, which
reach nine tenths.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

SMALL_MAP = 64
"""Most pixels of an output map, 8 x 8, at which products are faster than oneDNN (docs/benchmarks.md)."""

WEIGHTS_PER_PIXEL = 2000
"""Least weights of a layer, for each output pixel of the whole batch, at which they are: with fewer, the products do
not make up for putting the patches together (docs/benchmarks.md)."""

PAYS = (torch.bfloat16,)
"""Formats in which they are; float32 products take longer than oneDNN on AMD."""


class Conv2d(nn.Conv2d):
    """PyTorch's layer, the same parameters and results to rounding; training on a CPU is faster on small maps.

    Square kernels, stride and padding, zeros outside, no groups and no dilation.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[B, i, H, W] -> [B, o, (H + 2p - k) // s + 1, likewise]."""
        stride, padding, side = self.stride[0], int(self.padding[0]), self.kernel_size[0]
        rows, columns = ((n + 2 * padding - side) // stride + 1 for n in x.shape[2:])
        low = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
        pays = x.device.type == "cpu" and low in PAYS and rows * columns <= SMALL_MAP
        is_wide = self.weight.numel() >= WEIGHTS_PER_PIXEL * x.shape[0] * rows * columns
        if not (pays and is_wide and torch.is_grad_enabled()):
            return super().forward(x)
        assert self.bias is not None
        x, weight, bias = x.to(low), self.weight.to(low), self.bias.to(low)
        product = PatchProduct.apply(x, weight, bias, stride, padding)
        return product.view(x.shape[0], rows, columns, -1).permute(0, 3, 1, 2)


class PatchProduct(torch.autograd.Function):
    """A convolution as one matrix product; gradients as one each.

    Inputs: x [B, i, H, W], weight [o, i, k, k], bias [o], stride, padding; all of one format. Result: [B h w, o], the
    pixels of the output map in rows. Fast where x and weight lie channels-last. The gradient with respect to x is
    summed in float32 and rounded once more than a direct convolution's where the format is bfloat16.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int, padding: int) -> Tensor:
        """See class."""
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.addmm(bias, _patches(x, weight.shape[2], stride, padding), _rows(weight).T)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:
        """See class."""
        x, weight = ctx.saved_tensors
        o, i, k, _ = weight.shape
        gradient = gradient.contiguous()
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = _spread(gradient @ _rows(weight), x.shape, k, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[1]:
            flat = gradient.T @ _patches(x, k, ctx.stride, ctx.padding)
            to_weight = flat.view(o, k, k, i).permute(0, 3, 1, 2)
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum(dim=0)
        return to_x, to_weight, to_bias, None, None


def _rows(weight: Tensor) -> Tensor:
    """[o, i, k, k] -> [o, k k i]; no copy where it lies channels-last."""
    return weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)


def _patches(x: Tensor, side: int, stride: int, padding: int) -> Tensor:
    """What each output pixel sees. [B, i, H, W] -> [B h w, k k i]"""
    last = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
    seen = last.unfold(1, side, stride).unfold(2, side, stride).permute(0, 1, 2, 4, 5, 3)
    return seen.reshape(-1, side * side * x.shape[1])


def _spread(patches: Tensor, shape: torch.Size, side: int, stride: int, padding: int) -> Tensor:
    """The transpose of `_patches`: each patch is added to where it was seen. [B h w, k k i] -> [B, i, H, W]"""
    b, i, height, width = shape
    rows, columns = ((n + 2 * padding - side) // stride + 1 for n in (height, width))
    wide = torch.promote_types(patches.dtype, torch.float32)
    seen = patches.to(wide).view(b, rows, columns, side, side, i)  # at once: adding one to the other copies each part
    total = torch.zeros(b, height + 2 * padding, width + 2 * padding, i, dtype=wide)
    for dy in range(side):
        for dx in range(side):
            total[:, dy : dy + stride * rows : stride, dx : dx + stride * columns : stride] += seen[:, :, :, dy, dx]
    inner = total[:, padding : padding + height, padding : padding + width]
    return inner.to(patches.dtype).permute(0, 3, 1, 2)
