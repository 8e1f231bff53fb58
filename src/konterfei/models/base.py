"""What the trainer and the merger ask of a model, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from konterfei.nets.autoencoders import Dims
from konterfei.nets.recipes import SAEHD, Recipe


@dataclass(frozen=True)
class Batch:
    """Training samples of both people: the first half src, the second half dst, in equal numbers.

    Attributes:
        warped: what the network sees. [2B, 3, R, R] in [0, 1]
        target: what it should give back. [2B, 3, R, R] in [0, 1]
        mask: of the target, 1 = face. [2B, 1, R, R] in [0, 1]
        parts: eyes and mouth of the target; None where nothing asks for them. [2B, 1, R, R] in [0, 1]
        numbers: of the samples within the whole step, where this is a part of it; on the CPU. [2B]
        who: who is seen and somebody else (at times the same), in numbers that tell people apart, of unit length;
            for models of many people. [2B, 2, 192]
    """

    warped: Tensor
    target: Tensor
    mask: Tensor
    parts: Tensor | None = None
    numbers: Tensor | None = None
    who: Tensor | None = None


@dataclass(frozen=True)
class Images:
    """Faces out of a network.

    Attributes:
        image: [B, 3, R, R] in (0, 1), float32
        mask: [B, 1, R, R] in (0, 1), float32
        code: what they were drawn from, where the model shows it. [B, ...]
    """

    image: Tensor
    mask: Tensor
    code: Tensor | None = None


class SwapModel(nn.Module):
    """A network that learns two people and draws one with the expression of the other.

    A model implements `reconstruct` and `swap`; losses, pictures and optimisation follow from them. What it draws by
    chance while it trains comes from torch's own random numbers, which are set anew at each step.

    Attributes:
        can_morph: whether `swap` heeds `morph`.
        recipe: what its losses have that those of other models have not.
        offers: settings of `training.objectives.Objectives` that not every model can serve, and this one can.
        forgotten: networks that pretraining leaves as they began: what they hold belongs to two people (dfl-spec 7.11).
        part: which part of the batch it is shown while it trains, from 0, and of how many. What it draws by chance
            for a sample must not depend on that.
    """

    can_morph: ClassVar[bool] = False
    recipe: ClassVar[Recipe] = SAEHD
    offers: ClassVar[frozenset[str]] = frozenset()
    forgotten: ClassVar[tuple[str, ...]] = ()

    def __init__(self, dims: Dims) -> None:
        super().__init__()
        self.dims = dims
        self.part = (0, 1)

    def reconstruct(self, images: Tensor) -> Images:
        """Each person by their own decoder. [2B, 3, R, R], src first -> same order."""
        raise NotImplementedError

    def reconstruct_as(self, images: Tensor, who: Tensor) -> Images:
        """Everybody as said. [N, 3, R, R], [N, 2, 192] (`Batch.who`) -> [N, ...]. Only for models of many people."""
        raise NotImplementedError

    def swap(self, images: Tensor, morph: float | Tensor = 1.0) -> tuple[Images, Tensor]:
        """Faces of dst drawn as src, and the mask of dst's own reconstruction. [B, 3, R, R] -> Images, [B, 1, R, R].

        Args:
            images: of dst.
            morph: how far from dst (0) to src (1); a tensor of one value, or a number. Given only where `can_morph`.
        """
        raise NotImplementedError

    def swap_from(self, code: Tensor) -> Images:
        """Faces of dst drawn as src from the code that `reconstruct` gave for them. [B, C, r, r] -> Images.

        Only for models that offer style losses or the identity loss.
        """
        raise NotImplementedError

    @property
    def code_shape(self) -> tuple[int, int]:
        """Channels and side of each person's code. Only for models that offer true face."""
        raise NotImplementedError

    def resting(self, warps: bool) -> tuple[str, ...]:
        """Networks that do not learn, by name.

        Args:
            warps: whether samples are warped (dfl-spec 7.8.7).
        """
        return ()

    def rebuild(self, images: Tensor, who: Tensor | None = None) -> Images:
        """`reconstruct_as` where it is said who they are, else `reconstruct`."""
        return self.reconstruct(images) if who is None else self.reconstruct_as(images, who)

    def param_groups(self) -> dict[str, list[nn.Parameter]]:
        """Trainable parameters by the name of the network that they belong to."""
        return {name: list(child.parameters()) for name, child in self.named_children()}
