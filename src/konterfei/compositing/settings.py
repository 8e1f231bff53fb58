"""How a swapped face is laid into its frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.enhancers import ENHANCERS
from konterfei.errors import ConfigError, UnknownNameError
from konterfei.maskers import MASKERS

Blend = Literal["multiband", "alpha"]
_RANGES: Final = {
    "erode": (-0.2, 0.4),
    "feather": (0.0, 0.5),
    "face_scale": (0.5, 1.5),
    "sharpen": (0.0, 3.0),
    "color_smoothing": (0.0, 5.0),
    "detail": (0.0, 1.0),
    "grain": (0.0, 1.0),
    "enhance": (0.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class MergeSettings:
    """Mask, colour and size of the swapped face."""

    mask: Annotated[str, MASKERS] = "learned_hull"
    """What counts as face: the model's own mask, the hull of the landmarks, both, or the whole crop."""
    color: Annotated[str, COLOR_TRANSFERS] = "rct"
    """Colour transfer from the plate's face to the swapped face."""
    erode: float = 0.0
    """How far the mask's edge is drawn inwards, as a fraction of the crop side (negative: pushed outwards)."""
    feather: float = 0.04
    """Width of the soft edge, inside the mask, as a fraction of the crop side (0 = hard). Wide edges fade the brows."""
    blend: Blend = "multiband"
    """How the edge is hidden: multiband also evens out broad differences of light around it, alpha only fades."""
    face_scale: float = 1.0
    """Size of the pasted face (1.05 = five percent larger than the model drew it)."""
    sharpen: float = 0.0
    """Unsharp masking of the swapped face before it is pasted (0 = none, 1 = strong)."""
    color_smoothing: float = 0.15
    """Standard deviation, in seconds, of the window that contrast and sharpness are averaged over (0 = each frame
    alone)."""
    detail: float = 1.0
    """How far the face is made as sharp or as soft as the plate's, measured (0 = as the model drew it, 1 = wholly)."""
    grain: float = 1.0
    """How much of the plate's grain, measured, the skin is given where it has less (0 = none, 1 = as much)."""
    enhancer: Annotated[str, ENHANCERS] = "none"
    """Super resolution: what enlarges a face that is larger in the frame than the model draws it."""
    enhance: float = 1.0
    """How much of the enlarged face is mixed in (0 = none, 1 = it alone)."""

    def __post_init__(self) -> None:
        MASKERS[self.mask]  # these raise UnknownNameError with the nearest names
        COLOR_TRANSFERS[self.color]
        ENHANCERS[self.enhancer]
        if self.blend not in get_args(Blend):
            raise UnknownNameError("blend", self.blend, get_args(Blend))
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                flag = "--" + name.replace("_", "-")
                raise ConfigError(f"{flag} is {value:g}; it goes from {low:g} to {high:g}.")
