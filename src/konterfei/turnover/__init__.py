"""What a compositor gets of a merge: layers as OpenEXR, where each face lies, how to use it, and what it is.

layers.py    one frame: its layers, and each face's crop, as linear light
corners.py   where the crops lie, as tables that compositing programs read
package.py   the folder: frames, crops, transforms, marking, signature; and its check
readme.py    the words for a person
"""

from konterfei.turnover.corners import Key, after_effects, nuke, outline, table
from konterfei.turnover.layers import crop_exr, face_names, frame_exr
from konterfei.turnover.package import PackagePart, PackageSettings, assemble, folder_sha256, is_package, verify_package

__all__ = [
    "Key",
    "PackagePart",
    "PackageSettings",
    "after_effects",
    "assemble",
    "crop_exr",
    "face_names",
    "folder_sha256",
    "frame_exr",
    "is_package",
    "nuke",
    "outline",
    "table",
    "verify_package",
]
