"""Who is drawn, as gains and offsets of channels: feature-wise linear modulation (Perez et al. 2018, arXiv 1709.07871).

A layer's gain and offset for one person can be multiplied and added into its weights: what is left is an ordinary
network that draws that person alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from konterfei.nets.autoencoders import Decoder, Inter, Tints

EMBEDDING = 192
"""Numbers that tell people apart (`recognizers.mobilefacenet`)."""

_WIDTH = 256


class Film(nn.Module):
    """Numbers that tell people apart -> tints of layers. [B, 192] -> {layer: ([B, C], [B, C])}.

    It begins without any effect.

    Attributes:
        layers: name of each layer within its network, and its channels.
    """

    def __init__(self, layers: Mapping[str, int]) -> None:
        super().__init__()
        self.layers = dict(layers)
        self.dense1, self.dense2 = nn.Linear(EMBEDDING, _WIDTH), nn.Linear(_WIDTH, _WIDTH)
        self.out = nn.Linear(_WIDTH, 2 * sum(layers.values()))
        for layer in (self.dense1, self.dense2):
            nn.init.kaiming_uniform_(layer.weight, a=0.2, nonlinearity="leaky_relu")
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, who: Tensor) -> Tints:
        """See class. `who` has unit length."""
        x = nn.functional.leaky_relu(self.dense1(who * EMBEDDING**0.5), 0.2)
        x = self.out(nn.functional.leaky_relu(self.dense2(x), 0.2))
        gains, offsets = (half.split(list(self.layers.values()), dim=1) for half in x.chunk(2, dim=1))
        return {name: (gain, offset) for name, gain, offset in zip(self.layers, gains, offsets, strict=True)}


def layers_of(network: Decoder | Inter) -> dict[str, int]:
    """The layers of a network that can be tinted, and their channels."""
    if isinstance(network, Inter):
        upscale = {} if network.upscale1 is None else {"upscale1.conv1": network.upscale1.conv1.out_channels}
        return {"dense2": network.out_channels, **upscale}
    return {
        name: module.out_channels
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.startswith(("upscale", "res"))
    }


def folded(network: Decoder | Inter, tints: Tints) -> dict[str, Tensor]:
    """The network's weights with the tints of one person (B = 1) put in: they draw that person without any.

    (W x + b) (1 + g) + o = (1 + g) W x + (1 + g) b + o.
    """
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    for name, tint in tints.items():
        gain, offset = (t.detach()[0] for t in tint)
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        maps = len(weight) // len(gain)  # of a channel: 1 in convolutions
        gain, offset = gain.repeat_interleave(maps), offset.repeat_interleave(maps)
        weights[f"{name}.weight"] = weight * (1 + gain).view(-1, *[1] * (weight.dim() - 1))
        weights[f"{name}.bias"] = torch.addcmul(offset, bias, 1 + gain)
    return weights
