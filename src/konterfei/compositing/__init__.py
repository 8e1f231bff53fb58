"""Compositing: swapped faces laid into frames. Pure functions; `stages.merge` and later the studio call them.

settings.py   what a person can choose
frame.py      one frame: cut, mask, colour, mode
placing.py    crops at other sizes, and as they lie in the frame
colors.py     colour statistics along a track, without flicker
keys.py       settings that change over frames, and from face to face (a merge.toml: keys_file.py, layers.py)
"""

from konterfei.compositing.colors import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.frame import (
    Layer,
    Merged,
    Segmenter,
    Swapped,
    cut_face,
    merge_frame,
    merge_layers,
    prepare,
    segment,
    touched,
    untouched,
)
from konterfei.compositing.keys import Keys
from konterfei.compositing.settings import MergeSettings

__all__ = [
    "FaceColors",
    "Keys",
    "Layer",
    "MergeSettings",
    "Merged",
    "Segmenter",
    "Swapped",
    "cut_face",
    "merge_frame",
    "merge_layers",
    "prepare",
    "reach_frames",
    "segment",
    "smooth_colors",
    "touched",
    "untouched",
]
