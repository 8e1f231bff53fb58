"""Compositing: swapped faces laid into frames. Pure functions; `stages.merge` and later the studio call them.

settings.py   what a person can choose
dfl_exact.py  one frame as DeepFaceLab merges it; dfl_settings.py, dfl_colors.py: its settings, its colour transfers
faces.py      what is known of a face on its way
frame.py      one frame: cut, mask, colour, mode
placing.py    crops at other sizes, and as they lie in the frame
motion.py     how a face moves
occlusion.py  what lies in front of it
colors.py     colour statistics along a track, without flicker
detail.py     sharpness and grain as the plate has them
enlarging.py  super resolution of drawn faces
steadying.py  drawn faces and masks along a track, without shimmer
keys.py       settings that change over frames, and from face to face (a merge.toml: keys_file.py, layers.py)
"""

from konterfei.compositing.colors import FaceColors, reach_frames, smooth_colors
from konterfei.compositing.detail import FaceDetail, match_detail, measure_detail, smooth_detail
from konterfei.compositing.dfl_settings import DflSettings
from konterfei.compositing.enlarging import enlarge
from konterfei.compositing.faces import Layer, Merged, Segmenter, Swapped, cut_face, label_mask, segment
from konterfei.compositing.frame import blend_mask, measure, merge_frame, merge_layers, prepare, touched, untouched
from konterfei.compositing.keys import Keys
from konterfei.compositing.motion import motion_of
from konterfei.compositing.occlusion import close_gaps, uncover
from konterfei.compositing.settings import MergeSettings
from konterfei.compositing.steadying import STEADY_REACH, smooth_along, steady_face

__all__ = [
    "STEADY_REACH",
    "DflSettings",
    "FaceColors",
    "FaceDetail",
    "Keys",
    "Layer",
    "MergeSettings",
    "Merged",
    "Segmenter",
    "Swapped",
    "blend_mask",
    "close_gaps",
    "cut_face",
    "enlarge",
    "label_mask",
    "match_detail",
    "measure",
    "measure_detail",
    "merge_frame",
    "merge_layers",
    "motion_of",
    "prepare",
    "reach_frames",
    "segment",
    "smooth_along",
    "smooth_colors",
    "smooth_detail",
    "steady_face",
    "touched",
    "uncover",
    "untouched",
]
