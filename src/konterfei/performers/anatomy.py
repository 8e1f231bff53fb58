"""Which of the 478 points of the face mesh are what. Numbers of MediaPipe's canonical face model (Apache-2.0)."""

from __future__ import annotations

# fmt: off
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
"""Outline of the face, clockwise in the image from the top of the forehead."""

INNER_LIPS_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
"""Lower edge of the upper lip, corner to corner, image-left first."""
INNER_LIPS_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""Upper edge of the lower lip, corner to corner, image-left first."""
LOWER_LIP = (
    INNER_LIPS_LOWER,
    (62, 96, 89, 179, 86, 15, 316, 403, 319, 325, 292),
    (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
"""Rows of the lower lip from its inner to its outer edge, corner to corner, image-left first."""
OUTER_LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
"""Outline of the lips."""
AROUND_LIPS = (57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287, 273, 335, 406, 313, 18, 83, 182, 106, 43)
"""First row of skin around the lips, clockwise in the image from the image-left corner."""

UPPER_LID = ((33, 246, 161, 160, 159, 158, 157, 173, 133), (362, 398, 384, 385, 386, 387, 388, 466, 263))
"""Edge of the upper lid, corner to corner from image-left, for the image-left and the image-right eye."""
LOWER_LID = ((33, 7, 163, 144, 145, 153, 154, 155, 133), (362, 382, 381, 380, 374, 373, 390, 249, 263))
"""Edge of the lower lid, corner to corner from image-left."""
UPPER_FOLD = ((247, 30, 29, 27, 28, 56, 190), (414, 286, 258, 257, 259, 260, 467))
"""First row of points above the upper lid."""
LOWER_FOLD = ((25, 110, 24, 23, 22, 26, 112), (341, 256, 252, 253, 254, 339, 255))
"""First row of points below the lower lid."""
IRIS = ((468, 469, 470, 471, 472), (473, 474, 475, 476, 477))
"""Middle of the iris and four points of its rim."""

RIGID = (10, 151, 9, 8, 168, 6, 197, 33, 133, 362, 263, 127, 356, 234, 454, 162, 389, 21, 251, 54, 284, 103, 332)
"""Points that no expression moves much: forehead, temples, nose bridge, corners of the eyes."""

NUM_SKIN = 468
"""Points of the skin; the rest are the irises."""
# fmt: on
