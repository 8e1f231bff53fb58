"""Where a face's crop lies in the frames, as texts that compositing programs read.

Corners are those of the crop's picture: its outermost pixels lie wholly inside. (`Crop.corners` is half a pixel off:
its outline goes from pixel centre 0.) Order: bottom left, bottom right, top right, top left, as in Nuke.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop

Array = NDArray[Any]

CORNERS: Final = ("bottom_left", "bottom_right", "top_right", "top_left")


@dataclass(frozen=True, eq=False)
class Key:
    """One frame of one face.

    Attributes:
        number: of the frame in file names and in compositing programs.
        index: of the frame in the plate, from 0.
        pts: when it is shown, seconds.
        corners: of the crop, px, origin at the frame's bottom left corner, y up. [4, 2]
        size: side of the crop, px.
    """

    number: int
    index: int
    pts: Fraction
    corners: Array
    size: int


def outline(crop: Crop, frame_height: int) -> Array:
    """The corners of the crop's picture in the frame: px, origin at the bottom left corner, y up. [4, 2] float64"""
    low, high = -0.5, crop.size - 0.5
    x, y = (crop.frame_from_crop @ np.array([[low, high], [high, high], [high, low], [low, low]])).T
    return np.stack([x + 0.5, frame_height - (y + 0.5)], axis=1)


def nuke(name: str, keys: Sequence[Key]) -> str:
    """A CornerPin2D of Nuke with a key on each frame, to be pasted or imported: it lays the crop onto the frame."""
    size = keys[0].size
    lines = ["CornerPin2D {", " inputs 0"]
    for place in range(4):
        curves = [
            " ".join(["curve", *(f"x{key.number} {float(key.corners[place, axis]):.6g}" for key in keys)])
            for axis in (0, 1)
        ]
        lines.append(f" to{place + 1} {{{{{curves[0]}}} {{{curves[1]}}}}}")
    for place, (x, y) in enumerate([(0, 0), (size, 0), (size, size), (0, size)]):
        lines.append(f" from{place + 1} {{{x} {y}}}")
    lines += [" black_outside true", f" name konterfei_{name}", f' label "{name}, crop {size} x {size}"', "}"]
    return "\n".join(lines) + "\n"


def table(keys: Sequence[Key], width: int, height: int) -> str:
    """Comma separated: px from the bottom left corner, then the same as fractions of the frame."""
    names = [f"{corner}_{axis}" for corner in CORNERS for axis in "xy"]
    lines = [",".join(["frame", "plate_index", "seconds", *names, *(f"{name}_fraction" for name in names)])]
    for key in keys:
        pixels, parts = key.corners.ravel(), (key.corners / [width, height]).ravel()
        told = [*(f"{value:.4f}" for value in pixels), *(f"{value:.8f}" for value in parts)]
        lines.append(",".join([str(key.number), str(key.index), f"{float(key.pts):.6f}", *told]))
    return "\n".join(lines) + "\n"


def after_effects(keys: Sequence[Key], width: int, height: int, fps: Fraction) -> str:
    """Keyframes of After Effects' Corner Pin effect, as it copies and pastes them: px from the top left, frames from 0.

    Tabs count. Frames are those of the plate.
    """
    lines = ["Adobe After Effects 8.0 Keyframe Data", ""]
    lines += [f"\tUnits Per Second\t{float(fps):.6g}", f"\tSource Width\t{width}", f"\tSource Height\t{height}"]
    lines += ["\tSource Pixel Aspect Ratio\t1", "\tComp Pixel Aspect Ratio\t1", ""]
    for place, corner, number in (
        (3, "Upper Left", 2),
        (2, "Upper Right", 3),
        (0, "Lower Left", 4),
        (1, "Lower Right", 5),
    ):
        lines += [f"Effects\tCorner Pin #1\t{corner} #{number}", "\tFrame\tX pixels\tY pixels\t"]
        for key in keys:
            x, y = key.corners[place]
            lines.append(f"\t{key.index}\t{x:.4f}\t{height - y:.4f}\t")
        lines.append("")
    return "\n".join([*lines, "", "End of Keyframe Data", ""])
