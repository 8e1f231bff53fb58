"""The parts of amp that differ from the SAEHD family: encoder with a dense end, inter without a dense start.

Names equal the keys of the original weight files (dfl-spec appendix C.4).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from konterfei.nets.autoencoders import Encoder
from konterfei.nets.blocks import initialise
from konterfei.nets.dims import Dims


class MorphEncoder(Encoder):
    """Image -> code vector: the deep, normalised encoder, then a dense layer. [B, 3, R, R] -> [B, A] (dfl-spec 7.5)."""

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.dense1 = nn.Linear(dims.features, dims.ae)
        initialise(self.dense1)

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        return self.dense1(super().forward(x))


class MorphInter(nn.Module):
    """Code vector -> code map. [B, A] -> [B, I, R/32, R/32] (dfl-spec 7.5)."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.channels, self.side = dims.inter_channels, dims.code_side
        self.dense2 = nn.Linear(dims.ae, self.side**2 * self.channels)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """See class."""
        code = self.dense2(x).view(-1, self.channels, self.side, self.side)
        return code.contiguous(memory_format=torch.channels_last)
