"""Networks that judge what the model draws, and learn beside it: patches of faces (GAN), codes (true face).

Each step the model learns first, to please them; then they learn on the same batch (dfl-spec 7.8.5, 7.8.6, 7.8.8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from konterfei.models.base import SwapModel
from konterfei.models.devices import autocast
from konterfei.nets.discriminators import CodeDiscriminator, PatchDiscriminator
from konterfei.nets.losses import judged
from konterfei.training.dealing import seed_of
from konterfei.training.learner import Learner, Restraint
from konterfei.training.losses import Scene, is_masked
from konterfei.training.objectives import Objectives
from konterfei.training.team import ALONE, Team
from konterfei.training.thrift import pieces


class Adversary:
    """A judge in training.

    Attributes:
        learner: its network and optimiser.
    """

    def __init__(self, learner: Learner, precision: str) -> None:
        self.learner = learner
        self._precision = precision
        learner.module.requires_grad_(False)

    def for_model(self, scene: Scene) -> Tensor:
        """What the model is to minimise in order to please it. Scalar, summed over samples."""
        raise NotImplementedError

    def own_loss(self, scene: Scene) -> Tensor:
        """What it minimises itself. Scalar, summed over samples."""
        raise NotImplementedError

    def find_gradients(self, scene: Scene, samples: int = 0) -> Tensor:
        """Gradients of its own loss, into its learner. Gives back the loss, detached.

        Args:
            scene: what was drawn.
            samples: of each person at a time; 0 = all.
        """
        losses = []
        self.learner.module.requires_grad_(True)
        try:
            for piece in pieces(scene.detached(), samples):
                loss = self.own_loss(piece)
                loss.backward()
                losses.append(loss.detach())
        finally:
            self.learner.module.requires_grad_(False)
        return torch.stack(losses).sum()

    def learn(self, scene: Scene, rate: float, count: int, team: Team = ALONE) -> Tensor:
        """One step of its own, on what was drawn. Gives back its loss in this process, detached."""
        loss = self.find_gradients(scene)
        team.sum_(self.learner.flat.gradients)
        self.learner.step(rate, count)
        return loss

    def _verdict(self, x: Tensor) -> tuple[Tensor, ...]:
        with autocast(x.device, self._precision):
            out = self.learner.module(x)
        return out if isinstance(out, tuple) else (out,)


class PatchJudge(Adversary):
    """Tells drawn faces from real ones (dfl-spec 7.8.6; both people's: 7.8.8).

    Args:
        learner: of a PatchDiscriminator.
        precision: of its network.
        power: weight of its verdict for the model.
        judges_dst: whether it sees both people, otherwise src alone.
        keeps_background: whether src's background is held in place too.
        exact: see `nets.losses.total_variation`.
    """

    def __init__(
        self,
        learner: Learner,
        precision: str,
        power: float,
        judges_dst: bool = False,
        keeps_background: bool = True,
        exact: bool = False,
    ) -> None:
        super().__init__(learner, precision)
        self._power, self._judges_dst, self._exact = power, judges_dst, exact
        self._keeps_background = keeps_background

    def _seen(self, x: Tensor) -> Tensor:
        return x if self._judges_dst else x.chunk(2)[0]

    def for_model(self, scene: Scene) -> Tensor:
        """See Adversary."""
        verdicts = [judged(logits, True).sum() for logits in self._verdict(self._seen(scene.drawn))]
        loss = self._power * torch.stack(verdicts).sum()
        if self._keeps_background:
            loss = loss + scene.src_background(self._exact)
        return loss

    def own_loss(self, scene: Scene) -> Tensor:
        """See Adversary."""
        real, drawn = self._seen(scene.real), self._seen(scene.drawn)
        loss = torch.zeros((), device=real.device)
        for logits in self._verdict(torch.cat([real, drawn])):
            of_real, of_drawn = logits.chunk(2)
            loss = loss + judged(of_real, True).sum() + judged(of_drawn, False).sum()
        return loss * (1 / 8 if self._judges_dst else 1 / 2)


class CodeJudge(Adversary):
    """Tells codes of src from codes of dst; src's are to look like dst's (dfl-spec 7.8.5).

    Args:
        learner: of a CodeDiscriminator.
        precision: of its network.
        power: weight of its verdict for the model.
    """

    def __init__(self, learner: Learner, precision: str, power: float) -> None:
        super().__init__(learner, precision)
        self._power = power

    def for_model(self, scene: Scene) -> Tensor:
        """See Adversary."""
        assert scene.code is not None
        (logits,) = self._verdict(scene.code.chunk(2)[0])
        return self._power * judged(logits, True).sum()

    def own_loss(self, scene: Scene) -> Tensor:
        """See Adversary."""
        assert scene.code is not None
        (logits,) = self._verdict(scene.code)
        of_src, of_dst = logits.chunk(2)
        return 0.5 * (judged(of_dst, True) + judged(of_src, False)).sum()


def adversaries_for(
    model: SwapModel,
    objectives: Objectives,
    optimizer: str,
    seed: int,
    device: torch.device,
    precision: str,
    there: Sequence[Adversary] = (),
) -> list[Adversary]:
    """The judges that the objectives in force ask for.

    Args:
        model: whom they judge.
        objectives: those in force.
        optimizer: name in `OPTIMIZERS`, as of the model.
        seed: their first weights follow from it alone.
        device: where they run.
        precision: of their networks.
        there: judges so far; those that are still asked for, with networks of the same sizes, go on learning.
    """
    restraint = Restraint(clips=objectives.clip_grad, dropout=objectives.lr_dropout, seed=seed)

    def learner(name: str, build: Callable[[], nn.Module]) -> Learner:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(seed, 6, *name.encode()))
            module = build()
        for known in (judge.learner for judge in there if judge.learner.name == name):
            if known.has_sizes_of(module):
                known.restraint = restraint
                return known
        return Learner(name, module.to(device, memory_format=torch.channels_last), optimizer, restraint)  # type: ignore[call-overload]

    made: list[Adversary] = []
    if objectives.true_face_power:
        channels, side = model.code_shape
        network = learner("true_face", lambda: CodeDiscriminator(channels, side))
        made.append(CodeJudge(network, precision, objectives.true_face_power))
    if objectives.gan_power:
        patch = objectives.gan_patch_size or model.dims.resolution // 8
        network = learner("gan", lambda: PatchDiscriminator(patch, objectives.gan_dims))
        made.append(
            PatchJudge(
                network,
                precision,
                objectives.gan_power,
                model.recipe.judges_dst,
                is_masked(model, objectives),
                objectives.dfl_exact,
            )
        )
    return made


def parameters_of_judges(model: SwapModel, objectives: Objectives) -> int:
    """How many parameters the judges of these objectives have; nothing is allocated."""
    judges = adversaries_for(model, objectives, "adam", 0, torch.device("meta"), "fp32")
    return sum(judge.learner.flat.weights.numel() for judge in judges)
