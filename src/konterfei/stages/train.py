"""Train: two facesets in, a run out. The same command again goes on where it stopped."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models import MODELS
from konterfei.reporting import Reporter, Silent
from konterfei.stages._train_records import complete, train_manifest, warn_of_oddities
from konterfei.stages._train_run import Origin, has_begun, open_run, origin_of, with_imported
from konterfei.stages._train_settings import TrainConfig as TrainConfig
from konterfei.stages._train_settings import bytes_needed, resolved
from konterfei.stages._train_team import Company, Place, check_place, meet, part, place_of, processor_of, signals
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    import torch

    from konterfei.models.base import SwapModel
    from konterfei.training.data import Sampler
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
    _check_means(config, chosen, place)
    start = origin_of(config.start_from, config.output)
    # What a run takes that has begun is there already.
    ensure_writable(config.output, 0 if has_begun(config.output) else bytes_needed(config, chosen))
    run = open_run(config.output, config.preset, config.seed, chosen, src, dst, reporter)
    with run.writing(), _memory_errors(config, chosen, run.folder), Company(place, _follow, config) as company:
        manifest = train_manifest(config, chosen, run, src, dst, start.record if start else None)
        if not Manifest.file_for(run.folder).exists():
            manifest.save(run.folder)
        result = _run_loop(config, chosen, run, src, dst, start, company, reporter)
        if not result.was_done:
            complete(manifest, run, result)
    progress = result.progress
    minutes = progress.trained_s / 60
    is_preview = progress.steps_in_all < chosen.usable_steps
    if result.was_done:
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
        reporter.note(f"Fewer than {chosen.usable_steps} steps: what is merged with it is called a preview.")
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
        refuse_unoffered(chosen.model, MODELS.load(chosen.model), chosen.plan.of(phase).in_force())


@dataclass(frozen=True)
class _Means:
    """What a process trains with."""

    model: SwapModel
    sampler: Sampler
    device: torch.device
    precision: str

    def facts(self, config: TrainConfig, chosen: Preset, src: Faceset, dst: Faceset) -> dict[str, str]:
        """What all processes of a training must have alike."""
        return {
            "settings": f"{chosen} {config.seed}",
            "number format": self.precision,
            "src faceset": f"{src.content_hash()} {len(self.sampler.src)}",
            "dst faceset": f"{dst.content_hash()} {len(self.sampler.dst)}",
            "versions": f"{version('konterfei')} {version('torch')}",
        }


def _means(config: TrainConfig, chosen: Preset, src: Faceset, dst: Faceset, place: Place, reporter: Reporter) -> _Means:
    import torch  # here, so that settings can be checked and shown without it

    from konterfei.models.devices import choose_precision, keep_memory, use_threads
    from konterfei.training.data import Sampler, load_faces, memory_for_faces
    from konterfei.training.losses import needs_parts

    device = processor_of(place, config.device)
    precision = choose_precision(config.precision, device)
    use_threads(config.threads, place.together)
    keep_memory()
    torch.manual_seed(config.seed)
    model = MODELS.load(chosen.model)(chosen.dims).to(device, memory_format=torch.channels_last)
    resolution, plan = chosen.dims.resolution, chosen.plan
    with_parts = any(needs_parts(model, plan.of(phase).in_force()) for phase in plan.phases)
    memory = memory_for_faces() // place.together
    faces = {
        name: load_faces(faceset, chosen.face_type, resolution, memory, reporter, name, with_parts)
        for name, faceset in (("src", src), ("dst", dst))
    }
    sampler = Sampler(
        src=faces["src"],
        dst=faces["dst"],
        resolution=resolution,
        batch=chosen.batch,
        seed=config.seed,
        augment=chosen.augment,
        objectives=plan.of(plan.phases[0]).in_force(),
        part=(place.number, place.size),
    )
    return _Means(model, sampler, device, precision)


def _run_loop(
    config: TrainConfig,
    chosen: Preset,
    run: Run,
    src: Faceset,
    dst: Faceset,
    start: Origin | None,
    company: Company,
    reporter: Reporter,
) -> Any:
    from konterfei.training.desk import Desk
    from konterfei.training.loop import LoopSettings, Start, train_loop
    from konterfei.training.plan import Budget
    from konterfei.training.resources import memory_text
    from konterfei.training.team import Order, Task

    means, plan = _means(config, chosen, src, dst, company.place, reporter), chosen.plan
    model, sampler, device, precision = means.model, means.sampler, means.device, means.precision
    for name in sampler.unturned():
        reporter.warn(f"--uniform-yaw: by their records all faces of {name} look the same way; no effect there.")
    team = company.meet(device, means.facts(config, chosen, src, dst), reporter)
    settings = LoopSettings(
        schedule=chosen.schedule,
        optimizer=chosen.optimizer,
        budget=Budget(steps=config.steps or chosen.steps, minutes=config.minutes),
        device=device,
        precision=precision,
        usable_steps=chosen.usable_steps,
        plan=plan,
        checkpoint_s=config.checkpoint_seconds,
        preview_s=config.preview_seconds,
        begins_from=None
        if start is None
        else Start(start.checkpoint, model.forgotten if start.was_pretraining else (), start.record["path"]),
        team=team,
    )
    desk = Desk(
        run,
        reporter,
        plan=plan,
        batch=chosen.batch,
        backup_s=config.backup_hours and 3600 * config.backup_hours,
        has_board=config.tensorboard,
        memory=lambda: memory_text(device),
    )
    with desk:
        result = train_loop(run, model, sampler, settings, reporter, desk)
    progress = result.progress
    last = Order(
        Task.END, progress.step, trained_s=progress.trained_s, earlier=progress.earlier, is_stopped=result.is_stopped
    )
    team.lead(last)
    return result


def _memory_errors(config: TrainConfig, chosen: Preset, folder: Path) -> AbstractContextManager[None]:
    """Says what to make smaller where the training does not fit into memory. The last checkpoint stays as it is."""
    from konterfei.models.devices import choose_device, memory_errors

    remedy = (
        f"What was saved stays: go on with a smaller --batch than {chosen.batch}, or begin in another folder with a "
        f"smaller --resolution than {chosen.dims.resolution} or another --preset."
    )
    return memory_errors(choose_device(config.device), f"train '{folder}'", remedy)


# --- in the other processes of a training


def _follow(config: TrainConfig, place: Place, call: Callable[[], None]) -> Order:
    """Do what the first process asks for, until it is over. `call` says that this one is ready, and waits for all."""
    from konterfei.training.following import follow
    from konterfei.training.lesson import Lesson
    from konterfei.training.team import Together

    chosen = with_imported(resolved(config), config)
    src, dst = Faceset.open(config.src), Faceset.open(config.dst)
    with _memory_errors(config, chosen, config.output):
        means, plan = _means(config, chosen, src, dst, place, Silent()), chosen.plan
        call()
        with signals(signal.SIG_IGN):
            team = meet(place, means.device, means.facts(config, chosen, src, dst))
            assert isinstance(team, Together)
            first = plan.of(plan.phases[0])
            lesson = Lesson(means.model, first, chosen.optimizer, config.seed, means.device, means.precision, team)
            return follow(lesson, means.sampler, plan, team)


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
        is_preview=last.earlier + last.step < chosen.usable_steps,
        preview=Run(config.output, {}).preview_path(),
    )
