"""Compositing: swapped faces laid into frames. Pure functions; `stages.merge` and later the studio call them.

settings.py   what a person can choose
frame.py      one frame: cut, mask, colour, blend
colors.py     colour statistics along a track, without flicker
"""

from konterfei.compositing.colors import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.frame import Layer, Merged, Swapped, cut_face, merge_frame, merge_layers, prepare, touched
from konterfei.compositing.settings import MergeSettings

__all__ = [
    "FaceColors",
    "Layer",
    "MergeSettings",
    "Merged",
    "Swapped",
    "cut_face",
    "merge_frame",
    "merge_layers",
    "prepare",
    "reach_frames",
    "smooth_colors",
    "touched",
]
