"""The validations of a run: when they are made, what they found, and the best weights so far."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from konterfei.geometry import FaceType
from konterfei.io.run import VALIDATION, Run
from konterfei.models.base import SwapModel
from konterfei.models.swapper import Drawing
from konterfei.training.plan import BETTER, Progress


class Found(Protocol):
    """What a validation found."""

    @property
    def total(self) -> float:
        """One figure to compare snapshots of one run by; more is better, NaN = nothing could be measured."""

    def to_json(self) -> dict[str, float | None]:
        """All figures as plain JSON values, NaN as null."""

    def text(self) -> str:
        """The figures in a line, for people."""


class Measure(Protocol):
    """What measures a model on faces that it never saw: `training.validation`, `training.crowd_validation`."""

    def score(self, drawer: Drawing) -> Found:
        """What the model is worth now."""


class Validations:
    """Validates a run from time to time, writes down what was found and keeps the best weights.

    Args:
        run: that is trained; its right to write is held.
        make: makes the validator, when it is first needed: it loads networks.
        face_type: of the model.
        every_s: seconds of training between two.
        every_steps: steps between two, instead: what follows from them then does not depend on the clock.
        at_once: also after the first step, where nothing was measured yet: of what begins with much, nothing shall be
            lost that nobody notices.

    Attributes:
        best: score and step of the weights that are kept as the best; None while there are none.
    """

    def __init__(
        self,
        run: Run,
        make: Callable[[], Measure],
        face_type: FaceType,
        every_s: float = 300.0,
        every_steps: int | None = None,
        at_once: bool = False,
    ) -> None:
        self._run, self._make, self._face_type = run, make, face_type
        self._every_s, self._every_steps = every_s, every_steps
        self._validator: Measure | None = None
        self.best = self._kept()
        self._at_once = at_once and self.best is None

    def _kept(self) -> tuple[float, int] | None:
        kept = self._run.best_snapshot()
        return None if kept is None else (float(kept.info["score"]), int(kept.info["step"]))

    def is_due(self, progress: Progress) -> bool:
        """Whether it is time for one."""
        if self._at_once:
            return True
        if self._every_steps is not None:
            return progress.step % self._every_steps == 0
        return progress.trained_s >= progress.validated_s + self._every_s

    def validate(
        self,
        model: SwapModel,
        progress: Progress,
        device: torch.device,
        precision: str,
        snapshot: Callable[[], Any],
        counts: bool = True,
    ) -> Found:
        """Measure the model as it stands; note it in `progress`, in the run, and keep its weights if they are the best.

        Args:
            model: with the weights that would be used, ready to draw.
            progress: where the run stands.
            device, precision: see `models.devices`.
            counts: see `Progress.score`.
            snapshot: gives tensors and description of these weights, as `Run.save_best` takes them.
        """
        self._at_once = False
        if self._validator is None:
            self._validator = self._make()
        if self.best is not None and self.best[1] > progress.step:  # the training went back, perhaps to before it
            self.best = self._kept()
        scores = self._validator.score(Drawing(model, self._face_type, device, precision))
        progress.validated_s = progress.trained_s
        progress.score(scores.total, counts)
        told = {"step": progress.step, "trained_s": round(progress.trained_s, 1)}
        self._run.log({**told, **scores.to_json()}, VALIDATION)
        if np.isfinite(scores.total) and (self.best is None or scores.total > self.best[0] + BETTER):
            tensors, info = snapshot()
            self._run.save_best(progress.step, tensors, {**info, "score": round(scores.total, 5)})
            self.best = scores.total, progress.step
        return scores
