"""What a training can be told: its settings, and the preset with these put in."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.errors import ConfigError
from konterfei.geometry import FaceType
from konterfei.models import MODELS
from konterfei.nets.dims import LETTERS
from konterfei.stages._settings import allow
from konterfei.stages._train_base import DEFAULT, refuse_two_beginnings
from konterfei.stages._train_run import SIZES
from konterfei.training.objectives import Objectives, UpdateDropout
from konterfei.training.phases import read_phases
from konterfei.training.plan import Phase
from konterfei.training.presets import BYTES_A_PARAMETER, PRESETS, OptimizerName, Preset, parse_architecture, preset

ROOM = 100_000_000
"""Disk for the previews of a run, and some to spare."""


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
    """Complete settings by name, for a CPU: quick (96 px, minutes), cpu (128 px, nights); for a GPU: quick96 (a first
    look), standard (6 GB, 128 px), 8gb, 12gb, 24gb (192, 224, 256 px), the same with -closeup (160 to 320 px), amp (a
    slider between both people); tiny (a try). docs/training.md has the table."""
    minutes: float | None = None
    """Minutes of training in all, pauses not counted. More minutes for a finished run go on with it."""
    steps: int | None = None
    """Steps in all, instead of minutes. Neither given: the preset's own number."""
    architecture: str | None = None
    """df or liae with the letters u, d, t, c (for example liae-ud), or amp, instead of the preset's."""
    resolution: int | None = None
    """Side of the model's faces in pixels, a multiple of 32 (16 without d and t), instead of the preset's."""
    ae_dims: int | None = None
    """Length of the code between encoder and decoder, instead of the preset's."""
    e_dims: int | None = None
    """Width of the encoder, instead of the preset's."""
    d_dims: int | None = None
    """Width of the decoder, instead of the preset's."""
    d_mask_dims: int | None = None
    """Width of the mask decoder, instead of the preset's."""
    inter_dims: int | None = None
    """Channels of each of amp's inters, instead of the preset's."""
    morph_factor: float | None = None
    """Share of these channels that amp takes from src's inter while it learns src, 0.1 to 0.5 (0.5 if not given)."""
    face_type: Annotated[str | None, FaceType] = None
    """How much of the head the model sees: half, mid_full, full, whole or head, instead of the preset's."""
    batch: int | None = None
    """Samples per person and step, instead of the preset's. More is smoother and slower."""
    rate: float | None = None
    """Learning rate, instead of the preset's."""
    optimizer: OptimizerName | None = None
    """What turns gradients into updates, instead of the preset's."""
    masked_training: bool | None = None
    """Learn only what lies within the face's mask. Without: the background too, for crops that are pasted whole."""
    eyes_mouth: bool | None = None
    """Learn eyes and mouth with priority: against a squint, and for teeth."""
    random_warp: bool | None = None
    """Bend samples, so that the network learns what a face is. Off for the last part of a long training: sharper."""
    flip_src: bool | None = None
    """Mirror src at times: for a src that was only seen from one side; mixes up a parting and moles."""
    flip_dst: bool | None = None
    """Mirror dst at times."""
    uniform_yaw: bool | None = None
    """Show all head turns equally often, however rare they are in the facesets."""
    color_transfer: Annotated[str | None, COLOR_TRANSFERS] = None
    """Give src's samples the colours of random dst faces, by this method: for very different light."""
    hsv_power: float | None = None
    """Vary hue and brightness of what is seen of src, 0 to 0.3 (0.05 is usual): for footage whose colours change."""
    disguise: float | None = None
    """Share of the samples, 0 to 1, that are seen in the other person's texture and layout: so src is learned from what
    dst shows, and the mouth comes to lie as src's does."""
    blur_out_mask: bool | None = None
    """Blur what lies outside the face's mask: a calmer rim."""
    face_style_power: float | None = None
    """Draw the face towards dst's colours, 0 to 100 (10 is much). Only once faces are sharp; then back to 0."""
    bg_style_power: float | None = None
    """Draw what surrounds the face towards dst, 0 to 100. It may cost likeness."""
    true_face_power: float | None = None
    """Hold on to src's identity, 0 to 1 (0.01 is usual): pushes codes of src and dst together. df only."""
    identity_power: float | None = None
    """Draw swapped faces so that the recognizer sees src in them, 0 to 100 (0.1): for likeness. An experiment: from
    scratch it ruins faces within half an hour; a minute at the end of a finished run, with a backup."""
    perceptual_power: float | None = None
    """Draw faces so that a network that knows pictures finds them alike, 0 to 100 (3 is usual): for detail."""
    gan_power: float | None = None
    """Push for detail by a second network that judges src's faces, 0 to 5 (0.1 is usual). For the very end."""
    gan_patch_size: int | None = None
    """Side of the patches that it judges, 3 to 640 px: more is coarser detail. Default: an eighth of the resolution."""
    gan_dims: int | None = None
    """Width of that network, 4 to 512: more is finer detail and more memory. Default: 16."""
    lr_dropout: UpdateDropout | None = None
    """Change only some weights in each step, at a rate that swings: finer detail at the end. cpu spares a GPU."""
    clip_grad: bool | None = None
    """Shorten steps that would be too long: against a training that falls apart."""
    base: str = DEFAULT
    """What a new run begins with: default (the base carried for the preset, a network that has learned to draw faces in
    general, of nobody; from scratch where there is none for these sizes), none (from scratch), or a path: the run
    folder of a konterfei pretrain, or the base.safetensors of one. What a run began with stays."""
    pretrain: bool = False
    """Learn faces in general, from many people (as src and dst), for other runs to start from. Fixes some settings."""
    start_from: Path | None = None
    """Run whose weights a new run begins with; of one that was made with --pretrain, all but what belongs to two
    people. Needs the same sizes and architecture; of one that import dfl-model made, they are taken over. Then there is
    no base."""
    plan: Path | None = None
    """TOML file of phases, in which settings of these differ: see docs/training.md."""
    dfl_exact: bool | None = None
    """Make samples and losses just as DeepFaceLab does, with its slips: for comparisons."""
    held_out: float = 0.05
    """Share of each person's faces that is never trained on (48 at most, 0 = none), to measure the swap by while it
    trains. Fixed for a run."""
    validate_minutes: float = 5.0
    """Minutes of training between two such validations."""
    validate_steps: int | None = None
    """Steps between two, instead of minutes: for runs that shall repeat exactly although a phase or the end depends on
    the score."""
    patience: int | None = None
    """End the training, with a fall of the rate, when so many validations in a row found nothing better; 0 = never.
    Default: 0 where --minutes or --steps are given, else the preset's."""
    seed: int = 1
    """Of all chance: the same seed, settings and machine give the same curve."""
    device: str = "auto"
    """Processor: auto, cpu, cuda, cuda:1, mps."""
    precision: str = "auto"
    """Number format of the networks: auto, bf16, fp32."""
    threads: int = 0
    """CPU threads for the networks; 0 = one per core, less one for samples and the rest of the machine."""
    micro_batch: int = 0
    """Samples of each person that are computed at a time; their gradients are added up, and what is learned is the
    same. 0 = the whole batch, or as many as memory holds."""
    offload: bool = False
    """Keep moments and smoothed weights in the computer's memory: 12 to 16 bytes of each weight less on a GPU, for the
    time of two copies in each step. Without effect on a CPU."""
    memory_gb: float | None = None
    """Memory of the processor that the training may plan for, GB. Default: what is free when it begins."""
    processes: int = 1
    """Processes that train together, each with its part of the batch: one for each GPU, or so many on the CPU. torchrun
    can start them, too: see docs/training.md."""
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
            ("validate-minutes", self.validate_minutes),
            ("validate-steps", self.validate_steps),
            ("memory-gb", self.memory_gb),
        ):
            allow(f"--{flag}", value, value is None or 0 < value < math.inf, "a number above 0")
        allow("--micro-batch", self.micro_batch, self.micro_batch >= 0, "0 (as many as memory holds) or more")
        allow("--held-out", self.held_out, 0 <= self.held_out <= 0.5, "0 to 0.5")
        allow("--patience", self.patience, self.patience is None or self.patience >= 0, "0 or more")
        allow("--seed", self.seed, self.seed >= 0, "0 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 (all cores but one) or more")
        allow("--processes", self.processes, self.processes >= 1, "1 or more")
        refuse_two_beginnings(self.base, self.start_from, self.pretrain)
        resolved(self)


def resolved(config: TrainConfig) -> Preset:
    """The preset with the config's own settings put in. Raises ConfigError, UnknownNameError."""
    base = preset(config.preset)
    dims = asdict(base.dims)
    changes: dict[str, Any] = {}
    if config.architecture:
        name, letters = parse_architecture(config.architecture)
        changes["model"] = name
        dims |= {option: letter in letters for option, letter in LETTERS.items()}
    given = {ours: getattr(config, flag) for flag, ours in SIZES.items()}
    if changes.get("model", base.model) != "amp" and (given["inter"] is not None or given["morph"] is not None):
        raise ConfigError("--inter-dims and --morph-factor are settings of amp. Leave them out, or --architecture amp.")
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
    if config.optimizer:
        changes["optimizer"] = config.optimizer
    chosen = {field.name: getattr(config, field.name) for field in fields(Objectives)}
    objectives = replace(base.objectives, **{k: v for k, v in chosen.items() if v is not None})
    if config.disguise is None and (objectives.dfl_exact or objectives.pretrain):
        objectives = replace(objectives, disguise=0.0)  # which know nothing of it
    changes["objectives"] = objectives
    if config.plan is not None:
        changes["phases"] = read_phases(config.plan, changes["objectives"])
    elif changes["objectives"].dfl_exact or changes["objectives"].pretrain:
        changes["phases"] = (Phase(),)  # the original has none; pretraining fixes what they change
    else:
        given_names = {name for name, value in chosen.items() if value is not None}
        changes["phases"] = tuple(phase.without(given_names) for phase in base.phases)
    preset_now = replace(base, **changes)
    if (preset_now.model, preset_now.dims, preset_now.face_type) != (base.model, base.dims, base.face_type):
        preset_now = replace(preset_now, sooner=1)  # measured with the preset's own networks only
    MODELS[preset_now.model]  # an unknown name is an error here, before anything is read
    return preset_now


def bytes_needed(config: TrainConfig, chosen: Preset | None = None) -> int:
    """Disk that the run of `chosen` (None = `resolved`) will take about. Raises ConfigError, UnknownNameError."""
    base, chosen = preset(config.preset), chosen or resolved(config)
    is_judged = any(chosen.plan.of(phase).is_judged for phase in chosen.phases)
    if (chosen.model, chosen.dims) == (base.model, base.dims) and not is_judged:
        return base.run_bytes
    import torch  # here, as below: torch is slow to load

    from konterfei.training.adversaries import parameters_of_judges

    with torch.device("meta"):  # shapes without memory
        model = MODELS.load(chosen.model)(chosen.dims)
    count = sum(parameter.numel() for parameter in model.parameters())
    judges = max(parameters_of_judges(model, chosen.plan.of(phase).in_force()) for phase in chosen.phases)
    return BYTES_A_PARAMETER * (count + judges) + ROOM
