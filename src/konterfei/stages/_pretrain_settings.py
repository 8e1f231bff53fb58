"""What a pretraining can be told, and the preset with these put in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from konterfei.errors import ConfigError
from konterfei.stages._settings import allow
from konterfei.training.objectives import Objectives
from konterfei.training.plan import Phase, Schedule
from konterfei.training.presets import GENTLE, PRESETS, Preset, preset

MODELS_OF_MANY = ("df", "liae")
"""Models of two people that a network of many can become (`models.many.MANY`, which takes torch to read)."""

_WIDTHS = ("ae", "encoder", "decoder", "mask")
_STEPS = 200_000


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Learn faces in general from many people: a base that trainings of two people can begin with (train --base)."""

    facesets: tuple[Path, ...]
    """Facesets of many people: one of each person, or many people in one."""
    output: Path
    """Folder of the run. One that is there is continued. The base lies in it: base.safetensors."""
    preset: Annotated[str, PRESETS] = "quick"
    """Whose networks it is for: a base serves all trainings of the same architecture, face type and resolution that are
    as wide or wider. Only presets of df and liae have one."""
    base: str = "none"
    """What a new run begins with: none = chance; default = the base that konterfei carries for the preset; or a path:
    of the run of another `konterfei pretrain`, or its base.safetensors. Whom the facesets do not show fades."""
    share_of_width: float = 1.0
    """Widths of the networks, as a share of the preset's, 0.1 to 1: 0.5 makes a file a quarter as large, in a third of
    the time, which is widened for the training that begins with it."""
    held_out: float = 0.1
    """Share of the people of each faceset, 0.01 to 0.5, who are never trained on: what is known of faces in general
    is measured on them. At most 64. Fixed for a run: later settings change nothing."""
    held: tuple[Path, ...] = ()
    """Facesets of people to be held out, instead. Whoever is in them is left out of the others, too; of those named
    later, from then on."""
    minutes: float | None = None
    """Minutes of training in all, pauses not counted. More minutes for a finished run go on with it."""
    steps: int | None = None
    """Steps in all, instead of minutes. Neither given: until held-out people gain nothing more, 200,000 at most."""
    disguise: float = 0.5
    """Share of the samples that are seen with another person's texture, 0 to 1: more keeps who somebody is apart from
    what they do; less makes faces more like the people."""
    eyes_mouth: bool = True
    """Eyes and mouth count more: they are small, and lids and lips are what a face says most with."""
    batch: int = 16
    """Faces in a step, an even number."""
    rate: float = 1e-3
    """Learning rate."""
    patience: int = 8
    """End the training, with a fall of the rate, when so many validations in a row found nothing better; 0 = never."""
    validate_minutes: float = 5.0
    """Minutes of training between two validations."""
    validate_steps: int | None = None
    """Steps between two, instead of minutes: for runs that shall repeat exactly."""
    seed: int = 1
    """Of all chance: the same seed, settings and machine give the same curve."""
    device: str = "auto"
    """Processor: auto, cpu, cuda, cuda:1, mps."""
    precision: str = "auto"
    """Number format of the networks: auto, bf16, fp32."""
    threads: int = 0
    """CPU threads for the networks; 0 = one per core, less one for samples and the rest of the machine."""
    micro_batch: int = 0
    """Faces that are computed at a time, an even number; gradients are added up, and what is learned is the same.
    0 = the whole batch, or as many as memory holds."""
    memory_gb: float | None = None
    """Memory of the processor that the training may plan for, GB. Default: what is free when it begins."""
    preview_seconds: float = 60.0
    """Seconds between two preview pictures."""
    checkpoint_seconds: float = 120.0
    """Seconds between two checkpoints: what a power cut can cost at most."""
    backup_hours: float | None = None
    """Hours of training between two backups, which are kept to go back to (`konterfei restore`). Default: none."""
    tensorboard: bool = False
    """Also write losses, rate, speed and previews for TensorBoard, into the run's folder tensorboard."""

    def __post_init__(self) -> None:
        if not self.facesets:
            raise ConfigError("Name at least one faceset: konterfei pretrain FACESET -o RUN")
        if self.minutes is not None and self.steps is not None:
            raise ConfigError("--minutes and --steps exclude each other: give one of them.")
        for flag, value in (
            ("minutes", self.minutes),
            ("steps", self.steps),
            ("rate", self.rate),
            ("preview-seconds", self.preview_seconds),
            ("checkpoint-seconds", self.checkpoint_seconds),
            ("backup-hours", self.backup_hours),
            ("validate-minutes", self.validate_minutes),
            ("validate-steps", self.validate_steps),
            ("memory-gb", self.memory_gb),
        ):
            allow(f"--{flag}", value, value is None or 0 < value < math.inf, "a number above 0")
        allow("--batch", self.batch, self.batch > 0 and self.batch % 2 == 0, "an even number above 0")
        even = self.micro_batch >= 0 and self.micro_batch % 2 == 0
        allow("--micro-batch", self.micro_batch, even, "0 (as many as memory holds) or an even number")
        allow("--share-of-width", self.share_of_width, 0.1 <= self.share_of_width <= 1, "0.1 to 1")
        allow("--held-out", self.held_out, 0.01 <= self.held_out <= 0.5, "0.01 to 0.5")
        allow("--disguise", self.disguise, 0 <= self.disguise <= 1, "0 to 1")
        allow("--patience", self.patience, self.patience >= 0, "0 or more")
        allow("--seed", self.seed, self.seed >= 0, "0 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 (all cores but one) or more")
        resolved(self)

    @property
    def most_steps(self) -> int:
        """Steps of a run that nothing else ends."""
        return self.steps or _STEPS


def resolved(config: PretrainConfig) -> Preset:
    """The preset with the config's own settings put in. Raises ConfigError, UnknownNameError."""
    base = preset(config.preset)
    if base.model not in MODELS_OF_MANY:
        able = ", ".join(name for name, one in PRESETS.items() if one.model in MODELS_OF_MANY)
        raise ConfigError(f"--preset {config.preset}: there is no base for {base.model}. Presets with one: {able}.")
    widths = {name: max(1, round(config.share_of_width * getattr(base.dims, name))) for name in _WIDTHS}
    if base.dims.encoder % widths["encoder"]:
        raise ConfigError(
            f"--share-of-width {config.share_of_width:g}: the encoder would be {widths['encoder']} wide, of which "
            f"{base.dims.encoder} is no multiple. Take 0.5 or 0.25."
        )
    return replace(
        base,
        dims=replace(base.dims, **widths),
        batch=config.batch // 2,
        optimizer="adam",
        schedule=Schedule(rate=config.rate),
        steps=config.most_steps,
        usable_steps=0,
        augment=GENTLE,
        objectives=Objectives(flip_src=True, eyes_mouth=config.eyes_mouth),
        phases=(Phase(),),
        patience=config.patience,
    )
