"""df: shared encoder and inter, one decoder per person (dfl-spec 7.2.4)."""

from __future__ import annotations

import torch
from torch import Tensor

from konterfei.models.base import Images, SwapModel
from konterfei.nets.autoencoders import Decoder, Dims, Encoder, Inter


class DF(SwapModel):
    """code = inter(encoder(x)); src and dst each have a decoder; swap = decoder_src(code of dst)."""

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.encoder, self.inter = Encoder(dims), Inter(dims, dims.ae)
        self.decoder_src, self.decoder_dst = Decoder(dims, dims.ae), Decoder(dims, dims.ae)

    def reconstruct(self, images: Tensor) -> Images:
        """See SwapModel."""
        src, dst = self.inter(self.encoder(images)).chunk(2)
        src_image, src_mask = self.decoder_src(src)
        dst_image, dst_mask = self.decoder_dst(dst)
        return Images(torch.cat([src_image, dst_image]), torch.cat([src_mask, dst_mask]))

    def swap(self, images: Tensor, morph: float | Tensor = 1.0) -> tuple[Images, Tensor]:
        """See SwapModel."""
        code = self.inter(self.encoder(images))
        return Images(*self.decoder_src(code)), self.decoder_dst.mask(code)
