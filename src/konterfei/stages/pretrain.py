"""Pretrain: facesets of many people in, a base out. The same command again goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from konterfei.errors import ConfigError, FacesetError
from konterfei.io.atomic import ensure_writable, sha256, size_text
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.reporting import Reporter
from konterfei.stages._pretrain_base import beginning, known_before, record_with_time, warn_of_known
from konterfei.stages._pretrain_people import Roster, roster_of
from konterfei.stages._pretrain_run import held_out_of, open_run, pretrain_manifest, write_base_of
from konterfei.stages._pretrain_settings import PretrainConfig as PretrainConfig
from konterfei.stages._pretrain_settings import resolved
from konterfei.stages._train_records import results_of
from konterfei.training.objectives import Objectives
from konterfei.training.presets import BYTES_A_PARAMETER, Preset
from konterfei.weights.bases import FILE_NAME, MOST_BYTES, RECOGNIZER

if TYPE_CHECKING:
    import torch

    from konterfei.models.bases import Base
    from konterfei.training.crowd import CrowdFaces, CrowdSampler

_ROOM = 100_000_000
_CHANGEABLE = {"random_warp", "masked_training", "blur_out_mask", "clip_grad", "lr_dropout"}
"""Objectives that may be changed while it trains."""
_LANDMARKER = "mesh478"


@dataclass(frozen=True, kw_only=True)
class PretrainResult:
    """What came of a pretraining.

    Attributes:
        run: its folder.
        base: the file that trainings begin with.
        steps: done in all.
        minutes: trained in all.
        is_stopped: whether a person ended it before its time.
        preview: newest preview picture.
    """

    run: Path
    base: Path
    steps: int
    minutes: float
    is_stopped: bool
    preview: Path


def pretrain(config: PretrainConfig, reporter: Reporter) -> PretrainResult:
    """Train, or go on training, a network of many people in `config.output`, and write what it knows as a base.

    Raises:
        FacesetError: a faceset cannot be used.
        ConfigError: too few people, or no such processor.
        CheckpointMismatchError: the run there was made with other settings, or --base is of other networks.
        DamagedFileError: --base cannot be read.
        TrainingError: the run falls apart again and again.
        OutOfMemoryError: it does not fit into the processor's memory; the last checkpoint stays.
        OutputError: the folder cannot be written, or the disk has too little space; the last checkpoint stays.
    """
    from konterfei.models.devices import choose_device, choose_precision, memory_errors  # here: torch is slow to load

    chosen = resolved(config)
    device = choose_device(config.device)
    choose_precision(config.precision, device)
    facesets = [Faceset.open(folder, reporter=reporter) for folder in (*config.facesets, *config.held)]
    ensure_writable(config.output, 0 if Run.exists(config.output) else _bytes_needed(chosen))
    roster = roster_of(facesets, reporter)
    known = known_before(config, chosen, reporter)
    run = open_run(config, chosen, roster, record_with_time(known, config) if known else None, reporter)
    held = held_out_of(run, roster, len(config.facesets), reporter)
    warn_of_known(run.config.get("base") or {}, roster, held, reporter)
    remedy = (
        f"What was saved stays: go on with a smaller --batch than {config.batch}, or begin in another folder with a "
        f"smaller --share-of-width than {config.share_of_width:g}."
    )
    with run.writing(), memory_errors(device, f"train '{run.folder}'", remedy):
        manifest = pretrain_manifest(config, chosen, run, facesets)
        if not Manifest.file_for(run.folder).exists():
            manifest.save(run.folder)
        result = _run_loop(config, chosen, run, roster, held, known, device, reporter)
        base = run.folder / FILE_NAME
        if not result.was_done or not _is_written(run, base, result.progress):
            base = write_base_of(config, chosen, run, roster, held)
            _complete(manifest, run, base, result.progress)
    _tell(config, run, base, result, reporter)
    return PretrainResult(
        run=run.folder,
        base=base,
        steps=result.progress.step,
        minutes=result.progress.trained_s / 60,
        is_stopped=result.is_stopped,
        preview=run.preview_path(),
    )


def _bytes_needed(chosen: Preset) -> int:
    import torch

    from konterfei.models.many import MANY

    with torch.device("meta"):  # shapes without memory
        network = MANY[chosen.model](chosen.dims)
    return BYTES_A_PARAMETER * sum(parameter.numel() for parameter in network.parameters()) + _ROOM


def _is_written(run: Run, base: Path, progress: Any) -> bool:
    """Whether the base is whole and of the run as it stands: a kill may have come between the two."""
    made = Manifest.load(run.folder)
    if made is None or not base.is_file():
        return False
    return made.results.get("steps") == progress.step and made.output.get("sha256") == sha256(base)


def _complete(manifest: Manifest, run: Run, base: Path, progress: Any) -> None:
    """Write down what came of it."""
    manifest.output = {"base": base.name, "sha256": sha256(base)}
    manifest.results = results_of(progress)
    manifest.complete = progress.is_done
    manifest.save(run.folder)


def _tell(config: PretrainConfig, run: Run, base: Path, result: Any, reporter: Reporter) -> None:
    progress, size = result.progress, base.stat().st_size
    done = f"{progress.step} steps in {progress.trained_s / 60:.1f} minutes"
    if result.was_done and progress.is_ending:
        reporter.note(
            f"'{run.folder}' is already trained: {done}; then held-out people gained nothing more. To go on, give it "
            "--patience 0, or more --steps or --minutes."
        )
    elif result.was_done:
        more = f"--minutes {config.minutes:g}" if config.minutes else f"--steps {progress.total}"
        reporter.note(f"'{run.folder}' is already trained: {done}. To go on, give it more than {more}.")
    else:
        state = "stopped" if result.is_stopped else "finished"
        reporter.note(f"Pretraining {state}: {done}. Preview: {run.preview_path()}")
    best = run.best_paths()
    of = f"of step {int(best[-1].name.split('.')[0])}, the best by held-out people" if best else "not measured yet"
    reporter.note(f"The base: {base} ({size_text(size)}, {of}). Begin with it: konterfei train --base '{base}' ...")
    if size > MOST_BYTES:
        reporter.note(f"It is larger than {size_text(MOST_BYTES)}: --share-of-width 0.5 makes one a quarter as large.")


def _run_loop(
    config: PretrainConfig,
    chosen: Preset,
    run: Run,
    roster: Roster,
    held: Sequence[Sequence[str]],
    known: Base | None,
    device: torch.device,
    reporter: Reporter,
) -> Any:
    import torch

    from konterfei.models.devices import choose_precision, keep_memory, use_threads
    from konterfei.models.many import MANY
    from konterfei.training.desk import Desk
    from konterfei.training.loop import LoopSettings, train_loop
    from konterfei.training.memory import Training, plan_memory
    from konterfei.training.plan import Budget
    from konterfei.training.resources import free_bytes, memory_text
    from konterfei.training.thrift import Thrift

    precision = choose_precision(config.precision, device)
    use_threads(config.threads)
    keep_memory()
    free = free_bytes(device)
    torch.manual_seed(config.seed)
    model = MANY[chosen.model](chosen.dims).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    sampler, held_faces = _faces(config, chosen, roster, held, reporter)
    plan, half = chosen.plan, chosen.batch
    training = Training(
        model=type(model), dims=chosen.dims, objectives=(plan.objectives,), optimizer=chosen.optimizer,
        batch=half, precision=precision,
    )  # fmt: skip
    taken = sum(faces.bytes_in_memory for faces in sampler.crowd) if device.type == "cpu" else 0
    allowed = round(1e9 * config.memory_gb) if config.memory_gb else free
    planned = plan_memory(training, device, allowed, taken, Thrift(min(config.micro_batch // 2, half)))
    if planned.note:
        (reporter.note if planned.fits else reporter.warn)(planned.note)
    settings = LoopSettings(
        schedule=chosen.schedule,
        optimizer=chosen.optimizer,
        budget=Budget(steps=config.most_steps, minutes=config.minutes),
        device=device,
        precision=precision,
        usable_steps=0,
        plan=plan,
        face_type=chosen.face_type,
        checkpoint_s=config.checkpoint_seconds,
        preview_s=config.preview_seconds,
        thrift=planned.thrift,
        validations=_validations(config, chosen, run, held_faces),
        patience=config.patience,
        begins_from=lambda: beginning(known, run, chosen, config.seed),
    )
    desk = Desk(
        run,
        reporter,
        plan=plan,
        batch=half,
        backup_s=config.backup_hours and 3600 * config.backup_hours,
        has_board=config.tensorboard,
        can_validate=True,
        can_serve=lambda objectives: _refuse_others(plan.objectives, objectives),
        memory=lambda: memory_text(device),
    )
    with desk:
        return train_loop(run, model, sampler, settings, reporter, desk)


def _refuse_others(ours: Objectives, wanted: Objectives) -> None:
    """Raises ConfigError for changes that samples and losses of many people know nothing of."""
    same = {name: getattr(ours, name) for name in _CHANGEABLE}
    if replace(wanted, **same) != replace(ours, **same):
        raise ConfigError(f"In a pretraining only these can be changed: rate, {', '.join(sorted(_CHANGEABLE))}.")


def _faces(
    config: PretrainConfig, chosen: Preset, roster: Roster, held: Sequence[Sequence[str]], reporter: Reporter
) -> tuple[CrowdSampler, CrowdFaces]:
    """What is learned from, and the faces that it is measured on."""
    from konterfei.training.crowd import CrowdSampler, crowd_of, on_both_sides, some_of_each, together
    from konterfei.training.crowd_validation import MOST
    from konterfei.training.data import load_faces, memory_for_faces

    memory = 2 * memory_for_faces() // len(roster.facesets)
    everybody = [(number, name) for number, names in enumerate(held) for name in names]
    persons = np.array([roster.people[number][name] for number, name in everybody])
    shown = {everybody[place] for place in some_of_each(persons, MOST)}
    crowd: list[CrowdFaces] = []
    others: list[CrowdFaces] = []
    for number, faceset in enumerate(roster.facesets):
        known, hidden = roster.people[number], set(held[number])
        records = faceset.records()
        wanted = {
            "learned": ({record.name for record in records} - set(known)) | hidden,
            "held": {record.name for record in records if (number, record.name) not in shown},
        }
        for kind, without in wanted.items():
            if len(without) == len(records):
                continue
            name = faceset.folder.stem if kind == "learned" else f"held-out {faceset.folder.stem}"
            store = config.output / "faces" / str(number)
            faces = load_faces(
                faceset, chosen.face_type, chosen.dims.resolution, memory, reporter, name, config.eyes_mouth, without,
                store,
            )  # fmt: skip
            people = crowd_of(faces, roster.who[number], known)
            (others if kind == "held" else crowd).append(people)
    held_faces = together(others)
    src, dst = on_both_sides(held_faces)
    if not len(dst):
        raise FacesetError("Of the people who are held out, crops of one only can be read. Extract the others again.")
    sampler = CrowdSampler(
        src=src,
        dst=dst,
        resolution=chosen.dims.resolution,
        batch=chosen.batch,
        seed=config.seed,
        augment=chosen.augment,
        objectives=chosen.objectives,
        crowd=tuple(crowd),
        disguise=config.disguise,
        has_seconds=chosen.model == "liae",
    )
    return sampler, held_faces


def _validations(config: PretrainConfig, chosen: Preset, run: Run, faces: CrowdFaces) -> Any:
    from konterfei.landmarkers import LANDMARKERS
    from konterfei.recognizers import RECOGNIZERS
    from konterfei.training.crowd_validation import CrowdValidator
    from konterfei.training.validations import Validations

    def make() -> CrowdValidator:
        eyes = RECOGNIZERS.load(RECOGNIZER)(threads=config.threads), LANDMARKERS.load(_LANDMARKER)(config.threads)
        return CrowdValidator(faces, *eyes)

    return Validations(
        run, make, chosen.face_type, 60 * config.validate_minutes, config.validate_steps, "base" in run.config
    )
