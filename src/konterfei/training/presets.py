"""Presets: complete settings of a training, by what a person wants and has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from konterfei.errors import ConfigError, UnknownNameError
from konterfei.geometry import FaceType
from konterfei.nets.dims import Dims
from konterfei.training.augment import AugmentSettings
from konterfei.training.objectives import Objectives
from konterfei.training.plan import Phase, Plan, Schedule

OptimizerName = Literal["adabelief", "adam", "rmsprop"]

BYTES_A_PARAMETER = 84
"""Disk that a run takes: three checkpoints of four float32 each and one more while it is written, five snapshots."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One complete way to train."""

    about: str
    """Whom it is for, in one line."""
    model: str
    """Name in the table of models."""
    dims: Dims
    """Size of the networks."""
    face_type: FaceType
    """How much of the head the model sees and draws."""
    batch: int
    """Samples per person and step."""
    optimizer: OptimizerName
    """What turns gradients into updates."""
    schedule: Schedule
    """Learning rate over the run."""
    steps: int
    """Length of a run for which neither steps nor minutes are given."""
    usable_steps: int
    """A run of fewer steps is a preview and says so."""
    run_bytes: int
    """Disk that a run takes: BYTES_A_PARAMETER for each parameter of the model, previews, some room."""
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    """How far samples are moved and bent."""
    objectives: Objectives = field(default_factory=Objectives)
    """Losses, samples and updates."""
    phases: tuple[Phase, ...] = (Phase(),)
    """Parts of the run in which some of these differ."""
    patience: int = 8
    """A run for which neither steps nor minutes are given ends when so many validations in a row were no better."""

    @property
    def plan(self) -> Plan:
        """Objectives and phases."""
        return Plan(objectives=self.objectives, phases=self.phases)


GENTLE = AugmentSettings(rotation_deg=4.0, scale=0.05, shift=0.02, straight=1 / 3)
"""Placement about as loose as smoothed landmarks leave crops. SAEHD's (10 degrees, 15 %) was made for detectors that
jitter; in the one comparison made, it needed more than four times the training for the same likeness
(docs/training.md)."""

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        about="a recognisable face soonest: 96 px, for a laptop without a GPU and for first looks",
        model="df",
        dims=Dims(resolution=96, ae=128, encoder=32, decoder=24, mask=8, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=4,
        optimizer="adam",
        schedule=Schedule(rate=1e-3),
        steps=12_000,
        usable_steps=8_000,
        run_bytes=1_000_000_000,
        augment=GENTLE,
    ),
    "standard": Preset(
        about="the field's default: 128 px, liae-ud 256/64/64/22; needs a GPU of 6 GB, or days",
        model="liae",
        dims=Dims(resolution=128, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=8,
        optimizer="adabelief",
        schedule=Schedule(rate=5e-5, warmup=500, hold=0.8),
        steps=150_000,
        usable_steps=30_000,
        run_bytes=7_200_000_000,
    ),
    "quick96": Preset(
        about="DeepFaceLab's Quick96: 96 px, df-ud 128/64/64/16, no choices; a GPU of 4 GB, or hours",
        model="df",
        dims=Dims(resolution=96, ae=128, encoder=64, decoder=64, mask=16, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=4,
        optimizer="rmsprop",
        # The original's 2e-4 moves 30 % of the weights at each step (dfl-spec 7.9); this is the same mean step of all.
        # Update dropout is no stand-in: it swings the rate, which Quick96 does not.
        schedule=Schedule(rate=0.3 * 2e-4, warmup=500),
        steps=100_000,
        usable_steps=20_000,
        run_bytes=3_400_000_000,
        # "Every third step the last batch without its warp" (dfl-spec 7.4) is a third of the samples, here.
        augment=AugmentSettings(scale=0.05, flip=0.0, straight=1 / 3),
    ),
    "amp": Preset(
        about="a slider from dst to src at merge time: 224 px, amp 256/1024/64/64/22; a GPU of 12 GB, and days",
        model="amp",
        dims=Dims(
            resolution=224, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True, deep=True, inter=1024
        ),
        face_type=FaceType.WHOLE,
        batch=8,
        optimizer="adabelief",
        schedule=Schedule(rate=5e-5, warmup=500, hold=0.8),
        steps=300_000,
        usable_steps=60_000,
        run_bytes=8_800_000_000,
    ),
    "tiny": Preset(
        about="64 px and seconds a hundred steps: to try a command or a clip, not to show",
        model="df",
        dims=Dims(resolution=64, ae=32, encoder=8, decoder=8, mask=4, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=4,
        optimizer="adam",
        schedule=Schedule(rate=1e-3, warmup=20),
        steps=500,
        usable_steps=1_000_000,
        run_bytes=200_000_000,
    ),
}
"""Names to choose from with --preset."""


def preset(name: str) -> Preset:
    """The preset of that name. Raises UnknownNameError with the nearest names."""
    if name not in PRESETS:
        raise UnknownNameError("preset", name, PRESETS)
    return PRESETS[name]


def parse_architecture(text: str) -> tuple[str, frozenset[str]]:
    """Model and option letters of DeepFaceLab's notation: "liae-ud" -> ("liae", {"u", "d"}) (dfl-spec 7.2).

    "amp" takes none: it is always u, d and t (dfl-spec 7.5).

    Raises:
        ConfigError: a letter other than u, d, t, c, or letters after amp.
    """
    name, _, letters = text.partition("-")
    if name == "amp":
        if letters:
            raise ConfigError(f"--architecture {text}: amp takes no letters, it is always u, d and t. Write amp.")
        return name, frozenset("udt")
    if set(letters) - set("udtc"):
        raise ConfigError(
            f"--architecture {text}: after the hyphen only the letters u, d, t, c are known, "
            "for example liae-ud or df-udt."
        )
    return name, frozenset(letters)
