"""Train: two facesets in, a run out. The same command again goes on where it stopped."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.errors import ConfigError
from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models import MODELS
from konterfei.reporting import Reporter, Silent
from konterfei.stages._train_base import base_again, base_for, record_of, start_of, usable_steps
from konterfei.stages._train_means import means_of
from konterfei.stages._train_memory import memory_errors_of
from konterfei.stages._train_records import complete, train_manifest, warn_of_oddities
from konterfei.stages._train_run import Origin, has_begun, open_run, origin_of, with_imported
from konterfei.stages._train_settings import TrainConfig as TrainConfig
from konterfei.stages._train_settings import bytes_needed, resolved
from konterfei.stages._train_team import Company, Place, check_place, meet, part, place_of, processor_of, signals
from konterfei.stages._train_validation import patience_of, refuse_patience, validations_of
from konterfei.training.objectives import Objectives
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    from konterfei.models.bases import Base
    from konterfei.training.beginning import Start
    from konterfei.training.team import Order


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What came of a training.

    Attributes:
        run: its folder.
        steps: done in all.
        minutes: trained in all.
        is_stopped: whether a person ended it before its time.
        is_preview: whether it is too short for more than a first look.
        preview: newest preview picture.
    """

    run: Path
    steps: int
    minutes: float
    is_stopped: bool
    is_preview: bool
    preview: Path


@dataclass(frozen=True, kw_only=True)
class HelperResult(TrainResult):
    """What came of a training that another process led: that one has told of it already."""

    def summary(self) -> list[str]:
        """Nothing to say."""
        return []


def train(config: TrainConfig, reporter: Reporter) -> TrainResult:
    """Train, or go on training, the run in `config.output`.

    Raises:
        FacesetError: a faceset cannot be used.
        CheckpointMismatchError: the run there was made with other settings.
        TrainingError: the run falls apart again and again, or one of several processes is gone.
        OutOfMemoryError: it does not fit into the processor's memory; the last checkpoint stays.
        OutputError: the folder cannot be written, or the disk has too little space; the last checkpoint stays.
    """
    chosen = with_imported(resolved(config), config)
    place = place_of(config.processes)
    check_place(place, config.device, chosen.batch)
    if place.number:
        return _help(config, chosen, place)
    src, dst = Faceset.open(config.src), Faceset.open(config.dst)
    warn_of_oddities(src, dst, not chosen.objectives.pretrain, reporter)
    if idle := chosen.objectives.idle():
        reporter.warn(f"Without effect beside the other settings: {', '.join(idle)}.")
    if any(chosen.plan.of(phase).in_force().identity_power for phase in chosen.phases):
        reporter.warn(
            "--identity-power is an experiment: over thousands of steps faces turn into blots that please the "
            "recognizer and nobody else. Use it for minutes, late, with a backup, and look at the previews."
        )
    _check_means(config, chosen, place)
    start = origin_of(config.start_from, config.output)
    base = base_for(config, chosen, reporter)
    record = None if base is None else record_of(base, config)
    # What a run takes that has begun is there already.
    ensure_writable(config.output, 0 if has_begun(config.output) else bytes_needed(config, chosen))
    run = open_run(config.output, config.preset, config.seed, chosen, src, dst, config.held_out, record, reporter)
    with run.writing(), memory_errors_of(config, chosen, run.folder), Company(place, _follow, config) as company:
        begins_with = {"start_from": start and start.record, "base": record}
        known = {name: told for name, told in begins_with.items() if told}
        manifest = train_manifest(config, chosen, run, src, dst, known)
        if not Manifest.file_for(run.folder).exists():
            manifest.save(run.folder)
        result = _run_loop(config, chosen, run, src, dst, start, base, company, reporter)
        if not result.was_done:
            complete(manifest, run, result)
    progress, usable = result.progress, usable_steps(chosen, run)
    minutes = progress.trained_s / 60
    is_preview = progress.steps_in_all < usable
    if result.was_done and progress.is_ending:
        reporter.note(
            f"'{run.folder}' is already trained: {progress.step} steps in {minutes:.1f} minutes; then its held-out "
            "score had stopped to rise. To go on, give it --patience 0, or more --steps or --minutes."
        )
    elif result.was_done:
        more = f"--minutes {config.minutes:g}" if config.minutes else f"--steps {progress.total}"
        reporter.note(
            f"'{run.folder}' is already trained: {progress.step} steps in {minutes:.1f} minutes. "
            f"To go on, give it more than {more}."
        )
    else:
        state = "stopped" if result.is_stopped else "finished"
        loss = f", loss {progress.loss:.3f}" if progress.loss else ""  # none before the first report
        reporter.note(
            f"Training {state} at step {progress.step} after {minutes:.1f} minutes{loss}. Preview: {run.preview_path()}"
        )
    if is_preview:
        reporter.note(f"Fewer than {usable} steps: what is merged with it is called a preview.")
    return TrainResult(
        run=run.folder,
        steps=progress.step,
        minutes=minutes,
        is_stopped=result.is_stopped,
        is_preview=is_preview,
        preview=run.preview_path(),
    )


def _check_means(config: TrainConfig, chosen: Preset, place: Place) -> None:
    """Refuse a processor that is not there, and objectives that the model cannot serve, before anything is written."""
    from konterfei.models.devices import choose_precision  # here, as below: torch is slow to load
    from konterfei.training.lesson import refuse_unoffered

    choose_precision(config.precision, processor_of(place, config.device))
    for phase in chosen.phases:
        refuse_unoffered(chosen.model, MODELS.load(chosen.model), chosen.plan.of(phase).in_force(), chosen.face_type)


def _run_loop(
    config: TrainConfig,
    chosen: Preset,
    run: Run,
    src: Faceset,
    dst: Faceset,
    start: Origin | None,
    base: Base | None,
    company: Company,
    reporter: Reporter,
) -> Any:
    from konterfei.training.desk import Desk
    from konterfei.training.lesson import refuse_unoffered
    from konterfei.training.loop import LoopSettings, train_loop
    from konterfei.training.losses import needs_parts
    from konterfei.training.plan import Budget
    from konterfei.training.resources import memory_text
    from konterfei.training.team import Order, Task

    device = processor_of(company.place, config.device)
    team = company.meet(device, reporter)
    held = run.config.get("held_out") or {}
    means, plan = means_of(config, chosen, {"src": src, "dst": dst}, held, device, company.place, reporter), chosen.plan
    team.tell(json.dumps(held))  # now: faces that do not fit into memory are in their file, for all to read
    team.agree(means.facts)
    model, sampler, precision = means.model, means.sampler, means.precision
    validations = validations_of(config, chosen, run, src, dst, reporter)
    if validations is None:
        refuse_patience(config, plan, reporter)
    for name in sampler.unturned():
        reporter.warn(f"--uniform-yaw: by their records all faces of {name} look the same way; no effect there.")
    settings = LoopSettings(
        schedule=chosen.schedule,
        optimizer=chosen.optimizer,
        budget=Budget(steps=config.steps or chosen.steps, minutes=config.minutes),
        device=device,
        precision=precision,
        usable_steps=usable_steps(chosen, run),
        plan=plan,
        face_type=chosen.face_type,
        checkpoint_s=config.checkpoint_seconds,
        preview_s=config.preview_seconds,
        validations=validations,
        patience=patience_of(config, chosen),
        thrift=means.thrift,
        apart=config.offload and device.type != "cpu",
        begins_from=lambda: _start(config, chosen, run, src, dst, start, base, model.forgotten, reporter),
        team=team,
    )

    def can_serve(objectives: Objectives) -> None:
        refuse_unoffered(chosen.model, type(model), objectives.in_force(), chosen.face_type)
        if needs_parts(model, objectives) and sampler.src.parts is None:
            raise ConfigError("The masks of eyes and mouth were not made: start the training again with --eyes-mouth.")

    desk = Desk(
        run,
        reporter,
        plan=plan,
        batch=chosen.batch,
        backup_s=config.backup_hours and 3600 * config.backup_hours,
        has_board=config.tensorboard,
        can_validate=validations is not None,
        can_serve=can_serve,
        memory=lambda: memory_text(device),
    )
    with desk:
        result = train_loop(run, model, sampler, settings, reporter, desk)
    now, is_stopped = result.progress, result.is_stopped
    is_preview = now.steps_in_all < settings.usable_steps
    team.lead(Order(Task.END, now.step, trained_s=now.trained_s, is_preview=is_preview, is_stopped=is_stopped))
    return result


def _start(
    config: TrainConfig,
    chosen: Preset,
    run: Run,
    src: Faceset,
    dst: Faceset,
    origin: Origin | None,
    base: Base | None,
    forgotten: tuple[str, ...],
    reporter: Reporter,
) -> Start | None:
    """What the run begins with; one that has begun and has to begin anew, with the base that it had."""
    if origin is not None:
        return origin.start(forgotten)
    base = base or base_again(run, reporter)
    if base is None:
        return None
    held = run.config.get("held_out") or {}
    return start_of(base, run.config["base"], chosen, config.seed, {"src": src, "dst": dst}, held, reporter)


# --- in the other processes of a training


def _follow(config: TrainConfig, place: Place, call: Callable[[], None]) -> Order:
    """Do what the first process asks for, until it is over. `call` says that this one is ready, and waits for all."""
    from konterfei.training.following import follow
    from konterfei.training.lesson import Lesson
    from konterfei.training.team import Together
    from konterfei.training.witnesses import Sitter

    chosen, device = with_imported(resolved(config), config), processor_of(place, config.device)
    facesets = {"src": Faceset.open(config.src), "dst": Faceset.open(config.dst)}
    call()
    team = meet(place, device)
    assert isinstance(team, Together)
    with memory_errors_of(config, chosen, config.output), signals(signal.SIG_IGN):
        held = json.loads(team.tell())
        means = means_of(config, chosen, facesets, held, device, place, Silent())
        team.agree(means.facts)
        sampler = means.sampler
        lesson = Lesson(
            means.model,
            sampler.objectives,
            chosen.optimizer,
            config.seed,
            device,
            means.precision,
            team,
            sitter=Sitter(sampler.src, chosen.face_type),
            apart=config.offload and device.type != "cpu",
        )
        lesson.save_memory(means.thrift)
        return follow(lesson, sampler, team)


def _help(config: TrainConfig, chosen: Preset, place: Place) -> HelperResult:
    """Be one of the processes that torchrun has started."""
    with signals(signal.SIG_DFL):  # until all have met, nobody else can end this one
        try:
            last = _follow(config, place, lambda: None)
        finally:
            part()
    return HelperResult(
        run=config.output,
        steps=last.step,
        minutes=last.trained_s / 60,
        is_stopped=last.is_stopped,
        is_preview=last.is_preview,
        preview=Run(config.output, {}).preview_path(),  # on another machine there is no run
    )
