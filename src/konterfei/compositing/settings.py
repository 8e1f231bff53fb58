"""How a swapped face is laid into its frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar, Final, Literal, get_args

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.compositing.dfl_settings import DflSettings
from konterfei.enhancers import ENHANCERS
from konterfei.errors import ConfigError, UnknownNameError
from konterfei.maskers import MASKERS
from konterfei.merge_modes import MERGE_MODES
from konterfei.occluders import OCCLUDERS

Sharpener = Literal["gaussian", "box"]
_RANGES: Final = {
    "erode": (-0.2, 0.4),
    "feather": (0.0, 0.5),
    "face_scale": (0.5, 2.0),
    "sharpen": (-10.0, 10.0),
    "motion_blur": (0.0, 2.0),
    "match_upto": (0.01, 1.0),
    "plate_denoise": (0.0, 50.0),
    "plate_resolution": (0.01, 1.0),
    "palette": (0.0, 1.0),
    "color_smoothing": (0.0, 5.0),
    "detail": (0.0, 1.0),
    "grain": (0.0, 1.0),
    "enhance": (0.0, 1.0),
    "steady": (0.0, 3.0),
}


@dataclass(frozen=True, kw_only=True)
class MergeSettings:
    """Mode, mask, colour and filters of the swapped face. DeepFaceLab's name of each setting stands in brackets."""

    heading: ClassVar[str] = "How the face is laid in (in brackets: what DeepFaceLab calls it)"

    mode: Annotated[str, MERGE_MODES] = "multiband"
    """How the face is laid into the frame. raw-predict makes the model's own square the picture [mode]."""
    mask: Annotated[str, MASKERS] = "visible"
    """What counts as face: what is visible of it; the model's masks, the hull of the landmarks, a segmenter's masks
    (--segmenter), products of them, or the whole crop [mask_mode]."""
    color: Annotated[str, COLOR_TRANSFERS] = "rct"
    """Colour transfer from the plate's face to the swapped face [color_transfer_mode; -m is always on]."""
    erode: float = 0.0
    """How far the mask's edge is drawn inwards, as a fraction of the crop side, negative: pushed outwards
    [erode_mask_modifier: a diameter in quarters of a model pixel]."""
    feather: float = 0.04
    """Width of the soft edge, inside the mask, as a fraction of the crop side (0 = hard). Wide edges fade the brows
    [blur_mask_modifier]."""
    face_scale: float = 1.0
    """Size of the pasted face, 1.05 = five percent larger than the model drew it [output_face_scale: the other way
    round, +5 is 1 / 1.05]."""
    sharpen: float = 0.0
    """Unsharp masking of the swapped face before it is pasted, 0 = none, 1 = strong; negative blurs it: -1 = one median
    over 5 pixels of the model [blursharpen_amount: 10 is about 5 here, -10 is -1]."""
    sharpen_mode: Sharpener = "gaussian"
    """What the face is sharpened against: its blur by a Gaussian of 1 pixel, or by a box of 3, which is harsher
    [sharpen_mode]."""
    motion_blur: float = 0.0
    """How long the shutter is open for the swapped face, in frames, by the motion of the track: 0 = as drawn, 0.5 = a
    film camera's 180 degrees, 2 = from the frame before to the one after [motion_blur_power 0 to 100]."""
    match_upto: float = 0.93
    """Modes with hist-match: the part of the plate's histogram, from dark to light, that is used; below 1
    highlights are kept out of the face [hist_match_threshold / 255]."""
    match_masked: bool = True
    """Modes with hist-match: whether only what the mask covers counts, or the whole crop [masked_hist_match]."""
    plate_denoise: float = 0.0
    """How often the plate under the mask's soft edge is smoothed by a median over 5 pixels, so that it goes with a soft
    face [image_denoise_power: 100 is about 5, and it smooths the whole frame]."""
    plate_resolution: float = 1.0
    """Resolution that the plate under the mask's soft edge is brought down to, 0.5 = half, 1 = as it is
    [bicubic_degrade_power: 1 - its value / 101, for the whole frame]."""
    palette: float = 0.0
    """How far the colours of what is pasted are reduced to 256, 0 = not, 1 = wholly [color_degrade_power / 100, for the
    whole frame]."""
    color_smoothing: float = 0.15
    """Standard deviation, in seconds, of the window that contrast and sharpness are averaged over (0 = each frame
    alone)."""
    detail: float = 1.0
    """How far the face is made as sharp or as soft as the plate's, measured: 0 = as the model drew it, 1 = wholly. Left
    out where --sharpen or --motion-blur do it by hand."""
    grain: float = 1.0
    """How much of the plate's grain, measured, the skin is given where it has less, 0 = none, 1 = as much."""
    enhancer: Annotated[str, ENHANCERS] = "none"
    """Super resolution: what enlarges a face that is larger in the frame than the model draws it."""
    enhance: float = 1.0
    """How much of the enlarged face is mixed in, 0 = none, 1 = it alone [super_resolution_power / 100]."""
    steady: float = 1.0
    """How much of what changes in the drawn face and its masks from frame to frame, and not on the plate, is taken for
    shimmer: 0 = nothing, each frame stays as drawn, 1 = what is likely noise, 3 = fine expression too."""
    dfl_exact: str | None = None
    """Do what DeepFaceLab's merger does, with its quirks, for shots that must match old ones: its own settings as
    "name=value, name=value", the others at its defaults ("defaults" = all of them). Those above are then not used."""

    def __post_init__(self) -> None:
        MERGE_MODES[self.mode]  # these raise UnknownNameError with the nearest names
        MASKERS[self.mask]
        COLOR_TRANSFERS[self.color]
        ENHANCERS[self.enhancer]
        if self.sharpen_mode not in get_args(Sharpener):
            raise UnknownNameError("sharpen mode", self.sharpen_mode, get_args(Sharpener))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                flag = "--" + name.replace("_", "-")
                raise ConfigError(f"{flag} is {value:g}; it goes from {low:g} to {high:g}.")
        if self.dfl is not None and self.dfl.super_resolution_power:
            raise ConfigError("--dfl-exact: super_resolution_power needs DeepFaceLab's own enhancer. Set it to 0.")

    @property
    def dfl(self) -> DflSettings | None:
        """DeepFaceLab's settings, where its merger is to be followed to the letter."""
        return None if self.dfl_exact is None else DflSettings.parse(self.dfl_exact)

    @property
    def needs_segmenter(self) -> bool:
        """Whether a segmenter has to look at the faces."""
        if self.dfl is not None:
            return self.dfl.needs_segmenter
        return bool(MASKERS.load(self.mask).needs_segmenter)

    @property
    def needs_labels(self) -> bool:
        """Whether the masks that were drawn onto the faces' crops have to be known."""
        return self.dfl is None and "labels" in MASKERS.load(self.mask).needs

    @property
    def occluders(self) -> tuple[str, ...]:
        """What has to be looked for in front of the faces, by the names of `OCCLUDERS`."""
        return () if self.dfl is not None else tuple(n for n in MASKERS.load(self.mask).needs if n in OCCLUDERS)

    @property
    def needs_motion(self) -> bool:
        """Whether it has to be known how faces move."""
        return bool(self.motion_blur if self.dfl is None else self.dfl.motion_blur_power)

    @property
    def matches_detail(self) -> bool:
        """Whether sharpness or grain are brought to the plate's."""
        if self.dfl is not None or self.is_original or MERGE_MODES.load(self.mode).is_raw:
            return False
        return self.detail > 0 or self.grain > 0

    @property
    def enlarges(self) -> bool:
        """Whether an enhancer has to look at the faces."""
        if self.dfl is not None or self.is_original or self.is_square:
            return False
        return self.enhancer != "none" and self.enhance > 0

    @property
    def worsens_plate(self) -> bool:
        """Whether the plate under the mask's edge is smoothed or made coarser."""
        return self.dfl is None and (self.plate_denoise > 0 or self.plate_resolution < 1.0)

    @property
    def is_original(self) -> bool:
        """Whether the plate stays as it is."""
        return (self.mode if self.dfl is None else self.dfl.mode) == "original"

    @property
    def is_square(self) -> bool:
        """Whether the picture is the model's own square instead of the plate's frame."""
        mode = self.mode if self.dfl is None else self.dfl.mode
        return mode == "raw-predict"
