"""df: shared encoder and inter, one decoder per person (dfl-spec 7.2.4)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from konterfei.models.base import Images, SwapModel
from konterfei.nets.autoencoders import Decoder, Dims, Encoder, Inter


class DF(SwapModel):
    """code = inter(encoder(x)); src and dst each have a decoder; swap = decoder_src(code of dst)."""

    offers: ClassVar[frozenset[str]] = frozenset(
        {"face_style_power", "bg_style_power", "true_face_power", "identity_power", "pretrain"}
    )
    forgotten: ClassVar[tuple[str, ...]] = ("inter",)

    def __init__(self, dims: Dims) -> None:
        super().__init__(dims)
        self.encoder, self.inter = Encoder(dims), Inter(dims, dims.ae)
        self.decoder_src, self.decoder_dst = Decoder(dims, dims.ae), Decoder(dims, dims.ae)

    def reconstruct(self, images: Tensor) -> Images:
        """See SwapModel."""
        code = self.inter(self.encoder(images))
        src, dst = code.chunk(2)
        src_image, src_mask = self.decoder_src(src)
        dst_image, dst_mask = self.decoder_dst(dst)
        return Images(torch.cat([src_image, dst_image]), torch.cat([src_mask, dst_mask]), code)

    def swap(self, images: Tensor, morph: float | Tensor = 1.0) -> tuple[Images, Tensor]:
        """See SwapModel."""
        code = self.inter(self.encoder(images))
        return Images(*self.decoder_src(code)), self.decoder_dst.mask(code)

    def swap_from(self, code: Tensor) -> Images:
        """See SwapModel."""
        return Images(*self.decoder_src(code))

    @property
    def code_shape(self) -> tuple[int, int]:
        """See SwapModel."""
        return self.inter.out_channels, self.dims.code_side * (1 if self.dims.deep else 2)
