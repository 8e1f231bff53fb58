"""The training loop, one page, read from top to bottom."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import torch

from konterfei.errors import ConfigError, FacesetError, OutOfMemoryError
from konterfei.geometry import FaceType
from konterfei.io.run import Run
from konterfei.models.base import SwapModel
from konterfei.models.devices import free_memory, memory_errors
from konterfei.reporting import Reporter
from konterfei.training.beginning import BeginsFrom, begin, by_chance
from konterfei.training.checkpoints import restore, save, snapshot_of
from konterfei.training.collapse import LOOK_EVERY, detail, is_blank, went_blank
from konterfei.training.data import RawBatch, Sampler, batches
from konterfei.training.desk import Desk
from konterfei.training.lesson import Lesson
from konterfei.training.losses import needs_parts
from konterfei.training.optimizers import FlatParameters
from konterfei.training.plan import Budget, Plan, Progress, Schedule
from konterfei.training.preview import MOST_ROWS, preview_grid
from konterfei.training.recovery import BLANK, REPORT_EVERY, fell_apart, is_sound, roll_back
from konterfei.training.team import ALONE, Order, Task, Team
from konterfei.training.thrift import WHOLE, Thrift
from konterfei.training.validations import Validations
from konterfei.training.witnesses import Sitter

_EMA_KEEP = 0.999  # half-life of the smoothed weights: 700 steps
_FIRST_CHECKPOINT_S = 30.0
_STRETCH_S = 60.0  # of training, before its speed has a say in how long the run will be


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """What the loop needs besides model and samples."""

    schedule: Schedule
    optimizer: str
    budget: Budget
    device: torch.device
    precision: str
    usable_steps: int
    plan: Plan
    face_type: FaceType = FaceType.FULL
    checkpoint_s: float = 120.0
    preview_s: float = 60.0
    begins_from: BeginsFrom = by_chance
    apart: bool = False
    """Whether weights are kept in the computer's memory too (`FlatParameters`)."""
    thrift: Thrift = WHOLE
    """How steps are cut to fit into memory."""
    team: Team = ALONE
    validations: Validations | None = None
    """None = no faces are held out."""
    patience: int = 0
    """The run is brought to its end when so many validations in a row were no better; 0 = never."""


@dataclass(frozen=True)
class LoopResult:
    """How the loop ended: where it stands, whether a person stopped it, whether there was nothing to do."""

    progress: Progress
    is_stopped: bool
    was_done: bool = False


def train_loop(
    run: Run, model: SwapModel, sampler: Sampler, settings: LoopSettings, reporter: Reporter, desk: Desk | None = None
) -> LoopResult:
    """Train until the budget is used up or a person asks to stop; resume where the run left off.

    `desk` shows the figures and hears wishes; None = a plain one. Of several processes the first one runs it.

    Raises:
        TrainingError: the run falls apart again and again.
        CheckpointMismatchError: the checkpoint is of another model.
        OutputError: the disk is full; the last checkpoint is whole.
    """
    plan, team, desk = settings.plan, settings.team, desk or Desk(run, reporter, plan=settings.plan)
    objectives, device = plan.of(plan.phases[0]), settings.device
    lesson = Lesson(
        model,
        objectives,
        settings.optimizer,
        sampler.seed,
        device,
        settings.precision,
        team,
        reporter.warn,
        Sitter(sampler.src, settings.face_type),
        settings.apart,
    )
    lesson.save_memory(settings.thrift)
    progress = restore(run, lesson, plan, reporter) or begin(lesson, settings.begins_from, reporter)
    if not settings.patience:
        progress.go_on()
    changed = progress.changes_to(lesson.objectives) if progress.objectives else {}  # else it begins
    if progress.adopt(settings.budget) and plan.rewind(progress):
        _turn(lesson, plan, progress, reporter)
    progress.turn_to(lesson.objectives)
    if progress.is_done and run.has_snapshot(progress.step):
        return LoopResult(progress, is_stopped=False, was_done=True)
    is_stopped, next_preview = False, progress.trained_s
    next_save = progress.trained_s + min(_FIRST_CHECKPOINT_S, settings.checkpoint_s)
    _start(model, sampler, settings, progress, changed, reporter)
    while not progress.is_done and not is_stopped:
        team.lead(Order(Task.SHARE, progress.step, salt=progress.salt))
        team.tell(json.dumps(asdict(lesson.objectives)))
        team.share(lesson.learners)
        salted = sampler.salted(progress.salt, lesson.objectives)
        losses = [torch.tensor(pair, device=settings.device) for pair in progress.pending]
        with closing(batches(salted, progress.step)) as source:
            started, before, first = time.monotonic(), progress.trained_s, progress.step
            while not progress.is_done and not is_stopped:
                scale = progress.rate_scale * plan.rate(progress)
                rate = scale * settings.schedule.at(progress.step, progress.total)
                team.lead(Order(Task.STEP, progress.step, rate))
                losses.append(train_step(lesson, next(source), rate, progress.step))
                progress.step += 1
                progress.trained_s = before + time.monotonic() - started
                if progress.step % REPORT_EVERY == 0:
                    src, dst = torch.stack(losses).mean(dim=0).tolist()
                    losses.clear()
                    if fell_apart(progress, src + dst):
                        roll_back(run, lesson, progress, plan, settings.budget, settings.begins_from, reporter)
                        break
                    if progress.step % LOOK_EVERY == 0 and went_blank(progress, detail(lesson, sampler)):
                        roll_back(run, lesson, progress, plan, settings.budget, settings.begins_from, reporter, BLANK)
                        break
                    speed = (progress.step - first) / (progress.trained_s - before)
                    if not before or progress.trained_s - before > _STRETCH_S:
                        progress.estimate(speed, settings.schedule.hold)
                    part = settings.schedule.part_at(progress.step, progress.total)
                    cut = lesson.thrift.figures(sampler.batch)
                    desk.report(progress, sampler.named(src, dst), rate, part, speed, cut)
                    plan.note(progress, src + dst)
                asked = desk.look(progress)
                is_due = settings.validations is not None and settings.validations.is_due(progress)
                if settings.validations is not None and (is_due or "validate" in asked):
                    validate(lesson, progress, settings, settings.validations, desk, reporter, counts=is_due)
                if turns := plan.turns(progress, sampler.batch) or desk.turns(progress):
                    _turn(lesson, plan, progress, reporter)
                    losses.clear()
                is_stopped = reporter.take_stop() or "stop" in asked
                is_last = is_stopped or progress.is_done
                is_calm = not progress.best or progress.loss <= 1.5 * progress.best
                if is_last or "save" in asked or (progress.trained_s >= next_save and is_calm):
                    progress.pending = torch.stack(losses).tolist() if losses else []
                    if not is_sound(progress, lesson):  # between two reports
                        roll_back(run, lesson, progress, plan, settings.budget, settings.begins_from, reporter)
                        break
                    if progress.drawn and is_blank(progress, detail(lesson, sampler)):
                        roll_back(run, lesson, progress, plan, settings.budget, settings.begins_from, reporter, BLANK)
                        break
                    if not is_last:
                        save(run, lesson, progress, settings.usable_steps)
                        desk.saved(progress)
                    next_save = progress.trained_s + settings.checkpoint_s
                if ("preview" in asked or progress.trained_s >= next_preview) and not is_last:
                    draw_preview(run, lesson, sampler, progress, desk, reporter)
                    next_preview = progress.trained_s + settings.preview_s
                if turns:
                    break
    reporter.finish()
    if settings.validations is not None and not is_stopped and progress.validated_s < progress.trained_s:
        validate(lesson, progress, settings, settings.validations, desk, reporter)
    save(run, lesson, progress, settings.usable_steps)
    draw_preview(run, lesson, sampler, progress, desk, reporter)
    desk.saved(progress)  # after the preview: a backup has it, too
    return LoopResult(progress, is_stopped)


def train_step(lesson: Lesson, raw: RawBatch, rate: float, step: int) -> torch.Tensor:
    """Step number `step` (from 0). Gives back the mean losses of src and dst per sample, [2]."""
    return lesson.step(raw, rate, step + 1, min(_EMA_KEEP, (1 + step) / (10 + step)))


def validate(
    lesson: Lesson,
    progress: Progress,
    settings: LoopSettings,
    validations: Validations,
    desk: Desk,
    reporter: Reporter,
    counts: bool = True,
) -> None:
    """Measure the smoothed weights; end the run early where they have stopped to get better.

    `counts`: whether it is one of those that patience is counted in, not one that a person asked for.
    """
    lesson.model.eval()
    try:
        with memory_errors(lesson.device, "measure the swap"), smoothed(lesson.learner.flat):
            scores = validations.validate(
                lesson.model,
                progress,
                lesson.device,
                lesson.precision,
                lambda: snapshot_of(lesson, progress, settings.usable_steps),
                counts,
            )
    except (OutOfMemoryError, FacesetError) as error:  # a held-out face may be gone by now
        progress.validated_s = progress.trained_s
        reporter.warn(f"Step {progress.step} is not validated. {error}")
        desk.failed("validate", str(error))
        return
    finally:
        lesson.model.train()
    desk.validated(progress, scores, validations.best)
    plan, hold = settings.plan, settings.schedule.hold
    is_falling = progress.is_done or progress.step >= hold * progress.total
    if settings.patience and progress.stale >= settings.patience and plan.may_end(progress) and not is_falling:
        progress.end_early(hold)
        reporter.note(
            f"Step {progress.step}: {progress.stale} validations in a row found nothing better than "
            f"{progress.top_score:.3f}. The rate falls from now on, and the training ends at step {progress.total}. "
            "(--patience 0 goes on to the end of the budget.)"
        )


def _turn(lesson: Lesson, plan: Plan, progress: Progress, reporter: Reporter) -> None:
    """Take over the phase that `progress` is in, and what was changed of it."""
    phase = plan.phase(progress)
    lesson.turn_to(plan.now(progress))
    progress.turn_to(lesson.objectives)
    if progress.changes:
        told = ", ".join(f"{name} {value}" for name, value in progress.changes.items())
        reporter.note(f"Step {progress.step}: from here on {told}, as asked for.")
        return
    changes = ", ".join(f"{name} {value}" for name, value in phase.changes.items()) or "nothing changed"
    reporter.note(
        f"Step {progress.step}: '{phase.name}' begins, phase {progress.phase + 1} of {len(plan.phases)} ({changes})."
    )


# --- telling


def _start(
    model: SwapModel,
    sampler: Sampler,
    settings: LoopSettings,
    progress: Progress,
    changed: Mapping[str, tuple[Any, Any]],
    reporter: Reporter,
) -> None:
    """Say what is trained, and start the bar: it counts what the budget counts, steps or seconds.

    `changed`: what it is after now and was not so far (`Progress.changes_to`).
    """
    if needs_parts(model, settings.plan.now(progress)) and sampler.src.parts is None:
        raise ConfigError("Eyes and mouth have priority since it was asked for while it trained: add --eyes-mouth.")
    device = settings.device
    where = f"{device}, {torch.get_num_threads()} threads" if device.type == "cpu" else str(device)
    where = f"{where} in each of {settings.team.size} processes" if settings.team.size > 1 else where
    begun = f"goes on from step {progress.step}" if progress.step else "begins"
    count = sum(p.numel() for p in model.parameters())
    reporter.note(
        f"Training {begun}: {type(model).__name__.lower()}, {model.dims.resolution} px, {count / 1e6:.1f} M "
        f"parameters, {settings.precision} on {where}; {sampler.text}."
    )
    if changed:
        told = ", ".join(f"{name} {now} (so far {before})" for name, (before, now) in changed.items())
        reporter.note(f"From here on it learns otherwise: {told}. What is not given is what the preset says.")
    if progress.changes:
        told = ", ".join(f"{name} {value}" for name, value in progress.changes.items())
        reporter.note(f"Still in force until the phase ends, as it was asked for while it trained: {told}.")
    minutes = progress.budget[1]
    if minutes is None:
        reporter.start("training", progress.total, "steps")
    else:
        reporter.start("training", round(60 * minutes), "s")


@contextmanager
def smoothed(flat: FlatParameters) -> Iterator[None]:
    """Within it, the model has its smoothed weights."""
    weights, _ = flat.near
    own = weights.clone()
    weights.copy_(flat.ema)
    try:
        yield
    finally:
        weights.copy_(own)


def draw_preview(
    run: Run, lesson: Lesson, sampler: Sampler, progress: Progress, desk: Desk, reporter: Reporter
) -> None:
    """Write the preview picture of the smoothed weights, and tell of it.

    Where memory is full, fewer faces are drawn at a time; where it is too full for one, there is no picture.
    """
    at_once, step = lesson.thrift.samples or MOST_ROWS, progress.step
    lesson.model.eval()
    try:
        while True:
            try:
                with memory_errors(lesson.device, "draw the preview"), smoothed(lesson.learner.flat):
                    grid = preview_grid(
                        lesson.model, sampler.src, sampler.dst, lesson.device, lesson.precision, at_once
                    )
                break
            except OutOfMemoryError as error:
                if at_once == 1:
                    reporter.warn(f"Step {step} has no preview. {error}")
                    desk.failed("preview", str(error))
                    return
                at_once = min(at_once, MOST_ROWS) // 2
            free_memory(lesson.device)
    finally:
        lesson.model.train()
    reporter.preview(run.save_preview(step, grid.image, grid.layout))
    desk.previewed(progress, run.preview_path())
