"""Layers of the DeepFaceLab family of autoencoders (dfl-spec 7.1, 7.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from konterfei.nets.convolution import Conv2d


def activation(x: Tensor, slope: float, cosine: bool) -> Tensor:
    """Leaky ReLU of `slope`, or x cos x when the architecture has the letter c (dfl-spec 7.2)."""
    return x * torch.cos(x) if cosine else F.leaky_relu(x, slope)


def depth_to_space(x: Tensor) -> Tensor:
    """[B, 4C, H, W] -> [B, C, 2H, 2W] in TensorFlow's DCR order: input channel = (dy 2 + dx) C + c.

    Not `F.pixel_shuffle`, whose order is c 4 + dy 2 + dx (dfl-spec 7.1, A.9).
    """
    b, c, h, w = x.shape
    x = x.permute(0, 2, 3, 1).reshape(b, h, w, 2, 2, c // 4)  # no copy for channels-last input
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, 2 * h, 2 * w, c // 4).permute(0, 3, 1, 2)


def pixel_norm(x: Tensor) -> Tensor:
    """x / sqrt(mean(x^2) + 1e-6) over the features of each sample. [B, F] -> [B, F] (dfl-spec 7.1)."""
    return x * torch.rsqrt(x.float().square().mean(dim=1, keepdim=True) + 1e-6).to(x.dtype)


def initialise(module: nn.Module) -> None:
    """Glorot-uniform kernels and zero biases, in place: what DeepFaceLab starts from (dfl-spec 7.1)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


Tint = tuple[Tensor, Tensor]
"""Gain and offset of each channel, for each sample: [B, C], [B, C] (`nets.film`)."""


def tinted(x: Tensor, tint: Tint | None) -> Tensor:
    """x (1 + gain) + offset, per channel and sample; x itself without a tint. [B, C, H, W] -> same."""
    if tint is None:
        return x
    gain, offset = (t[:, :, None, None].to(x.dtype) for t in tint)
    return x + x * gain + offset


class Downscale(nn.Module):
    """Convolution 5x5 with stride 2, then activation 0.1. [B, i, H, W] -> [B, o, H/2, W/2]."""

    def __init__(self, in_channels: int, out_channels: int, cosine: bool) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels, out_channels, 5, stride=2, padding=2)
        self.cosine = cosine

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        return activation(self.conv1(x), 0.1, self.cosine)


class Upscale(nn.Module):
    """Convolution 3x3 to 4o channels, activation 0.1, depth to space. [B, i, H, W] -> [B, o, 2H, 2W]."""

    def __init__(self, in_channels: int, out_channels: int, cosine: bool) -> None:
        super().__init__()
        self.conv1 = Conv2d(in_channels, 4 * out_channels, 3, padding=1)
        self.cosine = cosine

    def forward(self, x: Tensor, tint: Tint | None = None) -> Tensor:
        """See class. `tint`: of the convolution's channels."""
        return depth_to_space(activation(tinted(self.conv1(x), tint), 0.1, self.cosine))


class Residual(nn.Module):
    """Two convolutions 3x3 around a shortcut, activation 0.2. [B, c, H, W] -> same."""

    def __init__(self, channels: int, cosine: bool) -> None:
        super().__init__()
        self.conv1 = Conv2d(channels, channels, 3, padding=1)
        self.conv2 = Conv2d(channels, channels, 3, padding=1)
        self.cosine = cosine

    def forward(self, x: Tensor, first: Tint | None = None, second: Tint | None = None) -> Tensor:
        """See class. `first`, `second`: tints of the two convolutions' channels."""
        y = tinted(self.conv2(activation(tinted(self.conv1(x), first), 0.2, self.cosine)), second)
        return activation(x + y, 0.2, self.cosine)
