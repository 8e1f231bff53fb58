"""Whether a model still draws faces: a network can fall to one colour while its loss is a number and hardly moves."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from konterfei.models.base import Batch
from konterfei.models.devices import autocast
from konterfei.training.data import Sampler
from konterfei.training.lesson import Lesson
from konterfei.training.plan import Progress
from konterfei.training.preview import as_themselves, spread_faces
from konterfei.training.thrift import pieces

LOOK_EVERY: Final = 200
"""Steps between two looks: a two-hundredth of their time."""
PATIENCE: Final = 10
"""Looks without any face after which a network that learns nothing is taken for dead."""

_FACES = 4  # of each person
# What networks showed that were trained at rates far too high, and at usual ones (docs/training.md): dead ones below
# 0.06 for ever; living ones 0.4 and more in the end, and some of the slowest below 0.06 for the first thousand steps.
_DRAWS = 0.25
_FALLEN = 0.2
_NOTHING = 0.1
_FALLS = 0.95


def detail(lesson: Lesson, sampler: Sampler) -> list[float]:
    """How much of each person's faces is in what the model draws of them now: about 0 is one colour, 1 is all.

    The slope of what is drawn over what there is, within the masks, each face and channel without its mean: what has
    nothing to do with the face (a frame, a pattern) does not count.

    Returns:
        of src, of dst.
    """
    side = lesson.model.dims.resolution
    faces, masks = zip(*(spread_faces(people, _FACES, side) for people in (sampler.src, sampler.dst)), strict=True)

    def tensor(arrays: tuple) -> Tensor:  # type: ignore[type-arg]
        return torch.cat([torch.from_numpy(array) for array in arrays]).to(lesson.device).permute(0, 3, 1, 2).float()

    real, mask = tensor(faces) / 255, tensor(masks)
    who = as_themselves(sampler.src, sampler.dst, _FACES, lesson.device)
    lesson.model.eval()
    with torch.inference_mode(), autocast(lesson.device, lesson.precision):
        drawn = [
            lesson.model.rebuild(piece.warped.contiguous(memory_format=torch.channels_last), piece.who)
            .image.float()
            .chunk(2)
            for piece in pieces(Batch(real, real, mask, who=who), lesson.thrift.samples)
        ]
    lesson.model.train()

    def varied(images: Tensor) -> Tensor:
        mean = (images * mask).sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1e-6)
        return (images - mean) * mask

    src, dst = zip(*drawn, strict=True)
    ours, theirs = varied(torch.cat([*src, *dst])), varied(real)
    pairs = zip((ours * theirs).chunk(2), (theirs * theirs).chunk(2), strict=True)
    return [float(both.sum() / own.sum().clamp(min=1e-6)) for both, own in pairs]


def is_blank(progress: Progress, details: list[float]) -> bool:
    """Whether someone whose face was drawn before is not drawn any more."""
    return any(now < _FALLEN * best for now, best in zip(details, progress.drawn, strict=False) if best >= _DRAWS)


def went_blank(progress: Progress, details: list[float]) -> bool:
    """The same, or whether nobody was ever drawn while the loss does not fall any more. For every look.

    Notes in `progress` what was seen.
    """
    if is_blank(progress, details):
        return True
    progress.drawn = [max(pair) for pair in zip(details, progress.drawn or details, strict=True)]
    if max(progress.drawn) >= _NOTHING:
        progress.blank = []
        return False
    progress.blank = [*progress.blank, progress.loss][-PATIENCE:]
    return is_dead(progress)


def is_dead(progress: Progress) -> bool:
    """Whether nobody was ever drawn, and the loss does not fall any more."""
    half = PATIENCE // 2
    return len(progress.blank) == PATIENCE and sum(progress.blank[half:]) > _FALLS * sum(progress.blank[:half])
