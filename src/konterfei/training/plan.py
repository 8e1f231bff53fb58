"""How long a run goes and how fast it learns at each step."""

from __future__ import annotations

from dataclasses import dataclass, field


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
        fall = 1.0 if share < self.hold else max(self.floor, (1.0 - share) / (1.0 - self.hold))
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
        pending: losses of src and dst of the steps since the last report.
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
    pending: list[list[float]] = field(default_factory=list)

    def adopt(self, budget: Budget) -> None:
        """Take over a budget; one that differs from the last makes the run longer or shorter."""
        wanted = (budget.steps, budget.minutes)
        if tuple(self.budget) == wanted:
            return
        self.budget, self.is_settled = wanted, False
        self.total = budget.steps
        if budget.minutes is not None and self.step and self.trained_s:
            self.total = self._estimate(self.step / self.trained_s)

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

    @property
    def is_done(self) -> bool:
        """Whether the budget is used up."""
        minutes = self.budget[1]
        if minutes is None:
            return self.step >= self.total
        # A machine that slows down while the rate falls may take a little longer, not without end.
        return self.trained_s >= 60 * minutes * (1.15 if self.is_settled and self.step < self.total else 1.0)
