"""How long a run goes, how fast it learns at each step, and what it is after in each of its phases."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from konterfei.errors import ConfigError
from konterfei.training.objectives import Objectives

PLATEAU_REPORTS: Final = 100
"""Reports (of 20 steps each) over whose halves a phase is asked whether the loss still falls."""

ENDS: Final = ("steps", "images", "plateau", "patience", "share")
"""What a phase may end by: fields of `Phase`."""

BETTER: Final = 0.002
"""A held-out score counts as better from this difference on: the next validation may find as much by chance."""

_WORSE: Final = 1.2  # times the loss of the first report, which is one of some noise


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Learning rate over a run: a short rise, a long plateau, a fall (warm-up, stable, decay).

    The plateau does not depend on how long the run will be, so a run can be made longer without regret.
    """

    rate: float
    """Learning rate of the plateau."""
    warmup: int = 200
    """Steps of linear rise."""
    hold: float = 0.7
    """Share of the run after which the rate falls."""
    floor: float = 0.03
    """Rate at the end, as a share of the plateau's."""

    def at(self, step: int, total: int) -> float:
        """Learning rate of the step with this number (from 0) in a run of `total` steps."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        share = min(1.0, step / max(1, total))
        fall = 1.0 if share < self.hold or self.hold >= 1 else max(self.floor, (1.0 - share) / (1.0 - self.hold))
        return self.rate * min(rise, fall)

    def part_at(self, step: int, total: int) -> str:
        """In which part of the plan a step lies: "rising", "steady" or "falling"."""
        if step + 1 < self.warmup:
            return "rising"
        return "steady" if step < self.hold * total else "falling"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When a run is done: after so many steps, or after so many minutes of training in all."""

    steps: int
    """Steps, where `minutes` is None; else the first guess of how many the minutes will hold."""
    minutes: float | None = None
    """Minutes of training, pauses not counted."""


@dataclass
class Progress:
    """Where a run stands. Saved with each checkpoint.

    Attributes:
        step: optimiser steps done.
        trained_s: seconds spent on them.
        total: steps that the run will have; estimated from the speed when the budget is in minutes.
        is_settled: whether `total` is estimated no more, because the learning rate has begun to fall.
        budget: steps and minutes that `total` follows from.
        rate_scale: share of the schedule's rate that is used; halved each time that training fell apart.
        salt: number of rollbacks; part of the seed, so that the batch that broke the run does not come again.
        loss: mean of the last report.
        best: lowest such mean so far; 0 = none yet.
        first: loss of the first report, of a network that had learned nothing yet; 0 = none yet, -1 = not known.
        pending: losses of src and dst of the steps since the last report.
        objectives: what these losses were measured with; empty in runs from before there was a choice.
        phase: number of the plan's phase, from 0.
        phase_began: step at which it began.
        reports: losses reported in it, the newest at most; kept where it ends on a plateau.
        changes: what a person has changed of it while it lasts, as `Phase.changes`, or "rate".
        earlier: steps that another program had done before the weights were imported.
        back_to: step of the checkpoint that it went back to when it last fell apart; -1 = it never did.
        drawn: most that was seen of src's and dst's faces in what is drawn (`training.collapse`); empty = not looked.
        blank: losses at looks that saw no face at all, the newest at most; empty once one was seen.
        validated_s: seconds trained at the last validation.
        top_score: best held-out score of the phase; None = none yet.
        stale: validations since then that were no better.
        is_ending: whether the run is brought to its end because the score had stopped to rise.
    """

    step: int = 0
    trained_s: float = 0.0
    total: int = 0
    is_settled: bool = False
    budget: tuple[int, float | None] = (0, None)
    rate_scale: float = 1.0
    salt: int = 0
    loss: float = 0.0
    best: float = 0.0
    first: float = 0.0
    pending: list[list[float]] = field(default_factory=list)
    objectives: dict[str, Any] = field(default_factory=dict)
    phase: int = 0
    phase_began: int = 0
    reports: list[float] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    earlier: int = 0
    back_to: int = -1
    drawn: list[float] = field(default_factory=list)
    blank: list[float] = field(default_factory=list)
    validated_s: float = 0.0
    top_score: float | None = None
    stale: int = 0
    is_ending: bool = False

    @property
    def steps_in_all(self) -> int:
        """Steps that the weights have seen, here and before."""
        return self.earlier + self.step

    @property
    def is_worse_than_untrained(self) -> bool:
        """Whether its losses are beyond what it began with, and beyond what chance makes of that."""
        return 0 < _WORSE * self.first < self.loss

    def changes_to(self, objectives: Objectives) -> dict[str, tuple[Any, Any]]:
        """What differs from the objectives so far: name -> as it was, as it is. What is newer than the run was off."""
        before = {**asdict(Objectives()), **self.objectives}
        return {name: (before[name], value) for name, value in asdict(objectives).items() if before[name] != value}

    def turn_to(self, objectives: Objectives) -> None:
        """Take over objectives; losses measured with others say nothing about those to come."""
        if self.changes_to(objectives):
            self.loss, self.best, self.pending, self.blank = 0.0, 0.0, [], []
            self.first = -1.0 if self.step or self.first < 0 else 0.0
        self.objectives = asdict(objectives)

    def adopt(self, budget: Budget) -> bool:
        """Take over a budget; one that differs from the last makes the run longer or shorter.

        Returns:
            whether it is longer now.
        """
        wanted, before = (budget.steps, budget.minutes), self.total
        if tuple(self.budget) == wanted:
            return False
        self.budget, self.is_settled, self.is_ending = wanted, False, False
        self.top_score, self.stale = None, 0
        self.total = budget.steps
        if budget.minutes is not None and self.step and self.trained_s:
            self.total = self._estimate(self.step / self.trained_s)
        return self.total > before

    def go_on(self) -> None:
        """Take back that the run ends early: it has its whole budget again."""
        if self.is_ending:
            self.is_ending, self.budget = False, (0, None)  # `adopt` finds another one, and all else follows

    def estimate(self, steps_per_s: float, hold: float) -> None:
        """Fit `total` to the speed seen, as long as the learning rate has not begun to fall."""
        if self.budget[1] is None or self.is_settled or steps_per_s <= 0:
            return
        self.total = self._estimate(steps_per_s)
        self.is_settled = self.step >= hold * self.total

    def _estimate(self, steps_per_s: float) -> int:
        minutes = self.budget[1]
        assert minutes is not None
        return self.step + max(0, round((60 * minutes - self.trained_s) * steps_per_s))

    def score(self, value: float, counts: bool = True) -> None:
        """Take down the held-out score of a validation; one that is no number says nothing.

        `counts`: whether one that is no better makes the score stale.
        """
        if not math.isfinite(value):
            return
        if self.top_score is None or value > self.top_score + BETTER:
            self.top_score, self.stale = value, 0
        elif counts:
            self.stale += 1

    def end_early(self, hold: float) -> None:
        """Let the rate fall from now on, and the run end when it has: what is left of it, if that is shorter."""
        self.total = min(self.total, max(self.step + 1, round(self.step / hold)))
        self.is_settled = self.is_ending = True

    @property
    def is_done(self) -> bool:
        """Whether the budget is used up."""
        minutes = self.budget[1]
        if minutes is None or self.is_ending:
            return self.step >= self.total
        # A machine that slows down while the rate falls may take a little longer, not without end.
        return self.trained_s >= 60 * minutes * (1.15 if self.is_settled and self.step < self.total else 1.0)


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A part of a run. It ends when the first of its ends is reached; the last phase goes on to the end of the run."""

    name: str = ""
    """What the person calls it."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Objectives that differ from the run's own while it lasts: name of the setting -> value."""
    rate: float = 1.0
    """What the schedule's learning rate is multiplied with."""
    steps: int | None = None
    """It ends after so many steps."""
    images: int | None = None
    """It ends after so many samples of each person."""
    plateau: float | None = None
    """It ends when the loss of 1000 steps is less than this share below that of the 1000 steps before (0.01: 1 %)."""
    patience: int | None = None
    """It ends when so many validations in a row found no better held-out score than one of this phase before them."""
    share: float | None = None
    """It ends when this share of the whole run is done."""

    def without(self, names: Collection[str]) -> Phase:
        """The same, but for changes of these settings."""
        return replace(self, changes={name: value for name, value in self.changes.items() if name not in names})

    @property
    def has_end(self) -> bool:
        """Whether it ends before the run does."""
        return any(getattr(self, name) is not None for name in ENDS)

    def is_over(self, progress: Progress, batch: int) -> bool:
        """Whether it has come to its end.

        Args:
            progress: where the run stands.
            batch: samples of each person in a step.
        """
        done = progress.step - progress.phase_began
        if self.share is not None and progress.step >= self.share * progress.total:
            return True
        if self.patience is not None and progress.stale >= self.patience:
            return True
        if (self.steps is not None and done >= self.steps) or (self.images is not None and done * batch >= self.images):
            return True
        if self.plateau is None or len(progress.reports) < PLATEAU_REPORTS:
            return False
        half = PLATEAU_REPORTS // 2
        return sum(progress.reports[half:]) > (1 - self.plateau) * sum(progress.reports[:half])


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is after, phase by phase. One phase without changes is a run without phases."""

    objectives: Objectives = field(default_factory=Objectives)
    """The run's own."""
    phases: tuple[Phase, ...] = (Phase(),)
    """At least one."""

    def phase(self, progress: Progress) -> Phase:
        """The phase that a run is in; the last one where the plan has become shorter meanwhile."""
        return self.phases[min(progress.phase, len(self.phases) - 1)]

    def of(self, phase: Phase) -> Objectives:
        """What a phase is after."""
        return replace(self.objectives, **phase.changes)

    def now(self, progress: Progress) -> Objectives:
        """What the run is after now: its phase's, with what a person has changed of it."""
        changes = {name: value for name, value in progress.changes.items() if name != "rate"}
        return replace(self.of(self.phase(progress)), **changes)

    def rate(self, progress: Progress) -> float:
        """What the schedule's learning rate is multiplied with now."""
        return float(progress.changes.get("rate", self.phase(progress).rate))

    def note(self, progress: Progress, loss: float) -> None:
        """Take down a reported loss where the phase ends on a plateau."""
        if self.phase(progress).plateau is not None:
            progress.reports = [*progress.reports, loss][-PLATEAU_REPORTS:]

    def turns(self, progress: Progress, batch: int) -> bool:
        """Whether the next phase begins now; if so, `progress` is in it already."""
        if progress.phase >= len(self.phases) - 1 or not self.phase(progress).is_over(progress, batch):
            return False
        self.begin(progress, progress.phase + 1)
        return True

    def begin(self, progress: Progress, number: int) -> None:
        """Let a phase begin now, whatever ends there are. number: from 0."""
        progress.phase, progress.phase_began = number, progress.step
        progress.reports, progress.pending, progress.changes = [], [], {}
        progress.top_score, progress.stale = None, 0

    def rewind(self, progress: Progress) -> bool:
        """Back to an earlier phase where the run was made so much longer that this one's share is not done yet.

        Returns:
            whether it went back.
        """
        number = min(progress.phase, len(self.phases) - 1)
        while number and (share := self.phases[number - 1].share) and progress.step < share * progress.total:
            number -= 1
        if number == min(progress.phase, len(self.phases) - 1):
            return False
        self.begin(progress, number)
        return True

    def may_end(self, progress: Progress) -> bool:
        """Whether the run may be brought to its end in this phase: not before phases that have an end of their own."""
        phase = self.phase(progress)
        return phase.patience is None and (not phase.has_end or phase.share is not None)

    @property
    def waits_for_scores(self) -> bool:
        """Whether a phase has no other end than its patience with held-out scores."""
        others = [name for name in ENDS if name != "patience"]
        return any(
            phase.patience is not None and all(getattr(phase, name) is None for name in others) for phase in self.phases
        )

    def change(self, progress: Progress, changes: Mapping[str, Any]) -> None:
        """Change the phase that a run is in, for as long as it lasts."""
        progress.changes = {**progress.changes, **changes}
        progress.pending = []

    def number_of(self, name: str, progress: Progress) -> int:
        """The phase of that name, from 0; "" = the next one. Raises ConfigError where there is none."""
        if len(self.phases) == 1:
            raise ConfigError("This run has no phases to choose from: see --plan of konterfei train.")
        if name:
            names = [phase.name for phase in self.phases]
            if name not in names:
                raise ConfigError(f"This run has no phase '{name}'. It has: {', '.join(names)}.")
            return names.index(name)
        if progress.phase >= len(self.phases) - 1:
            raise ConfigError(f"'{self.phases[-1].name}' is the last phase of this run.")
        return progress.phase + 1
