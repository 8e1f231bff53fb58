"""Train: two facesets in, a run out. The same command again goes on where it stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.errors import ConfigError
from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models import MODELS
from konterfei.reporting import Reporter
from konterfei.stages._train_memory import memory_errors_of, thrift_for
from konterfei.stages._train_records import complete, train_manifest, warn_of_oddities
from konterfei.stages._train_run import Origin, has_begun, open_run, origin_of, with_imported
from konterfei.stages._train_settings import TrainConfig as TrainConfig
from konterfei.stages._train_settings import bytes_needed, resolved
from konterfei.stages._train_validation import patience_of, validations_of
from konterfei.training.objectives import Objectives
from konterfei.training.presets import Preset

if TYPE_CHECKING:
    from konterfei.training.data import TrainingFaces


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


def train(config: TrainConfig, reporter: Reporter) -> TrainResult:
    """Train, or go on training, the run in `config.output`.

    Raises:
        FacesetError: a faceset cannot be used.
        CheckpointMismatchError: the run there was made with other settings.
        TrainingError: the run falls apart again and again.
        OutOfMemoryError: it does not fit into the processor's memory; the last checkpoint stays.
        OutputError: the folder cannot be written, or the disk has too little space; the last checkpoint stays.
    """
    chosen = with_imported(resolved(config), config)
    src, dst = Faceset.open(config.src), Faceset.open(config.dst)
    warn_of_oddities(src, dst, not chosen.objectives.pretrain, reporter)
    if idle := chosen.objectives.idle():
        reporter.warn(f"Without effect beside the other settings: {', '.join(idle)}.")
    _check_means(config, chosen)
    start = origin_of(config.start_from, config.output)
    # What a run takes that has begun is there already.
    ensure_writable(config.output, 0 if has_begun(config.output) else bytes_needed(config, chosen))
    run = open_run(config.output, config.preset, config.seed, chosen, src, dst, config.held_out, reporter)
    with run.writing(), memory_errors_of(config, chosen, run):
        manifest = train_manifest(config, chosen, run, src, dst, start.record if start else None)
        if not Manifest.file_for(run.folder).exists():
            manifest.save(run.folder)
        result = _run_loop(config, chosen, run, src, dst, start, reporter)
        if not result.was_done:
            complete(manifest, run, result)
    progress = result.progress
    minutes = progress.trained_s / 60
    is_preview = progress.steps_in_all < chosen.usable_steps
    if result.was_done and progress.is_ending:
        reporter.note(
            f"'{run.folder}' is already trained: {progress.step} steps in {minutes:.1f} minutes; then its held-out "
            "score had stopped to rise. To go on, give it a budget: --steps or --minutes."
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
        reporter.note(f"Fewer than {chosen.usable_steps} steps: what is merged with it is called a preview.")
    return TrainResult(
        run=run.folder,
        steps=progress.step,
        minutes=minutes,
        is_stopped=result.is_stopped,
        is_preview=is_preview,
        preview=run.preview_path(),
    )


def _check_means(config: TrainConfig, chosen: Preset) -> None:
    """Refuse a processor that is not there, and objectives that the model cannot serve, before anything is written."""
    from konterfei.models.devices import choose_device, choose_precision  # here, as below: torch is slow to load
    from konterfei.training.lesson import refuse_unoffered

    choose_precision(config.precision, choose_device(config.device))
    for phase in chosen.phases:
        refuse_unoffered(chosen.model, MODELS.load(chosen.model), chosen.plan.of(phase).in_force())


def _run_loop(
    config: TrainConfig, chosen: Preset, run: Run, src: Faceset, dst: Faceset, start: Origin | None, reporter: Reporter
) -> Any:
    import torch  # here, so that settings can be checked and shown without it

    from konterfei.models.devices import choose_device, choose_precision, keep_memory, use_threads
    from konterfei.training.data import Sampler
    from konterfei.training.desk import Desk
    from konterfei.training.lesson import refuse_unoffered
    from konterfei.training.loop import LoopSettings, Start, train_loop
    from konterfei.training.losses import needs_parts
    from konterfei.training.plan import Budget
    from konterfei.training.resources import free_bytes, memory_text

    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    use_threads(config.threads)
    keep_memory()
    free = free_bytes(device)
    torch.manual_seed(config.seed)
    model = MODELS.load(chosen.model)(chosen.dims).to(device, memory_format=torch.channels_last)
    resolution, plan = chosen.dims.resolution, chosen.plan
    with_parts = any(needs_parts(model, plan.of(phase).in_force()) for phase in plan.phases)
    faces = _faces(chosen, run, {"src": src, "dst": dst}, with_parts, reporter)
    validations = validations_of(config, chosen, run, src, dst, reporter)
    sampler = Sampler(
        src=faces["src"],
        dst=faces["dst"],
        resolution=resolution,
        batch=chosen.batch,
        seed=config.seed,
        augment=chosen.augment,
        objectives=plan.of(plan.phases[0]).in_force(),
    )
    for name in sampler.unturned():
        reporter.warn(f"--uniform-yaw: by their records all faces of {name} look the same way; no effect there.")
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
        validations=validations,
        patience=patience_of(config, chosen),
        thrift=thrift_for(config, chosen, device, precision, free, faces.values(), reporter),
        begins_from=None
        if start is None
        else Start(start.checkpoint, model.forgotten if start.was_pretraining else (), start.record["path"]),
    )

    def can_serve(objectives: Objectives) -> None:
        refuse_unoffered(chosen.model, type(model), objectives.in_force())
        if needs_parts(model, objectives) and not with_parts:
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
        return train_loop(run, model, sampler, settings, reporter, desk)


def _faces(
    chosen: Preset, run: Run, facesets: Mapping[str, Faceset], with_parts: bool, reporter: Reporter
) -> dict[str, TrainingFaces]:
    """The faces of both people, but for those that are held out."""
    from konterfei.training.data import load_faces, memory_for_faces

    held = run.config.get("held_out") or {}
    return {
        name: load_faces(
            faceset,
            chosen.face_type,
            chosen.dims.resolution,
            memory_for_faces(),
            reporter,
            name,
            with_parts,
            without=held.get(name, ()),
            store=run.folder / "faces",
        )
        for name, faceset in facesets.items()
    }
