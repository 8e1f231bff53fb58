"""A model, its judges and their objectives: what one step of training does."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from konterfei.errors import ConfigError, UnknownNameError
from konterfei.models.base import Batch, SwapModel
from konterfei.training.adversaries import Adversary, adversaries_for
from konterfei.training.data import RawBatch
from konterfei.training.dealing import seed_of
from konterfei.training.learner import Learner, Restraint
from konterfei.training.losses import draw_scene, measure
from konterfei.training.objectives import Objectives
from konterfei.training.optimizers import OPTIMIZERS
from konterfei.training.team import ALONE, Team

_OFFERED = ("face_style_power", "bg_style_power", "true_face_power", "pretrain")


def refuse_unoffered(name: str, model: type[SwapModel], objectives: Objectives) -> None:
    """Raises ConfigError for objectives that a model (by its name in the table) cannot serve."""
    asked = [key for key in _OFFERED if getattr(objectives, key) and key not in model.offers]
    if asked:
        flags = ", ".join(f"--{key.replace('_', '-')}" for key in asked)
        raise ConfigError(f"{flags}: not with the model {name}. Leave it out, or choose another --architecture.")
    if not objectives.masked_training and model.recipe.always_masked:
        raise ConfigError(f"--no-masked-training: {name} is always trained within the mask. Leave it out.")


class Lesson:
    """What a step of training does, and to whom.

    Attributes:
        model: learns to draw.
        learner: the model's weights and optimiser.
        adversaries: judges, which learn beside it.
        objectives: those in force.
        device, precision: where and in which format networks run.
        team: the processes that do it together; each is given its part of the batch.
    """

    def __init__(
        self,
        model: SwapModel,
        objectives: Objectives,
        optimizer: str,
        seed: int,
        device: torch.device,
        precision: str,
        team: Team = ALONE,
    ) -> None:
        if optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", optimizer, OPTIMIZERS)
        self.model, self.device, self.precision, self.team = model, device, precision, team
        model.part = (team.rank, team.size)
        self._optimizer, self._seed = optimizer, seed
        self.learner = Learner("", model, optimizer, Restraint())
        self.adversaries: list[Adversary] = []
        self.turn_to(objectives)

    def turn_to(self, objectives: Objectives) -> None:
        """Take over objectives. The model goes on; so do judges that are still asked for, others begin."""
        self.objectives = chosen = objectives.in_force()
        # Pretraining shows no warps; that the original rests a network for that is a slip (dfl-spec 7.8.7 [Q]).
        warps = chosen.random_warp or (chosen.pretrain and not chosen.dfl_exact)
        self.learner.restraint = Restraint(
            clips=chosen.clip_grad, dropout=chosen.lr_dropout, seed=self._seed, resting=self.model.resting(warps)
        )
        self.adversaries = adversaries_for(
            self.model, chosen, self._optimizer, self._seed, self.device, self.precision, self.adversaries
        )

    @property
    def learners(self) -> list[Learner]:
        """The model's and the judges'."""
        return [self.learner, *(adversary.learner for adversary in self.adversaries)]

    def step(self, raw: RawBatch, rate: float, count: int, ema_keep: float) -> torch.Tensor:
        """One step of the model, then one of each judge. Arguments as of `Optimizer.step`.

        Returns:
            mean losses of src and dst per sample, without what judges add, [2]; a GPU is not waited for.
        """
        batch = to_batch(raw, self.device)
        torch.manual_seed(seed_of(self._seed, 7, count))  # what the model draws by chance follows from the step
        terms = measure(self.model, batch, self.objectives, self.precision)
        total = terms.src + terms.dst
        for adversary in self.adversaries:
            total = total + adversary.for_model(terms.scene)
        total.backward()
        self.team.sum_(self.learner.flat.gradients)
        self.learner.step(rate, count, ema_keep)
        if self.adversaries and not self.objectives.pretrain:
            # The original draws anew, with the weights of after the step; what was drawn before it will do as well.
            exact = self.objectives.dfl_exact
            scene = draw_scene(self.model, batch, self.objectives, self.precision) if exact else terms.scene
            for adversary in self.adversaries:
                adversary.learn(scene, rate, count, self.team)
        losses = self.team.sum_(torch.stack([terms.src, terms.dst]).detach())
        return losses / (self.team.size * batch.warped.shape[0] / 2)

    def is_sound(self) -> bool:
        """Whether all weights are numbers."""
        return all(learner.is_sound() for learner in self.learners)


def to_batch(raw: RawBatch, device: torch.device) -> Batch:
    """Samples as the network takes them: float32 in [0, 1], channels first in meaning, last in memory."""

    def image(pixels: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(pixels).to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255

    def mask(pixels: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(pixels).to(device, non_blocking=True).unsqueeze(1).float() / 255

    parts = None if raw.parts is None else mask(raw.parts)
    return Batch(image(raw.warped), image(raw.target).contiguous(), mask(raw.mask), parts)
