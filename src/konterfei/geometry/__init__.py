"""Mathematics of faces: maps of the plane, landmarks, crops, poses. Numpy and OpenCV's pure functions.

Convention:
    Three spaces. *frame*: pixels of the video frame. *crop*: pixels of a square cut out of it. *unit*: the square
    [0, 1]^2 of the mean face. In all of them x goes right, y down, and pixel centres lie at integers. Maps are named
    `to_from` and composed with `@`: `crop_points = crop_from_frame @ frame_points`. Landmarks are float32 [68, 2]
    arrays. Angles are radians, positive clockwise on the screen.
"""

from konterfei.geometry.crop import Border, Crop, FaceType, Interpolation, Region, landmarks_box
from konterfei.geometry.face import Face
from konterfei.geometry.landmarks import (
    ALIGNED,
    INNER_LIP,
    JAW,
    LEFT_BROW,
    LEFT_EYE,
    MIRRORED,
    NOSE_BASE,
    NOSE_BRIDGE,
    NUM_POINTS,
    OUTER_LIP,
    RIGHT_BROW,
    RIGHT_EYE,
    TEMPLATE,
    beard_mask,
    expand_brows,
    eye_mask,
    hull_mask,
    mean_yaw,
    mirror,
    mouth_mask,
    smooth_hull_mask,
)
from konterfei.geometry.pose import Pose, head_pose, pose
from konterfei.geometry.recut import known_share, new_from_old, recut, resized
from konterfei.geometry.similarity import Similarity
from konterfei.geometry.tables import HEAD_68

__all__ = [
    "ALIGNED",
    "HEAD_68",
    "INNER_LIP",
    "JAW",
    "LEFT_BROW",
    "LEFT_EYE",
    "MIRRORED",
    "NOSE_BASE",
    "NOSE_BRIDGE",
    "NUM_POINTS",
    "OUTER_LIP",
    "RIGHT_BROW",
    "RIGHT_EYE",
    "TEMPLATE",
    "Border",
    "Crop",
    "Face",
    "FaceType",
    "Interpolation",
    "Pose",
    "Region",
    "Similarity",
    "beard_mask",
    "expand_brows",
    "eye_mask",
    "head_pose",
    "hull_mask",
    "known_share",
    "landmarks_box",
    "mean_yaw",
    "mirror",
    "mouth_mask",
    "new_from_old",
    "pose",
    "recut",
    "resized",
    "smooth_hull_mask",
]
