"""liae: one decoder, and two inters of which only one sees both people (dfl-spec 7.2.4)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from konterfei.models.base import Images, SwapModel
from konterfei.nets.autoencoders import Decoder, Dims, Encoder, Inter


class LIAE(SwapModel):
    """src code = [AB, AB]; dst code = [B, AB]; swap = decoder([AB(dst), AB(dst)])."""

    offers: ClassVar[frozenset[str]] = frozenset({"face_style_power", "bg_style_power", "identity_power", "pretrain"})
    forgotten: ClassVar[tuple[str, ...]] = ("inter_AB", "inter_B")

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.encoder = Encoder(dims)
        self.inter_AB, self.inter_B = Inter(dims, 2 * dims.ae), Inter(dims, 2 * dims.ae)
        self.decoder = Decoder(dims, 4 * dims.ae)

    def reconstruct(self, images: Tensor) -> Images:
        """See SwapModel."""
        features = self.encoder(images)
        src, dst = self.inter_AB(features).chunk(2)
        own = self.inter_B(features.chunk(2)[1])
        code = torch.cat([torch.cat([src, src], dim=1), torch.cat([own, dst], dim=1)])
        image, mask = self.decoder(code)
        return Images(image, mask, code)

    def swap(self, images: Tensor, morph: float | Tensor = 1.0) -> tuple[Images, Tensor]:
        """See SwapModel."""
        features = self.encoder(images)
        shared = self.inter_AB(features)
        own = self.inter_B(features)
        drawn = Images(*self.decoder(torch.cat([shared, shared], dim=1)))
        return drawn, self.decoder.mask(torch.cat([own, shared], dim=1))

    def swap_from(self, code: Tensor) -> Images:
        """See SwapModel."""
        shared = code.chunk(2, dim=1)[1]
        return Images(*self.decoder(torch.cat([shared, shared], dim=1)))

    def resting(self, warps: bool) -> tuple[str, ...]:
        """See SwapModel. Without warps, what both people share is known by then and stays as it is (dfl-spec 7.8.7)."""
        return () if warps else ("inter_AB",)
