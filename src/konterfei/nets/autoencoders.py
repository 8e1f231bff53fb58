"""Encoder, inter and decoder of the SAEHD family, with the options u, d, t, c (dfl-spec 7.2).

Sub-module names equal the keys of the original weight files (dfl-spec appendix C), so that an importer is a rename
and a transposition. Order of channels, flattening and depth-to-space are those of the original; only the images are
RGB here (an importer flips the first and last kernels).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from konterfei.nets.blocks import Downscale, Residual, Tint, Upscale, depth_to_space, initialise, pixel_norm, tinted
from konterfei.nets.dims import Dims

Tints = Mapping[str, Tint]
"""Layers by their names within the network -> what is done to their channels (`nets.film`)."""

_PLAIN: Tints = {}


class Encoder(nn.Module):
    """Image -> feature vector. [B, 3, R, R] -> [B, F] (dfl-spec 7.2.1)."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        e, c = dims.encoder, dims.cosine
        self.unit, self.deep = dims.unit, dims.deep
        if dims.deep:
            self.down1, self.res1 = Downscale(3, e, c), Residual(e, c)
            self.down2, self.down3 = Downscale(e, 2 * e, c), Downscale(2 * e, 4 * e, c)
            self.down4, self.down5 = Downscale(4 * e, 8 * e, c), Downscale(8 * e, 8 * e, c)
            self.res5 = Residual(8 * e, c)
        else:
            widths = (3, e, 2 * e, 4 * e, 8 * e)
            self.downs = nn.ModuleList(Downscale(i, o, c) for i, o in pairwise(widths))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        if self.deep:
            x = self.down2(self.res1(self.down1(x)))
            x = self.res5(self.down5(self.down4(self.down3(x))))
        else:
            for down in self.downs:
                x = down(x)
        x = x.contiguous().flatten(1)  # C, H, W order (dfl-spec 7.1)
        return pixel_norm(x) if self.unit else x


class Inter(nn.Module):
    """Feature vector -> code map. [B, F] -> [B, O, S, S], S = L (deep) or 2 L (dfl-spec 7.2.2)."""

    def __init__(self, dims: Dims, out_channels: int) -> None:
        super().__init__()
        self.out_channels, self.side = out_channels, dims.code_side
        self.dense1 = nn.Linear(dims.features, dims.ae)
        self.dense2 = nn.Linear(dims.ae, dims.code_side**2 * out_channels)
        self.upscale1 = None if dims.deep else Upscale(out_channels, out_channels, dims.cosine)
        initialise(self)

    def forward(self, x: Tensor, tints: Tints = _PLAIN) -> Tensor:
        """See class. `tints`: of "dense2" (a channel is a map of its output) and "upscale1.conv1"."""
        x = self.dense2(self.dense1(x)).view(-1, self.out_channels, self.side, self.side)
        x = tinted(x.contiguous(memory_format=torch.channels_last), tints.get("dense2"))
        return x if self.upscale1 is None else self.upscale1(x, tints.get("upscale1.conv1"))


class Decoder(nn.Module):
    """Code map -> image and mask. [B, I, S, S] -> [B, 3, R, R], [B, 1, R, R], both in (0, 1) (dfl-spec 7.2.3)."""

    def __init__(self, dims: Dims, in_channels: int) -> None:
        super().__init__()
        d, m, c = dims.decoder, dims.mask, dims.cosine
        self.stages = 4 if dims.deep else 3
        self.mask_stages = self.stages + (1 if dims.double else 0)
        factors = (8, 8, 4, 2) if dims.deep else (8, 4, 2)
        mask_factors = (*factors, 1)[: self.mask_stages]
        for i, factor in enumerate(factors):
            before = in_channels if i == 0 else factors[i - 1] * d
            self.add_module(f"upscale{i}", Upscale(before, factor * d, c))
            self.add_module(f"res{i}", Residual(factor * d, c))
        for i, factor in enumerate(mask_factors):
            before = in_channels if i == 0 else mask_factors[i - 1] * m
            self.add_module(f"upscalem{i}", Upscale(before, factor * m, c))
        self.is_interleaved = dims.double
        self.out_conv = nn.Conv2d(2 * d, 3, 1)
        if dims.double:
            self.out_conv1 = nn.Conv2d(2 * d, 3, 3, padding=1)
            self.out_conv2 = nn.Conv2d(2 * d, 3, 3, padding=1)
            self.out_conv3 = nn.Conv2d(2 * d, 3, 3, padding=1)
        self.out_convm = nn.Conv2d(mask_factors[-1] * m, 1, 1)
        initialise(self)

    def image(self, code: Tensor, tints: Tints = _PLAIN) -> Tensor:
        """Only the image branch. [B, I, S, S] -> [B, 3, R, R]."""
        x = code
        for i in range(self.stages):
            x = self.get_submodule(f"upscale{i}")(x, tints.get(f"upscale{i}.conv1"))
            x = self.get_submodule(f"res{i}")(x, tints.get(f"res{i}.conv1"), tints.get(f"res{i}.conv2"))
        if self.is_interleaved:
            # The 1x1 head is padded to 3x3 so that the four heads run as one convolution: same result, one pass.
            heads = (self.out_conv1, self.out_conv2, self.out_conv3)
            weight = torch.cat([nn.functional.pad(self.out_conv.weight, (1, 1, 1, 1)), *(h.weight for h in heads)])
            bias = torch.cat([self.out_conv.bias, *(h.bias for h in heads)])  # type: ignore[list-item]
            x = depth_to_space(nn.functional.conv2d(x, weight, bias, padding=1))
        else:
            x = self.out_conv(x)
        return torch.sigmoid(x.float())

    def mask(self, code: Tensor, tints: Tints = _PLAIN) -> Tensor:
        """Only the mask branch. [B, I, S, S] -> [B, 1, R, R]."""
        m = code
        for i in range(self.mask_stages):
            m = self.get_submodule(f"upscalem{i}")(m, tints.get(f"upscalem{i}.conv1"))
        return torch.sigmoid(self.out_convm(m).float())

    def forward(self, code: Tensor, tints: Tints = _PLAIN) -> tuple[Tensor, Tensor]:
        """See class. `tints`: of the convolutions of its upscalings and residual blocks."""
        return self.image(code, tints), self.mask(code, tints)
