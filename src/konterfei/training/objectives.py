"""What a training rewards, and what it shows: the choices of dfl-spec 7.3, without torch.

Defaults are the original's. What each is good for stands in docs/training.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, get_args

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.errors import ConfigError, UnknownNameError

UpdateDropout = Literal["no", "yes", "cpu"]

_RANGES: Final = {
    "face_style_power": (0, 100),
    "bg_style_power": (0, 100),
    "true_face_power": (0, 1),
    "gan_power": (0, 5),
    "gan_patch_size": (3, 640),
    "gan_dims": (4, 512),
    "hsv_power": (0, 0.3),
    "disguise": (0, 1),
    "identity_power": (0, 100),
    "perceptual_power": (0, 100),
}


@dataclass(frozen=True, kw_only=True)
class Objectives:
    """Losses, samples and updates of a training."""

    masked_training: bool = True
    """Only the face counts, not what lies outside its blurred mask (dfl-spec 7.8.2)."""
    eyes_mouth: bool = False
    """300 x absolute error within eyes and mouth on top (7.8.2)."""
    blur_out_mask: bool = False
    """Targets are blurred outside the mask (7.8.1)."""
    face_style_power: float = 0.0
    """Swapped faces take on the colours of dst's: weight 0 to 100 (7.8.3)."""
    bg_style_power: float = 0.0
    """Swapped pictures take on dst's surroundings: weight 0 to 100 (7.8.3)."""
    true_face_power: float = 0.0
    """Codes of src are made to look like codes of dst: weight 0 to 1, df only (7.8.5)."""
    gan_power: float = 0.0
    """A network that judges src's faces pushes for detail: weight 0 to 5 (7.8.6)."""
    gan_patch_size: int | None = None
    """Side of the patches that it judges, px; None = an eighth of the resolution."""
    gan_dims: int = 16
    """Width of that network."""
    identity_power: float = 0.0
    """The recognizer is to see src in swapped faces: weight 0 to 100 (not in the original)."""
    perceptual_power: float = 0.0
    """A network that knows pictures is to find drawn faces alike: weight 0 to 100 (not in the original)."""
    random_warp: bool = True
    """Samples are bent; without, the network sees what it has to draw (7.10.3)."""
    flip_src: bool = False
    """src samples may be mirrored."""
    flip_dst: bool = True
    """dst samples may be mirrored."""
    hsv_power: float = 0.0
    """Hue, saturation and brightness of src's samples vary by this much, 0 to 0.3 (7.10.4)."""
    color_transfer: Annotated[str, COLOR_TRANSFERS] = "none"
    """src samples take on the colours of random dst faces (7.10.4)."""
    disguise: float = 0.0
    """Share of samples, 0 to 1, that are seen in the other person's texture and layout (not in the original)."""
    uniform_yaw: bool = False
    """Faces are dealt evenly over the head's turn, not over the faceset (7.10.2)."""
    lr_dropout: UpdateDropout = "no"
    """Each step changes a random 30 % of the weights, at a rate that swings over 500 steps (7.9); "cpu" draws there."""
    clip_grad: bool = False
    """Gradients longer than 1 are shortened to 1 (7.9)."""
    pretrain: bool = False
    """Learn faces in general, of many people; some of the above is then fixed (7.11)."""
    dfl_exact: bool = False
    """Keep the slips of the original where it matters that results are its own ([Q] of the specification)."""

    def __post_init__(self) -> None:
        COLOR_TRANSFERS[self.color_transfer]  # raises UnknownNameError with the nearest names
        if self.lr_dropout not in get_args(UpdateDropout):
            raise UnknownNameError("learning rate dropout", self.lr_dropout, get_args(UpdateDropout))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and low <= value <= high):
                raise ConfigError(f"--{name.replace('_', '-')} is {value:g}; allowed: {low:g} to {high:g}.")

    def in_force(self) -> Objectives:
        """These, with what pretraining fixes (dfl-spec 7.11), and without what the exact way knows nothing of."""
        if not self.pretrain:
            return replace(self, disguise=0.0) if self.dfl_exact and self.disguise else self
        # [Q] of 7.8.5: there, the model is still pushed by a judge of codes that itself does not learn.
        power = self.true_face_power if self.dfl_exact else 0.0
        return replace(self, **{**_PRETRAINING, "true_face_power": power})

    @property
    def is_judged(self) -> bool:
        """Whether a second network learns beside the model."""
        return bool(self.gan_power or self.true_face_power)

    def idle(self) -> list[str]:
        """Settings that differ from their default and have no effect beside the others, in words."""
        plain, found = Objectives(), []
        if self.pretrain:
            found = [n for n, fixed in _PRETRAINING.items() if getattr(self, n) not in (fixed, getattr(plain, n))]
        if not self.gan_power:
            found += [n for n in ("gan_patch_size", "gan_dims") if getattr(self, n) != getattr(plain, n)]
        if self.dfl_exact and self.disguise and "disguise" not in found:
            found.append("disguise")
        return [f"--{name.replace('_', '-')}" for name in found]


_PRETRAINING: Final[dict[str, Any]] = {
    "random_warp": False,
    "flip_src": True,
    "flip_dst": True,
    "gan_power": 0.0,
    "true_face_power": 0.0,
    "hsv_power": 0.0,
    "face_style_power": 0.0,
    "bg_style_power": 0.0,
    "identity_power": 0.0,
    "perceptual_power": 0.0,
    "lr_dropout": "no",
    "disguise": 0.0,
    "uniform_yaw": True,
    "color_transfer": "none",
}
