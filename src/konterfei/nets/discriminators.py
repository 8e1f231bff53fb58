"""Networks that judge: is this picture real, whose code is this (dfl-spec 7.6).

Sub-module names equal the keys of the original weight files (dfl-spec C.7), `convs_0` being `convs.0`, so that an
importer is a rename and a transposition.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate, chain
from operator import mul

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from konterfei.nets.blocks import initialise

MOST_LAYERS = 9
MOST_CHANNELS = 512


@lru_cache(maxsize=1)
def strides_by_field() -> dict[int, tuple[int, ...]]:
    """Receptive field in pixels -> strides of the convolutions that have it (dfl-spec 7.6.1, B.3).

    Of all stacks of one to nine 3x3 convolutions, the first with stride 2, the others 1 or 2: the shortest, and among
    these the one that shrinks most.
    """
    best: dict[int, tuple[int, ...]] = {}
    for layers in range(1, MOST_LAYERS + 1):
        for bits in reversed(range(1 << (layers - 1))):
            strides = (2, *(1 + (bits >> i & 1) for i in range(layers - 1)))
            products = accumulate(strides[:-1], mul)
            field = 3 + sum(2 * product for product in products)
            known = best.get(field)
            if known is None or (len(known) == layers and sum(known) < sum(strides)):
                best[field] = strides
    return best


def strides_for(patch: int) -> tuple[int, ...]:
    """Strides of the stack whose receptive field is nearest to `patch` pixels, the smaller one of two (dfl-spec B.3).

    16 -> a field of 15 -> (2, 2, 2).
    """
    fields = strides_by_field()
    return fields[min(fields, key=lambda field: (abs(field - patch), field))]


class PatchDiscriminator(nn.Module):
    """A U-Net that tells drawn faces from real ones, patch by patch and pixel by pixel (dfl-spec 7.6.1).

    [B, 3, R, R] in [0, 1] -> logits of patches [B, 1, r, r] and of pixels [B, 1, R, R]; above 0 = real.

    Args:
        patch: side of the patches in pixels; the nearest receptive field that there is, is taken.
        base: channels of the first layer.
    """

    def __init__(self, patch: int, base: int) -> None:
        super().__init__()
        strides = strides_for(patch)
        widths = [base, *(min(base << (i + 1), MOST_CHANNELS) for i in range(len(strides)))]
        self.strides = strides
        self.in_conv = nn.Conv2d(3, widths[0], 1)
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 3, stride=stride, padding=1) for i, stride in enumerate(strides)
        )
        self.center_out = nn.Conv2d(widths[-1], 1, 1)
        self.center_conv = nn.Conv2d(widths[-1], widths[-1], 1)
        last = len(strides) - 1
        self.upconvs = nn.ModuleList(  # deepest first
            nn.ConvTranspose2d(
                widths[i + 1] * (1 if i == last else 2), widths[i], 3, stride=strides[i], padding=2 - strides[i]
            )
            for i in reversed(range(len(strides)))
        )
        self.out_conv = nn.Conv2d(2 * widths[0], 1, 1)
        initialise(self)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See class."""
        x = F.leaky_relu(self.in_conv(images), 0.2)
        passed = []
        for conv in self.convs:
            passed.append(x)
            x = F.leaky_relu(conv(x), 0.2)
        patches = self.center_out(x)
        x = F.leaky_relu(self.center_conv(x), 0.2)
        for upconv, before in zip(self.upconvs, reversed(passed), strict=True):
            height, width = before.shape[-2:]  # TensorFlow's SAME: a row and a column less than PyTorch's (7.1, A.12)
            x = F.leaky_relu(upconv(x), 0.2)[..., :height, :width]
            x = torch.cat([before, x], dim=1)
        return patches, self.out_conv(x)


class CodeDiscriminator(nn.Module):
    """Tells codes of dst (above 0) from codes of src (dfl-spec 7.6.2). [B, A, r, r] -> logits [B, 1, q, q].

    Args:
        channels: of the code [A].
        side: of the code [r].
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        widths = [channels, *(256 * min(1 << i, 8) for i in range(1 + side // 8))]
        kernels = chain([4], [3] * (len(widths) - 2))
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], kernel, stride=2, padding=kernel // 2)
            for i, kernel in enumerate(kernels)
        )
        self.out_conv = nn.Conv2d(widths[-1], 1, 1)
        initialise(self)

    def forward(self, code: Tensor) -> Tensor:
        """See class."""
        for conv in self.convs:
            code = F.leaky_relu(conv(code), 0.1)
        return self.out_conv(code)
