"""DeepFaceLab's merger settings, by its names, in its units (dfl-spec 8.3)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Final

from konterfei.errors import ConfigError, UnknownNameError

MODES: Final = ("original", "overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb", "raw-predict")
MASK_MODES: Final = (
    "full", "dst", "learned-prd", "learned-dst", "learned-prd*learned-dst", "learned-prd+learned-dst", "XSeg-prd",
    "XSeg-dst", "XSeg-prd*XSeg-dst", "learned-prd*learned-dst*XSeg-prd*XSeg-dst",
)  # fmt: skip
SHARPEN_MODES: Final = ("none", "box", "gaussian")
TRANSFERS: Final = ("none", "rct", "lct", "mkl", "mkl-m", "idt", "idt-m", "sot-m", "mix-m")
DEFAULTS: Final = "defaults"

_RANGES: Final = {
    "hist_match_threshold": (0, 255),
    "mask_mode": (0, len(MASK_MODES) - 1),
    "erode_mask_modifier": (-400, 400),
    "blur_mask_modifier": (0, 400),
    "motion_blur_power": (0, 100),
    "super_resolution_power": (0, 100),
    "blursharpen_amount": (-100, 100),
    "output_face_scale": (-50, 50),
    "image_denoise_power": (0, 500),
    "bicubic_degrade_power": (0, 100),
    "color_degrade_power": (0, 100),
}
_CHOICES: Final = {"mode": MODES, "sharpen_mode": SHARPEN_MODES, "color_transfer_mode": TRANSFERS}


@dataclass(frozen=True, kw_only=True)
class DflSettings:
    """The settings of a frame in DeepFaceLab's merger, with the defaults of its interactive mode."""

    mode: str = "overlay"
    """One of `MODES`, or its number there."""
    masked_hist_match: bool = True
    """Whether what the mask leaves out is painted white before histograms are matched."""
    hist_match_threshold: int = 238
    """0 to 255; below 255 the brightest part of the reference is not reached."""
    mask_mode: int = 4
    """Index in `MASK_MODES`."""
    erode_mask_modifier: int = 0
    """Diameter, in pixels of a grid four times as fine as the model's; negative dilates."""
    blur_mask_modifier: int = 0
    """Kernel, in the same pixels."""
    motion_blur_power: int = 0
    """Per cent of the way from the frame before to the frame after."""
    super_resolution_power: int = 0
    """Per cent of the enhancer's picture; needs an enhancer."""
    blursharpen_amount: int = 0
    """Above 0 sharpens, where `sharpen_mode` is not none; below 0 blurs."""
    sharpen_mode: str = "none"
    """One of `SHARPEN_MODES`, or its number there."""
    output_face_scale: int = 0
    """Per cent; positive makes the pasted face smaller."""
    color_transfer_mode: str = "rct"
    """One of `TRANSFERS`, or its number there."""
    image_denoise_power: int = 0
    """Medians of the whole frame, a hundredth each."""
    bicubic_degrade_power: int = 0
    """Per cent (of 101) of the whole frame's resolution that is lost."""
    color_degrade_power: int = 0
    """Per cent of the way to a palette of 256 colours."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise UnknownNameError(f"DeepFaceLab {name}", str(getattr(self, name)), choices)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise ConfigError(f"--dfl-exact: {name} is {value}; it goes from {low} to {high}.")

    @classmethod
    def parse(cls, text: str) -> DflSettings:
        """The settings of a line: "mode=seamless, erode_mask_modifier=20"; of those not named, the defaults.

        Raises:
            ConfigError: a pair or a number that cannot be read, or out of range.
            UnknownNameError: a setting or choice that there is not; names the nearest.
        """
        given: dict[str, Any] = {}
        known = {field.name: field.default for field in fields(cls)}
        for pair in (part.strip() for part in text.split(",") if part.strip() not in ("", DEFAULTS)):
            name, equals, value = (part.strip() for part in pair.partition("="))
            if not equals:
                raise ConfigError(f"--dfl-exact: '{pair}' is no name=value. For example: mode=seamless, mask_mode=4")
            if name not in known:
                raise UnknownNameError("DeepFaceLab setting", name, known)
            given[name] = _read(name, value, known[name])
        return replace(cls(), **given)

    @property
    def needs_segmenter(self) -> bool:
        """Whether the mask is made with XSeg."""
        return self.mask_mode >= 6

    @property
    def is_raw(self) -> bool:
        """Whether the face is handed on as the model drew it."""
        return self.mode.startswith("raw")


def _read(name: str, value: str, default: object) -> str | int | bool:
    if isinstance(default, str):
        choices = _CHOICES[name]
        return choices[int(value)] if len(value) < 3 and value.isdecimal() and int(value) < len(choices) else value
    if isinstance(default, bool):
        if value.lower() not in ("yes", "no", "true", "false", "1", "0"):
            raise ConfigError(f"--dfl-exact: {name} is '{value}'; it is yes or no.")
        return value.lower() in ("yes", "true", "1")
    try:
        return int(value)
    except ValueError:
        if name == "mask_mode" and value in MASK_MODES:
            return MASK_MODES.index(value)
        raise ConfigError(f"--dfl-exact: {name} is '{value}'; it is a whole number.") from None
