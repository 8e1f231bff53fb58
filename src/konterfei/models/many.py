"""Networks of many people, of which models of a pair are made: a base to begin with.

Encoder and what follows it are shared by all; who is drawn is said in numbers that tell people apart, by `nets.film`.
With the numbers of src and of dst put into the weights, what is left is an ordinary model of these two.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from konterfei.models.base import Images, SwapModel
from konterfei.nets.autoencoders import Decoder, Dims, Encoder, Inter
from konterfei.nets.film import Film, folded, layers_of


class Many(SwapModel):
    """A network that draws anybody.

    Attributes:
        pair: name of the model of two people that it becomes.
        film: who is drawn -> tints of the layers that draw.
    """

    pair: ClassVar[str]
    film: Film

    def for_pair(self, src: Tensor, dst: Tensor) -> dict[str, Tensor]:
        """Weights of the model `pair`, float32, as it names them.

        Args:
            src, dst: numbers that tell them from others, unit length. [192]
        """
        raise NotImplementedError


class ManyDF(Many):
    """df with one decoder for all: image = decoder of `who`(inter(encoder(x)))."""

    pair: ClassVar[str] = "df"

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.encoder, self.inter, self.decoder = Encoder(dims), Inter(dims, dims.ae), Decoder(dims, dims.ae)
        self.film = Film(layers_of(self.decoder))

    def reconstruct_as(self, images: Tensor, who: Tensor) -> Images:
        """See SwapModel."""
        code = self.inter(self.encoder(images))
        image, mask = self.decoder(code, self.film(who[:, 0]))
        return Images(image, mask, code)

    def for_pair(self, src: Tensor, dst: Tensor) -> dict[str, Tensor]:
        """See Many."""
        parts = {"encoder": self.encoder.state_dict(), "inter": self.inter.state_dict()}
        for name, who in (("decoder_src", src), ("decoder_dst", dst)):
            parts[name] = folded(self.decoder, self.film(who[None]))
        return _joined(parts)


class ManyLIAE(Many):
    """liae with one inter for all: code = [inter of `who`, inter of somebody], which the decoder draws as `who`.

    src's code is [AB, AB] and dst's [B, AB] (dfl-spec 7.2.4): AB is the inter as src, B as dst. So the second half
    is at times somebody else's while many people are learned, and the decoder takes the person from the first.
    """

    pair: ClassVar[str] = "liae"

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.encoder, self.inter = Encoder(dims), Inter(dims, 2 * dims.ae)
        self.decoder = Decoder(dims, 4 * dims.ae)
        self.film = Film(layers_of(self.inter))

    def reconstruct_as(self, images: Tensor, who: Tensor) -> Images:
        """See SwapModel."""
        features = self.encoder(images)
        code = torch.cat([self.inter(features, self.film(who[:, k])) for k in (0, 1)], dim=1)
        image, mask = self.decoder(code)
        return Images(image, mask, code)

    def for_pair(self, src: Tensor, dst: Tensor) -> dict[str, Tensor]:
        """See Many."""
        parts = {"encoder": self.encoder.state_dict(), "decoder": self.decoder.state_dict()}
        for name, who in (("inter_AB", src), ("inter_B", dst)):
            parts[name] = folded(self.inter, self.film(who[None]))
        return _joined(parts)


MANY: dict[str, type[Many]] = {many.pair: many for many in (ManyDF, ManyLIAE)}
"""Model of two people -> the network of many that it can begin with."""


def _joined(parts: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": value.detach().clone() for part, weights in parts.items() for name, value in weights.items()
    }
