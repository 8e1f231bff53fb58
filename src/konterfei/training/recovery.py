"""What a training does that falls apart: notice it, and go back to a state that was well."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np

from konterfei.errors import TrainingError
from konterfei.io.run import Run
from konterfei.reporting import Reporter
from konterfei.training.beginning import BeginsFrom, begin
from konterfei.training.checkpoints import restore, set_aside
from konterfei.training.collapse import is_dead
from konterfei.training.lesson import Lesson
from konterfei.training.plan import Budget, Plan, Progress
from konterfei.training.team import Order, Task

REPORT_EVERY = 20
"""Steps between two looks at the losses."""
BLANK = "it draws one colour in place of a face"
"""A reason to go back, for people."""
_COLLAPSE = 2.0  # a report this many times worse than the best one is a run that fell apart
_SETTLING = 200  # steps in which losses may still jump
_MAX_ROLLBACKS = 5


def is_sound(progress: Progress, lesson: Lesson) -> bool:
    """Whether weights and losses are numbers: what is saved can be gone back to. All processes must have the same."""
    sound = lesson.is_sound() and bool(np.isfinite(progress.pending).all())
    if sound:
        lesson.team.lead(Order(Task.COMPARE))
        lesson.team.compare(lesson.learners)
    return sound


def fell_apart(progress: Progress, loss: float) -> bool:
    """Whether the mean loss of a report is not a number, or far worse than it has been or than it began.

    Notes it otherwise.
    """
    if not math.isfinite(loss):
        return True
    # one report is noisy: it is averaged with those before
    progress.loss = loss if not progress.loss else 0.8 * progress.loss + 0.2 * loss
    if progress.step <= REPORT_EVERY and not progress.first:
        # styles cost nothing while everything is grey, and much once faces differ
        has_styles = any(progress.objectives.get(f"{name}_style_power") for name in ("face", "bg"))
        progress.first = -1.0 if has_styles else loss
    if progress.step <= _SETTLING:
        return False
    progress.best = min(progress.best or progress.loss, progress.loss)
    return progress.loss > _COLLAPSE * progress.best or progress.is_worse_than_untrained


def _leads_nowhere(run: Run, old: Progress, back_to: int) -> bool:
    """Whether a checkpoint that was gone back to has led to a collapse before, and there is an older one."""
    return back_to <= old.step < back_to + _SETTLING and (back_to == 0 or run.has_checkpoint_before(back_to))


def roll_back(
    run: Run,
    lesson: Lesson,
    progress: Progress,
    plan: Plan,
    budget: Budget,
    begins_from: BeginsFrom,
    reporter: Reporter,
    why: str = "the loss rose sharply or was no number",
) -> None:
    """Back to the last checkpoint (or to what it began with), with half the learning rate and other batches."""
    broken, salt, scale = progress.step, progress.salt + 1, progress.rate_scale / 2
    if salt > _MAX_ROLLBACKS:
        raise TrainingError(
            f"Training of '{run.folder}' fell apart {salt} times, last at step {broken} ({why}). Look at its preview "
            "and the facesets (wrong faces? black pictures?), or choose another preset."
        )
    old = restore(run, lesson, plan, reporter)
    is_barren = old is not None and (old.is_worse_than_untrained or is_dead(progress))
    if old is not None and (is_barren or _leads_nowhere(run, old, progress.back_to)):
        set_aside(run, 0 if is_barren else progress.back_to, reporter)
        old = restore(run, lesson, plan, reporter)
    if old is None:
        lesson.turn_to(plan.of(plan.phases[0]))
        for learner in lesson.learners:
            learner.begin_anew()
        begin(lesson, begins_from, reporter)
        old = Progress(first=-1.0 if progress.first < 0 else 0.0)
    trained_s = progress.trained_s
    for name, value in asdict(old).items():
        setattr(progress, name, value)
    progress.salt, progress.rate_scale, progress.trained_s, progress.back_to = salt, scale, trained_s, old.step
    progress.validated_s = trained_s  # the next validation is not due at once
    progress.adopt(budget)  # the checkpoint may be older than the budget and the objectives
    progress.turn_to(lesson.objectives)
    reporter.warn(
        f"Training fell apart at step {broken} ({why}). It goes on from step {progress.step} "
        f"with {scale:.3g} times the learning rate and other samples."
    )
