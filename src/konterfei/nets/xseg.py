"""XSeg: a U-Net that tells face from what covers it, for 256 px pictures (dfl-spec 6.4).

Sub-module names equal the keys of the original weight files (dfl-spec appendix C.5). Only the network: trained weights
come from DeepFaceLab (`konterfei import dfl-model`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from konterfei.nets.blocks import initialise

SIDE = 256
"""Side of the pictures that it takes, px."""

_WIDTHS = (1, 2, 4, 8, 8, 8)  # of the stages, in base widths
_CONVOLUTIONS = (2, 2, 2, 3, 3, 3)  # in each stage, on the way down and up
_BLURS = (4, 3, 2, 2, 2, 2)  # kernel of the halving after each stage
_CODE = 512


class FilterResponseNorm(nn.Module):
    """x / sqrt(mean over H, W of x^2 + |eps|) weight + bias, per channel; eps is learned. [B, C, H, W] -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))
        self.eps = nn.Parameter(torch.full((1,), 1e-6))

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        power = x.square().mean(dim=(2, 3), keepdim=True)
        return x / torch.sqrt(power + self.eps.abs()) * self.weight[:, None, None] + self.bias[:, None, None]


class ThresholdedLinear(nn.Module):
    """max(x, tau) with a learned tau per channel. [B, C, H, W] -> same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.tau = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        return torch.maximum(x, self.tau[:, None, None])


class ConvBlock(nn.Module):
    """Convolution 3x3, normalisation, threshold. [B, i, H, W] -> [B, o, H, W]."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.frn, self.tlu = FilterResponseNorm(out_channels), ThresholdedLinear(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        return self.tlu(self.frn(self.conv(x)))


class UpBlock(nn.Module):
    """Transposed convolution 3x3 with stride 2, normalisation, threshold. [B, i, H, W] -> [B, o, 2H, 2W].

    TensorFlow's SAME: the last row and column of the full result are cut off (dfl-spec 7.1, A.12).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, out_channels, 3, stride=2)
        self.frn, self.tlu = FilterResponseNorm(out_channels), ThresholdedLinear(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        return self.tlu(self.frn(self.conv(x)[:, :, :-1, :-1]))


def blur_pool(x: Tensor, size: int) -> Tensor:
    """Halves a map through a binomial kernel of 2, 3 or 4 taps, zeros outside. [B, C, H, W] -> [B, C, H/2, W/2]."""
    taps, before, after = {2: ((1, 1), 0, 1), 3: ((1, 2, 1), 1, 1), 4: ((1, 3, 3, 1), 1, 2)}[size]
    line = torch.tensor(taps, dtype=x.dtype, device=x.device)
    kernel = line[:, None] * line / line.sum() ** 2
    channels = int(x.shape[1])  # a number, also for the ONNX exporter
    padded = F.pad(x, (before, after, before, after))
    return F.conv2d(padded, kernel.expand(channels, 1, size, size), stride=2, groups=channels)


class XSeg(nn.Module):
    """How much of each pixel is face: logits. [B, 3, 256, 256] RGB in [0, 1] -> [B, 1, 256, 256]; sigmoid is the mask.

    Args:
        base: width of the first stage; DeepFaceLab's is 32, with 17 569 317 parameters.
    """

    def __init__(self, base: int = 32) -> None:
        super().__init__()
        self.base = base
        widths = [base * factor for factor in _WIDTHS]
        for i, (width, count) in enumerate(zip(widths, _CONVOLUTIONS, strict=True)):
            before = widths[i - 1] if i else 3
            for k in range(1, count + 1):
                self.add_module(f"conv{i}{k}", ConvBlock(before if k == 1 else width, width))
        smallest = (SIDE // 2 ** len(widths)) ** 2 * widths[-1]
        self.dense1, self.dense2 = nn.Linear(smallest, _CODE), nn.Linear(_CODE, smallest)
        for i in reversed(range(len(widths))):
            width, count = widths[i], _CONVOLUTIONS[i]
            before = widths[min(i + 1, len(widths) - 1)]
            up = base if i == 0 else before // 2
            self.add_module(f"up{i}", UpBlock(before, up))
            for k in range(count, 0, -1):
                self.add_module(f"uconv{i}{k}", ConvBlock(up + width if k == count else width, width))
        self.out_conv = nn.Conv2d(base, 1, 3, padding=1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        skips = []
        for i, count in enumerate(_CONVOLUTIONS):
            for k in range(1, count + 1):
                x = self.get_submodule(f"conv{i}{k}")(x)
            skips.append(x)
            x = blur_pool(x, _BLURS[i])
        x = self.dense2(self.dense1(x.contiguous().flatten(1))).view(x.shape)  # C, H, W order
        for i in reversed(range(len(_CONVOLUTIONS))):
            x = torch.cat([self.get_submodule(f"up{i}")(x), skips[i]], dim=1)
            for k in range(_CONVOLUTIONS[i], 0, -1):
                x = self.get_submodule(f"uconv{i}{k}")(x)
        return self.out_conv(x)
