"""Presets: complete settings of a training, by what a person has (a CPU, a GPU of so much memory) and wants.

That each fits into the memory that it is for is tested with the prediction of `training.memory`.
"""

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
Intent = Literal["trial", "quick look", "standard", "close-up"]

BYTES_A_PARAMETER = 92
"""Disk that a run takes: three checkpoints of four float32 each and one more while it is written, five snapshots, the
best weights and others while they are written. Faces that do not fit into memory ask for theirs by themselves."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One complete way to train."""

    about: str
    """Whom it is for and why it is as it is, in one line."""
    intent: Intent
    """What the result is for."""
    memory_gb: int
    """Memory of the GPU that it is made for, into which it is predicted to fit with a GAN and in fp32; 0 = a CPU."""
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
    sooner: int = 1
    """Begun with a base, it is none after so many times fewer steps, where that was measured (docs/benchmarks.md)."""
    run_bytes: int
    """Disk that a run takes: BYTES_A_PARAMETER for each parameter of the model, previews, some room."""
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    """How far samples are moved and bent."""
    objectives: Objectives = field(default_factory=Objectives)
    """Losses, samples and updates."""
    phases: tuple[Phase, ...] = (Phase(),)
    """Parts of the run in which some of these differ. What a person chose holds in all of them."""
    patience: int = 8
    """A run for which neither steps nor minutes are given ends when so many validations in a row were no better."""

    sizes_from: str = ""
    """Run that model, dims and face type were taken over from; "" = they are the preset's, or were asked for."""

    @property
    def plan(self) -> Plan:
        """Objectives and phases."""
        return Plan(objectives=self.objectives, phases=self.phases)


GENTLE = AugmentSettings(rotation_deg=4.0, scale=0.05, shift=0.02, straight=1 / 3)
"""Placement about as loose as smoothed landmarks leave crops. SAEHD's (10 degrees, 15 %) was made for detectors that
jitter; in the one comparison made, it needed more than four times the training for the same likeness
(docs/training.md)."""


DISGUISED = Objectives(disguise=0.5)
"""Measured with `quick` (docs/benchmarks.md): mouths lie as src's do, after three minutes already."""


def _straight_at_the_end(schedule: Schedule) -> tuple[Phase, ...]:
    """What is done by hand in the field: bent samples for likeness, and straight ones, while the rate falls, for
    sharpness. With `quick` that made faces a fifth sharper (docs/benchmarks.md). GAN and styles stay a matter of taste
    and of looking.
    """
    return (Phase(name="likeness", share=schedule.hold), Phase(name="sharpen", changes={"random_warp": False}))


_LONG = Schedule(rate=5e-5, warmup=500, hold=0.8)
_QUICK = Schedule(rate=1e-3)
_CPU = Schedule(rate=3e-4, warmup=500)

PRESETS: dict[str, Preset] = {
    "quick": Preset(
        about="a recognisable face soonest: 96 px, for a laptop without a GPU and for first looks",
        intent="quick look",
        memory_gb=0,
        model="df",
        dims=Dims(resolution=96, ae=128, encoder=32, decoder=24, mask=8, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=4,
        optimizer="adam",
        schedule=_QUICK,
        phases=_straight_at_the_end(_QUICK),
        steps=12_000,
        usable_steps=8_000,
        sooner=8,
        run_bytes=1_100_000_000,
        augment=GENTLE,
        objectives=DISGUISED,
    ),
    "standard": Preset(
        about="the field's default: 128 px, liae-ud 256/64/64/22; needs a GPU of 6 GB, or days",
        intent="standard",
        memory_gb=6,
        model="liae",
        dims=Dims(resolution=128, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=150_000,
        usable_steps=30_000,
        run_bytes=7_900_000_000,
    ),
    "quick96": Preset(
        about="DeepFaceLab's Quick96: 96 px, df-ud 128/64/64/16, no choices; a GPU of 4 GB, or hours",
        intent="quick look",
        memory_gb=4,
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
        run_bytes=3_800_000_000,
        # "Every third step the last batch without its warp" (dfl-spec 7.4) is a third of the samples, here.
        augment=AugmentSettings(scale=0.05, flip=0.0, straight=1 / 3),
    ),
    "amp": Preset(
        about="a slider from dst to src at merge time: 224 px, amp 256/1024/64/64/22; a GPU of 12 GB, and days",
        intent="standard",
        memory_gb=12,
        model="amp",
        dims=Dims(
            resolution=224, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True, deep=True, inter=1024
        ),
        face_type=FaceType.WHOLE,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=300_000,
        usable_steps=60_000,
        run_bytes=9_700_000_000,
    ),
    "cpu": Preset(
        about="larger faces without a GPU, over nights: 128 px, df-ud at half the usual widths, placed gently",
        intent="standard",
        memory_gb=0,
        model="df",
        dims=Dims(resolution=128, ae=192, encoder=40, decoder=32, mask=12, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=6,
        optimizer="adam",
        schedule=_CPU,
        phases=_straight_at_the_end(_CPU),
        steps=60_000,
        usable_steps=15_000,
        run_bytes=2_000_000_000,
        augment=GENTLE,
        objectives=DISGUISED,
    ),
    "6gb-closeup": Preset(
        about="larger faces on 6 GB: 160 px, liae-ud 256/64/64/22, half again as many pixels as standard",
        intent="close-up",
        memory_gb=6,
        model="liae",
        dims=Dims(resolution=160, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True),
        face_type=FaceType.FULL,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=200_000,
        usable_steps=40_000,
        run_bytes=9_100_000_000,
    ),
    "8gb": Preset(
        about="a size between: 192 px, liae-ud 256/64/64/22, whole face, so that foreheads can be cut freely",
        intent="standard",
        memory_gb=8,
        model="liae",
        dims=Dims(resolution=192, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True),
        face_type=FaceType.WHOLE,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=250_000,
        usable_steps=50_000,
        run_bytes=10_400_000_000,
    ),
    "8gb-closeup": Preset(
        about="sharper on 8 GB: 224 px of the full face rather than the whole, df-udt, which holds on to src best",
        intent="close-up",
        memory_gb=8,
        model="df",
        dims=Dims(resolution=224, ae=256, encoder=64, decoder=64, mask=22, unit=True, double=True, deep=True),
        face_type=FaceType.FULL,
        batch=6,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=300_000,
        usable_steps=60_000,
        run_bytes=9_100_000_000,
    ),
    "12gb": Preset(
        about="the recipe of DeepFaceLive's models: 224 px whole face, liae-udt 512/64/64/32, batch 8",
        intent="standard",
        memory_gb=12,
        model="liae",
        dims=Dims(resolution=224, ae=512, encoder=64, decoder=64, mask=32, unit=True, double=True, deep=True),
        face_type=FaceType.WHOLE,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=500_000,
        usable_steps=80_000,
        run_bytes=17_100_000_000,
    ),
    "12gb-closeup": Preset(
        about="256 px whole face on 12 GB: liae-udt 320/72/72/24, wider decoder, shorter code; two DSSIM windows",
        intent="close-up",
        memory_gb=12,
        model="liae",
        dims=Dims(resolution=256, ae=320, encoder=72, decoder=72, mask=24, unit=True, double=True, deep=True),
        face_type=FaceType.WHOLE,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=500_000,
        usable_steps=80_000,
        run_bytes=13_400_000_000,
    ),
    "24gb": Preset(
        about="256 px whole face with room: liae-udt 512/80/80/32, and 12 samples a step for calmer gradients",
        intent="standard",
        memory_gb=24,
        model="liae",
        dims=Dims(resolution=256, ae=512, encoder=80, decoder=80, mask=32, unit=True, double=True, deep=True),
        face_type=FaceType.WHOLE,
        batch=12,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=500_000,
        usable_steps=80_000,
        run_bytes=23_200_000_000,
    ),
    "24gb-closeup": Preset(
        about="for faces that fill the frame: 320 px whole face, liae-udt 512/80/80/32, batch 8",
        intent="close-up",
        memory_gb=24,
        model="liae",
        dims=Dims(resolution=320, ae=512, encoder=80, decoder=80, mask=32, unit=True, double=True, deep=True),
        face_type=FaceType.WHOLE,
        batch=8,
        optimizer="adabelief",
        schedule=_LONG,
        phases=_straight_at_the_end(_LONG),
        steps=600_000,
        usable_steps=100_000,
        run_bytes=28_900_000_000,
    ),
    "tiny": Preset(
        about="64 px and seconds a hundred steps: to try a command or a clip, not to show",
        intent="trial",
        memory_gb=0,
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
