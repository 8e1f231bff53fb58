"""Compositing: swapped faces laid into frames. Pure functions; `stages.merge` and later the studio call them.

settings.py   what a person can choose
frame.py      one frame: cut, mask, colour, blend
colors.py     colour statistics along a track, without flicker
keys.py       settings that change over frames, and from face to face (a merge.toml: keys_file.py, layers.py)
"""

from konterfei.compositing.colors import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.frame import Swapped, cut_face, merge_frame, prepare, touched
from konterfei.compositing.keys import Keys
from konterfei.compositing.settings import MergeSettings

__all__ = [
    "FaceColors",
    "Keys",
    "MergeSettings",
    "Swapped",
    "cut_face",
    "merge_frame",
    "prepare",
    "reach_frames",
    "smooth_colors",
    "touched",
]
