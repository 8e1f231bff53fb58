"""Train: two facesets in, a run out. The same command again goes on where it stopped."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from konterfei.errors import CheckpointMismatchError, ConfigError, FacesetError
from konterfei.geometry import FaceType
from konterfei.io.atomic import sha256
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.models import MODELS
from konterfei.reporting import Reporter
from konterfei.stages._settings import allow
from konterfei.training.presets import PRESETS, Preset, parse_architecture, preset

SAME_PERSON = 0.42
"""Cosine of two mean embeddings above which they are taken for one person (measured for MobileFaceNet-192)."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Teach a model to draw src with the pose and expression of dst."""

    src: Path
    """Faceset of the person who gives the face."""
    dst: Path
    """Faceset of the person in the video that receives it."""
    output: Path
    """Folder of the run. One that is there is continued."""
    preset: Annotated[str, PRESETS] = "quick"
    """Complete settings by name: quick (96 px, minutes on a CPU), standard (128 px, a GPU or days), tiny (a try)."""
    minutes: float | None = None
    """Minutes of training in all, pauses not counted. More minutes for a finished run go on with it."""
    steps: int | None = None
    """Steps in all, instead of minutes. Neither given: the preset's own number."""
    architecture: str | None = None
    """df or liae with the letters u, d, t, c (for example liae-ud), instead of the preset's."""
    resolution: int | None = None
    """Side of the model's faces in pixels, a multiple of 32, instead of the preset's."""
    ae_dims: int | None = None
    """Length of the code between encoder and decoder, instead of the preset's."""
    e_dims: int | None = None
    """Width of the encoder, instead of the preset's."""
    d_dims: int | None = None
    """Width of the decoder, instead of the preset's."""
    d_mask_dims: int | None = None
    """Width of the mask decoder, instead of the preset's."""
    face_type: Annotated[str | None, FaceType] = None
    """How much of the head the model sees: half, mid_full, full, whole or head, instead of the preset's."""
    batch: int | None = None
    """Samples per person and step, instead of the preset's. More is smoother and slower."""
    rate: float | None = None
    """Learning rate, instead of the preset's."""
    seed: int = 1
    """Of all chance: the same seed, settings and machine give the same curve."""
    device: str = "auto"
    """Processor: auto, cpu, cuda, cuda:1, mps."""
    precision: str = "auto"
    """Number format of the networks: auto, bf16, fp32."""
    threads: int = 0
    """CPU threads for the networks; 0 = one per core, less one for samples and the rest of the machine."""
    preview_seconds: float = 60.0
    """Seconds between two preview pictures."""
    checkpoint_seconds: float = 120.0
    """Seconds between two checkpoints: what a power cut can cost at most."""
    backup_hours: float | None = None
    """Hours of training between two backups, which are kept to go back to (`konterfei restore`). Default: none."""
    tensorboard: bool = False
    """Also write losses, rate, speed and previews for TensorBoard, into the run's folder tensorboard."""

    def __post_init__(self) -> None:
        if self.minutes is not None and self.steps is not None:
            raise ConfigError("--minutes and --steps exclude each other: give one of them.")
        for flag, value in (
            ("minutes", self.minutes),
            ("steps", self.steps),
            ("batch", self.batch),
            ("rate", self.rate),
            ("preview-seconds", self.preview_seconds),
            ("checkpoint-seconds", self.checkpoint_seconds),
            ("backup-hours", self.backup_hours),
        ):
            allow(f"--{flag}", value, value is None or 0 < value < math.inf, "a number above 0")
        allow("--seed", self.seed, self.seed >= 0, "0 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 (all cores but one) or more")
        resolved(self)


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


def resolved(config: TrainConfig) -> Preset:
    """The preset with the config's own settings put in. Raises ConfigError, UnknownNameError."""
    base = preset(config.preset)
    dims = asdict(base.dims)
    changes: dict[str, Any] = {}
    if config.architecture:
        name, letters = parse_architecture(config.architecture)
        changes["model"] = name
        dims |= {"unit": "u" in letters, "double": "d" in letters, "deep": "t" in letters, "cosine": "c" in letters}
    given = {
        "resolution": config.resolution,
        "ae": config.ae_dims,
        "encoder": config.e_dims,
        "decoder": config.d_dims,
        "mask": config.d_mask_dims,
    }
    dims |= {name: value for name, value in given.items() if value is not None}
    try:
        changes["dims"] = type(base.dims)(**dims)
    except ValueError as error:
        raise ConfigError(f"These network settings do not go together: {error}.") from error
    if config.face_type:
        allow("--face-type", config.face_type, config.face_type in set(FaceType), ", ".join(FaceType))
        changes["face_type"] = FaceType(config.face_type)
    if config.batch:
        changes["batch"] = config.batch
    if config.rate:
        changes["schedule"] = replace(base.schedule, rate=config.rate)
    preset_now = replace(base, **changes)
    MODELS[preset_now.model]  # an unknown name is an error here, before anything is read
    return preset_now


def train(config: TrainConfig, reporter: Reporter) -> TrainResult:
    """Train, or go on training, the run in `config.output`.

    Raises:
        FacesetError: a faceset cannot be used.
        CheckpointMismatchError: the run there was made with other settings.
        TrainingError: the run falls apart again and again.
        OutOfMemoryError: it does not fit into the processor's memory; the last checkpoint stays.
        OutputError: the folder cannot be written; the last checkpoint stays.
    """
    chosen = resolved(config)
    src, dst = Faceset.open(config.src), Faceset.open(config.dst)
    _warn_of_oddities(src, dst, reporter)
    _check_device(config)
    run = _open_run(config, chosen, src, dst, reporter)
    with run.writing(), _memory_errors(config, chosen, run):
        manifest = _manifest(config, chosen, run, src, dst)
        if not Manifest.file_for(run.folder).exists():
            manifest.save(run.folder)
        result = _run_loop(config, chosen, run, src, dst, reporter)
        if not result.was_done:
            _complete(manifest, run, result)
    progress = result.progress
    minutes = progress.trained_s / 60
    is_preview = progress.step < chosen.usable_steps
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


def _manifest(config: TrainConfig, chosen: Preset, run: Run, src: Faceset, dst: Faceset) -> Manifest:
    """What this training is made from. Facesets that an earlier part of the run saw otherwise stay listed."""
    before = Manifest.load(run.folder)
    inputs = {} if before is None else dict(before.inputs)
    for person, faceset in (("src", src), ("dst", dst)):
        now = {"path": str(faceset.folder.absolute()), "sha256": faceset.content_hash(), "num_faces": len(faceset)}
        earlier = inputs.get(person)
        if earlier and earlier["sha256"] != now["sha256"]:
            inputs[f"{person} earlier, {earlier['sha256'][:8]}"] = earlier
        inputs[person] = now
    return Manifest(
        stage="train",
        inputs=inputs,
        settings={"config": config, "resolved": chosen},
        versions={"konterfei": version("konterfei"), "torch": version("torch")},
        results={} if before is None else before.results,
    )


def _complete(manifest: Manifest, run: Run, result: Any) -> None:
    """Write down what came of it."""
    progress = result.progress
    paths = run.snapshot_paths()
    manifest.output = {"snapshot": paths[-1].name, "sha256": sha256(paths[-1])} if paths else {}
    manifest.results = {
        "steps": progress.step,
        "minutes": round(progress.trained_s / 60, 2),
        "loss": round(progress.loss, 5),
        "rollbacks": progress.salt,
    }
    manifest.complete = progress.is_done
    manifest.save(run.folder)


def _warn_of_oddities(src: Faceset, dst: Faceset, reporter: Reporter) -> None:
    for faceset in (src, dst):
        for name, reason in list(faceset.damaged.items())[:5]:
            reporter.warn(f"'{faceset.folder / name}' is not used: {reason}")
        if len(faceset.damaged) > 5:
            reporter.warn(f"... and {len(faceset.damaged) - 5} more damaged crops in '{faceset.folder}'.")
    try:
        ours, theirs = src.identity(), dst.identity()
    except FacesetError as error:
        reporter.note(f"Whether src and dst are two people was not checked. {error}")
        return
    if len(ours) != len(theirs):
        reporter.note("Whether src and dst are two people was not checked: their recognizers differ.")
    elif float(ours @ theirs) > SAME_PERSON:
        reporter.warn(
            f"src and dst look like the same person (similarity {float(ours @ theirs):.2f}, different people "
            f"are below {SAME_PERSON}). Swapping will change little."
        )


def _check_device(config: TrainConfig) -> None:
    """Refuse a processor that is not there before anything is written."""
    from konterfei.models.devices import choose_device, choose_precision  # here, as below: torch is slow to load

    choose_precision(config.precision, choose_device(config.device))


def _open_run(config: TrainConfig, chosen: Preset, src: Faceset, dst: Faceset, reporter: Reporter) -> Run:
    """The run in the output folder: a new one, or the one there when its settings are the same."""
    fixed: dict[str, Any] = {
        "model": chosen.model,
        "dims": asdict(chosen.dims),
        "face_type": str(chosen.face_type),
        "optimizer": chosen.optimizer,
        "seed": config.seed,
    }
    people = {
        name: {
            "faces": str(faceset.folder),
            "hash": faceset.content_hash(),
            "video": faceset.header.source_name,
            "video_sha256": faceset.header.source_sha256,
        }
        for name, faceset in (("src", src), ("dst", dst))
    }
    settings = {**fixed, "preset": config.preset, **people}
    if not Run.exists(config.output):
        return Run.create(config.output, settings)
    run = Run.open(config.output)
    if run.is_untrained:
        with run.writing():
            return run.replaced(settings)
    changed = [f"{k}: there {run.config.get(k)!r}, asked for {v!r}" for k, v in fixed.items() if run.config.get(k) != v]
    if changed:
        raise CheckpointMismatchError(
            f"'{config.output}' was made with other settings ({'; '.join(changed)}). "
            "Use its settings, or train in another folder."
        )
    for person in ("src", "dst"):
        if run.config[person]["hash"] != people[person]["hash"]:
            reporter.note(f"The {person} faceset has changed since this run began; what is there now is used.")
    return run


def _run_loop(config: TrainConfig, chosen: Preset, run: Run, src: Faceset, dst: Faceset, reporter: Reporter) -> Any:
    import torch  # here, so that settings can be checked and shown without it

    from konterfei.models.devices import choose_device, choose_precision, use_threads
    from konterfei.training.data import Sampler, load_faces, memory_for_faces
    from konterfei.training.desk import Desk
    from konterfei.training.loop import LoopSettings, train_loop
    from konterfei.training.plan import Budget
    from konterfei.training.resources import memory_text

    device = choose_device(config.device)
    precision = choose_precision(config.precision, device)
    use_threads(config.threads)
    torch.manual_seed(config.seed)
    model = MODELS.load(chosen.model)(chosen.dims).to(device, memory_format=torch.channels_last)
    resolution = chosen.dims.resolution
    faces = {
        name: load_faces(faceset, chosen.face_type, resolution, memory_for_faces(), reporter, name)
        for name, faceset in (("src", src), ("dst", dst))
    }
    sampler = Sampler(
        src=faces["src"],
        dst=faces["dst"],
        resolution=resolution,
        batch=chosen.batch,
        seed=config.seed,
        augment=chosen.augment,
    )
    settings = LoopSettings(
        schedule=chosen.schedule,
        optimizer=chosen.optimizer,
        budget=Budget(steps=config.steps or chosen.steps, minutes=config.minutes),
        device=device,
        precision=precision,
        usable_steps=chosen.usable_steps,
        checkpoint_s=config.checkpoint_seconds,
        preview_s=config.preview_seconds,
    )
    desk = Desk(
        run,
        reporter,
        batch=chosen.batch,
        backup_s=config.backup_hours and 3600 * config.backup_hours,
        has_board=config.tensorboard,
        memory=lambda: memory_text(device),
    )
    with desk:
        return train_loop(run, model, sampler, settings, reporter, desk)


def _memory_errors(config: TrainConfig, chosen: Preset, run: Run) -> AbstractContextManager[None]:
    """Says what to make smaller where the training does not fit into memory. The last checkpoint stays as it is."""
    from konterfei.models.devices import choose_device, memory_errors

    remedy = (
        f"What was saved stays: go on with a smaller --batch than {chosen.batch}, or begin in another folder with a "
        f"smaller --resolution than {chosen.dims.resolution} or another --preset."
    )
    return memory_errors(choose_device(config.device), f"train '{run.folder}'", remedy)
