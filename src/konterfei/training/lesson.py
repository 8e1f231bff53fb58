"""A model, its judges and their objectives: what one step of training does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray

from konterfei.errors import ConfigError, UnknownNameError
from konterfei.geometry import FaceType
from konterfei.models.base import Batch, SwapModel
from konterfei.models.devices import free_memory, is_full_memory
from konterfei.training.adversaries import Adversary, adversaries_for
from konterfei.training.data import RawBatch
from konterfei.training.dealing import seed_of
from konterfei.training.learner import Learner, Restraint
from konterfei.training.losses import Scene, draw_scene, measure
from konterfei.training.objectives import Objectives
from konterfei.training.optimizers import OPTIMIZERS
from konterfei.training.team import ALONE, Team
from konterfei.training.thrift import WHOLE, Thrift, joined, pieces, repeat_layers
from konterfei.training.witnesses import Sitter, Witness, refuse_unsteady, witnesses_for

T = TypeVar("T")

_OFFERED = ("face_style_power", "bg_style_power", "true_face_power", "identity_power", "pretrain")


def refuse_unoffered(
    name: str, model: type[SwapModel], objectives: Objectives, face_type: FaceType = FaceType.FULL
) -> None:
    """Raises ConfigError for objectives that a model (by its name in the table) cannot serve with such faces."""
    refuse_unsteady(face_type, objectives)
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
        witnesses: networks that judge too and never learn.
        objectives: those in force.
        device, precision: where and in which format networks run.
        team: the processes that do it together; each is given its part of the batch.
        thrift: how a step is cut to fit into memory; each process has its own.
        tell: hears that memory was full and what was done about it.
        sitter: whom the witnesses shall know; None = nobody.

    `apart`: see `FlatParameters`; of the model, judges are small.
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
        tell: Callable[[str], None] = lambda _: None,
        sitter: Sitter | None = None,
        apart: bool = False,
    ) -> None:
        if optimizer not in OPTIMIZERS:
            raise UnknownNameError("optimizer", optimizer, OPTIMIZERS)
        self.model, self.device, self.precision, self.team = model, device, precision, team
        self.thrift, self.tell = WHOLE, tell
        model.part = (team.rank, team.size)
        self._optimizer, self._seed, self._sitter = optimizer, seed, sitter
        self.learner = Learner("", model, optimizer, Restraint(), apart)
        self.adversaries: list[Adversary] = []
        self.witnesses: list[Witness] = []
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
        side = self.model.dims.resolution
        self.witnesses = witnesses_for(chosen, self._sitter, side, self.device, self.precision, self.witnesses)

    @property
    def learners(self) -> list[Learner]:
        """The model's and the judges'."""
        return [self.learner, *(adversary.learner for adversary in self.adversaries)]

    def step(self, raw: RawBatch, rate: float, count: int, ema_keep: float) -> torch.Tensor:
        """One step of the model, then one of each judge. Arguments as of `Optimizer.step`.

        Returns:
            mean losses of src and dst per sample, without what judges add, [2]; a GPU is not waited for.
        """
        batch = to_batch(raw, self.device, self.team.rank)
        src, dst, scenes = self._retried(lambda: self._find_gradients(batch, count), batch)
        self._apply(self.learner, batch, rate, count, ema_keep)
        if self.adversaries and not self.objectives.pretrain:
            if self.objectives.dfl_exact:
                # The original draws anew, with the weights of after the step; what was drawn before it will do as well.
                chance = torch.get_rng_state()
                scenes = self._retried(lambda: self._draw(batch, chance), batch)
            scene = joined(scenes)
            for adversary in self.adversaries:
                self._retried(partial(self._find_judges_gradients, adversary, scene), batch)
                self._apply(adversary.learner, batch, rate, count)
        losses = self.team.sum_(torch.stack([src, dst]))
        return losses / (self.team.size * batch.warped.shape[0] / 2)

    def _find_gradients(self, batch: Batch, count: int) -> tuple[torch.Tensor, torch.Tensor, list[Scene]]:
        """The model's. Gives back losses of src and dst, and what judges are to see."""
        torch.manual_seed(seed_of(self._seed, 7, count))  # what the model draws by chance follows from the step
        losses, scenes = [], []
        for piece in pieces(batch, self.thrift.samples):
            terms = measure(self.model, piece, self.objectives, self.precision)
            total = terms.src + terms.dst
            for adversary in self.adversaries:
                total = total + adversary.for_model(terms.scene)
            for witness in self.witnesses:
                total = total + witness.for_model(terms.scene)
            total.backward()
            losses.append((terms.src.detach(), terms.dst.detach()))
            if self.adversaries:
                scenes.append(terms.scene.detached())
        src, dst = (sum(column[1:], column[0]) for column in zip(*losses, strict=True))
        return src, dst, scenes

    def _find_judges_gradients(self, judge: Adversary, scene: Scene) -> None:
        judge.find_gradients(scene, self.thrift.samples)

    def _apply(self, learner: Learner, batch: Batch, rate: float, count: int, ema_keep: float = 0.0) -> None:
        """Let a network take the step that the gradients of all processes say."""
        learner.flat.fetch()
        self.team.sum_(learner.flat.gradients)
        self._retried(lambda: learner.step(rate, count, ema_keep), batch, begins_anew=False)

    def _draw(self, batch: Batch, chance: torch.Tensor) -> list[Scene]:
        """What the model draws now, by the random numbers that follow `chance`."""
        torch.set_rng_state(chance)
        parts = pieces(batch, self.thrift.samples)
        return [draw_scene(self.model, part, self.objectives, self.precision) for part in parts]

    def save_memory(self, thrift: Thrift) -> None:
        """Do steps in this way from now on."""
        self.thrift = thrift
        repeat_layers(self.model, thrift.repeats)

    def _retried(self, part: Callable[[], T], batch: Batch, begins_anew: bool = True) -> T:
        """Do a part of a step; where memory is full, do it again with less, until nothing is left to be made smaller.

        No part needs the other processes, which know nothing of it. Parts that find gradients begin anew without any;
        one that applies them changes nothing before it has all the memory that it takes (`Learner.step`).
        """
        while True:
            try:
                return part()
            except RuntimeError as error:
                size = batch.warped.shape[0] // 2
                smaller = self.thrift.further(size)
                if not is_full_memory(error) or smaller is None:
                    raise
                self.tell(
                    f"The memory of '{self.device}' is full. This step is done again {smaller.text(size)}, and so are "
                    "those to come; what is learned is the same."
                )
                self.save_memory(smaller)
            # here the error is gone, and with it what it had kept alive
            if begins_anew:
                for learner in self.learners:
                    learner.flat.forget_gradients()
            free_memory(self.device)

    def is_sound(self) -> bool:
        """Whether all weights are numbers."""
        return all(learner.is_sound() for learner in self.learners)


def to_batch(raw: RawBatch, device: torch.device, rank: int = 0) -> Batch:
    """Samples as the network takes them: float32 in [0, 1], channels first in meaning, last in memory.

    Args:
        raw: the samples.
        device: where the network is.
        rank: which part of the step they are, from 0; all parts are of one size.
    """

    def image(pixels: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(pixels).to(device, non_blocking=True).permute(0, 3, 1, 2).float() / 255

    def mask(pixels: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(pixels).to(device, non_blocking=True).unsqueeze(1).float() / 255

    parts = None if raw.parts is None else mask(raw.parts)
    count = len(raw.mask) // 2
    numbers = (torch.arange(count) + rank * count).repeat(2)
    who = None if raw.who is None else torch.from_numpy(raw.who).to(device, non_blocking=True)
    return Batch(image(raw.warped), image(raw.target).contiguous(), mask(raw.mask), parts, numbers, who)
