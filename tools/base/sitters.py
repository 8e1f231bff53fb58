"""A portrait as somebody who can move: the performers' rig and drawing, with one portrait's face and eyes.

The expressions are those of a performer (a donor): how their points move is laid onto the portrait's mesh in space, and
what is seen between opened lips is theirs. The skin stays the portrait's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.geometry import Crop, FaceType
from konterfei.io.faceset import FaceRecord
from konterfei.landmarkers import Landmarked, Window
from konterfei.landmarkers.mesh478 import Mesh478, window_of_mesh
from konterfei.performers import anatomy
from konterfei.performers.cast import Performer, Pictures
from konterfei.performers.drawing import Artist
from konterfei.performers.eyes import HiddenEyeError
from konterfei.performers.measuring import Measured, measured
from konterfei.performers.motion import Pose
from konterfei.performers.plates import Plates, make_plates
from konterfei.performers.raster import signed_areas, smooth_step
from konterfei.performers.rig import Rig
from konterfei.performers.table import PERFORMERS

SIDE = 352
"""Side of a variant's frame in pixels: the crop of a whole face in it is about 280 pixels wide."""
_CUT, _CUT_SCALE = 576, 0.64
"""Side of what is cut from the portrait, and its scale as `Crop.fit` has it: the face as large as in the textures."""
OPEN_EYES = 0.20
"""Lids' distance over the eye's width from which on an eye is open."""
OPEN_MOUTH = 0.04
"""Lips' distance over that of the outer eye corners from which on a mouth is open."""
_FOLDS, _MOST_LIGHTER = 0.6, 0.03
"""How much of the donor's folds are drawn, and how much lighter they may make the skin: another face's highlights."""
_NEAR, _FAR = 0.45, 1.25
"""Eye distances from the face between which what is around it stays behind."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Sitter:
    """A portrait that can be posed.

    Attributes:
        artist: draws it.
        mouth_open: whether the portrait's mouth is; then `Pose.jaw` closes it instead of opening it.
    """

    artist: Artist
    mouth_open: bool

    def draw(self, pose: Pose) -> tuple[NDArray[np.uint8], Array]:
        """The picture, and the mesh's points in it: [SIDE, SIDE, 3], [468, 2]."""
        drawing = self.artist.draw(pose)
        return np.rint(np.clip(drawing.colour, 0, 1) * 255).astype(np.uint8), drawing.points

    def folded(self, pose: Pose) -> float:
        """Share of the face's area at rest whose triangles show their back in `pose`."""
        rig = self.artist.plates.rig
        skin = rig.triangles[(rig.triangles < anatomy.NUM_SKIN).all(axis=1)]
        at_rest, turn = signed_areas(rig.rest, skin), np.sign(signed_areas(rig.opened, skin))
        now = signed_areas(rig.place(rig.shape(pose), pose, SIDE), skin)
        return float(np.abs(at_rest[now * turn < -0.2]).sum() / np.abs(at_rest).sum())


def sit(picture: NDArray[np.uint8], record: FaceRecord, donor: str, landmarker: Mesh478) -> Sitter | None:
    """The portrait of `record` as a sitter; None where its eyes are not seen, so that nobody knows what they are like.

    Args:
        picture: the whole of it. [H, W, 3] uint8 RGB
        record: of the face.
        donor: name of a performer.
        landmarker: finds the mesh.
    """
    crop = Crop.fit(record.face.landmarks, FaceType.WHOLE, _CUT, scale=_CUT_SCALE)
    cut = crop.cut(picture)
    found = look(landmarker, cut, crop.crop_from_frame @ record.face.landmarks.astype(np.float64))
    mesh = np.asarray(found.mesh, np.float32)
    if min(openness(found.points)) < OPEN_EYES:
        return None
    theirs, performer = measured(donor), PERFORMERS.load(donor)
    source = Measured(
        pictures=Pictures(portrait=cut, expressions=theirs.pictures.expressions),
        portrait=mesh,
        expressions=theirs.expressions,
    )
    try:
        plates = make_plates(source, performer.open_mouth, SIDE, is_cut_out=False)
    except HiddenEyeError:
        return None
    gap = float(np.linalg.norm(mesh[14, :2] - mesh[13, :2]) / np.linalg.norm(mesh[263, :2] - mesh[33, :2]))
    return Sitter(_artist(plates, performer, gap > OPEN_MOUTH), gap > OPEN_MOUTH)


def _artist(plates: Plates, performer: Performer, mouth_open: bool) -> Artist:
    rig = plates.rig
    rig = replace(rig, headness=_headness(rig), moves=rig.moves | {"jaw": _closing(rig)} if mouth_open else rig.moves)
    folds = {channel: _FOLDS * np.minimum(fold, _MOST_LIGHTER) for channel, fold in plates.folds.items()}
    if mouth_open:  # it has a mouth's inside of its own
        folds = {channel: fold for channel, fold in folds.items() if channel != "jaw"}
        plates = replace(plates, cavities={})
    return Artist(replace(plates, rig=rig, folds=folds), SIDE, replace(performer.look, contrast=0.0))


def _headness(rig: Rig) -> Array:
    """The rig's, falling to nothing away from the face: surroundings do not turn with a head. [V]"""
    rim = rig.rest[list(anatomy.OVAL), :2]
    outer = rig.rest[anatomy.NUM_SKIN :, :2]
    away = np.sqrt(((outer[:, None] - rim) ** 2).sum(axis=-1).min(axis=1)) / rig.eye_distance
    out = rig.headness.copy()
    out[anatomy.NUM_SKIN :] *= smooth_step(away, _FAR, _NEAR)
    return out


def _closing(rig: Rig) -> Array:
    """What lifts jaw and lower lip until an open mouth is shut: the opening backwards. [V, 3]"""
    jaw = rig.moves["jaw"]
    upper, lower = list(anatomy.INNER_LIPS_UPPER), list(anatomy.INNER_LIPS_LOWER)
    gap, opening = (p[lower, 1][1:-1] - p[upper, 1][1:-1] for p in (rig.rest, jaw))
    move = -jaw * (gap.max() / max(opening.max(), 1e-3))
    move[lower[1:-1], 1] = -gap + move[upper[1:-1], 1]  # the lips meet all along
    return move.astype(np.float32)


def look(landmarker: Mesh478, image: NDArray[np.uint8], points: Array) -> Landmarked:
    """What the landmarker finds where the face's points [N, 2] are expected."""
    low, high = points.min(axis=0), points.max(axis=0)
    window = Window(*((low + high) / 2), 1.5 * float((high - low).max()), 0.0)
    for _ in range(2):
        (found,) = landmarker.landmarks(image, [window])
        assert found.mesh is not None
        window = window_of_mesh(found.mesh)
    return found


def openness(points: Array) -> tuple[float, float]:
    """Lids' distance over the eye's width, of 68 points: the image-left eye's and the other's."""
    shares = []
    for start in (36, 42):
        eye = np.asarray(points[start : start + 6], np.float64)
        height = np.linalg.norm((eye[1] + eye[2] - eye[4] - eye[5]) / 2)
        shares.append(float(height / max(np.linalg.norm(eye[3] - eye[0]), 1e-6)))
    return shares[0], shares[1]
