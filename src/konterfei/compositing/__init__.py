"""Compositing: swapped faces laid into frames. Pure functions; `stages.merge` and later the studio call them.

settings.py   what a person can choose
frame.py      one frame: cut, mask, colour, blend
colors.py     colour statistics along a track, without flicker
detail.py     sharpness and grain as the plate has them
enlarging.py  super resolution of drawn faces
"""

from konterfei.compositing.colors import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.detail import FaceDetail, match_detail, measure_detail, smooth_detail
from konterfei.compositing.enlarging import enlarge
from konterfei.compositing.frame import Swapped, cut_face, measure, merge_frame, prepare, touched
from konterfei.compositing.settings import MergeSettings

__all__ = [
    "FaceColors",
    "FaceDetail",
    "MergeSettings",
    "Swapped",
    "cut_face",
    "enlarge",
    "match_detail",
    "measure",
    "measure_detail",
    "merge_frame",
    "prepare",
    "reach_frames",
    "smooth_colors",
    "smooth_detail",
    "touched",
]
