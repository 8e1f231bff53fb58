"""From a batch to what the model is to minimise (dfl-spec 7.8), and the picture of it that discriminators judge."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from konterfei.models.base import Batch, Images, SwapModel
from konterfei.models.devices import autocast
from konterfei.nets.losses import (
    blur_outside,
    dssim,
    dssim_windows,
    mask_loss,
    parts_loss,
    reconstruction,
    soft_mask,
    squared_error,
    style_loss,
    total_variation,
)
from konterfei.training.objectives import Objectives

_TOTAL_VARIATION = 1e-6  # dfl-spec 7.8.6, 7.8.8


@dataclass(frozen=True)
class Scene:
    """What a step drew, for those who judge it. src first, dst second, B samples each.

    Attributes:
        drawn, real: faces as they are compared, within the soft mask where training is masked. [2B, 3, R, R]
        image, target: the same without mask. [2B, 3, R, R]
        outside: 1 - the soft mask. [2B, 1, R, R]
        code: what they were drawn from, where the model shows it. [2B, ...]
        swapped: every second face of dst drawn as src, as a merge shows it; None where nobody asks. [B / 2, 3, R, R]
    """

    drawn: Tensor
    real: Tensor
    image: Tensor
    target: Tensor
    outside: Tensor
    code: Tensor | None
    swapped: Tensor | None = None

    def detached(self) -> Scene:
        """The same, through which no gradient goes back into the model."""
        return replace(
            self,
            drawn=self.drawn.detach(),
            image=self.image.detach(),
            code=None if self.code is None else self.code.detach(),
            swapped=None,
        )

    def src_background(self, exact: bool) -> Tensor:
        """What holds src in place while a judge pushes: its background, and a trace of total variation. Scalar.

        dfl-spec 7.8.6, 7.8.8. `exact`: see `nets.losses.total_variation`.
        """
        image, target, outside = (x.chunk(2)[0] for x in (self.image, self.target, self.outside))
        error = squared_error(image * outside, target * outside)
        return (0.02 * error + _TOTAL_VARIATION * total_variation(image, exact)).sum()


@dataclass(frozen=True)
class Terms:
    """Losses of a batch: sums over each person's samples (dfl-spec 7.8), scalars; and what was drawn."""

    src: Tensor
    dst: Tensor
    scene: Scene


def measure(model: SwapModel, batch: Batch, objectives: Objectives, precision: str = "fp32") -> Terms:
    """Reconstruction, masks, priorities and styles of one batch.

    Args:
        model: draws.
        batch: samples of both people.
        objectives: those in force.
        precision: of the networks; losses are float32 always.
    """
    with autocast(batch.warped.device, precision):
        out = model.rebuild(batch.warped, batch.who)
        styled = _styled(model, out, objectives)
        swapped = _swapped(model, out, batch) if objectives.identity_power else None
    scene = replace(_scene(model, batch, out, objectives), swapped=swapped)
    recipe, half = model.recipe, batch.warped.shape[0] // 2
    windows = dssim_windows(batch.target.shape[-1], recipe.two_windows)
    loss = reconstruction(scene.drawn, scene.real, windows) + mask_loss(out.mask, batch.mask)
    if objectives.eyes_mouth or recipe.always_eyes_mouth:
        if batch.parts is None:
            raise ValueError("eyes and mouth have priority, but the batch has no masks of them")
        loss = loss + parts_loss(scene.image, scene.target, batch.parts)
    src, dst = loss[:half].sum(), loss[half:].sum()
    if styled is not None:
        src = src + _style(styled, out, batch, scene, objectives)
    if recipe.dst_background:
        ours, theirs = (x[half:] * scene.outside[half:] for x in (scene.image, scene.target))
        variation = total_variation(ours, objectives.dfl_exact)
        dst = dst + (recipe.dst_background * squared_error(ours, theirs) + _TOTAL_VARIATION * variation).sum()
    return Terms(src, dst, scene)


def draw_scene(model: SwapModel, batch: Batch, objectives: Objectives, precision: str) -> Scene:
    """What the model draws now, without gradients."""
    with torch.no_grad():
        with autocast(batch.warped.device, precision):
            out = model.rebuild(batch.warped, batch.who)
        return _scene(model, batch, out, objectives)


def needs_parts(model: SwapModel, objectives: Objectives) -> bool:
    """Whether samples must come with masks of eyes and mouth."""
    return objectives.eyes_mouth or model.recipe.always_eyes_mouth


def is_masked(model: SwapModel, objectives: Objectives) -> bool:
    """Whether only the face counts."""
    return objectives.masked_training or model.recipe.always_masked


def _scene(model: SwapModel, batch: Batch, out: Images, objectives: Objectives) -> Scene:
    target = blur_outside(batch.target, batch.mask) if objectives.blur_out_mask else batch.target
    soft = soft_mask(batch.mask)
    drawn, real = out.image, target
    if is_masked(model, objectives):
        drawn, real = drawn * soft, real * soft
    return Scene(drawn, real, out.image, target, 1 - soft, out.code)


def _swapped(model: SwapModel, out: Images, batch: Batch) -> Tensor | None:
    """Every second face of dst drawn as src, within the masks of both, over dst's picture: half cost half the time.

    Which ones does not depend on how a step is cut; None where a piece has none.
    """
    assert out.code is not None, "a model that offers the identity loss shows its code"
    first = 0 if batch.numbers is None else int(batch.numbers[0]) % 2
    code, dst_mask, plate = (x.chunk(2)[1][first::2] for x in (out.code, out.mask, batch.target))
    if not len(code):
        return None
    swap = model.swap_from(code)
    mask = (swap.mask * dst_mask).detach()
    return swap.image * mask + plate * (1 - mask)


@dataclass(frozen=True)
class _Styled:
    """dst drawn as src: by a decoder that alone learns from it, and by the whole model. None where not asked for."""

    by_decoder: Images | None
    by_all: Images | None


def _styled(model: SwapModel, out: Images, objectives: Objectives) -> _Styled | None:
    if not (objectives.face_style_power or objectives.bg_style_power):
        return None
    assert out.code is not None, "a model that offers styles shows its code"
    code = out.code.chunk(2)[1]
    return _Styled(
        model.swap_from(code.detach()) if objectives.face_style_power else None,
        model.swap_from(code) if objectives.bg_style_power else None,
    )


def _style(styled: _Styled, out: Images, batch: Batch, scene: Scene, objectives: Objectives) -> Tensor:
    """Style losses, summed over dst's samples (dfl-spec 7.8.3). Scalar."""
    side = batch.target.shape[-1]
    dst_image, dst_mask, dst_target = (x.chunk(2)[1] for x in (out.image, out.mask, scene.target))
    loss = torch.zeros((), device=batch.target.device)
    if styled.by_decoder is not None:
        weight = 10_000 * objectives.face_style_power / 100
        ours = styled.by_decoder.image * styled.by_decoder.mask.detach()
        loss = loss + style_loss(ours, (dst_image * dst_mask).detach(), side // 8, weight).sum()
    if styled.by_all is not None:
        weight = 10 * objectives.bg_style_power / 100
        if objectives.dfl_exact:  # [Q]: src's mask lies over dst's picture
            outside = scene.outside.chunk(2)[0]
        else:
            outside = 1 - soft_mask((styled.by_all.mask * dst_mask).detach())
        ours, theirs = styled.by_all.image * outside, dst_target * outside
        structure = dssim(ours, theirs, int(side / 11.6))
        loss = loss + weight * (structure + squared_error(ours, theirs)).sum()
    return loss
