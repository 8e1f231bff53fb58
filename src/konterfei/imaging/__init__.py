"""Arithmetic of pixels: kinds and colour spaces, filters, blends. Pure functions of numpy, OpenCV, SciPy
and Pillow, no files.

Convention:
    Images are RGB [H, W, 3]: uint8 or uint16 at the edges, float32 in [0, 1] (sRGB) in between. Masks are float32
    [H, W] in [0, 1], 1 = face. No function changes its arguments.
"""

from konterfei.imaging.blend import alpha_blend, laplacian_blend, support
from konterfei.imaging.degrade import coarsen, few_colors, median_smooth, motion_blur
from konterfei.imaging.difference import delta_e_2000
from konterfei.imaging.filters import dilate, erode, feather, gaussian, sharpen, sharpness
from konterfei.imaging.matching import match_histogram, membrane
from konterfei.imaging.pixels import lab_to_rgb, resize, rgb_to_lab, to_float, to_kind, to_uint8
from konterfei.imaging.sdr import SdrLook, sdr_look

__all__ = [
    "SdrLook",
    "alpha_blend",
    "coarsen",
    "delta_e_2000",
    "dilate",
    "erode",
    "feather",
    "few_colors",
    "gaussian",
    "lab_to_rgb",
    "laplacian_blend",
    "match_histogram",
    "median_smooth",
    "membrane",
    "motion_blur",
    "resize",
    "rgb_to_lab",
    "sdr_look",
    "sharpen",
    "sharpness",
    "support",
    "to_float",
    "to_kind",
    "to_uint8",
]
