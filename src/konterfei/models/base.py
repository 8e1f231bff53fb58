"""What the trainer and the merger ask of a model, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from konterfei.nets import losses
from konterfei.nets.autoencoders import Dims


@dataclass(frozen=True)
class Batch:
    """Training samples of both people: the first half src, the second half dst, in equal numbers.

    Attributes:
        warped: what the network sees. [2B, 3, R, R] in [0, 1]
        target: what it should give back. [2B, 3, R, R] in [0, 1]
        mask: of the target, 1 = face. [2B, 1, R, R] in [0, 1]
    """

    warped: Tensor
    target: Tensor
    mask: Tensor


@dataclass(frozen=True)
class Images:
    """Faces out of a network. image [B, 3, R, R], mask [B, 1, R, R], both in (0, 1), float32."""

    image: Tensor
    mask: Tensor


class SwapModel(nn.Module):
    """A network that learns two people and draws one with the expression of the other.

    A model implements `reconstruct` and `swap`; losses, pictures and optimisation follow from them. What it draws by
    chance while it trains comes from torch's own random numbers, which the training loop sets anew at each step.
    """

    can_morph: ClassVar[bool] = False
    """Whether `swap` heeds `morph`."""

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims

    def reconstruct(self, images: Tensor) -> Images:
        """Each person by their own decoder. [2B, 3, R, R], src first -> same order."""
        raise NotImplementedError

    def swap(self, images: Tensor, morph: float | Tensor = 1.0) -> tuple[Images, Tensor]:
        """Faces of dst drawn as src, and the mask of dst's own reconstruction. [B, 3, R, R] -> Images, [B, 1, R, R].

        Args:
            images: of dst.
            morph: how far from dst (0) to src (1); a tensor of one value, or a number. Given only where `can_morph`.
        """
        raise NotImplementedError

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """Masked reconstruction and mask losses by dfl-spec 7.8.2, summed over each person's half (dfl-spec 7.8).

        Returns:
            "src" and "dst": scalars; the objective is their sum.
        """
        with torch.autocast(batch.warped.device.type, enabled=torch.is_autocast_enabled(batch.warped.device.type)):
            out = self.reconstruct(batch.warped)
        with torch.autocast(batch.warped.device.type, enabled=False):
            soft = losses.soft_mask(batch.mask)
            loss = losses.reconstruction(out.image, batch.target, soft) + losses.mask_loss(out.mask, batch.mask)
        half = loss.shape[0] // 2
        return {"src": loss[:half].sum(), "dst": loss[half:].sum()}

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by the name of the network that they belong to."""
        return {name: list(child.parameters()) for name, child in self.named_children()}
