"""amp: two inters whose channels are mixed, so that a swap can stop anywhere between dst and src (dfl-spec 7.5).

The original leaves both inters at the random values that they began with; here they are trained like everything else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from konterfei.models.base import Images, SwapModel
from konterfei.nets import recipes
from konterfei.nets.autoencoders import Decoder
from konterfei.nets.dims import Dims
from konterfei.nets.morphable import MorphEncoder, MorphInter
from konterfei.nets.recipes import Recipe


class AMP(SwapModel):
    """src code = channels of inter_src and inter_dst mixed; dst code = inter_dst; one decoder.

    The networks are those of the letters u, d and t, whatever `dims` says of them.
    """

    can_morph: ClassVar[bool] = True
    recipe: ClassVar[Recipe] = recipes.AMP
    offers: ClassVar[frozenset[str]] = frozenset({"identity_power"})

    def __init__(self, dims: Dims) -> None:
        dims = replace(dims, unit=True, double=True, deep=True, cosine=False)
        super().__init__(dims)
        self.encoder = MorphEncoder(dims)
        self.inter_src, self.inter_dst = MorphInter(dims), MorphInter(dims)
        self.decoder = Decoder(dims, dims.inter_channels)

    def reconstruct(self, images: Tensor) -> Images:
        """See SwapModel. While training, src is drawn from a random mixture; else wholly by its own inter.

        The code is what both inters begin with.
        """
        features = self.encoder(images)
        src, dst = features.chunk(2)
        own = self.inter_src(src)
        if self.training:
            own = torch.where(self._random_channels(src), own, self.inter_dst(src))
        image, mask = self.decoder(torch.cat([own, self.inter_dst(dst)]))
        return Images(image, mask, features)

    def swap(self, images: Tensor, morph: float | Tensor = 1.0) -> tuple[Images, Tensor]:
        """See SwapModel. The first int(I morph) channels of the code are inter_src's, the others inter_dst's."""
        features = self.encoder(images)
        dst = self.inter_dst(features)
        channels = self.dims.inter_channels
        share = torch.as_tensor(morph, dtype=torch.float32, device=images.device)
        is_src = torch.arange(channels, device=images.device).float() < torch.floor(share * channels)
        mixed = torch.where(is_src.view(1, channels, 1, 1), self.inter_src(features), dst)
        return Images(*self.decoder(mixed)), self.decoder.mask(dst)

    def swap_from(self, code: Tensor) -> Images:
        """See SwapModel."""
        return Images(*self.decoder(self.inter_src(code)))

    def _random_channels(self, samples: Tensor) -> Tensor:
        """Which channels are src's: int(I `dims.morph`) random ones of each sample. [B, ...] -> [B, I, 1, 1] bool."""
        channels, (number, of) = self.dims.inter_channels, self.part
        drawn = torch.rand(of * samples.shape[0], channels, device=samples.device)  # of the whole batch
        order = drawn.chunk(of)[number].argsort(dim=1)
        return (order < int(channels * self.dims.morph))[:, :, None, None]
