"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), its first thirteen blocks: what is to be seen in a picture."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_STAGES = ((1, 1), (2, 2), (3, 2), (4, 2), (3, 1))
"""Blocks of each stage, and the stride of its first (table 2 of the paper)."""
_TOLD = (0, 1, 2, 4)  # stages whose result is told: the last of each size
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pictures


class MobileNet(nn.Module):
    """The network with fixed weights: gradients go through it, it never learns.

    Args:
        tensors: weight_00, bias_00, weight_01, ... of its convolutions in order, normalisations put in.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        pairs = [(tensors[f"weight_{i:02}"], tensors[f"bias_{i:02}"]) for i in range(len(tensors) // 2)]
        layers = iter([_Layer(*pair) for pair in pairs])
        self.stem = next(layers)
        self.stem.stride = 2
        self.stages = nn.ModuleList()
        for number, (count, stride) in enumerate(_STAGES):
            strides = [stride] + [1] * (count - 1)
            blocks = [_Block(step, *islice(layers, 3 if number else 2)) for step in strides]
            self.stages.append(nn.Sequential(*blocks))
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(_SPREAD).view(1, 3, 1, 1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features from fine to coarse, at a half, a quarter, an eighth and a sixteenth of the side.

        Args:
            images: [N, 3, H, W] in [0, 1]
        """
        x = self.stem(((images - self.mean) / self.spread).contiguous(memory_format=torch.channels_last))
        found: list[Tensor] = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return [found[number] for number in _TOLD]


class _Block(nn.Sequential):
    """Layers of which the last is linear, and a way past them where they change no shape."""

    def __init__(self, stride: int, *layers: _Layer) -> None:
        super().__init__(*layers)
        layers[-2].stride, layers[-1].is_linear = stride, True

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(x)
        return x + y if x.shape == y.shape else y


class _Layer(nn.Module):
    """A convolution, with ReLU6 unless linear; each channel by itself where its kernels are one deep."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("bias", bias)
        self.stride, self.is_linear = 1, False

    def forward(self, x: Tensor) -> Tensor:
        out, depth, side, _ = self.weight.shape
        groups = out if depth == 1 else 1
        x = F.conv2d(x, self.weight, self.bias, self.stride, side // 2, groups=groups)
        return x if self.is_linear else F.relu6(x)
