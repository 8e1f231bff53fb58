"""Perfect models, for `ground_truth.py`: they draw the true face, so what is wrong then is not the model's fault."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from konterfei.geometry import Crop, FaceType, smooth_hull_mask
from konterfei.io.faceset import Faceset
from konterfei.io.video import open_frames
from konterfei.models.swapper import load_swapper
from konterfei.performers import read_truth

_ALIKE = 2.0  # grey levels that a crop may differ from the one that was cut here


@dataclass(frozen=True)
class Kind:
    """Whose light the face is drawn in, by which landmarks, and how it is merged.

    Attributes:
        is_lit: in dst's light, not in that of src's own set.
        is_exact: crops by exact landmarks, in plate and truth.
        side: of what it draws, px; 0 = the model's.
        settings: of the merge.
    """

    is_lit: bool
    is_exact: bool = False
    side: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)


ORACLES: dict[str, Kind] = {
    "oracle": Kind(is_lit=False),
    "oracle_lit": Kind(is_lit=True),
    "oracle_uncolored": Kind(is_lit=True, settings={"color": "none"}),
    "oracle_exact": Kind(is_lit=True, is_exact=True, settings={"color": "none"}),
    "oracle_sharp": Kind(is_lit=True, is_exact=True, side=256, settings={"color": "none"}),
}


class Oracle:
    """Stands for a trained model in a merge: knows each crop of the plate, and draws the true face for it.

    Args:
        resolution, face_type: as of the model that it stands for.
        shown: crops of the plate. [N, R, R, 3] uint8
        drawn: the true faces. [N, R, R, 3] uint8
        masks, plate_masks: of the true faces and of the plate's. [N, R, R] float32
        info: see `models.swapper.Swapper`.
    """

    def __init__(self, resolution: int, face_type: FaceType, shown, drawn, masks, plate_masks, info) -> None:
        self.resolution, self.face_type, self.info = resolution, face_type, info
        self._shown = shown.reshape(len(shown), -1).astype(np.int16)
        self._drawn, self._masks, self._plate_masks = drawn, masks, plate_masks

    @classmethod
    def make(cls, row: str, material: Any, exact: Path, run: Path) -> Oracle:
        """The one of that name, for the clips of a case, in the place of the model of `run`.

        Args:
            row: name in `ORACLES`.
            material: clips and facesets of the case.
            exact: faceset of the plate by exact landmarks.
            run: of the model that it stands for.
        """
        kind, model = ORACLES[row], load_swapper(run)
        side, face_type = kind.side or model.resolution, model.face_type
        clip = material.truth if kind.is_lit else material.own_light
        found = material.truth_faces if kind.is_lit else material.own_light_faces
        known, true_faces = read_truth(clip).landmarks, Faceset.open(found)
        plate_faces = Faceset.open(exact if kind.is_exact else material.plate_faces)
        crops = []
        for frame, true in zip(open_frames(material.plate), open_frames(clip), strict=False):
            theirs = true_faces.faces_at(frame.index)
            points = known[frame.index] if kind.is_exact or not theirs else theirs[0].face.landmarks
            for record in plate_faces.faces_at(frame.index):
                own = record.face.landmarks
                crop, taken = (Crop.fit(p, face_type, side) for p in (own, points))
                masks = [
                    smooth_hull_mask(c.crop_from_frame @ p, (side, side)) for c, p in ((taken, points), (crop, own))
                ]
                crops.append((crop.cut(frame.image), taken.cut(true.image), *masks))
        info = {**model.info, "model": row, "snapshot_sha256": row.encode().hex().ljust(64, "0")}
        return cls(side, face_type, *(np.stack(part) for part in zip(*crops, strict=True)), info)

    def draw(self, images):
        """See `stages._merge_roles.FaceSwapper`."""
        rows = [self._row(image) for image in images]
        return self._drawn[rows].astype(np.float32) / 255, self._masks[rows], self._plate_masks[rows]

    def redraw(self, images):
        """See `stages._merge_roles.FaceSwapper`."""
        return images.astype(np.float32) / 255

    def _row(self, image) -> int:
        apart = np.abs(self._shown - image.reshape(-1).astype(np.int16)).mean(axis=1)
        row = int(np.argmin(apart))
        if apart[row] > _ALIKE:
            raise ValueError(f"the merge shows a crop that is {apart[row]:.1f} grey levels from any of the plate's")
        return row


def exact_faces(faces: Path, clip: Path, folder: Path) -> Path:
    """A faceset like `faces`, by the exact landmarks of the clip."""
    found, known = Faceset.open(faces), read_truth(clip).landmarks
    with Faceset.create(folder, found.header) as exact:
        for record in found.records():
            points = known[record.frame_index]
            box = np.concatenate([points.min(axis=0), points.max(axis=0)])
            crop = Crop.fit(points, record.face_type, record.size)
            face = record.face.with_(landmarks=points, box=box)
            # the picture is the found one: merges read records only
            exact.add(found.image(record.name), replace(record, face=face, crop_from_frame=crop.crop_from_frame.matrix))
    return folder
